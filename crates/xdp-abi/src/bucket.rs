//! Exact bans in cache lines: one array per address family, read by the kernel and written by user space alone.
//!
//! Element 0 is the [`Header`]: it tells the geometry, so that program and table can never disagree about it and a later
//! daemon can adopt whatever it finds. Behind it come the lines, each one cache line of a few ways, and behind these their
//! [`Front`]s: for each line 16 bits in which every key that is there, or had to leave, has one. A key has a first and a
//! second [`Place`]; a line that a key had to leave says so by [`Life::OVERFLOWED`], and then the key is in its second
//! line or, if that says so too, in the family's hash table of the same [`Way`]s. A table of no lines has everything
//! there: the plain kernel hash, as reference.
//!
//! The order of stores that a reader relies on: life and hits before the key that makes a way findable, the key's
//! removal before anything else of it, a flag before the key that needs it leaves, a copy before its original goes; and a
//! bit of the front before the key or the flag that needs it, and its removal after both.

/// Ways of an IPv4 line.
pub const WAYS4: usize = 4;
/// Ways of an IPv6 line: its keys are twice as long.
pub const WAYS6: usize = 3;
/// The size of a line, and of the header.
pub const LINE_LEN: usize = 64;
/// How many fronts are in an element.
pub const FRONTS: u32 = 32;
/// Tables of fewer lines are small enough for the processor's caches: the program asks their lines at once.
pub const FRONT_LINES_MIN: u32 = 1 << 12;
/// Above this many hits a ban counts no more: close below the most that fits, so that CPUs that count at once never wrap.
pub const HITS_MAX: u32 = u32::MAX - 0xffff;

/// What a ban is like besides its key, in one word, so that it is changed in one store: in the upper half when it ends, in
/// the lower half its meta: reasons (16 bits), scope (1), grade (3), spare, and the line's flag in way 0 of IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Life(pub u64);

impl Life {
    /// The end of a ban that never ends.
    pub const FOREVER: u32 = u32::MAX;
    /// Some key had to leave this line.
    pub const OVERFLOWED: u64 = 1 << 31;
    const SCOPE: u32 = 16;
    const GRADE: u32 = 17;

    /// A life that ends with the tick `expiry`: 0 is never live, [`Life::FOREVER`] always. Of `scope` one bit is kept, of
    /// `grade` three.
    #[must_use]
    pub const fn new(expiry: u32, reasons: u16, scope: u8, grade: u8) -> Self {
        let meta = reasons as u32 | (scope as u32 & 1) << Self::SCOPE | (grade as u32 & 7) << Self::GRADE;
        Self((expiry as u64) << 32 | meta as u64)
    }

    /// The first tick at which it is over.
    #[must_use]
    #[inline(always)]
    pub const fn expiry(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Is it in force at the tick `now`?
    #[must_use]
    #[inline(always)]
    pub const fn is_live(self, now: u64) -> bool {
        self.0 >> 32 > now
    }

    /// Why: the bits of `honeymesh_types::Reasons`.
    #[must_use]
    pub const fn reasons(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// Which packets: [`crate::SCOPE_DARK`] or [`crate::SCOPE_ALL`].
    #[must_use]
    #[inline(always)]
    pub const fn scope(self) -> u8 {
        (self.0 >> Self::SCOPE & 1) as u8
    }

    /// How sure: the number of `honeymesh_types::Grade`.
    #[must_use]
    pub const fn grade(self) -> u8 {
        (self.0 >> Self::GRADE & 7) as u8
    }

    /// Without the flag, which is the line's and not the ban's.
    #[must_use]
    pub const fn of_ban(self) -> Self {
        Self(self.0 & !Self::OVERFLOWED)
    }
}

/// One ban in an IPv4 line, and the value of both families' hash tables, where the key is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Way {
    /// The address in network order; 0 is a free way.
    pub key: u32,
    /// Packets it has dropped, or would have while only observing: at most about [`HITS_MAX`].
    pub hits: u32,
    /// The rest, and in way 0 the line's flag.
    pub life: u64,
}

/// A line of IPv4 bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line4 {
    /// Its bans.
    pub ways: [Way; WAYS4],
}

/// A line of IPv6 bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line6 {
    /// The first 8 octets of the prefix as they stand in a packet; 0 is a free way.
    pub keys: [u64; WAYS6],
    /// As in a [`Way`], without the flag.
    pub lives: [u64; WAYS6],
    /// As in a [`Way`].
    pub hits: [u32; WAYS6],
    /// The line's flag: [`Life::OVERFLOWED`].
    pub flags: u32,
}

