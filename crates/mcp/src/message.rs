//! A text as a message, or as the error that says why it is none.

mod ids;
mod scan;
mod value;

pub(crate) use ids::Ids;
pub(crate) use scan::Scan;

use crate::guard::BUSY;
use crate::handler::is_served;
use crate::text::shown;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotification, CancelledNotificationParam,
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, ErrorData, GetMeta as _,
    InitializedNotification, JsonRpcMessage, MetaObject, ProtocolVersion, RequestId,
    RequestMetaObject,
};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::error::Category;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::fmt;
use value::Unambiguous;

/// Longest message that is read from a stream, in bytes.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Longest id of a request, in bytes.
const MAX_ID: usize = 256;
/// Characters of a method that are repeated to the client.
const MAX_ECHO: usize = 64;
/// Values in one message of a stream. Each takes up to 72 bytes and its name once built, so this,
/// with the longest message, bounds what one line makes this process hold to some 200 MiB.
pub(crate) const MAX_VALUES: usize = 2 << 20;

/// A sound message.
pub(crate) enum Read {
    /// Something to answer.
    Request {
        id: RequestId,
        request: Box<ClientRequest>,
    },
    /// The client gives up the request with this id.
    Cancelled(ClientNotification, RequestId),
    /// Something to know.
    Notification(ClientNotification),
    /// Nothing that is of use: an empty line, an answer that nobody waits for, other news.
    Nothing,
}

/// The answer to what is no sound message.
#[derive(Debug)]
pub(crate) struct Rejection(Box<Refused>);

/// Not rmcp's type, which leaves an unknown id out where JSON-RPC wants null.
#[derive(Debug, Serialize)]
struct Refused {
    jsonrpc: &'static str,
    id: Option<RequestId>,
    error: ErrorData,
}

impl Rejection {
    fn new(code: ErrorCode, id: Option<RequestId>, message: String, data: Option<Value>) -> Self {
        Self(Box::new(Refused {
            jsonrpc: "2.0",
            id,
            error: ErrorData::new(code, message, data),
        }))
    }

    pub(crate) fn parse(message: impl fmt::Display) -> Self {
        // What cannot be parsed has no id that could be trusted.
        let message = format!("Parse error: {message}");
        Self::new(ErrorCode::PARSE_ERROR, None, message, None)
    }

    pub(crate) fn invalid_request(id: Option<RequestId>, message: impl fmt::Display) -> Self {
        let message = format!("Invalid request: {message}");
        Self::new(ErrorCode::INVALID_REQUEST, id, message, None)
    }

    fn invalid_params(id: RequestId, message: impl fmt::Display) -> Self {
        let message = format!("Invalid params: {message}");
        Self::new(ErrorCode::INVALID_PARAMS, Some(id), message, None)
    }

    /// A message of more than `max` bytes.
    pub(crate) fn too_long(id: Option<RequestId>, max: usize) -> Self {
        let message = format!(
            "limit.body: the message is longer than {} MiB",
            max / (1024 * 1024)
        );
        let data = json!({ "reason": "limit.body", "max_bytes": max });
        Self::new(ErrorCode::INVALID_REQUEST, id, message, Some(data))
    }

    /// Headers that do not fit each other or the message.
    pub(crate) fn header_mismatch(id: Option<RequestId>, message: impl fmt::Display) -> Self {
        let message = format!("Header mismatch: {message}");
        Self::new(ErrorCode::HEADER_MISMATCH, id, message, None)
    }

    /// A request that finds no room.
    pub(crate) fn busy(id: Option<RequestId>, message: impl fmt::Display) -> Self {
        let message = format!("limit.concurrency: {message}");
        let data = json!({ "reason": "limit.concurrency" });
        Self::new(BUSY, id, message, Some(data))
    }

    /// An error of Casemate itself.
    pub(crate) fn defect(id: Option<RequestId>, error: ErrorData) -> Self {
        Self(Box::new(Refused {
            jsonrpc: "2.0",
            id,
            error,
        }))
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.0.error.code
    }

