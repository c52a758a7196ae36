//! What a person is shown before a component is installed or replaced, and what they decide.

use crate::ask::{Person, confirm_widening};
use crate::changes;
use crate::consent::answer::{self, Answer};
use crate::consent::{Asked, Meaning, Offer, names_of_tools, screen};
use crate::error::CommandError;
use crate::findings;
use crate::grade;
use crate::inspection::Inspection;
use crate::print::{BAD, CAUTION, Page, Printer};
use crate::settings::Settings;
use crate::signed::Signed;
use casemate_artifact::{PolicyFileError, read_policy_file};
use casemate_policy::{Policy, widens};
use casemate_runtime::InstallPlan;

/// What is to be granted, as far as the command line says so.
pub(crate) enum Want {
    /// What the person picks on the screen; nothing without one.
    Picked,
    /// All that it asks for: `--grant-requested`.
    Requested,
    /// A policy file: `--policy FILE`.
    File(String, Box<Policy>),
}

/// A plan beside what is granted now.
pub(crate) struct Review<'p> {
    plan: &'p InstallPlan,
    ceiling: Option<&'p Policy>,
    /// The policy file as it is; `None` where it cannot be read or does not load, so that it could grant anything.
    present: Option<(String, Policy)>,
    /// Whether there is a policy file.
    has_file: bool,
    asked: Option<Asked>,
    pub(crate) offer: Option<Offer>,
}

impl<'p> Review<'p> {
    /// `growth` asks only for what was not asked for before, as an update does.
    pub(crate) fn of(
        settings: &Settings,
        plan: &'p InstallPlan,
        ceiling: Option<&'p Policy>,
        growth: bool,
    ) -> Self {
        let name = plan.name();
        let present = match read_policy_file(&settings.home, name) {
            Ok(None) => Some((String::new(), Policy::empty())),
            Ok(Some(file)) => Policy::parse(&file.text)
                .ok()
                .map(|policy| (file.text, policy)),
            Err(_) => None,
        };
        let asked = {
            let names = names_of_tools(plan.inspected(), plan.tool_names());
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Asked::of(plan.requests(), &names)
        };
        let before = plan.previous().filter(|_| growth).and_then(|previous| {
            // Without tools to compare with, names say nothing; the rules of the component count.
            let origin = asked.as_ref()?.origin;
            let mut requests = previous.requests.iter();
            let old = requests.find(|request| request.origin == origin)?;
            old.policy.as_ref().ok()
        });
        let offer = match (&asked, &present) {
            (Some(asked), Some((_, present))) => asked
                .policy()
                .map(|request| Offer::of(request, present, before, ceiling)),
            _ => None,
        };
        Self {
            plan,
            ceiling,
            has_file: settings.home.policy_file(name).symlink_metadata().is_ok(),
            present,
            asked,
            offer,
        }
    }

    /// Whether there is something to ask a person about in what is requested.
    pub(crate) fn asks(&self) -> bool {
        self.offer
            .as_ref()
            .is_some_and(|offer| !offer.ask.is_empty())
    }

