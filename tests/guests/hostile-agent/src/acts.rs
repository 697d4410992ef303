//! One verb, one way to misbehave.

use crate::bindings::exports::sandgate::plugin::working::TaskOutput;
use crate::bindings::sandgate::plugin::artifacts;
use crate::bindings::sandgate::plugin::log::{Level, log};
use crate::bindings::sandgate::plugin::progress;
use crate::bindings::sandgate::plugin::types::{Charge, PluginError};
use std::hint::black_box;
use wasip2::cli::{environment, stdout};
use wasip2::clocks::monotonic_clock;
use wasip2::random::random;

/// An output document without charges.
fn json(output: String) -> TaskOutput {
    TaskOutput {
        output,
        charges: Vec::new(),
    }
}

/// A JSON string as the output.
pub fn text(text: &str) -> TaskOutput {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    json(quoted)
}

fn number(argument: &str) -> u64 {
    argument.parse().unwrap_or(0)
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[(depth % 64) as usize]
}

/// Holds `mib` MiB, every page written.
fn hold(mib: u64) -> Vec<Vec<u8>> {
    (0..mib).map(|_| black_box(vec![0xA5; 1 << 20])).collect()
}

/// Adds fresh pages to memory and counts the bytes in them that are not zero.
fn dirty_bytes(mib: u64) -> usize {
    let pages = (mib * 16) as usize;
    let first = core::arch::wasm32::memory_grow(0, pages);
    if first == usize::MAX {
        return usize::MAX;
    }
    // Safety: the pages were just added and nothing else knows of them.
    let fresh =
        unsafe { std::slice::from_raw_parts((first * 65_536) as *const u8, pages * 65_536) };
    fresh.iter().filter(|byte| **byte != 0).count()
}

fn artifact(result: Result<(), artifacts::ArtifactError>) -> Result<(), PluginError> {
    result.map_err(|error| PluginError::Failed(format!("{error:?}")))
}

