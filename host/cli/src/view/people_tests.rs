//! What people read when they are to decide: whole, and inert whatever a plugin, a plan or another person wrote.

use super::{
    approvals, ask,
    fixture::{ALL, Script, plan, planned, play},
    plan as plan_view,
    review::{self, Beside},
    runs, status, summary,
    tests::story,
    why,
};
use crate::ui::Look;
use proptest::prelude::*;
use sandgate_engine::{Event, Run};
use sandgate_journal::Driving;
use sandgate_model::{
    About, Actor, Ask, AskNo, AttemptNo, Authenticated, Caller, Channel, Decision, Digest,
    ExecGrant, Millis, Moment, NeedKind, Plan, Question, Rule, RuleOn, RuleTimeout, SignalType,
    TaskIx, TaskWork, WaitFor,
};
use std::{collections::BTreeMap, sync::Arc};

fn actor(name: &str, roles: &[&str]) -> Actor {
    Actor {
        name: name.to_owned(),
        roles: roles.iter().map(ToString::to_string).collect(),
        operator: false,
        authenticated: Authenticated::Token,
        channel: Channel::Socket,
    }
}

fn lead() -> Rule {
    Rule {
        name: "lead-signs".into(),
        on: vec![RuleOn::Plan, RuleOn::Exec],
        roles: vec!["lead".into()],
        count: 2,
        timeout: Some(Millis(4 * 3_600_000)),
        on_timeout: RuleTimeout::Reject,
        self_approval: false,
    }
}

/// One task for each way to wait: for an approval, in the middle of a call, for an answer, for a signal.
fn waiting_plan() -> Plan {
    let mut plan = plan(false);
    plan.review = true;
    plan.tasks[0].approval_before = true;
    plan.tasks[1].grants.exec = vec![ExecGrant {
        name: "tag".into(),
        program: "git".into(),
        args: vec!["tag".into(), "{name:word}".into()],
        cwd: None,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        network: false,
        read: Vec::new(),
        timeout: None,
        approval: true,
    }];
    plan.tasks[2].needs.clear();
    plan.tasks[2].grants.question = true;
    let mut ci = plan.tasks[1].clone();
    ci.id = sandgate_model::TaskId::new("ci").unwrap();
    ci.grants = sandgate_model::Grants::default();
    ci.work = TaskWork::Wait(WaitFor {
        signal: SignalType::new("ci").unwrap(),
        matches: BTreeMap::from([("repo".to_owned(), "{{ inputs.to }}".to_owned())]),
        timeout: Some(Millis(7_200_000)),
    });
    plan.tasks.push(ci);
    plan
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn by(task: u32) -> Caller {
    Caller::Task {
        task: TaskIx(task),
        attempt: AttemptNo(1),
    }
}

fn decided(ask: u32, digest: Digest, decision: Decision, by: Actor, reason: &str) -> (u64, Event) {
    let ask = AskNo(ask);
    let reason = reason.to_owned();
    (
        60_000,
        Event::Decided {
            ask,
            digest,
            decision,
            by,
            reason,
        },
    )
}

fn suspended(task: u32, about: About, what: &str) -> Script {
    let ask = Ask {
        about,
        what: what.to_owned(),
        digest: digest(what),
    };
    vec![
        (
            1,
            Event::AttemptStarted {
                task: TaskIx(task),
                attempt: AttemptNo(1),
            },
        ),
        (
            900,
            Event::Suspended {
                by: by(task),
                ask,
                tape: digest("tape"),
                took: Millis(900),
            },
        ),
    ]
}

/// What is written by others in a story.
#[derive(Clone)]
struct Texts {
    what: String,
    question: String,
    choice: String,
    who: String,
    reason: String,
    field: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            what: "command git tag v1.2.0".into(),
            question: "Which version is it?\nThe notes name two.".into(),
            choice: "v1.2.0".into(),
            who: "anna".into(),
            reason: "read and fine".into(),
            field: "acme/site".into(),
        }
    }
}

/// Until the plan waits for review.
fn to_review(texts: &Texts) -> Script {
    let mut script = planned(waiting_plan(), ALL);
    if let Some((_, Event::RunCreated { rules, by, .. })) = script.first_mut() {
        *rules = vec![lead()];
        *by = Some(actor(&texts.who, &["dev"]));
    }
    script
}

