//! Calls that wait for a person in the middle of a piece of work: every kind, said yes and no to; what came before is not
//! repeated, and nobody else waits for them.

use super::kit::{
    POLICY, asks, count, events, free, http_policy, mark, marks, only, only_id, open, output,
    project, question, rule, state, task, task_of, text, twice, wait_open, workflow,
};
use crate::harness::{Project, Recorder};
use sandgate_test_llm::LlmServer;

/// A run of one task with these steps, which waits.
fn waiting(policy: &str, steps: &[String]) -> Project {
    let project = project(policy, &workflow(&[&task("t", "", steps)]));
    project.run(&["run", "w.toml"]).expect(4);
    project
}

/// A guest that heard a no of a person.
#[track_caller]
fn heard_no(project: &Project) {
    let said = output(project, "t").to_lowercase().replace('-', "");
    assert!(
        said.contains("notapproved") || said.contains("denied"),
        "{said}"
    );
}

#[test]
fn a_command_runs_after_the_yes_and_not_before() {
    let project = waiting(POLICY, &[free("before"), mark("asked"), free("after")]);
    assert_eq!(marks(&project), ["before"]);
    let ask = only(&project);
    assert_eq!(
        (text(&ask["about"]), text(&ask["kind"])),
        ("call".into(), "exec".into())
    );
    let seen = events(&project);
    assert_eq!(count(&seen, "suspended"), 1);
    assert_eq!(count(&seen, "call-started"), 1);
    // Nobody drives: the decision is recorded, and `resume` goes on.
    let done = project.run(&["approve", &text(&ask["id"])]).expect(0);
    drop(done.says(&["sandgate resume"]));
    assert_eq!(marks(&project), ["before"]);
    project.run(&["resume"]).expect(0);
    assert_eq!(marks(&project), ["before", "asked", "after"]);
    let seen = events(&project);
    assert_eq!(count(&seen, "call-started"), 3);
    assert_eq!(count(&seen, "attempt-started"), 1);
    assert_eq!(count(&seen, "attempt-resumed"), 1);
    let consent = seen
        .iter()
        .filter(|e| e["type"] == "call-started" && !e["request"]["consent"].is_null())
        .count();
    assert_eq!(consent, 1, "{seen:#?}");
}

#[test]
fn a_no_is_heard_by_the_guest() {
    let policy = POLICY;
    // Without `stop` the guest goes on after the no.
    let steps = [free("before"), mark("asked"), free("after")];
    let flow = workflow(&[&task("t", "", &steps)]).replace("stop = true, ", "");
    let project = project(policy, &flow);
    project.run(&["run", "w.toml"]).expect(4);
    let id = only_id(&project);
    project
        .run(&["reject", &id, "--reason", "not today"])
        .expect(0);
    project.run(&["resume"]).expect(0);
    assert_eq!(marks(&project), ["before", "after"]);
    heard_no(&project);
}

