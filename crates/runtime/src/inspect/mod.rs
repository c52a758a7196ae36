//! What is this component? Tools, imports and size, read from the binary without compiling it.
//!
//! In this order, each step only after the one before: the first bytes (is it a component at all),
//! one pass that counts ([`IntakeLimits`]), validation of everything but function bodies, types.
//! Nothing of the component runs and no native code is made; Wasmtime validates the bodies when it
//! compiles.

mod error;
mod features;
mod imports;
mod intake;
pub mod reached;
mod types;
mod wording;

use casemate_policy::Digest;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use wasmparser::WasmFeatures;
use wasmparser::component_types::{ComponentEntityType, ComponentFuncTypeId};
use wasmparser::names::{ComponentName, ComponentNameKind};

pub use self::error::InspectError;
pub use self::features::{CONCURRENCY_FEATURES, ENGINE_FEATURES};
pub use self::imports::{Capability, Import, is_provided, provided_interfaces};
pub use self::intake::IntakeLimits;

use self::intake::Intake;
use self::types::Builder;
use crate::docs::{Docs, Written};
use crate::requested::{MAX_REQUEST_BYTES, SECTION};
use crate::schema;
use crate::text::TextFinding;
use crate::wit::{FunctionType, WitType};

/// A component that was looked at and found small enough, valid up to its function bodies, and typed.
#[derive(Clone, Debug)]
pub struct InspectedComponent {
    digest: Digest,
    bytes_len: u64,
    tools: Vec<InspectedTool>,
    unsupported: Vec<Unsupported>,
    initialisers: Vec<String>,
    exports: Vec<String>,
    imports: Vec<Import>,
    producers: Vec<Producer>,
    code: CodeStats,
    docs: Option<String>,
    missing_features: Vec<String>,
    needs_concurrency: bool,
    warnings: Vec<String>,
    permission_section: Option<String>,
    text_findings: Vec<TextFinding>,
}

/// A function that can be called as a tool.
#[derive(Clone, Debug)]
pub struct InspectedTool {
    /// The exported interface as named in the binary, such as `a:b/c@1.0.0`; `None` for a function
    /// of the world itself.
    pub interface: Option<String>,
    /// The function's name in it.
    pub function: String,
    /// Parameters and result.
    pub ty: FunctionType,
    /// The author's words about it, made safe to show; a third party's text.
    pub docs: Option<String>,
    input_schema: Map<String, Value>,
    output_schema: Map<String, Value>,
}

impl InspectedTool {
    /// The name that the author gave it: `a:b/c@1.0.0#function`, or `function` alone.
    #[must_use]
    pub fn wit_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.function),
            None => self.function.clone(),
        }
    }

    /// The JSON Schema (2020-12) of its arguments, an object.
    #[must_use]
    pub fn input_schema(&self) -> &Map<String, Value> {
        &self.input_schema
    }

    /// The JSON Schema (2020-12) of its structured result, an object with `result` or `error`.
    #[must_use]
    pub fn output_schema(&self) -> &Map<String, Value> {
        &self.output_schema
    }
}

/// An export that is not a tool because Casemate cannot call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The export, named like [`InspectedTool::wit_name`].
    pub export: String,
    /// Why, to be read after the name: "is an async function".
    pub why: String,
}

/// A tool that took part in making the component, as the component says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// `language`, `sdk` or `processed-by`.
    pub field: String,
    /// Its name, made safe to show.
    pub name: String,
    /// Its version, made safe to show.
    pub version: String,
}

/// How much code and memory a component has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeStats {
    /// Core modules.
    pub modules: u64,
    /// Core functions with a body.
    pub functions: u64,
    /// Bytes of code.
    pub code_bytes: u64,
    /// Bytes of the largest body.
    pub largest_function: u64,
    /// Memories that its modules declare.
    pub memories: Vec<Memory>,
}

/// A memory as declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes it has from the start.
    pub min_bytes: u64,
    /// Bytes that it may grow to, if it says so.
    pub max_bytes: Option<u64>,
}

impl InspectedComponent {
    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Size of the file in bytes.
    #[must_use]
    pub fn bytes_len(&self) -> u64 {
        self.bytes_len
    }

    /// What can be called, in the order of the component's exports.
    #[must_use]
    pub fn tools(&self) -> &[InspectedTool] {
        &self.tools
    }

    /// What is exported and cannot be called, with the reason.
    #[must_use]
    pub fn unsupported(&self) -> &[Unsupported] {
        &self.unsupported
    }

