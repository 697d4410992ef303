//! The macro that exports a plugin, and the adapters between the author's traits and the generated ones.

use crate::bindings::{agent, describe, gate, host::sandgate::plugin::types, planner};
use crate::{
    Agent, Check, Config, FinishedTask, Gate, ListedFile, OfferedAgent, OfferedGate, Packet,
    Planner, Subject, Task, Verdict,
};
use serde_json::Value;
use std::{cell::RefCell, marker::PhantomData};

/// Exports a type as the component's plugin. Once per crate:
///
/// ```text
/// sandgate_plugin::export!(agent: MyAgent);
/// sandgate_plugin::export!(gate: MyGate);
/// sandgate_plugin::export!(planner: MyPlanner);
/// ```
///
/// Natively it only checks that the type has the trait, so that `cargo test` works.
#[macro_export]
macro_rules! export {
    (agent: $plugin:ty) => {
        $crate::__export!(agent, AgentComponent, Agent, $plugin);
    };
    (gate: $plugin:ty) => {
        $crate::__export!(gate, GateComponent, Gate, $plugin);
    };
    (planner: $plugin:ty) => {
        $crate::__export!(planner, PlannerComponent, Planner, $plugin);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($role:ident, $component:ident, $trait:ident, $plugin:ty) => {
        const _: () = {
            const fn is_plugin<T: $crate::$trait>() {}
            is_plugin::<$plugin>();
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::__private::$component<$plugin>;
            $crate::__private::describe::export!(
                Component with_types_in $crate::__private::describe
            );
            $crate::__private::$role::export!(
                Component with_types_in $crate::__private::$role
            );
        };
    };
}

/// Turns JSON from the host into a value. The host sends valid JSON only, so a mistake is not the plugin's.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

/// Exports an [`Agent`].
#[derive(Debug)]
pub struct AgentComponent<T>(PhantomData<T>);

/// A live session.
#[derive(Debug)]
pub struct AgentSession<T>(RefCell<T>);

impl<T: Agent> describe::exports::sandgate::plugin::describing::Guest for AgentComponent<T> {
    fn describe() -> types::Description {
        T::describe().into()
    }
}

impl<T: Agent> agent::exports::sandgate::plugin::working::Guest for AgentComponent<T> {
    type Session = AgentSession<T>;

    fn open(
        config: String,
    ) -> Result<agent::exports::sandgate::plugin::working::Session, types::PluginError> {
        let session = T::open(Config::new(config))?;
        Ok(agent::exports::sandgate::plugin::working::Session::new(
            AgentSession(RefCell::new(session)),
        ))
    }
}

impl<T: Agent> agent::exports::sandgate::plugin::working::GuestSession for AgentSession<T> {
    fn run(
        &self,
        task: agent::exports::sandgate::plugin::working::Task,
    ) -> Result<agent::exports::sandgate::plugin::working::TaskOutput, types::PluginError> {
        let output = self.0.borrow_mut().run(Task {
            id: task.id,
            attempt: task.attempt,
            idempotency_key: task.idempotency_key,
            input: task.input,
            produces: task.produces,
        })?;
        Ok(agent::exports::sandgate::plugin::working::TaskOutput {
            output: output.json,
            charges: output
                .charges
                .into_iter()
                .map(|(what, micros)| types::Charge { what, micros })
                .collect(),
        })
    }
}

/// Exports a [`Gate`].
#[derive(Debug)]
pub struct GateComponent<T>(PhantomData<T>);

impl<T: Gate> describe::exports::sandgate::plugin::describing::Guest for GateComponent<T> {
    fn describe() -> types::Description {
        T::describe().into()
    }
}

impl<T: Gate> gate::exports::sandgate::plugin::checking::Guest for GateComponent<T> {
    fn check(
        subject: gate::exports::sandgate::plugin::checking::Subject,
        config: String,
    ) -> Result<Vec<gate::exports::sandgate::plugin::checking::CheckLine>, types::PluginError> {
        let subject = Subject {
            goal: subject.goal,
            inputs: value(&subject.inputs),
            tasks: subject
                .tasks
                .into_iter()
                .map(|task| FinishedTask {
                    id: task.id,
                    output: task.output,
                    artifacts: task.artifacts,
                })
                .collect(),
        };
        let checks = T::check(subject, Config::new(config))?;
        Ok(checks.into_iter().map(check_line).collect())
    }
}

fn check_line(check: Check) -> gate::exports::sandgate::plugin::checking::CheckLine {
    use gate::exports::sandgate::plugin::checking as wit;
    wit::CheckLine {
        name: check.name,
        verdict: match check.verdict {
            Verdict::Pass => wit::Verdict::Pass,
            Verdict::Fail => wit::Verdict::Fail,
            Verdict::Inconclusive => wit::Verdict::Inconclusive,
            Verdict::NeedsHuman => wit::Verdict::NeedsHuman,
        },
        message: check.message,
        duration_ms: check
            .took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Exports a [`Planner`].
#[derive(Debug)]
pub struct PlannerComponent<T>(PhantomData<T>);

impl<T: Planner> describe::exports::sandgate::plugin::describing::Guest for PlannerComponent<T> {
    fn describe() -> types::Description {
        T::describe().into()
    }
}

impl<T: Planner> planner::exports::sandgate::plugin::planning::Guest for PlannerComponent<T> {
    fn plan(
        packet: planner::exports::sandgate::plugin::planning::Packet,
        config: String,
    ) -> Result<planner::exports::sandgate::plugin::planning::DraftPlan, types::PluginError> {
        Ok(draft(T::plan(from_packet(packet), Config::new(config))?))
    }

    fn replan(
        packet: planner::exports::sandgate::plugin::planning::Packet,
        config: String,
        report: String,
    ) -> Result<planner::exports::sandgate::plugin::planning::DraftPlan, types::PluginError> {
        let plan = T::replan(from_packet(packet), Config::new(config), value(&report))?;
        Ok(draft(plan))
    }
}

fn from_packet(packet: planner::exports::sandgate::plugin::planning::Packet) -> Packet {
    Packet {
        goal: packet.goal,
        inputs: value(&packet.inputs),
        files: packet
            .files
            .into_iter()
            .map(|file| ListedFile {
                path: file.path,
                size: file.size,
            })
            .collect(),
        files_cut: packet.files_cut,
        agents: packet
            .agents
            .into_iter()
            .map(|agent| OfferedAgent {
                name: agent.name,
                plugin: agent.plugin,
                summary: agent.summary,
                input_schema: agent.input_schema.as_deref().map(value),
                output_schema: agent.output_schema.as_deref().map(value),
            })
            .collect(),
        gates: packet
            .gates
            .into_iter()
            .map(|gate| OfferedGate {
                id: gate.id,
                summary: gate.summary,
            })
            .collect(),
        written: packet.written,
        budget_micros: packet.budget_micros,
    }
}

fn draft(plan: crate::DraftPlan) -> planner::exports::sandgate::plugin::planning::DraftPlan {
    use planner::exports::sandgate::plugin::planning as wit;
    wit::DraftPlan {
        tasks: plan
            .tasks
            .into_iter()
            .map(|task| wit::DraftTask {
                id: task.id,
                title: task.title,
                agent: task.agent,
                input: task.input.to_string(),
                needs: task.needs,
                consumes: task.consumes,
                produces: task.produces,
            })
            .collect(),
        rationale: plan.rationale,
    }
}
