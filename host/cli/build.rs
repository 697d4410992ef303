//! Finds out which wasmtime is built in, for `doctor`: the lock file knows, and the library does not say.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(&lock)?;
    let version = text
        .split("[[package]]")
        .find(|package| package.contains("name = \"wasmtime\"\n"))
        .and_then(|package| {
            package
                .lines()
                .find_map(|line| line.strip_prefix("version = "))
        })
        .ok_or("Cargo.lock has no wasmtime")?;
    println!(
        "cargo:rustc-env=SANDGATE_WASMTIME={}",
        version.trim_matches('"')
    );
    Ok(())
}
