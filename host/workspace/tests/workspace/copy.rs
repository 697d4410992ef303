//! Copies: what is in them, what is left out, what they cost at most.

use crate::kit::{Project, chmod, fifo, grant, holds, key, prepare, tree, write_to};
use sandgate_model::{FileMode, Workspace};
use sandgate_workspace::{PrepareError, Quota, SkipReason, Workspaces};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt, symlink},
        net::UnixListener,
    },
    time::{Duration, SystemTime},
};

#[test]
fn a_copy_is_the_same_and_apart() {
    let project = Project::new();
    project.write("src/a.txt", "one");
    project.write("src/empty", "");
    chmod(project.write("src/tool", "#!/bin/sh\n"), 0o755);
    chmod(project.write("src/fixed", "x"), 0o444);
    chmod(project.write("src/odd", "x"), 0o6755);
    project.write("src/deep/er/file", &"long ".repeat(100_000));
    project.write("docs/b", "not granted");
    chmod(project.dir.join("src/deep"), 0o750);
    symlink("../a.txt", project.dir.join("src/deep/link")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::open(project.dir.join("src/a.txt"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let before = tree(&project.dir.join("src"));

    let at = project.open();
    let made = prepare(&at, Workspace::Clone, "src");
    let copy = made.roots()[0].path.clone();
    assert!(made.skipped().is_empty());
    let mut expected = before.clone();
    // Set-user and its like are not copied.
    let odd = expected.get_mut(std::path::Path::new("odd")).unwrap();
    *odd = odd.replace("106755", "100755");
    assert!(tree(&copy) == expected);
    assert_eq!(
        copy.join("a.txt").metadata().unwrap().modified().unwrap(),
        old
    );
    assert!(!holds(&project.place(), "not granted"));

    for entry in ["a.txt", "deep/er/file"] {
        fs::write(copy.join(entry), "changed").unwrap();
        let inode = |p: &std::path::Path| p.metadata().unwrap().ino();
        assert_ne!(
            inode(&copy.join(entry)),
            inode(&project.dir.join("src").join(entry))
        );
    }
    fs::remove_dir_all(copy.join("deep/er")).unwrap();
    assert_eq!(tree(&project.dir.join("src")), before);
    drop(made);
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn the_whole_project_without_its_state() {
    let project = Project::git(&[("a", "1"), ("sub/b", "2")]);
    project.write("sub/.sandgate/secret", "canary");
    let made = prepare(&project.open(), Workspace::Clone, ".");
    let copy = &made.roots()[0].path;
    assert!(copy.join("sub/b").is_file() && copy.join(".git/HEAD").is_file());
    assert!(!copy.join(".sandgate").exists() && !copy.join("sub/.sandgate").exists());
    assert!(!holds(copy, "canary"));
    assert!(made.skipped().iter().all(|s| s.why == SkipReason::State));
    assert_eq!(made.skipped_count(), 2);
}

#[test]
fn grants_in_each_other_are_one_copy() {
    let project = Project::new();
    project.write("src/lib/x", "x");
    let grants = [
        grant("src/lib", FileMode::Write),
        grant("src", FileMode::Read),
    ];
    let made = project
        .open()
        .prepare(&key(), Workspace::Clone, &grants)
        .unwrap();
    made.roots()[0].dir.write("x", "seen").unwrap();
    assert_eq!(made.roots()[1].dir.read_to_string("lib/x").unwrap(), "seen");
    assert_eq!(
        fs::read_to_string(project.dir.join("src/lib/x")).unwrap(),
        "x"
    );
}

#[test]
fn links_that_lead_out_and_things_that_are_no_files_are_left_out() {
    let project = Project::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "canary-outside").unwrap();
    let secret = outside.path().join("secret").display().to_string();
    project.write("other/x", "canary-not-granted");
    let src = project.dir.join("src");
    fs::create_dir_all(src.join("a/b")).unwrap();
    project.write("src/file", "x");
    let links: Vec<(&str, String, bool)> = vec![
        ("abs", secret.clone(), false),
        ("abs_in", src.join("file").display().to_string(), false),
        ("up", "..".into(), false),
        ("up_file", "../other/x".into(), false),
        ("a/up", "..".into(), true),
        ("a/up2", "../..".into(), false),
        ("a/b/up2", "../../file".into(), true),
        ("a/b/up3", "../../../other/x".into(), false),
        ("here", ".".into(), true),
        ("through", "a/b/../../../other/x".into(), false),
        ("via", "a/up/../../other/x".into(), false),
        ("loop", "loop".into(), true),
        ("dangling", "nothing/there".into(), true),
        ("dangling_out", "nothing/../../other/x".into(), false),
        ("proc", "/proc/self/environ".into(), false),
        ("magic", "/proc/self/root".into(), false),
        ("dev", "/dev/zero".into(), false),
    ];
    for (name, target, _) in &links {
        symlink(target, src.join(name)).unwrap();
    }
    fifo(&src.join("pipe"));
    let _socket = UnixListener::bind(src.join("socket")).unwrap();
    // Makes a device where the user may; elsewhere the case is left out.
    let device = std::process::Command::new("mknod")
        .args([
            src.join("null").as_os_str(),
            "c".as_ref(),
            "1".as_ref(),
            "3".as_ref(),
        ])
        .status()
        .unwrap()
        .success();
    let made = prepare(&project.open(), Workspace::Clone, "src");
    let copy = &made.roots()[0].path;
    let why: BTreeMap<&str, SkipReason> = made
        .skipped()
        .iter()
        .map(|s| (s.path.strip_prefix("src/").unwrap(), s.why))
        .collect();
    for (name, target, stays) in &links {
        assert_eq!(
            copy.join(name).symlink_metadata().is_ok(),
            *stays,
            "{name} -> {target}"
        );
        assert_eq!(
            why.get(name),
            (!stays).then_some(&SkipReason::LinkLeaves),
            "{name}"
        );
    }
    for name in ["pipe", "socket"] {
        assert_eq!(why.get(name), Some(&SkipReason::NotAFile));
    }
    let left_out = links.iter().filter(|l| !l.2).count() + 2 + usize::from(device);
    assert_eq!(made.skipped().len(), left_out);
    assert!(!holds(&project.place(), "canary"));
    println!(
        "{} links and {} other things, {left_out} left out, 0 lead out",
        links.len(),
        2 + usize::from(device)
    );
}

#[test]
fn hard_links_are_taken_apart() {
    let project = Project::new();
    let file = project.write("src/a", "x");
    fs::hard_link(&file, project.dir.join("src/b")).unwrap();
    fs::hard_link(&file, project.dir.join("outside")).unwrap();
    let made = prepare(&project.open(), Workspace::Clone, "src");
    let copy = &made.roots()[0].path;
    fs::write(copy.join("a"), "changed").unwrap();
    assert_eq!(fs::read_to_string(copy.join("b")).unwrap(), "x");
    assert_eq!(
        fs::read_to_string(project.dir.join("outside")).unwrap(),
        "x"
    );
    assert_eq!(copy.join("b").metadata().unwrap().nlink(), 1);
}

#[test]
fn over_a_cap_there_is_no_copy_and_nothing_is_left() {
    let project = Project::new();
    for i in 0..20 {
        project.write(&format!("src/{i}"), &"x".repeat(100));
    }
    let huge = fs::File::create(project.dir.join("src/huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let try_with = |max_bytes, max_files| {
        let mut settings = project.settings();
        settings.quota = Quota {
            max_bytes,
            max_files,
            ..Quota::default()
        };
        let at = Workspaces::open(settings).unwrap();
        let made = at.prepare(&key(), Workspace::Clone, &write_to("src"));
        made.map(drop).map_err(|e| match e {
            PrepareError::Quota { what, .. } => what,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(try_with(1 << 30, 1000), Err("bytes"));
    fs::remove_file(project.dir.join("src/huge")).unwrap();
    assert_eq!(try_with(1999, 1000), Err("bytes"));
    assert_eq!(try_with(2000, 1000), Ok(()));
    // Twenty files and their directory.
    assert_eq!(try_with(2000, 20), Err("files"));
    assert_eq!(try_with(2000, 21), Ok(()));
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn a_copy_can_be_refused_too() {
    let project = Project::new();
    project.write("src/x", "x");
    symlink("src", project.dir.join("in")).unwrap();
    for host in ["in", "..", "/etc", ".sandgate", "nothing", "src/x"] {
        let made = project
            .open()
            .prepare(&key(), Workspace::Clone, &write_to(host));
        assert!(matches!(made, Err(PrepareError::Root { .. })), "{host}");
    }
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn a_deep_tree_is_copied_with_few_handles() {
    let project = Project::new();
    let path = format!("src/{}", "d/".repeat(300));
    project.write(&format!("{path}file"), "deep");
    let made = prepare(&project.open(), Workspace::Clone, "src");
    let copy = made.roots()[0].path.join("d/".repeat(300)).join("file");
    assert_eq!(fs::read_to_string(copy).unwrap(), "deep");
}
