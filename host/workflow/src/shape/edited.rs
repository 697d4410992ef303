//! The shape of a plan that is edited. Texts of a planner may hold anything; freezing says what they may not.

use super::{Kind, Shape, may, must, workflow::ARTIFACT_REF};

/// Longest rationale or title, in bytes; what a plan may have is less.
const TEXT: usize = 64 << 10;

/// Longest JSON text: four times what an input may have, for it is written with blanks and escapes.
const JSON: usize = 16 << 20;

pub(crate) const EDITED: Shape = Shape {
    what: "a plan",
    doc: "A plan, while it is edited: the tasks besides the written ones.",
    fields: &[
        may(
            "rationale",
            Kind::Free(TEXT),
            "How the goal was read, for people.",
        ),
        may(
            "task",
            Kind::List(&Kind::Table(&TASK)),
            "Tasks, in plan order.",
        ),
    ],
};

const TASK: Shape = Shape {
    what: "a task of an edited plan",
    doc: "A task for an agent.",
    fields: &[
        must("id", Kind::TaskId, "Unique in the plan."),
        may("title", Kind::Free(TEXT), "For people."),
        must("agent", Kind::Name("plugin"), "The agent that does it."),
        may(
            "needs",
            Kind::List(&Kind::TaskId),
            "Tasks that must succeed first.",
        ),
        may(
            "consumes",
            Kind::List(&Kind::Pattern(ARTIFACT_REF, "TASK.ARTIFACT")),
            "Artifacts it takes, `TASK.ARTIFACT`; their tasks are needed.",
        ),
        may(
            "produces",
            Kind::List(&Kind::Name("artifact")),
            "Artifacts it makes; one that is missing fails the attempt.",
        ),
        may(
            "input",
            Kind::Json,
            "Input of the agent; strings may be templates.",
        ),
        may(
            "input_json",
            Kind::Free(JSON),
            "The same as a JSON document in a text, for what TOML does not have.",
        ),
    ],
};
