//! Files: out of the granted directory, traps in it, too much of it.

use super::{CANARY, End, Row, Seen, wrong};
use crate::harness::Project;
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::Command,
};

const WORK: &str = "[policy]\nfiles = [{ host = \"work\", guest = \"/work\", mode = \"write\" }]\n";
/// The guest asks to write, so it has to be lent something to write to; the order is for the other directory.
const READ: &str = "[policy]\nfiles = [{ host = \"work\", guest = \"/work\", mode = \"read\" }, { host = \"beside\", guest = \"/beside\", mode = \"write\" }]\n";
const LINKS: &str = r#"links = ["up", "out", "abs", "etc", "proc", "chain", "dir-link"]"#;

fn row(act: impl Into<String>) -> Row {
    Row::new("files", sandgate_test_guests::escape_agent(), act).policy(WORK)
}

/// Links that leave the directory, made by whoever owns the project.
fn links(project: &Project) {
    let work = project.dir().join("work");
    let secret = project.dir().join("secret.txt");
    for (target, name) in [
        (Path::new(".."), "up"),
        (Path::new("../secret.txt"), "out"),
        (&secret, "abs"),
        (Path::new("/etc"), "etc"),
        (Path::new("/proc/self"), "proc"),
        (Path::new("up"), "chain"),
        (Path::new("../beside"), "dir-link"),
    ] {
        symlink(target, work.join(name)).unwrap();
    }
}

/// What no grant makes readable.
fn specials(project: &Project) {
    let work = project.dir().join("work");
    let made = Command::new("mkfifo")
        .arg(work.join("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    // The name in the directory stays when the listener is gone.
    drop(UnixListener::bind(work.join("socket")).unwrap());
    symlink("/dev/zero", work.join("zero")).unwrap();
}

/// Bytes and names below `work`, links not followed.
fn taken(project: &Project) -> (u64, usize) {
    fn walk(dir: &Path, sum: &mut (u64, usize)) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(meta) = fs::symlink_metadata(entry.path()) else {
                continue;
            };
            sum.1 += 1;
            if meta.is_dir() {
                walk(&entry.path(), sum);
            } else {
                sum.0 += meta.len();
            }
        }
    }
    let mut sum = (0, 0);
    walk(&project.dir().join("work"), &mut sum);
    sum
}

/// At most so many MiB and names.
fn within(mib: u64, names: usize) -> impl Fn(&Seen<'_>) -> Result<(), String> {
    move |seen| {
        let (bytes, found) = taken(seen.project);
        // What was there before: file.txt.
        wrong(bytes > (mib << 20) + 6 || found > names, || {
            format!("{bytes} bytes in {found} names")
        })
    }
}

/// So many were tried and it was stopped before.
fn stopped(tried: u64, mib: u64, names: usize) -> impl Fn(&Seen<'_>) -> Result<(), String> {
    let within = within(mib, names);
    move |seen| {
        within(seen)?;
        let done = seen.told["done"].as_u64();
        wrong(
            !seen.told.is_null() && done.is_none_or(|n| n >= tried),
            || format!("not stopped: {}", seen.told),
        )
    }
}

