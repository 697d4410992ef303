//! The project's own directories, and what is never one of them.

use crate::kit::{Project, chmod, fifo, grant, key, tree, write_to};
use sandgate_model::{FileMode, Workspace};
use sandgate_workspace::{PrepareError, RootError};
use std::{error::Error, fs, os::unix::fs::symlink};

fn refused(project: &Project, host: &str, mode: FileMode) -> RootError {
    let made = project
        .open()
        .prepare(&key(), Workspace::Shared, &[grant(host, mode)]);
    match made.unwrap_err() {
        PrepareError::Root {
            host: named,
            source,
        } => {
            assert_eq!(named, host);
            source
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_granted_directory_is_the_projects_own() {
    let project = Project::new();
    project.write("src/a", "one");
    project.write("docs/b", "two");
    let at = project.open();
    let grants = [grant("src", FileMode::Write), grant("docs", FileMode::Read)];
    let mut made = at.prepare(&key(), Workspace::Shared, &grants).unwrap();
    let roots = made.roots();
    assert_eq!(roots.len(), 2);
    assert_eq!(
        (roots[0].guest.as_str(), roots[0].mode),
        ("/src", FileMode::Write)
    );
    assert_eq!(roots[0].path, project.dir.join("src"));
    assert_eq!(roots[1].dir.read_to_string("b").unwrap(), "two");
    roots[0].dir.write("new", "x").unwrap();
    assert_eq!(
        fs::read_to_string(project.dir.join("src/new")).unwrap(),
        "x"
    );
    // Nothing was made for it, so there is nothing to remove.
    assert_eq!(project.leftovers(), 0);
    // Two roots: a command starts beside them.
    let cwd = made.cwd().unwrap().path.clone();
    assert!(cwd.starts_with(project.place()) && cwd.is_dir());
    let done = made.finish(None).unwrap();
    assert!(done.patch.is_none() && done.merged.is_none());
    assert!(!cwd.exists() && project.dir.join("src/new").exists());

    let one = at
        .prepare(&key(), Workspace::Shared, &write_to("src"))
        .unwrap();
    assert_eq!(one.cwd().unwrap().path, project.dir.join("src"));
}

#[test]
fn none_has_an_empty_directory_for_commands() {
    let project = Project::new();
    let made = project
        .open()
        .prepare(&key(), Workspace::None, &write_to("src"))
        .unwrap();
    assert!(made.roots().is_empty());
    let scratch = made.scratch().unwrap();
    assert_eq!(scratch.path, made.cwd().unwrap().path);
    assert_eq!(scratch.path.read_dir().unwrap().count(), 0);
    scratch.dir.write("x", "y").unwrap();
    drop(made);
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn what_is_never_a_root() {
    let project = Project::new();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("dir")).unwrap();
    project.write("src/file", "x");
    project.write("src/.git/config", "x");
    fs::create_dir_all(project.dir.join("a/b/c")).unwrap();
    symlink(outside.path(), project.dir.join("out")).unwrap();
    symlink("src", project.dir.join("in")).unwrap();
    symlink("..", project.dir.join("a/up")).unwrap();
    symlink("/proc/self/root", project.dir.join("magic")).unwrap();
    symlink("loop", project.dir.join("loop")).unwrap();
    symlink(".sandgate", project.dir.join("state")).unwrap();
    fs::create_dir_all(project.dir.join("other/.sandgate")).unwrap();
    fifo(&project.dir.join("pipe"));
    let before = tree(&project.dir);
    type Is = fn(&RootError) -> bool;
    let link: Is = |e| matches!(e, RootError::Link);
    let spelling: Is = |e| matches!(e, RootError::Spelling);
    let state: Is = |e| matches!(e, RootError::State);
    let absent: Is = |e| matches!(e, RootError::Absent);
    let file: Is = |e| matches!(e, RootError::NotADirectory);
    let cases: Vec<(&str, Is)> = vec![
        (".", |e| matches!(e, RootError::Whole)),
        ("..", spelling),
        ("src/..", spelling),
        ("src/../..", spelling),
        ("./src", spelling),
        ("/etc", spelling),
        ("//etc", spelling),
        ("", spelling),
        ("src/", spelling),
        ("src//a", spelling),
        ("a\0b", spelling),
        ("out", link),
        ("out/dir", link),
        ("in", link),
        ("a/up", link),
        ("a/up/src", link),
        ("magic", link),
        ("magic/etc", link),
        ("loop", link),
        ("state", link),
        (".sandgate", state),
        (".sandgate/workspaces", state),
        ("other/.sandgate", state),
        ("nothing", absent),
        ("src/nothing", absent),
        ("src/file", file),
        ("src/file/x", file),
        ("pipe", file),
    ];
    for (host, expected) in &cases {
        for mode in [FileMode::Read, FileMode::Write] {
            let error = refused(&project, host, mode);
            assert!(expected(&error), "{host}: {error:?}");
            assert!(!error.to_string().is_empty() && error.source().is_none());
        }
    }
    assert!(matches!(
        refused(&project, "src/.git", FileMode::Write),
        RootError::Git
    ));
    assert_eq!(
        before.len() + 1,
        tree(&project.dir).len(),
        "only `workspaces` is new"
    );
    println!("{} paths that are no root, 0 given", cases.len() * 2 + 1);
}

#[test]
fn a_directory_around_the_state_is_not_given() {
    let project = Project::new();
    let state = project.dir.join("deep/down/state");
    fs::create_dir_all(&state).unwrap();
    let mut settings = project.settings();
    settings.state_dir = state;
    let at = sandgate_workspace::Workspaces::open(settings).unwrap();
    for host in [
        "deep",
        "deep/down",
        "deep/down/state",
        "deep/down/state/workspaces",
    ] {
        let made = at.prepare(&key(), Workspace::Shared, &write_to(host));
        let refusal = made.unwrap_err();
        assert!(
            matches!(
                refusal,
                PrepareError::Root {
                    source: RootError::State,
                    ..
                }
            ),
            "{host}: {refusal:?}"
        );
    }
    // A copy of it leaves the state out.
    let copy = at
        .prepare(&key(), Workspace::Clone, &write_to("deep"))
        .unwrap();
    assert!(copy.roots()[0].path.join("down").is_dir());
    assert!(!copy.roots()[0].path.join("down/state").exists());
}

#[test]
fn file_systems_of_the_kernel_are_not_given() {
    // A project whose directory is one of them, so that no mount is needed.
    let state = tempfile::tempdir().unwrap();
    for (project, host) in [
        ("/", "proc"),
        ("/", "proc/self"),
        ("/", "sys"),
        ("/proc", "sys"),
        ("/dev", "pts"),
    ] {
        if !std::path::Path::new(project).join(host).is_dir() {
            continue;
        }
        let settings = sandgate_workspace::Settings::new(project, state.path());
        let at = sandgate_workspace::Workspaces::open(settings).unwrap();
        let made = at.prepare(&key(), Workspace::Shared, &[grant(host, FileMode::Read)]);
        let refusal = made.unwrap_err();
        assert!(
            // `/proc/self` is a link besides.
            matches!(
                refusal,
                PrepareError::Root {
                    source: RootError::Special(_),
                    ..
                }
            ),
            "{project} {host}: {refusal:?}"
        );
    }
}

#[test]
fn two_projects_with_equal_ids_share_nothing() {
    let (a, b) = (Project::new(), Project::new());
    for p in [&a, &b] {
        p.write("src/x", "x");
    }
    let same = key();
    let (in_a, in_b) = (a.open(), b.open());
    let mine = in_a
        .prepare(&same, Workspace::Clone, &write_to("src"))
        .unwrap();
    let theirs = in_b
        .prepare(&same, Workspace::Clone, &write_to("src"))
        .unwrap();
    assert_ne!(mine.roots()[0].path, theirs.roots()[0].path);
    mine.roots()[0].dir.write("x", "changed").unwrap();
    assert_eq!(theirs.roots()[0].dir.read_to_string("x").unwrap(), "x");
    drop(mine);
    assert_eq!((a.leftovers(), b.leftovers()), (0, 1));
    // Within a project one attempt has one workspace.
    let again = in_b.prepare(&same, Workspace::Clone, &write_to("src"));
    assert!(matches!(again, Err(PrepareError::Exists(k)) if k == same));
    assert_eq!(theirs.roots()[0].dir.read_to_string("x").unwrap(), "x");
}

#[test]
fn the_place_is_private() {
    use std::os::unix::fs::MetadataExt;
    let project = Project::new();
    fs::create_dir(project.place()).unwrap();
    chmod(project.place(), 0o777);
    let made = project
        .open()
        .prepare(&key(), Workspace::None, &[])
        .unwrap();
    let scratch = made.scratch().unwrap();
    for path in [
        project.place(),
        scratch.path.parent().unwrap().into(),
        scratch.path.clone(),
    ] {
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700, "{path:?}");
    }
}
