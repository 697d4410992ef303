//! A full disk: a clear error, nothing acknowledged that is not durable, and the run goes on when there is room.
//!
//! The disk is real: a small tmpfs in a mount namespace of its own, which needs either root or user namespaces.
//! Where there is neither, a limit on the size of files takes its place: another errno, the same obligation.

use crate::harness::{Done, Project, binary};
use std::{fs, process::Command};

/// Many small events and artifacts: more than the room that is left, in the middle of the run.
const WORKFLOW: &str = r#"
name = "fill"
goal = "Fill the disk"
concurrency = 4

[[task]]
id = "first"
agent = "fake"
input = {}

[[task]]
id = "many"
agent = "fake"
needs = ["first"]
for_each = "range(400)"
input = { output = { text = "TEXT" } }
"#;

/// Keeps each output inside its event.
const OUTPUT_BYTES: usize = 3000;

fn project() -> Project {
    Project::fake(&WORKFLOW.replace("TEXT", &"x".repeat(OUTPUT_BYTES)))
}

/// Runs `script` with the binary as `$SANDGATE` in the project's directory; `None` when namespaces are not to be
/// had. The script ends with the exit code of what it tests.
fn in_namespace(project: &Project, script: &str) -> Option<Done> {
    let possible = ["-m", "-Urm"].into_iter().find(|flags| {
        Command::new("unshare")
            .args([flags, "sh", "-c", "mount -t tmpfs none /mnt"])
            .output()
            .is_ok_and(|o| o.status.success())
    })?;
    let mut command = Command::new("unshare");
    command.args([possible, "sh", "-c", script]);
    project.prepare(&mut command);
    command.env("SANDGATE", binary());
    Some(
        project
            .start_command(command, "unshare ... sandgate")
            .finish(),
    )
}

fn said_clearly(text: &str) {
    let text = text.to_lowercase();
    assert!(
        [
            "disk is full",
            "no space",
            "full disk",
            "disk full",
            "database or disk is full"
        ]
        .iter()
        .any(|w| text.contains(w)),
        "{text}"
    );
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_full_disk_stops_the_run_and_room_lets_it_go_on() {
    let project = project();
    fs::create_dir(project.dir().join(".sandgate")).unwrap();
    fs::create_dir(project.temp().join("seen")).unwrap();
    // 8 MiB for the state; a ballast file takes all but about half a megabyte once the journal exists.
    let script = r#"
        set -u
        chmod 700 .sandgate
        mount -t tmpfs -o size=8m,mode=700 none .sandgate || exit 97
        "$SANDGATE" run w.toml >/dev/null 2>../seen/warm &
        while ! ls .sandgate | grep -q journal; do sleep 0.01; done
        kill -9 $!; wait $! 2>/dev/null
        head -c 16m /dev/zero >.sandgate/ballast 2>/dev/null
        truncate -s -512K .sandgate/ballast
        "$SANDGATE" run w.toml >../seen/full.out 2>../seen/full.err
        echo $? >../seen/full.code
        "$SANDGATE" runs >../seen/runs.out 2>../seen/runs.err
        echo $? >../seen/runs.code
        rm .sandgate/ballast
        "$SANDGATE" resume >../seen/resume.out 2>../seen/resume.err
        echo $? >../seen/resume.code
        "$SANDGATE" runs --format json >../seen/after.json
        cp -r .sandgate ../seen/state
        exit 0
    "#;
    let Some(done) = in_namespace(&project, script) else {
        return file_size_limit(&project);
    };
    done.expect(0);
    let seen = |name: &str| fs::read_to_string(project.temp().join("seen").join(name)).unwrap();
    let everything = format!(
        "full:\n{}{}resume:\n{}{}",
        seen("full.out"),
        seen("full.err"),
        seen("resume.out"),
        seen("resume.err")
    );
    assert!(
        !["0", "3", "4"].contains(&seen("full.code").trim()),
        "{everything}"
    );
    said_clearly(&seen("full.err"));
    assert_eq!(
        seen("runs.code").trim(),
        "0",
        "reads are served: {}",
        seen("runs.err")
    );
    assert_eq!(seen("resume.code").trim(), "0", "{everything}");

    // The state leaves the namespace with the copy: look at it with the ordinary commands.
    fs::remove_dir(project.dir().join(".sandgate")).unwrap();
    fs::rename(
        project.temp().join("seen/state"),
        project.dir().join(".sandgate"),
    )
    .unwrap();
    for run in project.runs() {
        let history = project.history(&run);
        history.check().unwrap();
        assert_eq!(project.summary(&run)["state"], "verified");
    }
}

/// Where a disk cannot be had: no file may grow past a few hundred kilobytes.
fn file_size_limit(project: &Project) {
    let mut command = Command::new("sh");
    // In blocks of 512 bytes. The signal is ignored so that the write fails, as on a full disk.
    command.args([
        "-c",
        "trap '' XFSZ; ulimit -f 600; exec \"$SANDGATE\" run w.toml",
    ]);
    project.prepare(&mut command);
    command.env("SANDGATE", binary());
    let done = project
        .start_command(command, "ulimit -f; sandgate run")
        .finish();
    assert!(![0, 3, 4].contains(&done.code()), "{done}");
    assert!(!done.stderr.contains("panicked"), "{done}");
    project.run(&["resume"]).expect(0);
    let run = project.only_run();
    project.history(&run).check().unwrap();
    assert_eq!(project.summary(&run)["state"], "verified");
}
