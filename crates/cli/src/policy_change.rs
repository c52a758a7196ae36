//! Changing a policy: show the rule, have the person confirm what widens, write exactly what was shown.

use crate::ask::confirm_widening;
use crate::error::CommandError;
use crate::location::installed;
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::{LockFile, PolicyFileError, read_policy_file, sha256, update_policy_file};
use casemate_policy::{ComponentName, Policy, PolicyEdit, edit, widens};
use serde_json::{Value, json};

/// What is to be done to the policy of one component.
pub(crate) struct Change<'a> {
    pub(crate) component: &'a ComponentName,
    pub(crate) edits: Vec<PolicyEdit>,
    /// What it is called: `granted`.
    pub(crate) done: &'static str,
    /// What it is called when nothing had to be changed: `already granted`.
    pub(crate) idle: &'static str,
    /// `--yes`.
    pub(crate) yes: bool,
    /// Ask even where it could be proved that nothing is widened.
    pub(crate) always_ask: bool,
    pub(crate) json: bool,
}

/// Makes the change.
pub(crate) fn apply(
    settings: &Settings,
    printer: &Printer,
    change: &Change<'_>,
) -> Result<(), CommandError> {
    let name = change.component;
    installed(settings, name)?;
    let path = settings.home.policy_file(name);
    let at_path = |error| CommandError::Policy {
        path: path.clone(),
        error,
    };
    let before = read_policy_file(&settings.home, name)?.map(|file| file.text);
    let old_text = before.clone().unwrap_or_default();
    let old = Policy::parse(&old_text).map_err(at_path)?;

    let mut text = old_text.clone();
    let mut rules = Vec::new();
    for step in &change.edits {
        let edited = edit(&text, step)?;
        rules.push(edited.rule);
        text = edited.text;
    }
    let new = Policy::parse(&text).map_err(at_path)?;
    let changed = text != old_text;
    if changed {
        if change.always_ask || widens(&old, &new) {
            let mut what = Page::default();
            what.line(&format!("This would be written to {}:", path.display()));
            for rule in &rules {
                what.block("  ", rule);
            }
            let question = format!("Let {name} do this?");
            confirm_widening(settings, printer, change.yes, &what, &question)?;
        }
        update_policy_file(&settings.home, name, |present| {
            // What is written is what was confirmed, so the text that was shown must still be there.
            if present.map(|present| &present.text) != before.as_ref() {
                return Err(PolicyFileError::Changed { path: path.clone() });
            }
            Ok(Some(text.clone()))
        })?;
        let before = before.map(|before| sha256(before.as_bytes()));
        LockFile::note_policy(&settings.home, name, before, Some(sha256(text.as_bytes())))?;
    }
    report(settings, printer, change, changed, &rules, &new)
}

fn report(
    settings: &Settings,
    printer: &Printer,
    change: &Change<'_>,
    changed: bool,
    rules: &[String],
    policy: &Policy,
) -> Result<(), CommandError> {
    let path = settings.home.policy_file(change.component);
    let mut warnings = Page::default();
    for warning in policy.warnings() {
        warnings.warning(&format!("{}, {warning}", path.display()));
    }
    if change.json {
        let warnings: Vec<Value> = policy
            .warnings()
            .iter()
            .map(|warning| json!(warning.to_string()))
            .collect();
        return printer.json(&json!({
            "component": change.component.as_str(),
            "changed": changed,
            "rules": rules,
            "policy": path,
            "warnings": warnings,
        }));
    }
    let mut page = Page::default();
    let done = if changed { change.done } else { change.idle };
    page.text(change.component.as_str()).text(": ").line(done);
    for rule in rules {
        page.block("  ", rule);
    }
    if changed {
        page.text("written to ")
            .word(&path.display().to_string())
            .end();
    }
    printer.data(&page)?;
    printer.note(&warnings);
    Ok(())
}
