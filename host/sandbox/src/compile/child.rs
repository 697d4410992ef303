//! The process that compiles: reads a component from its standard input, writes machine code to its standard output,
//! and ends. It limits itself before it reads, so that whatever the bytes make the compiler do costs at most a
//! gigabyte and a minute. Must not touch a file, the network or the environment.

use super::{STACK, TIME_MAX, settings_of};
use crate::SandboxConfig;
use crate::component::{COMPONENT_MAX, check_header};
use crate::engine;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use std::io::{self, Read};
use std::process::ExitCode;

/// First bytes of a request; the digit is the format's version. The settings follow, then the component.
pub(super) const REQUEST: [u8; 8] = *b"sgcwork1";

/// Most address space of the process. The largest plugins we know take 300 MiB to compile.
pub(super) const MEMORY_MAX: u64 = 1 << 30;

/// Most files open at once: the three pipes, and what the runtime looks at when it starts.
const FILES_MAX: u64 = 16;

/// What a worker answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Machine code.
    Code(Vec<u8>),
    /// The component is not valid.
    Invalid(String),
    /// The worker could not do its part.
    Host(String),
}

impl Answer {
    /// One byte says which, eight how long it is, then it comes.
    fn write(&self, mut to: impl io::Write) -> io::Result<()> {
        let (kind, bytes) = match self {
            Self::Code(code) => (0, code.as_slice()),
            Self::Invalid(reason) => (1, reason.as_bytes()),
            Self::Host(reason) => (2, reason.as_bytes()),
        };
        to.write_all(&[kind])?;
        to.write_all(&(bytes.len() as u64).to_le_bytes())?;
        to.write_all(bytes)?;
        to.flush()
    }

    /// Reads an answer of at most `most` bytes; `None` when it is not a whole one.
    pub(super) fn read(mut from: impl Read, most: u64) -> Option<Self> {
        let (mut kind, mut length) = ([0; 1], [0; 8]);
        from.read_exact(&mut kind).ok()?;
        from.read_exact(&mut length).ok()?;
        let length = u64::from_le_bytes(length);
        if kind > [2] || length > most {
            return None;
        }
        let mut bytes = Vec::new();
        // One more, to see whether there is one.
        from.take(length + 1).read_to_end(&mut bytes).ok()?;
        if bytes.len() as u64 != length {
            return None;
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match kind {
            [0] => Some(Self::Code(bytes)),
            [1] => Some(Self::Invalid(text(bytes))),
            [2] => Some(Self::Host(text(bytes))),
            _ => None,
        }
    }
}

/// Compiles what comes on standard input, as the process that [`crate::WorkerCommand`] starts. Has to be called before the
/// program starts threads or opens anything, and is all that the program then does. The exit code is not 0 when no
/// answer could be given.
#[must_use]
pub fn compile_worker_main() -> ExitCode {
    let answer = limit().map_or_else(
        |error| {
            Answer::Host(format!(
                "the process that compiles cannot be limited: {error}"
            ))
        },
        |()| answer(),
    );
    match answer.write(io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody listens any more.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Limits this process, for good.
fn limit() -> io::Result<()> {
    let cpu = TIME_MAX.as_secs();
    for (resource, most) in [
        (Resource::As, MEMORY_MAX),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES_MAX),
    ] {
        setrlimit(resource, both(most, most))?;
    }
    // At the first it is told, at the second it is gone.
    setrlimit(Resource::Cpu, both(cpu, cpu + 1))?;
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

fn both(current: u64, maximum: u64) -> Rlimit {
    Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    }
}

fn answer() -> Answer {
    let most = REQUEST.len() + 8 + COMPONENT_MAX + 1;
    let mut request = Vec::new();
    if let Err(error) = io::stdin()
        .lock()
        .take(most as u64)
        .read_to_end(&mut request)
    {
        return Answer::Host(format!("the process that compiles got nothing: {error}"));
    }
    // Deep nesting in a module becomes recursion in the compiler.
    let compiled = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || compile(&request));
    match compiled.map(std::thread::JoinHandle::join) {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::Host("the compiler panicked".to_owned()),
        Err(error) => Answer::Host(format!("cannot start a thread: {error}")),
    }
}

fn compile(request: &[u8]) -> Answer {
    let parts = request
        .strip_prefix(&REQUEST)
        .and_then(|rest| rest.split_first_chunk::<8>());
    let Some((settings, component)) = parts else {
        return Answer::Host("the process that compiles was asked for something else".to_owned());
    };
    if let Err(error) = check_header(component) {
        return Answer::Invalid(error.to_string());
    }
    // Without a pool: code is the same with and without, and a pool takes address space.
    let config = SandboxConfig {
        pool: false,
        ..SandboxConfig::default()
    };
    let engine = match engine::build(&config) {
        Ok(built) => built.engine,
        Err(error) => return Answer::Host(format!("{error:#}")),
    };
    if settings_of(&engine) != u64::from_le_bytes(*settings) {
        return Answer::Host(
            "the program that compiles plugins is not the one that runs them; was it replaced? \
             start again"
                .to_owned(),
        );
    }
    match engine.precompile_component(component) {
        Ok(code) => Answer::Code(code),
        Err(error) => Answer::Invalid(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        for answer in [
            Answer::Code(vec![1, 2, 3]),
            Answer::Invalid("why".to_owned()),
            Answer::Host(String::new()),
        ] {
            let mut bytes = Vec::new();
            answer.write(&mut bytes).unwrap();
            assert_eq!(Answer::read(&*bytes, 3), Some(answer));
            for end in 0..bytes.len() {
                assert_eq!(Answer::read(&bytes[..end], 3), None, "{end}");
            }
            bytes.push(0);
            assert_eq!(Answer::read(&*bytes, 3), None);
        }
        assert_eq!(Answer::read(&[3, 0, 0, 0, 0, 0, 0, 0, 0][..], 3), None);
        assert_eq!(
            Answer::read(&[0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4][..], 3),
            None
        );
    }
}
