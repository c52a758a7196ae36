//! What instantiating the component makes: instances, functions, and the references that stand in tables from the start.

use std::collections::HashMap;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ConstExpr, ElementItems, ElementKind, ExternalKind, Instance,
    Operator, TableInit,
};

use super::definitions::{CoreType, Definitions, ImportKind, Module, Statement};
use super::{Undecided, item};
use crate::inspect::IntakeLimits;

/// Components that are being instantiated inside each other.
const MAX_DEPTH: usize = 64;

/// A function of a core instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CoreFunction {
    /// One with a body: the instance, and its index behind the imported ones.
    Body(usize, usize),
    /// One that the component makes for core code.
    Canonical(usize),
}

/// A reference to a function, with the type under which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FunctionRef {
    pub(super) function: CoreFunction,
    pub(super) ty: CoreType,
}

/// What the component makes for core code.
pub(super) enum Canonical {
    /// A call of a function of the component, and what the call itself calls.
    Lower(usize, Vec<CoreFunction>),
    /// Something that the runtime does, which calls no code but allocation.
    Builtin(Vec<CoreFunction>),
    /// A thread or the like; what it runs is not followed.
    Thread,
}

/// A function of a component.
pub(super) enum Function<'b> {
    /// An import of the outermost component, and the function of it.
    Import(&'b str, &'b str),
    /// Core code, with allocation, clean-up and callback.
    Lifted(Vec<CoreFunction>),
}

/// An item that components pass to each other.
#[derive(Clone, Copy)]
pub(super) enum Item {
    Module(usize),
    /// A definition, and the frame around it.
    Component(usize, Option<usize>),
    Instance(usize),
    Function(usize),
    /// Types and values, which call nothing; and modules and components from the host, which nothing can instantiate.
    Other,
}

/// An instance of a component.
pub(super) enum InstanceOf<'b> {
    /// An import of the outermost component.
    Import(&'b str),
    Exports(HashMap<&'b str, Item>),
}

#[derive(Clone, Copy)]
enum Extern {
    Function(CoreFunction),
    Table(usize),
    Global(usize),
    Other,
}

/// An instance of a core module.
pub(super) struct CoreInstance {
    pub(super) module: usize,
    imported: Vec<CoreFunction>,
    pub(super) tables: Vec<usize>,
    globals: Vec<usize>,
}

enum CoreExports<'b> {
    Instance(usize),
    Bag(HashMap<&'b str, Extern>),
}

/// What a global holds from the start.
#[derive(Clone, Copy)]
enum Global {
    /// A number that never changes.
    Number(u32),
    /// A reference, or something that changes.
    Unknown,
}

/// A reference in a segment.
pub(super) enum Element {
    Function(FunctionRef),
    Null,
    /// What a global holds: any reference that is a value somewhere.
    Any,
}

/// Index spaces of one instantiation of a component.
#[derive(Default)]
struct Frame {
    parent: Option<usize>,
    modules: Vec<Item>,
    components: Vec<Item>,
    core_instances: Vec<usize>,
    instances: Vec<Item>,
    functions: Vec<Item>,
    core_functions: Vec<CoreFunction>,
    core_tables: Vec<usize>,
    core_globals: Vec<usize>,
}

/// A reference that stands in a table from the start, and in which slot if that is known.
pub(super) struct Placed {
    pub(super) table: usize,
    pub(super) slot: Option<u32>,
    pub(super) element: Element,
}

/// Everything that is there once the component is instantiated. Table 0 stands for all references that are values.
pub(super) struct Linked<'b> {
    pub(super) definitions: Definitions<'b>,
    pub(super) instances: Vec<InstanceOf<'b>>,
    pub(super) core_instances: Vec<CoreInstance>,
    pub(super) functions: Vec<Function<'b>>,
    pub(super) canonical: Vec<Canonical>,
    pub(super) tables: usize,
    pub(super) placed: Vec<Placed>,
    /// What runs in any case: start functions and destructors.
    pub(super) roots: Vec<CoreFunction>,
    pub(super) root_functions: Vec<usize>,
    /// Exports of the outermost component.
    pub(super) exports: HashMap<&'b str, Item>,
    frames: Vec<Frame>,
    core_exports: Vec<CoreExports<'b>>,
    globals: Vec<Global>,
    steps: u64,
}

