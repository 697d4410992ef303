//! Attempts that go from process to process, each of which is killed: nothing of them is lost, and nothing of others
//! is left behind.

use crate::kit::{Project, grant, tree, volume};
use sandgate_model::{FileGrant, FileMode, Workspace};
use sandgate_workspace::{AttemptKey, Prepared, Settings, Workspaces};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// What a process does with the attempt before it is killed.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Part {
    /// Makes it, keeps it, works.
    Begin,
    /// Reopens it and works.
    Work,
    /// Reopens it, works, parks it.
    Park,
    /// Reopens it and drops it.
    End,
}

const LIFE: [(&str, Part); 5] = [
    ("begin", Part::Begin),
    ("park", Part::Park),
    ("work", Part::Work),
    ("park", Part::Park),
    ("end", Part::End),
];

fn grants() -> Vec<FileGrant> {
    vec![grant("src", FileMode::Write)]
}

fn name(life: usize) -> AttemptKey {
    AttemptKey::new(&["kill", &life.to_string()])
}

fn kind(life: usize) -> Workspace {
    [Workspace::Worktree, Workspace::Clone, Workspace::None][life % 3]
}

/// Where an attempt works.
fn desk(made: &Prepared) -> PathBuf {
    match made.roots() {
        [root, ..] => root.path.clone(),
        [] => made.scratch().unwrap().path.clone(),
    }
}

