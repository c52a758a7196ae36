//! What is served of a catalog, as the protocol lists it, made once per catalog.

use crate::serve::ToolFilter;
use casemate_runtime::{Catalog, ToolSpec};
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Map, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The list of the catalog that was last asked for.
pub(crate) struct Listing {
    filter: Option<ToolFilter>,
    listed: Mutex<Option<Listed>>,
}

struct Listed {
    catalog: Arc<Catalog>,
    tools: Arc<Vec<Tool>>,
}

impl Listing {
    /// Lists of what `filter` lets through.
    pub(crate) fn new(filter: Option<ToolFilter>) -> Self {
        Self {
            filter,
            listed: Mutex::default(),
        }
    }

    /// Whether a tool is served.
    pub(crate) fn serves(&self, spec: &ToolSpec) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(spec))
    }

    /// The tools of `catalog` that are served, in the order of their names.
    pub(crate) fn tools(&self, catalog: &Arc<Catalog>) -> Arc<Vec<Tool>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*listed
            && Arc::ptr_eq(&listed.catalog, catalog)
        {
            return Arc::clone(&listed.tools);
        }
        let served = catalog.tools().filter(|tool| self.serves(tool.spec()));
        let tools: Vec<Tool> = served.map(described).collect();
        let tools = Arc::new(tools);
        *listed = Some(Listed {
            catalog: Arc::clone(catalog),
            tools: Arc::clone(&tools),
        });
        tools
    }
}

/// Key of where a tool comes from in its `_meta`.
const PROVENANCE: &str = "casemate/provenance";

fn described(tool: &casemate_runtime::Tool) -> Tool {
    let spec = tool.spec();
    let hints = ToolAnnotations::new()
        .read_only(spec.annotations.read_only)
        .destructive(spec.annotations.destructive)
        .open_world(spec.annotations.open_world);
    Tool::new(
        spec.name.clone(),
        spec.description.clone(),
        Arc::clone(&spec.input_schema),
    )
    .with_title(spec.title.clone())
    .with_raw_output_schema(Arc::clone(&spec.output_schema))
    .with_annotations(hints)
    .with_meta(provenance(tool))
}

/// Whose words title, description and schemas are: those of the author of these bytes, not Casemate's or the person's.
fn provenance(tool: &casemate_runtime::Tool) -> MetaObject {
    let mut meta = Map::new();
    let label = json!({
        "component": tool.spec().component.as_str(),
        "digest": tool.digest().to_string(),
        "text": "third-party",
    });
    meta.insert(PROVENANCE.to_owned(), label);
    MetaObject(meta)
}

/// Follows what clients are shown of the catalogs.
pub(crate) struct Changes {
    catalogs: watch::Receiver<Arc<Catalog>>,
    listing: Arc<Listing>,
    known: Arc<Vec<Tool>>,
}

impl Changes {
    /// Changes from now on.
    pub(crate) fn from_now(
        mut catalogs: watch::Receiver<Arc<Catalog>>,
        listing: Arc<Listing>,
    ) -> Self {
        let present = Arc::clone(&catalogs.borrow_and_update());
        let known = listing.tools(&present);
        Self {
            catalogs,
            listing,
            known,
        }
    }

    /// Waits until the list has become another; a change that does not show is no news. Once
    /// nothing can change any more this waits for ever.
    pub(crate) async fn next(&mut self) {
        while self.catalogs.changed().await.is_ok() {
            let present = Arc::clone(&self.catalogs.borrow_and_update());
            let present = self.listing.tools(&present);
            let shows = present != self.known;
            self.known = present;
            if shows {
                return;
            }
        }
        std::future::pending().await
    }
}
