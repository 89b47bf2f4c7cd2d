//! A stored value with what memcached knows of it.

use crate::store::Store;
use alloc::vec::Vec;
use honeymesh_types::WallTime;

/// A time to live that is longer is a moment, in seconds since 1970: memcached's own border of thirty days.
const RELATIVE_SECONDS_MAX: i32 = 30 * 24 * 60 * 60;
/// Its clock begins so many seconds before it starts.
const CLOCK_SECONDS: u64 = 62;
/// What memcached itself keeps of each value, in bytes, its number included.
const HEAD_BYTES: usize = 56;
/// The smallest room that memcached has for one, in bytes, the factor from one to the next in quarters, and how many sizes there are.
const ROOM_BYTES_MIN: usize = 96;
const ROOM_QUARTERS: usize = 5;
const ROOMS_MAX: u32 = 39;

/// Bits of a value.
pub(super) const FETCHED: u8 = 1;
const ACTIVE: u8 = 2;
/// Somebody has said that it is out of date.
pub(super) const STALE: u8 = 4;
/// Somebody was told that it is his to make it anew.
pub(super) const TOLD: u8 = 8;
/// Its key came in base64.
pub(super) const BINARY: u8 = 16;

/// A stored value with what stands in front of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Item<'a> {
    pub(super) flags: u32,
    pub(super) number: u64,
    /// When it ends, in seconds since 1970; 0: never.
    pub(super) ends: u64,
    /// When it was last of use, in seconds since 1970.
    pub(super) used: u64,
    pub(super) bits: u8,
    pub(super) value: &'a [u8],
}

impl<'a> Item<'a> {
    pub(super) fn read(stored: &'a [u8]) -> Option<Self> {
        let (flags, rest) = stored.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (ends, rest) = rest.split_first_chunk()?;
        let (used, rest) = rest.split_first_chunk()?;
        let (bits, value) = rest.split_first()?;
        let (flags, number) = (u32::from_be_bytes(*flags), u64::from_be_bytes(*number));
        Some(Self { flags, number, ends: u64::from_be_bytes(*ends), used: u64::from_be_bytes(*used), bits: *bits, value })
    }

    /// As it is stored.
    pub(super) fn write(&self) -> Vec<u8> {
        let head =
            [&self.flags.to_be_bytes()[..], &self.number.to_be_bytes(), &self.ends.to_be_bytes(), &self.used.to_be_bytes()];
        [&head.concat(), &[self.bits][..], self.value].concat()
    }

    pub(super) const fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    /// What is left of its time, in seconds; -1: all of it.
    pub(super) fn left(&self, now: WallTime) -> i64 {
        if self.ends == 0 { -1 } else { i64::try_from(self.ends.saturating_sub(seconds(now))).unwrap_or(i64::MAX) }
    }

    /// Somebody has fetched it.
    pub(super) fn fetched(self, now: WallTime) -> Self {
        match (self.has(FETCHED), self.has(ACTIVE)) {
            (false, _) => Self { bits: self.bits | FETCHED, ..self },
            (true, false) => Self { bits: self.bits | ACTIVE, used: seconds(now), ..self },
            _ => self,
        }
    }

    /// The bytes that it takes in memcached with a key of this length, and the class that has room for so many.
    pub(super) fn size(&self, key: usize) -> (usize, u32) {
        let size = HEAD_BYTES + key + 1 + self.value.len() + 2 + if self.flags == 0 { 0 } else { 4 };
        let (mut room, mut class) = (ROOM_BYTES_MIN, 1);
        while room < size && class < ROOMS_MAX {
            room = (room * ROOM_QUARTERS / 4).next_multiple_of(8);
            class += 1;
        }
        (size, class)
    }
}

/// Seconds since 1970.
pub(super) const fn seconds(now: WallTime) -> u64 {
    now.0 / 1_000_000
}

