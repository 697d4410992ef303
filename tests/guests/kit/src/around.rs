//! What a component sees without any grant: environment, arguments, standard input, clocks, random bytes.

use serde_json::{Value, json};
use wasip2::cli::{environment, stdin, terminal_stdin, terminal_stdout};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::{insecure_seed, random};

/// Looks at everything that needs no grant. `bytes` random bytes are asked for.
pub fn look(bytes: u64) -> Value {
    let input = stdin::get_stdin();
    let read = match input.blocking_read(1024) {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(error) => format!("{error:?}"),
    };
    let now = wall_clock::now();
    json!({
        "environment": environment::get_environment(),
        "arguments": environment::get_arguments(),
        "directory": environment::initial_cwd(),
        "stdin": read,
        "terminal": terminal_stdin::get_terminal_stdin().is_some()
            || terminal_stdout::get_terminal_stdout().is_some(),
        "seconds": now.seconds,
        "nanoseconds": now.nanoseconds,
        "resolution": wall_clock::resolution().nanoseconds,
        "monotonic": monotonic_clock::now(),
        "random": random::get_random_bytes(bytes).len(),
        "seed": insecure_seed::insecure_seed() != (0, 0),
    })
}
