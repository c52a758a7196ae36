//! `policy show`: what a component may do now.

use super::{Granted, grant_of, listed, of_tools, rule_json, shared_with_a_group, warnings};
use crate::arguments::{Bindings, Format};
use crate::error::{CommandError, ExitStatus};
use crate::inspection::size;
use crate::print::{FAINT, Page, Printer, STRONG};
use crate::settings::Settings;
use casemate_policy::{ComponentName, Limits, MountPlace, Origin, RuleRef};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    #[command(flatten)]
    bindings: Bindings,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let name = &arguments.name;
    let granted = grant_of(settings, &arguments.bindings, name)?;
    let Granted {
        opened,
        grant,
        policy: path,
    } = &granted;
    let exists = path.symlink_metadata().is_ok();
    let mounts: Vec<(String, Option<String>)> = grant
        .mounts()
        .iter()
        .map(|mount| {
            let bound = match &mount.place {
                MountPlace::Root(root) => opened.roots.bound.get(root).map(|directory| {
                    let below = mount.guest.as_str().trim_start_matches('/');
                    let below = below
                        .strip_prefix(root.as_str())
                        .unwrap_or(below)
                        .trim_start_matches('/');
                    directory
                        .join(below)
                        .display()
                        .to_string()
                        .trim_end_matches('/')
                        .to_owned()
                }),
                MountPlace::Absolute => Some(mount.guest.as_str().to_owned()),
            };
            (mount.guest.as_str().to_owned(), bound)
        })
        .collect();
    let limits = limits(grant.limits());
    let rules = grant.rules();
    if arguments.format.json {
        let json = |rule: &RuleRef| rule_json(&granted, rule);
        let (all, tools): (Vec<RuleRef>, Vec<RuleRef>) =
            rules.into_iter().partition(|rule| rule.tool.is_none());
        let tools: BTreeMap<&str, Vec<Value>> = of_tools(&tools)
            .into_iter()
            .map(|(tool, rules)| (tool, rules.into_iter().map(json).collect()))
            .collect();
        printer.json(&json!({
            "component": name.as_str(),
            "digest": grant.identity().digest().to_string(),
            "source": grant.identity().source(),
            "policy": exists.then_some(path),
            "ceiling": opened.ceiling,
            "roots": opened.roots.bound.iter().map(|(name, directory)| (name.as_str(), directory)).collect::<BTreeMap<_, _>>(),
            "rules": all.iter().map(json).collect::<Vec<_>>(),
            "tools": tools,
            "folders": mounts.iter().map(|(guest, host)| json!({ "tool_sees": guest, "directory": host })).collect::<Vec<_>>(),
            "variables": grant.environment_keys().collect::<Vec<_>>(),
            "clocks": grant.clocks().as_str(),
            "random": grant.random().to_string(),
            "limits": limits.iter().cloned().collect::<BTreeMap<_, _>>(),
            "warnings": grant.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = Page::default();
    page.styled(STRONG, name.as_str()).text("  ");
    page.styled(FAINT, &grant.identity().digest().to_string())
        .end();
    page.text("  from ").word(grant.identity().source()).end();
    match exists {
        true => page
            .text("  policy ")
            .word(&path.display().to_string())
            .end(),
        false => page.line("  no policy file: nothing is granted"),
    };
    if let Some(ceiling) = &opened.ceiling {
        page.text("  ceiling ")
            .word(&ceiling.display().to_string())
            .end();
    }
    page.end().heading("Rules");
    listed(&mut page, &rules, |rule| match rule.origin {
        Origin::Default => "default".to_owned(),
        origin => format!("{origin}, line {}", rule.line),
    });
    page.end().heading("Roots");
    if opened.roots.bound.is_empty() {
        page.line(
            "  none is bound: --workspace DIR, --root NAME=DIR, or [roots] in the configuration",
        );
    }
    page.table(
        opened
            .roots
            .bound
            .iter()
            .map(|(name, directory)| vec![name.to_string(), directory.display().to_string()]),
    );
    page.end().heading("Folders");
    if mounts.is_empty() {
        page.line("  none");
    }
    page.table(mounts.iter().map(|(guest, host)| {
        let host = match host {
            Some(host) if host == guest => "the same path",
            Some(host) => host,
            None => "not bound: denied",
        };
        vec![guest.clone(), host.to_owned()]
    }));
    page.end().heading("Limits");
    page.table(
        limits
            .into_iter()
            .map(|(key, value)| vec![key.to_owned(), value]),
    );
    printer.data(&page)?;
    let mut warnings = warnings(grant.warnings());
    warnings.page(&shared_with_a_group(path));
    for (root, why) in &opened.roots.missing {
        warnings.warning(&format!(
            "the configuration binds {root} to what cannot be bound, {why}"
        ));
    }
    printer.note(&warnings);
    Ok(ExitStatus::Ok)
}

fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    vec![
        ("memory", size(limits.memory)),
        ("cpu-time", format!("{:?}", limits.cpu)),
        ("time", format!("{:?}", limits.time)),
        ("output", size(limits.output)),
        ("concurrency", limits.concurrency.to_string()),
        (
            "rate",
            limits
                .rate
                .map_or_else(|| "as many as come".to_owned(), |rate| rate.to_string()),
        ),
        ("written", size(limits.written)),
        ("files", limits.files.to_string()),
        ("open-files", limits.open_files.to_string()),
        ("requests", limits.requests.to_string()),
        ("sockets", limits.sockets.to_string()),
        ("sent", size(limits.sent)),
        ("received", size(limits.received)),
    ]
}
