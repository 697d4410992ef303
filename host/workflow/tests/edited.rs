//! A plan that a person edits: what is written is read back the same, and what comes back is hostile input.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use proptest::prelude::*;
use sandgate_model::{DraftPlan, DraftTask, Plan, PluginName};
use sandgate_workflow::{
    Code, Diagnostics, Source, Style, Workflow, check, editable, freeze, freeze_edited, plan_diff,
    read_edited,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{catalog, project};

const PLANNED: &str = r#"
name = "brief"
goal = "Research {{ inputs.topic }}"

[inputs.topic]
type = "string"
default = "laptops\n\u001b[2J"

[planner]
use = "rules"
review = "required"

[[task]]
id = "research"
agent = "researcher"
input = { topic = "{{ inputs.topic }}" }
produces = ["findings", "notes.md"]

[[task]]
id = "released"
needs = ["research"]
wait_for = { signal = "ci" }
"#;

fn workflow(text: &str) -> Workflow {
    let (workflow, found) = check(
        &Source::new("brief.toml", text),
        &project(),
        Some(&catalog()),
    );
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    workflow.unwrap()
}

fn written() -> Workflow {
    let start = PLANNED.find("[planner]").unwrap();
    let end = PLANNED.find("[[task]]").unwrap();
    workflow(&format!("{}{}", &PLANNED[..start], &PLANNED[end..]))
}

fn plan(workflow: &Workflow, draft: Option<DraftPlan>) -> Plan {
    let inputs = workflow.bind_inputs(&BTreeMap::new()).unwrap();
    let draft = draft.map(|d| (PluginName::new("rules").unwrap(), d));
    freeze(workflow, &project(), &catalog(), inputs, draft, 1).unwrap()
}

/// Reads a document and freezes it as the next revision.
fn again(workflow: &Workflow, plan: &Plan, text: &str) -> Plan {
    let (draft, found) = read_edited(&Source::new("plan.toml", text));
    assert!(found.is_empty(), "{text}\n{}", found.render(Style::Plain));
    freeze_edited(
        workflow,
        &project(),
        &catalog(),
        plan.inputs.clone(),
        plan.planner.clone(),
        draft.unwrap(),
        plan.revision + 1,
    )
    .unwrap()
}

fn mistakes(text: &str) -> Diagnostics {
    let (draft, found) = read_edited(&Source::new("plan.toml", text));
    assert_eq!(draft.is_none(), found.has_errors());
    found
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \"'\\\\#\\[\\]={}]{0,12}",
        "(\"\"\"|\n|\r\n|\t|'''|\\\\u0041|\u{1b}|\u{202e}|\u{0}|\u{7f}|é|💡| ){0,6}",
        Just("\n[[task]]\nid = \"evil\"\nagent = \"writer\"".to_owned()),
        Just(String::new()),
    ]
    // Template text is checked on its own; here it would only be refused.
    .prop_filter("no template", |t| {
        !t.contains("{{") && !t.contains("{%") && !t.contains("{#")
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Halves and quarters, and far from 1, are what they are in any reader.
        (-1_000_000_i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 4.0)),
        Just(Value::from(1e300)),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(texts(), inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn drafts() -> impl Strategy<Value = DraftPlan> {
    let task = (
        texts().prop_filter("a title is one line", |t| !t.chars().any(char::is_control)),
        prop::collection::btree_map(texts(), values(), 0..4),
        any::<[bool; 5]>(),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    );
    (prop::collection::vec(task, 1..5), texts()).prop_map(|(list, rationale)| {
        let mut tasks: Vec<DraftTask> = Vec::new();
        for (i, (title, input, [a, b, c, d, empty], needs)) in list.into_iter().enumerate() {
            let earlier: Vec<String> = tasks.iter().map(|t| t.id.clone()).collect();
            let mut task = DraftTask {
                id: format!("t{i}"),
                title,
                agent: if a { "writer" } else { "saver" }.to_owned(),
                input: Value::Object(input.into_iter().collect()),
                ..DraftTask::default()
            };
            if empty {
                task.input = Value::Null;
            }
            for at in needs {
                if !earlier.is_empty() {
                    task.needs.push(at.get(&earlier).clone());
                }
            }
            if b {
                task.needs.push("released".to_owned());
            }
            if c {
                task.consumes.push("research.notes.md".to_owned());
                task.consumes.push("research.findings".to_owned());
            }
            if d {
                task.produces = vec!["z".to_owned(), "a.b".to_owned()];
            }
            tasks.push(task);
        }
        DraftPlan { tasks, rationale }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(400)))]

    /// A plan that nobody changes in the editor is the same plan, but for its revision.
    #[test]
    fn what_is_written_is_read_back(draft in drafts()) {
        let workflow = workflow(PLANNED);
        let first = plan(&workflow, Some(draft));
        let text = editable(&first, &workflow);
        // Nothing of it can leave its place or hide on a screen.
        let hidden = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!text.contains(hidden), "{text:?}");
        let second = again(&workflow, &first, &text);
        prop_assert_eq!(second.revision, 2);
        prop_assert!(plan_diff(&first, &second).is_empty(), "{:#?}", plan_diff(&first, &second).lines);
        prop_assert_eq!(Plan { revision: 1, ..second }, first);
    }

    /// Whatever is in the file, reading it ends, and there is a draft or a reason.
    #[test]
    fn reading_never_fails_without_a_reason(text in "([\\[\\]{}=\"'\n,. #\\\\]|task|id|input|agent|needs|null|1e9|\u{0}){0,60}") {
        mistakes(&text);
    }
}

#[test]
fn tasks_are_added_to_a_workflow_without_a_planner() {
    let workflow = written();
    let first = plan(&workflow, None);
    let text = editable(&first, &workflow);
    assert!(
        text.contains("#   research: agent researcher; produces findings, notes.md"),
        "{text}"
    );
    assert!(
        text.contains("#   released: waits for ci; needs research"),
        "{text}"
    );
    assert_eq!(again(&workflow, &first, &text).digest().unwrap(), {
        let mut same = first.clone();
        same.revision = 2;
        same.digest().unwrap()
    });
    let more = format!(
        "{text}\n[[task]]\nid = \"mail\"\nagent = \"writer\"\nconsumes = [\"research.findings\"]\n\n\
         [task.input]\nto = \"{{{{ inputs.topic }}}}\"\nnote = \"\"\"\ntwo\nlines\"\"\"\n"
    );
    let second = again(&workflow, &first, &more);
    assert_eq!(second.tasks.len(), 3);
    assert_eq!(second.planner, None);
    assert!(!second.review);
    let diff = plan_diff(&first, &second);
    assert_eq!(diff.tasks.len(), 1);
    assert_eq!(diff.tasks[0].id, "mail");
    let third = again(&workflow, &second, &editable(&second, &workflow));
    assert!(plan_diff(&second, &third).is_empty());
}

#[test]
fn what_was_edited_is_checked_like_a_draft() {
    let workflow = workflow(PLANNED);
    let first = plan(&workflow, Some(DraftPlan::default()));
    let frozen = |text: &str| {
        let (draft, found) = read_edited(&Source::new("plan.toml", text));
        assert!(found.is_empty(), "{}", found.render(Style::Plain));
        freeze_edited(
            &workflow,
            &project(),
            &catalog(),
            first.inputs.clone(),
            first.planner.clone(),
            draft.unwrap(),
            2,
        )
    };
    for (text, code) in [
        (
            "[[task]]\nid = \"research\"\nagent = \"writer\"",
            Code::DRAFT_REPLACES,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"nobody\"",
            Code::DRAFT_AGENT,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"text-rules\"",
            Code::DRAFT_AGENT,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"writer\"\nneeds = [\"b\"]",
            Code::DRAFT_NEED,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"writer\"\nconsumes = [\"research.other\"]",
            Code::DRAFT_ARTIFACT,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"writer\"\nneeds = [\"b\"]\n[[task]]\nid = \"b\"\nagent = \"writer\"\nneeds = [\"a\"]",
            Code::DRAFT_CYCLE,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"researcher\"\ninput = { topic = 3 }",
            Code::DRAFT_INPUT,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"writer\"\ninput = { x = \"{{ secrets.key }}\" }",
            Code::DRAFT_TEMPLATE,
        ),
        (
            "[[task]]\nid = \"a\"\nagent = \"writer\"\ntitle = \"\\u001b[2J\"",
            Code::DRAFT_TEXT,
        ),
    ] {
        let errors = frozen(text).unwrap_err();
        assert!(
            errors.diagnostics().iter().any(|d| d.code == code),
            "{text}: {errors}"
        );
    }
    // Nothing at all is a plan here, for there are written tasks.
    assert_eq!(frozen("").unwrap().tasks.len(), 2);
}

#[test]
fn sizes_and_depths_are_bounded() {
    let deep = format!(
        "[[task]]\nid = \"a\"\nagent = \"writer\"\ninput = {}1{}",
        "[".repeat(70),
        "]".repeat(70)
    );
    assert!(mistakes(&deep).has_errors());
    let very_deep = format!("x = {}", "[".repeat(1_000_000));
    assert!(mistakes(&very_deep).has_errors());
    let json = format!(
        "[[task]]\nid = \"a\"\nagent = \"writer\"\ninput_json = \"{}\"",
        "[".repeat(100_000)
    );
    assert!(mistakes(&json).iter().any(|d| d.code == Code::NOT_JSON));
    let long = format!("rationale = \"{}\"", "x".repeat(70_000));
    assert!(mistakes(&long).iter().any(|d| d.code == Code::TOO_LONG));
    let many = "[[task]]\nid = \"a\"\nagent = \"w\"\n".repeat(100_001);
    let found = mistakes(&many);
    assert_eq!(found.iter().next().unwrap().code, Code::TOO_MANY_TASKS);
}

/// A large plan is written and read back in linear time.
#[test]
fn ten_thousand_tasks() {
    let workflow = workflow(PLANNED);
    let tasks = (0..10_000)
        .map(|i| DraftTask {
            id: format!("t{i}"),
            agent: "writer".to_owned(),
            input: json!({"n": i, "of": [1, 2, 3]}),
            needs: if i == 0 {
                vec![]
            } else {
                vec![format!("t{}", i - 1)]
            },
            ..DraftTask::default()
        })
        .collect();
    let first = plan(
        &workflow,
        Some(DraftPlan {
            tasks,
            rationale: String::new(),
        }),
    );
    let start = std::time::Instant::now();
    let text = editable(&first, &workflow);
    let second = again(&workflow, &first, &text);
    assert!(plan_diff(&first, &second).is_empty());
    println!(
        "{} bytes, 10000 tasks, written, read, frozen and compared in {:?}",
        text.len(),
        start.elapsed()
    );
    assert!(start.elapsed().as_secs() < 20);
}