/// None of what a human's tools would run is there.
fn no_traps(seen: &Seen<'_>) -> Result<(), String> {
    fn walk(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir()) {
                walk(&path, found);
            }
            let harmless =
                ["innocent.txt", "innocent", "config", "file.txt", "sub"].contains(&name.as_str());
            if !harmless {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(&seen.project.dir().join("work"), &mut found);
    wrong(!found.is_empty(), || format!("traps: {found:?}"))
}

/// What was read is never what lies outside, and reading within works (or the row would show nothing).
fn inside_only(seen: &Seen<'_>) -> Result<(), String> {
    wrong(seen.told["probes"].as_u64().is_none(), || {
        format!("no probes: {}", seen.told)
    })?;
    let outside = seen.passed().into_iter().find(|(_, got)| {
        got.contains(CANARY)
            || got.contains("kept")
            || got.contains("secret.txt,")
            || got.contains("passwd")
    });
    wrong(outside.is_some(), || format!("{outside:?}"))
}

fn limits(text: &str) -> String {
    format!("{WORK}\n[limits]\n{text}\n")
}

pub(super) fn rows() -> Vec<Row> {
    let escapes = format!("act = \"escapes\", target = \"secret.txt\", {LINKS}");
    vec![
        // The twin: within the directory it works.
        row("act = \"read\", path = \"file.txt\"")
            .look(|s| wrong(s.told.as_str() != Some("inside"), || s.told.to_string())),
        row(&*escapes).prepare(links).look(inside_only),
        row(format!("root = \"/work\", {escapes}"))
            .named("only to be read")
            .policy(READ)
            .prepare(links)
            .look(|s| {
                inside_only(s)?;
                let changed = s.passed().into_iter().find(|(_, got)| {
                    ["done", "created", "appended", "truncated"].contains(&got.as_str())
                        || got.ends_with(" bytes")
                });
                wrong(changed.is_some(), || format!("changed {changed:?}"))
            }),
        row(&*escapes)
            .named("in a copy")
            .more("workspace = \"clone\"")
            .look(inside_only),
        row(&*escapes)
            .named("no directory")
            .more("workspace = \"none\"")
            .end(End::Refused(&[2, 5], "directory")),
        row(format!("act = \"follow\", {LINKS}"))
            .prepare(links)
            .look(|s| {
                inside_only(s)?;
                s.nothing_passed()
            }),
        row("act = \"symlinks\", target = \"secret.txt\"").look(inside_only),
        row(format!("act = \"hardlinks\", {LINKS}"))
            .prepare(links)
            .look(inside_only),
        row("act = \"renames\", target = \"secret.txt\"").look(inside_only),
        row("act = \"swaps\", target = \"secret.txt\", count = 300").look(inside_only),
        row("act = \"handles-kept\"").look(inside_only),
        row("act = \"specials\", paths = [\"fifo\", \"socket\", \"zero\"]")
            .prepare(specials)
            .look(|s| {
                let bad = s
                    .passed()
                    .into_iter()
                    .find(|(probe, _)| !probe.starts_with("stat") && !probe.starts_with("unlink"));
                wrong(bad.is_some(), || format!("{bad:?}"))
            }),
        row("act = \"block\", path = \"fifo\"")
            .prepare(specials)
            .deadline(2_000)
            .end(End::Fails(&[
                "permitted",
                "invalid",
                "timeout",
                "not-",
                "access",
            ])),
        row("act = \"traps\"").look(no_traps),
        row("act = \"bytes\", mib = 64")
            .policy(limits("disk = \"8MiB\""))
            .look(stopped(64, 8, 4)),
        row("act = \"sparse\"")
            .policy(limits("disk = \"8MiB\""))
            .look(within(8, 4)),
        row("act = \"files\", count = 5000")
            .policy(limits("files = 200"))
            .look(stopped(5000, 1, 210)),
        row("act = \"directories\", count = 5000")
            .policy(limits("files = 200"))
            .look(stopped(5000, 1, 210)),
        row("act = \"links\", count = 5000")
            .policy(limits("files = 200"))
            .look(within(1, 420)),
        row("act = \"create-and-remove\", count = 5000")
            .policy(limits("files = 200"))
            .look(stopped(5000, 1, 210)),
        row("act = \"handles\", count = 100000").look(stopped(1_024, 1, 4)),
        row("act = \"streams\", count = 100000").look(stopped(1_024, 1, 4)),
        row("act = \"deep\", count = 3000")
            .policy(limits("files = 500"))
            .look(stopped(3000, 1, 510)),
        row("act = \"names\""),
        row(&*escapes)
            .named("nothing granted")
            .policy("")
            .prepare(links)
            .end(End::Refused(&[2, 5], "directory")),
    ]
}
