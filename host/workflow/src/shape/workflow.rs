//! The shape of a workflow file.

use super::{
    Field, Kind, Shape,
    limits::TASK_LIMITS,
    may, must,
    narrowing::{CHARGE, EXEC, FILES, HTTP, MERGE, MODEL, QUESTION, SECRETS, WORKSPACE},
};
use crate::{
    MAX_CONCURRENCY,
    workflow::{ApprovalRule, InputType},
};

/// Longest text for people, such as a title or a description.
const SHORT: usize = 1 << 10;

/// Longest goal or expression.
const LONG: usize = 16 << 10;

pub(crate) const WORKFLOW: Shape = Shape {
    what: "a workflow",
    doc: "A workflow: a goal, inputs, a planner and/or written tasks, gates and approval rules.",
    fields: &[
        must("name", Kind::Name("workflow"), "Name of the workflow."),
        must(
            "goal",
            Kind::Text(LONG),
            "What is to be reached; a template over the inputs.",
        ),
        may(
            "concurrency",
            Kind::Int(1, MAX_CONCURRENCY as i64),
            "Most attempts at once; 4 when absent.",
        ),
        may(
            "on_failure",
            Kind::Word(&["continue", "stop"]),
            "What happens to the rest when a task fails for good: independent branches go on (`continue`, the default) or everything stops (`stop`).",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "Longest the run may take; no limit when absent.",
        ),
        may(
            "inputs",
            Kind::Map("input", &Kind::Table(&INPUT)),
            "Inputs, by name.",
        ),
        may(
            "planner",
            Kind::Table(&PLANNER),
            "The planner. Written tasks are kept, the planner adds.",
        ),
        may("task", Kind::List(&Kind::Table(&TASK)), "Written tasks."),
        may(
            "gate",
            Kind::List(&Kind::Table(&GATE)),
            "Gates, which verify the run.",
        ),
        may(
            "approval",
            Kind::List(&Kind::Table(&APPROVAL)),
            "Approval rules.",
        ),
        may(
            "budget",
            Kind::Table(&BUDGET),
            "What the run may cost; what the project's budget has left when absent.",
        ),
    ],
};

const INPUT: Shape = Shape {
    what: "an input",
    doc: "An input of the workflow. Without a default it has to be given.",
    fields: &[
        must("type", Kind::Word(InputType::WORDS), "Type of the value."),
        may("default", Kind::Json, "Value when none is given."),
        may("description", Kind::Text(SHORT), "For people."),
        may("enum", Kind::JsonList, "The only values allowed."),
    ],
};

const PLANNER: Shape = Shape {
    what: "a planner",
    doc: "Which planner makes the plan, and who looks at it.",
    fields: &[
        must("use", Kind::Name("plugin"), "A planner of the project."),
        may(
            "fallback",
            Kind::List(&Kind::Name("plugin")),
            "Planners tried in this order when it fails.",
        ),
        may(
            "review",
            Kind::Name("approval rule"),
            "`required`, `none` (the default) or the name of an approval rule.",
        ),
        may(
            "config",
            Kind::JsonTable,
            "Its configuration, as its schema says.",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "Longest it may take; the project's limit for attempts when absent.",
        ),
        FILES,
        HTTP,
        EXEC,
        MODEL,
        SECRETS,
        CHARGE,
        QUESTION,
    ],
};

const TASK_FIELDS: &[Field] = &[
    must("id", Kind::TaskId, "Unique in the plan."),
    may("title", Kind::Text(SHORT), "For people."),
    may("agent", Kind::Name("plugin"), "The agent that does it."),
    may(
        "input",
        Kind::JsonTable,
        "Input of the agent; strings may be templates.",
    ),
    may(
        "config",
        Kind::JsonTable,
        "Configuration of the agent, as its schema says.",
    ),
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
        "retry",
        Kind::Table(&RETRY),
        "How often and how fast it is tried again.",
    ),
    may(
        "timeout",
        Kind::Duration { zero: false },
        "Longest an attempt may take; the project's limit when absent.",
    ),
    may(
        "priority",
        Kind::Int(-1000, 1000),
        "Higher goes first among ready tasks; 0 when absent.",
    ),
    may(
        "when",
        Kind::Text(LONG),
        "Expression over inputs and needed tasks; false means: skip. Evaluated before `for_each`.",
    ),
    may(
        "for_each",
        Kind::Text(LONG),
        "Expression that gives a list; the task runs once for each item, as `item` and `index`.",
    ),
    may(
        "approval",
        Kind::Name("approval rule"),
        "`before`, `after`, or the name of an approval rule: before it starts when the rule is about `task`, otherwise on its `result`.",
    ),
    may(
        "session",
        Kind::Table(&SESSION),
        "Which instance it runs in; a fresh one when absent.",
    ),
    may(
        "wait_for",
        Kind::Table(&WAIT_FOR),
        "A signal to wait for, instead of an agent.",
    ),
    may(
        "repeatable",
        Kind::Bool,
        "May run again although an earlier attempt's end is unknown.",
    ),
    WORKSPACE,
    MERGE,
    FILES,
    HTTP,
    EXEC,
    MODEL,
    SECRETS,
    CHARGE,
    QUESTION,
    may(
        "limits",
        Kind::Table(&TASK_LIMITS),
        "Limits of one attempt; they only lower what the project sets.",
    ),
    may(
        "budget",
        Kind::Amount,
        "Most it may cost, in the project's currency unit; a share of the run's budget when absent.",
    ),
];

