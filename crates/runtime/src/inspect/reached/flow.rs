//! From tools to calls: which functions can run, and which references can be in which table.

use std::collections::{HashMap, HashSet};

use wasmparser::{ComponentExternalKind, Operator};

use super::definitions::{ANY, CoreType, Definitions};
use super::linking::{
    Canonical, CoreFunction, Element, Function, FunctionRef, Item, Linked, Placed, VALUES,
};
use super::{Undecided, item};
use crate::inspect::{InspectedComponent, IntakeLimits};

/// Most comparisons of a call through a table with what is in the table.
const MAX_COMPARISONS: u64 = 20_000_000;

/// Most references in all tables.
const MAX_REFERENCES: usize = 400_000;

/// An imported function: the import's name, and the function's.
pub(super) type Import<'b> = (&'b str, &'b str);

/// The imported functions that tools can call, and whether that is all of them.
pub(super) fn called<'b>(
    bytes: &'b [u8],
    inspected: &'b InspectedComponent,
    limits: &IntakeLimits,
) -> (HashSet<Import<'b>>, Result<(), Undecided>) {
    let linked = Definitions::read(bytes).and_then(|all| Linked::link(all, limits));
    let linked = match linked {
        Ok(linked) => linked,
        Err(undecided) => return (HashSet::new(), Err(undecided)),
    };
    let mut flow = Flow {
        tables: (0..linked.tables).map(|_| Table::default()).collect(),
        linked,
        called: HashSet::new(),
        seen: HashSet::new(),
        open: Vec::new(),
        placing: Vec::new(),
        // Each body once, and as much again for modules that are instantiated several times.
        code_bytes: 2 * limits.code_bytes,
        comparisons: MAX_COMPARISONS,
        references: 0,
    };
    let decided = flow.run(inspected);
    (flow.called, decided)
}

/// A call through a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Site {
    ty: CoreType,
    /// The slot, where it is a constant.
    slot: Option<u32>,
}

impl Site {
    fn fits(self, ty: CoreType) -> bool {
        self.ty == ty || self.ty == ANY || ty == ANY
    }
}

/// What can be in a table, and who calls through it.
#[derive(Default)]
struct Table {
    slots: HashMap<u32, Vec<FunctionRef>>,
    /// What can be in any slot.
    anywhere: Vec<FunctionRef>,
    by_type: HashMap<CoreType, Vec<FunctionRef>>,
    known: HashSet<FunctionRef>,
    known_anywhere: HashSet<FunctionRef>,
    sites: HashSet<Site>,
    /// Tables that take over what is in this one.
    flows_to: HashSet<usize>,
}

/// A reference on its way into a table.
struct Placing {
    table: usize,
    slot: Option<u32>,
    reference: FunctionRef,
}

struct Flow<'b> {
    linked: Linked<'b>,
    tables: Vec<Table>,
    called: HashSet<Import<'b>>,
    seen: HashSet<CoreFunction>,
    open: Vec<CoreFunction>,
    placing: Vec<Placing>,
    code_bytes: u64,
    comparisons: u64,
    references: usize,
}

impl<'b> Flow<'b> {
    fn run(&mut self, inspected: &'b InspectedComponent) -> Result<(), Undecided> {
        for Placed {
            table,
            slot,
            element,
        } in std::mem::take(&mut self.linked.placed)
        {
            self.place(table, slot, element)?;
        }
        for root in std::mem::take(&mut self.linked.roots) {
            self.reach(root);
        }
        for function in std::mem::take(&mut self.linked.root_functions) {
            self.call(function)?;
        }
        for tool in inspected.tools() {
            let function = self.tool(tool.interface.as_deref(), &tool.function)?;
            self.call(function)?;
        }
        self.settle()?;
        // What cannot be followed leaves the answer open, and does not take back what others can reach.
        let mut decided = Ok(());
        while let Some(function) = self.open.pop() {
            let followed = self.follow(function).and_then(|()| self.settle());
            decided = decided.and(followed);
        }
        decided
    }

