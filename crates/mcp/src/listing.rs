//! The tools of a catalog as the protocol lists them, made once per catalog.

use casemate_runtime::{Catalog, ToolSpec};
use rmcp::model::{Tool, ToolAnnotations};
use std::sync::{Arc, Mutex, PoisonError};

/// The list of the catalog that was last asked for.
#[derive(Default)]
pub(crate) struct Listing(Mutex<Option<Listed>>);

struct Listed {
    catalog: Arc<Catalog>,
    tools: Arc<Vec<Tool>>,
}

impl Listing {
    /// The tools of `catalog`, in the order of their names.
    pub(crate) fn tools(&self, catalog: &Arc<Catalog>) -> Arc<Vec<Tool>> {
        let mut listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = &*listed
            && Arc::ptr_eq(&listed.catalog, catalog)
        {
            return Arc::clone(&listed.tools);
        }
        let tools: Vec<Tool> = catalog.tools().map(|tool| described(tool.spec())).collect();
        let tools = Arc::new(tools);
        *listed = Some(Listed {
            catalog: Arc::clone(catalog),
            tools: Arc::clone(&tools),
        });
        tools
    }
}

fn described(spec: &ToolSpec) -> Tool {
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
}
