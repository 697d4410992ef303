//! Each capability through the whole product, with its twin: granted it works and is accounted for, not granted nothing
//! happens and the message says what would allow it.

use crate::harness::{Done, Project};
use sandgate_test_llm::LlmServer;
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

/// A secret that must be nowhere but in the header of one request.
const CANARY: &str = "canary-7f3a9b1c5d";

/// An HTTP server that answers everything alike, and keeps the heads of the requests.
struct Web {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0; 1];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                kept.lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&head).into_owned());
                let _gone = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
                );
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A project with one guest and these policy lines; one task does `input`.
fn one(guest: &[u8], policy: &str, input: &str, more: &str) -> Project {
    let project = Project::new(&[
        (
            "sandgate.toml",
            &format!(
                "[project]\nname = \"t\"\n\n[plugins]\nguest = {{ path = \"g.wasm\" }}\nrun = \"builtin:agent-command\"\n\n{policy}\n"
            ),
        ),
        (
            "w.toml",
            &format!(
                "name = \"w\"\ngoal = \"Try\"\n\n[[task]]\nid = \"t\"\nagent = \"guest\"\ninput = {input}\n{more}\n"
            ),
        ),
    ]);
    project.write("g.wasm", guest);
    project
}

fn events(project: &Project) -> Vec<Value> {
    let done = project.run(&["events", "--format", "json"]).expect(0);
    done.json_lines()
}

/// Events of a kind.
fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|e| e["event"]["type"] == kind)
        .collect()
}

/// Whether standard output holds these texts.
#[track_caller]
fn shows(done: Done, texts: &[&str]) {
    for text in texts {
        assert!(
            done.stdout.contains(text),
            "{text:?} is not shown by {done}"
        );
    }
}

fn output(project: &Project, task: &str) -> String {
    let done = project.run(&["summary", "--task-output", task]).expect(0);
    done.stdout
}

#[test]
fn a_request_leaves_only_where_a_rule_lets_it_and_is_accounted_for() {
    let web = Web::start();
    let url = format!("http://127.0.0.1:{}/v1/items", web.port);
    let input = format!("{{ act = \"get\", url = \"{url}\" }}");
    let allow = format!(
        "[policy]\nhttp = [{{ allow = \"http://127.0.0.1:{0}/v1/*\", methods = [\"GET\"] }}]\n\
         secrets = [{{ name = \"UNUSED\", from = \"env\", to = \"http://127.0.0.1:{0}\" }}]",
        web.port
    );
    let project = one(sandgate_test_guests::net_agent(), &allow, &input, "");
    project.run(&["run", "w.toml"]).expect(0);
    assert_eq!(web.heads().len(), 1);
    assert!(output(&project, "t").contains("200"));
    let events = events(&project);
    let (started, ended) = (of(&events, "call-started"), of(&events, "call-ended"));
    assert_eq!((started.len(), ended.len()), (1, 1), "{events:#?}");
    assert_eq!(started[0]["event"]["request"]["rule"], "sandgate.toml:9");
    assert_eq!(ended[0]["event"]["end"]["end"], "done");

    // The twin: another path, another port, no rule at all.
    for policy in [
        allow.replace("/v1/*", "/v2/*"),
        allow.replace(&web.port.to_string(), "9"),
    ] {
        let project = one(sandgate_test_guests::net_agent(), &policy, &input, "");
        project.run(&["run", "w.toml"]);
        let events = self::events(&project);
        assert!(of(&events, "call-started").is_empty());
        let refused = of(&events, "call-refused");
        assert_eq!(refused.len(), 1, "{events:#?}");
        let why = refused[0]["event"]["reason"].as_str().unwrap();
        assert!(why.contains("allow = \"http://127.0.0.1"), "{why}");
    }
    let project = one(sandgate_test_guests::net_agent(), "", &input, "");
    project
        .run(&["run", "w.toml"])
        .expect(5)
        .says(&["http = ["]);
    assert_eq!(web.heads().len(), 1, "nothing else left");
}