/// How a table is laid out and hashed. Drawn once for each table, never changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Header {
    /// [`Header::MAGIC`].
    pub magic: u64,
    /// [`crate::VERSION`] of the writer.
    pub version: u32,
    /// How many lines follow; 0: everything is in the hash table.
    pub lines: u32,
    /// What keys are mixed with: secret, because who knows it can fill one line.
    pub secret: u64,
    /// Odd multipliers, secret too.
    pub multipliers: [u64; 2],
    /// A tick is so many jiffies, as a power of two.
    pub tick_shift: u32,
    /// Ways of a line: [`WAYS4`] or [`WAYS6`].
    pub ways: u32,
    /// Nanoseconds of a jiffy.
    pub jiffy_ns: u32,
    /// Always zero.
    pub reserved: u32,
    /// [`Header::seal`] of all of the above.
    pub seal: u64,
}

/// Where the bit of a key is that says whether a look at its first line is worth it. One element in 32 of the array is
/// fronts: good traffic asks memory that is small enough to be at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    /// The element of the array.
    pub element: u32,
    /// Which of its [`FRONTS`] words of 16 bits.
    pub slot: u32,
    /// The bit.
    pub bit: u32,
}

impl Front {
    /// A word that hides nothing.
    pub const FULL: u16 = u16::MAX;

    /// Is the key's bit set in its word?
    #[must_use]
    #[inline(always)]
    pub const fn is_in(self, word: u16) -> bool {
        word as u32 >> self.bit & 1 == 1
    }

    /// The key's bit.
    #[must_use]
    pub const fn mask(self) -> u16 {
        1 << self.bit
    }
}

/// The two lines where a key may be: elements of the array, so never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    hash: u64,
}

impl Header {
    /// What stands in a program until it is loaded.
    pub const UNKNOWN: Self = Self {
        magic: Self::MAGIC,
        version: 0,
        lines: 0,
        secret: 0,
        multipliers: [0; 2],
        tick_shift: 0,
        ways: 0,
        jiffy_ns: 0,
        reserved: 0,
        seal: 0,
    };
    /// What every header begins with.
    pub const MAGIC: u64 = u64::from_le_bytes(*b"hm-lines");

    /// A well-mixed number for a key.
    #[must_use]
    #[inline(always)]
    pub const fn hash(&self, key: u64) -> u64 {
        let mixed = (key ^ self.secret).wrapping_mul(self.multipliers[0]);
        (mixed ^ mixed >> 32).wrapping_mul(self.multipliers[1])
    }

    /// Where a key may be.
    #[must_use]
    #[inline(always)]
    pub const fn place(&self, key: u64) -> Place {
        Place { hash: self.hash(key) }
    }

    /// The element of the first line.
    #[must_use]
    #[inline(always)]
    pub const fn first(&self, place: Place) -> u32 {
        self.element(place.hash >> 32)
    }

    /// The element of the second line; with few lines it may be the same.
    #[must_use]
    #[inline(always)]
    pub const fn second(&self, place: Place) -> u32 {
        self.element((place.hash ^ place.hash >> 32).wrapping_mul(self.multipliers[0]) >> 32)
    }

    /// The front of the line at `element`, from 1 on, and in it the bit of the key with this place: by other bits of the hash
    /// than those that choose the line.
    #[must_use]
    #[inline(always)]
    pub const fn front(&self, place: Place, element: u32) -> Front {
        let line = element.wrapping_sub(1);
        let first = self.lines.wrapping_add(1);
        Front { element: first.wrapping_add(line / FRONTS), slot: line % FRONTS, bit: (place.hash >> 28 & 15) as u32 }
    }

    /// How many elements an array of `lines` lines has: the header, the lines, their fronts.
    #[must_use]
    pub const fn elements(lines: u32) -> u32 {
        lines.saturating_add(lines.div_ceil(FRONTS)).saturating_add(1)
    }

    /// Scales 32 bits to the number of lines, which is no power of two.
    #[inline(always)]
    const fn element(&self, hash: u64) -> u32 {
        1 + ((hash * self.lines as u64) >> 32) as u32
    }

