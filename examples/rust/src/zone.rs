//! The zones: names, rules and, where the law changed since 2020, what was before the rule. See `make-zones.py`.

use crate::calendar::DateTime;
use crate::rule::{Change, Keeping, Rule};

static ZONES: &str = include_str!("zones.txt");

pub struct Zone {
    pub name: &'static str,
    rule: Rule<'static>,
    /// What clocks kept from when on, in order; the rule holds from the last of them on.
    periods: Vec<Change<'static>>,
}

impl Zone {
    /// Finds a zone by its name; case, and spaces for underscores, make no difference.
    pub fn find(name: &str) -> Option<Self> {
        let wanted = name.trim().replace(' ', "_");
        let (name, definition) = lines().find(|(name, _)| name.eq_ignore_ascii_case(&wanted))?;
        Self::parse(name, definition)
    }

    /// All zones whose names contain `filter`, in the order of names.
    pub fn containing(filter: &str) -> impl Iterator<Item = Self> {
        let filter = filter.trim().replace(' ', "_").to_ascii_lowercase();
        lines()
            .filter(move |(name, _)| name.to_ascii_lowercase().contains(&filter))
            .filter_map(|(name, definition)| Self::parse(name, definition))
    }

    /// A few names like the one that was not found, for an error's text.
    pub fn similar(name: &str) -> Vec<&'static str> {
        let wanted = name.trim().replace(' ', "_").to_ascii_lowercase();
        let place = wanted.rsplit('/').next().unwrap_or_default();
        if place.len() < 3 {
            return Vec::new();
        }
        lines()
            .map(|(name, _)| name)
            .filter(|name| name.to_ascii_lowercase().contains(place))
            .take(5)
            .collect()
    }

    fn parse(name: &'static str, definition: &'static str) -> Option<Self> {
        let definition = match definition.strip_prefix('=') {
            Some(target) => lines().find(|(name, _)| *name == target)?.1,
            None => definition,
        };
        let mut words = definition.split(' ');
        let rule = Rule::parse(words.next()?)?;
        let periods = words.map(parse_period).collect::<Option<_>>()?;
        Some(Self {
            name,
            rule,
            periods,
        })
    }

    /// Tells what clocks keep at a moment, in seconds since 1970.
    pub fn keeping(&self, moment: i64) -> Keeping<'static> {
        match self.periods.split_last() {
            Some((last, earlier)) if moment < last.at => earlier
                .iter()
                .rev()
                .find(|period| period.at <= moment)
                .or(earlier.first())
                .map_or(last.then, |period| period.then),
            _ => self
                .rule
                .keeping(moment, DateTime::from_seconds(moment).year),
        }
    }

    /// Finds the next moment from which clocks keep something else.
    pub fn next_change(&self, moment: i64) -> Option<Change<'static>> {
        let now = self.keeping(moment);
        let listed = self
            .periods
            .iter()
            .find(|period| period.at > moment && period.then != now);
        let last = self
            .periods
            .last()
            .map_or(moment, |last| last.at.max(moment));
        listed.copied().or_else(|| {
            self.rule
                .next_change(last, DateTime::from_seconds(last).year)
        })
    }

    /// The moments at which clocks show `local`, in order: none where they skip it, two where they repeat it.
    pub fn moments(&self, local: i64) -> Vec<i64> {
        // No offset is more than 26 hours from another, so these three are all that can be in force then.
        let mut moments: Vec<i64> = [-26 * 3600, 0, 26 * 3600]
            .into_iter()
            .map(|shift| local - self.keeping(local + shift).offset)
            .filter(|moment| moment + self.keeping(*moment).offset == local)
            .collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    ZONES.lines().filter_map(|line| line.split_once(' '))
}

/// Reads `START,OFFSET,ABBREVIATION`.
fn parse_period(text: &'static str) -> Option<Change<'static>> {
    let mut fields = text.split(',');
    let at = fields.next()?.parse().ok()?;
    let offset = fields.next()?.parse().ok()?;
    Some(Change {
        at,
        then: Keeping {
            offset,
            abbreviation: fields.next()?,
        },
    })
}
