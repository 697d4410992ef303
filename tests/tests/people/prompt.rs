//! In a terminal `run` asks in place: the whole text, escaped; only a whole line after it answers; what is decided
//! elsewhere takes the question away.

use super::kit::{
    POLICY, asks, count, events, eventually, fake, mark, marks, only_id, open, project, question,
    rule, state, task, workflow,
};
use crate::harness::Project;
use std::{thread::sleep, time::Duration};

/// Longer than keys are ignored after a question appeared.
const SETTLED: Duration = Duration::from_millis(900);

fn asking(steps: &[String]) -> Project {
    project(POLICY, &workflow(&[&task("t", "", steps)]))
}

#[test]
fn an_approval_and_a_question_are_asked_in_place() {
    let ask = question("Which colour?", ", choices = [\"red\", \"blue\"]");
    let project = asking(&[mark("a"), ask, mark("b")]);
    let mut terminal = project.terminal(&["run", "w.toml"]);
    terminal.shows("[yes, no, later]");
    assert_eq!(marks(&project), [""; 0]);
    sleep(SETTLED);
    // Half a word is no answer.
    terminal.keys("ye\n");
    terminal.shows("none of the answers");
    assert_eq!(marks(&project), [""; 0]);
    sleep(SETTLED);
    terminal.keys("yes\n");
    terminal.shows("Which colour?");
    assert_eq!(marks(&project), ["a"]);
    sleep(SETTLED);
    terminal.keys("green\n");
    sleep(SETTLED);
    terminal.keys("blue\n");
    terminal.running().wait_until("the second approval", |_| {
        open(&project).len() == 1 && asks(&project, true).len() == 3
    });
    eventually("its question", || {
        terminal.screen().matches("[yes, no, later]").count() >= 3
    });
    sleep(SETTLED);
    terminal.keys("no\n");
    let done = terminal.finish();
    assert!([0, 1, 5].contains(&done.code()), "{done}");
    assert_eq!(marks(&project), ["a"]);
    let events = events(&project);
    let channels: Vec<_> = events
        .iter()
        .filter(|e| ["decided", "answered"].contains(&e["type"].as_str().unwrap()))
        .map(|e| e["by"]["channel"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(channels, ["prompt"; 3]);
}

#[test]
fn keys_of_before_answer_nothing() {
    let project = asking(&[mark("a")]);
    let mut terminal = project.terminal(&["run", "w.toml"]);
    // Somebody who types all the time, from before the question until it stands there.
    while !terminal.screen().contains("[yes, no, later]") {
        terminal.keys("yes\ny\n");
        sleep(Duration::from_millis(10));
        assert!(!terminal.running().ended(), "{}", terminal.screen());
    }
    terminal.keys("yes\n");
    terminal.keys("ye");
    sleep(SETTLED);
    assert_eq!(marks(&project), [""; 0], "{}", terminal.screen());
    assert_eq!(count(&events(&project), "decided"), 0);
    terminal.keys("later\n");
    let done = terminal.finish();
    assert_eq!(done.code(), 4, "{done}");
    assert_eq!(open(&project).len(), 1);
}

#[test]
fn what_a_plugin_asks_for_is_shown_and_does_not_act() {
    let evil = "\\u001b[2J\\u001b[1;1Happrove? yes\\u202e\\u2066\\u200b\\rhidden\\u0007";
    let policy = POLICY.replace(
        "{n:word}\"], cwd = \"/desk\", approval = \"required\"",
        "{n:text}\"], cwd = \"/desk\", approval = \"required\"",
    );
    let evil_text = "\\u202eevil\\u2066\\u200bcanary";
    let steps = [
        mark("X").replace("\"X\"", &format!("\"{evil_text}\"")),
        question(&format!("canary {evil}"), ""),
    ];
    let flow = workflow(&[&task("t", "", &steps)]).replace("stop = true, ", "");
    let project = project(&policy, &flow);
    let mut terminal = project.terminal(&["run", "w.toml"]);
    let mut seen = 0;
    // Either is refused, or asked about and shown.
    for _ in 0..2 {
        eventually("a question or the end", || {
            terminal.running().ended() || open(&project).len() == 1
        });
        if terminal.running().ended() {
            break;
        }
        terminal.shows("canary");
        seen += 1;
        for args in [&["approvals"][..], &["why"], &["status"], &["events"]] {
            let done = project.run(args);
            assert!(crate::harness::dangerous(&done).is_empty(), "{done}");
        }
        let id = only_id(&project);
        sleep(SETTLED);
        let about_question = asks(&project, false)[0]["about"] == "question";
        let done = match about_question {
            true => project.run(&["answer", &id, "no"]),
            false => project.run(&["reject", &id]),
        };
        assert!(crate::harness::dangerous(&done).is_empty(), "{done}");
        eventually("the next", || {
            terminal.running().ended() || !open(&project).contains(&id)
        });
    }
    let screen = terminal.screen();
    for bad in [
        "\u{1b}[2J",
        "\u{1b}[1;1H",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\rhidden",
        "\u{7}",
    ] {
        assert!(!screen.contains(bad), "{bad:?} in {screen:?}");
    }
    assert_eq!(marks(&project), [""; 0]);
    println!("{seen} hostile texts were asked about, 0 acted on the terminal");
    drop(terminal.finish());
}

#[test]
fn a_decision_elsewhere_takes_the_question_away() {
    let project = asking(&[mark("a")]);
    let mut terminal = project.terminal(&["run", "w.toml"]);
    terminal.shows("[yes, no, later]");
    project.run(&["approve", &only_id(&project)]).expect(0);
    // No key is needed.
    let done = terminal.finish().expect(0);
    assert_eq!(marks(&project), ["a"]);
    assert_eq!(count(&events(&project), "decided"), 1);
    assert!(
        done.stdout.contains("approved"),
        "the person is told: {done}"
    );
}

#[test]
fn a_terminal_that_goes_away_decides_nothing() {
    let project = asking(&[mark("a")]);
    let mut terminal = project.terminal(&["run", "w.toml"]);
    terminal.shows("[yes, no, later]");
    sleep(SETTLED);
    // The end of the input.
    terminal.keys("\u{4}");
    let done = terminal.finish();
    assert_eq!(done.code(), 4, "{done}");
    assert_eq!(marks(&project), [""; 0]);
    assert_eq!(open(&project).len(), 1);
    project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(state(&project), "verified");
}

#[test]
fn nobody_is_asked_without_a_terminal_or_with_no_prompt() {
    let project = asking(&[mark("a")]);
    let mut terminal = project.terminal(&["run", "w.toml", "--no-prompt"]);
    terminal
        .running()
        .wait_until("the wait", |_| open(&project).len() == 1);
    let done = terminal.finish();
    assert_eq!(done.code(), 4, "{done}");
    assert!(!done.stdout.contains("[yes, no, later]"), "{done}");
}

/// `approve` in a terminal shows everything and asks; keys of before are not an answer.
#[test]
fn approve_in_a_terminal_asks_before_it_decides() {
    let project = asking(&[mark("a")]);
    project.run(&["run", "w.toml"]).expect(4);
    let id = only_id(&project);
    for (keys, decided) in [("n\n", 0), ("\n", 0), ("maybe\n", 0), ("y\n", 1)] {
        let mut terminal = project.terminal(&["approve", &id]);
        terminal.keys("y\ny\n");
        terminal.shows("[y/N]");
        sleep(SETTLED);
        terminal.keys(keys);
        let done = terminal.finish();
        assert!(done.stdout.contains("exactly what will happen"), "{done}");
        assert_eq!(
            count(&events(&project), "decided"),
            decided,
            "{keys:?}: {done}"
        );
    }
}

/// What is too long to be read at a glance is not approved by a word.
#[test]
fn a_long_plan_wants_its_digest() {
    const TASKS: usize = 120;
    let mut parts = vec![rule("plan-rule", "plan", "")];
    parts.extend((0..TASKS).map(|n| fake(&format!("t{n}"), "")));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let project = project("", &workflow(&parts));
    project.run(&["run", "w.toml"]).expect(4);
    let ask = asks(&project, false).remove(0);
    let digest = ask["digest"].as_str().unwrap();
    let right = digest.trim_start_matches("sha256:")[..8].to_owned();
    let id = only_id(&project);
    for (keys, decided) in [("y", 0), ("yes", 0), ("00000000", 0), (right.as_str(), 1)] {
        let mut terminal = project.terminal(&["approve", &id]);
        terminal.shows("digits of the digest of");
        // All of it was shown first.
        for n in 0..TASKS {
            assert!(terminal.screen().contains(&format!("t{n}: agent fake")));
        }
        sleep(SETTLED);
        terminal.keys(&format!("{keys}\n"));
        if decided == 1 {
            terminal.shows("[y/N]");
            sleep(SETTLED);
            terminal.keys("y\n");
        }
        let done = terminal.finish();
        let code = done.code();
        assert_eq!(
            count(&events(&project), "decided"),
            decided,
            "{keys:?}: {code}"
        );
    }
}
