//! From the validator's types to ours: each declaration once, with its name and documentation.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncType, ComponentInstanceType, ComponentValType,
};
use wasmparser::types::TypesRef;

use crate::docs::{Docs, TypeDocs, parameter_docs};
use crate::wit::{
    Case, Enum, Field, Flags, FunctionType, Label, MAX_TYPE_DEPTH, Parameter, Record, Variant,
    WitType,
};

/// Why a function cannot be a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Async,
    Resource,
    Stream,
    Future,
    ErrorContext,
    TooDeep,
    Unresolved,
}

impl Refusal {
    pub(super) fn why(self) -> String {
        match self {
            Self::Async => "is an async function".to_owned(),
            Self::Resource => "uses a resource handle".to_owned(),
            Self::Stream => "uses a stream".to_owned(),
            Self::Future => "uses a future".to_owned(),
            Self::ErrorContext => "uses an error-context".to_owned(),
            Self::TooDeep => format!("nests types deeper than {MAX_TYPE_DEPTH} levels"),
            Self::Unresolved => "uses a type that cannot be resolved".to_owned(),
        }
    }
}

/// A type with the number of levels it nests.
type Built = Result<(WitType, usize), Refusal>;

/// A name of a declaration, with the interface that gives it.
#[derive(PartialEq, Eq)]
struct Name {
    interface: Option<Rc<str>>,
    name: String,
}

