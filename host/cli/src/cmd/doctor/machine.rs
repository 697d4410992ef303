//! The machine: kernel, clock, cache, and whether a plugin can be compiled and called at all.

use super::Finding;
use crate::{
    context::Context,
    ui::{now, size},
};
use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};
use sandgate_driver::{Plugin, chain};
use std::{os::unix::fs::MetadataExt as _, path::Path};

/// Looks at all of it.
pub(super) async fn look(ctx: &Context) -> Vec<Finding> {
    let mut findings = vec![
        version(),
        kernel(),
        openat2(),
        memory_maps(),
        clock(ctx),
        cache(),
    ];
    findings.push(sandbox(ctx).await);
    findings
}

fn version() -> Finding {
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let found = format!(
        "{version}, wasmtime {}, {os} on {arch}",
        env!("SANDGATE_WASMTIME")
    );
    match (os, arch) {
        ("linux", "x86_64") => Finding::ok("sandgate", found),
        _ => Finding::warning(
            "sandgate",
            found,
            "the tests run on Linux on x86-64; elsewhere nothing is promised",
        ),
    }
}

/// What the sandbox can use when it is there, and since which kernel it is.
const OFFERS: [(&str, u32, u32); 3] = [
    ("openat2", 5, 6),
    ("Landlock", 5, 13),
    ("PAGEMAP_SCAN", 6, 7),
];

fn kernel() -> Finding {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return Finding::warning(
            "kernel",
            release,
            "its version cannot be read, so nothing is said of what it offers",
        );
    };
    let offers: Vec<&str> = OFFERS
        .iter()
        .filter(|(_, a, b)| (major, minor) >= (*a, *b))
        .map(|(name, ..)| *name)
        .collect();
    let lacks: Vec<&str> = OFFERS
        .iter()
        .filter(|(_, a, b)| (major, minor) < (*a, *b))
        .map(|(name, ..)| *name)
        .collect();
    let mut found = format!(
        "{} {release}; offers {}",
        uname.sysname().to_string_lossy(),
        offers.join(", ")
    );
    if lacks.is_empty() {
        return Finding::ok("kernel", found);
    }
    found.push_str(&format!("; too old for {}", lacks.join(", ")));
    Finding::warning(
        "kernel",
        found,
        "it works, slower or with one wall less; Linux 6.7 has all of it",
    )
}

/// Granted directories are opened with it, so that the kernel itself keeps a path inside. Without it a walk in user
/// space does, which has had holes; so its absence is an error.
fn openat2() -> Finding {
    const WHAT: &str = "openat2";
    let root = match rustix::fs::open(
        "/",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(root) => root,
        Err(errno) => {
            return Finding::error(
                WHAT,
                format!("/ cannot be opened: {errno}"),
                "look at the file system",
            );
        }
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if let Err(errno) = rustix::fs::openat2(&root, ".", flags, Mode::empty(), resolve) {
        let hint = match errno {
            Errno::NOSYS => "use Linux 5.6 or newer",
            _ => "a seccomp profile (of a container, say) blocks it: allow openat2",
        };
        return Finding::error(WHAT, format!("the kernel refuses it: {errno}"), hint);
    }
    match rustix::fs::openat2(&root, "..", flags, Mode::empty(), resolve) {
        Err(Errno::XDEV) => Finding::ok(WHAT, "keeps paths inside of granted directories"),
        _ => Finding::error(
            WHAT,
            "it lets a path out of its directory",
            "do not run plugins on this kernel",
        ),
    }
}

/// Each live instance takes about six memory maps.
fn memory_maps() -> Finding {
    const WHAT: &str = "memory maps";
    /// For 10,000 live instances; the kernel's default of 65,530 is enough for what a project may run at once.
    const ENOUGH: u64 = 60_000;
    match std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|t| t.trim().parse::<u64>().ok())
    {
        Some(n) if n >= ENOUGH => Finding::ok(WHAT, format!("vm.max_map_count is {n}")),
        Some(n) => Finding::warning(
            WHAT,
            format!("vm.max_map_count is {n}"),
            "many tasks at once may fail to start: sysctl vm.max_map_count=65530",
        ),
        None => Finding::warning(
            WHAT,
            "vm.max_map_count cannot be read",
            "mount /proc to know",
        ),
    }
}

fn clock(ctx: &Context) -> Finding {
    /// 2026-01-01: this version did not exist before.
    const BORN: u64 = 1_767_225_600_000;
    let at = now();
    let found = ctx.ui.out.zone.day(at);
    match at.0 >= BORN {
        true => Finding::ok("clock", found),
        false => Finding::warning(
            "clock",
            found,
            "the clock is wrong; order is kept, but moments in the record are not true",
        ),
    }
}

/// Code in the cache is run as it is, so nobody else may write there.
fn cache() -> Finding {
    const WHAT: &str = "cache";
    let Some(dir) = crate::context::cache_dir() else {
        return Finding::warning(
            WHAT,
            "no home directory",
            "set XDG_CACHE_HOME; without it every start compiles anew",
        );
    };
    let shown = dir.display().to_string();
    match dir.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(WHAT, format!("{shown}, made at the first run"))
        }
        Err(error) => Finding::error(
            WHAT,
            format!("{shown}: {error}"),
            "give this user a cache directory",
        ),
        Ok(meta) if !meta.is_dir() => {
            Finding::error(WHAT, format!("{shown} is not a directory"), "move it away")
        }
        Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() => Finding::error(
            WHAT,
            format!("{shown} belongs to another user"),
            "move it away, or set XDG_CACHE_HOME",
        ),
        Ok(meta) if meta.mode() & 0o022 != 0 => Finding::error(
            WHAT,
            format!("others may write into {shown}"),
            "compiled code is run as it lies there: chmod 700",
        ),
        Ok(_) => Finding::ok(WHAT, format!("{shown}, {}", size(dir_size(&dir)))),
    }
}

fn dir_size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|e| match e.file_type() {
            Ok(kind) if kind.is_dir() => dir_size(&e.path()),
            Ok(_) => e.metadata().map_or(0, |m| m.len()),
            Err(_) => 0,
        })
        .sum()
}

/// The whole way of a plugin: compile, link, call.
async fn sandbox(ctx: &Context) -> Finding {
    const WHAT: &str = "sandbox";
    const HINT: &str = "this machine may not run compiled code, or is out of memory";
    let sandbox = match sandgate_driver::sandbox(&ctx.host_options()) {
        Ok(sandbox) => sandbox,
        Err(error) => return Finding::error(WHAT, chain(&error), HINT),
    };
    let Some(builtin) = sandgate_builtins::all().first() else {
        return Finding::error(
            WHAT,
            "no plugin is built in",
            "build it again from a whole source tree",
        );
    };
    match Plugin::of_bytes(&sandbox, builtin.bytes.into()).await {
        Ok(plugin) => Finding::ok(
            WHAT,
            format!(
                "plugin {} {} answers",
                plugin.description.name, plugin.description.version
            ),
        ),
        Err(problem) => Finding::error(WHAT, problem, HINT),
    }
}
