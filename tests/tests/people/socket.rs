//! The control socket: every command works while another process drives, and at once when that one is dead.

use super::kit::{
    POLICY, as_who, count, events, eventually, free, mark, marks, only_id, open, project, state,
    task, text, twice, wait_open, workflow,
};
use crate::harness::{Done, Project, Running};
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    time::{Duration, Instant},
};

/// Longest a command takes that need not wait for anybody: a debug build on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

fn socket(project: &Project) -> PathBuf {
    project.dir().join(".sandgate/control.sock")
}

/// One task that needs an approval in its middle, and one that waits for a signal.
fn asking() -> Project {
    project(
        POLICY,
        &workflow(&[
            &task("t", "", &[free("before"), mark("asked"), free("after")]),
            "[[task]]\nid = \"s\"\nwait_for = { signal = \"ci\", match = { sha = \"abc\" } }\n",
        ]),
    )
}

fn driving(project: &Project, count: usize) -> Running {
    let mut owner = project.start(&["run", "w.toml", "--wait"]);
    wait_open(&mut owner, project, count);
    owner
}

#[test]
fn a_second_process_works_through_the_socket() {
    let project = asking();
    let mut owner = driving(&project, 1);
    let mode = fs::metadata(socket(&project)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
    project.run(&["status"]).expect(0);
    project.run(&["why"]).expect(0);
    project
        .run(&["signal", "ci", "--match", "sha=abc"])
        .expect(0);
    let id = only_id(&project);
    project.run(&["approve", &id, "--reason", "good"]).expect(0);
    owner.wait_until("the end", |_| state(&project) == "verified");
    // With everything done, `run --wait` ends by itself.
    owner.finish().expect(0);
    assert_eq!(marks(&project), ["before", "asked", "after"]);
    let events = events(&project);
    let decided = events.iter().find(|e| e["type"] == "decided").unwrap();
    assert_eq!(decided["by"]["channel"], "socket", "{decided:#}");
    assert_eq!(decided["by"]["authenticated"], "os", "{decided:#}");
    assert_eq!(decided["reason"], "good");
    assert!(!socket(&project).exists(), "the socket stays behind");
}

#[test]
fn two_runs_of_one_workflow_at_once() {
    let project = asking();
    let mut owner = driving(&project, 1);
    let mut second = project.start(&["run", "w.toml", "--new", "--wait"]);
    wait_open(&mut owner, &project, 2);
    assert_eq!(project.runs().len(), 2);
    project.run(&["approve", "--all"]).expect(0);
    let told = project
        .run(&["signal", "ci", "--match", "sha=abc", "--format", "json"])
        .expect(0)
        .json();
    assert_eq!(told["to"].as_array().unwrap().len(), 2, "{told:#}");
    second.wait_until("its end", |_| {
        project
            .runs()
            .iter()
            .all(|run| project.summary(run)["state"] == "verified")
    });
    second.finish().expect(0);
    owner.finish().expect(0);
    let mut seen = marks(&project);
    seen.sort();
    assert_eq!(
        seen,
        ["after", "after", "asked", "asked", "before", "before"]
    );
}

#[test]
fn cancel_through_the_socket_ends_the_run_there() {
    let project = asking();
    let owner = driving(&project, 1);
    let cancel = project.run(&["cancel", "--reason", "enough"]).expect(0);
    assert!(cancel.took < AT_ONCE, "{cancel}");
    assert_eq!(state(&project), "cancelled");
    let done = owner.finish();
    assert_eq!(done.code(), 1, "{done}");
    assert_eq!(marks(&project), ["before"]);
}

#[test]
fn after_kill_nine_of_the_owner_every_command_works_at_once() {
    for command in [
        &["status"][..],
        &["approvals"],
        &["approve", "ID"],
        &["reject", "ID"],
        &["signal", "ci", "--match", "sha=abc"],
        &["pause"],
        &["cancel"],
        &["resume"],
        &["runs"],
        &["why"],
    ] {
        let project = asking();
        let owner = driving(&project, 1);
        let id = only_id(&project);
        owner.kill();
        assert!(socket(&project).exists(), "the kill left no stale socket");
        let args: Vec<&str> = command
            .iter()
            .map(|a| if *a == "ID" { id.as_str() } else { a })
            .collect();
        let done = project.run(&args);
        assert!([0, 4].contains(&done.code()), "{done}");
        assert!(done.took < AT_ONCE, "{done}");
        for word in ["locked", "drives this project", "drives the project"] {
            assert!(!done.stderr.contains(word), "{word}: {done}");
        }
        assert_eq!(twice(&project), [""; 0]);
    }
}

#[test]
fn a_stale_socket_file_is_no_hindrance() {
    let project = asking();
    fs::create_dir(project.dir().join(".sandgate")).unwrap();
    fs::set_permissions(
        project.dir().join(".sandgate"),
        fs::Permissions::from_mode(0o700),
    )
    .unwrap();
    // Of a process that died, of somebody who left a file there, and a link to a file that must stay as it is.
    drop(UnixListener::bind(socket(&project)).unwrap());
    project.run(&["runs"]);
    project.run(&["run", "w.toml"]).expect(4);
    fs::write(socket(&project), "not a socket").unwrap();
    let id = only_id(&project);
    project.run(&["approve", &id]).expect(0);
    let kept = project.dir().join("kept.txt");
    fs::write(&kept, "kept").unwrap();
    let _gone = fs::remove_file(socket(&project));
    std::os::unix::fs::symlink(&kept, socket(&project)).unwrap();
    let mut owner = project.start(&["resume"]);
    owner.wait_until("the mark", |_| {
        marks(&project).contains(&"after".to_owned())
    });
    owner.finish().expect(4);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
}

/// The path of a socket may have 108 bytes; that of a project may have more.
#[test]
fn a_project_deep_in_the_tree_has_a_socket_too() {
    let deep = format!("{}/{}", "d".repeat(100), "e".repeat(100));
    let outer = asking();
    let dir = outer.dir().join(&deep);
    fs::create_dir_all(dir.join("work")).unwrap();
    for file in [
        "sandgate.toml",
        "w.toml",
        "g.wasm",
        "gate.wasm",
        "planner.wasm",
    ] {
        fs::copy(outer.dir().join(file), dir.join(file)).unwrap();
    }
    let dir = dir.to_str().unwrap();
    let mut owner = outer.start(&["-C", dir, "run", "w.toml", "--wait"]);
    let list = || {
        let done = outer.run(&["-C", dir, "approvals", "--format", "json"]);
        let list = done.expect(0).json();
        list["approvals"].as_array().cloned().unwrap_or_default()
    };
    owner.wait_until("a request", |_| list().len() == 1);
    let id = text(&list()[0]["id"]);
    outer.run(&["-C", dir, "approve", &id]).expect(0);
    outer
        .run(&["-C", dir, "signal", "ci", "-m", "sha=abc"])
        .expect(0);
    owner.finish().expect(0);
}

/// What anybody who may open the socket could send.
#[test]
fn odd_connections_do_no_harm() {
    let project = asking();
    let mut owner = driving(&project, 1);
    let path = socket(&project);
    let connect = || UnixStream::connect(&path).unwrap();
    // 80 MiB in one line: more than the longest wish.
    let mut huge = connect();
    let chunk = vec![b'x'; 1 << 20];
    let mut taken = 0;
    for _ in 0..80 {
        let _short = huge.set_write_timeout(Some(Duration::from_secs(3)));
        if huge.write_all(&chunk).is_err() {
            break;
        }
        taken += 1;
    }
    // Silent ones, more than are served at once.
    let silent: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    let mut sent = 0;
    for bytes in [
        &b"\n"[..],
        b"{}\n",
        b"hello\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"{\"format\":1,\"wish\":{\"wish\":\"no\"}}\n",
        b"{\"format\":99,\"wish\":{\"wish\":\"ping\"}}\n",
        b"{\"format\":1,\"token\":\"nobody\",\"wish\":{\"wish\":\"ping\"}}\n",
        b"\xff\xfe\0\0\n",
        b"[[[[[[[[[[[[",
        b"{\"format\":1,",
    ] {
        let mut stream = connect();
        let _gone = stream.write_all(bytes);
        sent += 1;
    }
    let mut deep = connect();
    let _gone = deep.write_all(&[b'['; 100_000]);
    drop(silent);
    let id = only_id(&project);
    let start = Instant::now();
    project.run(&["approve", &id]).expect(0);
    let took = start.elapsed();
    assert!(!owner.ended());
    project.run(&["signal", "ci", "-m", "sha=abc"]).expect(0);
    let done = owner.finish().expect(0);
    assert!(!done.stderr.contains("panicked"), "{done}");
    println!(
        "{} odd connections, {taken} MiB of one line taken, the decision after them took {took:?}",
        sent + 42
    );
}

/// 40 connections that say nothing are held while a person decides.
#[test]
fn silent_connections_do_not_keep_anybody_out_for_long() {
    let project = asking();
    let owner = driving(&project, 1);
    let silent: Vec<UnixStream> = (0..40)
        .map(|_| UnixStream::connect(socket(&project)).unwrap())
        .collect();
    let id = only_id(&project);
    let done = project.run(&["approve", &id]).expect(0);
    assert!(done.took < Duration::from_secs(30), "{done}");
    println!("40 silent connections: the decision took {:?}", done.took);
    drop(silent);
    owner.kill();
}

/// Runs a command that has to come back in time.
#[track_caller]
fn within(project: &Project, args: &[&str], limit: Duration) -> Done {
    let mut running = project.start(args);
    let start = Instant::now();
    while !running.ended() && start.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        running.ended(),
        "{args:?} hangs, after {limit:?}: {}",
        running.stderr()
    );
    running.finish()
}

#[test]
fn an_owner_that_was_stopped_is_named_and_not_waited_for() {
    let project = asking();
    let owner = driving(&project, 1);
    owner.signal("STOP");
    let id = only_id(&project);
    let done = within(&project, &["approve", &id], Duration::from_secs(40));
    assert_eq!(done.code(), 1, "{done}");
    let took = done.took;
    let done = done.says(&[&owner.pid().to_string()]);
    assert!(!done.stderr.contains("panicked"), "{done}");
    // Looking needs nobody.
    project.run(&["approvals"]).expect(0);
    owner.signal("CONT");
    // What was refused may have been heard, but it counts once; asked again it is done.
    project.run(&["approve", &id]).expect(0);
    eventually("the mark", || marks(&project).contains(&"after".to_owned()));
    assert_eq!(marks(&project), ["before", "asked", "after"]);
    assert_eq!(count(&events(&project), "decided"), 1);
    println!("a stopped owner was named after {took:?}");
    owner.kill();
}

/// Whoever knows a token speaks as its owner, through the socket as well; a wrong token is nobody.
#[test]
fn a_token_that_nobody_knows_is_refused_through_the_socket() {
    let project = project(
        &format!("{POLICY}{}", super::kit::principals()),
        &workflow(&[&task("t", "", &[mark("asked")])]),
    );
    let mut owner = project.start(&["run", "w.toml", "--wait"]);
    wait_open(&mut owner, &project, 1);
    let id = only_id(&project);
    as_who(&project, "mallory", &["approve", &id]).expect(5);
    assert_eq!(marks(&project), [""; 0]);
    as_who(&project, "ada", &["approve", &id]).expect(0);
    owner.finish().expect(0);
    let events = events(&project);
    let decided = events.iter().find(|e| e["type"] == "decided").unwrap();
    assert_eq!(decided["by"]["name"], "ada", "{decided:#}");
    assert_eq!(decided["by"]["authenticated"], "token", "{decided:#}");
}

/// A command that a plugin may run is contained: it cannot reach the socket of the project that runs it. The same
/// command outside can.
#[test]
fn a_command_of_a_plugin_cannot_reach_the_socket() {
    let script = "import os, socket, sys\n\
        for root, _, names in os.walk('/proc/self/cwd/..'):\n    pass\n\
        path = sys.argv[1]\n\
        try:\n    s = socket.socket(socket.AF_UNIX); s.connect(path); print('reached')\n\
        except Exception as e:\n    print('kept out:', type(e).__name__)\n";
    let python = super::kit::python();
    let policy = |path: &str| {
        format!(
            "[policy]\nquestion = true\nfiles = [{{ host = \"work\", guest = \"/desk\", mode = \"write\" }}]\n\
             exec = [{{ name = \"try\", program = {python:?}, args = [\"reach.py\", {path:?}], cwd = \"/desk\", approval = \"none\" }}]\n"
        )
    };
    let step = |path: &str| {
        format!(
            "{{ do = \"command\", program = {python:?}, args = [\"reach.py\", {path:?}], cwd = \"/desk\" }}"
        )
    };
    let here = project("", "");
    let path = socket(&here).to_str().unwrap().to_owned();
    here.write("sandgate.toml", super::kit::toml(&policy(&path)));
    here.write(
        "w.toml",
        workflow(&[&task(
            "t",
            "",
            &[step(&path), super::kit::question("go on?", "")],
        )]),
    );
    here.write("work/reach.py", script);
    let mut owner = here.start(&["run", "w.toml", "--wait"]);
    wait_open(&mut owner, &here, 1);
    // The twin: the same script with the same arguments, outside.
    let twin = std::process::Command::new(&python)
        .args(["reach.py", &path])
        .current_dir(here.dir().join("work"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&twin.stdout), "reached\n");
    here.run(&["answer", &only_id(&here), "yes"]).expect(0);
    owner.finish().expect(0);
    let said = output(&here);
    assert!(said.contains("kept out"), "{said}");
    assert!(!said.contains("reached"), "{said}");
}

fn output(project: &Project) -> String {
    super::kit::output(project, "t")
}

/// Something else that listens there answers nothing that a command would take for the owner.
#[test]
fn whoever_does_not_hold_the_lock_is_not_asked() {
    let project = asking();
    project.run(&["run", "w.toml"]).expect(4);
    let _gone = fs::remove_file(socket(&project));
    let listener = UnixListener::bind(socket(&project)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let id = only_id(&project);
    within(&project, &["approve", &id], Duration::from_secs(30)).expect(0);
    let heard = listener.accept().ok().map(|(mut stream, _)| {
        let mut bytes = Vec::new();
        let _end = stream.set_read_timeout(Some(Duration::from_millis(100)));
        let _end = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    assert!(open(&project).is_empty(), "{heard:?}");
}
