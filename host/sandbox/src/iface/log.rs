//! `sandgate:plugin/log` and `sandgate:plugin/progress`: always linked, bounded by [`crate::words::Words`].

use crate::LogLevel;
use crate::bindings::sandgate::plugin::{log, progress};
use crate::state::State;
use wasmtime::component::{HasSelf, Linker};

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log::add_to_linker::<State, HasSelf<State>>(linker, State::count)?;
    progress::add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.may_go_on()?;
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        Ok(self.words.log(level, message)?)
    }
}

impl progress::Host for State {
    fn report(&mut self, message: String, permille: Option<u16>) -> wasmtime::Result<()> {
        self.may_go_on()?;
        Ok(self.words.progress(message, permille)?)
    }
}
