//! Days and hours of moments counted from 1970, in UTC.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS_IN_FULL: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS_IN_FULL: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAY_SECONDS: u64 = 86_400;

/// A moment, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: u64,
    /// 1 to 12.
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    /// Days since 1970-01-01.
    pub(crate) days: u64,
}

impl Moment {
    /// Of seconds since 1970.
    pub(crate) const fn of(seconds: u64) -> Self {
        let (days, of_day) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        let (year, month, day) = civil(days);
        Self { year, month, day, hour: of_day / 3_600, minute: of_day / 60 % 60, second: of_day % 60, days }
    }

    /// `Jan` to `Dec`.
    pub(crate) fn month_name(&self) -> &'static str {
        word(&MONTHS, self.month - 1)
    }

    /// `January` to `December`.
    pub(crate) fn month_in_full(&self) -> &'static str {
        word(&MONTHS_IN_FULL, self.month - 1)
    }

    /// `Mon` to `Sun`.
    pub(crate) fn weekday(&self) -> &'static str {
        word(&DAYS, self.days % 7)
    }

    /// `Monday` to `Sunday`.
    pub(crate) fn weekday_in_full(&self) -> &'static str {
        word(&DAYS_IN_FULL, self.days % 7)
    }

    /// The day, counted from 1970-01-01, of a year from 1970 to 9999. `None`: there is no such day.
    pub(crate) fn day(year: u64, month: u64, day: u64) -> Option<u64> {
        if !(1_970..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // Years from March, as in `civil`.
        let from_march = year - u64::from(month <= 2);
        let (era, of_era) = (from_march / 400, from_march % 400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        (civil(days) == (year, month, day)).then_some(days)
    }
}

fn word(words: &[&'static str], index: u64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| words.get(index)).copied().unwrap_or_default()
}

/// Year, month and day of a day counted from 1970-01-01: Howard Hinnant's algorithm, with years from March.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}
