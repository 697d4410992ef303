//! Random bytes and numbers. In a call with a tape they are recorded.

use crate::state::State;
use crate::tape::{Args, Blob, Put, Tag, Word};
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::random::WasiRandomCtx;

pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    random::add_to_linker::<State, HasSelf<State>>(l, State::count)?;
    insecure::add_to_linker::<State, HasSelf<State>>(l, State::count)?;
    insecure_seed::add_to_linker::<State, HasSelf<State>>(l, State::count)
}

impl State {
    fn drawn<T: Word>(
        &mut self,
        tag: Tag,
        args: &impl Put,
        draw: impl FnOnce(&mut WasiRandomCtx) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let Some(tape) = self.tape.clone() else {
            return draw(self.wasi_view().ctx.random());
        };
        let args = Args::of(args);
        if let Some(drawn) = tape.replay(tag, &args)? {
            return Ok(drawn);
        }
        let drawn = draw(self.wasi_view().ctx.random())?;
        tape.record(tag, &args, &drawn)?;
        Ok(drawn)
    }
}

impl random::Host for State {
    fn get_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        let draw = |ctx: &mut _| random::Host::get_random_bytes(ctx, count).map(Blob);
        Ok(self.drawn(Tag::Random, &count, draw)?.0)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.drawn(Tag::RandomNumber, &(), random::Host::get_random_u64)
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        let draw = |ctx: &mut _| insecure::Host::get_insecure_random_bytes(ctx, count).map(Blob);
        Ok(self.drawn(Tag::Insecure, &count, draw)?.0)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        let draw = insecure::Host::get_insecure_random_u64;
        self.drawn(Tag::InsecureNumber, &(), draw)
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        self.drawn(Tag::Seed, &(), insecure_seed::Host::insecure_seed)
    }
}
