//! Parked and reopened: everything is there again, and what comes of it is what came of it without.

use crate::kit::{Project, chmod, grant, into, key, tree, write_to};
use sandgate_model::{FileGrant, FileMode, Workspace};
use sandgate_workspace::{FinishError, Prepared, Workspaces};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

fn project() -> Project {
    let project = Project::git(&[
        ("src/a", "1\n2\n3\n"),
        ("src/gone", "x\n"),
        ("src/same", "same\n"),
        ("src/deep/er/b", "b\n"),
        ("src/.gitignore", "*.log\n"),
        ("other/c", "c\n"),
    ]);
    symlink("/etc/passwd", project.dir.join("src/out")).unwrap();
    project.write("src/tool", "#!/bin/sh\n");
    chmod(project.dir.join("src/tool"), 0o755);
    project.commit_all(&[]);
    project
}

fn grants() -> Vec<FileGrant> {
    vec![
        grant("src", FileMode::Write),
        grant("other", FileMode::Read),
    ]
}

/// What the first half of an attempt does.
fn first_half(at: &Path) {
    fs::write(at.join("a"), "1\n2\n3\n4\n").unwrap();
    fs::remove_file(at.join("gone")).unwrap();
    fs::create_dir(at.join("new")).unwrap();
    fs::write(at.join("new/secret"), "s").unwrap();
    fs::write(at.join("new/noise.log"), "ignored").unwrap();
    symlink("../a", at.join("new/link")).unwrap();
    chmod(at.join("new/secret"), 0o600);
    chmod(at.join("new"), 0o750);
    chmod(at.join("tool"), 0o644);
}

/// What the other half does.
fn second_half(at: &Path) {
    fs::write(at.join("deep/er/b"), "b2\n").unwrap();
    fs::remove_file(at.join("new/link")).unwrap();
    fs::write(at.join("late"), "late\n").unwrap();
}

fn root(made: &Prepared) -> &Path {
    &made.roots()[0].path
}

fn times(dir: &Path) -> Vec<(i64, i64, u64)> {
    tree(dir)
        .keys()
        .map(|p| {
            let meta = dir.join(p).symlink_metadata().unwrap();
            (meta.mtime(), meta.mtime_nsec(), meta.ino())
        })
        .collect()
}

#[test]
fn everything_is_there_again() {
    for kind in [Workspace::Clone, Workspace::Worktree] {
        let project = project();
        let name = key();
        let made = project.open().prepare(&name, kind, &grants()).unwrap();
        let before = (made.base().map(str::to_owned), made.skipped().to_vec());
        let path = root(&made).to_path_buf();
        first_half(&path);
        let scratch = made.scratch().unwrap().path.clone();
        fs::write(scratch.join("half"), "done").unwrap();
        let left = (tree(&path), times(&path), tree(&scratch));
        made.park().unwrap();
        // The project goes on meanwhile, and a host comes up and looks who is to be resumed.
        project.commit_all(&[("src/a", "other\n"), ("src/same", "other\n")]);
        let at = project.open();
        assert_eq!(at.sweep(&BTreeSet::from([name.clone()])).unwrap().kept, 1);
        let again = at.reopen(&name, kind, &grants()).unwrap().unwrap();
        assert_eq!(root(&again), path);
        assert!(
            (tree(&path), times(&path), tree(&scratch)) == left,
            "{kind:?}"
        );
        assert_eq!(again.scratch().unwrap().path, scratch);
        assert_eq!(again.kind(), kind);
        assert_eq!(
            (again.base().map(str::to_owned), again.skipped().to_vec()),
            before
        );
        assert!(!again.skipped().is_empty(), "the link was left out");
        let roots: Vec<_> = again
            .roots()
            .iter()
            .map(|r| (r.guest.as_str(), r.mode))
            .collect();
        assert_eq!(
            roots,
            [("/src", FileMode::Write), ("/other", FileMode::Read)]
        );
        assert_eq!(
            again.roots()[0].dir.read_to_string("a").unwrap(),
            "1\n2\n3\n4\n"
        );
        assert_eq!(again.roots()[1].dir.read_to_string("c").unwrap(), "c\n");
        // What is kept is not within reach of who has the directories.
        for reach in again.roots().iter().chain([again.scratch().unwrap()]) {
            assert!(!tree(&reach.path).keys().any(|p| p.ends_with("kept.json")));
        }
        drop(again);
        assert_eq!(project.leftovers(), 0);
    }
}

