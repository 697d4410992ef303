//! Planners and gates have tapes as agents do.

use crate::roles::{packet, planner};
use crate::support::*;
use sandgate_sandbox::{NoArtifacts, Outcome, Subject, Tape};
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn a_plan_is_made_again_from_its_tape() {
    let wanted = planner();
    let tape = Tape::recording();
    let mut call = wanted.call();
    call.turn.tape = Some(tape.clone());
    let first = SANDBOX.plan(&call, &packet(), &json!("")).await;
    let first = first.outcome.split().unwrap();
    let segments = [tape.take()];
    let mut again = |segments: &[Vec<u8>]| call.turn.tape = Some(Tape::resume(segments).unwrap());
    again(&segments);
    let second = SANDBOX.plan(&call, &packet(), &json!("")).await;
    assert_eq!(second.outcome.split().unwrap(), first);
    // A tape is for one call.
    let used = SANDBOX.plan(&call, &packet(), &json!("")).await;
    assert!(matches!(used.outcome, Outcome::Host { .. }));
    let mut other = packet();
    other.goal = "another".to_owned();
    let mut call = call.clone();
    for n in 0..3 {
        call.turn.tape = Some(Tape::resume(&segments).unwrap());
        let report = match n {
            0 => SANDBOX.plan(&call, &other, &json!("")).await,
            1 => SANDBOX.plan(&call, &packet(), &json!("cycle")).await,
            _ => SANDBOX.replan(&call, &packet(), &json!("")).await,
        };
        assert!(matches!(report.outcome, Outcome::Diverged { .. }), "{n}");
    }
}

#[tokio::test]
async fn a_gate_checks_again_from_its_tape() {
    let wanted = Try::new(hostile_gate());
    let subject = |goal: &str| Subject {
        goal: goal.to_owned(),
        inputs: json!({}),
        tasks: Vec::new(),
        artifacts: Arc::new(NoArtifacts),
    };
    let tape = Tape::recording();
    let mut call = wanted.call();
    call.turn.tape = Some(tape.clone());
    let first = SANDBOX.check(&call, subject("goal"), &json!("")).await;
    let segments = [tape.take()];
    call.turn.tape = Some(Tape::resume(&segments).unwrap());
    let second = SANDBOX.check(&call, subject("goal"), &json!("")).await;
    assert_eq!(
        format!("{:?}", second.outcome),
        format!("{:?}", first.outcome)
    );
    call.turn.tape = Some(Tape::resume(&segments).unwrap());
    let other = SANDBOX.check(&call, subject("another"), &json!("")).await;
    assert!(matches!(other.outcome, Outcome::Diverged { .. }));
}