#[test]
fn a_request_leaves_after_the_yes_as_it_was_shown() {
    let web = Recorder::start();
    let post = format!(
        "{{ do = \"post\", url = \"{}/v1/send\", text = \"the body\" }}",
        web.origin()
    );
    let project = waiting(&http_policy(&web), std::slice::from_ref(&post));
    assert_eq!(web.seen().len(), 0);
    let id = only_id(&project);
    let done = project.run(&["approve", &id, "--drive"]).expect(0);
    // Whoever approves sees where it goes, and the body.
    let done = done.says(&["/v1/send", "the body"]);
    drop(done);
    let seen = web.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].starts_with("POST /v1/send "), "{seen:?}");
    assert!(seen[0].contains("the body"), "{seen:?}");
    // The twin: a no.
    let project = waiting(&http_policy(&web), &[post]);
    project
        .run(&["reject", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(web.seen().len(), 1);
    heard_no(&project);
}

#[test]
fn a_model_is_used_after_the_yes() {
    let server = LlmServer::start(None).unwrap();
    let policy = format!(
        "[policy]\nmodel = [{{ provider = \"local\", models = [\"*\"], approval = \"required\" }}]\n\n\
         [providers.local]\nkind = \"openai\"\nurl = \"{}\"\nprices = {{ \"*\" = {{ input = 1, output = 2 }} }}\n\n\
         [budget]\nlimit = 1.00\n",
        server.openai()
    );
    let step = "{ do = \"generate\", model = \"local/echo\", text = \"say this\" }".to_owned();
    let project = waiting(&policy, std::slice::from_ref(&step));
    assert_eq!(server.seen().len(), 0);
    let done = project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(0);
    drop(done.says(&["say this"]));
    assert_eq!(server.seen().len(), 1);
    assert!(output(&project, "t").contains("say this"));
    let project = waiting(&policy, &[step]);
    project
        .run(&["reject", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(server.seen().len(), 1);
    heard_no(&project);
}

#[test]
fn a_charge_counts_after_the_yes() {
    let policy = format!("{POLICY}\n[budget]\nlimit = 1.00\n");
    let step = "{ do = \"charge\", what = \"a stamp\", micros = 5000 }".to_owned();
    let spent = |project: &Project| {
        let summary = project.run(&["summary", "--format", "json"]).json();
        summary["spent"]["micros"].as_u64().unwrap_or(0)
    };
    let project = waiting(&policy, std::slice::from_ref(&step));
    assert_eq!(spent(&project), 0);
    let done = project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(0);
    drop(done.says(&["a stamp"]));
    assert_eq!(spent(&project), 5000);
    let project = waiting(&policy, &[step]);
    project
        .run(&["reject", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(spent(&project), 0);
    heard_no(&project);
}

#[test]
fn a_question_is_answered_once() {
    let ask = question("Which colour?", ", choices = [\"red\", \"blue\"]");
    let step = "{ do = \"append\", path = \"/desk/told.txt\", text = \"{last}\" }".to_owned();
    let project = waiting(POLICY, &[free("before"), ask, step]);
    let row = only(&project);
    assert_eq!(text(&row["question"]["text"]), "Which colour?");
    let list = project.run(&["approvals"]).expect(0);
    assert!(list.stdout.contains("awaiting response"), "{list}");
    let id = text(&row["id"]);
    // It is answered, not approved, and with one of the choices.
    project.run(&["approve", &id]).expect(2);
    project.run(&["answer", &id, "green"]).expect(2);
    project.run(&["answer", &id, "blue", "--drive"]).expect(0);
    let told = std::fs::read_to_string(project.dir().join("work/told.txt")).unwrap();
    assert_eq!(told, "blue\n");
    project.run(&["answer", &id, "red"]).expect(2);
    assert_eq!(marks(&project), ["before"]);
}

#[test]
fn an_approval_for_the_run_is_exact_and_can_be_taken_back() {
    let project = waiting(
        POLICY,
        &[
            mark("same"),
            mark("same"),
            mark("other"),
            question("go on?", ""),
            mark("same"),
        ],
    );
    let id = only_id(&project);
    let first = project
        .run(&["approve", &id, "--for-run", "--drive"])
        .expect(4);
    // Two of the same; the other one is asked about.
    assert_eq!(marks(&project), ["same", "same"], "{first}");
    let standing = project
        .run(&["approvals", "--standing", "--format", "json"])
        .expect(0);
    assert_eq!(standing.json()["standing"].as_array().unwrap().len(), 1);
    project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(4);
    assert_eq!(marks(&project), ["same", "same", "other"]);
    let asked = only(&project);
    assert_eq!(asked["about"], "question");
    project
        .run(&["approvals", "--revoke", &id, "--reason", "enough"])
        .expect(0);
    project
        .run(&["answer", &text(&asked["id"]), "yes", "--drive"])
        .expect(4);
    // Taken back: it is asked about again.
    assert_eq!(marks(&project), ["same", "same", "other"]);
    let last = only_id(&project);
    assert_ne!(last, id);
    project.run(&["approve", &last, "--drive"]).expect(0);
    assert_eq!(marks(&project), ["same", "same", "other", "same"]);
    assert_eq!(count(&events(&project), "revoked"), 1);
}

/// The same command of another task is another thing, whatever stands.
#[test]
fn an_approval_for_the_run_is_for_its_task() {
    let project = project(
        POLICY,
        &workflow(&[
            &task("a", "", &[mark("same")]),
            &task("b", "needs = [\"a\"]", &[mark("same")]),
        ]),
    );
    project.run(&["run", "w.toml"]).expect(4);
    project
        .run(&["approve", &only_id(&project), "--for-run", "--drive"])
        .expect(4);
    assert_eq!(marks(&project), ["same"]);
    assert_eq!(only(&project)["task"], "b");
}

#[test]
fn a_task_over_the_budget_asks() {
    let charge = ["{ do = \"charge\", what = \"it\", micros = 7000 }".to_owned()];
    let flow = format!(
        "name = \"w\"\ngoal = \"Ask\"\n\n[budget]\nlimit = 0.010\nover = \"ask\"\n\n{}{}",
        task("s", "budget = 0.008", &charge),
        task("t", "needs = [\"s\"]\nbudget = 0.008", &charge),
    );
    let policy = format!(
        "{}\n[budget]\nlimit = 1.00\n",
        POLICY.replace("charge = { approval = \"required\" }", "charge = true")
    );
    let spent = |project: &Project| {
        let summary = project.run(&["summary", "--format", "json"]).json();
        summary["spent"]["micros"].as_u64().unwrap_or(0)
    };
    let waiting = || {
        let project = project(&policy, &flow);
        project.run(&["run", "w.toml"]).expect(4);
        assert_eq!(only(&project)["about"], "budget");
        assert_eq!(spent(&project), 7000);
        project
    };
    let project = waiting();
    project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(spent(&project), 14_000);
    let project = waiting();
    project.run(&["reject", &only_id(&project)]).expect(0);
    project.run(&["resume"]);
    assert_eq!(task_of(&project, "t")["state"], "failed");
    assert_eq!(spent(&project), 7000);
}

/// What was sent and executed before the wait is not sent and executed again, whoever goes on.
#[test]
fn earlier_effects_are_not_repeated() {
    let web = Recorder::start();
    let policy = format!(
        "{POLICY}http = [{{ allow = \"{}/*\", methods = [\"GET\"] }}]\n",
        web.origin()
    );
    let get = |n: u32| format!("{{ do = \"get\", url = \"{}/v1/{n}\" }}", web.origin());
    let append =
        |n: u32| format!("{{ do = \"append\", path = \"/desk/own.txt\", text = \"{n}\" }}");
    let project = waiting(
        &policy,
        &[
            get(1),
            free("a"),
            append(1),
            "{ do = \"clock\" }".into(),
            "{ do = \"random\" }".into(),
            mark("b"),
            get(2),
            append(2),
            mark("c"),
            get(3),
            free("d"),
            append(3),
        ],
    );
    let own = || std::fs::read_to_string(project.dir().join("work/own.txt")).unwrap_or_default();
    for _ in 0..2 {
        project.run(&["resume"]).expect(4);
    }
    assert_eq!((web.seen().len(), marks(&project).len()), (1, 1));
    assert_eq!(own(), "1\n");
    project.run(&["approve", &only_id(&project)]).expect(0);
    project.run(&["resume"]).expect(4);
    assert_eq!((web.seen().len(), marks(&project).len()), (2, 2));
    assert_eq!(own(), "1\n2\n");
    project.run(&["approve", &only_id(&project)]).expect(0);
    project.run(&["resume"]).expect(0);
    assert_eq!(marks(&project), ["a", "b", "c", "d"]);
    assert_eq!(web.seen().len(), 3);
    assert_eq!(own(), "1\n2\n3\n");
    println!("2 suspensions, 9 effects, 0 repeated");
}

#[test]
fn others_go_on_while_some_wait() {
    for concurrency in [1, 3] {
        let flow = format!(
            "name = \"w\"\ngoal = \"Ask\"\nconcurrency = {concurrency}\n\n{}{}{}{}",
            task("a", "priority = 2", &[mark("a")]),
            task("b", "priority = 1", &[mark("b")]),
            task("c", "", &[free("c1"), free("c2")]),
            task("d", "needs = [\"c\"]", &[free("d")]),
        );
        let project = project(POLICY, &flow);
        let mut owner = project.start(&["run", "w.toml", "--wait"]);
        owner.wait_until("the third task", |_| marks(&project).len() == 3);
        wait_open(&mut owner, &project, 2);
        assert_eq!(marks(&project), ["c1", "c2", "d"]);
        let ids = open(&project);
        project.run(&["approve", &ids[1]]).expect(0);
        owner.wait_until("the second", |_| marks(&project).len() == 4);
        project.run(&["approve", &ids[0]]).expect(0);
        owner.finish().expect(0);
        let mut all = marks(&project);
        all.sort();
        assert_eq!(all, ["a", "b", "c1", "c2", "d"]);
    }
}

#[test]
fn a_gate_and_a_planner_wait_too() {
    let gate = format!(
        "[[task]]\nid = \"f\"\nagent = \"fake\"\ninput = {{}}\n\n[[gate]]\nid = \"door\"\nuse = \"gate\"\n\
         config = {{ act = \"effects\", steps = [{}, {}, {}] }}\n",
        free("g1"),
        mark("g2"),
        free("g3")
    );
    let planner = format!(
        "[planner]\nuse = \"planner\"\nconfig = {{ act = \"effects\", steps = [{}, {}, {}] }}\n",
        free("g1"),
        mark("g2"),
        free("g3")
    );
    for part in [gate, planner] {
        let project = project(POLICY, &workflow(&[&part]));
        project.run(&["run", "w.toml"]).expect(4);
        assert_eq!(marks(&project), ["g1"]);
        project.run(&["approve", &only_id(&project)]).expect(0);
        project.run(&["resume"]).expect(0);
        assert_eq!(marks(&project), ["g1", "g2", "g3"], "{part}");
        assert_eq!(state(&project), "verified");
    }
}

/// Rules about uses apply to calls that the policy lets pass.
#[test]
fn a_rule_of_the_workflow_asks_where_the_policy_does_not() {
    let project = project(
        POLICY,
        &workflow(&[
            &rule("all-commands", "exec", ""),
            &task("t", "", &[free("a")]),
        ]),
    );
    project.run(&["run", "w.toml"]).expect(4);
    assert_eq!(marks(&project), [""; 0]);
    project
        .run(&["approve", &only_id(&project), "--drive"])
        .expect(0);
    assert_eq!(marks(&project), ["a"]);
}

#[test]
fn all_at_once_in_one_act() {
    let tasks: Vec<String> = (0..12)
        .map(|n| task(&format!("t{n}"), "", &[mark(&format!("m{n}"))]))
        .collect();
    let parts: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let project = project(POLICY, &workflow(&parts));
    project.run(&["run", "w.toml"]).expect(4);
    assert_eq!(asks(&project, false).len(), 12);
    project.run(&["approve", "--all", "--drive"]).expect(0);
    assert_eq!(marks(&project).len(), 12);
    assert_eq!(twice(&project), [""; 0]);
    assert_eq!(task_of(&project, "t3")["state"], "succeeded");
}
