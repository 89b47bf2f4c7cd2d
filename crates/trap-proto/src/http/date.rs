//! HTTP's dates (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.

use crate::calendar::Moment;
use alloc::{format, string::String};
use honeymesh_types::WallTime;

/// `at` as an HTTP date.
pub(super) fn http_date(at: WallTime) -> String {
    let moment = Moment::of(at.as_millis() / 1_000);
    let Moment { year, day, hour, minute, second, .. } = moment;
    format!("{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", moment.weekday(), moment.month_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_in_the_standard() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_795_341_600, "Sun, 22 Nov 2026 10:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ];
        for (seconds, text) in table {
            assert_eq!(http_date(WallTime(seconds * 1_000_000)), text);
        }
        assert!(!http_date(WallTime::MAX).is_empty(), "the end of time has a date");
    }
}