/// `TASK.ARTIFACT`.
pub(super) const ARTIFACT_REF: &str = r"^[a-z0-9][a-z0-9_-]{0,63}\.[a-z0-9][a-z0-9._-]{0,63}$";

const TASK: Shape = Shape {
    what: "a task",
    doc: "A task: work for an agent, or a wait for a signal.",
    fields: TASK_FIELDS,
};

const RETRY: Shape = Shape {
    what: "a retry rule",
    doc: "How often and how fast a failed task is tried again.",
    fields: &[
        must(
            "attempts",
            Kind::Int(1, 100),
            "Attempts altogether, the first one included.",
        ),
        may(
            "backoff",
            Kind::Duration { zero: true },
            "Wait before the second attempt; doubles for each further one; 1s when absent.",
        ),
        may(
            "max_backoff",
            Kind::Duration { zero: true },
            "The wait never grows past this; 1m when absent.",
        ),
    ],
};

const SESSION: Shape = Shape {
    what: "a session",
    doc: "Tasks that name the same session run one at a time in one live instance that keeps its memory.",
    fields: &[must(
        "pinned",
        Kind::Name("session"),
        "Name of the session.",
    )],
};

const WAIT_FOR: Shape = Shape {
    what: "a wait",
    doc: "A wait for something from outside.",
    fields: &[
        must(
            "signal",
            Kind::Name("signal type"),
            "`ci`, `review`, `human_approval`, or a type that the project declares.",
        ),
        may(
            "match",
            Kind::Map("field", &Kind::Text(SHORT)),
            "Fields that have to be equal; values may be templates.",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "The task fails after this long; waits for as long as the run when absent.",
        ),
    ],
};

const GATE: Shape = Shape {
    what: "a gate",
    doc: "A gate, which verifies the run.",
    fields: &[
        must("id", Kind::Name("gate"), "Unique in the workflow."),
        must("use", Kind::Name("plugin"), "A gate plugin of the project."),
        may(
            "config",
            Kind::JsonTable,
            "Its configuration, as its schema says.",
        ),
        may(
            "tier",
            Kind::Int(1, 100),
            "Gates of a tier run together, after every gate of the lower tiers passed; 1 when absent.",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "Longest it may take; the project's limit for attempts when absent.",
        ),
        WORKSPACE,
        FILES,
        HTTP,
        EXEC,
        MODEL,
        SECRETS,
        CHARGE,
        QUESTION,
    ],
};

const APPROVAL: Shape = Shape {
    what: "an approval rule",
    doc: "Who has to agree, to what.",
    fields: &[
        must("name", Kind::Name("approval rule"), "Its name."),
        must(
            "on",
            Kind::List(&Kind::Word(ApprovalRule::ON)),
            "What it is about. `task` and `result` are for tasks that name the rule; everything else applies by itself.",
        ),
        may(
            "roles",
            Kind::List(&Kind::Name("role")),
            "Roles that may decide; any when absent.",
        ),
        may(
            "count",
            Kind::Int(1, 100),
            "Different people that have to approve; 1 when absent.",
        ),
        may(
            "timeout",
            Kind::Duration { zero: false },
            "How long is waited; as long as the run when absent.",
        ),
        may(
            "on_timeout",
            Kind::Word(&["reject", "approve"]),
            "What happens then: `reject` (the default), or `approve`, which has to be written out.",
        ),
        may(
            "escalate",
            Kind::Name("role"),
            "Role that alone may decide after the timeout, for as long again; then it is rejected.",
        ),
        may(
            "self_approval",
            Kind::Bool,
            "Whether who started the run may decide; `true` when absent.",
        ),
    ],
};

const BUDGET: Shape = Shape {
    what: "[budget]",
    doc: "What the run may cost.",
    fields: &[
        must(
            "limit",
            Kind::Amount,
            "Most it may cost, in the project's currency unit.",
        ),
        may(
            "tokens",
            Kind::Int(0, 1_000_000_000_000),
            "Most tokens of text generation; as many as the money pays for when absent.",
        ),
        may(
            "over",
            Kind::Word(&["refuse", "ask"]),
            "What happens when that is not enough: the task is refused (`refuse`, the default) or waits for a person (`ask`).",
        ),
    ],
};
