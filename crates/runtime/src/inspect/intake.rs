//! Is it small enough to look at? One pass over the bytes, before anything that costs more.
//!
//! Counts come from section headers; nothing is validated. Types of components are walked without
//! recursion, since the readers of `wasmparser` recurse once per level that the bytes ask for, and
//! only after this pass is that depth known to be small.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentDefinedType, ComponentExternName, ComponentImport,
    ComponentType, ComponentTypeRef, CoreType, Encoding, FromReader, Parser, Payload,
};

use super::error::InspectError;
use super::{CodeStats, Memory, Producer};
use crate::docs::plain_text;
use crate::requested::SECTION;

/// How large a component may be; the defaults are those of Casemate's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Bytes of the whole file.
    pub component_bytes: u64,
    /// Bytes of custom sections in all, except `name` and `.debug_*`, which nobody here reads.
    pub custom_bytes: u64,
    /// Core modules.
    pub modules: u64,
    /// Core functions of all modules, with canonical lifts and lowers.
    pub functions: u64,
    /// Bytes of code in all.
    pub code_bytes: u64,
    /// Bytes of one function's body.
    pub function_bytes: u64,
    /// Locals of one function.
    pub locals: u64,
    /// Exported functions, with those inside exported interfaces.
    pub exports: u64,
    /// Imports of the component, each interface once.
    pub imports: u64,
    /// Nodes of component-level types: declarations, fields, cases, parameters.
    pub type_nodes: u64,
    /// Types, imports, exports, tables, globals and segments of core modules, in all.
    pub core_items: u64,
    /// Components inside the component, at any depth.
    pub components: u64,
    /// Levels of components inside components.
    pub component_depth: u64,
    /// Levels of instance and component types inside each other.
    pub type_depth: u64,
    /// Instances and aliases, core and component, in all.
    pub instances: u64,
    /// Bytes of one name of an import, export, field, case or parameter.
    pub name_bytes: u64,
    /// Bytes of the JSON Schemas of all tools together.
    pub schema_bytes: u64,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self {
            component_bytes: 32 << 20,
            custom_bytes: 2 << 20,
            modules: 64,
            functions: 50_000,
            code_bytes: 24 << 20,
            function_bytes: 512 << 10,
            locals: 5_000,
            exports: 256,
            imports: 512,
            type_nodes: 20_000,
            core_items: 200_000,
            components: 512,
            component_depth: 16,
            type_depth: 16,
            instances: 20_000,
            name_bytes: 256,
            schema_bytes: 1 << 20,
        }
    }
}

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Intake<'b> {
    pub(super) code: CodeStats,
    pub(super) producers: Vec<Producer>,
    pub(super) package_docs: Vec<&'b [u8]>,
    /// Sections of requested permissions: those of the outermost component, and how many stand deeper.
    pub(super) permissions: Vec<&'b [u8]>,
    pub(super) inner_permissions: usize,
    /// Names of the component's own imports and exports, in order.
    pub(super) imports: Vec<&'b str>,
    pub(super) exports: Vec<&'b str>,
    functions: u64,
    custom_bytes: u64,
    type_nodes: u64,
    core_items: u64,
    components: u64,
    instances: u64,
}

/// How many tools' names are kept; a hostile section could list thousands.
const MAX_PRODUCERS: usize = 32;

/// Tells by the first bytes whether this could be a component at all.
pub(super) fn recognise(bytes: &[u8]) -> Result<(), InspectError> {
    if bytes.is_empty() {
        return Err(InspectError::Empty);
    }
    if Parser::is_component(bytes) {
        return Ok(());
    }
    if Parser::is_core_wasm(bytes) {
        return Err(InspectError::CoreModule);
    }
    if bytes.starts_with(b"\x7fELF") {
        // Wasmtime marks its files in the byte for the operating system's ABI.
        let wasmtime = bytes.get(7) == Some(&200);
        return Err(if wasmtime {
            InspectError::Precompiled
        } else {
            InspectError::Native
        });
    }
    if bytes.starts_with(b"MZ") || bytes.starts_with(b"\xcf\xfa\xed\xfe") {
        return Err(InspectError::Native);
    }
    if bytes.starts_with(b"\0asm") {
        let message = "unknown version of the binary format, or cut short".to_owned();
        return Err(InspectError::Malformed {
            message,
            offset: bytes.len().min(4),
        });
    }
    let text = bytes.trim_ascii_start();
    if [&b"("[..], b";;"]
        .iter()
        .any(|start| text.starts_with(start))
    {
        return Err(InspectError::Text);
    }
    let start = bytes
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Err(InspectError::NotWasm { start })
}