/// When a value ends that was stored for this time; 0: never. What has ended before it began is gone at once.
pub(super) fn ends(lives: i32, now: WallTime) -> u64 {
    match u64::try_from(lives) {
        Ok(0) => 0,
        Ok(moment) if lives > RELATIVE_SECONDS_MAX => moment,
        Ok(lives) => seconds(now) + lives,
        Err(_) => 1,
    }
}

/// The last second whose values shall go, in seconds since 1970, once it has come: what was asked for last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flush(Option<u64>);

impl Flush {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// `flush_all` with this delay, asked of a server that started at `started`, in seconds since 1970. As in memcached all goes that was
    /// stored up to the second *before* the one that is asked for, and a moment before the start is never.
    pub(super) fn ask(&mut self, delay: i64, store: &mut Store, started: u64, now: WallTime) {
        let asked = u64::try_from(delay).unwrap_or(0);
        self.0 = match asked {
            0 => None,
            moment if moment > u64::from(RELATIVE_SECONDS_MAX.unsigned_abs()) => {
                Some(moment - 1).filter(|_| moment > started.saturating_sub(CLOCK_SECONDS))
            }
            seconds_from_now => Some(seconds(now) + seconds_from_now - 1),
        };
        if asked == 0 || self.0.is_some_and(|last| last <= seconds(now)) {
            store.clear();
        }
    }

    /// Before each command: the time may have come. What is stored in that second itself is not seen, either; only `is_asking` for
    /// another time saves it.
    pub(super) fn come(&mut self, store: &mut Store, is_asking: bool, now: WallTime) {
        let Some(last) = self.0 else { return };
        if last < seconds(now) || (last == seconds(now) && !is_asking) {
            store.clear();
        }
        if last < seconds(now) {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_goes_when_it_was_asked_to_and_not_before() {
        const STARTED: u64 = 4_000_000;
        let at = |second: u64| WallTime((5_000_000 + second) * 1_000_000);
        let (mut flush, mut store) = (Flush::none(), Store::new());
        let mut left = |asked: Option<i64>, second: u64| {
            flush.come(&mut store, asked.is_some(), at(second));
            store.set(b"a", b"b");
            asked.into_iter().for_each(|delay| flush.ask(delay, &mut store, STARTED, at(second)));
            flush.come(&mut store, false, at(second));
            store.len()
        };
        let told = [left(Some(3_600), 0), left(None, 3_598), left(None, 3_599), left(None, 3_599), left(None, 3_600)];
        assert_eq!(told, [1, 1, 0, 0, 1], "a second sooner than it says");
        assert_eq!([left(Some(0), 4_000), left(Some(-1), 4_000), left(Some(1), 4_000), left(None, 4_001)], [0, 0, 0, 1]);
        assert_eq!([left(Some(5_009_000), 4_002), left(None, 8_998), left(None, 8_999)], [1, 1, 0], "or at a moment");
        assert_eq!([left(Some(0), 9_500), left(None, 9_501)], [0, 1], "the last one counts");
        assert_eq!([left(Some(2), 9_600), left(Some(2_592_001), 9_600), left(None, 9_700)], [1, 1, 1], "before the start: never");
        assert_eq!([left(Some(3_999_938), 9_800), left(Some(3_999_939), 9_800)], [1, 0], "its clock begins a little before it");
        assert_eq!([left(Some(1), 9_900), left(Some(100), 9_900), left(None, 9_901)], [0, 1, 1], "what another time saves");
        assert_eq!(left(Some(i64::from(u32::MAX)), 9_900), 1);
    }

    #[test]
    fn a_value_is_read_as_it_was_written_and_ends_in_time() {
        let item = Item { flags: 7, number: 9, ends: 11, used: 13, bits: STALE, value: b"abc" };
        let written = item.write();
        let read = Item::read(&written).unwrap();
        assert_eq!((read.flags, read.number, read.ends, read.used, read.bits, read.value), (7, 9, 11, 13, STALE, &b"abc"[..]));
        let now = WallTime(5_000_000_000_000);
        assert_eq!([0, -1, 60, RELATIVE_SECONDS_MAX + 1].map(|lives| ends(lives, now)), [0, 1, 5_000_060, 2_592_001]);
    }
}
