//! Lines of a listing, as sftp-server writes them for its clients to show.

use crate::{calendar::Moment, shell::debian::Seen};
use alloc::{format, vec::Vec};

/// What is older is shown with its year, in seconds: half of a year as OpenSSH counts it.
const RECENT_SECONDS: u64 = 365 * 24 * 3_600 / 2;
/// How long such a line may be with its name, in bytes, without the nought behind it; what is longer is cut.
const LINE_BYTES_MAX: usize = 1_023;

/// What a client shows of something, at `now`, in seconds since 1970.
pub(super) fn long_name(seen: &Seen, now: u64) -> Vec<u8> {
    let moment = Moment::of(seen.changed);
    let (month, day) = (moment.month_name(), moment.day);
    let is_recent = now < seen.changed + RECENT_SECONDS && now >= seen.changed;
    let date = match is_recent {
        true => format!("{month} {day:>2} {:02}:{:02}", moment.hour, moment.minute),
        false => format!("{month} {day:>2}  {:04}", moment.year),
    };
    // BSD's `strmode` puts a blank behind the rights.
    let line = format!(
        "{}  {:>3} {:<8} {:<8} {:>8} {date} {}",
        seen.rights(),
        seen.links,
        seen.owner.1,
        seen.group.1,
        seen.size,
        seen.name
    );
    let mut line = line.into_bytes();
    line.truncate(LINE_BYTES_MAX);
    line
}
