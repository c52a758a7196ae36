//! What WIT types are there? The type model that schemas, values and inspection share.
//!
//! A type is a directed acyclic graph: nodes that a component declares once are one `Arc` here, so
//! that a small component whose types would unfold to millions of leaves stays small. Walks over a
//! *value* are bounded by the value; walks over a *type* must remember what they have visited.

use std::sync::Arc;

/// How many levels of types may nest in a tool's parameters or result.
///
/// A level costs at most four levels of JSON Schema, and common JSON parsers stop at 128.
pub const MAX_TYPE_DEPTH: usize = 24;

/// A value type of a tool, as far as Casemate can carry it as JSON.
///
/// Resources, streams, futures and error contexts have no place here: a function that needs one is
/// listed as unsupported by inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitType {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`: one Unicode scalar value
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Arc<WitType>),
    /// `list<T, N>`: exactly N elements
    FixedList(Arc<WitType>, u32),
    /// `map<K, V>`
    Map(Arc<WitType>, Arc<WitType>),
    /// `tuple<…>`
    Tuple(Arc<[WitType]>),
    /// `option<T>`
    Option(Arc<WitType>),
    /// `result<T, E>`; `None` stands for `_`
    Result {
        /// What success carries.
        ok: Option<Arc<WitType>>,
        /// What failure carries.
        err: Option<Arc<WitType>>,
    },
    /// `record`
    Record(Arc<Record>),
    /// `variant`
    Variant(Arc<Variant>),
    /// `enum`
    Enum(Arc<Enum>),
    /// `flags`
    Flags(Arc<Flags>),
}

/// A record: named fields, all present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The WIT name of the type.
    pub name: String,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
    /// The fields, in declaration order.
    pub fields: Vec<Field>,
}

/// A field of a [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The WIT name.
    pub name: String,
    /// The type of its values.
    pub ty: WitType,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
}

/// A variant: exactly one of its cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The WIT name of the type.
    pub name: String,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
    /// The cases, in declaration order.
    pub cases: Vec<Case>,
}

/// A case of a [`Variant`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The WIT name.
    pub name: String,
    /// What the case carries, if anything.
    pub ty: Option<WitType>,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
}

/// An enumeration: exactly one of its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// The WIT name of the type.
    pub name: String,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
    /// The labels, in declaration order.
    pub labels: Vec<Label>,
}

/// A set of flags: any subset of its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// The WIT name of the type.
    pub name: String,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
    /// The labels, in declaration order.
    pub labels: Vec<Label>,
}

/// A label of an [`Enum`] or of [`Flags`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The WIT name.
    pub name: String,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The WIT name, which is also the JSON name.
    pub name: String,
    /// The type of its values.
    pub ty: WitType,
    /// The author's words about it, made safe to show.
    pub docs: Option<String>,
}

/// The type of a synchronous function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionType {
    /// The parameters, in declaration order.
    pub params: Vec<Parameter>,
    /// The result, if there is one.
    pub result: Option<WitType>,
}

impl WitType {
    /// Whether JSON `null` is a value of this type, so that an `option` of it needs a wrapper.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// Whether a record may leave out a field of this type.
    pub(crate) fn may_be_absent(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// The identity of the declaration behind this type; `None` for primitives, which have none.
    ///
    /// Two types with one identity are equal; equal types may have two identities.
    pub(crate) fn identity(&self) -> Option<Identity> {
        fn at<T: ?Sized>(node: &Arc<T>) -> usize {
            Arc::as_ptr(node).cast::<()>().addr()
        }
        let (kind, first, second) = match self {
            Self::List(element) => (0, at(element), 0),
            Self::FixedList(element, length) => (
                1,
                at(element),
                usize::try_from(*length).unwrap_or(usize::MAX),
            ),
            Self::Map(key, value) => (2, at(key), at(value)),
            Self::Tuple(items) => (3, at(items), items.len()),
            Self::Option(inner) => (4, at(inner), 0),
            Self::Result { ok, err } => (5, ok.as_ref().map_or(0, at), err.as_ref().map_or(0, at)),
            Self::Record(record) => (6, at(record), 0),
            Self::Variant(variant) => (7, at(variant), 0),
            Self::Enum(labels) => (8, at(labels), 0),
            Self::Flags(labels) => (9, at(labels), 0),
            Self::Bool
            | Self::S8
            | Self::U8
            | Self::S16
            | Self::U16
            | Self::S32
            | Self::U32
            | Self::S64
            | Self::U64
            | Self::F32
            | Self::F64
            | Self::Char
            | Self::String => return None,
        };
        Some(Identity {
            kind,
            first,
            second,
        })
    }

    /// Calls `visit` with each type directly inside this one.
    pub(crate) fn for_each_child<'t>(&'t self, mut visit: impl FnMut(&'t WitType)) {
        match self {
            Self::List(inner) | Self::FixedList(inner, _) | Self::Option(inner) => visit(inner),
            Self::Map(key, value) => {
                visit(key);
                visit(value);
            }
            Self::Tuple(items) => items.iter().for_each(visit),
            Self::Result { ok, err } => {
                ok.iter().chain(err).for_each(|inner| visit(inner));
            }
            Self::Record(record) => record.fields.iter().for_each(|field| visit(&field.ty)),
            Self::Variant(variant) => {
                variant
                    .cases
                    .iter()
                    .filter_map(|case| case.ty.as_ref())
                    .for_each(visit);
            }
            Self::Enum(_)
            | Self::Flags(_)
            | Self::Bool
            | Self::S8
            | Self::U8
            | Self::S16
            | Self::U16
            | Self::S32
            | Self::U32
            | Self::S64
            | Self::U64
            | Self::F32
            | Self::F64
            | Self::Char
            | Self::String => {}
        }
    }
}

/// Where a type was declared: equal identities mean one and the same declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    kind: u8,
    first: usize,
    second: usize,
}
