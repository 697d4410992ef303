//! Report files: fresh ones count, and nothing else does.

use super::{ended, find, fits_the_host, worst};
use crate::Command;
use sandgate_plugin::testing::Bench;
use sandgate_plugin::{Check, Config, Gate, Subject, Verdict};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::{env, fs, process};

const GOOD: &str = "<testsuite tests='1'><testcase classname='a' name='one'/></testsuite>";
const BAD: &str = "<testsuite tests='1' failures='1'><testcase name='two'><failure message='no'/></testcase></testsuite>";

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("gate-command-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the gate; the command writes these files and ends with exit code 0.
fn run(folder: &Folder, reports: &Value, written: &'static [(&str, &str)]) -> Vec<Check> {
    let root = folder.0.clone();
    let bench = Bench::new().root(folder.text()).command(move |_| {
        for (name, text) in written {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Ok(ended(0, "1000 passed\n"))
    });
    let config = json!({ "program": "p", "reports": reports }).to_string();
    let (checks, _) = bench.run(|| Command::check(Subject::default(), Config::new(config)));
    let checks = checks.unwrap();
    fits_the_host(&checks);
    checks
}

#[test]
fn a_file_that_the_command_writes() {
    let folder = Folder::new("written");
    let checks = run(&folder, &json!("out/r.xml"), &[("out/r.xml", GOOD)]);
    assert_eq!(worst(&checks), Verdict::Pass, "{checks:#?}");
    // The report speaks, and not the summary line beside it.
    assert_eq!(
        find(&checks, "p: tests").message,
        "1 passed, 0 failed (JUnit)"
    );
    assert_eq!(find(&checks, "a.one").verdict, Verdict::Pass);

    let checks = run(&folder, &json!("out/r.xml"), &[("out/r.xml", BAD)]);
    assert_eq!(worst(&checks), Verdict::Fail);
    assert_eq!(find(&checks, "two").message, "no");
}

#[test]
fn a_file_that_was_there_before_says_nothing() {
    let folder = Folder::new("stale");
    fs::write(folder.0.join("r.xml"), GOOD).unwrap();
    let checks = run(&folder, &json!(["r.xml"]), &[]);
    assert_eq!(worst(&checks), Verdict::Inconclusive);
    assert!(
        find(&checks, "p: tests")
            .message
            .contains("was there before")
    );
    // Written anew with other contents, it counts.
    let checks = run(&folder, &json!(["r.xml"]), &[("r.xml", BAD)]);
    assert_eq!(worst(&checks), Verdict::Fail);
}

#[test]
fn a_folder_of_files() {
    let folder = Folder::new("folder");
    fs::create_dir_all(folder.0.join("out")).unwrap();
    fs::write(folder.0.join("out/old.xml"), BAD).unwrap();
    let written = &[
        ("out/a.xml", GOOD),
        ("out/b.xml", GOOD),
        ("out/notes.txt", "x"),
    ];
    let checks = run(&folder, &json!("out"), written);
    assert_eq!(worst(&checks), Verdict::Pass, "{checks:#?}");
    assert!(find(&checks, "p: tests").message.starts_with("2 passed"));
    assert_eq!(
        worst(&run(&folder, &json!("out"), &[])),
        Verdict::Inconclusive
    );
}

#[test]
fn what_cannot_be_read_is_inconclusive() {
    let folder = Folder::new("broken");
    let missing = run(&folder, &json!("none.xml"), &[]);
    assert_eq!(worst(&missing), Verdict::Inconclusive);
    let broken = run(
        &folder,
        &json!("r.xml"),
        &[("r.xml", "<testsuite><testcase")],
    );
    assert_eq!(worst(&broken), Verdict::Inconclusive);
    let one_missing = run(&folder, &json!(["a.xml", "b.xml"]), &[("a.xml", GOOD)]);
    assert_eq!(worst(&one_missing), Verdict::Inconclusive);
    assert!(Path::new(folder.text()).is_dir());
}

#[test]
fn a_report_that_is_too_large_is_not_read() {
    let folder = Folder::new("large");
    let root = folder.0.clone();
    let bench = Bench::new().root(folder.text()).command(move |_| {
        let text = format!("<testsuite>{}</testsuite>", " ".repeat(17 << 20));
        fs::write(root.join("r.xml"), text).unwrap();
        Ok(ended(0, ""))
    });
    let config = json!({ "program": "p", "reports": "r.xml" }).to_string();
    let (checks, _) = bench.run(|| Command::check(Subject::default(), Config::new(config)));
    let checks = checks.unwrap();
    assert_eq!(worst(&checks), Verdict::Inconclusive);
    assert!(find(&checks, "p: tests").message.contains("16777216 bytes"));
}
