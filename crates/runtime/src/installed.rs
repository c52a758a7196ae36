//! A component under its installed name: what was granted, to each of its tools, and what outlasts a call.

use crate::component::Plan;
use crate::egress::Kept;
use crate::limits::{Paced, TooEarly};
use crate::names::policy_names;
use casemate_policy::{ComponentName, Digest, Grant, Limits};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::Semaphore;

/// A component under its installed name, with the grants in force.
///
/// They are made once, when the policy is loaded. A call asks for the [latest](Self::latest) when its guest is about to
/// start and keeps that to its end.
pub(crate) struct Installed {
    pub(crate) name: ComponentName,
    pub(crate) grant: Arc<Grant>,
    pub(crate) policy: Option<Digest>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) flow: Flow,
    /// Connections to servers that its calls have left open. Each request over them is decided for the tool that sends it.
    pub(crate) kept: Arc<Kept>,
    /// One for each inspected tool, in the same order.
    tools: Vec<Terms>,
    /// What stands in its place after a change; nothing inside where the name is served no more.
    successor: OnceLock<Option<Arc<Installed>>>,
}

/// What one tool may do, where the policy says something of it, or what its component may.
struct Terms {
    grant: Arc<Grant>,
    /// Only what is narrower than the component's.
    flow: Flow,
}

/// What bounds calls together. It goes on when a policy changes: calls that run keep their places, and calls that were
/// made still count.
#[derive(Default)]
pub(crate) struct Flow {
    places: Option<Places>,
    paced: Option<Paced>,
}

/// Places for calls at the same time.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) allowed: u32,
    pub(crate) free: Arc<Semaphore>,
}

impl Flow {
    fn of(limits: &Limits, before: Option<&Self>) -> Self {
        Self {
            places: Some(Places::at(limits.concurrency, before)),
            paced: limits.rate.map(|rate| {
                let before = before.and_then(|before| before.paced.as_ref());
                Paced::at(rate, before)
            }),
        }
    }

    /// What of a tool's limits is not its component's too.
    fn of_tool(limits: &Limits, component: &Limits, before: Option<&Self>) -> Self {
        let narrower = Self::of(limits, before);
        Self {
            places: narrower
                .places
                .filter(|_| limits.concurrency < component.concurrency),
            paced: narrower.paced.filter(|_| limits.rate != component.rate),
        }
    }
}

impl Places {
    /// The same places where there are as many as before.
    fn at(allowed: u32, before: Option<&Flow>) -> Self {
        let before = before.and_then(|before| before.places.as_ref());
        match before.filter(|before| before.allowed == allowed) {
            Some(same) => same.clone(),
            None => Self {
                allowed,
                free: Arc::new(Semaphore::new(allowed as usize)),
            },
        }
    }
}

impl Installed {
    /// Puts a component under its name. What its calls have used together is taken over from `before`.
    pub(crate) fn new(
        name: ComponentName,
        grant: Grant,
        policy: Option<Digest>,
        plan: Arc<Plan>,
        before: Option<&Self>,
    ) -> Self {
        let inspected = Arc::clone(plan.inspected());
        let names = policy_names(&name, inspected.tools());
        let terms = names.iter().enumerate().map(|(index, names)| {
            let tool_grant = grant.for_tool(&names.each_ref().map(String::as_str));
            let before = before
                .filter(|before| before.is_of(inspected.digest()))
                .and_then(|before| before.tools.get(index));
            Terms {
                flow: Flow::of_tool(
                    tool_grant.limits(),
                    grant.limits(),
                    before.map(|before| &before.flow),
                ),
                grant: Arc::new(tool_grant),
            }
        });
        let tools = terms.collect();
        Self {
            name,
            flow: Flow::of(grant.limits(), before.map(|before| &before.flow)),
            grant: Arc::new(grant),
            policy,
            plan,
            kept: Arc::default(),
            tools,
            successor: OnceLock::new(),
        }
    }

    /// Something else, or nothing, stands in its place from now on.
    pub(crate) fn replaced(&self, by: Option<Arc<Self>>) {
        // Each catalog is replaced once.
        let _ = self.successor.set(by);
    }

    /// What is in force now for the same bytes under the same name, if they are still served.
    pub(crate) fn latest(self: &Arc<Self>) -> Option<Arc<Self>> {
        let mut latest = self;
        while let Some(successor) = latest.successor.get() {
            latest = successor.as_ref()?;
        }
        let same = latest.is_of(self.plan.inspected().digest());
        same.then(|| Arc::clone(latest))
    }

    /// Whether these bytes run under the name.
    pub(crate) fn is_of(&self, digest: &Digest) -> bool {
        self.plan.inspected().digest() == digest
    }

    /// What the tool at `index` may do.
    pub(crate) fn grant_of(&self, index: usize) -> &Arc<Grant> {
        self.tools
            .get(index)
            .map_or(&self.grant, |terms| &terms.grant)
    }

    /// The places that a call of the tool at `index` needs, in the order in which it takes them, and what they are of.
    pub(crate) fn places_of(&self, index: usize) -> impl Iterator<Item = (&'static str, &Places)> {
        let tool = self.tools.get(index).map(|terms| &terms.flow);
        let tool = tool.and_then(|flow| flow.places.as_ref());
        let component = self.flow.places.as_ref();
        let tool = tool.map(|places| ("calls of the tool at the same time", places));
        let component = component.map(|places| ("calls of the component at the same time", places));
        tool.into_iter().chain(component)
    }

    /// Counts a call of the tool at `index` that starts `now`.
    ///
    /// # Errors
    ///
    /// The rate of the tool or of the component is used up; the call counts for neither.
    pub(crate) fn pace(&self, index: usize, now: Instant) -> Result<(), TooEarly> {
        let tool = self.tools.get(index);
        let tool = tool.and_then(|terms| terms.flow.paced.as_ref());
        if let Some(tool) = tool {
            tool.take(now)?;
        }
        let Some(component) = &self.flow.paced else {
            return Ok(());
        };
        component.take(now).inspect_err(|_| {
            if let Some(tool) = tool {
                tool.give_back();
            }
        })
    }
}
