//! A planner's draft is hostile input: each of these is refused with a reason that names the task and the field.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use proptest::prelude::*;
use sandgate_model::{DraftPlan, DraftTask, Plan, PluginName, TaskIx};
use sandgate_workflow::{Code, PlanErrors, Source, Workflow, check, freeze};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{catalog, project};

const WORKFLOW: &str = r#"
name = "brief"
goal = "Research {{ inputs.topic }}"

[inputs.topic]
type = "string"
default = "laptops"

[planner]
use = "rules"
review = "required"

[[task]]
id = "research"
agent = "researcher"
input = { topic = "{{ inputs.topic }}" }
produces = ["findings"]
"#;

fn workflow() -> Workflow {
    let (workflow, found) = check(
        &Source::new("brief.toml", WORKFLOW),
        &project(),
        Some(&catalog()),
    );
    assert!(found.is_empty(), "{found:?}");
    workflow.unwrap()
}

fn task(id: &str) -> DraftTask {
    DraftTask {
        id: id.to_owned(),
        agent: "writer".to_owned(),
        input: json!({}),
        ..DraftTask::default()
    }
}

fn try_freeze(tasks: Vec<DraftTask>) -> Result<Plan, PlanErrors> {
    let draft = DraftPlan {
        tasks,
        rationale: "because".to_owned(),
    };
    let workflow = workflow();
    let inputs = workflow.bind_inputs(&BTreeMap::new()).unwrap();
    freeze(
        &workflow,
        &project(),
        &catalog(),
        inputs,
        Some((PluginName::new("rules").unwrap(), draft)),
        1,
    )
}

/// Freezing fails with exactly these codes, in this order.
fn refused(tasks: Vec<DraftTask>, codes: &[Code]) -> PlanErrors {
    let errors = try_freeze(tasks).unwrap_err();
    let found: Vec<Code> = errors.diagnostics().iter().map(|d| d.code).collect();
    assert_eq!(found, codes, "{errors}");
    for d in errors.diagnostics().iter() {
        assert!(d.subject.is_some(), "{d:?}");
    }
    errors
}

#[test]
fn a_good_draft_is_added_to_the_written_tasks() {
    let mut draft = task("draft");
    draft.title = "Draft the email".to_owned();
    draft.consumes = vec!["research.findings".to_owned()];
    draft.produces = vec!["email.md".to_owned()];
    draft.input = json!({"text": "{{ tasks.research.output }}", "to": ["{{ inputs.topic }}"]});
    let mut send = task("send");
    send.needs = vec![
        "draft".to_owned(),
        "research".to_owned(),
        "draft".to_owned(),
    ];
    send.input = Value::Null;
    let plan = try_freeze(vec![draft, send]).unwrap();
    let ids: Vec<&str> = plan.tasks.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(ids, ["research", "draft", "send"]);
    assert_eq!(
        plan.tasks[1].needs,
        [TaskIx(0)],
        "what is consumed is needed"
    );
    assert_eq!(plan.tasks[2].needs, [TaskIx(0), TaskIx(1)]);
    assert_eq!(plan.goal, "Research laptops");
    assert!(plan.review);
    assert_eq!(plan.planner.as_ref().unwrap().as_str(), "rules");
    assert_eq!(plan.plugins.len(), 3);
    assert!(
        plan.tasks[1].grants.files.is_empty(),
        "the writer asks for nothing"
    );
    assert_eq!(plan.tasks[0].grants.files.len(), 2);
}

#[test]
fn ids() {
    refused(
        vec![
            task("Draft"),
            task("../x"),
            task(""),
            task("a.b"),
            task("ä"),
        ],
        &[Code::DRAFT_ID; 5],
    );
    refused(vec![task("a"), task("a")], &[Code::DRAFT_DUPLICATE]);
    refused(vec![task("research")], &[Code::DRAFT_REPLACES]);
    refused(
        vec![task("pay-1"), task("pay-l")],
        &[Code::DRAFT_CONFUSABLE],
    );
    refused(vec![task("re-search")], &[Code::DRAFT_CONFUSABLE]);
    refused(
        vec![task("{{ inputs.topic }}"), task("{% x %}")],
        &[Code::DRAFT_TEMPLATE_TEXT; 2],
    );
}