/// All references that are values: on a stack, in a global, or read from a table.
pub(super) const VALUES: usize = 0;

impl<'b> Linked<'b> {
    pub(super) fn link(
        definitions: Definitions<'b>,
        limits: &IntakeLimits,
    ) -> Result<Self, Undecided> {
        let mut linked = Self {
            definitions,
            instances: Vec::new(),
            core_instances: Vec::new(),
            functions: Vec::new(),
            canonical: Vec::new(),
            tables: VALUES + 1,
            placed: Vec::new(),
            roots: Vec::new(),
            root_functions: Vec::new(),
            exports: HashMap::new(),
            frames: Vec::new(),
            core_exports: Vec::new(),
            globals: Vec::new(),
            // Every item once, and as much again for what is instantiated several times.
            steps: 2 * (limits.core_items + limits.instances + limits.type_nodes),
        };
        let outermost = linked.definitions.components.len().checked_sub(1);
        let outermost = outermost.ok_or_else(|| Undecided::new("it holds no component"))?;
        linked.exports = linked.instantiate(outermost, None, None, 0)?;
        Ok(linked)
    }

    fn step(&mut self, count: usize) -> Result<(), Undecided> {
        let left = self.steps.checked_sub(count as u64);
        self.steps =
            left.ok_or_else(|| Undecided::new("it instantiates more than can be followed"))?;
        Ok(())
    }

