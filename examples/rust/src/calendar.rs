//! Days and dates of the Gregorian calendar. Days and seconds count from 1970-01-01.

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A date and a time of day, in whatever zone.
#[derive(Clone, Copy)]
pub struct DateTime {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    /// Seconds since midnight, 0 to 86399.
    pub second: i64,
}

/// Counts the days to a date. Years begin in March here, so that the leap day is the last day of one.
pub const fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// Tells the length of a month in days.
pub const fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days_from_date(next_year, next_month, 1) - days_from_date(year, month, 1)
}

/// Tells the day of the week: 0 is Sunday.
pub const fn day_of_week(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

impl DateTime {
    /// Tells date and time of `seconds` since 1970.
    pub fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(DAY);
        // An estimate that is never too late and at most one year too early.
        let mut year = 1970 + days.div_euclid(366);
        while days_from_date(year + 1, 1, 1) <= days {
            year += 1;
        }
        let mut month = 1;
        while month < 12 && days_from_date(year, month + 1, 1) <= days {
            month += 1;
        }
        Self {
            year,
            month,
            day: days - days_from_date(year, month, 1) + 1,
            second: seconds.rem_euclid(DAY),
        }
    }

    /// Counts the seconds since 1970.
    pub const fn to_seconds(self) -> i64 {
        days_from_date(self.year, self.month, self.day) * DAY + self.second
    }

    /// Reads `YYYY-MM-DDTHH:MM` or `YYYY-MM-DDTHH:MM:SS`; a space may stand for the `T`.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once(['T', 't', ' '])?;
        let mut date = date.split('-');
        let (year, month, day) = (
            digits(date.next()?, 4)?,
            digits(date.next()?, 2)?,
            digits(date.next()?, 2)?,
        );
        let mut time = time.split(':');
        let (hour, minute) = (digits(time.next()?, 2)?, digits(time.next()?, 2)?);
        let second = time.next().map_or(Some(0), |second| digits(second, 2))?;
        let valid = date.next().is_none()
            && time.next().is_none()
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        valid.then_some(Self {
            year,
            month,
            day,
            second: hour * 3600 + minute * 60 + second,
        })
    }
}

impl std::fmt::Display for DateTime {
    /// Writes `YYYY-MM-DDTHH:MM:SS`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            year,
            month,
            day,
            second,
        } = self;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

/// Reads a number of exactly `length` decimal digits.
fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}