    fn too_many_values(id: Option<RequestId>, max: usize) -> Self {
        let message = format!("limit.body: the message holds more than {max} values");
        let data = json!({ "reason": "limit.body", "max_values": max });
        Self::new(ErrorCode::INVALID_REQUEST, id, message, Some(data))
    }
}

impl Serialize for Rejection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What stands where an id belongs.
#[derive(Debug)]
pub(crate) enum Id {
    /// A string of at most [`MAX_ID`] bytes, or a whole number.
    Valid(RequestId),
    /// Anything else.
    Invalid,
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl<'de> Visitor<'de> for IdVisitor {
            type Value = Id;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an id")
            }

            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(if text.len() <= MAX_ID {
                    Id::Valid(RequestId::String(text.into()))
                } else {
                    Id::Invalid
                })
            }

            fn visit_i64<E>(self, number: i64) -> Result<Id, E> {
                Ok(Id::Valid(RequestId::Number(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
                Ok(i64::try_from(number)
                    .map_or(Id::Invalid, |number| Id::Valid(RequestId::Number(number))))
            }

            fn visit_f64<E>(self, _number: f64) -> Result<Id, E> {
                Ok(Id::Invalid)
            }

            fn visit_bool<E>(self, _value: bool) -> Result<Id, E> {
                Ok(Id::Invalid)
            }

            fn visit_unit<E>(self) -> Result<Id, E> {
                Ok(Id::Invalid)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Id, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Id::Invalid)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Id, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Id::Invalid)
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}

/// A message as JSON-RPC sees it. `id: null` is there and not valid.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "there")]
    id: Option<Id>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    params: Option<Unambiguous>,
    #[serde(default, deserialize_with = "there")]
    result: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    error: Option<IgnoredAny>,
}

fn there<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The text of a message, which may be empty.
///
/// # Errors
///
/// Fails for what is not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Rejection> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Rejection::parse("the message is not UTF-8"));
    };
    // RFC 8259 lets a reader pass over a byte order mark.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii())
}

/// Reads one message of at most `max_values` values.
///
/// # Errors
///
/// The answer to what is no message, or no sound one.
pub(crate) fn read(bytes: &[u8], max_values: usize) -> Result<Read, Rejection> {
    let text = text(bytes)?;
    if text.is_empty() {
        return Ok(Read::Nothing);
    }
    // Counted before they are built, where there can be so many: each takes two bytes at least.
    if text.len() / 2 > max_values {
        let mut scan = Scan::default();
        scan.feed(text.as_bytes());
        if scan.values() > max_values {
            return Err(Rejection::too_many_values(scan.id(), max_values));
        }
    }
    let envelope =
        serde_json::from_str::<Envelope<'_>>(text).map_err(|error| unreadable(text, &error))?;
    let id = match envelope.id {
        None => None,
        Some(Id::Valid(id)) => Some(id),
        Some(Id::Invalid) => {
            return Err(Rejection::invalid_request(
                None,
                format_args!("id: expected a whole number or a string of at most {MAX_ID} bytes"),
            ));
        }
    };
    if envelope.jsonrpc.as_deref() != Some("2.0") {
        return Err(Rejection::invalid_request(id, "jsonrpc: expected \"2.0\""));
    }
    let params = envelope.params.map(|Unambiguous(params)| params);
    let outcome = envelope.result.is_some() || envelope.error.is_some();
    match (envelope.method, id) {
        (Some(_), id) if outcome => Err(Rejection::invalid_request(
            id,
            "both a method and a result or error",
        )),
        (Some(method), Some(id)) => request(&method, id, params, text),
        (Some(method), None) => Ok(notification(&method, params)),
        // Casemate asks nothing of clients, so nobody waits for it.
        (None, _) if outcome => Ok(Read::Nothing),
        (None, id) => Err(Rejection::invalid_request(id, "no method")),
    }
}

