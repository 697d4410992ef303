//! Misbehaves as its configuration says: a JSON string `"VERB"` or `"VERB:ARGUMENT"`. Without one it answers one
//! task for each agent on offer and tells in the rationale what it was shown.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "planner" });
}

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::planning::{
    DraftPlan, DraftTask, Guest as Planning, Packet,
};
use bindings::sandgate::plugin::types::PluginError;

struct Planner;

impl Describing for Planner {
    fn describe() -> Description {
        Description {
            name: "hostile-planner".into(),
            version: "0.1.0".into(),
            summary: "Makes plans that nobody wants".into(),
            needs: Vec::new(),
            input_schema: None,
            output_schema: None,
            config_schema: Some("{}".into()),
        }
    }
}

fn task(id: String, agent: &str, input: String) -> DraftTask {
    DraftTask {
        title: format!("Task {id}"),
        id,
        agent: agent.to_owned(),
        input,
        needs: Vec::new(),
        consumes: Vec::new(),
        produces: Vec::new(),
    }
}

fn make(packet: Packet, config: &str, report: &str) -> Result<DraftPlan, PluginError> {
    let order = bare(config);
    let (verb, argument) = order.split_once(':').unwrap_or((order, ""));
    let n: usize = argument.parse().unwrap_or(0);
    let agent = packet.agents.first().map_or("nobody", |a| a.name.as_str());
    let plan = |tasks| DraftPlan {
        tasks,
        rationale: String::new(),
    };
    Ok(match verb {
        "loop" => loop {
            std::hint::black_box(());
        },
        "panic" => panic!("no plan"),
        "unavailable" => return Err(PluginError::Unavailable(argument.to_owned())),
        "invalid" => return Err(PluginError::InvalidInput(argument.to_owned())),
        "many" => plan(
            (0..n)
                .map(|i| task(format!("t{i}"), agent, "{}".into()))
                .collect(),
        ),
        "cycle" => {
            let (mut a, mut b) = (
                task("a".into(), agent, "{}".into()),
                task("b".into(), agent, "{}".into()),
            );
            a.needs.push("b".into());
            b.needs.push("a".into());
            plan(vec![a, b])
        }
        "duplicate-ids" => plan(vec![task("a".into(), agent, "{}".into()); 2]),
        "unknown-need" => {
            let mut a = task("a".into(), agent, "{}".into());
            a.needs.push("ghost".into());
            plan(vec![a])
        }
        "unknown-agent" => plan(vec![task("a".into(), "ghost", "{}".into())]),
        "template-id" => plan(vec![task("{{ inputs.x }}".into(), agent, "{}".into())]),
        "bidi-id" => plan(vec![task("a\u{202e}b".into(), agent, "{}".into())]),
        "long-id" => plan(vec![task("i".repeat(n), agent, "{}".into())]),
        "not-json" => plan(vec![task("a".into(), agent, "{".into())]),
        "deep" => plan(vec![task(
            "a".into(),
            agent,
            format!("{}{}", "[".repeat(n), "]".repeat(n)),
        )]),
        "needs" => {
            let mut a = task("a".into(), agent, "{}".into());
            a.needs = (0..n).map(|i| format!("t{i}")).collect();
            plan(vec![a])
        }
        "rationale" => DraftPlan {
            tasks: Vec::new(),
            rationale: "r".repeat(n),
        },
        "empty" => plan(Vec::new()),
        _ => DraftPlan {
            tasks: packet
                .agents
                .iter()
                .enumerate()
                .map(|(i, offered)| task(format!("task-{i}"), &offered.name, "{\"n\": 1}".into()))
                .collect(),
            rationale: format!(
                "goal={} inputs={} files={} cut={} gates={} written={:?} budget={:?} report={report}",
                packet.goal,
                packet.inputs,
                packet.files.len(),
                packet.files_cut,
                packet.gates.len(),
                packet.written,
                packet.budget_micros,
            ),
        },
    })
}

impl Planning for Planner {
    fn plan(packet: Packet, config: String) -> Result<DraftPlan, PluginError> {
        make(packet, &config, "none")
    }

    fn replan(packet: Packet, config: String, report: String) -> Result<DraftPlan, PluginError> {
        make(packet, &config, &report)
    }
}

bindings::export!(Planner with_types_in bindings);

/// The order in a JSON document: a string, or, since tasks in a file have tables, `{"act": "..."}`.
fn bare(json: &str) -> &str {
    let inner = json
        .strip_prefix("{\"act\":")
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or(json).trim_matches('"')
}
