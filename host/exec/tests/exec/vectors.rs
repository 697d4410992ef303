//! Ways to get code run by a command that looks harmless: by its arguments, by the project's files, by its environment.
//! Each runs twice: without containment, where the attack has to succeed in every way, and contained, where it has to
//! fail in every way although the code runs.

use crate::kit::{
    Cmd, Place, Target, cmd, have, in_workspace, runtime, script, sweep, token, with_token,
};
use sandgate_exec::{ExecError, Part, RunSpec, Runner};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

struct Vector {
    name: &'static str,
    /// Prepares the workspace and says what runs there.
    make: fn(&Path) -> Cmd,
}

const fn v(name: &'static str, make: fn(&Path) -> Cmd) -> Vector {
    Vector { name, make }
}

fn payload(ws: &Path) -> String {
    ws.join("payload").display().to_string()
}

/// A git repository with one commit and this configuration.
fn git(ws: &Path, config: &str) {
    let run = |args: &[&str]| {
        let ok = Command::new("git")
            .args(args)
            .current_dir(ws)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .output()
            .expect("git is needed for these tests");
        assert!(
            ok.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&ok.stderr)
        );
    };
    run(&["init", "-q"]);
    fs::write(ws.join("f.txt"), "one\n").unwrap();
    run(&["add", "f.txt"]);
    run(&[
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "commit",
        "-q",
        "-m",
        "x",
    ]);
    fs::write(ws.join("f.txt"), "two\n").unwrap();
    let file = ws.join(".git/config");
    let old = fs::read_to_string(&file).unwrap();
    let user = "[user]\nname = t\nemail = t@example.com\n";
    let text = config.replace("PAYLOAD", &payload(ws));
    fs::write(file, format!("{old}{user}{text}\n")).unwrap();
}

fn npm(ws: &Path, scripts: &str, npmrc: &str) -> Cmd {
    let text = format!(r#"{{"name":"x","version":"1.0.0","scripts":{scripts}}}"#);
    fs::write(ws.join("package.json"), text).unwrap();
    fs::write(ws.join(".npmrc"), npmrc.replace("PAYLOAD", &payload(ws))).unwrap();
    cmd("npm", &["test", "--offline"])
}

fn cargo(ws: &Path, config: &str) -> Cmd {
    fs::create_dir_all(ws.join("src")).unwrap();
    fs::create_dir_all(ws.join(".cargo")).unwrap();
    let manifest =
        "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(ws.join("Cargo.toml"), manifest).unwrap();
    fs::write(ws.join("src/main.rs"), "fn main() {}\n").unwrap();
    fs::write(
        ws.join(".cargo/config.toml"),
        config.replace("PAYLOAD", &payload(ws)),
    )
    .unwrap();
    cmd("cargo", &["check", "--offline", "--quiet"])
}

fn write(ws: &Path, name: &str, text: &str) {
    let path = ws.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text.replace("PAYLOAD", &payload(ws))).unwrap();
}

const PYTHON: &str = "import subprocess; subprocess.call(['PAYLOAD'])\n";
const NODE: &str = "require('child_process').spawnSync('PAYLOAD', {stdio: 'inherit'});\n";

