//! What a component asks for, and what of that a person agrees to. Pure but for [`answer`], which talks to the person.

pub(crate) mod answer;
pub(crate) mod screen;

use casemate_policy::consent::{Combination, Statement};
use casemate_policy::{
    Admission, ArtifactIdentity, Digest, EditError, Policy, PolicyError, Tenant, adopt,
};
use casemate_runtime::inspect::InspectedComponent;
use casemate_runtime::requested::{RequestOrigin, Requested};
use std::collections::BTreeSet;

/// Most rules of a request that a person is shown and can agree to. Longer ones are read as files and given with `--policy`.
pub(crate) const MAX_SHOWN_RULES: usize = 200;

/// What came with a component as a request, and what it means.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) origin: RequestOrigin,
    pub(crate) meaning: Meaning,
    /// Another request of the component says something else and is left aside.
    pub(crate) other: Option<RequestOrigin>,
}

/// What a request means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// A policy that can be agreed to.
    Policy(Box<Policy>),
    /// Nothing: it does not load, or names what is not there.
    Invalid(PolicyError),
    /// Nobody reads as much on a screen.
    TooLong(usize),
}

impl Asked {
    /// The request that counts: the artifact's policy layer before the component's own section.
    ///
    /// `names` are the names of tools that a policy may use.
    pub(crate) fn of(requests: &[Requested], names: &[&str]) -> Option<Self> {
        let find = |origin| requests.iter().find(|request| request.origin == origin);
        let layer = find(RequestOrigin::Layer);
        let section = find(RequestOrigin::Section);
        let (request, aside) = match (layer, section) {
            (Some(layer), section) => (layer, section),
            (None, section) => (section?, None),
        };
        let meaning = match &request.policy {
            Err(error) => Meaning::Invalid(error.clone()),
            Ok(policy) => match (policy.unknown_tool(names), policy.rules().len()) {
                (Some(error), _) => Meaning::Invalid(error),
                (None, count) if count > MAX_SHOWN_RULES => Meaning::TooLong(count),
                (None, _) => Meaning::Policy(Box::new(policy.clone())),
            },
        };
        let differs = |other: &&Requested| match (&other.policy, &request.policy) {
            (Ok(other), Ok(policy)) => other != policy,
            _ => true,
        };
        Some(Self {
            origin: request.origin,
            meaning,
            other: aside.filter(differs).map(|other| other.origin),
        })
    }

    /// The policy, where there is one to agree to.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        match &self.meaning {
            Meaning::Policy(policy) => Some(policy),
            Meaning::Invalid(_) | Meaning::TooLong(_) => None,
        }
    }
}

/// The names by which a policy may speak of a component's tools.
pub(crate) fn names_of_tools<'c>(
    component: &'c InspectedComponent,
    exposed: &'c [String],
) -> Vec<String> {
    let tools = component.tools().iter();
    tools
        .flat_map(|tool| [tool.function.clone(), tool.wit_name()])
        .chain(exposed.iter().cloned())
        .collect()
}

/// What a request would add to what is granted.
#[derive(Debug)]
pub(crate) struct Offer {
    request: Policy,
    /// All rules of the request in sentences, the worst first.
    pub(crate) statements: Vec<Statement>,
    /// What a person is asked about.
    pub(crate) ask: BTreeSet<usize>,
    /// What the ceiling allows nothing of: never granted.
    pub(crate) barred: BTreeSet<usize>,
    /// What the ceiling allows in part at most.
    pub(crate) above: BTreeSet<usize>,
}

impl Offer {
    /// Compares a request with what is granted now and, for an update, with what was asked for before: what a person was asked
    /// once and did not grant is not asked again.
    pub(crate) fn of(
        request: &Policy,
        present: &Policy,
        before: Option<&Policy>,
        ceiling: Option<&Policy>,
    ) -> Self {
        let mut statements = request.statements();
        statements.sort_by_key(|statement| (std::cmp::Reverse(statement.risk), statement.index));
        let above = ceiling.map_or_else(BTreeSet::new, |ceiling| ceiling.asks_beyond(request));
        let barred: BTreeSet<usize> = match ceiling {
            None => BTreeSet::new(),
            Some(ceiling) => above
                .iter()
                .copied()
                .filter(|index| is_barred(request, *index, ceiling))
                .collect(),
        };
        let mut ask = present.asks_beyond(request);
        if let Some(before) = before {
            let grown = before.asks_beyond(request);
            ask.retain(|index| grown.contains(index));
        }
        ask.retain(|index| !barred.contains(index));
        Self {
            request: request.clone(),
            statements,
            ask,
            barred,
            above,
        }
    }

    /// What the rules of the request allow together, as far as they would be granted.
    pub(crate) fn combinations(&self) -> Vec<Combination> {
        let combinations = self.request.combinations().into_iter();
        combinations
            .filter(|one| one.rules.iter().all(|rule| !self.barred.contains(rule)))
            .collect()
    }

    /// What a person is asked about, the worst first.
    pub(crate) fn questions(&self) -> impl Iterator<Item = &Statement> {
        self.statements
            .iter()
            .filter(|statement| self.ask.contains(&statement.index))
    }

    /// The text of the policy file with what was picked, `None` where nothing is to be written.
    ///
    /// Only what is asked about can be picked. What is written allows nothing beyond the present file and the request.
    pub(crate) fn granted(
        &self,
        present: &str,
        picked: &BTreeSet<usize>,
    ) -> Result<Option<String>, EditError> {
        let picked: BTreeSet<usize> = picked.intersection(&self.ask).copied().collect();
        if picked.is_empty() {
            return Ok(None);
        }
        if present.trim().is_empty() {
            // What narrows comes along.
            let text = self.request.picked(&picked).to_yaml();
            return Ok(Some(format!(
                "# Picked from what the component asked for. `casemate grant` and `casemate revoke` change it.\n{text}"
            )));
        }
        let edited = adopt(present, &self.request, &picked)?;
        Ok(edited.changed.then_some(edited.text))
    }
}

/// Whether a ceiling allows nothing of a rule.
fn is_barred(request: &Policy, index: usize, ceiling: &Policy) -> bool {
    let Ok(part) = Policy::empty().joined(request, &BTreeSet::from([index])) else {
        return false;
    };
    let reach = |ceiling| {
        let identity = ArtifactIdentity::new(Digest::from_bytes([0; 32]), String::new(), None);
        let admission = Admission {
            ceiling,
            strict: false,
            bound_roots: &BTreeSet::new(),
            tenant: Tenant::local(),
        };
        part.admit(&identity, &admission).reach()
    };
    let (free, cut) = (reach(None), reach(Some(ceiling)));
    // Clocks, random numbers and limits reach nothing; the ceiling cuts them to a lesser one.
    free != Default::default() && cut == Default::default()
}

#[cfg(test)]
mod tests;
