//! What would turn an answer around.

use super::question::Subject;
use crate::commands::policy::Granted;
use crate::outcome::remedy_for;
use crate::settings::Settings;
use casemate_policy::{ComponentName, Explanation, Origin, Remedy};

/// What makes an allowed thing denied or a denied thing allowed, in one line; nothing where nothing does.
pub(super) fn change(
    granted: &Granted,
    settings: &Settings,
    component: &ComponentName,
    explanation: &Explanation,
    subject: &Subject,
) -> Option<String> {
    if explanation.allowed {
        return match subject {
            Subject::Permission(kind, target) => {
                Some(settings.command(&["block", component.as_str(), kind, target]))
            }
            Subject::Setting(key) => Some(format!(
                "write {key}: none under permissions in {}",
                settings.home.policy_file(component).display()
            )),
            Subject::Nothing => None,
        };
    }
    match (&explanation.remedy, &explanation.rule) {
        (Some(Remedy::Ceiling), _) => Some(match &granted.opened.ceiling {
            Some(file) => format!("ask whoever keeps the ceiling {}", file.display()),
            None => Remedy::Ceiling.to_string(),
        }),
        (Some(remedy), _) => Some(remedy_for(settings, component, remedy)),
        (None, Some(rule)) if rule.origin == Origin::Policy && rule.section.contains("deny[") => {
            Some("remove that rule by hand: it stands above whatever is granted".to_owned())
        }
        (None, _) => None,
    }
}
