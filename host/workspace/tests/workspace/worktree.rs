//! Worktrees: the commit's files, and the changes as a patch.

use crate::kit::{Project, chmod, fifo, grant, into, key, prepare, tree, write_to};
use sandgate_model::{FileMode, Workspace};
use sandgate_workspace::{
    FileChange, FinishError, PrepareError, Quota, RepositoryError, RootError, SkipReason,
    Workspaces,
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
};

#[test]
fn the_tree_of_head_and_nothing_else() {
    let project = Project::git(&[("a.txt", "one\n"), ("src/b", "two\n"), ("src/tool", "x")]);
    chmod(project.dir.join("src/tool"), 0o755);
    symlink("../a.txt", project.dir.join("src/link")).unwrap();
    project.commit_all(&[]);
    project.write("a.txt", "not committed\n");
    project.write("untracked", "x");
    let made = prepare(&project.open(), Workspace::Worktree, ".");
    let tree_path = made.roots()[0].path.clone();
    assert_eq!(
        made.base(),
        Some(project.run_git(&["rev-parse", "HEAD"]).as_str())
    );
    let read = |p: &str| fs::read_to_string(tree_path.join(p)).unwrap();
    assert_eq!(
        (
            read("a.txt").as_str(),
            read("src/b").as_str(),
            read("src/link").as_str()
        ),
        ("one\n", "two\n", "one\n")
    );
    assert!(tree_path.join("src/tool").metadata().unwrap().mode() & 0o111 != 0);
    assert!(!tree_path.join("untracked").exists());
    assert!(
        !tree_path.join(".git").exists(),
        "no git directory within reach"
    );
    assert!(!tree_path.join(".sandgate").exists());
    // Git knows nothing of it.
    assert_eq!(project.run_git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn changes_become_a_patch_that_git_applies() {
    let binary: Vec<u8> = (0..=255).cycle().take(4000).collect();
    let project = Project::git(&[
        ("change", "1\n2\n3\n"),
        ("delete", "x\n"),
        ("mode", "x"),
        ("to_dir", "x"),
        ("dir/file", "x"),
        ("same", "x"),
        ("odd \"name\u{e9}", "x"),
    ]);
    fs::write(project.dir.join("image"), &binary).unwrap();
    project.commit_all(&[]);
    // The user's own half-finished work, which nobody touches.
    project.write("change", "mine\n");
    project.write("staged", "mine\n");
    project.run_git(&["add", "staged"]);
    let before = (
        tree(&project.dir.join(".git")),
        project.run_git(&["status", "--porcelain"]),
    );
    let mut made = prepare(&project.open(), Workspace::Worktree, ".");
    let path = made.roots()[0].path.clone();
    fs::write(path.join("change"), "1\n2\n3\n4\n").unwrap();
    fs::remove_file(path.join("delete")).unwrap();
    chmod(path.join("mode"), 0o755);
    fs::remove_file(path.join("to_dir")).unwrap();
    fs::create_dir(path.join("to_dir")).unwrap();
    fs::write(path.join("to_dir/inner"), "x").unwrap();
    fs::remove_dir_all(path.join("dir")).unwrap();
    fs::write(path.join("dir"), "now a file").unwrap();
    let mut other = binary.clone();
    other[7] = 0;
    fs::write(path.join("image"), &other).unwrap();
    fs::write(path.join("same"), "x").unwrap();
    fs::write(path.join("new\nline\t\"q\""), "odd name").unwrap();
    symlink("change", path.join("link")).unwrap();
    let expected = tree(&path);
    let done = made.finish(None).unwrap();
    assert_eq!(project.leftovers(), 0);
    let after = (
        tree(&project.dir.join(".git")),
        project.run_git(&["status", "--porcelain"]),
    );
    assert!(before == after);

    let patch = project.tmp.path().join("patch");
    fs::write(&patch, done.patch.unwrap()).unwrap();
    let elsewhere = project.tmp.path().join("applied");
    project.run_git(&[
        "worktree",
        "add",
        "-q",
        "--detach",
        elsewhere.to_str().unwrap(),
        "HEAD",
    ]);
    let here = elsewhere.to_str().unwrap();
    project.run_git(&["-C", here, "apply", "--binary", patch.to_str().unwrap()]);
    fs::remove_file(elsewhere.join(".git")).unwrap();
    assert!(tree(&elsewhere) == expected);

    assert_eq!(done.changed.count, 10);
    let what = |p: &str| {
        done.changed
            .files
            .iter()
            .find(|f| f.path == p)
            .map(|f| f.change)
    };
    assert_eq!(what("change"), Some(FileChange::Changed));
    assert_eq!(what("delete"), Some(FileChange::Removed));
    assert_eq!(what("dir"), Some(FileChange::Added));
    assert_eq!(what("dir/file"), Some(FileChange::Removed));
    assert_eq!(what("same"), None);
    assert!(
        done.changed.insertions >= 4 && done.changed.deletions >= 3,
        "{:?}",
        done.changed
    );
    assert!(done.merged.is_none() && done.skipped.is_empty());
}

#[test]
fn no_change_is_no_patch() {
    let project = Project::git(&[("a", "x")]);
    let at = project.open();
    let mut made = prepare(&at, Workspace::Worktree, ".");
    // Written again, the same.
    made.roots()[0].dir.write("a", "x").unwrap();
    let done = made.finish(Some(&into(1))).unwrap();
    assert!(done.patch.is_none() && done.merged.is_none() && done.changed.count == 0);
    assert_eq!(project.leftovers(), 0);
}

/// A file that is changed in the same instant in which it was written, and keeps its size and times, is seen.
#[test]
fn a_change_cannot_hide_behind_equal_times() {
    let project = Project::git(&[("a", "one"), ("b", "two")]);
    let at = project.open();
    for _ in 0..20 {
        let mut made = prepare(&at, Workspace::Worktree, ".");
        let path = made.roots()[0].path.join("a");
        let old = path.metadata().unwrap();
        fs::write(&path, "ONE").unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(old.modified().unwrap())
            .unwrap();
        let done = made.finish(None).unwrap();
        assert_eq!(done.changed.count, 1);
    }
}

#[test]
fn a_project_in_a_part_of_a_repository() {
    let project = Project::below("repo/tools/app");
    let top = project
        .dir
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_path_buf();
    project.write("src/a", "a\n");
    project.write("notes/b", "b\n");
    fs::write(top.join("above"), "canary-above\n").unwrap();
    fs::write(top.join(".gitignore"), ".sandgate\n*.log\n").unwrap();
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["commit", "-qm", "x"],
    ] {
        let mut all = vec!["-C", top.to_str().unwrap()];
        all.extend(args);
        project.run_git(&all);
    }
    let at = project.open();
    let grants = [grant("src", FileMode::Write), grant("out", FileMode::Write)];
    let mut made = at.prepare(&key(), Workspace::Worktree, &grants).unwrap();
    assert!(made.roots()[0].path.ends_with("tools/app/src"));
    assert_eq!(made.roots()[0].dir.read_to_string("a").unwrap(), "a\n");
    // Only what is granted is there at all.
    assert!(
        !crate::kit::holds(&project.place(), "canary-above")
            && !crate::kit::has_name(&project.place(), "b")
    );
    made.roots()[0].dir.write("a", "changed\n").unwrap();
    made.roots()[0]
        .dir
        .write("build.log", "left out by a rule from above\n")
        .unwrap();
    made.roots()[1].dir.write("new", "x\n").unwrap();
    let done = made.finish(None).unwrap();
    let paths: Vec<_> = done.changed.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["tools/app/out/new", "tools/app/src/a"]);
    // The whole project is the same part.
    let whole = prepare(&at, Workspace::Worktree, ".");
    assert!(whole.roots()[0].dir.exists("notes/b") && !whole.roots()[0].dir.exists("above"));
}

