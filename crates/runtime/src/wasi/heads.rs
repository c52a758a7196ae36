//! How much of the host's memory the HTTP resources of one call take.
//!
//! Fields, requests and what is written to their bodies are the host's memory until they are sent
//! or dropped, and none of the guest's `memory`. The stock types bound one set of fields and the
//! number of handles; together that would be far too much, and the parts of a request's target have
//! no bound at all. So whatever makes such a resource grow first weighs all of them.

use super::http::{CHUNK, CHUNKS};
use crate::enforce::{Guest, LimitReached};
use casemate_policy::Reason;
use std::any::Any;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{
    self, ErrorCode, HeaderError, Host as _, HostFields as _, HostOutgoingRequest as _, Method,
};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};

/// Bytes that the HTTP resources of one call may take together: fields, requests and responses with
/// what their parts hold, and what was written to bodies and is not on its way.
pub const MAX_HTTP_MEMORY: usize = 16 << 20;

/// What a name and a value take beside their text.
const FIELD: usize = 64;
/// What a body holds: the write that waits, and the one that is being taken.
const BODY: usize = CHUNK * (CHUNKS + 1);

const INTERFACE: &str = "wasi:http/types@0.2.12";

type Store<'a> = StoreContextMut<'a, Guest>;

/// Puts the functions by which HTTP resources grow in the place of the stock ones, which they weigh
/// for and then call.
///
/// # Errors
///
/// Fails when a function cannot be defined, which is a defect of this function.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE)?;
    fields(&mut types)?;
    requests(&mut types)?;
    responses(&mut types)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn fields(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type Entries = Vec<(String, Vec<u8>)>;
    types.func_wrap(
        "[static]fields.from-list",
        |mut store: Store<'_>, (entries,): (Entries,)| {
            let guest = store.data_mut();
            let sizes = entries.iter();
            guest.hold(sizes.map(|(name, value)| name.len() + value.len() + 2 * FIELD))?;
            let mut http = guest.http();
            let made = match http.from_list(entries) {
                Ok(fields) => Ok(fields),
                Err(error) => Err(http.convert_header_error(error)?),
            };
            Ok((made,)) as wasmtime::Result<(Result<Resource<FieldMap>, HeaderError>,)>
        },
    )?;
    types.func_wrap(
        "[method]fields.set",
        |mut store: Store<'_>,
         (fields, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>)| {
            let guest = store.data_mut();
            let sizes = values.iter().map(|value| value.len() + FIELD);
            guest.hold(sizes.chain([name.len() + FIELD]))?;
            let mut http = guest.http();
            let set = http.set(fields, name, values);
            Ok((or_code(&mut http, set)?,))
        },
    )?;
    types.func_wrap(
        "[method]fields.append",
        |mut store: Store<'_>, (fields, name, value): (Resource<FieldMap>, String, Vec<u8>)| {
            let guest = store.data_mut();
            guest.hold([name.len() + value.len() + 2 * FIELD])?;
            let mut http = guest.http();
            let appended = http.append(fields, name, value);
            Ok((or_code(&mut http, appended)?,))
        },
    )?;
    types.func_wrap(
        "[method]fields.clone",
        |mut store: Store<'_>, (fields,): (Resource<FieldMap>,)| {
            let guest = store.data_mut();
            let copy = of_fields(guest.table().get(&fields)?);
            guest.hold([copy])?;
            Ok((guest.http().clone(fields)?,))
        },
    )
}

fn or_code(
    http: &mut wasmtime_wasi_http::WasiHttpCtxView<'_>,
    done: wasmtime_wasi_http::p2::HeaderResult<()>,
) -> wasmtime::Result<Result<(), HeaderError>> {
    match done {
        Ok(()) => Ok(Ok(())),
        Err(error) => Ok(Err(http.convert_header_error(error)?)),
    }
}

fn requests(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type Request = Resource<HostOutgoingRequest>;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: Store<'_>, (request, method): (Request, Method)| {
            let guest = store.data_mut();
            guest.hold([of_method(&method)])?;
            Ok((guest.http().set_method(request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: Store<'_>, (request, authority): (Request, Option<String>)| {
            let guest = store.data_mut();
            guest.hold([of_text(authority.as_ref())])?;
            Ok((guest.http().set_authority(request, authority)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: Store<'_>, (request, path): (Request, Option<String>)| {
            let guest = store.data_mut();
            guest.hold([of_text(path.as_ref())])?;
            Ok((guest.http().set_path_with_query(request, path)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.body",
        |mut store: Store<'_>, (request,): (Request,)| {
            let guest = store.data_mut();
            guest.hold([2 * BODY])?;
            Ok((types::HostOutgoingRequest::body(
                &mut guest.http(),
                request,
            )?,))
        },
    )
}

fn responses(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type Got = Option<Result<Result<Resource<HostIncomingResponse>, ErrorCode>, ()>>;
    types.func_wrap(
        "[method]outgoing-response.body",
        |mut store: Store<'_>, (response,): (Resource<HostOutgoingResponse>,)| {
            let guest = store.data_mut();
            guest.hold([2 * BODY])?;
            Ok((types::HostOutgoingResponse::body(
                &mut guest.http(),
                response,
            )?,))
        },
    )?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store: Store<'_>, (future,): (Resource<HostFutureIncomingResponse>,)| {
            let guest = store.data_mut();
            // A request that ends because the call has no processor time left is the end of the call.
            guest.meter.check()?;
            guest.hold([crate::egress::MAX_RESPONSE_HEAD])?;
            let got: Got = types::HostFutureIncomingResponse::get(&mut guest.http(), future)?;
            Ok((got,))
        },
    )
}

impl Guest {
    /// Ends the call when its HTTP resources with `more` take too much.
    fn hold(&mut self, more: impl IntoIterator<Item = usize>) -> wasmtime::Result<()> {
        let held = self.table_mut().iter_mut().map(|entry| weight(entry));
        let wanted = held.chain(more).fold(0, usize::saturating_add);
        if wanted <= MAX_HTTP_MEMORY {
            return Ok(());
        }
        let resource = "memory for HTTP requests and responses";
        let limit = LimitReached::bytes(Reason::LimitMemory, resource, wanted, MAX_HTTP_MEMORY);
        Err(limit.into())
    }
}

/// What a resource takes of the host's memory, if it is one of HTTP.
fn weight(entry: &(dyn Any + Send)) -> usize {
    if let Some(fields) = entry.downcast_ref::<FieldMap>() {
        return of_fields(fields);
    }
    if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        let parts = [
            of_fields(&request.headers),
            of_method(&request.method),
            of_text(request.authority.as_ref()),
            of_text(request.path_with_query.as_ref()),
            request.body.as_ref().map_or(0, |_| BODY),
        ];
        return parts.into_iter().fold(0, usize::saturating_add);
    }
    if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
        let body = response.body.as_ref().map_or(0, |_| BODY);
        return of_fields(&response.headers).saturating_add(body);
    }
    if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
        return of_fields(&response.headers);
    }
    entry.downcast_ref::<HostOutgoingBody>().map_or(0, |_| BODY)
}

fn of_fields(fields: &FieldMap) -> usize {
    let names = fields.keys().map(|name| name.as_str().len() + FIELD);
    let values = fields.values().map(|value| value.len() + FIELD);
    names.chain(values).fold(0, usize::saturating_add)
}

fn of_method(method: &Method) -> usize {
    match method {
        Method::Other(other) => other.len(),
        _ => 0,
    }
}

fn of_text(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
