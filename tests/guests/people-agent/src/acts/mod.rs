//! What an agent, a gate and a planner that need people do, as their order says. The acts are in the table of
//! `tests/guests/README.md`. Nothing here is kept from doing harm: that is the host's part.

mod hidden;
mod http;
pub mod steps;

use crate::bindings::sandgate::plugin::{budget, command};
use kit::{Order, Told, Value, json};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::{insecure, insecure_seed, random};

/// Does an act.
pub fn act(order: &Order) -> Result<Value, String> {
    let count = order.number("count", 1_000);
    Ok(match order.act() {
        "effects" => json!({ "answers": steps::of(order) }),
        "loop-ask" => flood(count, "command", || {
            steps::run(order.text("program"), order.list("args"), order.text("cwd"))
        }),
        "loop-question" => flood(count, "question", || {
            steps::ask(order.text("text"), Vec::new(), None, None)
        }),
        "divergent" => divergent(order)?,
        "hide" => hidden::act(order)?,
        "two-http" => http::at_once(&order.list("urls"), order.text("order") == "reverse"),
        "half-http" => half_http(order)?,
        "half-file" => half_file(order)?,
        "spin-after" => {
            let before = spin(order.number("before", 0));
            let answers = steps::of(order);
            json!({ "before": before, "answers": answers, "after": spin(order.number("after", 100_000_000)) })
        }
        "trap-after" => {
            // Nobody hears of the answers: the trap is what came of it.
            drop(steps::of(order));
            std::process::abort()
        }
        other => return Err(format!("there is no act {other:?}")),
    })
}

/// The same again and again, whatever the answer.
fn flood(count: u64, what: &str, mut once: impl FnMut() -> Result<String, String>) -> Value {
    let mut told = Told::default();
    for n in 1..=count {
        told.note(format!("{what} {n}"), once());
    }
    told.answer()
}

/// Lets something decide that is another each time, unless the host gives the recorded answer.
fn divergent(order: &Order) -> Result<Value, String> {
    let mut all = Vec::new();
    for _ in 0..order.number("count", 1) {
        let n = decides(order)?;
        let args: Vec<String> = order
            .list("args")
            .iter()
            .map(|arg| arg.replace("{n}", &n))
            .collect();
        let came = steps::run(order.text("program"), args, order.text("cwd"));
        all.push(json!({ "n": n, "came": steps::came(came) }));
    }
    Ok(json!({ "by": order.text("by"), "ran": all }))
}

fn decides(order: &Order) -> Result<String, String> {
    /// So that it fits a hole for whole numbers.
    const DIGITS: u64 = 1_000_000_000_000_000;
    let number = match order.text("by") {
        "clock" => {
            let now = wall_clock::now();
            now.seconds * 1_000 + u64::from(now.nanoseconds / 1_000_000)
        }
        "monotonic" => monotonic_clock::now(),
        "random" => random::get_random_u64(),
        "bytes" => random::get_random_bytes(8)
            .iter()
            .fold(0, |all, byte| (all << 8) | u64::from(*byte)),
        "insecure" => insecure::get_insecure_random_u64(),
        "seed" => insecure_seed::insecure_seed().0,
        "hash" => RandomState::new().hash_one(0),
        "remaining" => budget::remaining().unwrap_or(0),
        "allowed" => command::allowed_commands().len() as u64,
        "file" => return steps::read(order.text("path")),
        "http" => return http::get(order.text("url"), 0),
        other => return Err(format!("`by` is {other:?}")),
    };
    Ok((number % DIGITS).to_string())
}

/// Reads the beginning of a response, does its steps, and reads the rest.
fn half_http(order: &Order) -> Result<Value, String> {
    let mut open = http::Open::get(order.text("url"), 0)?;
    let first = open.read(order.number("bytes", 1))?;
    let answers = steps::of(order);
    Ok(json!({ "first": first, "answers": answers, "rest": steps::came(open.read(u64::MAX)) }))
}

/// Writes to a file, does its steps, and writes on through the same handle.
fn half_file(order: &Order) -> Result<Value, String> {
    let text = |error: std::io::Error| error.to_string();
    let path = order.text("path");
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(text)?;
    file.write_all(b"before\n").map_err(text)?;
    let answers = steps::of(order);
    file.write_all(b"after\n").map_err(text)?;
    drop(file);
    Ok(json!({ "answers": answers, "file": steps::read(path)? }))
}

/// Computes, without asking the host for anything. The sum depends on every round.
fn spin(rounds: u64) -> u64 {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for round in 0..rounds {
        sum = std::hint::black_box((sum ^ round).wrapping_mul(0x0100_0000_01b3));
    }
    sum
}
