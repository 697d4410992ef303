//! Texts of plugins that look like something else where a person decides: 29 of them in each place that is shown. Either
//! the host refuses them, or no byte of them acts and what they say is seen.

use super::kit::{POLICY, asks, open, project, text, workflow};
use crate::harness::{Done, Project, dangerous};

/// How many texts the guest has.
const TEXTS: usize = 29;

/// Something that no text of a plugin may put into a line of its own.
const FORGED: [&str; 3] = ["approved by the operator", "approved", "harmless"];

fn place(place: &str, more: &str) -> Project {
    let tasks: Vec<String> = (0..TEXTS)
        .map(|n| {
            format!(
                "[[task]]\nid = \"t{n}\"\nagent = \"guest\"\ninput = {{ act = \"hide\", in = \"{place}\", which = {n}{more} }}\n"
            )
        })
        .collect();
    let policy = format!(
        "{}\n[budget]\nlimit = 1.00\n",
        POLICY.replace("{n:word}", "{n:text}")
    );
    let parts: Vec<&str> = tasks.iter().map(String::as_str).collect();
    project(&policy, &workflow(&parts))
}

/// Nothing moves the cursor, hides text or begins a line.
fn inert(done: &Done, bad: &mut Vec<String>) {
    bad.extend(dangerous(done).into_iter().take(2));
    for out in [&done.stdout, &done.stderr] {
        for line in out.lines() {
            if FORGED.iter().any(|f| line.starts_with(f)) {
                bad.push(format!("a forged line {line:?} in {}", done.what));
            }
        }
    }
}

#[test]
fn what_plugins_say_is_shown_and_does_not_act() {
    let command = ", program = \"sh\", cwd = \"/desk\", args = [\"-c\", \"echo $1 >> marks.txt\", \"mark\", \"{h}\"]";
    let (mut asked, mut refused, mut shown) = (0, 0, 0);
    let mut bad = Vec::new();
    for (name, more) in [
        ("command", command),
        ("question", ""),
        ("choice", ""),
        ("charge", ""),
        ("log", ""),
    ] {
        let project = place(name, more);
        inert(&project.run(&["run", "w.toml"]), &mut bad);
        let waiting = asks(&project, false);
        asked += waiting.len();
        refused += TEXTS - waiting.len();
        for args in [
            &["approvals"][..],
            &["approvals", "--all"],
            &["status"],
            &["why"],
            &["events"],
            &["summary"],
            &["logs"],
            &["runs"],
        ] {
            let done = project.run(args);
            assert_eq!(done.code(), 0, "{done}");
            inert(&done, &mut bad);
            shown += 1;
        }
        for ask in &waiting {
            let id = text(&ask["id"]);
            let done = match ask["about"] == "question" {
                true => project.run(&["answer", &id, "no such answer"]),
                false => project.run(&["approve", &id]),
            };
            assert!([0, 2].contains(&done.code()), "{done}");
            inert(&done, &mut bad);
            shown += 1;
        }
        inert(&project.run(&["resume"]), &mut bad);
        // Some were not put to people before: only so many are at once.
        while name != "question" && name != "choice" && !open(&project).is_empty() {
            for id in open(&project) {
                inert(&project.run(&["approve", &id]), &mut bad);
            }
            inert(&project.run(&["resume"]), &mut bad);
        }
    }
    println!(
        "{} hidden texts: {refused} refused, {asked} asked about; {shown} screens, {} that act",
        5 * TEXTS,
        bad.len()
    );
    bad.truncate(20);
    assert!(bad.is_empty(), "{bad:#?}");
}