#[test]
fn what_the_project_ignores_is_no_change() {
    let project = Project::git(&[
        (".gitignore", "target/\n*.o\n!keep.o\n/top\n"),
        ("src/.gitignore", "local\n"),
        ("src/a", "x"),
        ("old.o", ""),
    ]);
    project.run_git(&["add", "-f", "old.o"]);
    project.run_git(&["commit", "-qm", "x", "--allow-empty"]);
    let mut made = prepare(&project.open(), Workspace::Worktree, ".");
    let root = made.roots()[0].path.clone();
    fs::create_dir_all(root.join("target/debug/deep")).unwrap();
    for i in 0..300 {
        fs::write(root.join(format!("target/debug/deep/{i}")), "x").unwrap();
    }
    for path in [
        ":(glob)x",
        ":!y",
        ":z.o",
        "a.o",
        "src/b.o",
        "keep.o",
        "top",
        "src/top",
        "src/local",
        "local",
        "targets",
    ] {
        fs::write(root.join(path), "x").unwrap();
    }
    // A guest's own rules hide nothing.
    fs::write(root.join("src/.gitignore"), "*\n").unwrap();
    fs::write(root.join("old.o"), "committed, so never ignored").unwrap();
    let done = made.finish(None).unwrap();
    let paths: Vec<_> = done.changed.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            ":!y",
            ":(glob)x",
            "keep.o",
            "local",
            "old.o",
            "src/.gitignore",
            "src/top",
            "targets"
        ]
    );
}

