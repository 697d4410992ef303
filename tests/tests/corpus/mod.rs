//! The hostile corpus: guests that misbehave (`tests/guests`), through the whole product, each with the end it has to
//! have. A row is one run: the attack, and beside it a chain of tasks that behave. After each, nothing outside of what
//! was granted may have changed, the canaries may be nowhere, and the neighbours must have finished.
//!
//! Must not adapt what it expects to what the product does: a row that fails is a fault of the product.

mod bare;
mod commands;
mod ends;
mod figures;
mod files;
mod models;
mod network;
mod outside;
mod web;

use crate::harness::{Project, dangerous};
use figures::Figures;
use serde_json::Value;
use std::{collections::BTreeMap, fs, time::Duration};

/// What lies outside, or is held by the host: it must be in no output, journal or log.
const CANARY: &str = "canary-51c0de9a77";
/// A second secret, of somebody else.
const OTHER: &str = "canary-0bad5eed42";
/// How long an attempt may be over its deadline. Ten times what is seen on a quiet machine: others may be busy.
const MARGIN_MS: i64 = 2_000;
/// Tasks of the chain beside an attack.
const NEIGHBOURS: usize = 8;
/// Memory of a guest, as the project file says, in MiB.
const CAP_MIB: i64 = 48;

/// How an attack has to end.
enum End {
    /// The task succeeds, the planner's plan or the gate's check passes.
    Fine,
    /// It fails, and the failure mentions one of these.
    Fails(&'static [&'static str]),
    /// It succeeds or fails so.
    FineOr(&'static [&'static str]),
    /// It waits for a person, and its neighbours go on.
    Waits,
    /// Nothing runs: the whole command is refused with one of these codes, and says this.
    Refused(&'static [i32], &'static str),
}

/// What a guest is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Agent,
    Planner,
    Gate,
}

type Look = Box<dyn Fn(&Seen<'_>) -> Result<(), String>>;

/// One attack.
struct Row {
    area: &'static str,
    name: String,
    role: Role,
    guest: &'static [u8],
    /// Inside of the inline table of the order.
    act: String,
    /// What `sandgate.toml` has after its plugins.
    policy: String,
    /// Further lines of the task, the planner or the gate.
    more: String,
    deadline_ms: i64,
    end: End,
    prepare: Box<dyn Fn(&Project)>,
    look: Look,
}

impl Row {
    fn new(area: &'static str, guest: &'static [u8], act: impl Into<String>) -> Self {
        let act = act.into();
        let name = act.chars().take(100).collect();
        Self {
            area,
            name,
            role: Role::Agent,
            guest,
            act,
            policy: String::new(),
            more: String::new(),
            deadline_ms: 20_000,
            end: End::Fine,
            prepare: Box::new(|_| {}),
            look: Box::new(|_| Ok(())),
        }
    }

    fn named(mut self, name: &str) -> Self {
        self.name = format!("{name}: {}", self.name);
        self
    }

    fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    fn policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = policy.into();
        self
    }

    fn more(mut self, more: impl Into<String>) -> Self {
        self.more = more.into();
        self
    }

    fn deadline(mut self, ms: i64) -> Self {
        self.deadline_ms = ms;
        self
    }

    fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    fn prepare(mut self, prepare: impl Fn(&Project) + 'static) -> Self {
        self.prepare = Box::new(prepare);
        self
    }

    fn look(mut self, look: impl Fn(&Seen<'_>) -> Result<(), String> + 'static) -> Self {
        self.look = Box::new(look);
        self
    }

    fn project(&self) -> Project {
        let mut workflow = String::from("name = \"w\"\ngoal = \"Go on\"\nconcurrency = 2\n");
        let lines = format!("timeout = \"{}ms\"\n{}\n", self.deadline_ms, self.more);
        let order = format!("{{ {} }}", self.act);
        if self.role == Role::Planner {
            workflow += &format!("\n[planner]\nuse = \"guest\"\nconfig = {order}\n{lines}");
        } else {
            for n in 0..NEIGHBOURS {
                let needs = n
                    .checked_sub(1)
                    .map(|before| format!("needs = [\"n{before}\"]\n"));
                workflow += &format!(
                    "\n[[task]]\nid = \"n{n}\"\nagent = \"fake\"\ninput = {{ sleep_ms = 5 }}\n{}",
                    needs.unwrap_or_default()
                );
            }
        }
        if self.role == Role::Agent {
            workflow +=
                &format!("\n[[task]]\nid = \"t\"\nagent = \"guest\"\ninput = {order}\n{lines}");
        }
        if self.role == Role::Gate {
            workflow +=
                &format!("\n[[gate]]\nid = \"door\"\nuse = \"guest\"\nconfig = {order}\n{lines}");
        }
        // Written out, so that it holds for every role.
        let memory = format!("[limits]\nmemory = \"{CAP_MIB}MiB\"\n");
        let policy = match self.policy.contains("[limits]\n") {
            true => self.policy.replace("[limits]\n", &memory),
            false => format!("{}\n\n{memory}", self.policy),
        };
        let toml = format!(
            "[project]\nname = \"t\"\n\n[plugins]\nguest = {{ path = \"g.wasm\" }}\nfake = \"builtin:agent-fake\"\n\n{policy}\n"
        );
        let project = Project::new(&[
            ("sandgate.toml", &toml),
            ("w.toml", &workflow),
            ("work/file.txt", "inside"),
            ("secret.txt", CANARY),
            ("beside/keep.txt", "kept"),
        ]);
        project.write("g.wasm", self.guest);
        (self.prepare)(&project);
        project
    }
}

/// What came of a row.
struct Seen<'a> {
    project: &'a Project,
    events: &'a [Value],
    /// The guest's own answer; null when there is none.
    told: &'a Value,
}

