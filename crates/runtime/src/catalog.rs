//! What can be called now: an immutable snapshot, swapped whole when something changes.

use crate::audit::CallStart;
use crate::call::{Call, CallReport, new_id, seeded};
use crate::engine::EngineError;
use crate::inspect::InspectedTool;
use crate::installed::Installed;
use crate::runtime::Shared;
use crate::value::{InvalidArguments, parse_args};
use casemate_policy::{ComponentName, Digest, Grant};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wasmtime::component::Val;

/// Longest description of a tool, in bytes.
const MAX_DESCRIPTION: usize = 2_048;
/// Longest name of a caller in a record, in bytes.
const MAX_CALLER: usize = 128;

/// What a client is told of a tool.
#[derive(Clone, Debug)]
pub struct ToolSpec {
    /// Exposed name, `[a-z0-9_]`, at most 40 characters.
    pub name: String,
    /// The author's name for it: `package:name/interface#function`.
    pub title: String,
    /// The author's words, made safe to show; a third party's text.
    pub description: String,
    /// JSON Schema 2020-12 of the arguments.
    pub input_schema: Arc<Map<String, Value>>,
    /// JSON Schema 2020-12 of the structured result.
    pub output_schema: Arc<Map<String, Value>>,
    /// What a call can do, computed from the grant.
    pub annotations: Annotations,
    /// Installed name of the component.
    pub component: ComponentName,
}

/// Hints for clients, computed from the grant and never from the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotations {
    /// The tool can change nothing and reach nobody: no storage writes, network, sockets
    /// or secrets are granted.
    pub read_only: bool,
    /// The tool may destroy something: it may write files, or reach something outside.
    pub destructive: bool,
    /// The tool can reach hosts outside of this machine.
    pub open_world: bool,
}

impl Annotations {
    fn of(grant: &Grant) -> Self {
        let reach = grant.reach();
        let open_world = reach.network || reach.sockets;
        let read_only = !(reach.storage_write || open_world || reach.secrets);
        Self {
            read_only,
            destructive: !read_only,
            open_world,
        }
    }
}

/// A component that is installed but not served, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Installed name.
    pub component: ComponentName,
    /// Stable reason, such as `invalid.policy`.
    pub reason: String,
    /// What is wrong, for the person.
    pub message: String,
    /// A command that helps, where there is one.
    pub hint: Option<String>,
    /// The component is still served as it was before the last change.
    pub serving_previous: bool,
}

/// The tools of all installed components at one moment.
#[derive(Clone, Default)]
pub struct Catalog {
    pub(crate) tools: BTreeMap<String, Tool>,
    pub(crate) components: BTreeMap<ComponentName, Arc<Installed>>,
    pub(crate) problems: Vec<Problem>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Catalog")
            .field("tools", &self.tools.keys())
            .field("problems", &self.problems)
            .finish()
    }
}

impl Catalog {
    /// All tools, in the order of their names.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// The tool with this exposed name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// The components that are served, in the order of their names.
    pub fn components(&self) -> impl Iterator<Item = &ComponentName> {
        self.components.keys()
    }

    /// The tool of a component that a policy would call so: by its function's name, the author's name for it, or the
    /// one that clients see. The first one where several functions have that name.
    #[must_use]
    pub fn tool_of(&self, component: &ComponentName, name: &str) -> Option<&Tool> {
        self.tools().find(|tool| {
            let inspected = || tool.installed.plan.inspected().tools().get(tool.index);
            &tool.spec.component == component
                && (tool.spec.name == name
                    || tool.spec.title == name
                    || inspected().is_some_and(|tool| tool.function == name))
        })
    }

    /// The grant in force for a component, which its tools' own may narrow: see [`Tool::grant`].
    #[must_use]
    pub fn grant(&self, component: &ComponentName) -> Option<&Arc<Grant>> {
        self.components
            .get(component)
            .map(|installed| &installed.grant)
    }

    /// The inspection of a component that is served.
    #[must_use]
    pub fn inspected(
        &self,
        component: &ComponentName,
    ) -> Option<&crate::inspect::InspectedComponent> {
        self.components
            .get(component)
            .map(|installed| &**installed.plan.inspected())
    }

    /// What is installed and not served as it should be.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Arguments that match a tool's parameters.
#[derive(Clone, Debug)]
pub struct Args(Vec<Val>);

/// One callable function of an installed component.
#[derive(Clone)]
pub struct Tool {
    spec: Arc<ToolSpec>,
    index: usize,
    installed: Arc<Installed>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Tool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Tool")
            .field(&self.spec.name)
            .finish()
    }
}

/// A call could not be started, so there is no record of it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No engine.
    #[error("the call could not be started")]
    Engine(#[from] EngineError),
    /// No randomness for an id.
    #[error("the call could not be started: no id for it")]
    Id(getrandom::Error),
}

/// A name for a record: no line breaks, single spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Tool {
    pub(crate) fn new(
        name: String,
        index: usize,
        inspected: &InspectedTool,
        installed: &Arc<Installed>,
        shared: &Arc<Shared>,
    ) -> Self {
        let description = match &inspected.docs {
            Some(docs) => crate::docs::plain_text(docs, MAX_DESCRIPTION),
            None => format!("{} of the component {}", inspected.function, installed.name),
        };
        Self {
            spec: Arc::new(ToolSpec {
                name,
                title: inspected.wit_name(),
                description,
                input_schema: Arc::new(inspected.input_schema().clone()),
                output_schema: Arc::new(inspected.output_schema().clone()),
                annotations: Annotations::of(installed.grant_of(index)),
                component: installed.name.clone(),
            }),
            index,
            installed: Arc::clone(installed),
            shared: Arc::clone(shared),
        }
    }

    /// What a client is told of it.
    #[must_use]
    pub fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// What its calls may do: its component's grant, narrowed by what the policy says under `tools`.
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        self.installed.grant_of(self.index)
    }

    /// Digest of the bytes that a call runs.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        self.installed.grant.identity().digest()
    }

    /// Checks JSON arguments against the parameters.
    ///
    /// # Errors
    ///
    /// Names the first field that is missing, unknown or of another type.
    pub fn parse_args(&self, arguments: Value) -> Result<Args, InvalidArguments> {
        match self.installed.plan.inspected().tools().get(self.index) {
            Some(tool) => Ok(Args(parse_args(&tool.ty, arguments)?)),
            None => Ok(Args(Vec::new())),
        }
    }

    /// Calls the tool once, in a fresh store, and writes exactly one audit record.
    ///
    /// Ends when the function returns, traps, hits a limit, or `cancel` is cancelled; dropping
    /// the future cancels too. Runs inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Only when nothing could be started; everything later is in the report.
    pub async fn call(
        &self,
        caller: &str,
        arguments: Args,
        cancel: CancellationToken,
    ) -> Result<CallReport, StartError> {
        let machine = self.shared.machine()?;
        let id = new_id().map_err(StartError::Id)?;
        let grant = self.grant();
        let start = CallStart {
            id: id.clone(),
            tenant: grant.tenant().clone(),
            component: self.installed.name.to_string(),
            digest: *grant.identity().digest(),
            tool: self.spec.name.clone(),
            caller: one_line(&crate::docs::plain_text(caller, MAX_CALLER)),
            policy: self.installed.policy,
            seeded: seeded(grant.random()),
        };
        let call = Call {
            id,
            shared: Arc::clone(&self.shared),
            machine,
            installed: Arc::clone(&self.installed),
            tool: self.index,
            arguments: arguments.0,
            cancel,
        };
        Ok(call.run(start).await)
    }
}
