//! Projects in which people are asked, and what a test looks at in them.

use crate::harness::{Project, Recorder, Running};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

/// Each execution leaves a line: its last argument.
const SCRIPT: &str = "echo $1 >> marks.txt";

/// Two commands that leave a mark, one with and one without an approval; a directory; questions; charges.
pub(super) const POLICY: &str = r#"[policy]
question = true
charge = { approval = "required" }
files = [{ host = "work", guest = "/desk", mode = "write" }]
exec = [
    { name = "mark", program = "sh", args = ["-c", "echo $1 >> marks.txt", "mark", "{n:word}"], cwd = "/desk", approval = "required" },
    { name = "free", program = "sh", args = ["-c", "echo $1 >> marks.txt", "free", "{n:word}"], cwd = "/desk", approval = "none" },
]
"#;

/// A project of this policy and workflow. `guest`, `gate` and `planner` are told what to do; `fake` needs nobody.
pub(super) fn project(policy: &str, workflow: &str) -> Project {
    let project = Project::new(&[
        ("sandgate.toml", &toml(policy)),
        ("w.toml", workflow),
        ("work/here.txt", "here\n"),
    ]);
    project.write("g.wasm", sandgate_test_guests::people_agent());
    project.write("gate.wasm", sandgate_test_guests::people_gate());
    project.write("planner.wasm", sandgate_test_guests::people_planner());
    project
}

/// `sandgate.toml` with this policy.
pub(super) fn toml(policy: &str) -> String {
    format!(
        "[project]\nname = \"t\"\n\n[plugins]\nfake = \"builtin:agent-fake\"\nguest = {{ path = \"g.wasm\" }}\n\
         gate = {{ path = \"gate.wasm\" }}\nplanner = {{ path = \"planner.wasm\" }}\n\n{policy}\n"
    )
}

/// A workflow of these parts.
pub(super) fn workflow(parts: &[&str]) -> String {
    format!("name = \"w\"\ngoal = \"Ask\"\n\n{}\n", parts.join("\n"))
}

/// A task of the guest that does these steps.
pub(super) fn task(id: &str, more: &str, steps: &[String]) -> String {
    format!(
        "[[task]]\nid = \"{id}\"\nagent = \"guest\"\n{more}\ninput = {{ act = \"effects\", stop = true, steps = [{}] }}\n",
        steps.join(", ")
    )
}

/// A task that needs nobody and leaves no mark.
pub(super) fn fake(id: &str, more: &str) -> String {
    format!("[[task]]\nid = \"{id}\"\nagent = \"fake\"\ninput = {{}}\n{more}\n")
}

fn command(rule: &str, word: &str) -> String {
    format!(
        "{{ do = \"command\", program = \"sh\", args = [\"-c\", \"{SCRIPT}\", \"{rule}\", \"{word}\"], cwd = \"/desk\" }}"
    )
}

/// A step that leaves a mark when somebody agrees.
pub(super) fn mark(word: &str) -> String {
    command("mark", word)
}

/// A step that leaves a mark without asking.
pub(super) fn free(word: &str) -> String {
    command("free", word)
}

/// A step that asks a question.
pub(super) fn question(text: &str, more: &str) -> String {
    format!("{{ do = \"question\", text = \"{text}\"{more} }}")
}