/// Builds types, each declaration once.
pub(super) struct Builder<'a> {
    types: TypesRef<'a>,
    docs: &'a Docs,
    /// The names of a type, the one to use first.
    names: HashMap<ComponentDefinedTypeId, Vec<Name>>,
    /// Types that stand for another one, such as what an exported interface passes on.
    links: HashMap<ComponentDefinedTypeId, ComponentDefinedTypeId>,
    built: HashMap<ComponentDefinedTypeId, Built>,
    /// The documentation that schemas take over, with the names of the types.
    shown: Vec<(String, &'a TypeDocs)>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(types: TypesRef<'a>, docs: &'a Docs) -> Self {
        Self {
            types,
            docs,
            names: HashMap::new(),
            links: HashMap::new(),
            built: HashMap::new(),
            shown: Vec::new(),
        }
    }

    /// The documented types of the functions so far, each once, in the order in which they were met.
    pub(super) fn shown(&self) -> &[(String, &'a TypeDocs)] {
        &self.shown
    }

    /// Remembers the names of the types that an interface, or the world, gives them.
    ///
    /// The first name of a declaration is its name; documentation may stand under any.
    pub(super) fn learn_names<'n>(
        &mut self,
        interface: Option<&str>,
        items: impl Iterator<Item = (&'n str, &'n ComponentEntityType)>,
    ) {
        let interface: Option<Rc<str>> = interface.map(Rc::from);
        for (name, item) in items {
            let ComponentEntityType::Type {
                created: ComponentAnyTypeId::Defined(created),
                referenced: ComponentAnyTypeId::Defined(referenced),
            } = item
            else {
                continue;
            };
            let (created, referenced) = (self.root(*created), self.root(*referenced));
            // Instantiation makes copies; what they were made from tells where they came from.
            if created != referenced {
                self.links.insert(created, referenced);
            }
            let name = Name {
                interface: interface.clone(),
                name: name.to_owned(),
            };
            let known = self.names.entry(created).or_default();
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }

    /// The exports of an instance type; none if the validator does not know it.
    pub(super) fn instance(
        &self,
        id: wasmparser::component_types::ComponentInstanceTypeId,
    ) -> Option<&'a ComponentInstanceType> {
        self.types.get(id)
    }

    /// The type of a function, with what its documentation says of the parameters.
    pub(super) fn function(
        &mut self,
        id: wasmparser::component_types::ComponentFuncTypeId,
        docs: Option<&str>,
    ) -> Result<FunctionType, Refusal> {
        let ComponentFuncType {
            async_,
            params,
            result,
            ..
        } = self.types.get(id).ok_or(Refusal::Unresolved)?;
        if *async_ {
            return Err(Refusal::Async);
        }
        let params = params
            .iter()
            .map(|(name, ty)| {
                let (ty, _) = self.value(*ty)?;
                let name = name.as_str().to_owned();
                let docs = docs.and_then(|docs| parameter_docs(docs, &name));
                Ok(Parameter { name, ty, docs })
            })
            .collect::<Result<_, _>>()?;
        let result = result
            .map(|ty| self.value(ty))
            .transpose()?
            .map(|(ty, _)| ty);
        Ok(FunctionType { params, result })
    }

    /// The declaration behind aliases.
    fn root(&self, mut id: ComponentDefinedTypeId) -> ComponentDefinedTypeId {
        while let Some(next) = self.types.peel_alias(id) {
            id = next;
        }
        id
    }

    /// A type and what it stands for, the declaration last.
    fn chain(&self, id: ComponentDefinedTypeId) -> Vec<ComponentDefinedTypeId> {
        let mut chain = vec![self.root(id)];
        while let Some(next) = chain.last().and_then(|id| self.links.get(id)) {
            if chain.contains(next) {
                break;
            }
            chain.push(*next);
        }
        chain
    }

    fn value(&mut self, ty: ComponentValType) -> Built {
        match ty {
            ComponentValType::Primitive(primitive) => self.primitive(primitive),
            ComponentValType::Type(id) => {
                let chain = self.chain(id);
                let declaration = chain.last().copied().unwrap_or(id);
                if let Some(built) = self.built.get(&declaration) {
                    return built.clone();
                }
                let built = self
                    .defined(&chain, declaration)
                    .and_then(|(ty, depth)| match depth {
                        ..=MAX_TYPE_DEPTH => Ok((ty, depth)),
                        _ => Err(Refusal::TooDeep),
                    });
                self.built.insert(declaration, built.clone());
                built
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    fn primitive(&self, primitive: PrimitiveValType) -> Built {
        let ty = match primitive {
            PrimitiveValType::Bool => WitType::Bool,
            PrimitiveValType::S8 => WitType::S8,
            PrimitiveValType::U8 => WitType::U8,
            PrimitiveValType::S16 => WitType::S16,
            PrimitiveValType::U16 => WitType::U16,
            PrimitiveValType::S32 => WitType::S32,
            PrimitiveValType::U32 => WitType::U32,
            PrimitiveValType::S64 => WitType::S64,
            PrimitiveValType::U64 => WitType::U64,
            PrimitiveValType::F32 => WitType::F32,
            PrimitiveValType::F64 => WitType::F64,
            PrimitiveValType::Char => WitType::Char,
            PrimitiveValType::String => WitType::String,
            PrimitiveValType::ErrorContext => return Err(Refusal::ErrorContext),
        };
        Ok((ty, 1))
    }

    /// A type inside another, behind an `Arc`, with the depth of the whole.
    fn inner(&mut self, ty: ComponentValType) -> Result<(Arc<WitType>, usize), Refusal> {
        let (ty, depth) = self.value(ty)?;
        Ok((Arc::new(ty), depth + 1))
    }

    fn maybe(&mut self, ty: Option<ComponentValType>) -> Result<(Option<WitType>, usize), Refusal> {
        match ty {
            None => Ok((None, 1)),
            Some(ty) => self.value(ty).map(|(ty, depth)| (Some(ty), depth + 1)),
        }
    }

    /// A declaration, named by what stands for it or itself.
    fn defined(&mut self, chain: &[ComponentDefinedTypeId], id: ComponentDefinedTypeId) -> Built {
        let defined = self.types.get(id).ok_or(Refusal::Unresolved)?;
        let docs = self.docs;
        let mut given = chain.iter().filter_map(|id| self.names.get(id)).flatten();
        let type_docs = given
            .clone()
            .find_map(|given| docs.ty(given.interface.as_deref(), &given.name));
        let first = given.next().map(|given| given.name.clone());
        if let Some(shown) = type_docs {
            self.shown.push((first.clone().unwrap_or_default(), shown));
        }
        let name = |kind: &str| first.clone().unwrap_or_else(|| kind.to_owned());
        match defined {
            ComponentDefinedType::Primitive(primitive) => self.primitive(*primitive),
            ComponentDefinedType::List { element, .. } => {
                let (element, depth) = self.inner(*element)?;
                Ok((WitType::List(element), depth))
            }
            ComponentDefinedType::FixedLengthList {
                element, length, ..
            } => {
                let (element, depth) = self.inner(*element)?;
                Ok((WitType::FixedList(element, *length), depth))
            }
            ComponentDefinedType::Map { key, value, .. } => {
                let (key, key_depth) = self.inner(*key)?;
                let (value, value_depth) = self.inner(*value)?;
                Ok((WitType::Map(key, value), key_depth.max(value_depth)))
            }
            ComponentDefinedType::Option { ty, .. } => {
                let (inner, depth) = self.inner(*ty)?;
                Ok((WitType::Option(inner), depth))
            }
            ComponentDefinedType::Result { ok, err, .. } => {
                let (ok, ok_depth) = self.maybe(*ok)?;
                let (err, err_depth) = self.maybe(*err)?;
                let ty = WitType::Result {
                    ok: ok.map(Arc::new),
                    err: err.map(Arc::new),
                };
                Ok((ty, ok_depth.max(err_depth)))
            }
            ComponentDefinedType::Tuple(tuple) => {
                let mut depth = 1;
                let mut items = Vec::with_capacity(tuple.types.len());
                for item in &tuple.types {
                    let (item, inner) = self.value(*item)?;
                    depth = depth.max(inner + 1);
                    items.push(item);
                }
                Ok((WitType::Tuple(items.into()), depth))
            }
            ComponentDefinedType::Record(record) => {
                let name = name("record");
                let mut depth = 1;
                let mut fields = Vec::with_capacity(record.fields.len());
                for (field, ty) in &record.fields {
                    let (ty, inner) = self.value(*ty)?;
                    depth = depth.max(inner + 1);
                    let docs = item_docs(type_docs, field.as_str());
                    fields.push(Field {
                        name: field.as_str().to_owned(),
                        ty,
                        docs,
                    });
                }
                let docs = own_docs(type_docs);
                Ok((
                    WitType::Record(Arc::new(Record { name, docs, fields })),
                    depth,
                ))
            }
            ComponentDefinedType::Variant(variant) => {
                let name = name("variant");
                let mut depth = 1;
                let mut cases = Vec::with_capacity(variant.cases.len());
                for (case, ty) in &variant.cases {
                    let (ty, inner) = self.maybe(ty.ty)?;
                    depth = depth.max(inner);
                    let docs = item_docs(type_docs, case.as_str());
                    cases.push(Case {
                        name: case.as_str().to_owned(),
                        ty,
                        docs,
                    });
                }
                let docs = own_docs(type_docs);
                Ok((
                    WitType::Variant(Arc::new(Variant { name, docs, cases })),
                    depth,
                ))
            }
            ComponentDefinedType::Enum(labels) => {
                let (name, docs) = (name("enum"), own_docs(type_docs));
                let labels = labels
                    .iter()
                    .map(|label| labelled(type_docs, label.as_str()))
                    .collect();
                Ok((WitType::Enum(Arc::new(Enum { name, docs, labels })), 1))
            }
            ComponentDefinedType::Flags(labels) => {
                let (name, docs) = (name("flags"), own_docs(type_docs));
                let labels = labels
                    .iter()
                    .map(|label| labelled(type_docs, label.as_str()))
                    .collect();
                Ok((WitType::Flags(Arc::new(Flags { name, docs, labels })), 1))
            }
            ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => {
                Err(Refusal::Resource)
            }
            ComponentDefinedType::Future { .. } => Err(Refusal::Future),
            ComponentDefinedType::Stream { .. } => Err(Refusal::Stream),
        }
    }
}

fn own_docs(docs: Option<&TypeDocs>) -> Option<String> {
    docs?.docs.as_ref()?.clean().map(str::to_owned)
}

fn item_docs(docs: Option<&TypeDocs>, item: &str) -> Option<String> {
    docs?.items.get(item)?.clean().map(str::to_owned)
}

fn labelled(docs: Option<&TypeDocs>, label: &str) -> Label {
    Label {
        name: label.to_owned(),
        docs: item_docs(docs, label),
    }
}
