//! Nothing stays: after the end, after a guest's tricks, after `kill -9`.

use crate::kit::{Project, chmod, fifo, into, key, prepare, tree, volume, write_to};
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use sandgate_model::Workspace;
use sandgate_workspace::{AttemptKey, Settings, Workspaces};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Thousands of directories in each other, far beyond what a path can say.
fn deep(at: &Path, levels: usize) {
    let mut dir = rustix::fs::open(at, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..levels {
        mkdirat(&dir, "d", Mode::RWXU).unwrap();
        dir = openat(&dir, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let file = OFlags::CREATE | OFlags::WRONLY;
    openat(&dir, "file", file, Mode::RUSR).unwrap();
}

#[test]
fn whatever_a_guest_leaves_goes_away() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("keep"), "x").unwrap();
    chmod(outside.path().join("keep"), 0o400);
    let before = tree(outside.path());
    let project = Project::new();
    project.write("src/a", "x");
    let made = prepare(&project.open(), Workspace::Clone, "src");
    let root = made.roots()[0].path.clone();
    symlink(outside.path(), root.join("out")).unwrap();
    symlink(outside.path(), root.join(".gone-1")).unwrap();
    fs::create_dir_all(root.join(".gone-2/x/y")).unwrap();
    fs::hard_link(outside.path().join("keep"), root.join("hard")).unwrap();
    fifo(&root.join("pipe"));
    for closed in ["closed", "closed/inner", "closed/inner/more"] {
        fs::create_dir(root.join(closed)).unwrap();
        fs::write(root.join(closed).join("file"), "x").unwrap();
    }
    symlink(outside.path(), root.join("closed/inner/out")).unwrap();
    for closed in ["closed/inner/more", "closed/inner", "closed"] {
        chmod(root.join(closed), 0);
    }
    let levels = volume("SANDGATE_LEVELS", 5_000);
    deep(&root, levels);
    let start = Instant::now();
    drop(made);
    assert_eq!(project.leftovers(), 0);
    assert_eq!(tree(outside.path()), before);
    println!(
        "{levels} directories in each other, closed ones, links: gone in {:?}",
        start.elapsed()
    );
}

#[test]
fn a_great_many_files_go_away() {
    let count = volume("SANDGATE_FILES", 20_000);
    let project = Project::new();
    let made = project
        .open()
        .prepare(&key(), Workspace::None, &[])
        .unwrap();
    let root = made.scratch().unwrap().path.clone();
    for dir in 0..100 {
        let dir = root.join(format!("d{dir}/sub"));
        fs::create_dir_all(&dir).unwrap();
        for file in 0..count / 100 {
            fs::File::create(dir.join(file.to_string())).unwrap();
        }
    }
    let start = Instant::now();
    drop(made);
    assert_eq!(project.leftovers(), 0);
    println!("{count} files gone in {:?}", start.elapsed());
}

#[test]
fn a_sweep_takes_the_dead_and_leaves_the_living() {
    let project = Project::git(&[("src/a", "x")]);
    let at = project.open();
    let keys: Vec<AttemptKey> = (0..6).map(|_| key()).collect();
    let kinds = [Workspace::Clone, Workspace::Worktree, Workspace::None];
    let made: Vec<_> = keys
        .iter()
        .zip(kinds.iter().cycle())
        .map(|(k, kind)| {
            let made = at.prepare(k, *kind, &write_to("src")).unwrap();
            made.scratch().unwrap();
            made
        })
        .collect();
    fs::write(project.place().join("stray"), "x").unwrap();
    symlink(&project.dir, project.place().join("stray-link")).unwrap();
    chmod(made[1].roots()[0].path.parent().unwrap(), 0);
    let live: BTreeSet<AttemptKey> = keys[..2].iter().cloned().collect();
    // Nothing is dropped: as after a crash.
    let swept = at.sweep(&live).unwrap();
    assert_eq!((swept.removed, swept.kept), (6, 2));
    assert_eq!(project.leftovers(), 2);
    assert!(project.dir.join("src/a").exists());
    let swept = project.open().sweep(&BTreeSet::new()).unwrap();
    assert_eq!((swept.removed, swept.kept), (2, 0));
    drop(made);
}

/// Entry of the process that is killed: makes and finishes workspaces until then. Does nothing otherwise.
#[test]
fn child() {
    let Ok(dir) = std::env::var("SANDGATE_TEST_PROJECT") else {
        return;
    };
    let dir = PathBuf::from(dir);
    let at = Workspaces::open(Settings::new(&dir, dir.join(".sandgate"))).unwrap();
    println!("step");
    for n in 0_u32.. {
        let kind = [Workspace::Clone, Workspace::Worktree][n as usize % 2];
        let name = AttemptKey::new(&[&std::process::id().to_string(), &n.to_string()]);
        println!("step");
        let mut made = at.prepare(&name, kind, &write_to(".")).unwrap();
        println!("step");
        let text = format!("{n} {}\n", std::process::id());
        let name = format!("counter-{}-{n}", std::process::id());
        made.roots()[0].dir.write(name, text).unwrap();
        made.finish(Some(&into(9))).unwrap();
    }
}

#[test]
fn kill_nine_leaves_nothing_after_a_sweep() {
    let kills = volume("SANDGATE_KILLS", 25);
    let files: Vec<(String, String)> = (0..60)
        .map(|i| (format!("f/{i}"), "x\n".repeat(2000)))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let project = Project::git(&files);
    let main = project.run_git(&["rev-parse", "main"]);
    let status = project.run_git(&["status", "--porcelain"]);
    let (mut found, mut moved) = (0, 0);
    let mut last = String::new();
    for n in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cleanup::child", "--nocapture"])
            .env("SANDGATE_TEST_PROJECT", &project.dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Each workspace is two steps; so the kills come at every part of its life, however quick the machine is.
        let steps = 1 + n % 6;
        for _ in 0..steps {
            while !lines.next().unwrap().unwrap().ends_with("step") {}
        }
        thread::sleep(Duration::from_micros(7_919 * n as u64 % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();
        // Its git processes lose their ends and stop; they hold no lock for long.
        thread::sleep(Duration::from_millis(30));
        let at = project.open();
        let swept = at.sweep(&BTreeSet::new()).unwrap();
        found += swept.removed;
        assert_eq!(project.leftovers(), 0);
        let branch = format!("sandgate/run-{}", crate::kit::run_id(9));
        let now = project.git_output(&["rev-parse", "--verify", "-q", &branch]);
        let now = String::from_utf8(now.stdout).unwrap();
        if now != last {
            moved += 1;
            project.run_git(&["log", "-1", "-p", &branch]);
        }
        last = now;
    }
    assert_eq!(project.run_git(&["rev-parse", "main"]), main);
    assert_eq!(project.run_git(&["status", "--porcelain"]), status);
    project.run_git(&["fsck", "--strict", "--no-dangling"]);
    assert!(found > 0, "no kill came while there was a workspace");
    println!(
        "{kills} kills, {found} workspaces left behind, 0 after a sweep; the branch moved {moved} times and is whole"
    );
}
