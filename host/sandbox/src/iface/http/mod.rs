//! `wasi:http/types` and `wasi:http/outgoing-handler`, linked for calls with an [`crate::HttpPort`]. The types are
//! wasmtime-wasi-http's; sending is the port's, and there is no other way out. Must not open a socket, resolve a name, or
//! decide whether a request may be sent.

mod gather;
mod hooks;
mod queue;
mod taped;

use crate::Limits;
use crate::halt::Halt;
use crate::power::HttpPort;
use crate::state::State;
use hooks::Hooks;
use queue::Waiting;
use std::any::Any;
use std::sync::Arc;
use taped::Taped;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi_http::p2::bindings::http::types::{HostFields, HostOutgoingRequest};
use wasmtime_wasi_http::p2::bindings::{LinkOptions, http};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest as Request,
};
use wasmtime_wasi_http::p2::{HeaderError, HeaderResult};
use wasmtime_wasi_http::{Error, FieldMap, WasiHttp, WasiHttpCtx, WasiHttpCtxView};

/// Name under which wasmtime-wasi-http links the types; a test makes many headers to see that we replaced the
/// functions.
const TYPES: &str = "wasi:http/types@0.2.12";

/// Bytes of one set of headers, the memory they take included.
const FIELDS_MAX: usize = 64 << 10;

/// As how many objects one of HTTP counts: it may hold [`FIELDS_MAX`], and a thousand would be 64 MiB.
const WEIGHT: usize = 4;

/// What the store holds for HTTP.
pub(crate) struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
    halt: Halt,
    taped: Taped,
}

impl Http {
    pub(crate) fn new(
        port: Option<Arc<dyn HttpPort>>,
        limits: &Limits,
        halt: Halt,
        tape: bool,
    ) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(FIELDS_MAX);
        Self {
            ctx,
            hooks: Hooks::new(port, limits.http, halt.clone(), tape),
            halt,
            taped: Taped::default(),
        }
    }

    /// For the next use of a live session.
    pub(crate) fn renew(&mut self, port: Option<Arc<dyn HttpPort>>, limits: &Limits) {
        self.hooks = Hooks::new(port, limits.http, self.halt.clone(), false);
    }

    /// Ends requests and bodies under way; what the guest holds says so from then on.
    pub(crate) fn end_all(&mut self, table: &mut ResourceTable) {
        for entry in table.iter_mut() {
            if let Some(response) = entry.downcast_mut::<HostFutureIncomingResponse>() {
                *response = HostFutureIncomingResponse::Consumed;
            }
        }
        self.hooks.end();
    }

    /// The first request whose body is whole, or was given up.
    fn next_whole(&mut self) -> Option<(Waiting, Result<(), Error>)> {
        self.hooks.next_whole()
    }

    /// The port, and a place among the requests at once.
    fn port_and_place(&self) -> Result<(Arc<dyn HttpPort>, OwnedSemaphorePermit), Error> {
        self.hooks.port_and_place()
    }

    /// Requests handed to the port.
    pub(crate) fn sent(&self) -> u64 {
        self.hooks.sent()
    }

    pub(crate) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table,
            ctx: &mut self.ctx,
        }
    }
}

fn view(state: &mut State) -> WasiHttpCtxView<'_> {
    state.count().http_view()
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    http::outgoing_handler::add_to_linker::<State, WasiHttp>(linker, view)?;
    let options = LinkOptions::default();
    http::types::add_to_linker::<State, WasiHttp>(linker, &(&options).into(), view)?;
    linker.allow_shadowing(true);
    link_makers(linker)?;
    taped::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

type Fields = Resource<FieldMap>;

/// The functions by which a guest makes objects that hold headers, with a check of how many there are.
fn link_makers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[constructor]fields",
        |mut store: StoreContextMut<'_, State>, (): ()| {
            let mut view = one_more(store.data_mut())?;
            Ok((HostFields::new(&mut view)?,))
        },
    )?;
    types.func_wrap(
        "[static]fields.from-list",
        |mut store: StoreContextMut<'_, State>, (list,): (Vec<(String, Vec<u8>)>,)| {
            let mut view = one_more(store.data_mut())?;
            Ok((header_result(view.from_list(list))?,))
        },
    )?;
    types.func_wrap(
        "[method]fields.clone",
        |mut store: StoreContextMut<'_, State>, (fields,): (Fields,)| {
            let mut view = one_more(store.data_mut())?;
            Ok((HostFields::clone(&mut view, fields)?,))
        },
    )?;
    types.func_wrap(
        "[constructor]outgoing-request",
        |mut store: StoreContextMut<'_, State>, (headers,): (Fields,)| {
            let mut view = one_more(store.data_mut())?;
            Ok((HostOutgoingRequest::new(&mut view, headers)?,))
        },
    )
}

fn header_result<T>(
    result: HeaderResult<T>,
) -> wasmtime::Result<Result<T, http::types::HeaderError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => HeaderError::downcast(error).map(Err),
    }
}

/// The view, if there is room for one more object of HTTP.
fn one_more(state: &mut State) -> wasmtime::Result<WasiHttpCtxView<'_>> {
    let view = view(state);
    let most = view.table.max_capacity();
    let held = view
        .table
        .iter_mut()
        .filter(|entry| is_http(*entry))
        .count();
    if (held + 1).saturating_mul(WEIGHT) > most {
        return Err(ResourceTableError::Full.into());
    }
    Ok(view)
}

fn is_http(entry: &dyn Any) -> bool {
    entry.is::<FieldMap>()
        || entry.is::<Request>()
        || entry.is::<HostOutgoingBody>()
        || entry.is::<HostFutureIncomingResponse>()
        || entry.is::<HostIncomingResponse>()
        || entry.is::<HostIncomingBody>()
        || entry.is::<HostFutureTrailers>()
}
