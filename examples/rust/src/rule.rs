//! The rule of a zone: a POSIX `TZ` string, with the extensions of RFC 9636 3.3.1 (hours from -167 to 167).
//!
//! `EST5EDT,M3.2.0,M11.1.0` says: five hours behind UTC and called EST; four and called EDT from the second Sunday of
//! March, 2:00, to the first Sunday of November, 2:00. Offsets are written west of UTC; here they are seconds east.

use crate::calendar::{DAY, day_of_week, days_from_date, days_in_month};

/// What clocks keep for some time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keeping<'a> {
    /// Seconds east of UTC.
    pub offset: i64,
    pub abbreviation: &'a str,
}

/// A change of clocks: the moment, in seconds since 1970, and what they keep from then on.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub at: i64,
    pub then: Keeping<'a>,
}

pub struct Rule<'a> {
    standard: Keeping<'a>,
    summer: Option<Summer<'a>>,
}

/// The part of the year with other clocks.
struct Summer<'a> {
    keeping: Keeping<'a>,
    start: YearDay,
    end: YearDay,
}

/// A day of every year, and the seconds from its midnight, by the clocks before the change.
struct YearDay {
    day: Day,
    second: i64,
}

enum Day {
    /// The `week`th (5: the last) `weekday` of a month.
    Weekday { month: i64, week: i64, weekday: i64 },
    /// Day 1 to 365, the leap day never counted.
    Julian(i64),
    /// Day 0 to 365.
    Ordinal(i64),
}

impl<'a> Rule<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(',');
        let (standard, rest) = parse_keeping(parts.next()?)?;
        let standard = Keeping {
            offset: standard.offset?,
            abbreviation: standard.abbreviation,
        };
        let summer = if rest.is_empty() {
            None
        } else {
            let (summer, rest) = parse_keeping(rest)?;
            if !rest.is_empty() {
                return None;
            }
            // Without an offset of its own it is one hour ahead.
            let offset = summer.offset.unwrap_or(standard.offset + 3600);
            Some(Summer {
                keeping: Keeping {
                    offset,
                    abbreviation: summer.abbreviation,
                },
                start: YearDay::parse(parts.next()?)?,
                end: YearDay::parse(parts.next()?)?,
            })
        };
        parts.next().is_none().then_some(Self { standard, summer })
    }

    /// The changes of one year of the calendar, in order.
    fn changes(&self, year: i64) -> Option<[Change<'a>; 2]> {
        let summer = self.summer.as_ref()?;
        let start = Change {
            at: summer.start.second_in(year) - self.standard.offset,
            then: summer.keeping,
        };
        let end = Change {
            at: summer.end.second_in(year) - summer.keeping.offset,
            then: self.standard,
        };
        // South of the equator, summer is at both ends of the year.
        Some(if start.at < end.at {
            [start, end]
        } else {
            [end, start]
        })
    }

    /// Tells what clocks keep at a moment of (about) `year`.
    pub fn keeping(&self, moment: i64, year: i64) -> Keeping<'a> {
        (year - 1..=year + 1)
            .filter_map(|year| self.changes(year))
            .flatten()
            .take_while(|change| change.at <= moment)
            .last()
            .map_or(self.standard, |change| change.then)
    }

    /// Finds the first change after a moment of (about) `year`.
    pub fn next_change(&self, moment: i64, year: i64) -> Option<Change<'a>> {
        (year - 1..=year + 1)
            .filter_map(|year| self.changes(year))
            .flatten()
            .find(|change| change.at > moment)
    }
}

impl YearDay {
    fn parse(text: &str) -> Option<Self> {
        let (day, second) = match text.split_once('/') {
            Some((day, time)) => (day, parse_time(time)?),
            None => (text, 2 * 3600),
        };
        let day = if let Some(date) = day.strip_prefix('M') {
            let mut numbers = date.split('.').map(|number| number.parse().ok());
            let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
            Day::Weekday {
                month,
                week,
                weekday,
            }
        } else if let Some(day) = day.strip_prefix('J') {
            Day::Julian(day.parse().ok()?)
        } else {
            Day::Ordinal(day.parse().ok()?)
        };
        Some(Self { day, second })
    }

    /// The seconds from 1970 to this moment of `year`, by the clocks of the place.
    fn second_in(&self, year: i64) -> i64 {
        let new_year = days_from_date(year, 1, 1);
        let days = match self.day {
            Day::Weekday {
                month,
                week,
                weekday,
            } => {
                let first = days_from_date(year, month, 1);
                let mut day = (weekday - day_of_week(first)).rem_euclid(7) + (week - 1) * 7;
                if day >= days_in_month(year, month) {
                    day -= 7;
                }
                first + day
            }
            Day::Julian(day) => {
                let leap = days_in_month(year, 2) == 29 && day >= 60;
                new_year + day - 1 + i64::from(leap)
            }
            Day::Ordinal(day) => new_year + day,
        };
        days * DAY + self.second
    }
}

struct Parsed<'a> {
    abbreviation: &'a str,
    offset: Option<i64>,
}

/// Reads `EST5` or `<+0330>-3:30` from the beginning of a text; gives the rest too.
fn parse_keeping(text: &str) -> Option<(Parsed<'_>, &str)> {
    let (abbreviation, rest) = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => text.split_at_checked(
            text.find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(text.len()),
        )?,
    };
    let end = rest
        .find(|c: char| !matches!(c, '0'..='9' | ':' | '+' | '-'))
        .unwrap_or(rest.len());
    let (offset, rest) = rest.split_at_checked(end)?;
    let offset = if offset.is_empty() {
        None
    } else {
        Some(-parse_time(offset)?)
    };
    Some((
        Parsed {
            abbreviation,
            offset,
        },
        rest,
    ))
}

/// Reads `[+-]hh[:mm[:ss]]` as seconds.
fn parse_time(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for number in digits.split(':') {
        seconds += number.parse::<i64>().ok()? * unit;
        unit /= 60;
    }
    Some(sign * seconds)
}
