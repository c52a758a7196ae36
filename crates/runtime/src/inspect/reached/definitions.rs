//! What the bytes define: components as lists of statements, and core modules without their bodies.

use std::collections::HashMap;

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentType,
    CompositeInnerType, ConstExpr, Element, Encoding, ExternalKind, FuncType, FunctionBody,
    Instance, Parser, Payload, SubType, TableInit, TypeRef, ValType,
};

use super::{Undecided, item};

/// A type of core functions. Types of all modules are numbered together.
pub(super) type CoreType = u32;

/// A type that may equal any other: it has supertypes, or names types of its module.
pub(super) const ANY: CoreType = 0;

/// What a component says, in order; indexes count what came before.
pub(super) enum Statement<'b> {
    Module(usize),
    Component(usize),
    CoreInstance(Instance<'b>),
    Instance(ComponentInstance<'b>),
    Alias(ComponentAlias<'b>),
    Function(CanonicalFunction),
    Import(&'b str, ComponentExternalKind),
    Export(&'b str, ComponentExternalKind, u32),
    /// A destructor of a resource.
    Destructor(u32),
    /// A function that runs while the component is instantiated.
    Start(u32),
}

/// What an import of a core module is.
#[derive(Clone, Copy)]
pub(super) enum ImportKind {
    Function,
    Table,
    Global,
    Other,
}

/// A core module.
#[derive(Default)]
pub(super) struct Module<'b> {
    types: Vec<CoreType>,
    pub(super) imports: Vec<(&'b str, &'b str, ImportKind)>,
    /// Types of its functions, imported ones first.
    pub(super) functions: Vec<CoreType>,
    pub(super) imported_functions: usize,
    /// Tables of its own.
    pub(super) tables: Vec<TableInit<'b>>,
    /// Globals of its own, and whether they change.
    pub(super) globals: Vec<(bool, ConstExpr<'b>)>,
    pub(super) exports: HashMap<&'b str, (ExternalKind, u32)>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'b>>,
    pub(super) bodies: Vec<FunctionBody<'b>>,
}

impl Module<'_> {
    pub(super) fn ty(&self, index: u32) -> Result<CoreType, Undecided> {
        item(&self.types, index).copied()
    }
}

/// Everything that is defined. The outermost component is the last one.
#[derive(Default)]
pub(super) struct Definitions<'b> {
    pub(super) modules: Vec<Module<'b>>,
    pub(super) components: Vec<Vec<Statement<'b>>>,
    types: HashMap<FuncType, CoreType>,
}

/// What is being read.
enum Open<'b> {
    Module(Box<Module<'b>>),
    Component(Vec<Statement<'b>>),
}

impl<'b> Definitions<'b> {
    /// Reads a component that was inspected before, so that its size and the depth of its types are known to be small.
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, Undecided> {
        let mut all = Self::default();
        let mut open: Vec<Open<'b>> = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } => open.push(Open::Module(Box::default())),
                Payload::Version {
                    encoding: Encoding::Component,
                    ..
                } => open.push(Open::Component(Vec::new())),
                Payload::End(_) => {
                    let statement = match open.pop() {
                        Some(Open::Module(module)) => {
                            all.modules.push(*module);
                            Statement::Module(all.modules.len() - 1)
                        }
                        Some(Open::Component(statements)) => {
                            all.components.push(statements);
                            Statement::Component(all.components.len() - 1)
                        }
                        None => break,
                    };
                    if let Some(Open::Component(around)) = open.last_mut() {
                        around.push(statement);
                    }
                }
                payload => match open.last_mut() {
                    Some(Open::Module(module)) => all.in_module(module, payload)?,
                    Some(Open::Component(statements)) => in_component(statements, payload)?,
                    None => {}
                },
            }
        }
        Ok(all)
    }

    fn in_module(
        &mut self,
        module: &mut Module<'b>,
        payload: Payload<'b>,
    ) -> Result<(), Undecided> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let group = group?;
                    let alone = group.types().len() == 1;
                    for ty in group.types() {
                        let number = if alone { self.number(ty) } else { ANY };
                        module.types.push(number);
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let kind = match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            let ty = module.ty(ty)?;
                            module.functions.push(ty);
                            module.imported_functions += 1;
                            ImportKind::Function
                        }
                        TypeRef::Table(_) => ImportKind::Table,
                        TypeRef::Global(_) => ImportKind::Global,
                        TypeRef::Memory(_) | TypeRef::Tag(_) => ImportKind::Other,
                    };
                    module.imports.push((import.module, import.name, kind));
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    let ty = module.ty(ty?)?;
                    module.functions.push(ty);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    module.tables.push(table?.init);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    module.globals.push((global.ty.mutable, global.init_expr));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    module
                        .exports
                        .insert(export.name, (export.kind, export.index));
                }
            }
            Payload::StartSection { func, .. } => module.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    module.elements.push(element?);
                }
            }
            Payload::CodeSectionEntry(body) => module.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    /// The number of a function type that equals only itself; [`ANY`] for others.
    fn number(&mut self, ty: &SubType) -> CoreType {
        let plain = |ty: &ValType| match ty {
            ValType::Ref(reference) => reference.type_index().is_none(),
            _ => true,
        };
        match &ty.composite_type.inner {
            CompositeInnerType::Func(function)
                if ty.is_final
                    && ty.supertype_idx.is_none()
                    && !ty.composite_type.shared
                    && function
                        .params()
                        .iter()
                        .chain(function.results())
                        .all(plain) =>
            {
                let next = u32::try_from(self.types.len()).map_or(ANY, |count| count + ANY + 1);
                *self.types.entry(function.clone()).or_insert(next)
            }
            _ => ANY,
        }
    }
}

fn in_component<'b>(
    statements: &mut Vec<Statement<'b>>,
    payload: Payload<'b>,
) -> Result<(), Undecided> {
    match payload {
        Payload::InstanceSection(section) => {
            for instance in section {
                statements.push(Statement::CoreInstance(instance?));
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section {
                statements.push(Statement::Instance(instance?));
            }
        }
        Payload::ComponentAliasSection(section) => {
            for alias in section {
                statements.push(Statement::Alias(alias?));
            }
        }
        Payload::ComponentCanonicalSection(section) => {
            for function in section {
                statements.push(Statement::Function(function?));
            }
        }
        Payload::ComponentTypeSection(section) => {
            for ty in section {
                if let ComponentType::Resource {
                    dtor: Some(function),
                    ..
                } = ty?
                {
                    statements.push(Statement::Destructor(function));
                }
            }
        }
        Payload::ComponentStartSection { start, .. } => {
            statements.push(Statement::Start(start.func_index));
        }
        Payload::ComponentImportSection(section) => {
            for import in section {
                let import = import?;
                statements.push(Statement::Import(import.name.name, import.ty.kind()));
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section {
                let export = export?;
                statements.push(Statement::Export(
                    export.name.name,
                    export.kind,
                    export.index,
                ));
            }
        }
        _ => {}
    }
    Ok(())
}