fn say(text: &str) {
    // In one write, so that a kill leaves whole lines.
    let line = format!("{text}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Entry of the process that is killed. Does nothing otherwise.
#[test]
fn child() {
    let Ok(dir) = std::env::var("SANDGATE_TEST_PARK") else {
        return;
    };
    let number = |name: &str| std::env::var(name).unwrap().parse::<usize>().unwrap();
    let (life, round) = (number("SANDGATE_TEST_LIFE"), number("SANDGATE_TEST_ROUND"));
    let (_, part) = LIFE[round % LIFE.len()];
    let dir = PathBuf::from(dir);
    let at = Workspaces::open(Settings::new(&dir, dir.join(".sandgate"))).unwrap();
    // Others that nobody will come back to: one made, one parked.
    let other = AttemptKey::new(&["other", &round.to_string()]);
    let _other = at.prepare(&other, Workspace::Clone, &grants()).unwrap();
    let parked = AttemptKey::new(&["parked", &round.to_string()]);
    let made = at.prepare(&parked, Workspace::Clone, &grants()).unwrap();
    made.park().unwrap();
    say("go");
    let made = if part == Part::Begin {
        let made = at.prepare(&name(life), kind(life), &grants()).unwrap();
        made.scratch().unwrap();
        made.keep().unwrap();
        say("kept");
        made
    } else {
        match at.reopen(&name(life), kind(life), &grants()).unwrap() {
            Some(made) => made,
            // Killed before it was ever kept.
            None => {
                say("none");
                let made = at.prepare(&name(life), kind(life), &grants()).unwrap();
                made.scratch().unwrap();
                made.keep().unwrap();
                say("kept");
                made
            }
        }
    };
    if part != Part::End {
        for n in 0..6 {
            let file = format!("{round}-{n}");
            fs::write(desk(&made).join(&file), &file).unwrap();
            say(&format!("wrote {file}"));
        }
    }
    match part {
        Part::Begin | Part::Work => {
            say("busy");
            thread::sleep(Duration::from_secs(60));
            drop(made);
        }
        Part::Park => {
            say("parking");
            made.park().unwrap();
            say("parked");
            thread::sleep(Duration::from_secs(60));
        }
        Part::End => {
            // So much that the kill comes while it is being removed.
            for n in 0..1_000 {
                fs::File::create(desk(&made).join(format!("much-{n}"))).unwrap();
            }
            say("ending");
            drop(made);
            say("ended");
            thread::sleep(Duration::from_secs(60));
        }
    }
}

/// What the process said until it was killed.
fn run_and_kill(project: &Project, life: usize, round: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "park_kill::child", "--nocapture"])
        .env("SANDGATE_TEST_PARK", &project.dir)
        .env("SANDGATE_TEST_LIFE", life.to_string())
        .env("SANDGATE_TEST_ROUND", round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Kills come at every part of it: at a word that differs from round to round, and a moment later.
    let words = [
        "go", "busy", "kept", "parking", "parked", "ending", "ended", "wrote",
    ];
    let wait_for = match LIFE[round % LIFE.len()].1 {
        Part::Begin => ["go", "kept", "wrote", "busy"][round / LIFE.len() % 4],
        Part::Work => ["go", "wrote", "busy"][round / LIFE.len() % 3],
        Part::Park => ["go", "wrote", "parking", "parked"][round / LIFE.len() % 4],
        Part::End => ["go", "ending", "ended"][round / LIFE.len() % 3],
    };
    for line in lines.by_ref() {
        let line = line.unwrap();
        let word = line.split(' ').next().unwrap_or_default().to_owned();
        assert!(!line.contains("panicked"), "{line}");
        said.push(line);
        if word == wait_for && words.contains(&wait_for) {
            break;
        }
    }
    thread::sleep(Duration::from_micros(4_567 * round as u64 % 9_000));
    child.kill().unwrap();
    said.extend(lines.map_while(Result::ok));
    child.wait().unwrap();
    // Its git processes lose their ends and stop.
    thread::sleep(Duration::from_millis(10));
    said
}

#[test]
fn nothing_is_lost_and_nothing_left_behind() {
    let rounds = volume("SANDGATE_PARKS", 50);
    let project = Project::git(&[("src/a", "a\n"), ("src/b/c", "c\n")]);
    let (mut lost, mut behind, mut reopened, mut ended, mut whole, mut files) = (0, 0, 0, 0, 0, 0);
    let mut partly = 0;
    let mut expected: BTreeSet<String> = BTreeSet::new();
    let mut kept = false;
    for round in 0..rounds {
        let life = round / LIFE.len();
        let part = LIFE[round % LIFE.len()].1;
        if part == Part::Begin {
            expected.clear();
            kept = false;
        }
        let said = run_and_kill(&project, life, round);
        let heard = |word: &str| said.iter().any(|l| l == word);
        assert!(heard("go"), "{said:?}");
        // Once kept, always there: who finds nothing has lost it.
        if kept && heard("none") {
            lost += 1;
        }
        kept |= heard("kept");
        expected.extend(
            said.iter()
                .filter_map(|l| l.strip_prefix("wrote "))
                .map(str::to_owned),
        );

        let at = project.open();
        let live = BTreeSet::from([name(life)]);
        let gone = format!("gone-{}", name(life));
        partly += usize::from(project.place().join(gone).exists());
        let swept = at.sweep(&live).unwrap();
        assert!(swept.removed >= 2, "the others of {said:?}");
        behind += project.leftovers().saturating_sub(1);
        let again = at.reopen(&name(life), kind(life), &grants()).unwrap();
        match again {
            None if heard("ending") => ended += 1,
            None if !kept => {}
            None => lost += 1,
            Some(made) => {
                reopened += 1;
                // Who was parked is as it was parked; who worked may have gone on.
                assert!(
                    made.interrupted() || heard("parking") || !heard("kept") && !heard("busy"),
                    "{said:?}"
                );
                assert!(!(made.interrupted() && heard("parked")), "{said:?}");
                whole += usize::from(heard("ending"));
                let there = tree(&desk(&made));
                for file in &expected {
                    let bytes = format!("{:?}", file.as_bytes());
                    let found = there.get(&PathBuf::from(file));
                    files += 1;
                    lost += usize::from(!found.is_some_and(|text| text.ends_with(&bytes)));
                }
                if part == Part::End {
                    let mut made = made;
                    let done = made.finish(None).unwrap();
                    if kind(life) == Workspace::Worktree {
                        assert!(done.changed.count >= expected.len() as u64);
                    }
                } else {
                    made.park().unwrap();
                }
            }
        }
        if part == Part::End {
            behind += project.leftovers();
        }
    }
    assert_eq!((lost, behind), (0, 0));
    assert!(reopened > rounds / 2, "{reopened} of {rounds}");
    println!(
        "{rounds} rounds of park, kill -9 and reopen: {reopened} reopened, {files} files looked for, {lost} lost, {behind} left behind; {ended} ended, {partly} of them killed on the way, {whole} killed at their end and still whole"
    );
}