    /// A sum over every field before it: a header that was written over is told from a good one.
    #[must_use]
    pub const fn seal(&self) -> u64 {
        let words = [
            self.magic,
            (self.version as u64) << 32 | self.lines as u64,
            self.secret,
            self.multipliers[0],
            self.multipliers[1],
            (self.tick_shift as u64) << 32 | self.ways as u64,
            (self.jiffy_ns as u64) << 32 | self.reserved as u64,
        ];
        let (mut sum, mut index) = (0_u64, 0);
        while index < words.len() {
            sum = (sum ^ words[index]).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            index += 1;
        }
        sum
    }

    /// This header with its seal.
    #[must_use]
    pub const fn sealed(self) -> Self {
        Self { seal: self.seal(), ..self }
    }

    /// Is it one, of this version, unharmed?
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.magic == Self::MAGIC && self.version == crate::VERSION && self.seal == self.seal() && self.reserved == 0
    }
}

const _: () = assert!(size_of::<Way>() == 16);
const _: () = assert!(size_of::<Line4>() == LINE_LEN && align_of::<Line4>() == LINE_LEN);
const _: () = assert!(size_of::<Line6>() == LINE_LEN && align_of::<Line6>() == LINE_LEN);
const _: () = assert!(size_of::<Header>() == LINE_LEN);

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn header(lines: u32) -> Header {
        let multipliers = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];
        Header { magic: Header::MAGIC, version: crate::VERSION, lines, secret: 7, multipliers, ..Header::default() }.sealed()
    }

    #[test]
    fn a_life_keeps_what_it_is_given() {
        let life = Life::new(77, 0b10110, 1, 5);
        assert_eq!((life.expiry(), life.reasons(), life.scope(), life.grade()), (77, 0b10110, 1, 5));
        assert_eq!(Life(life.0 | Life::OVERFLOWED).of_ban(), life);
        assert_eq!([76, 77, 78].map(|now| life.is_live(now)), [true, false, false]);
        assert!(Life::new(Life::FOREVER, 0, 0, 0).is_live(u64::from(u32::MAX) - 1) && !Life::new(0, 9, 1, 1).is_live(0));
    }

    #[test]
    fn every_place_is_a_line_and_never_the_header() {
        for lines in [1, 2, 3, 1_000_003, u32::MAX - 1] {
            let header = header(lines);
            for key in [0, 1, u64::MAX, 0xc0a8_0001] {
                let place = header.place(key);
                assert!((1..=lines).contains(&header.first(place)) && (1..=lines).contains(&header.second(place)));
            }
        }
    }

    #[test]
    fn every_line_has_a_front_of_its_own_behind_the_lines() {
        for lines in [1, 31, 32, 33, 4_096, 500_000] {
            let header = header(lines);
            let front = |element| header.front(header.place(u64::from(element) * 77), element);
            let seats: std::collections::BTreeSet<_> = (1..=lines).map(|line| (front(line).element, front(line).slot)).collect();
            assert_eq!(seats.len(), lines as usize);
            let range = lines + 1..Header::elements(lines);
            assert!(
                (1..=lines).all(|line| range.contains(&front(line).element) && front(line).slot < FRONTS && front(line).bit < 16)
            );
        }
        assert_eq!(Header::elements(0), 1);
    }

    #[test]
    fn keys_of_one_line_spread_over_its_front() {
        let header = header(1_000);
        let mut counts = [0_u32; 16];
        for key in 0..200_000_u32 {
            let place = header.place(u64::from(key.to_be()));
            if header.first(place) == 7 {
                counts[header.front(place, 7).bit as usize] += 1;
            }
        }
        assert!(counts.iter().all(|count| (2..40).contains(count)), "12 each, more or less: {counts:?}");
    }

    #[test]
    fn neighbours_spread_evenly() {
        let header = header(1_000);
        let mut counts = [[0_u32; 1_001]; 2];
        for key in 0..100_000_u32 {
            let place = header.place(u64::from(key.to_be()));
            counts[0][header.first(place) as usize] += 1;
            counts[1][header.second(place) as usize] += 1;
        }
        for counts in counts {
            assert!(counts[1..].iter().all(|count| (40..180).contains(count)), "100 each, more or less");
        }
    }

    #[test]
    fn a_changed_header_is_no_header() {
        let good = header(5);
        assert!(good.is_sound() && !Header::default().is_sound());
        let changes: [fn(&mut Header); 5] = [
            |header| header.lines += 1,
            |header| header.secret ^= 1,
            |header| header.multipliers.swap(0, 1),
            |header| header.tick_shift += 1,
            |header| header.version += 1,
        ];
        for change in changes {
            let mut bad = good;
            change(&mut bad);
            assert!(!bad.is_sound(), "{bad:?}");
        }
    }
}
