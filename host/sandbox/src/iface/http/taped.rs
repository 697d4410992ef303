//! Functions of `wasi:http` that are others in a call with a tape: those whose answers would depend on what goes on beside the
//! guest. Without a tape they are wasmtime-wasi-http's.

use super::gather::{Emptied, Gathered, Gathering, Shared};
use super::{TYPES, view};
use crate::state::State;
use http_body_util::BodyExt as _;
use std::collections::BTreeMap;
use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Waker};
use tokio::task::unconstrained;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::pipe::SinkOutputStream;
use wasmtime_wasi::p2::{DynOutputStream, Pollable as _};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::{
    HostFutureIncomingResponse as ResponseFuture, HostFutureTrailers as TrailersFuture,
    HostOutgoingBody as _, HostOutgoingRequest as _, RequestOptions,
};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};

/// Name under which wasmtime-wasi-http links the handler.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// What is gathered of bodies that are being written.
#[derive(Default)]
pub(super) struct Taped {
    /// By the place of the body in the table.
    bodies: BTreeMap<u32, Weak<Mutex<Gathering>>>,
    /// Bytes of all of them.
    bytes: Arc<AtomicUsize>,
}

type Future = Resource<HostFutureIncomingResponse>;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(HANDLER)?.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, State>,
         (request, options): (
            Resource<HostOutgoingRequest>,
            Option<Resource<RequestOptions>>,
        )| {
            let mut view = view(store.data_mut());
            let handed = match view.handle(request, options) {
                Ok(future) => Ok(future),
                Err(error) => Err(error.downcast()?),
            };
            if let Ok(future) = &handed {
                store.data_mut().http.hooks.name_last(future.rep());
            }
            Ok((handed,))
        },
    )?;
    let mut types = linker.instance(TYPES)?;
    types.resource(
        "future-incoming-response",
        ResourceType::host::<HostFutureIncomingResponse>(),
        |mut store, rep| {
            let state: &mut State = store.data_mut();
            state.http.hooks.forget(rep);
            ResponseFuture::drop(&mut view(state), Future::new_own(rep))
        },
    )?;
    types.func_wrap_async(
        "[method]future-incoming-response.get",
        |mut store: StoreContextMut<'_, State>, (future,): (Future,)| {
            Box::new(async move {
                let state = store.data_mut();
                state.settle_http().await?;
                Ok((ResponseFuture::get(&mut view(state), future)?,))
            })
        },
    )?;
    types.func_wrap(
        "[method]future-trailers.get",
        |mut store: StoreContextMut<'_, State>, (future,): (Resource<HostFutureTrailers>,)| {
            let state = store.data_mut();
            if state.tape.is_some() {
                // The body is in memory: its end is there or not, whether or not the guest waited for it.
                let trailers = state.table().get_mut(&future)?;
                let mut cx = Context::from_waker(Waker::noop());
                let _ = pin!(unconstrained(trailers.ready())).poll(&mut cx);
            }
            Ok((TrailersFuture::get(&mut view(state), future)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.body",
        |mut store: StoreContextMut<'_, State>, (request,): (Resource<HostOutgoingRequest>,)| {
            let rep = request.rep();
            let body = view(store.data_mut()).body(request)?;
            if let Ok(body) = &body {
                gather(store.data_mut(), rep, body.rep())?;
            }
            Ok((body,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-body.write",
        |mut store: StoreContextMut<'_, State>, (body,): (Resource<HostOutgoingBody>,)| {
            let rep = body.rep();
            let stream = view(store.data_mut()).write(body)?;
            if let Ok(stream) = &stream {
                empty(store.data_mut(), rep, stream)?;
            }
            Ok((stream,))
        },
    )
}

/// Puts itself between a request and its body.
fn gather(state: &mut State, request: u32, body: u32) -> wasmtime::Result<()> {
    if !state.http.hooks.is_taped() {
        return Ok(());
    }
    let all = Arc::clone(&state.http.taped.bytes);
    let request = Resource::<HostOutgoingRequest>::new_borrow(request);
    let request = state.table().get_mut(&request)?;
    let Some(from) = request.body.take() else {
        return Ok(());
    };
    let gathered: Gathered = Gathering::new(from, &all);
    let weak = Arc::downgrade(&gathered);
    request.body = Some(Shared(gathered).boxed_unsync());
    state.http.taped.bodies.insert(body, weak);
    Ok(())
}

/// Puts itself between a guest and the stream of a body.
fn empty(state: &mut State, body: u32, stream: &Resource<DynOutputStream>) -> wasmtime::Result<()> {
    let gathered = state.http.taped.bodies.remove(&body);
    let Some(gathered) = gathered.and_then(|gathered| gathered.upgrade()) else {
        return Ok(());
    };
    let place = state.table().get_mut(stream)?;
    let inner = std::mem::replace(place, Box::new(SinkOutputStream) as DynOutputStream);
    *place = Box::new(Emptied { inner, gathered });
    Ok(())
}
