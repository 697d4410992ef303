//! Nothing but a launcher, for this crate's tests.

fn main() -> std::process::ExitCode {
    sandgate_exec::launcher::main()
}
