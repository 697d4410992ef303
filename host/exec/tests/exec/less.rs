//! Machines that offer less, and calls that do not fit: nothing runs, and the message says why and what to do.

use crate::kit::{Place, cmd, in_workspace, program, runtime};
use sandgate_exec::{Containment, DirGrant, ExecError, Level, Part, RunSpec, Runner};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

#[test]
fn this_machine_is_sufficient_and_says_what_it_has() {
    let found = Containment::probe(&program());
    for p in found.parts() {
        println!(
            "{}: {}",
            p.part,
            p.state.clone().unwrap_or_else(|e| format!("missing: {e}"))
        );
    }
    assert!(
        found.sufficient().is_ok(),
        "these tests need a kernel that can contain: {:?}",
        found.sufficient()
    );
    assert_eq!(found.parts().len(), Part::ALL.len());
}

#[test]
fn what_is_missing_is_said_and_nothing_runs() {
    let place = Place::new();
    let all = place.containment();
    let check = |less: Containment, part: &str| {
        let ws = place.workspace("ws");
        let runner = Runner::with_containment(place.config.clone(), less);
        let permit = cmd("sh", &["-c", "echo ran > ran"]).permit(true);
        let error = runtime()
            .block_on(runner.run(permit, in_workspace(&ws)))
            .unwrap_err();
        assert!(matches!(error, ExecError::NotContained(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert!(error.to_string().contains("use "), "what to do: {error}");
        assert!(!ws.join("ran").exists());
    };
    check(
        all.clone().without(&[Part::Landlock]),
        "Landlock is missing",
    );
    check(all.clone().without(&[Part::Seccomp]), "seccomp is missing");
    check(all.clone().with_landlock_at_most(2), "has ABI 2");
    check(
        all.clone()
            .without(&[Part::PidNamespace])
            .with_landlock_at_most(5),
        "process id namespaces are missing",
    );
    check(
        all.clone()
            .without(&[Part::NetworkNamespace])
            .with_landlock_at_most(3),
        "network namespaces are missing",
    );
    check(
        Containment::probe(Path::new("/nonexistent")),
        "cannot be started",
    );
    check(
        Containment::probe(Path::new("/bin/true")),
        "does not answer",
    );

    let level = |c: Containment| c.sufficient().unwrap();
    assert_eq!(
        level(all.clone().with_landlock_at_most(3)),
        Level::Namespaces
    );
    assert_eq!(
        level(all.clone().without(&[Part::NetworkNamespace])),
        Level::Namespaces
    );
    assert_eq!(
        level(all.without(&[Part::UserNamespace, Part::PidNamespace])),
        Level::Filtered
    );
}

/// A kernel that promised something and does not keep it: the launcher gives up.
#[test]
fn a_promise_that_does_not_hold_ends_the_launcher() {
    let place = Place::new();
    // An ABI from the future is what the probe cannot have seen.
    let runner = Runner::with_containment(
        place.config.clone(),
        place.containment().promising_landlock(9),
    );
    let end = runtime().block_on(runner.run(cmd("true", &[]).permit(false), RunSpec::default()));
    if place.containment().parts()[0].state == Ok("ABI 9".to_owned()) {
        end.unwrap();
        return;
    }
    let error = end.unwrap_err();
    assert!(matches!(error, ExecError::NotContained(_)), "{error:?}");
    assert!(error.to_string().contains("Landlock"), "{error}");
}

#[test]
fn calls_that_do_not_fit_start_nothing() {
    let place = Place::new();
    let ws = place.workspace("ws");
    fs::create_dir(ws.join("sub")).unwrap();
    symlink("/etc", ws.join("etc")).unwrap();
    symlink("sub", ws.join("alias")).unwrap();
    symlink(&ws, place.path("link")).unwrap();
    let runner = place.runner();
    let run = |program: &str, workspace: bool, spec: RunSpec| {
        let permit = cmd(program, &[]).permit(workspace);
        runtime().block_on(runner.run(permit, spec))
    };
    let check = |end: Result<_, ExecError>, part: &str| {
        let error = end.map(|f: sandgate_exec::Finished| f.ending).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
    };
    let with = |path: &Path, identity, cwd: &Path| RunSpec {
        dirs: vec![DirGrant {
            path: path.to_owned(),
            write: true,
            identity,
        }],
        cwd: Some(cwd.to_owned()),
        ..RunSpec::default()
    };
    let meta = fs::metadata(&ws).unwrap();
    let known = (meta.dev(), meta.ino());
    run("true", true, with(&ws, Some(known), &ws.join("sub"))).unwrap();
    check(
        run("true", true, with(&ws, Some((known.0, known.1 + 1)), &ws)),
        "replaced in the meantime",
    );
    check(
        run(
            "true",
            true,
            with(&place.path("link"), None, &place.path("link")),
        ),
        "is a link",
    );
    check(
        run("true", true, with(&ws, None, &ws.join("etc"))),
        "no links in its path",
    );
    check(
        run("true", true, with(&ws, None, &ws.join("alias"))),
        "no links in its path",
    );
    check(
        run("true", true, with(&ws, None, &ws.join("none"))),
        "cannot be entered",
    );
    check(
        run("true", true, with(&ws, None, &ws.join("../home"))),
        "cannot be entered",
    );
    check(
        run("true", true, with(&ws, None, Path::new("/etc"))),
        "lies in none of the granted ones",
    );
    check(
        run("true", true, with(Path::new("ws"), None, Path::new("ws"))),
        "not absolute",
    );
    check(
        run(
            "true",
            true,
            with(&place.path("none"), None, &place.path("none")),
        ),
        "cannot be used",
    );
    check(
        run("true", true, with(place.dir.path(), None, place.dir.path())),
        "holds the scratch",
    );
    check(
        run("true", true, RunSpec::default()),
        "names a directory to start in",
    );
    check(
        run("true", false, in_workspace(&ws)),
        "does not name a directory",
    );
    check(
        run("no-such-program", false, RunSpec::default()),
        "there is no program",
    );
    check(
        run("/etc/passwd", false, RunSpec::default()),
        "not a program",
    );
}

#[test]
fn a_program_that_is_replaced_does_not_start() {
    let mut place = Place::new();
    let bin = place.workspace("bin");
    place.config.path = vec![bin.clone()];
    crate::kit::script(&bin.join("tool"), "#!/bin/sh\necho one\n");
    let runner = place.runner();
    let program = runner.resolve("tool").unwrap();
    let spec = || RunSpec {
        program: Some(program.clone()),
        ..RunSpec::default()
    };
    let run = |spec| runtime().block_on(runner.run(cmd("tool", &[]).permit(false), spec));
    assert_eq!(run(spec()).unwrap().stdout, b"one\n");
    crate::kit::script(&bin.join("tool"), "#!/bin/sh\necho two\n");
    let error = run(spec()).unwrap_err().to_string();
    assert!(error.contains("not the file that was granted"), "{error}");
    // One that was resolved for another rule does not pass for this one.
    let other = RunSpec {
        program: Some(runner.resolve("true").unwrap()),
        ..RunSpec::default()
    };
    assert!(run(other).unwrap_err().to_string().contains("another rule"));
    // Nor one that the command itself could write.
    let mut own = in_workspace(&bin);
    own.program = Some(runner.resolve("tool").unwrap());
    let end = runtime().block_on(runner.run(cmd("tool", &[]).permit(true), own));
    assert!(end.unwrap_err().to_string().contains("could have replaced"));
}
