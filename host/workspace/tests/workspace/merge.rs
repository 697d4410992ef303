//! The run's branch.

use crate::kit::{Project, into, prepare, run_id, tree};
use sandgate_model::Workspace;
use sandgate_workspace::{FinishError, Prepared};
use std::{fs, thread};

fn write(made: &Prepared, path: &str, text: &str) {
    made.roots()[0].dir.write(path, text).unwrap();
}

fn branch(n: u128) -> String {
    format!("sandgate/run-{}", run_id(n))
}

#[test]
fn changes_of_two_attempts_come_together() {
    let project = Project::git(&[("a", "1\n"), ("b", "1\n")]);
    project.write("a", "the user's own\n");
    let at = project.open();
    let base = project.run_git(&["rev-parse", "HEAD"]);
    let before = (
        fs::read(project.dir.join(".git/index")).unwrap(),
        fs::read(project.dir.join(".git/HEAD")).unwrap(),
    );
    let mut first = prepare(&at, Workspace::Worktree, ".");
    let mut second = prepare(&at, Workspace::Worktree, ".");
    write(&first, "a", "2\n");
    write(&second, "b", "2\n");
    let one = first.finish(Some(&into(1))).unwrap().merged.unwrap();
    assert_eq!(one.branch, branch(1));
    assert_eq!(
        project.run_git(&["rev-parse", &format!("{}^", one.branch)]),
        base
    );
    let two = second.finish(Some(&into(1))).unwrap().merged.unwrap();
    let show = |path: &str| project.run_git(&["show", &format!("{}:{path}", branch(1))]);
    assert_eq!((show("a").as_str(), show("b").as_str()), ("2", "2"));
    assert_eq!(project.run_git(&["rev-parse", &branch(1)]), two.commit);
    let log = project.run_git(&["log", "-1", "--format=%an <%ae> %cn: %s", &branch(1)]);
    assert_eq!(
        log,
        "Sandgate <sandgate@localhost> Sandgate: Merge: task build, attempt 1"
    );
    // The user's side is as it was.
    let after = (
        fs::read(project.dir.join(".git/index")).unwrap(),
        fs::read(project.dir.join(".git/HEAD")).unwrap(),
    );
    assert!(before == after);
    assert_eq!(project.run_git(&["rev-parse", "main"]), base);
    assert_eq!(
        fs::read_to_string(project.dir.join("a")).unwrap(),
        "the user's own\n"
    );
    let branches = project.run_git(&["for-each-ref", "--format=%(refname:short)"]);
    assert_eq!(branches, format!("main\n{}", branch(1)));
    project.run_git(&["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn a_conflict_names_the_files_and_leaves_the_branch() {
    let project = Project::git(&[("a", "1\n"), ("b", "1\n"), ("c", "1\n")]);
    let at = project.open();
    let mut first = prepare(&at, Workspace::Worktree, ".");
    let mut second = prepare(&at, Workspace::Worktree, ".");
    for (made, text) in [(&first, "left\n"), (&second, "right\n")] {
        write(made, "a", text);
        write(made, "b", text);
    }
    write(&second, "c", "2\n");
    let one = first.finish(Some(&into(1))).unwrap().merged.unwrap();
    let before = tree(&project.dir.join(".git"));
    match second.finish(Some(&into(1))) {
        Err(e @ FinishError::Conflict { .. }) => {
            let text = e.to_string();
            assert!(
                text.contains("`a`, `b`") && !text.contains("`c`") && text.contains(&branch(1)),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        tree(&project.dir.join(".git")),
        before,
        "not even an object"
    );
    assert_eq!(project.run_git(&["rev-parse", &branch(1)]), one.commit);
    // The workspace is still there: its patch can be kept without merging.
    let kept = second.finish(None).unwrap();
    assert_eq!(kept.changed.count, 3);
    assert_eq!(project.leftovers(), 0);
}

#[test]
fn concurrent_attempts_all_arrive() {
    let project = Project::git(&[("a", "1\n")]);
    // Two hosts' worth of merging: locks in the process are not what keeps the branch whole.
    let places = [project.open(), project.open()];
    let count = 8;
    thread::scope(|scope| {
        for n in 0..count {
            let at = &places[n % 2];
            scope.spawn(move || {
                let mut made = prepare(at, Workspace::Worktree, ".");
                write(&made, &format!("new{n}"), "x\n");
                made.finish(Some(&into(1))).unwrap();
            });
        }
    });
    let files = project.run_git(&["ls-tree", "--name-only", &branch(1)]);
    assert_eq!(files.lines().count(), count + 1, "{files}");
    project.run_git(&["fsck", "--strict", "--no-dangling"]);
    println!("{count} merges at once from two hosts, {count} arrived");
}

#[test]
fn a_branch_that_somebody_works_on_is_not_moved() {
    let project = Project::git(&[("a", "1\n")]);
    let at = project.open();
    let mut first = prepare(&at, Workspace::Worktree, ".");
    write(&first, "a", "2\n");
    first.finish(Some(&into(1))).unwrap();
    let added = project.tmp.path().join("added");
    for on_it in [
        vec!["checkout", "-q"],
        vec!["worktree", "add", "-q", added.to_str().unwrap()],
    ] {
        let mut args = on_it.clone();
        let name = branch(1);
        args.push(&name);
        project.run_git(&args);
        let mut next = prepare(&at, Workspace::Worktree, ".");
        write(&next, "b", "3\n");
        let refusal = next.finish(Some(&into(1))).unwrap_err();
        assert!(
            matches!(refusal, FinishError::CheckedOut { .. }),
            "{refusal:?}"
        );
        project.run_git(&["checkout", "-q", "main"]);
    }
}

#[test]
fn the_author_is_configured_and_titles_are_one_line() {
    let project = Project::git(&[("a", "1\n")]);
    let mut settings = project.settings();
    settings.author.name = "Bot\n<evil>".into();
    settings.author.email = "bot@example.com>\ncommitter x".into();
    let at = sandgate_workspace::Workspaces::open(settings).unwrap();
    let mut made = prepare(&at, Workspace::Worktree, ".");
    write(&made, "a", "2\n");
    let mut to = into(2);
    to.title = "line\nfrom 0000\u{1b}[31m\n\nD a".into();
    made.finish(Some(&to)).unwrap();
    let log = project.run_git(&["log", "-1", "--format=%an|%ae|%B|%P", &branch(2)]);
    let parent = project.run_git(&["rev-parse", "main"]);
    assert_eq!(
        log,
        format!("Botevil|bot@example.comcommitter x|line from 0000 [31m  D a\n|{parent}")
    );
}

/// The user goes on while attempts run: what an attempt is made from is HEAD at its start.
#[test]
fn a_later_base_comes_along() {
    let project = Project::git(&[("a", "1\n")]);
    let at = project.open();
    let mut first = prepare(&at, Workspace::Worktree, ".");
    write(&first, "new1", "x\n");
    first.finish(Some(&into(1))).unwrap();
    project.commit_all(&[("user", "y\n")]);
    let mut second = prepare(&at, Workspace::Worktree, ".");
    write(&second, "new2", "x\n");
    second.finish(Some(&into(1))).unwrap();
    let files = project.run_git(&["ls-tree", "--name-only", &branch(1)]);
    assert_eq!(files, "a\nnew1\nnew2\nuser");
}
