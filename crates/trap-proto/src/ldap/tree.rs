//! When the tree was made, and with which number, as slapd keeps both.

use crate::text::hex;
use alloc::{format, string::String};

/// 2025-10-01T00:00:00Z, from which moments are counted, in seconds since 1970.
const START_SECONDS: u64 = 1_759_276_800;
/// In one of these the tree is made; each with its days.
const MONTHS: [(&str, u64); 6] = [("202510", 31), ("202511", 30), ("202512", 31), ("202601", 31), ("202602", 28), ("202603", 31)];
const DAYS: u64 = 182;
const DAY_SECONDS: u64 = 24 * 3_600;
const SECOND_MICROS: u64 = 1_000_000;
/// The number is drawn so long after the moment, at least and less than, in microseconds, and within the same second.
const LAG_MICROS: (u64, u64) = (12, 84);
/// What `lutil_uuidstr` adds to the time in a number, in 100 nanoseconds: RFC 9562's distance to 1582 without its last two
/// hexadecimal digits, so that slapd's numbers of this season have `1040` as their third group.
const UUID_TPLUS: u64 = 0x01_b21d_d213_8140;
/// The variant, and how much of a clock sequence stands behind it.
const UUID_VARIANT: u16 = 0x8000;
const UUID_CLOCK: u16 = 0x1fff;

/// When and how the tree was made: the same for one machine whenever it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// Microseconds since [`START_SECONDS`].
    micros: u64,
    /// Microseconds from there until its number was drawn.
    lag: u64,
    clock: u16,
    node: [u8; 6],
}

impl Tree {
    /// Made in this second (since 1970, in one of [`MONTHS`]); the rest as a secret of its own decides, of which it tells a part.
    pub(super) fn of(key: [u8; 32], made: u64) -> Self {
        let [micro, cro, ro, lag, low, high, node @ ..] = key;
        let second = made.saturating_sub(START_SECONDS).min(DAYS * DAY_SECONDS - 1);
        let micros = u64::from(u32::from_le_bytes([micro, cro, ro, 0])) % (SECOND_MICROS - LAG_MICROS.1);
        let mut node = *node.first_chunk().unwrap_or(&[0; 6]);
        // The mark of a card that there is not (RFC 9562, section 6.10).
        node[0] |= 1;
        Self {
            micros: second * SECOND_MICROS + micros,
            lag: LAG_MICROS.0 + u64::from(lag) % (LAG_MICROS.1 - LAG_MICROS.0),
            clock: u16::from_le_bytes([low, high]) & UUID_CLOCK,
            node,
        }
    }

    /// To the second, in digits, with a `Z`.
    pub(super) fn timestamp(&self) -> String {
        format!("{}Z", self.digits())
    }

    /// To the microsecond, with the number of the change.
    pub(super) fn csn(&self) -> String {
        format!("{}.{:06}Z#000000#000#000000", self.digits(), self.micros % SECOND_MICROS)
    }

    /// Its number: of version 1, which has the time in it.
    pub(super) fn uuid(&self) -> String {
        let micros = START_SECONDS * SECOND_MICROS + self.micros + self.lag;
        let time = micros * 10 + UUID_TPLUS;
        let (low, mid, high) = (time & 0xffff_ffff, time >> 32 & 0xffff, time >> 48 & 0x0fff | 0x1000);
        format!("{low:08x}-{mid:04x}-{high:04x}-{:04x}-{}", UUID_VARIANT | self.clock, hex(&self.node))
    }

    fn digits(&self) -> String {
        let seconds = self.micros / SECOND_MICROS;
        let (mut day, of_day) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        let mut month = "";
        for (digits, days) in MONTHS {
            month = digits;
            if day < days {
                break;
            }
            day -= days;
        }
        format!("{month}{:02}{:02}{:02}{:02}", day + 1, of_day / 3_600, of_day / 60 % 60, of_day % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Persona;
    use alloc::vec::Vec;

    fn tree(seed: u8) -> Tree {
        let persona = Persona::of([seed; 32]);
        Tree::of(persona.key("ldap tree"), persona.set_up("slapd"))
    }

    #[test]
    fn the_number_has_the_moment_in_it_and_the_marks_of_slapd() {
        for tree in (0..=255).map(tree) {
            let uuid = tree.uuid();
            let groups: Vec<u64> = uuid.split('-').map(|group| u64::from_str_radix(group, 16).unwrap()).collect();
            let time = groups[0] | groups[1] << 32 | (groups[2] & 0x0fff) << 48;
            let micros = (time - 0x01_b21d_d213_8140) / 10;
            assert_eq!(micros / 1_000_000, START_SECONDS + tree.micros / 1_000_000, "one second");
            assert!((12..84).contains(&(micros % 1_000_000 - tree.micros % 1_000_000)), "and soon");
            let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!((lengths, groups[2] >> 12, groups[3] >> 13), ([8, 4, 4, 4, 12].to_vec(), 1, 0b100));
            assert!(uuid[14..].starts_with("1040-") && groups[4] >> 40 & 1 == 1, "{uuid}");
            let (moment, csn) = (tree.timestamp(), tree.csn());
            assert!(moment.len() == 15 && csn.len() == 40 && csn.starts_with(&moment[..14]), "{moment} {csn}");
            assert!(("20251001000000Z".."20260401000000Z").contains(&moment.as_str()));
        }
    }

    #[test]
    fn moments_are_of_the_calendar() {
        let table = [
            (0, "20251001000000Z"),
            (31 * DAY_SECONDS - 1, "20251031235959Z"),
            (31 * DAY_SECONDS, "20251101000000Z"),
            (150 * DAY_SECONDS, "20260228000000Z"),
            (151 * DAY_SECONDS + 3_661, "20260301010101Z"),
            (DAYS * DAY_SECONDS - 1, "20260331235959Z"),
        ];
        for (seconds, moment) in table {
            assert_eq!(Tree { micros: seconds * SECOND_MICROS, ..Tree::default() }.timestamp(), moment);
        }
        assert_eq!(MONTHS.iter().map(|(_, days)| days).sum::<u64>(), DAYS);
    }
}