/// Until all of it waits.
fn to_waits(texts: &Texts) -> Script {
    let mut script = to_review(texts);
    let plan = waiting_plan().digest().unwrap();
    for name in ["bert", "cleo"] {
        let by = actor(name, &["lead"]);
        script.push(decided(1, plan, Decision::YES, by, &texts.reason));
    }
    script.push((
        5,
        Event::Asked {
            ask: Ask {
                about: About::Task { task: TaskIx(0) },
                what: "task research".into(),
                digest: digest("task research"),
            },
        },
    ));
    let call = About::Call {
        by: by(1),
        kind: NeedKind::Exec,
    };
    script.extend(suspended(1, call, &texts.what));
    let question = Question {
        text: texts.question.clone(),
        choices: vec![texts.choice.clone(), "another".into()],
        default: Some(texts.choice.clone()),
        timeout: Some(Millis(600_000)),
    };
    let about = About::Question {
        by: by(2),
        question,
    };
    script.extend(suspended(2, about, &texts.question));
    script.push((
        5,
        Event::WaitStarted {
            task: TaskIx(3),
            matches: BTreeMap::from([("repo".to_owned(), texts.field.clone())]),
        },
    ));
    script
}

/// Until everything was said.
fn to_decisions(texts: &Texts) -> Script {
    let mut script = to_waits(texts);
    let for_run = Decision::Approve { for_run: true };
    for name in ["bert", "cleo"] {
        let by = actor(name, &["lead"]);
        script.push(decided(3, digest(&texts.what), for_run, by, &texts.reason));
    }
    let anna = actor(&texts.who, &["dev"]);
    script.push(decided(
        2,
        digest("task research"),
        Decision::NO,
        anna.clone(),
        &texts.reason,
    ));
    script.push((
        10,
        Event::Answered {
            ask: AskNo(4),
            answer: texts.choice.clone(),
            by: anna.clone(),
        },
    ));
    script.push((
        10,
        Event::Revoked {
            ask: AskNo(3),
            by: actor("bert", &["lead"]),
            reason: texts.reason.clone(),
        },
    ));
    script.push((
        10,
        Event::TaskPaused {
            task: TaskIx(3),
            by: anna.clone(),
        },
    ));
    script.push((
        10,
        Event::TaskCancelRequested {
            task: TaskIx(3),
            by: anna,
            reason: texts.reason.clone(),
        },
    ));
    script
}

fn later(run: &Run) -> Moment {
    Moment(run.created().0 + 300_000)
}

fn list(run: &Run, all: bool) -> String {
    let look = Look::plain();
    let runs = [run.clone()];
    approvals::text(&approvals::collect(&runs, all, &look), later(run), &look)
}

#[test]
fn everything_that_waits_is_listed_with_what_ends_it() {
    let (run, _) = play(to_waits(&Texts::default()));
    insta::assert_snapshot!(list(&run, false));
    let (before, _) = play(to_review(&Texts::default()));
    insta::assert_snapshot!("a_plan_that_waits_for_review", list(&before, false));
    let (after, _) = play(to_decisions(&Texts::default()));
    insta::assert_snapshot!("what_was_decided", list(&after, true));
}

#[test]
fn the_list_for_programs_has_no_key_twice() {
    let (run, _) = play(to_waits(&Texts::default()));
    let look = Look::plain();
    let runs = [run];
    let text = serde_json::to_string_pretty(&approvals::collect(&runs, true, &look)).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        serde_json::to_string_pretty(&value).unwrap().len(),
        text.len()
    );
    assert_eq!(value["approvals"][1]["id"], "deadbeef/3");
    assert_eq!(
        value["approvals"][1]["command"],
        "sandgate approve deadbeef/3"
    );
    assert_eq!(
        value["questions"][0]["command"],
        "sandgate answer deadbeef/4 TEXT"
    );
    assert_eq!(value["signals"][0]["match"]["repo"], "acme/site");
    assert_eq!(value["plans"][0]["state"], "approved");
}

#[test]
fn why_has_the_exact_command() {
    let (run, _) = play(to_waits(&Texts::default()));
    let summary = run.summary();
    let found = why::collect(&summary, run.open_waits(), None);
    insta::assert_snapshot!(why::text(&summary, &found, later(&run), &Look::plain()));
}

#[test]
fn status_and_summary_name_the_requests() {
    let (run, _) = play(to_waits(&Texts::default()));
    let summary = run.summary();
    let look = Look::plain();
    insta::assert_snapshot!(status::text(&summary, &Driving::Nobody, later(&run), &look));
    insta::assert_snapshot!("summary_that_waits", summary::text(&summary, &look));
    let row = runs::Row {
        row: sandgate_driver::row(&run),
        asks: run.open_asks().count(),
    };
    let table = runs::text(&[row], &look);
    assert!(table.contains("running  NEEDS RESPONSE"), "{table}");
}

