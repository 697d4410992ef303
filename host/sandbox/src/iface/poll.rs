//! `wasi:io/poll`: where guests wait. In a call with a tape, requests that were handed over are answered here first, and what
//! was ready is recorded; nothing is waited for while there is something to replay.

use crate::state::State;
use crate::tape::{Args, Put, Tag, Word};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_io::bindings::wasi::io::poll::{Host, HostPollable, add_to_linker};

pub(crate) fn link(l: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(l, State::count)
}

impl State {
    async fn waited<T: Word>(
        &mut self,
        tag: Tag,
        args: &(impl Put + Sync),
        wait: impl AsyncFnOnce(&mut ResourceTable) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        self.may_go_on()?;
        self.settle_http().await?;
        let Some(tape) = self.tape.clone() else {
            let halt = self.halt.clone();
            return halt.unless(wait(self.table())).await?;
        };
        let args = Args::of(args);
        if let Some(answer) = tape.replay(tag, &args)? {
            return Ok(answer);
        }
        let answer = wait(self.table()).await?;
        tape.record(tag, &args, &answer)?;
        Ok(answer)
    }
}

impl Host for State {
    async fn poll(&mut self, all: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let reps: Vec<u32> = all.iter().map(Resource::rep).collect();
        let wait = async |table: &mut ResourceTable| Host::poll(table, all).await;
        self.waited(Tag::Poll, &reps, wait).await
    }
}

impl HostPollable for State {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let rep = pollable.rep();
        let wait = async |table: &mut ResourceTable| HostPollable::block(table, pollable).await;
        self.waited(Tag::Block, &rep, wait).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let rep = pollable.rep();
        let wait = async |table: &mut ResourceTable| HostPollable::ready(table, pollable).await;
        self.waited(Tag::Ready, &rep, wait).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::drop(self.table(), pollable)
    }
}