    fn follow(&mut self, function: CoreFunction) -> Result<(), Undecided> {
        let canonical = match function {
            CoreFunction::Body(instance, index) => return self.body(instance, index),
            CoreFunction::Canonical(index) => item(&self.linked.canonical, index)?,
        };
        let (function, also) = match canonical {
            Canonical::Lower(function, also) => (Some(*function), also.clone()),
            Canonical::Builtin(also) => (None, also.clone()),
            Canonical::Thread => return Err(Undecided::new("it starts threads")),
        };
        also.into_iter().for_each(|function| self.reach(function));
        function.map_or(Ok(()), |function| self.call(function))
    }

    /// The function that is called as a tool.
    fn tool(&mut self, interface: Option<&str>, function: &'b str) -> Result<usize, Undecided> {
        let lost = || Undecided::new("a tool is not among its exports");
        let exports = &self.linked.exports;
        let found = match interface {
            None => exports.get(function).copied(),
            Some(interface) => {
                let Some(Item::Instance(instance)) = exports.get(interface).copied() else {
                    return Err(lost());
                };
                let function = self
                    .linked
                    .export(instance, ComponentExternalKind::Func, function);
                Some(function?)
            }
        };
        match found {
            Some(Item::Function(function)) => Ok(function),
            _ => Err(lost()),
        }
    }

    fn reach(&mut self, function: CoreFunction) {
        if self.seen.insert(function) {
            self.open.push(function);
        }
    }

    /// A function of a component is called.
    fn call(&mut self, function: usize) -> Result<(), Undecided> {
        match item(&self.linked.functions, function)? {
            Function::Import(import, name) => {
                self.called.insert((*import, name));
            }
            Function::Lifted(functions) => {
                for function in functions.clone() {
                    self.reach(function);
                }
            }
        }
        Ok(())
    }