#[test]
fn needs() {
    let mut a = task("a");
    a.needs = vec![
        "nowhere".to_owned(),
        "a".to_owned(),
        "{{ inputs.topic }}".to_owned(),
    ];
    let errors = refused(
        vec![a],
        &[Code::DRAFT_NEED, Code::DRAFT_SELF_NEED, Code::DRAFT_NEED],
    );
    assert!(
        errors
            .to_string()
            .contains("task `a`, `needs`: needs `nowhere`"),
        "{errors}"
    );
}

#[test]
fn circles_are_shown() {
    let mut tasks: Vec<DraftTask> = ["a", "b", "c"].into_iter().map(task).collect();
    tasks[0].needs = vec!["b".to_owned()];
    tasks[1].needs = vec!["c".to_owned(), "research".to_owned()];
    tasks[2].needs = vec!["a".to_owned()];
    let errors = refused(tasks, &[Code::DRAFT_CYCLE]);
    assert!(errors.to_string().contains("a → b → c → a"), "{errors}");
}

#[test]
fn agents() {
    let agent = |id: &str, agent: &str| DraftTask {
        agent: agent.to_owned(),
        ..task(id)
    };
    refused(
        vec![
            agent("a", "nobody"),
            agent("b", "text-rules"),
            agent("c", "Not A Name"),
            agent("d", "reviewer"),
            agent("e", "missing"),
        ],
        &[Code::DRAFT_AGENT; 5],
    );
    // Needs a configuration; is refused what it needs; has a broken schema.
    refused(vec![agent("a", "comparer")], &[Code::DRAFT_AGENT]);
    refused(vec![agent("a", "buyer")], &[Code::REFUSED]);
    refused(vec![agent("a", "broken")], &[Code::BAD_SCHEMA]);
}

#[test]
fn artifacts() {
    let mut a = task("a");
    a.consumes = [
        "findings",
        "research.table",
        "nowhere.x",
        "a.own",
        "{{x}}.y",
    ]
    .map(str::to_owned)
    .to_vec();
    a.produces = ["own", "own", "../../etc", "ok.txt"]
        .map(str::to_owned)
        .to_vec();
    refused(
        vec![a],
        &[
            Code::DRAFT_ARTIFACT,
            Code::DRAFT_ARTIFACT,
            Code::DRAFT_ARTIFACT,
            Code::DRAFT_SELF_NEED,
            Code::DRAFT_ARTIFACT,
            Code::DRAFT_ARTIFACT,
            Code::DRAFT_ARTIFACT,
        ],
    );
}

#[test]
fn texts() {
    let title = |id: &str, title: String| DraftTask { title, ..task(id) };
    refused(
        vec![
            title("a", "{{ tasks.research.output }}".to_owned()),
            title("b", "x".repeat(300)),
            title("c", "a\u{1b}[31m".to_owned()),
        ],
        &[
            Code::DRAFT_TEMPLATE_TEXT,
            Code::DRAFT_TEXT,
            Code::DRAFT_TEXT,
        ],
    );
}

#[test]
fn inputs() {
    let input = |id: &str, agent: &str, input: Value| DraftTask {
        agent: agent.to_owned(),
        input,
        ..task(id)
    };
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    refused(
        vec![
            input("a", "writer", json!({"deep": deep})),
            input("b", "writer", json!({"large": "x".repeat(5 << 20)})),
            input("c", "researcher", json!({"topic": 7})),
            input("d", "researcher", json!({"topic": "x", "command": "rm"})),
        ],
        &[
            Code::DRAFT_INPUT_SIZE,
            Code::DRAFT_INPUT_SIZE,
            Code::DRAFT_INPUT,
            Code::DRAFT_INPUT,
        ],
    );
}

#[test]
fn templates() {
    let input = |id: &str, input: Value| DraftTask { input, ..task(id) };
    refused(
        vec![
            input("a", json!({"x": "{{ inputs.nothing }}"})),
            input("b", json!({"x": ["{{ tasks.a.output }}"]})),
            input("c", json!({"x": {"{{ inputs.topic }}": 1}})),
            input("d", json!({"x": "{% for i in range(9) %}{% endfor %}"})),
            input("e", json!({"x": "{{ ''.__class__ }}"})),
            input("f", json!({"x": "{{ item }}"})),
        ],
        &[
            Code::DRAFT_TEMPLATE,
            Code::DRAFT_TEMPLATE,
            Code::DRAFT_TEMPLATE_TEXT,
            Code::DRAFT_TEMPLATE,
            Code::DRAFT_TEMPLATE,
        ],
    );
}