/// Walks all sections of a component and counts.
pub(super) fn scan<'b>(bytes: &'b [u8], limits: &IntakeLimits) -> Result<Intake<'b>, InspectError> {
    let size = bytes.len() as u64;
    at_most("bytes", size, limits.component_bytes, None)?;
    recognise(bytes)?;
    let mut intake = Intake::default();
    let mut open: Vec<Encoding> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| InspectError::malformed(&error))?;
        match &payload {
            Payload::Version {
                encoding, range, ..
            } => {
                open.push(*encoding);
                intake.begin(*encoding, &open, range.start, limits)?;
            }
            Payload::End(_) => {
                open.pop();
            }
            _ => intake
                .section(bytes, &payload, open.len() == 1, limits)
                .map_err(|error| match error {
                    Stop::Malformed(error) => InspectError::malformed(&error),
                    Stop::Refused(error) => error,
                })?,
        }
    }
    Ok(intake)
}

/// Why the walk over a section ended early.
enum Stop {
    Malformed(wasmparser::BinaryReaderError),
    Refused(InspectError),
}

impl From<wasmparser::BinaryReaderError> for Stop {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Malformed(error)
    }
}

impl From<InspectError> for Stop {
    fn from(error: InspectError) -> Self {
        Self::Refused(error)
    }
}

/// Refuses more than `limit`.
pub(super) fn at_most(
    what: &'static str,
    found: u64,
    limit: u64,
    offset: Option<usize>,
) -> Result<(), InspectError> {
    if found > limit {
        return Err(InspectError::Limit {
            what,
            found,
            limit,
            offset,
        });
    }
    Ok(())
}

impl<'b> Intake<'b> {
    fn begin(
        &mut self,
        encoding: Encoding,
        open: &[Encoding],
        offset: usize,
        limits: &IntakeLimits,
    ) -> Result<(), InspectError> {
        match encoding {
            Encoding::Module => {
                self.code.modules += 1;
                at_most(
                    "core modules",
                    self.code.modules,
                    limits.modules,
                    Some(offset),
                )
            }
            Encoding::Component => {
                let depth = open.len() as u64;
                at_most(
                    "levels of components",
                    depth,
                    limits.component_depth,
                    Some(offset),
                )?;
                self.components += 1;
                at_most(
                    "components inside",
                    self.components,
                    limits.components,
                    Some(offset),
                )
            }
        }
    }

