//! What was written before there were budgets and calls still reads, and means the same.

use sandgate_engine::{Allowance, Event, Outcome, Run, RunState, Snapshot};
use sandgate_model::{Amount, Moment};
use sandgate_testkit::run_id;

/// The events of a run as the first version stored them, word for word.
const JOURNAL: &str = r#"
{"type":"run-created","workflow":"test","file":"test.toml","source":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","goal":"test","inputs":{},"steps":{"dispatch":true,"verify":true},"planners":["rules"]}
{"type":"planning-started"}
{"type":"plan-frozen","digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","plan":{"format":1,"workflow":"test","goal":"test","revision":1,"planner":"rules","inputs":{},"plugins":{},"tasks":[{"id":"a","work":{"agent":{"agent":"worker","input":null,"config":null,"session":"spawn"}},"retry":{"attempts":2,"backoff":0,"max_backoff":60000},"timeout":60000,"priority":0,"repeatable":false,"approval_before":false,"grants":{"files":[]}}],"gates":[{"id":"g","plugin":"checker","config":null,"tier":0,"timeout":60000,"grants":{"files":[]}}],"concurrency":4,"on_failure":"continue","timeout":null,"review":false}}
{"type":"attempt-started","task":0,"attempt":1}
{"type":"host-started"}
{"type":"attempt-started","task":0,"attempt":2}
{"type":"attempt-ended","task":0,"attempt":2,"end":{"end":"output","output":{"inline":"done"},"charges":[{"what":"tokens","micros":30}]},"took":5}
{"type":"gate-started","gate":0,"attempt":1}
{"type":"gate-ended","gate":0,"attempt":1,"end":{"end":"checks","checks":[{"name":"check","verdict":"pass","message":"","duration":null}]},"took":7}
"#;

fn replay() -> Run {
    let events: Vec<Event> = JOURNAL
        .trim()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let (mut run, _) = Run::create(run_id(1), Moment(0), &events[0]).unwrap();
    for (at, event) in (1..).zip(&events[1..]) {
        run.step(Moment(at), event).unwrap();
    }
    run
}

#[test]
fn an_old_journal_replays() {
    let run = replay();
    assert_eq!(
        (run.state(), run.outcome()),
        (RunState::Verified, Some(Outcome::Verified))
    );
    assert_eq!(run.limit(), Allowance::OPEN);
    assert_eq!(
        run.spent(),
        Amount {
            micros: 30,
            tokens: 0
        }
    );
    assert_eq!(run.summary().cost_micros, 30);
    assert_eq!(run.summary().charges["tokens"], 30);
}

#[test]
fn new_events_of_a_run_without_budget_look_like_old_ones() {
    for line in JOURNAL.trim().lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        let again = serde_json::to_value(&event).unwrap();
        assert_eq!(again.get("budget"), None, "{again}");
        assert_eq!(again["type"], event.kind());
    }
}

#[test]
fn an_old_snapshot_restores() {
    let mut document = serde_json::to_value(replay().snapshot()).unwrap();
    document.as_object_mut().unwrap().remove("ledger");
    for task in document["tasks"].as_array_mut().unwrap() {
        task.as_object_mut().unwrap().remove("paid");
    }
    let snapshot: Snapshot = serde_json::from_value(document).unwrap();
    let run = Run::restore(snapshot).unwrap();
    assert_eq!(
        (run.state(), run.spent()),
        (RunState::Verified, Amount::NOTHING)
    );
}

/// Events as they were before people could decide, word for word; by the order in which a run could have them.
const QUIET: &str = r#"
{"type":"run-created","workflow":"test","file":"test.toml","source":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","goal":"test","inputs":{},"steps":{"dispatch":true,"verify":true},"planners":["rules"]}
{"type":"planning-started"}
{"type":"plan-frozen","digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","plan":{"format":1,"workflow":"test","goal":"test","revision":1,"planner":"rules","inputs":{},"plugins":{},"tasks":[{"id":"a","work":{"agent":{"agent":"worker","input":null,"config":null,"session":"spawn"}},"retry":{"attempts":1,"backoff":0,"max_backoff":60000},"timeout":60000,"priority":0,"repeatable":false,"approval_before":false,"grants":{"files":[],"budget":true}}],"gates":[],"concurrency":4,"on_failure":"continue","timeout":null,"review":false}}
{"type":"paused"}
{"type":"resumed"}
{"type":"attempt-started","task":0,"attempt":1}
{"type":"call-started","by":{"by":"task","task":0,"attempt":1},"call":1,"request":{"kind":"budget","what":"charge","digest":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
{"type":"call-ended","by":{"by":"task","task":0,"attempt":1},"call":1,"end":{"end":"done","note":"ok"},"took":3}
{"type":"host-started"}
{"type":"retry-requested","tasks":[0]}
{"type":"cancel-requested","reason":"enough"}
"#;

#[test]
fn events_from_before_people_could_decide_still_read_and_look_the_same() {
    let mut run: Option<Run> = None;
    let mut read = 0;
    for (at, line) in (0..).zip(QUIET.trim().lines()) {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        match &mut run {
            None => run = Some(Run::create(run_id(1), Moment(0), &event).unwrap().0),
            Some(run) => drop(run.step(Moment(at), &event).unwrap()),
        }
        // Nothing new is written for what is not there.
        let again = serde_json::to_value(&event).unwrap();
        for field in ["by", "rules", "tape"] {
            let old: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(again.get(field), old.get(field), "{field} of {line}");
        }
        read += 1;
    }
    let run = run.unwrap();
    assert_eq!(run.state(), RunState::Cancelled);
    assert_eq!(
        (run.asks().count(), run.started_by(), run.rules()),
        (0, None, &[][..])
    );
    println!("{read} old events read");
}

#[test]
fn a_snapshot_from_before_people_could_decide_restores() {
    let document = serde_json::to_value(replay().snapshot()).unwrap();
    for field in ["asks", "feedback", "planner"] {
        assert_eq!(
            document.get(field),
            None,
            "{field} is left out while there is none"
        );
    }
    assert_eq!(document["order"].get("rules"), None);
}
