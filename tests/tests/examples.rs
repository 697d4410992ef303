//! Every example, run as its README says, against the output it promises. `SANDGATE_BLESS=1` writes the expected
//! files anew: read the diff before you commit it.

use crate::harness::{Project, normal, root};
use std::{fs, path::Path, process::Command};

/// An example: how it is run, and what has to come of it.
struct Example {
    dir: &'static str,
    workflow: &'static str,
    code: i32,
    outcome: &'static str,
    /// Artifact, and the file below `expected/` that it has to equal.
    artifacts: &'static [(&'static str, &'static str)],
}

const EXAMPLES: &[Example] = &[
    Example {
        dir: "01-brief",
        workflow: "brief.toml",
        code: 0,
        outcome: "verified",
        artifacts: &[("draft.email", "email.md")],
    },
    Example {
        dir: "02-compare",
        workflow: "compare.toml",
        code: 0,
        outcome: "verified",
        artifacts: &[("compare.comparison", "table.md")],
    },
    Example {
        dir: "03-diamond",
        workflow: "diamond.toml",
        code: 1,
        outcome: "partial",
        artifacts: &[("report.email", "report.md")],
    },
    Example {
        dir: "04-own-plugin",
        workflow: "words.toml",
        code: 0,
        outcome: "verified",
        artifacts: &[],
    },
];

fn example(dir: &str) {
    let example = EXAMPLES.iter().find(|e| e.dir == dir).unwrap();
    let project = Project::example(dir);
    build_plugin(&project, dir);
    project.run(&["check"]).expect(0);
    let done = project.run(&["run", example.workflow]).expect(example.code);
    let run = project.only_run();
    project.history(&run).check().unwrap();
    assert_eq!(project.summary(&run)["outcome"], example.outcome);
    same(&format!("{dir}/expected.txt"), &normal(&done.stdout));
    for (artifact, file) in example.artifacts {
        let got = project.run(&["summary", "--artifact", artifact]).expect(0);
        same(&format!("{dir}/expected/{file}"), &got.stdout);
    }
}

/// Compares with a file of the example, or writes it.
fn same(file: &str, got: &str) {
    let path = root().join("examples").join(file);
    if std::env::var_os("SANDGATE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, got).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(
        got, expected,
        "examples/{file} differs (SANDGATE_BLESS=1 writes it anew)"
    );
}

/// Builds the plugin of an example that brings its own, and puts it where its `sandgate.toml` expects it.
fn build_plugin(project: &Project, dir: &str) {
    let plugin = root().join("examples").join(dir).join("plugin");
    if !plugin.is_dir() {
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example-plugins");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(&plugin)
        .args([
            "build",
            "--locked",
            "--release",
            "--target",
            "wasm32-wasip2",
            "--target-dir",
        ])
        .arg(&target)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the plugin of examples/{dir} does not build"
    );
    let built = target.join("wasm32-wasip2/release");
    for entry in fs::read_dir(&built).unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "wasm") {
            let name = entry.file_name();
            let to = Path::new("plugin/target/wasm32-wasip2/release").join(name);
            project.write(to.to_str().unwrap(), fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn brief() {
    example("01-brief");
}

/// The input of the workflow reaches the email.
#[test]
fn brief_to_somebody_else() {
    let project = Project::example("01-brief");
    project
        .run(&["run", "brief.toml", "-i", "to=ada@example.org"])
        .expect(0);
    let email = project
        .run(&["summary", "--artifact", "draft.email"])
        .expect(0);
    assert!(email.stdout.contains("ada@example.org"), "{email}");
    assert!(!email.stdout.contains("john@example.com"), "{email}");
}

#[test]
fn compare() {
    example("02-compare");
}

#[test]
fn diamond() {
    example("03-diamond");
}

#[test]
fn own_plugin() {
    example("04-own-plugin");
}

/// In two terminals, as its README walks through it: a plan's review, a signal, an approval.
#[test]
fn approval() {
    let project = Project::example("05-approval");
    let git = |args: &[&str]| {
        let out = Command::new("git")
            .arg("-C")
            .arg(project.dir().join("repo"))
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let setup = Command::new("sh")
        .arg("setup.sh")
        .current_dir(project.dir())
        .status();
    assert!(setup.unwrap().success());
    project.run(&["check"]).expect(0);
    let mut first = project.start(&["run", "release.toml", "--wait"]);
    let waits = |what: &str| {
        let done = project.run(&["approvals"]);
        done.code() == 0 && done.stdout.contains(what)
    };
    first.wait_until("the plan to be reviewed", |_| waits("plan, revision 1"));
    project.run(&["approve", "1"]).expect(0);
    first.wait_until("the wait for the signal", |_| waits("signal ci"));
    let sha = format!("sha={}", git(&["rev-parse", "HEAD"]));
    project
        .run(&["signal", "ci", "--match", "repo=acme/site", "--match", &sha])
        .expect(0);
    first.wait_until("the tag to be approved", |_| waits("git tag -a v1.1.0"));
    assert_eq!(git(&["tag"]), "v1.0.0");
    let run = project.only_run();
    let id = format!("{}/2", &run[run.len() - 8..]);
    project.run(&["approve", &id]).expect(0);
    let done = first.finish().expect(0);
    assert_eq!(git(&["tag"]), "v1.0.0\nv1.1.0");
    project.history(&run).check().unwrap();
    assert_eq!(project.summary(&run)["outcome"], "verified");
    same("05-approval/expected.txt", &normal(&done.stdout));
    let notes = project
        .run(&["summary", "--artifact", "notes.release.md"])
        .expect(0);
    same("05-approval/expected/release.md", &notes.stdout);
}

#[test]
fn no_example_is_forgotten() {
    for entry in fs::read_dir(root().join("examples")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            assert!(
                name == "05-approval" || EXAMPLES.iter().any(|e| e.dir == name),
                "examples/{name} is not tested"
            );
            assert!(
                entry.path().join("README.md").is_file(),
                "examples/{name} has no README"
            );
            assert!(
                entry.path().join("expected.txt").is_file(),
                "examples/{name} has no expected.txt"
            );
        }
    }
}