    fn section(
        &mut self,
        bytes: &'b [u8],
        payload: &Payload<'b>,
        outermost: bool,
        limits: &IntakeLimits,
    ) -> Result<(), Stop> {
        match payload {
            Payload::CustomSection(section) => {
                let (name, range) = (section.name(), section.range());
                check_name(name, range.start, limits)?;
                if name == "name" || name.starts_with(".debug_") {
                    return Ok(());
                }
                self.custom_bytes += range.len() as u64;
                let at = Some(range.start);
                at_most(
                    "bytes of custom sections",
                    self.custom_bytes,
                    limits.custom_bytes,
                    at,
                )?;
                match name {
                    "package-docs" => self.package_docs.push(section.data()),
                    "producers" => self.producers(section),
                    SECTION if outermost => self.permissions.push(section.data()),
                    SECTION => self.inner_permissions += 1,
                    _ => {}
                }
            }
            Payload::TypeSection(section) => {
                let at = section.original_position();
                for group in section.clone() {
                    self.core(group?.types().len() as u64, at, limits)?;
                }
            }
            Payload::ImportSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::ExportSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::TableSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::TagSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::GlobalSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::ElementSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::DataSection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
            }
            Payload::MemorySection(section) => {
                self.core(section.count().into(), section.original_position(), limits)?;
                for memory in section.clone() {
                    let memory = memory?;
                    let page = 1_u64
                        .checked_shl(memory.page_size_log2.unwrap_or(16))
                        .unwrap_or(u64::MAX);
                    self.code.memories.push(Memory {
                        min_bytes: memory.initial.saturating_mul(page),
                        max_bytes: memory.maximum.map(|pages| pages.saturating_mul(page)),
                    });
                }
            }
            Payload::FunctionSection(section) => {
                self.code.functions += u64::from(section.count());
                self.functions(section.count(), section.original_position(), limits)?;
            }
            Payload::ComponentCanonicalSection(section) => {
                self.functions(section.count(), section.original_position(), limits)?;
            }
            Payload::CodeSectionStart { size, range, .. } => {
                self.code.code_bytes += u64::from(*size);
                let at = Some(range.start);
                at_most("bytes of code", self.code.code_bytes, limits.code_bytes, at)?;
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let at = Some(range.start);
                let size = range.len() as u64;
                at_most("bytes in one function", size, limits.function_bytes, at)?;
                self.code.largest_function = self.code.largest_function.max(size);
                let mut locals = 0;
                for group in body.get_locals_reader()? {
                    locals += u64::from(group?.0);
                    at_most("locals in one function", locals, limits.locals, at)?;
                }
            }
            Payload::InstanceSection(section) => {
                self.instances(section.count(), section.original_position(), limits)?;
            }
            Payload::ComponentInstanceSection(section) => {
                self.instances(section.count(), section.original_position(), limits)?;
            }
            Payload::ComponentAliasSection(section) => {
                self.instances(section.count(), section.original_position(), limits)?;
            }
            Payload::CoreTypeSection(section) => {
                let at = section.original_position();
                for ty in section.clone() {
                    self.nodes(core_type_weight(&ty?), at, limits)?;
                }
            }
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let body = bytes.get(range.clone()).unwrap_or_default();
                self.component_types(BinaryReader::new(body, range.start), limits)?;
            }
            Payload::ComponentImportSection(section) => {
                self.nodes(section.count().into(), section.original_position(), limits)?;
                for import in section.clone() {
                    let name = import?.name.name;
                    check_name(name, section.original_position(), limits)?;
                    if outermost {
                        self.imports.push(name);
                        let at = Some(section.original_position());
                        at_most("imports", self.imports.len() as u64, limits.imports, at)?;
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                self.nodes(section.count().into(), section.original_position(), limits)?;
                for export in section.clone() {
                    let name = export?.name.name;
                    check_name(name, section.original_position(), limits)?;
                    if outermost {
                        self.exports.push(name);
                    }
                }
            }
            // Boundaries are seen as `Version` and `End`; the rest has a fixed size or is refused
            // by validation.
            _ => {}
        }
        Ok(())
    }

    fn core(&mut self, items: u64, at: usize, limits: &IntakeLimits) -> Result<(), InspectError> {
        self.core_items += items;
        at_most("core items", self.core_items, limits.core_items, Some(at))
    }

    fn functions(
        &mut self,
        more: u32,
        at: usize,
        limits: &IntakeLimits,
    ) -> Result<(), InspectError> {
        self.functions += u64::from(more);
        at_most("functions", self.functions, limits.functions, Some(at))
    }

    fn instances(
        &mut self,
        more: u32,
        at: usize,
        limits: &IntakeLimits,
    ) -> Result<(), InspectError> {
        self.instances += u64::from(more);
        at_most(
            "instances and aliases",
            self.instances,
            limits.instances,
            Some(at),
        )
    }

    fn nodes(&mut self, more: u64, at: usize, limits: &IntakeLimits) -> Result<(), InspectError> {
        self.type_nodes += more;
        at_most("type nodes", self.type_nodes, limits.type_nodes, Some(at))
    }