#[test]
fn an_empty_draft_is_fine_only_beside_written_tasks() {
    assert_eq!(try_freeze(vec![]).unwrap().tasks.len(), 1);
    let text = "name = \"x\"\ngoal = \"y\"\n[planner]\nuse = \"rules\"\n";
    let (workflow, _) = check(&Source::new("x.toml", text), &project(), Some(&catalog()));
    let draft = Some((PluginName::new("rules").unwrap(), DraftPlan::default()));
    let errors = freeze(
        &workflow.unwrap(),
        &project(),
        &catalog(),
        BTreeMap::new(),
        draft,
        1,
    )
    .unwrap_err();
    assert_eq!(
        errors.diagnostics().iter().next().unwrap().code,
        Code::DRAFT_EMPTY
    );
}

#[test]
fn the_first_twenty_reasons_and_how_many_more() {
    let tasks: Vec<DraftTask> = (0..500)
        .map(|i| DraftTask {
            agent: "nobody".to_owned(),
            ..task(&format!("t{i}"))
        })
        .collect();
    let errors = try_freeze(tasks).unwrap_err();
    assert_eq!(errors.count(), 500);
    let text = errors.to_string();
    assert_eq!(text.lines().count(), 22, "{text}");
    assert!(text.starts_with("the plan is refused for 500 reasons"));
    assert!(text.ends_with("and 480 more"));
}

#[test]
fn too_many_tasks_are_refused_at_once() {
    refused(
        (0..100_000).map(|i| task(&format!("t{i}"))).collect(),
        &[Code::DRAFT_TOO_MANY],
    );
}

#[test]
fn inputs_that_were_not_bound_make_no_plan() {
    let workflow = workflow();
    let frozen = |inputs: Value| {
        let inputs = serde_json::from_value(inputs).unwrap();
        freeze(&workflow, &project(), &catalog(), inputs, None, 1)
    };
    assert!(frozen(json!({"topic": "x"})).is_ok());
    assert!(frozen(json!({})).is_err());
    assert!(frozen(json!({"topic": 7})).is_err());
    assert!(frozen(json!({"topic": "x", "more": 1})).is_err());
}

fn texts_of_all_kinds() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("research".to_owned()),
        Just("writer".to_owned()),
        Just("research.findings".to_owned()),
        Just("{{ tasks.research.output }}".to_owned()),
        Just("{{ tasks[".to_owned()),
        "\\PC{0,12}",
        any::<String>(),
    ]
}

fn draft_tasks() -> impl Strategy<Value = DraftTask> {
    let list = || proptest::collection::vec(texts_of_all_kinds(), 0..3);
    let text = texts_of_all_kinds;
    (text(), text(), text(), text(), list(), list(), list()).prop_map(
        |(id, title, agent, input, needs, consumes, produces)| DraftTask {
            id,
            title,
            agent,
            input: json!({"x": input}),
            needs,
            consumes,
            produces,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a planner says, the answer is a plan that holds its invariants, or reasons.
    #[test]
    fn any_draft_gives_a_plan_or_reasons(tasks in proptest::collection::vec(draft_tasks(), 0..6)) {
        match try_freeze(tasks) {
            Err(errors) => {
                prop_assert!(errors.count() > 0);
                let text = errors.to_string();
                prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
            }
            Ok(plan) => {
                for (i, task) in plan.tasks.iter().enumerate() {
                    prop_assert!(task.needs.is_sorted());
                    prop_assert!(task.needs.iter().all(|n| n.get() < plan.tasks.len() && n.get() != i));
                    let braces = task.id.as_str().contains('{');
                    prop_assert!(!braces);
                }
                let ids: std::collections::BTreeSet<_> = plan.tasks.iter().map(|t| &t.id).collect();
                prop_assert_eq!(ids.len(), plan.tasks.len());
            }
        }
    }
}