#[test]
fn what_a_guest_may_not_leave_is_left_out_and_reported() {
    let project = Project::git(&[("a", "x"), ("dir/b", "x")]);
    let mut made = prepare(&project.open(), Workspace::Worktree, ".");
    let root = made.roots()[0].path.clone();
    fs::create_dir_all(root.join("dir/.git/hooks")).unwrap();
    fs::write(root.join("dir/.git/hooks/post-checkout"), "#!/bin/sh\n").unwrap();
    fs::write(root.join(".GIT"), "gitdir: /etc").unwrap();
    fs::create_dir(root.join(".sandgate")).unwrap();
    fs::write(root.join(".sandgate/journal"), "x").unwrap();
    symlink("/etc/passwd", root.join("out")).unwrap();
    symlink("../../x", root.join("dir/up")).unwrap();
    fs::remove_file(root.join("a")).unwrap();
    symlink("/etc/passwd", root.join("a")).unwrap();
    fifo(&root.join("pipe"));
    fs::write(root.join("back\\slash"), "x").unwrap();
    fs::write(root.join("good"), "x").unwrap();
    let done = made.finish(Some(&into(7))).unwrap();
    let mut why: Vec<_> = done
        .skipped
        .iter()
        .map(|s| (s.path.as_str(), s.why))
        .collect();
    why.sort_unstable();
    assert_eq!(
        why,
        [
            (".GIT", SkipReason::GitRefuses),
            (".sandgate", SkipReason::State),
            ("a", SkipReason::LinkLeaves),
            ("back\\slash", SkipReason::GitRefuses),
            ("dir/.git", SkipReason::GitRefuses),
            ("dir/up", SkipReason::LinkLeaves),
            ("out", SkipReason::LinkLeaves),
            ("pipe", SkipReason::NotAFile),
        ]
    );
    let paths: Vec<_> = done.changed.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["good"]);
    let branch = done.merged.unwrap().branch;
    assert_eq!(
        project.run_git(&["ls-tree", "-r", "--name-only", &branch]),
        "a\ndir/b\ngood"
    );
}