#[test]
fn decisions_in_words() {
    insta::assert_snapshot!(story(to_decisions(&Texts::default())));
}

fn visible(text: &str) -> bool {
    text.lines()
        .all(|l| l.bytes().all(|b| (0x20..0x7f).contains(&b)))
}

fn plan_text(plan: &Plan) -> Vec<String> {
    review::lines(plan, &Beside::default())
}

#[test]
fn a_plan_to_review_is_whole() {
    let (run, _) = play(to_review(&Texts::default()));
    let mut plan = Plan::clone(run.plan().unwrap());
    if let TaskWork::Agent { input, .. } = &mut plan.tasks[0].work {
        *input = serde_json::json!({ "topic": "lapt\u{43e}ps", "files": ["a", "b"] });
    }
    let view = run.ask(AskNo(1)).unwrap();
    let what = ask::What::Lines(plan_text(&plan));
    let shown = ask::text(&run, &view, &what, later(&run), &Look::plain());
    assert!(shown.plain && visible(&shown.text));
    insta::assert_snapshot!(shown.text);
    assert!(!plan_view::text(&plan, None, &Look::plain()).is_empty());
}

#[test]
fn what_is_approved_is_shown_whole_or_needs_its_digest() {
    let (run, _) = play(to_waits(&Texts::default()));
    let view = run.ask(AskNo(3)).unwrap();
    let text = |bytes: &[u8]| {
        let what = ask::What::Bytes(bytes);
        ask::text(&run, &view, &what, later(&run), &Look::plain().columns(100))
    };
    let short = text(br#"{"program":"git","args":["tag","v1.2.0"]}"#);
    assert!(short.plain);
    insta::assert_snapshot!(short.text);
    let long = text("one line\n".repeat(500).as_bytes());
    assert!(!long.plain);
    assert_eq!(long.text.matches("| one line\n").count(), 500);
    let wide = text("x".repeat(30_000).as_bytes());
    assert!(!wide.plain && wide.text.contains(&"x".repeat(30_000)));
    let odd = text(b"rm -rf \xff/");
    assert!(
        !odd.plain && odd.text.contains("rm -rf \\xff/"),
        "{}",
        odd.text
    );
}

fn raw(text: &str) -> bool {
    text.chars().any(|c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_that_others_wrote_reaches_the_terminal_raw(text in crate::ui::hostile(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let evil = format!("{text}\nrequest deadbeef/9: fine\n{text}");
        let texts = Texts {
            what: evil.clone(),
            question: format!("?{evil}"),
            choice: format!("c{evil}"),
            who: evil.clone(),
            reason: evil.clone(),
            field: evil.clone(),
        };
        let (run, _) = play(to_waits(&texts));
        let look = Look::plain();
        let summary = run.summary();
        let found = why::collect(&summary, run.open_waits(), None);
        let mut outputs = vec![
            list(&run, true),
            why::text(&summary, &found, later(&run), &look),
            status::text(&summary, &Driving::Nobody, later(&run), &look),
            summary::text(&summary, &look),
            story(to_decisions(&texts)),
        ];
        for view in run.asks() {
            outputs.push(ask::question(&run, &view, &look));
            for what in [bytes.as_slice(), evil.as_bytes()] {
                let shown = ask::text(&run, &view, &ask::What::Bytes(what), later(&run), &look);
                prop_assert!(visible(&shown.text), "{:?}", shown.text);
                outputs.push(shown.text);
            }
        }
        let mut plan = Plan::clone(run.plan().unwrap());
        plan.goal.clone_from(&evil);
        plan.rationale.clone_from(&evil);
        plan.inputs.insert(evil.clone(), serde_json::json!(evil));
        plan.tasks[0].title.clone_from(&evil);
        plan.tasks[0].when = Some(evil.clone());
        plan.tasks[1].grants.exec[0].args.push(evil.clone());
        if let TaskWork::Agent { input, config, .. } = &mut plan.tasks[1].work {
            *input = serde_json::json!({ evil.clone(): [evil] });
            *config = serde_json::json!(evil);
        }
        let plan = Arc::new(plan);
        let lines = plan_text(&plan);
        prop_assert!(lines.iter().all(|l| visible(l) && !l.contains('\n')));
        for out in outputs {
            prop_assert!(!raw(&out), "{out:?}");
            prop_assert!(!out.lines().any(|l| l.starts_with("request deadbeef/9")), "{out}");
        }
    }
}