    /// Runs the statements of a component; `arguments` are `None` for the outermost one, whose imports are the host's.
    fn instantiate(
        &mut self,
        component: usize,
        parent: Option<usize>,
        arguments: Option<&HashMap<&'b str, Item>>,
        depth: usize,
    ) -> Result<HashMap<&'b str, Item>, Undecided> {
        if depth > MAX_DEPTH {
            return Err(Undecided::new("its components nest too deeply"));
        }
        let frame = self.frames.len();
        self.frames.push(Frame {
            parent,
            ..Frame::default()
        });
        let mut exports = HashMap::new();
        let count = item(&self.definitions.components, component)?.len();
        for index in 0..count {
            self.step(1)?;
            // The statements stay where they are; what one of them needs of itself is taken out.
            let statements = item(&self.definitions.components, component)?;
            match item(statements, index)? {
                Statement::Module(module) => {
                    let module = Item::Module(*module);
                    self.frame(frame)?.modules.push(module);
                }
                Statement::Component(inner) => {
                    let inner = Item::Component(*inner, Some(frame));
                    self.frame(frame)?.components.push(inner);
                }
                Statement::CoreInstance(instance) => {
                    let instance = instance.clone();
                    self.core_instance(frame, &instance)?;
                }
                Statement::Instance(instance) => {
                    let instance = instance.clone();
                    let made = self.instance(frame, &instance, depth)?;
                    self.frame(frame)?.instances.push(Item::Instance(made));
                }
                Statement::Alias(alias) => {
                    let alias = alias.clone();
                    self.alias(frame, &alias)?;
                }
                Statement::Function(function) => {
                    let function = function.clone();
                    self.canonical(frame, &function)?;
                }
                Statement::Import(name, kind) => {
                    let (name, kind) = (*name, *kind);
                    let given = match arguments {
                        None => self.host_import(name, kind),
                        Some(given) => match (given.get(name), kind) {
                            (Some(given), _) => *given,
                            (None, ComponentExternalKind::Type | ComponentExternalKind::Value) => {
                                Item::Other
                            }
                            (None, _) => {
                                return Err(Undecided::new("a component inside lacks an import"));
                            }
                        },
                    };
                    self.frame(frame)?.add(kind, given);
                }
                Statement::Export(name, kind, index) => {
                    let (name, kind, index) = (*name, *kind, *index);
                    let exported = self.frame(frame)?.get(kind, index)?;
                    exports.insert(name, exported);
                    // An export is an item of its own for what comes after it.
                    self.frame(frame)?.add(kind, exported);
                }
                Statement::Destructor(function) => {
                    let function = *function;
                    let function = *item(&self.frame(frame)?.core_functions, function)?;
                    self.roots.push(function);
                }
                Statement::Start(function) => {
                    let function = *function;
                    let Item::Function(function) = *item(&self.frame(frame)?.functions, function)?
                    else {
                        return Err(Undecided::new("its start is no function"));
                    };
                    self.root_functions.push(function);
                }
            }
        }
        Ok(exports)
    }

    fn frame(&mut self, frame: usize) -> Result<&mut Frame, Undecided> {
        self.frames
            .get_mut(frame)
            .ok_or_else(|| Undecided::new("it refers to something that is not there"))
    }

    fn host_import(&mut self, name: &'b str, kind: ComponentExternalKind) -> Item {
        match kind {
            ComponentExternalKind::Func => self.add_function(Function::Import(name, name)),
            ComponentExternalKind::Instance => {
                self.instances.push(InstanceOf::Import(name));
                Item::Instance(self.instances.len() - 1)
            }
            _ => Item::Other,
        }
    }

    fn add_function(&mut self, function: Function<'b>) -> Item {
        self.functions.push(function);
        Item::Function(self.functions.len() - 1)
    }

    fn instance(
        &mut self,
        frame: usize,
        instance: &ComponentInstance<'b>,
        depth: usize,
    ) -> Result<usize, Undecided> {
        let exports = match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                self.step(args.len())?;
                let here = self.frame(frame)?;
                let Item::Component(component, parent) = *item(&here.components, *component_index)?
                else {
                    return Err(Undecided::new("it instantiates a component of its host"));
                };
                let mut given = HashMap::new();
                for argument in args {
                    given.insert(argument.name, here.get(argument.kind, argument.index)?);
                }
                self.instantiate(component, parent, Some(&given), depth + 1)?
            }
            ComponentInstance::FromExports(exports) => {
                self.step(exports.len())?;
                let here = self.frame(frame)?;
                let mut given = HashMap::new();
                for export in exports {
                    given.insert(export.name.name, here.get(export.kind, export.index)?);
                }
                given
            }
        };
        self.instances.push(InstanceOf::Exports(exports));
        Ok(self.instances.len() - 1)
    }

    /// An item that an instance exports.
    pub(super) fn export(
        &mut self,
        instance: usize,
        kind: ComponentExternalKind,
        name: &'b str,
    ) -> Result<Item, Undecided> {
        match (item(&self.instances, instance)?, kind) {
            (InstanceOf::Exports(exports), _) => exports
                .get(name)
                .copied()
                .ok_or_else(|| Undecided::new("it refers to an export that is not there")),
            (InstanceOf::Import(import), ComponentExternalKind::Func) => {
                let import = *import;
                Ok(self.add_function(Function::Import(import, name)))
            }
            (InstanceOf::Import(_), ComponentExternalKind::Type | ComponentExternalKind::Value) => {
                Ok(Item::Other)
            }
            (InstanceOf::Import(_), _) => Err(Undecided::new(
                "it imports instances, modules or components inside of an instance",
            )),
        }
    }

    fn alias(&mut self, frame: usize, alias: &ComponentAlias<'b>) -> Result<(), Undecided> {
        match *alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let Item::Instance(instance) =
                    *item(&self.frame(frame)?.instances, instance_index)?
                else {
                    return Err(Undecided::new("it uses an instance that it cannot know"));
                };
                let exported = self.export(instance, kind, name)?;
                self.frame(frame)?.add(kind, exported);
            }
            ComponentAlias::CoreInstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let instance = *item(&self.frame(frame)?.core_instances, instance_index)?;
                let exported = self.core_export(instance, name)?;
                let here = self.frame(frame)?;
                match (kind, exported) {
                    (ExternalKind::Func | ExternalKind::FuncExact, Extern::Function(function)) => {
                        here.core_functions.push(function);
                    }
                    (ExternalKind::Table, Extern::Table(table)) => here.core_tables.push(table),
                    (ExternalKind::Global, Extern::Global(global)) => {
                        here.core_globals.push(global);
                    }
                    (ExternalKind::Memory | ExternalKind::Tag, _) => {}
                    _ => return Err(Undecided::new("an export is of another kind")),
                }
            }
            ComponentAlias::Outer { kind, count, index } => {
                let mut around = frame;
                for _ in 0..count {
                    let parent = self.frame(around)?.parent;
                    around = parent.ok_or_else(|| Undecided::new("it refers beyond itself"))?;
                }
                let outer = self.frame(around)?;
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let module = *item(&outer.modules, index)?;
                        self.frame(frame)?.modules.push(module);
                    }
                    ComponentOuterAliasKind::Component => {
                        let component = *item(&outer.components, index)?;
                        self.frame(frame)?.components.push(component);
                    }
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
                }
            }
        }
        Ok(())
    }

    fn canonical(&mut self, frame: usize, function: &CanonicalFunction) -> Result<(), Undecided> {
        use CanonicalFunction as Canon;
        let here = self.frame(frame)?;
        let canonical = match function {
            Canon::Lift {
                core_func_index,
                options,
                ..
            } => {
                let mut calls = vec![*item(&here.core_functions, *core_func_index)?];
                calls.extend(here.called_by(options)?);
                let lifted = self.add_function(Function::Lifted(calls));
                self.frame(frame)?.functions.push(lifted);
                return Ok(());
            }
            Canon::Lower {
                func_index,
                options,
            } => match *item(&here.functions, *func_index)? {
                Item::Function(function) => Canonical::Lower(function, here.called_by(options)?),
                _ => return Err(Undecided::new("it lowers something that is no function")),
            },
            Canon::ThreadSpawnRef { .. }
            | Canon::ThreadSpawnIndirect { .. }
            | Canon::ThreadNewIndirect { .. } => Canonical::Thread,
            Canon::TaskReturn { options, .. }
            | Canon::StreamRead { options, .. }
            | Canon::StreamWrite { options, .. }
            | Canon::FutureRead { options, .. }
            | Canon::FutureWrite { options, .. }
            | Canon::ErrorContextNew { options }
            | Canon::ErrorContextDebugMessage { options } => {
                Canonical::Builtin(here.called_by(options)?)
            }
            // Destructors are roots; the others call nothing.
            _ => Canonical::Builtin(Vec::new()),
        };
        self.canonical.push(canonical);
        let made = CoreFunction::Canonical(self.canonical.len() - 1);
        self.frame(frame)?.core_functions.push(made);
        Ok(())
    }

    fn core_instance(&mut self, frame: usize, instance: &Instance<'b>) -> Result<(), Undecided> {
        let exports = match instance {
            Instance::FromExports(exports) => {
                self.step(exports.len())?;
                let here = self.frame(frame)?;
                let mut bag = HashMap::new();
                for export in exports {
                    let index = export.index;
                    let item = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            Extern::Function(*item(&here.core_functions, index)?)
                        }
                        ExternalKind::Table => Extern::Table(*item(&here.core_tables, index)?),
                        ExternalKind::Global => Extern::Global(*item(&here.core_globals, index)?),
                        ExternalKind::Memory | ExternalKind::Tag => Extern::Other,
                    };
                    bag.insert(export.name, item);
                }
                CoreExports::Bag(bag)
            }
            Instance::Instantiate { module_index, args } => {
                let here = self.frame(frame)?;
                let Item::Module(module) = *item(&here.modules, *module_index)? else {
                    return Err(Undecided::new("it instantiates a module of its host"));
                };
                let mut given = HashMap::new();
                for argument in args {
                    given.insert(argument.name, *item(&here.core_instances, argument.index)?);
                }
                CoreExports::Instance(self.core_module(module, &given)?)
            }
        };
        self.core_exports.push(exports);
        let made = self.core_exports.len() - 1;
        self.frame(frame)?.core_instances.push(made);
        Ok(())
    }

    fn core_export(&self, instance: usize, name: &str) -> Result<Extern, Undecided> {
        let missing = || Undecided::new("it refers to an export that is not there");
        let instance = match item(&self.core_exports, instance)? {
            CoreExports::Bag(bag) => return bag.get(name).copied().ok_or_else(missing),
            CoreExports::Instance(instance) => *instance,
        };
        let made = item(&self.core_instances, instance)?;
        let module = item(&self.definitions.modules, made.module)?;
        let (kind, index) = *module.exports.get(name).ok_or_else(missing)?;
        Ok(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                Extern::Function(self.core_function(instance, index)?.function)
            }
            ExternalKind::Table => Extern::Table(*item(&made.tables, index)?),
            ExternalKind::Global => Extern::Global(*item(&made.globals, index)?),
            ExternalKind::Memory | ExternalKind::Tag => Extern::Other,
        })
    }

    /// The function of an index in a core instance.
    pub(super) fn core_function(
        &self,
        instance: usize,
        index: u32,
    ) -> Result<FunctionRef, Undecided> {
        let made = item(&self.core_instances, instance)?;
        let module = item(&self.definitions.modules, made.module)?;
        let ty = *item(&module.functions, index)?;
        let index = index as usize;
        let function = match index.checked_sub(module.imported_functions) {
            Some(own) => CoreFunction::Body(instance, own),
            None => *item(&made.imported, index)?,
        };
        Ok(FunctionRef { function, ty })
    }

    /// Instantiates a core module, and places what its segments put into tables.
    fn core_module(
        &mut self,
        module: usize,
        given: &HashMap<&'b str, usize>,
    ) -> Result<usize, Undecided> {
        let definition = item(&self.definitions.modules, module)?;
        let imports = definition.imports.len();
        let (tables, globals) = (definition.tables.len(), definition.globals.len());
        self.step(imports + tables + globals)?;
        let mut made = CoreInstance {
            module,
            imported: Vec::new(),
            tables: Vec::new(),
            globals: Vec::new(),
        };
        let definition = item(&self.definitions.modules, module)?;
        for (from, name, kind) in &definition.imports {
            let instance = given.get(from);
            let instance = instance.ok_or_else(|| Undecided::new("a module lacks an import"))?;
            match (kind, self.core_export(*instance, name)?) {
                (ImportKind::Function, Extern::Function(function)) => {
                    made.imported.push(function);
                }
                (ImportKind::Table, Extern::Table(table)) => made.tables.push(table),
                (ImportKind::Global, Extern::Global(global)) => made.globals.push(global),
                (ImportKind::Other, _) => {}
                _ => return Err(Undecided::new("an import is of another kind")),
            }
        }
        let own_tables = self.tables;
        self.tables += tables;
        made.tables.extend(own_tables..self.tables);
        let instance = self.core_instances.len();
        self.core_instances.push(made);
        for index in 0..globals {
            self.global(instance, index)?;
        }
        for index in 0..tables {
            if let TableInit::Expr(init) = item(&self.module(instance)?.tables, index)? {
                let element = self.element(instance, &init.clone())?;
                self.place(own_tables + index, None, element)?;
            }
        }
        for index in 0..self.module(instance)?.elements.len() {
            let segment = item(&self.module(instance)?.elements, index)?;
            let ElementKind::Active {
                table_index,
                offset_expr,
            } = &segment.kind
            else {
                continue;
            };
            let made = item(&self.core_instances, instance)?;
            let table = *item(&made.tables, table_index.unwrap_or(0))?;
            let offset = self.number(instance, offset_expr);
            let elements = self.elements(instance, index)?;
            for (element, place) in elements.into_iter().zip(0_u32..) {
                let slot = offset.and_then(|offset| offset.checked_add(place));
                self.place(table, slot, element)?;
            }
        }
        if let Some(start) = self.module(instance)?.start {
            let start = self.core_function(instance, start)?.function;
            self.roots.push(start);
        }
        Ok(instance)
    }

    pub(super) fn module(&self, instance: usize) -> Result<&Module<'b>, Undecided> {
        let made = item(&self.core_instances, instance)?;
        item(&self.definitions.modules, made.module)
    }

    fn place(
        &mut self,
        table: usize,
        slot: Option<u32>,
        element: Element,
    ) -> Result<(), Undecided> {
        self.step(1)?;
        self.placed.push(Placed {
            table,
            slot,
            element,
        });
        Ok(())
    }

    /// Adds a global of the module's own to its instance.
    fn global(&mut self, instance: usize, index: usize) -> Result<(), Undecided> {
        let (mutable, init) = item(&self.module(instance)?.globals, index)?;
        let (mutable, init) = (*mutable, init.clone());
        let number = self.number(instance, &init);
        if number.is_none() {
            // A reference that a global holds is a value from then on.
            for operator in init.get_operators_reader() {
                if let Operator::RefFunc { function_index } = operator? {
                    let function = self.core_function(instance, function_index)?;
                    self.place(VALUES, None, Element::Function(function))?;
                }
            }
        }
        self.globals.push(match number {
            Some(number) if !mutable => Global::Number(number),
            _ => Global::Unknown,
        });
        let made = self.globals.len() - 1;
        if let Some(instance) = self.core_instances.get_mut(instance) {
            instance.globals.push(made);
        }
        Ok(())
    }

    /// The value of a constant expression, if it is a number of 32 bits that is known.
    fn number(&self, instance: usize, expression: &ConstExpr<'b>) -> Option<u32> {
        let mut operators = expression.get_operators_reader();
        let number = match operators.read().ok()? {
            Operator::I32Const { value } => value.cast_unsigned(),
            Operator::GlobalGet { global_index } => {
                let globals = &self.core_instances.get(instance)?.globals;
                let global = *globals.get(global_index as usize)?;
                match *self.globals.get(global)? {
                    Global::Number(number) => number,
                    Global::Unknown => return None,
                }
            }
            _ => return None,
        };
        // Anything more is a computation.
        matches!(operators.read(), Ok(Operator::End)).then_some(number)
    }

    /// What a constant expression in a table or a segment gives.
    fn element(&self, instance: usize, expression: &ConstExpr<'b>) -> Result<Element, Undecided> {
        let mut operators = expression.get_operators_reader();
        let element = match operators.read()? {
            Operator::RefFunc { function_index } => {
                Element::Function(self.core_function(instance, function_index)?)
            }
            Operator::RefNull { .. } => Element::Null,
            Operator::GlobalGet { .. } => Element::Any,
            _ => return Err(Undecided::new("a segment computes its references")),
        };
        match operators.read()? {
            Operator::End => Ok(element),
            _ => Err(Undecided::new("a segment computes its references")),
        }
    }

    /// The references of a segment.
    pub(super) fn elements(
        &mut self,
        instance: usize,
        segment: usize,
    ) -> Result<Vec<Element>, Undecided> {
        let items = item(&self.module(instance)?.elements, segment)?
            .items
            .clone();
        match items {
            ElementItems::Functions(functions) => {
                self.step(functions.count() as usize)?;
                let functions = functions.into_iter().map(|index| {
                    let function = self.core_function(instance, index?)?;
                    Ok(Element::Function(function))
                });
                functions.collect()
            }
            ElementItems::Expressions(_, expressions) => {
                self.step(expressions.count() as usize)?;
                let elements = expressions
                    .into_iter()
                    .map(|expression| self.element(instance, &expression?));
                elements.collect()
            }
        }
    }
}

