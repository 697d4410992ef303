//! Advisories that name a library in this binary, and what about this build they reach. The list is written by hand when
//! an advisory appears (SECURITY.md says how fast); `cargo deny check advisories` is the machine's half. It knows nothing
//! of advisories that came after the build.

use super::Finding;
use serde::Serialize;

/// One advisory.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Advisory {
    /// Its identifiers, as its database prints them; shortened where it gives several of one kind.
    id: &'static str,
    /// Which library.
    library: &'static str,
    /// What it is about.
    about: &'static str,
    /// Whether this build is affected.
    applies: bool,
    /// Why not, or what is done about it.
    here: &'static str,
}

/// Known when this version was made: 2026-11.
const KNOWN: &[Advisory] = &[
    Advisory {
        id: "GHSA-5m8g",
        library: "wasmtime-wasi 48.0.8",
        about: "empty writes to a standard stream keep the host busy",
        applies: false,
        here: "standard streams are our own type, which returns early on empty writes",
    },
    Advisory {
        id: "GHSA-cfhf, -hw8m, -43j2, -wvgq",
        library: "wasmtime 48.0.8",
        about: "heap corruption and aborts of the garbage collector",
        applies: false,
        here: "garbage collection, function references and exceptions are switched off",
    },
    Advisory {
        id: "GHSA-32h6",
        library: "wasmtime 48.0.8",
        about: "native stack overwritten through asynchronous components",
        applies: false,
        here: "asynchronous components are switched off",
    },
    Advisory {
        id: "GHSA-f8mm",
        library: "wasmtime-wasi-http 48.0.8",
        about: "HTTP/2",
        applies: false,
        here: "requests leave through our own sender, which speaks HTTP/1.1 only",
    },
    Advisory {
        id: "CVE-2026-104855",
        library: "wasmtime 48.0.8",
        about: "a store used again after a timeout",
        applies: false,
        here: "a store is dropped after any trap, timeout or cancel",
    },
    Advisory {
        id: "GHSA-qw58, -hgjw",
        library: "wasmtime 48.0.8",
        about: "types of two engines confused",
        applies: false,
        here: "there is one engine in a process",
    },
];

/// The one line of `doctor`.
pub(super) fn finding() -> Finding {
    const WHAT: &str = "advisories";
    let reach: Vec<&str> = KNOWN.iter().filter(|a| a.applies).map(|a| a.id).collect();
    if reach.is_empty() {
        return Finding::ok(
            WHAT,
            format!(
                "{} known when this was built, none reaches this configuration; `doctor --advisories` lists them",
                KNOWN.len()
            ),
        );
    }
    Finding::warning(
        WHAT,
        format!("affected by {}", reach.join(", ")),
        "`sandgate doctor --advisories` says how; a newer version mends it",
    )
}

/// All of them.
pub(super) fn all() -> &'static [Advisory] {
    KNOWN
}

impl Advisory {
    /// As cells of a table: id, library, about, here.
    pub(super) fn cells(&self) -> [String; 4] {
        let verdict = if self.applies { "APPLIES" } else { "no" };
        [
            self.id.to_owned(),
            format!("{}: {}", self.library, self.about),
            verdict.to_owned(),
            self.here.to_owned(),
        ]
    }
}
