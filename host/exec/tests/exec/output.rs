//! What comes back: the end of the output, lines as they come, no secrets; and exactly the environment that was given.

use crate::kit::{Place, cmd, in_workspace, runtime};
use sandgate_exec::{ExecError, LineSink, OutputCaps, RunSpec, SecretEnv, Stream};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

type Lines = Arc<Mutex<Vec<(Stream, String, std::time::Instant)>>>;

fn sink() -> (Lines, LineSink) {
    let lines: Lines = Arc::default();
    let to = lines.clone();
    let sink: LineSink = Arc::new(move |stream, line: &[u8]| {
        let text = String::from_utf8_lossy(line).into_owned();
        to.lock()
            .unwrap()
            .push((stream, text, std::time::Instant::now()));
    });
    (lines, sink)
}

#[test]
fn the_end_is_kept_and_lines_come_as_they_are_written() {
    let place = Place::new();
    let (lines, on_line) = sink();
    let spec = RunSpec {
        on_line: Some(on_line),
        caps: OutputCaps {
            stdout: 1000,
            stderr: 10,
        },
        ..RunSpec::default()
    };
    let text = "echo first; echo wrong >&2; sleep 0.3; seq 1 20000; printf end";
    let end = runtime()
        .block_on(
            place
                .runner()
                .run(cmd("sh", &["-c", text]).permit(false), spec),
        )
        .unwrap();
    assert_eq!(end.stdout.len(), 1000);
    assert!(end.stdout.ends_with(b"19999\n20000\nend"));
    assert_eq!(end.stderr, b"wrong\n");
    let all = 6 + 108_894 + 3;
    assert_eq!(end.dropped, all - 1000);
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 20_003);
    let first = lines.iter().find(|l| l.1 == "first").unwrap();
    let last = lines.iter().find(|l| l.1 == "end").unwrap();
    assert!(
        last.2 - first.2 > Duration::from_millis(250),
        "lines come late"
    );
    assert!(
        lines
            .iter()
            .any(|l| l.0 == Stream::Stderr && l.1 == "wrong")
    );
}

#[test]
fn secrets_go_in_and_do_not_come_out() {
    let place = Place::new();
    let value = "tok-9f8e7d6c5b4a-value";
    let mut command = cmd(
        "sh",
        &[
            "-c",
            "echo $TOKEN; printf %s $TOKEN | base64; printf 'user:%s' $TOKEN | base64; printf %s $TOKEN | od -An -tx1 | tr -d ' \\n'; echo; \
                 printf tok-9f8e; sleep 0.1; echo 7d6c5b4a-value >&1; echo $TOKEN >&2; test ${#TOKEN} = 22 && echo whole",
        ],
    );
    command.secrets = vec!["TOKEN".to_owned()];
    let (lines, on_line) = sink();
    let secret = |name: &str, value: &str| SecretEnv {
        name: name.to_owned(),
        value: value.to_owned().into(),
    };
    let spec = RunSpec {
        secrets: vec![secret("TOKEN", value)],
        on_line: Some(on_line),
        ..RunSpec::default()
    };
    assert!(!format!("{:?}", spec.secrets).contains(value));
    let end = runtime()
        .block_on(place.runner().run(command.permit(false), spec))
        .unwrap();
    let out = String::from_utf8_lossy(&end.stdout).into_owned();
    let all = format!(
        "{out}{}{:?}",
        String::from_utf8_lossy(&end.stderr),
        lines.lock().unwrap()
    );
    for form in [
        value,
        "tok-9f8e",
        "dG9rLTlmOGU3ZDZj",
        "746f6b2d",
        "7d6c5b4a",
    ] {
        assert!(!all.contains(form), "{form}: {all}");
    }
    assert_eq!(out.matches("[secret TOKEN]").count(), 5, "{out}");
    assert!(out.ends_with("whole\n"), "the command itself had it: {out}");

    // Exactly those of the permit, and none that cannot be taken out again.
    for (secrets, part) in [
        (vec![], "names the secrets"),
        (
            vec![secret("TOKEN", value), secret("OTHER", value)],
            "names the secrets",
        ),
        (vec![secret("TOKEN", "abc")], "fewer than 4 bytes"),
    ] {
        let spec = RunSpec {
            secrets,
            ..RunSpec::default()
        };
        let error = runtime()
            .block_on(place.runner().run(command.permit(false), spec))
            .unwrap_err();
        assert!(
            matches!(error, ExecError::Invalid(_)) && error.to_string().contains(part),
            "{error}"
        );
    }
}

#[test]
fn the_environment_is_a_fixed_list() {
    let place = Place::new();
    let ws = place.workspace("ws");
    let command = cmd("env", &[]).env("CI", "1");
    let end = runtime()
        .block_on(place.runner().run(command.permit(true), in_workspace(&ws)))
        .unwrap();
    let text = String::from_utf8(end.stdout).unwrap();
    let mut names: Vec<&str> = text.lines().map(|l| l.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["CI", "HOME", "LANG", "PATH", "TMPDIR"], "{text}");
    assert!(
        text.contains("PATH=/usr/local/bin:/usr/bin:/bin:"),
        "{text}"
    );
    assert!(text.contains("LANG=C.UTF-8"), "{text}");
    let home = text.lines().find(|l| l.starts_with("HOME=")).unwrap();
    assert!(home.contains("/scratch/command-"), "{home}");
}

#[test]
fn nothing_is_open_but_the_three() {
    let place = Place::new();
    // As careless as a host can be: a file that every child inherits.
    let file = std::fs::File::open(place.path("home/secret")).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let text = "for f in /proc/self/fd/*; do readlink $f; done; wc -c; ps 2>/dev/null; ls -d /proc/[0-9]* | wc -l";
    let end = runtime()
        .block_on(
            place
                .runner()
                .run(cmd("sh", &["-c", text]).permit(false), RunSpec::default()),
        )
        .unwrap();
    let out = String::from_utf8_lossy(&end.stdout).into_owned();
    assert!(!out.contains("secret"), "{out}");
    assert!(out.starts_with("/dev/null\npipe:"), "{out}");
    drop(file);
}