    /// Functions that only the toolchain itself calls, at build time; they are not tools.
    #[must_use]
    pub fn initialisers(&self) -> &[String] {
        &self.initialisers
    }

    /// Names of everything that it exports and that is no type: interfaces such as `a:b/c@1.0.0`, and functions
    /// of the world itself, in the component's order.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// Everything that it imports, in the component's order.
    #[must_use]
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// The imports that Casemate does not have: the component cannot be instantiated.
    pub fn unknown_imports(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| !import.provided)
    }

    /// What made it, as it says itself.
    #[must_use]
    pub fn producers(&self) -> &[Producer] {
        &self.producers
    }

    /// How much code and memory it has.
    #[must_use]
    pub fn code(&self) -> &CodeStats {
        &self.code
    }

    /// The author's words about the whole, made safe to show.
    #[must_use]
    pub fn docs(&self) -> Option<&str> {
        self.docs.as_deref()
    }

    /// WebAssembly proposals that it needs and Casemate's engine leaves out: it cannot be compiled.
    ///
    /// Instructions inside functions are not looked at; the compiler names what they miss.
    #[must_use]
    pub fn missing_features(&self) -> &[String] {
        &self.missing_features
    }

    /// Whether it declares async functions, streams or futures, whose ordinary neighbours run in
    /// an engine that knows them.
    #[must_use]
    pub fn needs_concurrency(&self) -> bool {
        self.needs_concurrency
    }

    /// What the person should know and what stops nothing.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the component asks for in its section [`SECTION`](crate::requested::SECTION), as found: a request, which
    /// nothing applies by itself. `None` where there is none that can be read; warnings say why.
    #[must_use]
    pub fn permission_section(&self) -> Option<&str> {
        self.permission_section.as_deref()
    }

    /// What a person should read before a model does: findings in the names and descriptions that a model is shown, as
    /// the author wrote them. At most [`MAX_FINDINGS`](crate::text::MAX_FINDINGS).
    #[must_use]
    pub fn text_findings(&self) -> &[TextFinding] {
        &self.text_findings
    }
}

/// Looks at the bytes of a component.
///
/// `author_wit` is WIT text (see [`bundle_wit`](crate::docs::bundle_wit)) that only documents: types
/// come from the binary. At most a few passes over `bytes`; memory is bounded by `limits`.
///
/// # Errors
///
/// When it is no component, breaks the format, or exceeds `limits`. What a component merely cannot
/// do here ([`unsupported`](InspectedComponent::unsupported),
/// [`unknown_imports`](InspectedComponent::unknown_imports),
/// [`missing_features`](InspectedComponent::missing_features)) is no error.
pub fn inspect(
    bytes: &[u8],
    author_wit: Option<&str>,
    limits: &IntakeLimits,
) -> Result<InspectedComponent, InspectError> {
    let intake = intake::scan(bytes, limits)?;
    let types = features::validate(bytes, WasmFeatures::all())
        .map_err(|error| InspectError::malformed(&error))?;
    let needed = features::needed(bytes)?;
    let needs_concurrency = needed.intersects(CONCURRENCY_FEATURES);
    let missing_features = features::names(needed - CONCURRENCY_FEATURES);
    let types = types.as_ref();

    let docs = Docs::read(author_wit, &intake.package_docs);
    let mut builder = Builder::new(types, &docs);
    let exports: Vec<(&str, ComponentEntityType)> = intake
        .exports
        .iter()
        .filter_map(|name| Some((*name, types.component_item_for_export(name)?.ty)))
        .collect();
    let imported: Vec<(&str, ComponentEntityType)> = intake
        .imports
        .iter()
        .filter_map(|name| Some((*name, types.component_item_for_import(name)?.ty)))
        .collect();
    // Names of exports first: a type that an exported interface passes on is known by that name.
    for items in [&exports, &imported] {
        builder.learn_names(None, items.iter().map(|(name, ty)| (*name, ty)));
        for (name, ty) in items {
            if let ComponentEntityType::Instance(id) = ty
                && let Some(instance) = builder.instance(*id)
            {
                let items = instance
                    .exports
                    .iter()
                    .map(|(name, item)| (name.as_str(), &item.ty));
                builder.learn_names(Some(name), items);
            }
        }
    }

    let imports = imported
        .iter()
        .map(|(name, ty)| import(&builder, name, *ty))
        .collect();
    let exported = exports
        .iter()
        .filter(|(_, ty)| {
            matches!(
                ty,
                ComponentEntityType::Func(_) | ComponentEntityType::Instance(_)
            )
        })
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let mut listing = Listing {
        builder,
        docs: &docs,
        limits,
        schema_bytes: 0,
        functions: 0,
        found: Found::default(),
    };
    for (name, ty) in &exports {
        listing.export(name, *ty)?;
    }
    let text_findings = wording::findings(&docs, &listing.found.tools, listing.builder.shown());
    let Found {
        tools,
        unsupported,
        initialisers,
    } = listing.found;

    let mut warnings = docs.warnings().to_vec();
    let permission_section = permission_section(&intake, &mut warnings);
    if intake.code.modules == 0 && tools.is_empty() {
        warnings.push("it holds no code: a WIT package or an empty component".to_owned());
    }
    Ok(InspectedComponent {
        digest: Digest::from_bytes(Sha256::digest(bytes).into()),
        bytes_len: bytes.len() as u64,
        tools,
        unsupported,
        initialisers,
        exports: exported,
        imports,
        producers: intake.producers,
        code: intake.code,
        docs: docs
            .interface(None)
            .and_then(Written::clean)
            .map(str::to_owned),
        missing_features,
        needs_concurrency,
        warnings,
        permission_section,
        text_findings,
    })
}