/// The oracle is an attempt with the same edits that was never parked.
#[test]
fn the_patch_is_the_one_of_an_attempt_that_never_waited() {
    let project = project();
    let at = project.open();
    let mut straight = at.prepare(&key(), Workspace::Worktree, &grants()).unwrap();
    first_half(root(&straight));
    second_half(root(&straight));
    let expected = straight.finish(Some(&into(1))).unwrap();
    let mut patches = 0;
    // How often it waits, and before which half.
    for waits in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 2, 4]] {
        let name = key();
        let mut made = at.prepare(&name, Workspace::Worktree, &grants()).unwrap();
        for (part, times) in waits.iter().enumerate() {
            for _ in 0..*times {
                made.park().unwrap();
                made = project
                    .open()
                    .reopen(&name, Workspace::Worktree, &grants())
                    .unwrap()
                    .unwrap();
            }
            match part {
                0 => first_half(root(&made)),
                1 => second_half(root(&made)),
                _ => {}
            }
        }
        let run = 2 + patches;
        let done = made.finish(Some(&into(run))).unwrap();
        assert_eq!(
            String::from_utf8_lossy(done.patch.as_ref().unwrap()),
            String::from_utf8_lossy(expected.patch.as_ref().unwrap())
        );
        assert_eq!(done.changed, expected.changed);
        let tree_of = |n| {
            let branch = format!("sandgate/run-{}^{{tree}}", crate::kit::run_id(n));
            project.run_git(&["rev-parse", &branch])
        };
        assert_eq!(tree_of(run), tree_of(1));
        patches += 1;
    }
    assert_eq!(project.leftovers(), 0);
    println!("{patches} attempts that waited, {patches} patches as without");
}

/// A guest that changes a file so that everything it can set is as before is found, also when the attempt was parked
/// between.
#[test]
fn a_disguised_change_is_found_after_parking() {
    let project = project();
    let (at, name) = (project.open(), key());
    let made = at.prepare(&name, Workspace::Worktree, &grants()).unwrap();
    made.park().unwrap();
    let mut made = at
        .reopen(&name, Workspace::Worktree, &grants())
        .unwrap()
        .unwrap();
    let file = root(&made).join("same");
    let time = file.metadata().unwrap().modified().unwrap();
    fs::write(&file, "SAME\n").unwrap();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let done = made.finish(None).unwrap();
    assert_eq!(done.changed.count, 1, "{:?}", done.changed);
}

#[test]
fn shared_and_none_keep_their_scratch_alone() {
    for kind in [Workspace::Shared, Workspace::None] {
        let project = project();
        let (at, name) = (project.open(), key());
        let made = at.prepare(&name, kind, &write_to("src")).unwrap();
        made.park().unwrap();
        let made = at.reopen(&name, kind, &write_to("src")).unwrap().unwrap();
        let path = made.scratch().unwrap().path.clone();
        fs::write(path.join("x"), "x").unwrap();
        made.park().unwrap();
        // Other people's directories may be others meanwhile.
        fs::rename(project.dir.join("src"), project.dir.join("old")).unwrap();
        project.write("src/new", "new");
        let made = at.reopen(&name, kind, &write_to("src")).unwrap().unwrap();
        assert_eq!(
            made.scratch().unwrap().dir.read_to_string("x").unwrap(),
            "x"
        );
        if kind == Workspace::Shared {
            assert_eq!(made.roots()[0].dir.read_to_string("new").unwrap(), "new");
        } else {
            assert!(made.roots().is_empty());
        }
        drop(made);
        assert_eq!(project.leftovers(), 0);
        assert!(at.reopen(&name, kind, &write_to("src")).unwrap().is_none());
    }
}

#[test]
fn nothing_granted_is_kept_too() {
    for kind in [Workspace::Clone, Workspace::Worktree] {
        let project = project();
        let (at, name) = (project.open(), key());
        at.prepare(&name, kind, &[]).unwrap().park().unwrap();
        let made = at.reopen(&name, kind, &[]).unwrap().unwrap();
        assert!(made.roots().is_empty());
        made.park().unwrap();
        assert_eq!(at.sweep(&BTreeSet::new()).unwrap().removed, 1);
    }
}

