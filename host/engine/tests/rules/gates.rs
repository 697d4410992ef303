use crate::play::{Play, checks};
use sandgate_engine::{Command, Event, GateEnd, GateState, Outcome, RunState};
use sandgate_model::{AttemptNo, GateIx, Verdict};
use sandgate_testkit::{PlanBuilder, TaskBuilder};

fn verifying(gates: &[u32], concurrency: u32) -> Play {
    let mut plan = PlanBuilder::new()
        .concurrency(concurrency)
        .task(TaskBuilder::new("a"));
    for (n, tier) in gates.iter().enumerate() {
        plan = plan.gate(&format!("g{n}"), *tier);
    }
    let mut play = Play::of(plan.build());
    play.start();
    play.ok("a");
    play
}

fn states(play: &Play) -> Vec<&'static str> {
    play.run.gates().map(|gate| gate.state.as_str()).collect()
}

fn pass() -> GateEnd {
    checks(&[Verdict::Pass])
}

#[test]
fn tiers_follow_each_other() {
    let mut play = verifying(&[5, 1, 1, 2], 8);
    play.is(RunState::Verifying);
    assert_eq!(play.start(), ["g1", "g2"]);
    play.gate(2, pass());
    assert_eq!(play.start(), [""; 0]);
    assert_eq!(states(&play), ["pending", "running", "passed", "pending"]);
    play.gate(1, pass());
    assert_eq!(play.start(), ["g3"]);
    play.gate(3, pass());
    assert_eq!(play.start(), ["g0"]);
    assert_eq!(play.gate(0, pass()), [Command::Finish]);
    assert_eq!(
        (play.run.state(), play.run.outcome()),
        (RunState::Verified, Some(Outcome::Verified))
    );
}

#[test]
fn gates_keep_to_the_slots() {
    let mut play = verifying(&[0, 0, 0], 2);
    assert_eq!(play.start(), ["g0", "g1"]);
    let third = Event::GateStarted {
        gate: GateIx(2),
        attempt: AttemptNo(1),
    };
    assert!(play.refuses(third).contains("every slot is taken"));
}

#[test]
fn whatever_is_not_a_pass_blocks() {
    let bad = [
        checks(&[]),
        checks(&[Verdict::Pass, Verdict::Fail]),
        checks(&[Verdict::NeedsHuman]),
        checks(&[Verdict::Inconclusive]),
        GateEnd::Inconclusive {
            message: "trap".to_owned(),
        },
        GateEnd::Cancelled,
    ];
    for end in bad {
        let mut play = verifying(&[0, 0, 1], 4);
        play.start();
        play.gate(0, end.clone());
        play.is(RunState::Verifying);
        assert_eq!(
            play.gate(1, pass()),
            [Command::Finish],
            "the tier ends first, so that all is known"
        );
        assert_eq!(states(&play), ["blocked", "passed", "not-run"], "{end:?}");
        assert_eq!(
            (play.run.state(), play.run.outcome()),
            (RunState::Failed, Some(Outcome::Failed))
        );
        let checks = play.run.summary().checks;
        assert!(
            checks.iter().any(|c| c.verdict != Verdict::Pass),
            "{checks:?}"
        );
    }
}

#[test]
fn an_interrupted_gate_runs_again_and_an_old_answer_is_refused() {
    let mut play = verifying(&[0], 1);
    play.start();
    play.gate(0, GateEnd::Interrupted);
    assert_eq!(play.start(), ["g0"]);
    let old = Event::GateEnded {
        gate: GateIx(0),
        attempt: AttemptNo(1),
        end: pass(),
        took: sandgate_model::Millis(1),
    };
    assert!(play.refuses(old).contains("attempt 2 of gate `g0` runs"));
    play.gate(0, pass());
    play.is(RunState::Verified);
}

#[test]
fn verification_is_repeated_only_when_asked_for() {
    let mut play = verifying(&[0, 1], 1);
    play.start();
    play.gate(0, checks(&[Verdict::Fail]));
    play.is(RunState::Failed);
    assert_eq!(play.run.next_start(), None);
    assert!(
        play.refuses(Event::RetryRequested {
            tasks: vec![],
            by: None
        })
        .contains("no task of it failed")
    );
    play.must(Event::VerifyRequested);
    play.is(RunState::Verifying);
    assert_eq!(play.run.outcome(), None);
    for gate in 0..2 {
        play.start();
        play.gate(gate, pass());
    }
    play.is(RunState::Verified);
    assert!(
        play.refuses(Event::VerifyRequested)
            .contains("verified already")
    );
}

#[test]
fn a_pause_and_a_cancel_hold_gates_too() {
    let mut play = verifying(&[0, 0], 1);
    play.start();
    play.must(Event::Paused { by: None });
    play.gate(0, pass());
    assert_eq!(play.start(), [""; 0]);
    play.must(Event::Resumed { by: None });
    assert_eq!(play.start(), ["g1"]);
    let cancel = Command::CancelGate {
        gate: GateIx(1),
        attempt: AttemptNo(1),
    };
    assert_eq!(play.cancel(), [cancel]);
    assert_eq!(
        play.gate(1, pass()),
        [Command::Finish],
        "a pass after a cancel is not used"
    );
    play.is(RunState::Cancelled);
    assert_eq!(play.run.gates().nth(1).unwrap().state, GateState::Cancelled);
}