const VECTORS: &[Vector] = &[
    v("git-alias", |ws| {
        git(ws, "[alias]\nst = !PAYLOAD");
        cmd("git", &["st"])
    }),
    v("git-hook", |ws| {
        git(ws, "");
        script(
            &ws.join(".git/hooks/pre-commit"),
            &format!("#!/bin/sh\nexec {}\n", payload(ws)),
        );
        cmd("git", &["commit", "-a", "-m", "message"])
    }),
    v("git-hooks-path", |ws| {
        git(ws, "[core]\nhooksPath = hooks");
        fs::create_dir(ws.join("hooks")).unwrap();
        script(
            &ws.join("hooks/post-commit"),
            &format!("#!/bin/sh\nexec {}\n", payload(ws)),
        );
        cmd("git", &["commit", "-a", "-m", "message"])
    }),
    v("git-fsmonitor", |ws| {
        git(ws, "[core]\nfsmonitor = PAYLOAD");
        cmd("git", &["status"])
    }),
    v("git-textconv", |ws| {
        git(ws, "[diff \"evil\"]\ntextconv = PAYLOAD");
        write(ws, ".gitattributes", "*.txt diff=evil\n");
        cmd("git", &["diff"])
    }),
    v("git-external-diff", |ws| {
        git(ws, "[diff]\nexternal = PAYLOAD");
        cmd("git", &["diff"])
    }),
    v("git-filter", |ws| {
        git(ws, "[filter \"evil\"]\nclean = PAYLOAD");
        write(ws, ".gitattributes", "*.txt filter=evil\n");
        cmd("git", &["add", "f.txt"])
    }),
    v("git-editor", |ws| {
        git(ws, "[core]\neditor = PAYLOAD");
        cmd("git", &["commit", "-a"])
    }),
    v("git-gpg-program", |ws| {
        git(ws, "[commit]\ngpgsign = true\n[gpg]\nprogram = PAYLOAD");
        cmd("git", &["commit", "-a", "-m", "message"])
    }),
    v("git-ssh-command", |ws| {
        git(ws, "[core]\nsshCommand = PAYLOAD");
        cmd("git", &["ls-remote", "ssh://localhost/x"])
    }),
    v("git-upload-pack", |ws| {
        git(ws, "");
        cmd(
            "git",
            &["ls-remote", &format!("--upload-pack={}", payload(ws)), "."],
        )
    }),
    v("git-pager-env", |ws| {
        git(ws, "");
        cmd("git", &["-c", &format!("alias.x=!{}", payload(ws)), "x"])
    }),
    v("git-merge-driver", |ws| {
        git(
            ws,
            "[mergetool \"evil\"]\ncmd = PAYLOAD\n[difftool \"evil\"]\ncmd = PAYLOAD",
        );
        cmd("git", &["difftool", "-y", "-t", "evil"])
    }),
    v("npm-script", |ws| npm(ws, r#"{"test":"./payload"}"#, "")),
    v("npm-pre-script", |ws| {
        npm(ws, r#"{"test":"true","pretest":"./payload"}"#, "")
    }),
    v("npm-post-script", |ws| {
        npm(ws, r#"{"test":"true","posttest":"./payload"}"#, "")
    }),
    v("npm-script-shell", |ws| {
        npm(ws, r#"{"test":"true"}"#, "script-shell=PAYLOAD\n")
    }),
    v("npm-node-options", |ws| {
        write(ws, "evil.js", NODE);
        let options = format!("node-options=--require={}/evil.js\n", ws.display());
        npm(ws, r#"{"test":"node --version && node -e 0"}"#, &options)
    }),
    v("cargo-build-script", |ws| {
        write(
            ws,
            "build.rs",
            "fn main() { std::process::Command::new(\"PAYLOAD\").status().unwrap(); }\n",
        );
        cargo(ws, "")
    }),
    v("cargo-rustc-wrapper", |ws| {
        cargo(ws, "[build]\nrustc-wrapper = \"PAYLOAD\"\n")
    }),
    v("cargo-rustc", |ws| {
        cargo(ws, "[build]\nrustc = \"PAYLOAD\"\n")
    }),
    v("cargo-runner", |ws| {
        let mut command = cargo(ws, "[target.'cfg(all())']\nrunner = \"PAYLOAD\"\n");
        command.args = ["run", "--offline", "--quiet"].map(str::to_owned).to_vec();
        command
    }),
    v("make-target", |ws| {
        write(ws, "Makefile", "all:\n\t@PAYLOAD\n");
        cmd("make", &[])
    }),
    v("make-include", |ws| {
        write(ws, "Makefile", "include evil.mk\nall:\n\t@true\n");
        write(ws, "evil.mk", "X := $(shell PAYLOAD)\n");
        cmd("make", &["all"])
    }),
    v("make-shell", |ws| {
        write(ws, "Makefile", "all:\n\t@true\n");
        cmd("make", &[&format!("SHELL={}", payload(ws)), "all"])
    }),
    v("python-sitecustomize", |ws| {
        write(ws, "sitecustomize.py", PYTHON);
        cmd("python3", &["-c", "0"]).env("PYTHONPATH", ".")
    }),
    v("python-usercustomize", |ws| {
        let version = "import sys; print('%d.%d' % sys.version_info[:2])";
        let out = Command::new("/usr/bin/python3")
            .args(["-c", version])
            .output()
            .unwrap();
        let version = String::from_utf8(out.stdout).unwrap();
        write(
            ws,
            &format!(
                "base/lib/python{}/site-packages/usercustomize.py",
                version.trim()
            ),
            PYTHON,
        );
        cmd("python3", &["-c", "0"]).env("PYTHONUSERBASE", &ws.join("base").display().to_string())
    }),
    v("python-shadowed-module", |ws| {
        write(ws, "json.py", PYTHON);
        cmd("python3", &["-m", "json.tool", "x"])
    }),
    v("python-conftest", |ws| {
        write(ws, "tests/__init__.py", PYTHON);
        write(ws, "tests/test_a.py", "");
        cmd("python3", &["-m", "unittest", "tests.test_a"])
    }),
    v("node-options", |ws| {
        write(ws, "evil.js", NODE);
        cmd("node", &["-e", "0"]).env("NODE_OPTIONS", "--require=./evil.js")
    }),
    v("node-module", |ws| {
        write(ws, "node_modules/left/index.js", NODE);
        cmd("node", &["-e", "require('left')"])
    }),
    v("envrc", |ws| {
        write(ws, ".envrc", "PAYLOAD\n");
        cmd("sh", &["-c", ". ./.envrc"])
    }),
    v("bash-env", |ws| {
        write(ws, "evil.sh", "PAYLOAD\n");
        cmd("bash", &["-c", "true"]).env("BASH_ENV", "./evil.sh")
    }),
    v("env-split", |_| cmd("env", &["-S", "./payload now"])),
    v("find-exec", |_| {
        cmd("find", &[".", "-name", "payload", "-exec", "{}", ";"])
    }),
    v("xargs", |ws| {
        write(ws, "list", "x\n");
        cmd("xargs", &["-a", "list", "./payload"])
    }),
    v("tar-checkpoint", |_| {
        cmd(
            "tar",
            &[
                "cf",
                "x.tar",
                "--checkpoint=1",
                "--checkpoint-action=exec=./payload",
                "order",
            ],
        )
    }),
    v("awk-system", |_| {
        cmd("awk", &["BEGIN { system(\"./payload\") }"])
    }),
    v("sed-execute", |_| cmd("sed", &["1e./payload", "order"])),
    v("perl-open", |_| cmd("perl", &["-e", "system('./payload')"])),
];

/// The vectors whose tool is here.
fn vectors(only: fn(&str) -> bool) -> impl Iterator<Item = &'static Vector> {
    VECTORS.iter().filter(move |v| {
        let tool = match v.name.split('-').next().unwrap_or_default() {
            "cargo" => "cc",
            "python" => "python3",
            "envrc" => "sh",
            tool => tool,
        };
        only(v.name) && have(&[tool, "sh"])
    })
}

/// What is left of an attack: whether its code ran, markers outside, connections, secrets read, processes alive.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    ran: bool,
    markers: usize,
    hits: [usize; 5],
    loot: String,
    survivors: usize,
}

fn trace(place: &Place, target: &Target, ws: &Path, token: &str) -> Trace {
    let survivors = with_token(token).len();
    sweep(token);
    Trace {
        ran: ws.join("ran").exists(),
        markers: target.markers(place, token),
        hits: target.hits(),
        loot: fs::read_to_string(ws.join("loot")).unwrap_or_default(),
        survivors,
    }
}

/// Runs the vectors contained.
fn contained(
    place: &Place,
    target: &Target,
    runner: &Runner,
    what: &str,
    only: fn(&str) -> bool,
) -> usize {
    let runtime = runtime();
    let mut n = 0;
    for vector in vectors(only) {
        let token = token(&format!("{what}-{}", vector.name));
        let ws = place.workspace(&format!("{what}-{}", vector.name));
        target.arm(place, &ws, &token);
        let command = (vector.make)(&ws);
        let end = runtime.block_on(runner.run(command.permit(true), in_workspace(&ws)));
        let end = end.unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        let left = trace(place, target, &ws, &token);
        let shown = || {
            format!(
                "{} {:?}\n{}\n{}",
                vector.name,
                end.ending,
                String::from_utf8_lossy(&end.stdout),
                String::from_utf8_lossy(&end.stderr)
            )
        };
        assert!(
            left.ran,
            "the code did not run, so nothing is shown: {}",
            shown()
        );
        assert_eq!(
            (left.markers, left.hits, left.loot.as_str(), left.survivors),
            (0, [0; 5], "", 0),
            "{}",
            shown()
        );
        if std::env::var_os("SANDGATE_EXEC_TIMES").is_some() {
            println!(
                "{} {:?} {} ms",
                vector.name,
                end.ending,
                end.took.as_millis()
            );
        }
        n += 1;
    }
    n
}

#[test]
fn code_that_a_command_runs_reaches_nothing() {
    let place = Place::new();
    let target = Target::new(&place);
    let n = contained(&place, &target, &place.runner(), "c", |_| true);
    println!(
        "{n} vectors contained: 0 markers outside the workspace, 0 connections, 0 secrets, 0 survivors"
    );
    assert!(n >= 21);
}

/// The twin: without it, zeros above could mean that the attack does not work.
#[test]
fn the_same_code_without_containment_reaches_everything() {
    let place = Place::new();
    let target = Target::new(&place);
    for vector in vectors(|_| true) {
        let token = token(&format!("b-{}", vector.name));
        let ws = place.workspace(&format!("b-{}", vector.name));
        target.arm(&place, &ws, &token);
        let out = (vector.make)(&ws).bare(&place, &ws);
        let left = trace(&place, &target, &ws, &token);
        let shown = format!(
            "{} {left:?}\n{}",
            vector.name,
            String::from_utf8_lossy(&out.stderr)
        );
        assert!(left.ran, "{shown}");
        assert!(left.markers >= 5, "{shown}");
        assert!(left.hits.iter().all(|n| *n > 0), "{shown}");
        assert!(
            left.loot
                .contains(&format!("environment: {}", crate::kit::CANARY)),
            "{shown}"
        );
        assert!(
            left.loot
                .contains(&format!("secret: {}", crate::kit::CANARY)),
            "{shown}"
        );
        assert!(left.loot.contains("the victim can be killed"), "{shown}");
        assert!(left.survivors >= 3, "{shown}");
    }
    println!(
        "{} vectors without containment: each wrote, connected 5 ways, read 2 secrets and left processes",
        vectors(|_| true).count()
    );
}

/// Where there are no namespaces: Landlock, seccomp and the watcher have to be enough.
#[test]
fn without_namespaces_it_still_reaches_nothing() {
    let place = Place::new();
    let target = Target::new(&place);
    let lesser = place.containment().without(&[
        Part::UserNamespace,
        Part::PidNamespace,
        Part::NetworkNamespace,
        Part::IpcNamespace,
        Part::UtsNamespace,
        Part::MountNamespace,
        Part::OwnProc,
    ]);
    let runner = Runner::with_containment(place.config.clone(), lesser);
    let n = contained(&place, &target, &runner, "f", |name| {
        // The slow ones once; the ways in are the same.
        let slow = name.starts_with("npm") || name.starts_with("cargo");
        !slow || ["npm-script-shell", "cargo-rustc"].contains(&name)
    });
    println!(
        "{n} vectors by Landlock and seccomp alone: 0 markers, 0 connections, 0 secrets, 0 survivors"
    );
}

/// Root can have namespaces where users are not let, and has to be held all the same. Nobody else gets them, and then
/// nothing runs.
#[test]
fn without_user_namespaces_root_is_held_too() {
    let place = Place::new();
    let target = Target::new(&place);
    let less = place.containment().without(&[Part::UserNamespace]);
    let runner = Runner::with_containment(place.config.clone(), less);
    if !nix::unistd::geteuid().is_root() {
        let run = runner.run(cmd("true", &[]).permit(false), RunSpec::default());
        let error = runtime().block_on(run).unwrap_err();
        assert!(matches!(error, ExecError::NotContained(_)), "{error}");
        return;
    }
    let n = contained(&place, &target, &runner, "r", |name| {
        name.starts_with("git") || name.starts_with("make") || name.ends_with("env")
    });
    println!(
        "{n} vectors as root without user namespaces: 0 markers, 0 connections, 0 secrets, 0 survivors"
    );
}

/// With the network granted, TCP and UDP work and nothing else does.
#[test]
fn the_network_is_granted_and_nothing_else() {
    let place = Place::new();
    let target = Target::new(&place);
    let token = token("net");
    let ws = place.workspace("net");
    target.arm(&place, &ws, &token);
    let command = cmd("sh", &["-c", "./payload"]).network();
    runtime()
        .block_on(place.runner().run(command.permit(true), in_workspace(&ws)))
        .unwrap();
    let left = trace(&place, &target, &ws, &token);
    assert!(left.ran && left.hits[0] > 0 && left.hits[1] > 0, "{left:?}");
    assert_eq!(
        (
            left.markers,
            &left.hits[2..],
            left.loot.as_str(),
            left.survivors
        ),
        (0, &[0, 0, 0][..], "", 0)
    );
}

/// A directory that is granted for reading cannot be written, nor anything in it be taken along.
#[test]
fn a_directory_for_reading_is_not_written() {
    let place = Place::new();
    let ws = place.workspace("ws");
    let notes = place.workspace("notes");
    fs::write(notes.join("a"), "note").unwrap();
    let all = format!(
        "cat {0}/a; echo x > {0}/a; echo x >> {0}/a; : > {0}/b; mkdir {0}/d; rm {0}/a; mv {0}/a {0}/c; ln {0}/a ./h && echo x > h; \
         ln -s {0}/a ./s; echo x > s; chmod 777 {0}/a; truncate -s 0 {0}/a; true",
        notes.display()
    );
    let mut spec = in_workspace(&ws);
    spec.dirs.push(sandgate_exec::DirGrant {
        path: notes.clone(),
        write: false,
        identity: None,
    });
    let end = runtime()
        .block_on(
            place
                .runner()
                .run(cmd("sh", &["-c", &all]).permit(true), spec),
        )
        .unwrap();
    assert_eq!(
        end.stdout,
        b"note",
        "{}",
        String::from_utf8_lossy(&end.stderr)
    );
    let left: Vec<PathBuf> = fs::read_dir(&notes)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(left, [notes.join("a")]);
    assert_eq!(fs::read_to_string(notes.join("a")).unwrap(), "note");
}