#[test]
fn what_was_not_kept_is_none_and_makes_room() {
    let project = project();
    let (at, name) = (project.open(), key());
    let ask = |at: &Workspaces| at.reopen(&name, Workspace::Clone, &grants()).unwrap();
    assert!(ask(&at).is_none());
    // As after a crash: what was made stays, and its process is gone.
    let made = at.prepare(&name, Workspace::Clone, &grants()).unwrap();
    let place = root(&made).ancestors().nth(2).unwrap().to_path_buf();
    let aside = project.place().join("aside");
    fs::rename(&place, &aside).unwrap();
    drop(made);
    fs::rename(&aside, &place).unwrap();
    assert_eq!(project.leftovers(), 1);
    assert!(ask(&at).is_none());
    assert_eq!(project.leftovers(), 0);
    // Kept without waiting: a crash comes at any time.
    let made = at.prepare(&name, Workspace::Clone, &grants()).unwrap();
    made.keep().unwrap();
    made.keep().unwrap();
    drop(made);
    assert_eq!(project.leftovers(), 0, "a drop is an end, kept or not");
}

#[test]
fn changes_can_be_taken_before_the_end_is_recorded() {
    let project = project();
    let (at, name) = (project.open(), key());
    let mut made = at.prepare(&name, Workspace::Worktree, &grants()).unwrap();
    made.keep().unwrap();
    first_half(root(&made));
    let first = made.take_changes(Some(&into(1))).unwrap();
    let branch = format!("sandgate/run-{}^{{tree}}", crate::kit::run_id(1));
    let merged = project.run_git(&["rev-parse", &branch]);
    // The host dies before it wrote that down; the attempt is made again and comes to the same end.
    made.park().unwrap();
    let mut made = at
        .reopen(&name, Workspace::Worktree, &grants())
        .unwrap()
        .unwrap();
    let again = made.take_changes(Some(&into(1))).unwrap();
    assert_eq!(again.patch, first.patch);
    assert_eq!(project.run_git(&["rev-parse", &branch]), merged);
    made.finish(None).unwrap();
    assert_eq!(project.leftovers(), 0);
    // After the end there is nothing to keep, and nothing is made for it.
    assert!(made.keep().is_err());
    assert!(made.park().is_err());
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn a_conflict_can_wait_too() {
    let project = project();
    let (at, name) = (project.open(), key());
    let mut first = at.prepare(&key(), Workspace::Worktree, &grants()).unwrap();
    fs::write(root(&first).join("a"), "one\n").unwrap();
    first.finish(Some(&into(1))).unwrap();
    let mut made = at.prepare(&name, Workspace::Worktree, &grants()).unwrap();
    fs::write(root(&made).join("a"), "two\n").unwrap();
    let conflict = made.finish(Some(&into(1)));
    assert!(matches!(conflict, Err(FinishError::Conflict { .. })));
    made.park().unwrap();
    let mut made = at
        .reopen(&name, Workspace::Worktree, &grants())
        .unwrap()
        .unwrap();
    let conflict = made.finish(Some(&into(1)));
    assert!(matches!(conflict, Err(FinishError::Conflict { .. })));
    assert!(made.finish(None).unwrap().patch.is_some());
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn a_sweep_keeps_exactly_the_live_ones() {
    let project = project();
    let at = project.open();
    let mut kept = Vec::new();
    for kind in [Workspace::Clone, Workspace::Worktree, Workspace::None] {
        for _ in 0..4 {
            let name = key();
            let made = at.prepare(&name, kind, &grants()).unwrap();
            made.scratch().unwrap();
            made.park().unwrap();
            kept.push((name, kind));
        }
    }
    // Every other one was reopened once; a crash leaves those as they are here: in use, and no longer locked.
    for (name, kind) in kept.iter().step_by(2) {
        at.reopen(name, *kind, &grants())
            .unwrap()
            .unwrap()
            .park()
            .unwrap();
    }
    let live: BTreeSet<_> = kept
        .iter()
        .skip(1)
        .step_by(3)
        .map(|(k, _)| k.clone())
        .collect();
    let swept = project.open().sweep(&live).unwrap();
    assert_eq!((swept.kept, swept.removed), (4, 8));
    let mut back = 0;
    for (name, kind) in &kept {
        let again = at.reopen(name, *kind, &grants()).unwrap();
        assert_eq!(again.is_some(), live.contains(name));
        back += usize::from(again.is_some());
    }
    assert_eq!((back, project.leftovers()), (4, 0));
    println!(
        "12 parked, 4 of them live: {} kept, {} removed",
        swept.kept, swept.removed
    );
}