    /// Reads a body.
    fn body(&mut self, instance: usize, index: usize) -> Result<(), Undecided> {
        let body = item(&self.linked.module(instance)?.bodies, index)?.clone();
        let left = self.code_bytes.checked_sub(body.range().len() as u64);
        self.code_bytes =
            left.ok_or_else(|| Undecided::new("it has more code than can be followed"))?;
        // The number on top of the stack, if the instruction before put it there.
        let mut top = None;
        for operator in body.get_operators_reader()? {
            let before = std::mem::take(&mut top);
            match operator? {
                Operator::I32Const { value } => top = Some(value.cast_unsigned()),
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    let function = self.linked.core_function(instance, function_index)?;
                    self.reach(function.function);
                }
                Operator::CallIndirect {
                    type_index,
                    table_index,
                }
                | Operator::ReturnCallIndirect {
                    type_index,
                    table_index,
                } => {
                    let ty = self.linked.module(instance)?.ty(type_index)?;
                    let table = self.table(instance, table_index)?;
                    self.call_through(table, Site { ty, slot: before })?;
                }
                Operator::RefFunc { function_index } => {
                    let function = self.linked.core_function(instance, function_index)?;
                    self.place(VALUES, None, Element::Function(function))?;
                }
                Operator::TableInit { elem_index, table } => {
                    let table = self.table(instance, table)?;
                    for element in self.linked.elements(instance, elem_index as usize)? {
                        self.place(table, None, element)?;
                    }
                }
                Operator::TableSet { table }
                | Operator::TableGrow { table }
                | Operator::TableFill { table } => {
                    let table = self.table(instance, table)?;
                    self.flows(VALUES, table)?;
                }
                Operator::TableGet { table } => {
                    let table = self.table(instance, table)?;
                    self.flows(table, VALUES)?;
                }
                Operator::TableCopy {
                    dst_table,
                    src_table,
                } => {
                    let from = self.table(instance, src_table)?;
                    let to = self.table(instance, dst_table)?;
                    self.flows(from, to)?;
                }
                operator => {
                    if let Some(proposal) = unmodelled(&operator) {
                        let proposal = proposal.replace('_', "-");
                        return Err(Undecided::new(format!(
                            "its code uses the proposal {proposal}"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn table(&self, instance: usize, index: u32) -> Result<usize, Undecided> {
        let made = item(&self.linked.core_instances, instance)?;
        item(&made.tables, index).copied()
    }

    fn of(&mut self, table: usize) -> Result<&mut Table, Undecided> {
        self.tables
            .get_mut(table)
            .ok_or_else(|| Undecided::new("it refers to something that is not there"))
    }

    fn compare(&mut self, count: usize) -> Result<(), Undecided> {
        let left = self.comparisons.checked_sub(count as u64);
        self.comparisons =
            left.ok_or_else(|| Undecided::new("it has more references than can be followed"))?;
        Ok(())
    }

    /// Code calls through a table: whatever fits there can run.
    fn call_through(&mut self, table: usize, site: Site) -> Result<(), Undecided> {
        let called = self.of(table)?;
        if !called.sites.insert(site) {
            return Ok(());
        }
        let mut fitting: Vec<FunctionRef> = Vec::new();
        match site.slot {
            Some(slot) => {
                fitting.extend(called.slots.get(&slot).into_iter().flatten());
                fitting.extend(&called.anywhere);
            }
            None if site.ty == ANY => fitting.extend(&called.known),
            None => {
                for ty in [site.ty, ANY] {
                    fitting.extend(called.by_type.get(&ty).into_iter().flatten());
                }
            }
        }
        self.compare(fitting.len())?;
        for reference in fitting {
            if site.fits(reference.ty) {
                self.reach(reference.function);
            }
        }
        Ok(())
    }

    /// Everything in one table, now or later, can be anywhere in another.
    fn flows(&mut self, from: usize, to: usize) -> Result<(), Undecided> {
        let source = self.of(from)?;
        // Into itself as well: what was in one slot can then be anywhere.
        if !source.flows_to.insert(to) {
            return Ok(());
        }
        let moved: Vec<FunctionRef> = source.known.iter().copied().collect();
        self.compare(moved.len())?;
        for reference in moved {
            self.placing.push(Placing {
                table: to,
                slot: None,
                reference,
            });
        }
        Ok(())
    }

    fn place(
        &mut self,
        table: usize,
        slot: Option<u32>,
        element: Element,
    ) -> Result<(), Undecided> {
        match element {
            Element::Function(reference) => self.placing.push(Placing {
                table,
                slot,
                reference,
            }),
            Element::Null => {}
            Element::Any => self.flows(VALUES, table)?,
        }
        Ok(())
    }

    /// Lets all references arrive, and those that they let flow on.
    fn settle(&mut self) -> Result<(), Undecided> {
        while let Some(Placing {
            table,
            slot,
            reference,
        }) = self.placing.pop()
        {
            let into = self.of(table)?;
            match slot {
                Some(slot) => into.slots.entry(slot).or_default().push(reference),
                None if into.known_anywhere.insert(reference) => into.anywhere.push(reference),
                None => continue,
            }
            let is_new = into.known.insert(reference);
            if is_new {
                into.by_type
                    .entry(reference.ty)
                    .or_default()
                    .push(reference);
            }
            let sites = into.sites.len();
            let called = into.sites.iter().any(|site| {
                site.fits(reference.ty)
                    && (site.slot.is_none() || slot.is_none() || site.slot == slot)
            });
            let onward: Vec<usize> = if is_new {
                into.flows_to.iter().copied().collect()
            } else {
                Vec::new()
            };
            self.references += 1;
            if self.references > MAX_REFERENCES {
                return Err(Undecided::new(
                    "it has more references than can be followed",
                ));
            }
            self.compare(sites + onward.len())?;
            if called {
                self.reach(reference.function);
            }
            for table in onward {
                self.placing.push(Placing {
                    table,
                    slot: None,
                    reference,
                });
            }
        }
        Ok(())
    }
}

/// The proposal of an instruction through which references could go where this does not follow them.
fn unmodelled(operator: &Operator<'_>) -> Option<&'static str> {
    macro_rules! proposal {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
            match operator {
                $( Operator::$op { .. } => stringify!($proposal), )*
                _ => "of an unknown kind",
            }
        };
    }
    let proposal = wasmparser::for_each_operator!(proposal);
    match proposal {
        "mvp"
        | "sign_extension"
        | "saturating_float_to_int"
        | "bulk_memory"
        | "reference_types"
        | "tail_call"
        | "simd"
        | "relaxed_simd"
        | "threads"
        | "wide_arithmetic" => None,
        other => Some(other),
    }
}