#[test]
fn a_secret_reaches_its_origin_and_nothing_else() {
    let (web, other) = (Web::start(), Web::start());
    let policy = format!(
        "[policy]\nhttp = [{{ allow = \"http://127.0.0.1:{0}/*\", methods = [\"GET\"] }}, {{ allow = \"http://127.0.0.1:{1}/*\", methods = [\"GET\"] }}]\n\
         secrets = [{{ name = \"API_TOKEN\", from = \"env\", to = \"http://127.0.0.1:{0}\" }}]",
        web.port, other.port
    );
    let run = |port: u16| {
        let input = format!(
            "{{ act = \"get\", url = \"http://127.0.0.1:{port}/x\", authorization = \"Bearer {{secret:API_TOKEN}}\" }}"
        );
        let project = one(sandgate_test_guests::net_agent(), &policy, &input, "");
        let mut command = project.command(&["run", "w.toml"]);
        command.env("API_TOKEN", CANARY);
        let done = project.start_command(command, "run with a secret").finish();
        (project, done)
    };
    let (project, done) = run(web.port);
    let done = done.expect(0);
    let heads = web.heads();
    assert!(
        heads[0].contains(&format!("authorization: Bearer {CANARY}")),
        "{heads:?}"
    );
    assert_eq!(found(project.temp(), CANARY), Vec::<String>::new());
    assert!(!done.stdout.contains(CANARY) && !done.stderr.contains(CANARY));
    // To the other origin nothing goes, not even without the secret.
    let (project, _) = run(other.port);
    assert!(other.heads().is_empty(), "{:?}", other.heads());
    assert_eq!(found(project.temp(), CANARY), Vec::<String>::new());
}

/// Files below `dir` that hold `text`.
fn found(dir: &Path, text: &str) -> Vec<String> {
    let mut hits = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            hits.extend(found(&path, text));
        } else if let Ok(bytes) = fs::read(&path)
            && bytes.windows(text.len()).any(|w| w == text.as_bytes())
        {
            hits.push(path.display().to_string());
        }
    }
    hits
}

/// A project whose task runs a command.
fn command_project(policy: &str, task: &str) -> Project {
    Project::new(&[
        (
            "sandgate.toml",
            &format!(
                "[project]\nname = \"t\"\n\n[plugins]\nrun = \"builtin:agent-command\"\n\n{policy}\n"
            ),
        ),
        (
            "w.toml",
            &format!(
                "name = \"w\"\ngoal = \"Run\"\n\n[[task]]\nid = \"t\"\nagent = \"run\"\n{task}\n"
            ),
        ),
        ("work/a.txt", "one\n"),
    ])
}

const WORK: &str = "files = [{ host = \"work\", guest = \"/work\", mode = \"write\" }]";

#[test]
fn a_command_runs_as_its_rule_says_and_writes_only_its_directories() {
    let policy = format!(
        "[policy]\n{WORK}\nexec = [{{ program = \"sh\", args = [\"-c\", \"echo hi > in.txt; echo no > ../out.txt; echo no > /tmp/sandgate-canary; cat a.txt\"], approval = \"none\" }}]"
    );
    let run = "input = { program = \"sh\", args = [\"-c\", \"echo hi > in.txt; echo no > ../out.txt; echo no > /tmp/sandgate-canary; cat a.txt\"] }";
    let project = command_project(&policy, run);
    project.run(&["run", "w.toml"]).expect(0);
    assert!(
        output(&project, "t").contains("one"),
        "{}",
        output(&project, "t")
    );
    assert_eq!(
        fs::read_to_string(project.dir().join("work/in.txt")).unwrap(),
        "hi\n"
    );
    assert!(!project.dir().join("out.txt").exists());
    assert!(!Path::new("/tmp/sandgate-canary").exists());
    // The twins: other arguments, and a rule that wants an approval.
    let other = run.replace("cat a.txt", "cat b.txt");
    let project = command_project(&policy, &other);
    project.run(&["run", "w.toml"]);
    let seen = events(&project);
    assert!(of(&seen, "call-started").is_empty());
    assert_eq!(of(&seen, "call-refused").len(), 1, "{seen:#?}");
    let asks = policy.replace("approval = \"none\"", "approval = \"required\"");
    let project = command_project(&asks, run);
    let done = project.run(&["run", "w.toml"]);
    assert_eq!(done.code(), 4, "{done}");
    let seen = events(&project);
    assert!(of(&seen, "call-started").is_empty());
    let waits = &of(&seen, "suspended")[0]["event"];
    assert_eq!(waits["ask"]["about"], "call", "{waits}");
    assert!(!project.dir().join("work/in.txt").exists());
}

#[test]
fn a_gate_runs_the_checks_of_the_project() {
    let gate = |script: &str| {
        let project = command_project(
            &format!(
                "[policy]\n{WORK}\nexec = [{{ name = \"tests\", program = \"sh\", args = [\"-c\", \"{script}\"], approval = \"none\" }}]"
            ),
            &format!(
                "exec = []\ninput = {{ program = \"true\" }}\n\n[[gate]]\nid = \"tests\"\nuse = \"command\"\nconfig = {{ program = \"sh\", args = [\"-c\", \"{script}\"] }}\n"
            ),
        );
        let toml = fs::read_to_string(project.dir().join("sandgate.toml")).unwrap();
        project.write(
            "sandgate.toml",
            toml.replace("builtin:agent-command", "builtin:agent-fake"),
        );
        let text = fs::read_to_string(project.dir().join("w.toml")).unwrap();
        project.write(
            "w.toml",
            text.replace("exec = []\ninput = { program = \"true\" }\n", ""),
        );
        project.run(&["run", "w.toml"])
    };
    gate("echo '3 passed, 0 failed'").expect(0);
    gate("echo '2 passed, 1 failed'; exit 1")
        .expect(3)
        .says(&["failed"]);
    gate("exit 7").expect(3);
}