impl Frame {
    /// Adds an item to its index space.
    fn add(&mut self, kind: ComponentExternalKind, item: Item) {
        match kind {
            ComponentExternalKind::Module => self.modules.push(item),
            ComponentExternalKind::Func => self.functions.push(item),
            ComponentExternalKind::Instance => self.instances.push(item),
            ComponentExternalKind::Component => self.components.push(item),
            ComponentExternalKind::Type | ComponentExternalKind::Value => {}
        }
    }

    fn get(&self, kind: ComponentExternalKind, index: u32) -> Result<Item, Undecided> {
        let space = match kind {
            ComponentExternalKind::Module => &self.modules,
            ComponentExternalKind::Func => &self.functions,
            ComponentExternalKind::Instance => &self.instances,
            ComponentExternalKind::Component => &self.components,
            ComponentExternalKind::Type | ComponentExternalKind::Value => return Ok(Item::Other),
        };
        item(space, index).copied()
    }

    /// What options of a lift or lower call besides the function itself.
    fn called_by(&self, options: &[CanonicalOption]) -> Result<Vec<CoreFunction>, Undecided> {
        let called = options.iter().filter_map(|option| match option {
            CanonicalOption::Realloc(function)
            | CanonicalOption::PostReturn(function)
            | CanonicalOption::Callback(function) => Some(*function),
            _ => None,
        });
        called
            .map(|function| item(&self.core_functions, function).copied())
            .collect()
    }
}
