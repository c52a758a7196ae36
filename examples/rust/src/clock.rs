//! The time of day, in words that people and programs read.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::exports::casemate_examples::notes::time::{
    Conversion, TimeError, Weekday, Zone as ListedZone, ZoneChange, ZonedTime,
};
use crate::calendar::{DAY, DateTime, day_of_week, days_from_date};
use crate::zone::Zone;

/// The zones' data begin in 2020; nobody knows the laws of a far future.
const FIRST: i64 = days_from_date(2020, 1, 1) * DAY;
const END: i64 = days_from_date(2100, 1, 1) * DAY;

/// Tells the time in a zone.
pub fn current_time(zone: &str) -> Result<ZonedTime, TimeError> {
    tell(&find(zone)?, now()?)
}

/// Tells a time of one zone in another.
pub fn convert_time(local: &str, from_zone: &str, to_zone: &str) -> Result<Conversion, TimeError> {
    let (from, to) = (find(from_zone)?, find(to_zone)?);
    let time = DateTime::parse(local).ok_or_else(|| {
        TimeError::InvalidTime(format!(
            "{local:?} is no date and time such as `2026-03-08T15:00` (without an offset)"
        ))
    })?;
    // A day to spare: what is out of range as a moment is found out below.
    if !(2019..=2100).contains(&time.year) {
        return Err(out_of_range(local));
    }
    let moments = from.moments(time.to_seconds());
    let Some(moment) = moments.first() else {
        return Err(TimeError::NoSuchTime(format!(
            "the clocks of {} skip {time}",
            from.name
        )));
    };
    Ok(Conversion {
        given: tell(&from, *moment)?,
        converted: tell(&to, *moment)?,
        repeated: moments.len() > 1,
    })
}

/// Lists zones with their present offsets.
pub fn list_zones(filter: &str) -> Result<Vec<ListedZone>, TimeError> {
    let now = now()?;
    Ok(Zone::containing(filter)
        .map(|zone| {
            let keeping = zone.keeping(now);
            ListedZone {
                name: zone.name.to_owned(),
                offset: offset(keeping.offset),
                abbreviation: keeping.abbreviation.to_owned(),
            }
        })
        .collect())
}

fn find(name: &str) -> Result<Zone, TimeError> {
    Zone::find(name).ok_or_else(|| {
        let similar = Zone::similar(name);
        TimeError::UnknownZone(if similar.is_empty() {
            format!("there is no time zone {name:?}; names are like `Europe/Berlin`")
        } else {
            format!(
                "there is no time zone {name:?}; there is {}",
                similar.join(", ")
            )
        })
    })
}

fn now() -> Result<i64, TimeError> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let moment = i64::try_from(seconds).unwrap_or(i64::MAX);
    check(moment).map_err(|_| {
        TimeError::OutOfRange(
            "the clock that the tool was given is not within the years 2020 to 2099".into(),
        )
    })
}

fn check(moment: i64) -> Result<i64, TimeError> {
    if (FIRST..END).contains(&moment) {
        Ok(moment)
    } else {
        Err(out_of_range("this moment"))
    }
}

fn out_of_range(what: &str) -> TimeError {
    TimeError::OutOfRange(format!("{what} is not within the years 2020 to 2099"))
}

fn tell(zone: &Zone, moment: i64) -> Result<ZonedTime, TimeError> {
    let moment = check(moment)?;
    let keeping = zone.keeping(moment);
    let local = moment + keeping.offset;
    Ok(ZonedTime {
        zone: zone.name.to_owned(),
        local: format!(
            "{}{}",
            DateTime::from_seconds(local),
            offset(keeping.offset)
        ),
        utc: utc(moment),
        weekday: weekday(local),
        abbreviation: keeping.abbreviation.to_owned(),
        next_change: zone.next_change(moment).map(|change| ZoneChange {
            utc: utc(change.at),
            offset: offset(change.then.offset),
            abbreviation: change.then.abbreviation.to_owned(),
        }),
    })
}

fn utc(moment: i64) -> String {
    format!("{}Z", DateTime::from_seconds(moment))
}

/// Writes an offset as `+05:30`. Since 2020 every one is of whole minutes.
fn offset(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn weekday(local: i64) -> Weekday {
    match day_of_week(local.div_euclid(DAY)) {
        0 => Weekday::Sunday,
        1 => Weekday::Monday,
        2 => Weekday::Tuesday,
        3 => Weekday::Wednesday,
        4 => Weekday::Thursday,
        5 => Weekday::Friday,
        _ => Weekday::Saturday,
    }
}
