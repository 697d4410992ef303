//! How long a plan of 100,000 tasks takes to check, and how much memory: `cargo run --release -p sandgate-workflow
//! --example check_bench [TASKS]`. Prints one line for each case; the targets are 2 s and 512 MiB.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when it cannot measure"
)]

use sandgate_model::{Description, Digest, DraftPlan, DraftTask, PluginName, Role};
use sandgate_workflow::{Catalog, CatalogEntry, Project, Source, check, freeze, read_project};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

fn project() -> Project {
    let text = "[project]\nname = \"bench\"\n[plugins]\nplanner = \"builtin:planner\"\nagent = \"builtin:agent\"\n";
    read_project(&Source::new("sandgate.toml", text))
        .0
        .expect("the project is valid")
}

fn catalog() -> Catalog {
    let schema = json!({
        "type": "object",
        "properties": {"topic": {"type": "string"}, "text": {"type": "string"}},
        "required": ["topic"],
        "additionalProperties": false,
    });
    let entry = |role, input_schema| CatalogEntry {
        role,
        digest: Digest::of(b"bench"),
        description: Description {
            name: "bench".to_owned(),
            version: "0.1.0".to_owned(),
            summary: String::new(),
            needs: Vec::new(),
            input_schema,
            output_schema: None,
            config_schema: None,
        },
    };
    let name = |n| PluginName::new(n).expect("a name");
    [
        (name("planner"), entry(Role::Planner, None)),
        (name("agent"), entry(Role::Agent, Some(schema))),
    ]
    .into_iter()
    .collect()
}

/// The tasks that task `i` needs: up to three earlier ones, spread by a fixed recipe.
fn needs(i: usize) -> Vec<usize> {
    let mut list: Vec<usize> = [i / 2, i.wrapping_mul(7919) % i.max(1), i.saturating_sub(1)]
        .into_iter()
        .filter(|n| *n < i)
        .collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn toml(n: usize, templates: bool) -> String {
    let mut text = String::from("name = \"bench\"\ngoal = \"Measure\"\n");
    for i in 0..n {
        let needs: Vec<String> = needs(i).iter().map(|n| format!("\"task-{n}\"")).collect();
        let input = match templates && i > 0 {
            true => format!(
                "{{ topic = \"x\", text = \"{{{{ tasks['task-{}'].output }}}}\" }}",
                i - 1
            ),
            false => format!("{{ topic = \"number {i}\" }}"),
        };
        let _ = write!(
            text,
            "\n[[task]]\nid = \"task-{i}\"\nagent = \"agent\"\nneeds = [{}]\ninput = {input}\nretry = {{ attempts = 3, backoff = \"1s\" }}\n",
            needs.join(", ")
        );
    }
    text
}

fn draft(n: usize, hostile: bool) -> DraftPlan {
    let task = |i: usize| DraftTask {
        id: format!("task-{i}"),
        title: format!("Task {i}"),
        agent: if hostile {
            "nobody".to_owned()
        } else {
            "agent".to_owned()
        },
        input: json!({"topic": "x", "text": if i > 0 { format!("{{{{ tasks['task-{}'].output }}}}", i - 1) } else { String::new() }}),
        needs: match hostile {
            // One circle through all of them, and a name that is not there.
            true => vec![format!("task-{}", (i + 1) % n), format!("gone-{i}")],
            false => needs(i).iter().map(|n| format!("task-{n}")).collect(),
        },
        consumes: Vec::new(),
        produces: vec!["out".to_owned()],
    };
    DraftPlan {
        tasks: (0..n).map(task).collect(),
        rationale: String::new(),
    }
}

/// The most memory this process has had, in MiB; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

/// Processor time of this process in seconds, which other work on the machine does not change; 0 where the system
/// does not say. The kernel counts in hundredths.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }
}

fn report(what: &str, start: Clock, more: &str) {
    println!(
        "{what:<40} {:>6.2} s   processor {:>5.2} s   peak {:>4} MiB   {more}",
        start.wall.elapsed().as_secs_f64(),
        cpu() - start.cpu,
        peak()
    );
}

/// Each case runs in a process of its own, so that its peak is its own.
const CASES: &[&str] = &["parser", "plain", "templates", "broken", "draft", "hostile"];

fn main() {
    let mut args = std::env::args().skip(1);
    let n = args
        .next()
        .and_then(|a| a.parse().ok())
        .unwrap_or(100_000_usize);
    match args.next() {
        Some(case) => run(&case, n),
        None => {
            println!("{n} tasks");
            let me = std::env::current_exe().expect("the program knows where it is");
            for case in CASES {
                let status = std::process::Command::new(&me)
                    .arg(n.to_string())
                    .arg(case)
                    .status();
                assert!(status.is_ok_and(|s| s.success()), "{case} failed");
            }
        }
    }
}

fn run(case: &str, n: usize) {
    let (project, catalog) = (project(), catalog());
    let empty = "name = \"bench\"\ngoal = \"Measure\"\n[planner]\nuse = \"planner\"\n";
    let planner = PluginName::new("planner").expect("a name");
    match case {
        "parser" => {
            let text = toml(n, false);
            let start = Clock::start();
            let table = toml::de::DeTable::parse(&text).expect("the file is TOML");
            report(
                "floor: the TOML parser alone",
                start,
                &format!("{} keys", table.get_ref().len()),
            );
        }
        "plain" => {
            let source = Source::new("plain.toml", toml(n, false));
            let start = Clock::start();
            let (workflow, found) = check(&source, &project, Some(&catalog));
            let more = format!(
                "{} KiB, {} mistakes",
                source.text().len() / 1024,
                found.total()
            );
            report("written tasks, checked", start, &more);
            let workflow = workflow.expect("the workflow is valid");
            let start = Clock::start();
            let plan = freeze(&workflow, &project, &catalog, BTreeMap::new(), None, 1)
                .expect("the plan freezes");
            report(
                "written tasks, frozen",
                start,
                &format!("{} tasks", plan.tasks.len()),
            );
            let start = Clock::start();
            let digest = plan.digest().expect("a plan has a digest");
            report("plan, encoded and digested", start, &digest.short());
        }
        "templates" | "broken" => {
            let mut text = toml(n, true);
            if case == "broken" {
                text = text.replace("agent = \"agent\"", "agnet = \"agent\"");
            }
            let source = Source::new("file.toml", text);
            let start = Clock::start();
            let (_, found) = check(&source, &project, Some(&catalog));
            let what = if case == "broken" {
                "written tasks with mistakes, checked"
            } else {
                "written tasks with templates, checked"
            };
            report(what, start, &format!("{} mistakes", found.total()));
        }
        "draft" | "hostile" => {
            let workflow = check(&Source::new("empty.toml", empty), &project, Some(&catalog))
                .0
                .expect("valid");
            let proposal = Some((planner, draft(n, case == "hostile")));
            let start = Clock::start();
            match freeze(&workflow, &project, &catalog, BTreeMap::new(), proposal, 1) {
                Ok(plan) => report(
                    "draft of a planner, checked and frozen",
                    start,
                    &format!("{} tasks", plan.tasks.len()),
                ),
                Err(errors) => report(
                    "hostile draft, refused",
                    start,
                    &format!("{} reasons", errors.count()),
                ),
            }
        }
        other => println!("there is no case {other}; there are {}", CASES.join(", ")),
    }
}