#[test]
fn text_is_generated_within_a_budget_and_the_key_stays_with_the_host() {
    let server = LlmServer::start(Some(CANARY)).unwrap();
    let policy = |limit: &str| {
        format!(
            "[policy]\nmodel = [{{ provider = \"local\", models = [\"echo\"] }}]\n\
             secrets = [{{ name = \"KEY\", from = \"env\", to = \"provider:local\" }}]\n\n\
             [providers.local]\nkind = \"openai\"\nurl = \"{}\"\nkey = \"KEY\"\nprices = {{ \"*\" = {{ input = 1, output = 2 }} }}\n\n[budget]\nlimit = {limit}\n",
            server.openai()
        )
    };
    let run = |limit: &str, model: &str| {
        let input =
            format!("{{ act = \"say\", model = \"local/{model}\", text = \"hello there\" }}");
        let project = one(
            sandgate_test_guests::model_agent(),
            &policy(limit),
            &input,
            "",
        );
        let mut command = project.command(&["run", "w.toml"]);
        command.env("KEY", CANARY);
        let done = project.start_command(command, "run with a model").finish();
        (project, done)
    };
    let (project, done) = run("1.00", "echo");
    done.expect(0);
    assert!(output(&project, "t").contains("hello there"));
    let summary: Value = project
        .run(&["summary", "--format", "json"])
        .expect(0)
        .json();
    assert!(
        summary["spent"]["micros"].as_u64().unwrap() > 0,
        "{summary:#}"
    );
    assert_eq!(found(project.temp(), CANARY), Vec::<String>::new());
    // A recording answers for the provider: equal output, nothing asked, no key needed.
    let kept = project.temp().join("kept.json");
    let kept = kept.to_str().unwrap();
    let mut command = project.command(&["run", "w.toml", "--record-models", kept]);
    command.env("KEY", CANARY);
    project
        .start_command(command, "run and record")
        .finish()
        .expect(0);
    assert!(!fs::read_to_string(kept).unwrap().contains(CANARY));
    let live = output(&project, "t");
    let asked = server.seen().len();
    project
        .run(&["run", "w.toml", "--replay-models", kept])
        .expect(0);
    assert_eq!(server.seen().len(), asked, "a replay asks nobody");
    assert_eq!(output(&project, "t"), live);
    // Too small a budget, and a model that is not named: nothing is asked.
    let (_, done) = run("0.000001", "echo");
    done.expect(6).says(&["budget"]);
    let (_, done) = run("1.00", "tools");
    assert_ne!(done.code(), 0);
    assert_eq!(server.seen().len(), asked, "nothing else was asked");
}

#[test]
fn what_was_accepted_is_kept_and_more_is_asked_for() {
    let input = "{ act = \"get\", url = \"http://127.0.0.1:9/\" }";
    let narrow = "[policy]\nhttp = [{ allow = \"http://127.0.0.1:9/a/*\", methods = [\"GET\"] }]\nsecrets = [{ name = \"UNUSED\", from = \"env\", to = \"http://127.0.0.1:9\" }]";
    let project = one(sandgate_test_guests::net_agent(), narrow, input, "");
    shows(
        project.run(&["policy", "w.toml"]).expect(0),
        &[
            "http GET http://127.0.0.1:9/a/*",
            "sandgate.toml:9",
            "nothing was accepted yet",
        ],
    );
    assert!(
        !project.dir().join("sandgate.lock").exists(),
        "looking writes nothing"
    );
    project.run(&["run", "w.toml"]);
    let lock = fs::read_to_string(project.dir().join("sandgate.lock")).unwrap();
    let toml = fs::read_to_string(project.dir().join("sandgate.toml")).unwrap();
    project.write("sandgate.toml", toml.replace("/a/*", "/*"));
    let done: Done = project.run(&["run", "w.toml"]).expect(5);
    done.says(&["--accept", "http GET http://127.0.0.1:9/*"]);
    assert_eq!(
        fs::read_to_string(project.dir().join("sandgate.lock")).unwrap(),
        lock
    );
    project
        .run(&["policy", "w.toml"])
        .expect(5)
        .says(&["wider"]);
    project.run(&["policy", "w.toml", "--accept"]).expect(0);
    shows(
        project.run(&["policy", "w.toml"]).expect(0),
        &["as accepted"],
    );
    assert_ne!(project.run(&["run", "w.toml"]).code(), 5);
    // A damaged lock counts for nothing.
    project.write("sandgate.lock", "version = 99\n");
    project
        .run(&["run", "w.toml"])
        .expect(2)
        .says(&["sandgate.lock"]);
}