/// The one section of requested permissions, if it can be read.
fn permission_section(intake: &Intake<'_>, warnings: &mut Vec<String>) -> Option<String> {
    if intake.inner_permissions > 0 {
        warnings.push(format!(
            "modules or components inside it have sections {SECTION}; only one of the outermost component counts"
        ));
    }
    let why = match intake.permissions.as_slice() {
        [] => return None,
        [section] if section.len() > MAX_REQUEST_BYTES => {
            format!("has {} bytes, more than {MAX_REQUEST_BYTES}", section.len())
        }
        [section] => match std::str::from_utf8(section) {
            Ok(text) => return Some(text.to_owned()),
            Err(_) => "is not UTF-8".to_owned(),
        },
        several => format!("is there {} times", several.len()),
    };
    warnings.push(format!("the section {SECTION} {why}; ignored"));
    None
}

/// What an import takes from its host, and whether Casemate has it.
fn import(builder: &Builder<'_>, name: &str, ty: ComponentEntityType) -> Import {
    // Only types need no host; a resource is a type that does.
    let (functions, needs_host) = match ty {
        ComponentEntityType::Instance(id) => {
            let items = builder
                .instance(id)
                .into_iter()
                .flat_map(|instance| &instance.exports);
            let mut functions = Vec::new();
            let mut needs_host = false;
            for (item, entity) in items {
                match entity.ty {
                    ComponentEntityType::Func(_) => functions.push(item.clone()),
                    ComponentEntityType::Type { created, .. } => {
                        needs_host |= matches!(
                            created,
                            wasmparser::component_types::ComponentAnyTypeId::Resource(_)
                        );
                    }
                    _ => needs_host = true,
                }
            }
            needs_host |= !functions.is_empty();
            (functions, needs_host)
        }
        ComponentEntityType::Func(_) => (vec![name.to_owned()], true),
        ComponentEntityType::Type { created, .. } => (
            Vec::new(),
            matches!(
                created,
                wasmparser::component_types::ComponentAnyTypeId::Resource(_)
            ),
        ),
        ComponentEntityType::Module(_)
        | ComponentEntityType::Value(_)
        | ComponentEntityType::Component(_) => (Vec::new(), true),
    };
    Import {
        interface: name.to_owned(),
        functions,
        capability: Capability::of(name),
        provided: !needs_host || is_provided(name),
    }
}

/// Sorts exports into tools and the rest.
struct Listing<'a> {
    builder: Builder<'a>,
    docs: &'a Docs,
    limits: &'a IntakeLimits,
    schema_bytes: u64,
    functions: u64,
    found: Found,
}

#[derive(Default)]
struct Found {
    tools: Vec<InspectedTool>,
    unsupported: Vec<Unsupported>,
    initialisers: Vec<String>,
}

