//! The process that compiles components, by itself: for the tests of this crate. The product is its own worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandgate_sandbox::compile_worker_main()
}