    /// Walks a section of component-level types with a stack of its own.
    fn component_types(
        &mut self,
        mut reader: BinaryReader<'b>,
        limits: &IntakeLimits,
    ) -> Result<(), Stop> {
        // How many declarations are still to come, at each level.
        let mut levels = vec![reader.read_var_u32()?];
        while let Some(remaining) = levels.last_mut() {
            let Some(rest) = remaining.checked_sub(1) else {
                levels.pop();
                continue;
            };
            *remaining = rest;
            let at = reader.original_position();
            // In the section there are only types; inside a type each declaration has a kind.
            let kind = if levels.len() == 1 {
                0x01
            } else {
                reader.read_u8()?
            };
            let weight = match kind {
                0x00 => core_type_weight(&CoreType::from_reader(&mut reader)?),
                0x01 => match reader.clone().read_u8()? {
                    0x41 | 0x42 => {
                        reader.read_u8()?;
                        levels.push(reader.read_var_u32()?);
                        at_most(
                            "levels of types",
                            levels.len() as u64,
                            limits.type_depth,
                            Some(at),
                        )?;
                        1
                    }
                    _ => component_type_weight(
                        &ComponentType::from_reader(&mut reader)?,
                        at,
                        limits,
                    )?,
                },
                0x02 => {
                    ComponentAlias::from_reader(&mut reader)?;
                    1
                }
                0x03 => {
                    let import = ComponentImport::from_reader(&mut reader)?;
                    check_name(import.name.name, at, limits)?;
                    1
                }
                0x04 => {
                    let name = ComponentExternName::from_reader(&mut reader)?;
                    check_name(name.name, at, limits)?;
                    ComponentTypeRef::from_reader(&mut reader)?;
                    1
                }
                _ => {
                    let message = "unknown kind of declaration in a type".to_owned();
                    return Err(InspectError::Malformed {
                        message,
                        offset: at,
                    }
                    .into());
                }
            };
            self.nodes(weight, at, limits)?;
        }
        Ok(())
    }

    /// Notes the tools that made it; what does not parse is left out, since nothing depends on it.
    fn producers(&mut self, section: &wasmparser::CustomSectionReader<'b>) {
        let reader = BinaryReader::new(section.data(), section.data_offset());
        let Ok(fields) = wasmparser::ProducersSectionReader::new(reader) else {
            return;
        };
        for field in fields.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                let producer = Producer {
                    field: plain_text(field.name, 100).replace('\n', " "),
                    name: plain_text(value.name, 100).replace('\n', " "),
                    version: plain_text(value.version, 100).replace('\n', " "),
                };
                if self.producers.len() < MAX_PRODUCERS && !self.producers.contains(&producer) {
                    self.producers.push(producer);
                }
            }
        }
    }
}

fn check_name(name: &str, at: usize, limits: &IntakeLimits) -> Result<(), InspectError> {
    at_most(
        "bytes in one name",
        name.len() as u64,
        limits.name_bytes,
        Some(at),
    )
}

fn core_type_weight(ty: &CoreType<'_>) -> u64 {
    match ty {
        CoreType::Rec(group) => group.types().len() as u64,
        CoreType::Module(declarations) => 1 + declarations.len() as u64,
    }
}

/// How many nodes a type without nested component or instance types is.
fn component_type_weight(
    ty: &ComponentType<'_>,
    at: usize,
    limits: &IntakeLimits,
) -> Result<u64, InspectError> {
    let named = |names: &mut dyn Iterator<Item = &str>| -> Result<u64, InspectError> {
        let mut weight = 1;
        for name in names {
            check_name(name, at, limits)?;
            weight += 1;
        }
        Ok(weight)
    };
    match ty {
        ComponentType::Func(function) => named(&mut function.params.iter().map(|(name, _)| *name)),
        ComponentType::Defined(ComponentDefinedType::Record(fields)) => {
            named(&mut fields.iter().map(|(name, _)| *name))
        }
        ComponentType::Defined(ComponentDefinedType::Variant(cases)) => {
            named(&mut cases.iter().map(|case| case.name))
        }
        ComponentType::Defined(
            ComponentDefinedType::Flags(labels) | ComponentDefinedType::Enum(labels),
        ) => named(&mut labels.iter().copied()),
        ComponentType::Defined(ComponentDefinedType::Tuple(items)) => Ok(1 + items.len() as u64),
        _ => Ok(1),
    }
}