/// Why `text` could not be read, as an answer.
fn unreadable(text: &str, error: &serde_json::Error) -> Rejection {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Rejection::parse(error);
    }
    if text.starts_with('[') {
        return Rejection::invalid_request(None, "batches are not supported");
    }
    let mut scan = Scan::default();
    scan.feed(text.as_bytes());
    match error.classify() {
        // A member is missing, there twice, or of another kind. The error would quote what it found.
        Category::Data => Rejection::invalid_request(scan.id(), "not a JSON-RPC message"),
        // JSON all right, but nested too deeply, or with a number or character that nothing holds.
        Category::Syntax | Category::Eof | Category::Io => {
            Rejection::invalid_request(scan.id(), error)
        }
    }
}

fn request(
    method: &str,
    id: RequestId,
    params: Option<Value>,
    text: &str,
) -> Result<Read, Rejection> {
    // The one that matters is built from what is already here; rmcp would try its two dozen kinds
    // of requests on a copy of the arguments.
    if method == "tools/call" {
        return match call(params) {
            Ok(request) => Ok(Read::Request {
                id,
                request: Box::new(request),
            }),
            Err(problem) => Err(Rejection::invalid_params(id, problem)),
        };
    }
    let request = match serde_json::from_str::<ClientJsonRpcMessage>(text) {
        Ok(JsonRpcMessage::Request(message)) => message.request,
        Ok(_) | Err(_) => {
            let method = shown(method, MAX_ECHO);
            let problem = format!("params of {method}: expected an object");
            return Err(Rejection::invalid_params(id, problem));
        }
    };
    let modern = request
        .get_meta()
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    if matches!(request, ClientRequest::CustomRequest(_)) && is_served(method, modern) {
        let problem = format!("params of {method}: a member is missing or of another kind");
        return Err(Rejection::invalid_params(id, problem));
    }
    Ok(Read::Request {
        id,
        request: Box::new(request),
    })
}

fn call(params: Option<Value>) -> Result<ClientRequest, &'static str> {
    let Some(Value::Object(mut params)) = params else {
        return Err("params: expected an object");
    };
    let Some(Value::String(name)) = params.remove("name") else {
        return Err("params.name: expected a string");
    };
    let arguments =
        object(&mut params, "arguments").ok_or("params.arguments: expected an object")?;
    let meta = object(&mut params, "_meta").ok_or("params._meta: expected an object")?;
    let mut call = CallToolRequestParams::new(name);
    call.arguments = arguments;
    let mut request = CallToolRequest::new(call);
    if let Some(meta) = meta {
        request
            .extensions
            .insert(RequestMetaObject(MetaObject(meta)));
    }
    Ok(ClientRequest::CallToolRequest(request))
}

/// The object below `key`, which may be absent or null; `None` for anything else.
fn object(params: &mut Map<String, Value>, key: &str) -> Option<Option<Map<String, Value>>> {
    match params.remove(key) {
        None | Some(Value::Null) => Some(None),
        Some(Value::Object(object)) => Some(Some(object)),
        Some(_) => None,
    }
}

/// Those that mean something here. No notification is ever answered, whatever is wrong with it.
fn notification(method: &str, params: Option<Value>) -> Read {
    match method {
        "notifications/initialized" => Read::Notification(
            ClientNotification::InitializedNotification(InitializedNotification::default()),
        ),
        "notifications/cancelled" => {
            let id = params
                .as_ref()
                .and_then(|params| params.get("requestId"))
                .and_then(|id| Id::deserialize(id).ok());
            match id {
                Some(Id::Valid(id)) => {
                    let params = CancelledNotificationParam::new(Some(id.clone()), None);
                    Read::Cancelled(
                        ClientNotification::CancelledNotification(CancelledNotification::new(
                            params,
                        )),
                        id,
                    )
                }
                Some(Id::Invalid) | None => Read::Nothing,
            }
        }
        _ => Read::Nothing,
    }
}

const _: () = assert!(MAX_VALUES < MAX_MESSAGE / 2);

#[cfg(test)]
mod tests;
