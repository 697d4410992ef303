//! A damaged journal is reported, never repaired in silence and never made worse.

use crate::harness::Project;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Stands in the goal, so that its bytes can be found in the journal's file.
const MARK: &str = "Preserve the mark zebra-quartz-7319 unharmed";

fn project() -> Project {
    let project = Project::fake(&format!(
        "name = \"w\"\ngoal = \"{MARK}\"\n\n[[task]]\nid = \"one\"\nagent = \"fake\"\ninput = {{}}\n"
    ));
    project.run(&["run", "w.toml"]).expect(0);
    project
}

/// Files below a directory.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

/// The journal's file that has the mark, and where.
fn marked(project: &Project) -> (PathBuf, Vec<usize>) {
    let mut all = Vec::new();
    files(&project.dir().join(".sandgate"), &mut all);
    for path in all {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        let at: Vec<usize> = bytes
            .windows(MARK.len())
            .enumerate()
            .filter(|(_, w)| *w == MARK.as_bytes())
            .map(|(i, _)| i)
            .collect();
        if name.contains("journal") && !at.is_empty() {
            return (path, at);
        }
    }
    panic!("no file of the journal has the mark");
}

fn reading_commands(run: &str) -> Vec<Vec<&str>> {
    vec![vec!["events", run], vec!["summary", run]]
}

#[test]
fn one_flipped_bit_is_found_and_nothing_is_lost() {
    let project = project();
    let run = project.only_run();
    let (path, places) = marked(&project);
    let good = fs::read(&path).unwrap();

    let mut bad = good.clone();
    for at in &places {
        bad[at + 20] ^= 1;
    }
    fs::write(&path, &bad).unwrap();
    for args in reading_commands(&run) {
        let done = project.run(&args);
        assert!(![0, 3, 4].contains(&done.code()), "{done}");
        let text = done.stderr.to_lowercase();
        assert!(text.contains("journal"), "{done}");
        assert!(
            ["damaged", "corrupt", "does not match", "hash"]
                .iter()
                .any(|w| text.contains(w)),
            "{done}"
        );
        assert!(!text.contains("panicked"), "{done}");
    }
    // Nothing new is written on top of damage, and what is there stays for somebody who can mend it.
    let refused = project.run(&["run", "w.toml"]);
    assert_ne!(refused.code(), 0, "{refused}");

    fs::write(&path, &good).unwrap();
    project.run(&["events", &run]).expect(0);
    assert_eq!(project.summary(&run)["state"], "verified");
}

#[test]
fn a_cut_file_is_found() {
    let project = project();
    let run = project.only_run();
    let (path, _) = marked(&project);
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    for args in reading_commands(&run) {
        let done = project.run(&args);
        assert!(![0, 3, 4].contains(&done.code()), "{done}");
        assert!(done.stderr.to_lowercase().contains("journal"), "{done}");
        assert!(!done.stderr.contains("panicked"), "{done}");
    }
    fs::write(&path, &good).unwrap();
    project.run(&["events", &run]).expect(0);
}

#[test]
fn something_else_in_its_place_is_refused_and_kept() {
    let project = project();
    let (path, _) = marked(&project);
    fs::write(&path, "dear diary\n".repeat(1000)).unwrap();
    let done = project.run(&["run", "w.toml"]);
    assert_ne!(done.code(), 0, "{done}");
    assert!(!done.stderr.contains("panicked"), "{done}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("dear diary"));
}
