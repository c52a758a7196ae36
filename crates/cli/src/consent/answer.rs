//! What the person answers.

use super::Offer;
use crate::ask::Person;
use std::collections::BTreeSet;

/// What is to become of an installation and a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go on, and grant these rules.
    Go(BTreeSet<usize>),
    /// Leave everything as it is.
    Stop,
}

/// Has the person say how much of an offer is granted. The end of input, or no answer that is one of those asked for, stops.
pub(crate) fn ask(person: &Person, question: &str, offer: &Offer) -> Answer {
    let choices = "[a]ll of it, [p]ick, [n]one of it, [q]uit";
    match person.chooses(
        &format!("{question} Grant {choices}:"),
        &["all", "pick", "none", "quit"],
    ) {
        Some("all") => Answer::Go(offer.ask.clone()),
        Some("none") => Answer::Go(BTreeSet::new()),
        Some("pick") => pick(person, offer),
        Some(_) | None => Answer::Stop,
    }
}

/// One question for each rule, the worst first.
fn pick(person: &Person, offer: &Offer) -> Answer {
    let mut picked = BTreeSet::new();
    for statement in offer.questions() {
        let question = format!("({} risk) let it {}?", statement.risk, statement.words);
        match person.chooses(
            &format!("{question} [y]es, [n]o, [q]uit:"),
            &["yes", "no", "quit"],
        ) {
            Some("yes") => {
                picked.insert(statement.index);
            }
            Some("no") => {}
            Some(_) | None => return Answer::Stop,
        }
    }
    Answer::Go(picked)
}