/// Does what `verb` says.
pub fn act(verb: &str, argument: &str, input: &str) -> Result<TaskOutput, PluginError> {
    let n = number(argument);
    Ok(match verb {
        // Time.
        "loop" => loop {
            black_box(());
        },
        "recurse" => text(&recurse(0).to_string()),
        "sleep" => {
            monotonic_clock::subscribe_duration(n * 1_000_000).block();
            text("slept")
        }
        "calls" => {
            let sum = (0..n).fold(0, |sum: u64, _| sum.wrapping_add(monotonic_clock::now()));
            text(if sum == 0 { "none" } else { "called" })
        }
        "copies" => {
            let (from, mut to) = (vec![7u8; 4096], vec![0u8; 4096]);
            for _ in 0..n {
                black_box(&mut to).copy_from_slice(black_box(&from));
            }
            text("copied")
        }
        // Memory.
        "hold" => text(&hold(n).len().to_string()),
        "grow" => {
            let mut all = Vec::new();
            loop {
                all.push(hold(1));
                black_box(&all);
            }
        }
        "try-grow" => {
            let refused = core::arch::wasm32::memory_grow(0, (n * 16) as usize) == usize::MAX;
            text(if refused { "refused" } else { "grown" })
        }
        "try-grow-then-trap" => {
            black_box(core::arch::wasm32::memory_grow(0, (n * 16) as usize));
            black_box(core::arch::wasm32::memory_grow(0, 1));
            core::arch::wasm32::unreachable()
        }
        "dirty" => text(&dirty_bytes(n).to_string()),
        "handles" => {
            let all: Vec<_> = (0..n)
                .map(|_| monotonic_clock::subscribe_duration(1))
                .collect();
            text(&all.len().to_string())
        }
        "random" => text(&random::get_random_bytes(n).len().to_string()),
        // Text.
        "log" => {
            for i in 0..n {
                log(Level::Info, &format!("line {i} {}", "x".repeat(80)));
            }
            text("logged")
        }
        "log-long" => {
            log(Level::Warn, &"y".repeat(n as usize));
            text("logged")
        }
        "log-ansi" => {
            log(Level::Error, "\u{1b}[2J\u{202e}gone\u{7}\nsecond");
            text("\u{1b}[31mred\u{202e}")
        }
        "stdout" => {
            for i in 0..n {
                println!("out {i}");
            }
            text("printed")
        }
        "stderr" => {
            eprint!("no line break");
            text("printed")
        }
        "stdout-flood" => {
            let chunk = vec![b'z'; 4096];
            let out = stdout::get_stdout();
            for _ in 0..n {
                let _ = out.blocking_write_and_flush(&chunk);
            }
            text("flooded")
        }
        "empty-writes" => {
            let out = stdout::get_stdout();
            for _ in 0..n {
                let _ = out.check_write();
                let _ = out.write(&[]);
                let _ = out.blocking_write_and_flush(&[]);
            }
            text("written")
        }
        "progress" => {
            for i in 0..n {
                progress::report(&format!("step {i}"), Some((i * 10) as u16));
            }
            text("reported")
        }
        // Ends.
        "unreachable" => core::arch::wasm32::unreachable(),
        "panic" => panic!("a panic with a message"),
        "exit" => std::process::exit(n as i32),
        "invalid" => return Err(PluginError::InvalidInput(argument.to_owned())),
        "unavailable" => return Err(PluginError::Unavailable(argument.to_owned())),
        "failed" => return Err(PluginError::Failed(argument.to_owned())),
        "permanent" => return Err(PluginError::Permanent(argument.to_owned())),
        "long-error" => return Err(PluginError::Failed("e".repeat(n as usize))),
        // Answers.
        "not-json" => json("{\"a\": nonsense".into()),
        "two-documents" => json("1 2".into()),
        "duplicate" => json("{\"a\":1,\"a\":2}".into()),
        "deep" => json(format!(
            "{}{}",
            "[".repeat(n as usize),
            "]".repeat(n as usize)
        )),
        "nodes" => json(format!("[{}0]", "0,".repeat(n as usize))),
        "huge" => json(format!("\"{}\"", "h".repeat((n as usize) << 20))),
        "charge" => TaskOutput {
            output: "null".into(),
            charges: vec![Charge {
                what: "tokens".into(),
                micros: n,
            }],
        },
        "charges" => TaskOutput {
            output: "null".into(),
            charges: (0..n)
                .map(|i| Charge {
                    what: format!("c{i}"),
                    micros: 1,
                })
                .collect(),
        },
        "charge-name" => TaskOutput {
            output: "null".into(),
            charges: vec![Charge {
                what: "\u{1b}[2J".into(),
                micros: 1,
            }],
        },
        // Artifacts.
        "write" => {
            artifact(artifacts::write(argument, "text/plain", b"hello "))?;
            artifact(artifacts::append(argument, b"world"))?;
            text("written")
        }
        "append" => {
            artifact(artifacts::append(argument, b"tail"))?;
            text("appended")
        }
        "media" => {
            artifact(artifacts::write("a", "text/\u{1b}plain", b""))?;
            text("written")
        }
        "write-big" => {
            let chunk = vec![b'b'; 1 << 20];
            artifact(artifacts::write("big", "text/plain", &chunk))?;
            for _ in 1..n {
                artifact(artifacts::append("big", &chunk))?;
            }
            text("written")
        }
        "write-chunk" => {
            artifact(artifacts::write("big", "text/plain", &vec![0; n as usize]))?;
            text("written")
        }
        "read" => {
            let mut bytes = Vec::new();
            loop {
                let more = artifacts::read(argument, bytes.len() as u64, 4)
                    .map_err(|error| PluginError::Failed(format!("{error:?}")))?;
                if more.is_empty() {
                    break;
                }
                bytes.extend(more);
            }
            text(&String::from_utf8_lossy(&bytes))
        }
        "read-length" => {
            let bytes = artifacts::read("up.stream", 0, n as u32)
                .map_err(|error| PluginError::Failed(format!("{error:?}")))?;
            text(&bytes.len().to_string())
        }
        "list" => {
            let names: Vec<_> = artifacts::list_artifacts()
                .into_iter()
                .map(|info| format!("{} {} {}", info.name, info.size, info.media_type))
                .collect();
            text(&names.join(","))
        }
        // What it can see of the host.
        "environment" => text(&format!(
            "{:?} {:?} {:?}",
            environment::get_environment(),
            environment::get_arguments(),
            environment::initial_cwd()
        )),
        "stdin" => {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            text(&format!("{:?}", read.map_err(|error| error.kind())))
        }
        "null" => json("null".into()),
        _ => json(input.to_owned()),
    })
}