/// What was executed, in order.
pub(super) fn marks(project: &Project) -> Vec<String> {
    let text = fs::read_to_string(project.dir().join("work/marks.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Marks that are there more than once.
pub(super) fn twice(project: &Project) -> Vec<String> {
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    for mark in marks(project) {
        *count.entry(mark).or_default() += 1;
    }
    count
        .into_iter()
        .filter(|(_, n)| *n > 1)
        .map(|(mark, n)| format!("{mark} x {n}"))
        .collect()
}

/// Requests to people: those that wait, or with `all` every one.
pub(super) fn asks(project: &Project, all: bool) -> Vec<Value> {
    let mut args = vec!["approvals", "--format", "json"];
    if all {
        args.push("--all");
    }
    let list = project.run(&args).expect(0).json();
    ["plans", "approvals", "questions"]
        .into_iter()
        .flat_map(|kind| list[kind].as_array().cloned().unwrap_or_default())
        .collect()
}

/// The ids of the requests that wait.
pub(super) fn open(project: &Project) -> Vec<String> {
    asks(project, false)
        .iter()
        .map(|a| text(&a["id"]))
        .collect()
}

/// The only request that waits.
#[track_caller]
pub(super) fn only(project: &Project) -> Value {
    let mut open = asks(project, false);
    assert_eq!(open.len(), 1, "{open:#?}");
    open.pop().unwrap()
}

/// Its id.
#[track_caller]
pub(super) fn only_id(project: &Project) -> String {
    text(&only(project)["id"])
}

/// A JSON text.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Waits until so many requests wait.
#[track_caller]
pub(super) fn wait_open(running: &mut Running, project: &Project, count: usize) {
    running.wait_until(&format!("{count} requests"), |_| {
        open(project).len() == count
    });
}

/// Waits until something holds.
#[track_caller]
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// A task of the latest run, as the summary has it.
pub(super) fn task_of(project: &Project, id: &str) -> Value {
    let summary = project.run(&["summary", "--format", "json"]).json();
    let tasks = summary["tasks"].as_array().cloned().unwrap_or_default();
    tasks
        .into_iter()
        .find(|t| t["id"] == id)
        .unwrap_or_else(|| panic!("no task {id}: {summary:#}"))
}

/// The state of the latest run.
pub(super) fn state(project: &Project) -> String {
    text(&project.run(&["summary", "--format", "json"]).json()["state"])
}

/// What a task said.
pub(super) fn output(project: &Project, task: &str) -> String {
    project
        .run(&["summary", "--task-output", task])
        .expect(0)
        .stdout
}

/// The events of the latest run.
pub(super) fn events(project: &Project) -> Vec<Value> {
    let done = project.run(&["events", "--format", "json"]).expect(0);
    done.json_lines()
        .iter()
        .map(|e| e["event"].clone())
        .collect()
}

/// How many events of a kind.
pub(super) fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|e| e["type"] == kind).count()
}

/// Policy lines by which the guest may send requests to this server; each is approved.
pub(super) fn http_policy(web: &Recorder) -> String {
    format!(
        "[policy]\nhttp = [{{ allow = \"{}/*\", methods = [\"GET\", \"POST\"], approval = \"required\" }}]\n",
        web.origin()
    )
}

/// Principals `ada` (lead, ops), `bob` (ops) and `eve` (no role), whose tokens are their names, and the user of this
/// machine, who has no role either.
pub(super) fn principals() -> String {
    let digest = |token: &str| {
        let done = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {token} | sha256sum | cut -c1-64")])
            .output()
            .unwrap();
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let user = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    format!(
        "\n[[principal]]\nname = \"ada\"\nroles = [\"lead\", \"ops\"]\ntoken = \"sha256:{}\"\n\
         \n[[principal]]\nname = \"bob\"\nroles = [\"ops\"]\ntoken = \"sha256:{}\"\n\
         \n[[principal]]\nname = \"eve\"\ntoken = \"sha256:{}\"\n\
         \n[[principal]]\nname = \"machine\"\nuser = \"{}\"\n",
        digest("ada"),
        digest("bob"),
        digest("eve"),
        user.trim()
    )
}

/// Runs a command as one of them.
pub(super) fn as_who(project: &Project, token: &str, args: &[&str]) -> crate::harness::Done {
    let mut command = project.command(args);
    command.env("SANDGATE_TOKEN", token);
    project
        .start_command(command, &format!("{token}: sandgate {}", args.join(" ")))
        .finish()
}

/// An approval rule.
pub(super) fn rule(name: &str, on: &str, more: &str) -> String {
    format!("[[approval]]\nname = \"{name}\"\non = [\"{on}\"]\n{more}\n")
}

/// A Python that contained commands can start.
pub(super) fn python() -> String {
    ["/usr/bin/python3", "/usr/local/bin/python3"]
        .into_iter()
        .find(|path| fs::metadata(path).is_ok())
        .unwrap_or("python3")
        .to_owned()
}
