//! The one unsafe call of this crate. Must not be called with anything but bytes whose mark was just checked.

use crate::cache::Marked;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Turns machine code back into a component.
#[expect(
    unsafe_code,
    reason = "deserializing is as dangerous as running the bytes natively"
)]
pub(crate) fn deserialize(engine: &Engine, code: &Marked) -> wasmtime::Result<Component> {
    // SAFETY: `Marked` is made by `Cache::read`, after it checked the keyed hash that `Cache::write` put there: these
    // are bytes that wasmtime gave to a host with the same private key, unchanged. Or by `Marked::from_worker`, from
    // `Compiled`, which only `compile::worker` makes of what wasmtime gave to a process that it started itself.
    // wasmtime itself checks that version and settings are the same.
    unsafe { Component::deserialize(engine, code.bytes()) }
}
