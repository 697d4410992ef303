//! Directories: granted, not granted, read-only; and files that are none.

use crate::support::*;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sandgate_sandbox::{Call, Outcome, Preopen};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn granted(path: &Path, write: bool) -> Call {
    let mut call = Try::new(file_agent()).call();
    call.files.push(Preopen {
        dir: Arc::new(Dir::open_ambient_dir(path, ambient_authority()).unwrap()),
        guest: "/notes".to_owned(),
        write,
        protect: false,
    });
    call
}

async fn act(call: &Call, order: &str) -> Result<String, String> {
    let task = Try::new(file_agent()).task(json!(order));
    match SANDBOX.run(call, &Value::Null, task).await.outcome {
        Outcome::Output(answer) => Ok(answer.output.as_str().unwrap().to_owned()),
        Outcome::Failed { message, .. } => Err(message),
        other => panic!("{order}: {other:?}"),
    }
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let notes = place.path().join("notes");
    fs::create_dir(&notes).unwrap();
    fs::write(notes.join("a.txt"), "alpha").unwrap();
    fs::write(place.path().join("secret"), "secret").unwrap();
    symlink("../secret", notes.join("out")).unwrap();
    symlink("/etc/passwd", notes.join("absolute")).unwrap();
    symlink("a.txt", notes.join("in")).unwrap();
    mknodat(
        CWD,
        notes.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    place
}

#[tokio::test]
async fn without_a_grant_nothing_runs() {
    match Try::new(file_agent()).run("read:/notes/a.txt").await {
        Outcome::Refused { import, hint } => {
            assert!(import.starts_with("wasi:filesystem/"), "{import}");
            assert!(hint.contains("[policy]"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    // But it can say what it is.
    let description = SANDBOX.describe(&file_agent()).await.unwrap();
    assert_eq!(description.name, "files");
    assert_eq!(description.needs.len(), 1);
}

#[tokio::test]
async fn with_a_grant_it_reads_and_no_more() {
    let place = place();
    let notes = place.path().join("notes");
    let call = granted(&notes, false);
    assert_eq!(act(&call, "read:/notes/a.txt").await.unwrap(), "alpha");
    assert_eq!(act(&call, "read:/notes/in").await.unwrap(), "alpha");
    assert_eq!(
        act(&call, "list:/notes").await.unwrap(),
        "a.txt,absolute,fifo,in,out"
    );
    for order in [
        "write:/notes/b.txt",
        "write:/notes/a.txt",
        "remove:/notes/a.txt",
        "read:/notes/../secret",
        "read:/notes/out",
        "read:/notes/absolute",
        "read:/secret",
        "read:/etc/passwd",
        "list:/",
    ] {
        assert!(act(&call, order).await.is_err(), "{order}");
    }
    assert_eq!(fs::read_to_string(notes.join("a.txt")).unwrap(), "alpha");
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 5);
}

#[tokio::test]
async fn with_a_write_grant_it_writes_inside() {
    let place = place();
    let notes = place.path().join("notes");
    let call = granted(&notes, true);
    assert_eq!(act(&call, "write:/notes/b.txt").await.unwrap(), "written");
    assert_eq!(
        fs::read_to_string(notes.join("b.txt")).unwrap(),
        "written by a guest"
    );
    assert!(act(&call, "write:/notes/out").await.is_err());
    assert!(act(&call, "write:/notes/../secret").await.is_err());
    assert_eq!(
        fs::read_to_string(place.path().join("secret")).unwrap(),
        "secret"
    );
    assert_eq!(act(&call, "remove:/notes/b.txt").await.unwrap(), "removed");
}

#[tokio::test]
async fn the_handle_counts_and_not_the_path() {
    let place = place();
    let (notes, moved) = (place.path().join("notes"), place.path().join("moved"));
    let call = granted(&notes, false);
    fs::rename(&notes, &moved).unwrap();
    fs::create_dir(&notes).unwrap();
    fs::write(notes.join("a.txt"), "another directory").unwrap();
    assert_eq!(act(&call, "read:/notes/a.txt").await.unwrap(), "alpha");
}

#[tokio::test]
async fn a_fifo_or_device_is_not_opened() {
    let place = place();
    let mut call = granted(&place.path().join("notes"), true);
    call.turn.limits.deadline = Duration::from_secs(10);
    for order in ["read:/notes/fifo", "write:/notes/fifo"] {
        let told = act(&call, order).await.unwrap_err();
        assert!(told.contains("not permitted"), "{told}");
    }
    let call = granted(Path::new("/dev"), false);
    assert!(act(&call, "read:/notes/zero").await.is_err());
}