    /// The request as JSON, `null` where there is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        let asked = self.asked.as_ref();
        asked.map_or(serde_json::Value::Null, |asked| {
            screen::json(asked, self.offer.as_ref())
        })
    }

    /// The whole screen of an installation.
    pub(crate) fn page(&self, settings: &Settings, want: &Want) -> Page {
        let plan = self.plan;
        let mut page = Inspection {
            component: plan.inspected(),
            name: Some(plan.name()),
            source: plan.source(),
        }
        .page();
        self.judged(settings, &mut page, Some(want));
        page.end().page(&self.granted(settings, want));
        self.replaces(&mut page);
        page.end();
        page
    }

    /// The screen of an update: what changes, and what of it is asked.
    pub(crate) fn update_page(&self, settings: &Settings) -> Page {
        let plan = self.plan;
        let mut page = Page::default();
        page.heading(plan.name().as_str());
        if let Some(previous) = plan.previous() {
            let version = |version: Option<&str>| {
                version.map_or_else(String::new, |version| format!(" ({version})"))
            };
            page.text(&format!("  {}", previous.digest.short()))
                .word(&version(previous.version.as_deref()))
                .text(&format!(" → {}", plan.inspected().digest().short()))
                .word(&version(plan.version()))
                .text("  from ")
                .word(plan.source())
                .end();
            if !previous.same_source {
                page.text("  ")
                    .styled(CAUTION, "it comes from another place")
                    .end();
            }
        }
        match plan.difference() {
            Some(difference) if difference.is_empty() => {
                page.line("  other bytes; the same tools, texts and reach");
            }
            Some(difference) => {
                page.page(&changes::page(difference));
            }
            None => {
                page.text("  ")
                    .styled(BAD, "what it replaces cannot be read any more,")
                    .line(" so nothing can be compared");
            }
        }
        self.judged(settings, &mut page, None);
        page.end();
        page
    }

    /// Signatures, findings in texts, the grade under what would be granted without an answer, and the request.
    fn judged(&self, settings: &Settings, page: &mut Page, want: Option<&Want>) {
        findings::texts(page, self.plan.inspected().text_findings());
        let signed = Signed::of(self.plan).page();
        if !signed.is_empty() {
            page.end().page(&signed);
        }
        let granted = match want {
            Some(Want::File(_, policy)) => Some(&**policy),
            Some(Want::Picked | Want::Requested) | None => {
                self.present.as_ref().map(|(_, policy)| policy)
            }
        };
        let report = grade::of_plan(settings, self.plan, granted, self.ceiling);
        page.end().page(&grade::page(&report));
        if let Some(asked) = &self.asked {
            page.end().page(&screen::page(asked, self.offer.as_ref()));
        }
    }

    /// What it would be granted.
    fn granted(&self, settings: &Settings, want: &Want) -> Page {
        let mut page = Page::default();
        page.heading("Granted");
        let file = settings.home.policy_file(self.plan.name());
        match want {
            Want::File(_, policy) => {
                for rule in policy.rules() {
                    page.text("  ").word(&rule.text);
                    if let Some(tool) = &rule.tool {
                        page.text(", only for the tool ").word(tool);
                    }
                    page.end();
                }
                if policy.rules().iter().all(|rule| rule.tool.is_some()) {
                    page.line("  nothing");
                }
                for warning in policy.warnings() {
                    page.warning(&warning.to_string());
                }
            }
            Want::Requested if self.asks() => {
                page.line("  what it asks for, as listed above");
            }
            Want::Picked | Want::Requested if self.has_file => {
                page.text("  what ")
                    .word(&file.display().to_string())
                    .line(" says");
            }
            Want::Picked | Want::Requested => {
                page.line("  nothing: no files, no network, no variables");
            }
        }
        page
    }

    fn replaces(&self, page: &mut Page) {
        let Some(previous) = self.plan.previous() else {
            return;
        };
        page.end().heading("Replaces");
        page.text(&format!("  {} from ", previous.digest.short()))
            .word(&previous.source)
            .end();
        if !previous.same_source {
            page.text("  ")
                .styled(CAUTION, "it comes from another place")
                .end();
        }
        if !previous.grown.is_empty() {
            let grown = previous.grown.iter();
            let grown: Vec<&str> = grown.map(|capability| capability.as_str()).collect();
            page.text("  ")
                .styled(BAD, "it can now ask for")
                .text(&format!(" {}", grown.join(", ")))
                .end();
        }
        if let Some(difference) = self.plan.difference() {
            page.page(&changes::page(difference));
        }
    }

    /// Whether the policy of that name grants something, or might.
    fn grants(&self) -> bool {
        self.present
            .as_ref()
            .is_none_or(|(_, policy)| widens(&Policy::empty(), policy))
    }

    /// Whether bytes that a person has not judged would have what the policy of that name grants.
    fn inherits(&self, want: &Want) -> bool {
        match self.plan.previous() {
            // Somebody wrote a policy for a name that nothing had.
            None => !matches!(want, Want::File(..)),
            Some(_) => self.plan.carries_over_to_more(),
        }
    }

    /// Asks the person what has to be asked, and returns the text of the policy file to write, if any.
    ///
    /// What widens, or gives what is granted to other bytes that can do more with it, is confirmed; without a person it is refused.
    pub(crate) fn decide(
        &self,
        settings: &Settings,
        printer: &Printer,
        want: Want,
        yes: bool,
        what: &Page,
    ) -> Result<Option<String>, CommandError> {
        let name = self.plan.name();
        let (question, plain) = match self.plan.previous() {
            Some(_) => (
                format!("Replace {name} and let it do this?"),
                format!("Replace {name}?"),
            ),
            None => (
                format!("Add {name} and let it do this?"),
                format!("Add {name}?"),
            ),
        };
        let inherits = self.grants() && self.inherits(&want);
        let picks = matches!(want, Want::Picked);
        let mut confirmed = false;
        let text = match want {
            Want::File(text, new) => {
                let old = match (&self.present, self.plan.previous()) {
                    (Some((_, policy)), Some(_)) => policy.clone(),
                    _ => Policy::empty(),
                };
                confirmed = widens(&old, &new);
                Some(text)
            }
            Want::Requested => {
                let text = self.requested().inspect_err(|_| printer.note(what))?;
                confirmed = text.is_some();
                text
            }
            Want::Picked => None,
        };
        if confirmed || inherits {
            confirm_widening(settings, printer, yes, what, &question)?;
        } else {
            printer.note(what);
        }
        let person = Person::present().filter(|_| !yes);
        if let (None, false, Err(why), false) = (
            &person,
            confirmed || inherits,
            self.unasked(),
            self.plan.is_own_file(),
        ) {
            return Err(CommandError::denied(format!(
                "{name} is not replaced: {why}; what was installed is served on"
            ))
            .hint("a person types this command in a terminal and answers there"));
        }
        let Some(person) = person else {
            return Ok(text);
        };
        match &self.offer {
            Some(offer) if picks && !offer.ask.is_empty() => self.pick(&person, &plain, offer),
            _ if confirmed || inherits || person.agrees(&plain) => Ok(text),
            _ => Err(stopped()),
        }
    }

    /// All that is asked for, as the text of the policy file.
    fn requested(&self) -> Result<Option<String>, CommandError> {
        match (self.asked.as_ref().map(|asked| &asked.meaning), &self.offer) {
            (Some(Meaning::Invalid(error)), _) => Err(CommandError::usage(format!(
                "what it asks for is not a valid policy: {error}"
            ))
            .hint("leave --grant-requested out, and grant what it needs with casemate grant")),
            (Some(Meaning::TooLong(_)), _) => Err(CommandError::usage(
                "what it asks for is too long to be agreed to as a whole",
            )
            .hint("write a policy and give it with --policy FILE")),
            (Some(Meaning::Policy(_)), None) => Err(CommandError::usage(format!(
                "the policy of {} does not load, so nothing can be added to it",
                self.plan.name()
            ))
            .hint(format!("casemate policy check {}", self.plan.name()))),
            (Some(Meaning::Policy(_)), Some(offer)) => self.write(offer, &offer.ask),
            (None, _) => Ok(None),
        }
    }

    /// Has the person say how much of an offer is granted.
    pub(crate) fn pick(
        &self,
        person: &Person,
        question: &str,
        offer: &Offer,
    ) -> Result<Option<String>, CommandError> {
        match answer::ask(person, question, offer) {
            Answer::Go(picked) => self.write(offer, &picked),
            Answer::Stop => Err(stopped()),
        }
    }

    fn write(
        &self,
        offer: &Offer,
        picked: &std::collections::BTreeSet<usize>,
    ) -> Result<Option<String>, CommandError> {
        let present = self.present.as_ref().map_or("", |(text, _)| text.as_str());
        Ok(offer.granted(present, picked)?)
    }

    /// Why a person has to see what replaces the present bytes before it is served; `Ok` where the tools, reach, requests and signer
    /// are what they were.
    pub(crate) fn unasked(&self) -> Result<(), &'static str> {
        let plan = self.plan;
        let Some(previous) = plan.previous() else {
            return Ok(());
        };
        if previous.digest == *plan.inspected().digest() && plan.signer_change().is_none() {
            return Ok(());
        }
        let Some(difference) = plan.difference() else {
            return Err("what it replaces cannot be read any more");
        };
        if !previous.same_source {
            return Err("it comes from another place");
        }
        if difference.grew() {
            return Err("it can ask for more than before");
        }
        if difference.changes_definitions() || difference.docs.is_some() {
            return Err("its tools or their texts changed");
        }
        if plan.requests_more() || self.asks() {
            return Err("it asks for more permissions");
        }
        if plan.signer_change().is_some() {
            return Err("somebody else signed it");
        }
        if plan.downgrade().is_some() {
            return Err("it is older than what it replaces");
        }
        if plan.verification_skipped() {
            return Err("its signature is not verified");
        }
        match plan.is_own_file()
            || (plan.signer().is_some() && plan.signer() == previous.signer.as_ref())
        {
            true => Ok(()),
            false => Err("its bytes changed, and nobody signed them"),
        }
    }

    /// Refuses if the policy file is no longer what was shown.
    pub(crate) fn is_current(&self, settings: &Settings) -> Result<(), CommandError> {
        let name = self.plan.name();
        let now = read_policy_file(&settings.home, name).ok();
        let now = now.map(|file| file.map_or_else(String::new, |file| file.text));
        match (&self.present, now) {
            (Some((text, _)), Some(now)) if *text != now => Err(PolicyFileError::Changed {
                path: settings.home.policy_file(name),
            }
            .into()),
            _ => Ok(()),
        }
    }
}

/// The person did not say yes.
pub(crate) fn stopped() -> CommandError {
    CommandError::denied("not confirmed; nothing was changed")
}