#[test]
fn caps_hold_at_both_ends() {
    let project = Project::git(&[("a", &"x".repeat(1000)), ("b", "y")]);
    let with = |quota| {
        let mut settings = project.settings();
        settings.quota = quota;
        Workspaces::open(settings).unwrap()
    };
    let small = Quota {
        max_bytes: 1000,
        ..Quota::default()
    };
    let made = with(small).prepare(&key(), Workspace::Worktree, &write_to("."));
    assert!(
        matches!(made, Err(PrepareError::Quota { what: "bytes", .. })),
        "{made:?}"
    );
    let few = Quota {
        max_files: 1,
        ..Quota::default()
    };
    let made = with(few).prepare(&key(), Workspace::Worktree, &write_to("."));
    assert!(
        matches!(made, Err(PrepareError::Quota { what: "files", .. })),
        "{made:?}"
    );
    assert_eq!(project.leftovers(), 0);

    let quota = Quota {
        max_bytes: 10_000,
        max_files: 50,
        max_patch: 2_000,
    };
    let at = with(quota);
    let finish = |fill: &dyn Fn(&std::path::Path)| {
        let mut made = prepare(&at, Workspace::Worktree, ".");
        fill(&made.roots()[0].path);
        made.finish(None).map(|_| ()).map_err(|e| match e {
            FinishError::Quota { what, .. } => what,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(
        finish(&|at| fs::write(at.join("n"), "z".repeat(100)).unwrap()),
        Ok(())
    );
    let long = |at: &std::path::Path| fs::write(at.join("n"), "z".repeat(5000)).unwrap();
    assert_eq!(finish(&long), Err("bytes of patch"));
    let huge = |at: &std::path::Path| {
        fs::File::create(at.join("n"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap()
    };
    assert_eq!(finish(&huge), Err("bytes"));
    let many = |at: &std::path::Path| {
        (0..60).for_each(|i| fs::write(at.join(format!("n{i}")), "").unwrap())
    };
    assert_eq!(finish(&many), Err("files"));
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn projects_without_a_commit_and_directories_without_files() {
    let none = Project::new();
    let made = none
        .open()
        .prepare(&key(), Workspace::Worktree, &write_to("."));
    assert!(
        matches!(
            made,
            Err(PrepareError::Repository(RepositoryError::None(_)))
        ),
        "{made:?}"
    );
    none.run_git(&["init", "-q"]);
    let made = none
        .open()
        .prepare(&key(), Workspace::Worktree, &write_to("."));
    assert!(
        matches!(
            made,
            Err(PrepareError::Repository(RepositoryError::NoCommit))
        ),
        "{made:?}"
    );

    let project = Project::git(&[("file", "x"), ("dir/x", "x")]);
    symlink("dir", project.dir.join("link")).unwrap();
    project.commit_all(&[]);
    let at = project.open();
    let refused =
        |host: &str, mode| match at.prepare(&key(), Workspace::Worktree, &[grant(host, mode)]) {
            Err(PrepareError::Root { source, .. }) => source,
            other => panic!("{host}: {other:?}"),
        };
    assert!(matches!(
        refused("nothing", FileMode::Read),
        RootError::NotInHead
    ));
    for mode in [FileMode::Read, FileMode::Write] {
        assert!(matches!(refused("file", mode), RootError::NotADirectory));
        assert!(matches!(refused("file/x", mode), RootError::NotADirectory));
        assert!(matches!(refused("link", mode), RootError::Link));
        assert!(matches!(refused("link/x", mode), RootError::Link));
        assert!(matches!(refused(".git", mode), RootError::NotInHead));
        assert!(matches!(refused("..", mode), RootError::Spelling));
    }
    assert_eq!(project.leftovers(), 0);
    // An added working tree, a detached HEAD and a repository of the other hash are as good.
    let added = project.tmp.path().join("added");
    project.run_git(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "side",
        added.to_str().unwrap(),
    ]);
    fs::create_dir(added.join(".sandgate")).unwrap();
    let settings = sandgate_workspace::Settings::new(&added, added.join(".sandgate"));
    let other = Workspaces::open(settings).unwrap();
    assert!(
        prepare(&other, Workspace::Worktree, ".").roots()[0]
            .dir
            .exists("file")
    );
    project.run_git(&["checkout", "-q", "--detach"]);
    assert!(
        prepare(&at, Workspace::Worktree, ".").roots()[0]
            .dir
            .exists("file")
    );
    let modern = Project::new();
    modern.run_git(&["init", "-q", "--object-format=sha256"]);
    modern.commit_all(&[("a", "x")]);
    let mut made = prepare(&modern.open(), Workspace::Worktree, ".");
    made.roots()[0].dir.write("a", "y").unwrap();
    let done = made.finish(Some(&into(1))).unwrap();
    assert_eq!(done.merged.unwrap().commit.len(), 64);
}
