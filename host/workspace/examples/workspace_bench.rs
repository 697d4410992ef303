//! What a workspace costs, by kind, for a project of 1,000 files:
//! `cargo run --release -p sandgate-workspace --example workspace_bench [FILES]`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark ends when something fails, and prints"
)]

use sandgate_model::{FileGrant, FileMode, RunId, Workspace};
use sandgate_workspace::{AttemptKey, MergeInto, Prepared, Settings, Workspaces};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// How often each is measured; the median counts.
const TIMES: usize = 15;
/// Files that an attempt changes.
const CHANGED: usize = 10;

fn git(dir: &Path, args: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@localhost"])
        .args(args)
        .current_dir(dir)
        .status()
        .unwrap();
    assert!(status.success());
}

fn project(dir: &Path, files: usize) {
    for i in 0..files {
        let path = dir.join(format!("src/d{}/f{i}", i % 50));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("line {i}\n").repeat(400)).unwrap();
    }
    fs::create_dir(dir.join(".sandgate")).unwrap();
    fs::write(dir.join(".gitignore"), ".sandgate\n").unwrap();
    git(dir, &["init", "-q", "-b", "main"]);
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", "files"]);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn change(made: &Prepared, round: usize) {
    for i in 0..CHANGED {
        let path = format!("d{}/f{i}", i % 50);
        let mut text = made.roots()[0].dir.read_to_string(&path).unwrap();
        text.push_str(&format!("round {round}\n"));
        made.roots()[0].dir.write(&path, text).unwrap();
    }
}

fn main() {
    let files = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    let tmp = tempfile::tempdir().unwrap();
    project(tmp.path(), files);
    let at = Workspaces::open(Settings::new(tmp.path(), tmp.path().join(".sandgate"))).unwrap();
    let grants = [FileGrant {
        host: "src".into(),
        guest: "/src".into(),
        mode: FileMode::Write,
    }];
    println!("{files} files, {CHANGED} changed; median of {TIMES}");
    println!(
        "{:<24}{:>12}{:>12}{:>12}",
        "workspace", "prepare us", "finish us", "drop us"
    );
    let kinds = [
        ("none, with a scratch", Workspace::None, None),
        ("shared", Workspace::Shared, None),
        ("clone", Workspace::Clone, None),
        ("worktree, patch", Workspace::Worktree, None),
        ("worktree, merge", Workspace::Worktree, Some(())),
    ];
    for (name, kind, merge) in kinds {
        let (mut prepare, mut finish, mut end) = (vec![], vec![], vec![]);
        for round in 0..TIMES {
            let key = AttemptKey::new(&[name, &round.to_string()]);
            let start = Instant::now();
            let mut made = at.prepare(&key, kind, &grants).unwrap();
            if kind == Workspace::None {
                made.scratch().unwrap();
            }
            prepare.push(start.elapsed());
            if kind == Workspace::Worktree {
                change(&made, round);
                // Each round into a branch of its own: the same lines change every time.
                let into = merge.map(|()| MergeInto {
                    run: RunId::from_bytes([u8::try_from(round).unwrap(); 16]),
                    title: "bench".into(),
                });
                let start = Instant::now();
                made.finish(into.as_ref()).unwrap();
                finish.push(start.elapsed());
            } else {
                let start = Instant::now();
                drop(made);
                end.push(start.elapsed());
            }
        }
        let show = |times: Vec<Duration>| match times.is_empty() {
            true => "-".to_owned(),
            false => median(times).as_micros().to_string(),
        };
        println!(
            "{name:<24}{:>12}{:>12}{:>12}",
            show(prepare),
            show(finish),
            show(end)
        );
    }
}
