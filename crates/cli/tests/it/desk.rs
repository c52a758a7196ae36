//! A small tool and its registry, for what people are shown and agree to.

use crate::common::with_custom_section;
use crate::sandbox::{Run, Sandbox};
use casemate_test_registry::Registry;
use serde_json::{Value, json};

/// What a build of the tool is.
#[derive(Clone, Copy)]
pub(crate) struct Build<'b> {
    /// The one letter that it answers with.
    pub(crate) says: char,
    /// What it tells a model of itself.
    pub(crate) description: &'b str,
    /// The policy in its section.
    pub(crate) section: Option<&'b str>,
    /// Whether it asks for the environment.
    pub(crate) reaches: bool,
    /// Whether it takes an argument.
    pub(crate) takes: bool,
}

impl Default for Build<'_> {
    fn default() -> Self {
        Self {
            says: 'a',
            description: "Says a letter.",
            section: None,
            reaches: false,
            takes: false,
        }
    }
}

impl Build<'_> {
    /// The component's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let import = match self.reaches {
            false => "",
            true => {
                "(import \"wasi:cli/environment@0.2.0\" (instance (export \"get-environment\" (func (result (list (tuple string string)))))))"
            }
        };
        let (core, argument) = match self.takes {
            false => ("", ""),
            true => ("(param i32)", "(param \"loud\" bool)"),
        };
        let text = format!(
            r#"(component {import}
  (core module $main
    (memory (export "memory") 1)
    (data (i32.const 64) "{}")
    (func (export "say") {core} (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 1))
      (i32.const 0)))
  (core instance $main (instantiate $main))
  (func (export "say") {argument} (result string)
    (canon lift (core func $main "say") (memory $main "memory"))))"#,
            self.says
        );
        let mut docs = vec![1];
        let json = json!({ "worlds": { "root": { "func_exports": { "say": { "docs": self.description } } } } });
        docs.extend(serde_json::to_vec(&json).unwrap());
        let bytes = with_custom_section(&wat::parse_str(text).unwrap(), "package-docs", &docs);
        match self.section {
            Some(text) => with_custom_section(&bytes, "casemate:permissions", text.as_bytes()),
            None => bytes,
        }
    }

    /// Publishes it under the tag, with a policy layer and annotations. Returns the manifest's digest.
    pub(crate) fn publish(
        &self,
        registry: &Registry,
        tag: &str,
        layer: Option<&str>,
        annotations: Value,
    ) -> String {
        let mut layers = vec![registry.layer(REPOSITORY, "application/wasm", &self.bytes())];
        if let Some(text) = layer {
            let kind = casemate_artifact::POLICY_MEDIA_TYPES[0];
            layers.push(registry.layer(REPOSITORY, kind, text.as_bytes()));
        }
        let mut manifest = registry.image(REPOSITORY, layers);
        manifest["annotations"] = annotations;
        registry.put_json(REPOSITORY, Some(tag), &manifest)
    }
}

/// Where it is published.
pub(crate) const REPOSITORY: &str = "acme/desk";

/// A request of some rules.
pub(crate) const ASKS: &str = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - { key: GITHUB_TOKEN }\n  network:\n    allow:\n      - { host: api.github.com }\n";

/// Its reference at a tag.
pub(crate) fn reference(registry: &Registry, tag: &str) -> String {
    registry.reference(&format!("{REPOSITORY}:{tag}"))
}

/// The registry with a plain build under `1`, installed as `desk`.
pub(crate) fn installed() -> (Sandbox, Registry) {
    let (sandbox, registry) = (Sandbox::new(), Registry::plain());
    Build::default().publish(&registry, "1", None, json!({}));
    add(&sandbox, &registry, "1", &["--yes"]).exits(0);
    (sandbox, registry)
}

/// `casemate add` of a tag.
pub(crate) fn add(sandbox: &Sandbox, registry: &Registry, tag: &str, more: &[&str]) -> Run {
    let reference = reference(registry, tag);
    let mut arguments = vec!["add", &reference, "--plain-http"];
    arguments.extend(more);
    sandbox.run(&arguments)
}

/// `casemate update` over plain http.
pub(crate) fn update(sandbox: &Sandbox, more: &[&str]) -> Run {
    let mut arguments = vec!["update", "--plain-http"];
    arguments.extend(more);
    sandbox.run(&arguments)
}

/// What the tool says.
pub(crate) fn says(sandbox: &Sandbox) -> String {
    let run = sandbox.run(&["call", "desk_say", "{}"]).exits(0);
    run.out.trim().trim_matches('"').to_owned()
}

/// The events in the audit trail, by their names.
pub(crate) fn events(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(sandbox.path("home/audit/events.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (
                event["event"].as_str().unwrap().to_owned(),
                event["facts"].clone(),
            )
        })
        .collect()
}

/// The policy file, if there is one.
pub(crate) fn policy(sandbox: &Sandbox) -> Option<String> {
    std::fs::read_to_string(sandbox.path("home/policies/desk.yaml")).ok()
}
