//! Work that waits keeps its place: its directories, its session, its time; and whatever it is, an instance of many, a
//! session that is being opened, a second attempt.

use super::kit::{
    POLICY, asks, count, events, free, mark, marks, only_id, open, output, project, question, task,
    text, twice, workflow,
};
use std::{fs, thread::sleep, time::Duration};

/// Time in which a person thinks does not count for the deadline of an attempt.
#[test]
fn a_person_may_take_longer_than_the_attempt() {
    let project = project(
        POLICY,
        &workflow(&[&task(
            "t",
            "timeout = \"1s\"",
            &[free("a"), mark("b"), free("c")],
        )]),
    );
    let owner = project.start(&["run", "w.toml", "--wait"]);
    super::kit::eventually("the request", || open(&project).len() == 1);
    sleep(Duration::from_millis(1_800));
    project.run(&["approve", &only_id(&project)]).expect(0);
    owner.finish().expect(0);
    assert_eq!(marks(&project), ["a", "b", "c"]);
}

/// In a copy of its own, whatever happens to the host as soon as the question is there.
#[test]
fn a_copy_of_the_project_is_there_afterwards() {
    let policy = "[policy]\nquestion = true\nfiles = [{ host = \".\", guest = \"/project\", mode = \"write\" }]\n";
    let step = |verb: &str, word: &str| {
        format!("{{ do = \"{verb}\", path = \"/project/notes.txt\", text = \"{word}\" }}")
    };
    let flow = workflow(&[&task(
        "t",
        "workspace = \"clone\"",
        &[
            step("append", "before"),
            question("go on?", ""),
            step("append", "after"),
            step("read", ""),
        ],
    )]);
    let mut wrong = Vec::new();
    for round in 0..12 {
        let project = project(policy, &flow);
        let mut owner = project.start(&["run", "w.toml", "--wait"]);
        owner.wait_until("the question", |_| open(&project).len() == 1);
        let end = ["KILL", "INT", "KILL", "none"][round % 4];
        if end != "none" {
            owner.signal(end);
            drop(owner.finish());
        }
        // Somebody changes the original meanwhile.
        fs::write(project.dir().join("notes.txt"), "of another\n").unwrap();
        let done = project.run(&["answer", &only_id(&project), "yes", "--drive"]);
        super::kit::eventually("the end", || super::kit::state(&project) != "running");
        if done.code() != 0 || super::kit::state(&project) != "verified" {
            wrong.push(format!("{end}: {done}"));
            continue;
        }
        let said = output(&project, "t");
        assert!(said.contains("before\\nafter"), "{said}");
        let original = fs::read_to_string(project.dir().join("notes.txt")).unwrap();
        assert_eq!(original, "of another\n");
    }
    println!(
        "12 hosts that ended as soon as a question was there: {} runs that did not go on",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_of_many_waits_for_itself() {
    let steps = [
        free("a{{ index }}"),
        mark("b{{ index }}"),
        free("c{{ index }}"),
    ];
    let project = project(
        POLICY,
        &workflow(&[&task("t", "for_each = \"range(4)\"", &steps)]),
    );
    project.run(&["run", "w.toml"]).expect(4);
    assert_eq!(open(&project).len(), 4);
    let ids = open(&project);
    project.run(&["approve", &ids[2], "--drive"]).expect(4);
    project.run(&["reject", &ids[1]]).expect(0);
    project.run(&["approve", &ids[0], &ids[3], "--drive"]);
    assert_eq!(twice(&project), [""; 0]);
    let mut seen = marks(&project);
    seen.sort();
    assert_eq!(seen.iter().filter(|m| m.starts_with('a')).count(), 4);
    assert_eq!(seen.iter().filter(|m| m.starts_with('b')).count(), 3);
    assert_eq!(
        seen.iter().filter(|m| m.starts_with('c')).count(),
        3,
        "{seen:?}"
    );
}

/// What lives on from task to task cannot be dropped and restored: that is said before anything happens.
#[test]
fn a_pinned_session_is_told_that_it_cannot_wait() {
    let more = "session = { pinned = \"s\" }";
    let project = project(
        POLICY,
        &workflow(&[&task("a", more, &[free("a1"), mark("a2")])]),
    );
    let done = project.run(&["run", "w.toml"]).expect(5);
    assert!(done.stdout.contains("pinned session"), "{done}");
    assert_eq!(marks(&project), [""; 0]);
}

#[test]
fn a_session_that_is_being_opened_waits_too() {
    let project = project(
        POLICY,
        &workflow(&[&task(
            "t",
            &format!(
                "config = {{ act = \"effects\", steps = [{}, {}, {}] }}",
                free("o1"),
                mark("o2"),
                free("o3")
            ),
            &[free("r1"), mark("r2")],
        )]),
    );
    project.run(&["run", "w.toml"]).expect(4);
    assert_eq!(marks(&project), ["o1"]);
    project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(4);
    assert_eq!(marks(&project), ["o1", "o2", "o3", "r1"]);
    project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(marks(&project), ["o1", "o2", "o3", "r1", "r2"]);
}

/// The default of a question that nobody answers in time, whether somebody drives or not.
#[test]
fn a_question_has_a_default() {
    let ask = question("Colour?", ", default = \"red\", timeout_ms = 700");
    let step = "{ do = \"append\", path = \"/desk/told.txt\", text = \"{last}\" }".to_owned();
    let flow = workflow(&[&task("t", "", &[ask, step])]);
    for driven in [true, false] {
        let project = project(POLICY, &flow);
        match driven {
            true => drop(project.run(&["run", "w.toml", "--wait"]).expect(0)),
            false => {
                project.run(&["run", "w.toml"]).expect(4);
                let id = only_id(&project);
                sleep(Duration::from_millis(900));
                let late = project.run(&["answer", &id, "blue"]);
                assert_eq!(late.code(), 2, "{late}");
                project.run(&["resume"]).expect(0);
            }
        }
        let told = fs::read_to_string(project.dir().join("work/told.txt")).unwrap();
        assert_eq!(told, "red\n");
    }
}

/// The same request again and again is put to people once each time, and no more than is allowed.
#[test]
fn a_guest_that_does_not_stop_asking_is_stopped() {
    let flow = workflow(&[
        "[[task]]\nid = \"t\"\nagent = \"guest\"\ninput = { act = \"loop-question\", text = \"again?\", count = 1000 }\n",
    ]);
    let project = project(POLICY, &flow);
    let mut done = project.run(&["run", "w.toml"]);
    let mut rounds = 0;
    while done.code() == 4 && rounds < 40 {
        assert_eq!(asks(&project, false).len(), 1);
        done = project.run(&["answer", &only_id(&project), "yes", "--drive"]);
        rounds += 1;
    }
    let seen = events(&project);
    println!(
        "a guest that asks a thousand times: {rounds} answered, {} events, ended with {}",
        seen.len(),
        done.code()
    );
    // A cancel is always to be had.
    if done.code() == 4 {
        project.run(&["cancel"]).expect(0);
    }
    assert_eq!(count(&seen, "answered"), rounds);
    assert!(seen.len() < rounds * 4 + 20, "{} events", seen.len());
    let bytes: u64 = fs::read_dir(project.dir().join(".sandgate"))
        .unwrap()
        .flatten()
        .filter(|e| text(&e.file_name().to_string_lossy().into()).starts_with("journal"))
        .map(|e| e.metadata().unwrap().len())
        .sum();
    assert!(bytes < 4 << 20, "{bytes} bytes of journal");
}