impl Seen<'_> {
    /// What the host let through.
    fn passed(&self) -> Vec<(String, String)> {
        let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
        let list = self.told["passed"].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|p| (text(&p["probe"]), text(&p["got"])))
            .collect()
    }

    /// Events of a kind.
    fn count(&self, kind: &str) -> usize {
        self.events
            .iter()
            .filter(|e| e["event"]["type"] == kind)
            .count()
    }

    fn nothing_passed(&self) -> Result<(), String> {
        let passed = self.passed();
        if passed.is_empty() {
            Ok(())
        } else {
            Err(format!("passed: {passed:?}"))
        }
    }
}

fn wrong(condition: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Err(what()) } else { Ok(()) }
}

/// Does one row; what is wrong comes back.
fn run(row: &Row, figures: &mut Figures) -> Vec<String> {
    let project = row.project();
    let before = outside::fingerprint(project.temp());
    let mut command = project.command(&["run", "w.toml"]);
    command.env("API_TOKEN", CANARY).env("OTHER_TOKEN", OTHER);
    let mut running = project.start_command(command, "sandgate run w.toml");
    let mut peak = 0;
    while !running.ended() {
        peak = peak.max(figures::peak_kib(running.pid()));
        std::thread::sleep(Duration::from_millis(2));
    }
    let done = running.finish();
    let mut bad = Vec::new();
    let refused = matches!(row.end, End::Refused(..));
    let (events, summary) = if refused {
        (Vec::new(), Value::Null)
    } else {
        let events = project.run(&["events", "--format", "json"]);
        let summary = project.run(&["summary", "--format", "json"]);
        if events.code() != 0 || summary.stdout.is_empty() {
            return vec![format!("no run: {done}")];
        }
        (events.json_lines(), summary.json())
    };
    let told = if refused {
        Value::Null
    } else {
        ends::told(&project, row.role, &events)
    };
    let task = |id: &str| {
        let tasks = summary["tasks"].as_array();
        tasks
            .and_then(|t| t.iter().find(|t| t["id"] == id))
            .cloned()
            .unwrap_or(Value::Null)
    };
    bad.extend(ends::ended_wrong(row, &done, &summary, &task("t"), &told));
    for n in 0..if refused || row.role == Role::Planner {
        0
    } else {
        NEIGHBOURS
    } {
        let neighbour = task(&format!("n{n}"));
        figures
            .beside
            .push(neighbour["took_ms"].as_i64().unwrap_or(i64::MAX));
        if neighbour["state"] != "succeeded" {
            bad.push(format!("the neighbour n{n} did not finish: {neighbour}"));
        }
    }
    for took in events
        .iter()
        .filter(|e| e["event"]["type"] == "attempt-ended")
    {
        let over = took["event"]["took"].as_i64().unwrap_or(0) - row.deadline_ms;
        figures.overrun = figures.overrun.max(over);
        if over > MARGIN_MS {
            bad.push(format!("{over} ms over its deadline"));
        }
    }
    let mut escaped = Vec::new();
    escaped.extend(outside::changes(
        &before,
        &outside::fingerprint(project.temp()),
    ));
    for canary in [CANARY, OTHER] {
        let hits = outside::found(project.temp(), canary);
        escaped.extend(
            hits.iter()
                .filter(|h| !h.ends_with("project/secret.txt"))
                .map(|h| format!("a canary is in {h}")),
        );
    }
    escaped.extend(
        ["/tmp/hard", "/tmp/moved.txt"]
            .iter()
            .filter(|p| fs::symlink_metadata(p).is_ok())
            .map(|p| format!("{p} is there")),
    );
    if told.to_string().contains("root:x:0") {
        escaped.push("the guest read /etc/passwd".to_owned());
    }
    if !dangerous(&done).is_empty() || done.stderr.contains("panicked at host/") {
        bad.push(format!(
            "{:?} {}",
            dangerous(&done).first(),
            done.stderr.contains("panicked at host/")
        ));
    }
    let seen = Seen {
        project: &project,
        events: &events,
        told: &told,
    };
    escaped.extend((row.look)(&seen).err());
    figures.row(row.area, &told, escaped.len());
    figures.peak(&row.name, peak);
    bad.extend(escaped);
    if std::env::var_os("CORPUS_VERBOSE").is_some() {
        println!(
            "{} {}: {:?} {}",
            row.area,
            row.name,
            done.took,
            cut(&told.to_string(), 300)
        );
    }
    bad.iter()
        .map(|b| format!("{} | {} | {}", row.area, row.name, cut(b, 1500)))
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[test]
fn the_hostile_corpus() {
    let only = std::env::var("CORPUS_ONLY").unwrap_or_default();
    let mut figures = Figures::default();
    figures.quiet();
    let servers = web::Servers::start();
    let mut bad = Vec::new();
    let mut roles = BTreeMap::new();
    for row in [
        files::rows(),
        network::rows(&servers),
        commands::rows(&servers),
        models::rows(),
        bare::rows(),
    ]
    .into_iter()
    .flatten()
    .filter(|row| row.area.contains(&only) || row.name.contains(&only))
    {
        *roles
            .entry(match row.role {
                Role::Agent => "agents",
                Role::Planner => "planners",
                Role::Gate => "gates",
            })
            .or_insert(0) += 1;
        bad.extend(run(&row, &mut figures));
    }
    figures.print(&roles, &servers);
    for line in &bad {
        println!("WRONG: {line}");
    }
    assert!(bad.is_empty(), "{} wrong, see above", bad.len());
}