#[test]
fn a_dry_run_foretells_and_changes_nothing() {
    let policy = format!(
        "[policy]\n{WORK}\nexec = [{{ program = \"sh\", args = [\"-c\", \"true\"], approval = \"required\" }}]"
    );
    let project = command_project(
        &policy,
        "input = { program = \"sh\", args = [\"-c\", \"true\"] }",
    );
    let done = project.run(&["run", "w.toml", "--dry-run"]).expect(0);
    shows(
        done.says(&["nothing was recorded"]),
        &["would ask a person", "sh -c true"],
    );
    assert!(!project.dir().join("sandgate.lock").exists());
    let runs: Value = project.run(&["runs", "--format", "json"]).json();
    assert_eq!(
        runs["runs"].as_array().map(Vec::len).unwrap_or_default(),
        0,
        "{runs}"
    );
}

#[test]
fn a_rehearsed_planner_leaves_no_log() {
    let project = Project::example("01-brief");
    project.run(&["run", "brief.toml", "--dry-run"]).expect(0);
    let logs = fs::read_dir(project.dir().join(".sandgate/logs")).unwrap();
    assert_eq!(logs.count(), 0);
}

fn git(dir: &Path, args: &[&str]) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(done.status.success(), "{args:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn a_worktree_keeps_its_changes_as_a_patch_and_merges_on_request() {
    let script = "echo changed > a.txt; echo new > b.txt";
    let policy = format!(
        "[policy]\nfiles = [{{ host = \".\", guest = \"/project\", mode = \"write\" }}]\nexec = [{{ program = \"sh\", args = [\"-c\", \"{script}\"], approval = \"none\" }}]"
    );
    let task = format!(
        "workspace = \"worktree\"\nmerge = true\ninput = {{ program = \"sh\", args = [\"-c\", \"{script}\"] }}"
    );
    let project = command_project(&policy, &task);
    let dir = project.dir().to_owned();
    project.write("a.txt", "old\n");
    project.write(".gitignore", ".sandgate/\n");
    git(&dir, &["init", "-q", "-b", "main"]);
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "-qm", "start"]);
    let before = git(&dir, &["rev-parse", "main"]);
    project.run(&["run", "w.toml"]).expect(0);
    let patch = project
        .run(&["summary", "--artifact", "t.changes.patch"])
        .expect(0);
    assert!(
        patch.stdout.contains("+changed") && patch.stdout.contains("b.txt"),
        "{patch}"
    );
    assert_eq!(
        fs::read_to_string(dir.join("a.txt")).unwrap(),
        "old\n",
        "the user's files stay"
    );
    assert_eq!(git(&dir, &["rev-parse", "main"]), before);
    let branches = git(&dir, &["branch", "--list", "sandgate/*"]);
    let branch = branches.trim();
    assert_eq!(
        git(&dir, &["show", &format!("{branch}:a.txt")]),
        "changed\n"
    );
    let left = fs::read_dir(dir.join(".sandgate/workspaces"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "nothing of the attempt is left");
}

#[test]
fn a_pinned_session_never_lends_its_directories() {
    let project = Project::new(&[
        (
            "sandgate.toml",
            "[project]\nname = \"t\"\n\n[plugins]\nguest = { path = \"g.wasm\" }\n\n[policy]\nfiles = [{ host = \"notes\", guest = \"/notes\", mode = \"read\" }, { host = \"other\", guest = \"/other\", mode = \"read\" }]\n",
        ),
        (
            "w.toml",
            "name = \"w\"\ngoal = \"Try\"\n\n\
             [[task]]\nid = \"wide\"\nagent = \"guest\"\nsession = { pinned = \"s\" }\ninput = { act = \"read:/notes/a.txt\" }\n\n\
             [[task]]\nid = \"narrow\"\nagent = \"guest\"\nneeds = [\"wide\"]\nsession = { pinned = \"s\" }\nfiles = [\"/other\"]\ninput = { act = \"read:/notes/a.txt\" }\n",
        ),
        ("notes/a.txt", "for the first task"),
        ("other/b.txt", "for both"),
    ]);
    project.write("g.wasm", sandgate_test_guests::file_agent());
    project.run(&["run", "w.toml"]).expect(1);
    assert!(output(&project, "wide").contains("for the first task"));
    let summary: Value = project.run(&["summary", "--format", "json"]).json();
    let narrow = summary["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["id"] == "narrow")
        .unwrap();
    assert_eq!(narrow["state"], "failed", "{narrow:#}");
}