impl Listing<'_> {
    fn export(&mut self, name: &str, ty: ComponentEntityType) -> Result<(), InspectError> {
        match ty {
            ComponentEntityType::Func(id) => self.function(None, name, id),
            ComponentEntityType::Instance(id) => {
                // What the component offers to a WASI host (`wasi:cli/run`, `wasi:http/…`): named,
                // so that one with nothing else does not look empty.
                if name.starts_with("wasi:") {
                    self.refuse(None, name, "is what a host of WASI calls, not a tool");
                    return Ok(());
                }
                let Some(instance) = self.builder.instance(id) else {
                    return Ok(());
                };
                for (item, entity) in &instance.exports {
                    match entity.ty {
                        ComponentEntityType::Func(id) => self.function(Some(name), item, id)?,
                        ComponentEntityType::Type { .. } => {}
                        _ => self.refuse(Some(name), item, "is no function"),
                    }
                }
                Ok(())
            }
            // A type is there for the functions that use it.
            ComponentEntityType::Type { .. } => Ok(()),
            ComponentEntityType::Module(_)
            | ComponentEntityType::Value(_)
            | ComponentEntityType::Component(_) => {
                self.refuse(None, name, "is no function");
                Ok(())
            }
        }
    }

    fn refuse(&mut self, interface: Option<&str>, name: &str, why: &str) {
        let export = interface.map_or_else(|| name.to_owned(), |of| format!("{of}#{name}"));
        self.found.unsupported.push(Unsupported {
            export,
            why: why.to_owned(),
        });
    }

    fn function(
        &mut self,
        interface: Option<&str>,
        name: &str,
        id: ComponentFuncTypeId,
    ) -> Result<(), InspectError> {
        self.functions += 1;
        intake::at_most(
            "exported functions",
            self.functions,
            self.limits.exports,
            None,
        )?;
        match ComponentName::new_with_features(name, 0, WasmFeatures::all())
            .as_ref()
            .map(ComponentName::kind)
        {
            Ok(ComponentNameKind::Label(_)) => {}
            Ok(ComponentNameKind::Constructor(_)) => {
                self.refuse(interface, name, "is the constructor of a resource");
                return Ok(());
            }
            Ok(ComponentNameKind::Method(_)) => {
                self.refuse(interface, name, "is a method of a resource");
                return Ok(());
            }
            Ok(ComponentNameKind::Static(_)) => {
                self.refuse(interface, name, "is a static function of a resource");
                return Ok(());
            }
            Ok(_) | Err(_) => {
                self.refuse(interface, name, "is no ordinary function");
                return Ok(());
            }
        }
        let docs = self.docs.function(interface, name);
        let docs = docs.and_then(Written::clean).map(str::to_owned);
        let ty = match self.builder.function(id, docs.as_deref()) {
            Ok(ty) => ty,
            Err(refusal) => {
                self.refuse(interface, name, &refusal.why());
                return Ok(());
            }
        };
        if is_initialiser(interface, name, &ty) {
            let name = interface.map_or_else(|| name.to_owned(), |of| format!("{of}#{name}"));
            self.found.initialisers.push(name);
            return Ok(());
        }
        let (input_schema, output_schema) =
            match (schema::input_schema(&ty), schema::output_schema(&ty)) {
                (Ok(input), Ok(output)) => (input, output),
                (Err(error), _) | (_, Err(error)) => {
                    self.refuse(interface, name, &error.to_string());
                    return Ok(());
                }
            };
        self.schema_bytes += schema::byte_len(&input_schema) + schema::byte_len(&output_schema);
        intake::at_most(
            "bytes of JSON Schema",
            self.schema_bytes,
            self.limits.schema_bytes,
            None,
        )?;
        self.found.tools.push(InspectedTool {
            interface: interface.map(str::to_owned),
            function: name.to_owned(),
            ty,
            docs,
            input_schema,
            output_schema,
        });
        Ok(())
    }
}

/// Whether a function is there for the toolchain that made the component, which has called it.
///
/// componentize-py exports an interface `exports` with `init(app-name, …)`, componentize-qjs a
/// function `init(…, script, …)`; both return `result<_, string>`. The name alone is no reason to
/// hide a function.
fn is_initialiser(interface: Option<&str>, name: &str, ty: &FunctionType) -> bool {
    let fails_with_text = matches!(
        &ty.result,
        Some(WitType::Result { ok: None, err: Some(err) }) if **err == WitType::String
    );
    let mark = match interface {
        Some("exports") => "app-name",
        None => "script",
        Some(_) => return false,
    };
    let marked = ty
        .params
        .iter()
        .any(|param| param.name == mark && param.ty == WitType::String);
    name == "init" && fails_with_text && marked
}

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
pub(crate) mod guests;
#[cfg(test)]
mod tests;
