//! Who decides about what, and when it counts.

use crate::people::{asked, digest, governed, rule, who, with};
use crate::play::{Play, failure, output};
use sandgate_engine::{
    AskState, Command, DecideRefusal, Evaluated, Event, Judged, Outcome, RunState, Timer, Wait,
};
use sandgate_model::{
    About, Actor, AskNo, Decision, FailureClass, Millis, Moment, OverBudget, RuleOn, RuleTimeout,
    TaskIx,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use std::sync::Arc;

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

fn reviewed() -> PlanBuilder {
    PlanBuilder::new().task(t("a")).review()
}

fn judged(play: &Play, no: u32, decision: Decision, by: &Actor) -> Result<Judged, DecideRefusal> {
    let digest = play.run.ask(AskNo(no)).unwrap().ask.digest;
    play.run.judge(AskNo(no), digest, decision, by)
}

#[test]
fn without_a_rule_one_yes_of_anybody_is_enough() {
    let (mut play, _) = governed(vec![], &[], reviewed().build());
    assert_eq!(play.open(), [1]);
    assert_eq!(
        play.run.waits(),
        [Wait::PlanApproval {
            ask: Some(AskNo(1))
        }]
    );
    let starter = who("starter", &[]);
    assert_eq!(
        judged(&play, 1, Decision::YES, &starter),
        Ok(Judged::New {
            ends: Some(AskState::Approved)
        })
    );
    play.approve(1, &starter);
    play.is(RunState::Running);
    assert_eq!((play.open(), play.ask_state(1)), (vec![], "approved"));
    let view = play.run.ask(AskNo(1)).unwrap();
    assert_eq!(view.decided.unwrap().by, starter);
    assert_eq!(view.votes.len(), 1);
    assert_eq!(play.start(), ["a"]);
}

#[test]
fn the_first_decision_stands_a_repeat_is_fine_and_the_opposite_names_the_winner() {
    let (mut play, _) = governed(vec![], &[], reviewed().build());
    let (ann, bob) = (who("ann", &[]), who("bob", &[]));
    play.approve(1, &ann);
    let winner = play.run.ask(AskNo(1)).unwrap().decided.unwrap().clone();
    assert_eq!(winner.by.name, "ann");
    for by in [&ann, &bob] {
        assert_eq!(
            judged(&play, 1, Decision::YES, by),
            Ok(Judged::Repeat {
                winner: winner.clone()
            })
        );
        let no = judged(&play, 1, Decision::NO, by).unwrap_err();
        assert_eq!(no.to_string(), "ann said yes first");
        for decision in [Decision::YES, Decision::NO] {
            let event = play.decision(1, decision, by);
            assert!(play.refuses(event).contains("ann"));
        }
    }
}

#[test]
fn every_rule_that_applies_has_to_be_satisfied_and_one_no_is_enough() {
    let plan = || PlanBuilder::new().task(t("a")).review().build();
    let rules = || {
        let mut two = rule("two", RuleOn::Plan, &["dev", "lead"]);
        two.count = 2;
        vec![
            two,
            rule("security", RuleOn::Plan, &["security"]),
            rule("other", RuleOn::Exec, &["nobody"]),
        ]
    };
    let (mut play, _) = governed(rules(), &[], plan());
    let ann = who("ann", &["dev"]);
    let both = who("both", &["lead", "security"]);
    let stranger = who("stranger", &["guest"]);
    let refused = judged(&play, 1, Decision::YES, &stranger).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`stranger` may not decide about this: rule `two` asks for whoever has the role `dev` or `lead`; rule \
         `security` asks for whoever has the role `security`"
    );
    assert!(matches!(
        judged(&play, 1, Decision::NO, &stranger),
        Err(DecideRefusal::NotAllowed { .. })
    ));
    assert_eq!(
        judged(&play, 1, Decision::YES, &ann),
        Ok(Judged::New { ends: None })
    );
    play.approve(1, &ann);
    assert!(
        matches!(
            judged(&play, 1, Decision::YES, &ann),
            Ok(Judged::Repeat { .. })
        ),
        "one principal is one vote"
    );
    assert!(matches!(
        judged(&play, 1, Decision::NO, &ann),
        Err(DecideRefusal::Conflict { .. })
    ));
    let have: Vec<u32> = play
        .run
        .ask(AskNo(1))
        .unwrap()
        .needs
        .iter()
        .map(|n| n.have)
        .collect();
    assert_eq!(have, [1, 0]);
    assert_eq!(
        judged(&play, 1, Decision::YES, &both),
        Ok(Judged::New {
            ends: Some(AskState::Approved)
        }),
        "a vote counts for each rule that its principal qualifies for"
    );
    play.approve(1, &both);
    play.is(RunState::Running);

    let (mut play, _) = governed(rules(), &[], plan());
    play.approve(1, &ann);
    play.reject(1, &both);
    play.is(RunState::Cancelled);
    assert_eq!(play.ask_state(1), "rejected");
    let feedback = &play.run.feedback()[0];
    assert_eq!((feedback.text.as_str(), feedback.revision), ("because", 1));
}

#[test]
fn whoever_started_the_run_may_be_kept_out() {
    let mut own = rule("four-eyes", RuleOn::Plan, &[]);
    own.self_approval = false;
    let (mut play, _) = governed(vec![own], &[], reviewed().build());
    let mut starter = who("starter", &["dev"]);
    starter.operator = true;
    let refused = judged(&play, 1, Decision::YES, &starter).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`starter` may not decide about this: rule `four-eyes` asks for anybody, but not `starter`, who started the \
         run"
    );
    play.approve(1, &who("ann", &[]));
    play.is(RunState::Running);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (play, _) = governed(vec![], &[], reviewed().build());
    let ann = who("ann", &[]);
    let is = play.run.ask(AskNo(1)).unwrap().ask.digest;
    let seen = digest("another plan");
    assert_eq!(
        play.run.judge(AskNo(1), seen, Decision::YES, &ann),
        Err(DecideRefusal::Stale { seen, is })
    );
    for no in [0, 2, u32::MAX] {
        assert_eq!(
            play.run.judge(AskNo(no), is, Decision::YES, &ann),
            Err(DecideRefusal::Unknown { ask: AskNo(no) })
        );
    }
    assert!(matches!(
        judged(&play, 1, Decision::YES, &Actor::host()),
        Err(DecideRefusal::NotAllowed { .. })
    ));
    assert!(matches!(
        judged(&play, 1, Decision::Approve { for_run: true }, &ann),
        Err(DecideRefusal::Wrong { .. })
    ));
    assert!(matches!(
        play.run.judge_answer(AskNo(1), "yes", &ann),
        Err(DecideRefusal::Wrong { .. })
    ));
}

fn timed(on_timeout: RuleTimeout) -> Play {
    let mut late = rule("late", RuleOn::Plan, &["dev"]);
    late.timeout = Some(Millis(100));
    late.on_timeout = on_timeout;
    let (play, commands) = governed(vec![late], &[], reviewed().build());
    assert_eq!(
        commands,
        [Command::ArmTimer {
            timer: Timer::Ask(AskNo(1)),
            at: Moment(102)
        }]
    );
    play
}

#[test]
fn a_rule_says_what_happens_when_nobody_decides_in_time() {
    let mut play = timed(RuleTimeout::Reject);
    assert!(
        matches!(
            play.timer(1)[..],
            [Command::ArmTimer {
                at: Moment(102),
                ..
            }]
        ),
        "too early: armed again"
    );
    play.now = 200;
    play.timer(1);
    play.is(RunState::Cancelled);
    assert_eq!(play.ask_state(1), "expired");
    assert_eq!(
        judged(&play, 1, Decision::YES, &who("ann", &["dev"])),
        Err(DecideRefusal::Expired)
    );
    let view = play.run.ask(AskNo(1)).unwrap();
    assert_eq!(
        (view.decided, view.votes[0].by.clone()),
        (None, Actor::host())
    );

    let mut play = timed(RuleTimeout::Approve);
    play.now = 200;
    play.timer(1);
    play.is(RunState::Running);
    let view = play.run.ask(AskNo(1)).unwrap();
    assert_eq!(view.decided.unwrap().by, Actor::host());

    let mut play = timed(RuleTimeout::Escalate("boss".to_owned()));
    play.now = 200;
    assert!(matches!(
        play.timer(1)[..],
        [Command::ArmTimer {
            at: Moment(301),
            ..
        }]
    ));
    let need = play.run.ask(AskNo(1)).unwrap().needs[0].clone();
    assert_eq!(
        (need.roles, need.escalated),
        (vec!["boss".to_owned()], true)
    );
    assert!(matches!(
        judged(&play, 1, Decision::YES, &who("ann", &["dev"])),
        Err(DecideRefusal::NotAllowed { .. })
    ));
    let mut decided = play.run.clone();
    play.now = 301;
    play.timer(1);
    assert_eq!(
        (play.ask_state(1), play.run.state()),
        ("expired", RunState::Cancelled)
    );
    let refused = play.refuses(Event::TimerFired {
        timer: Timer::Ask(AskNo(1)),
    });
    assert!(refused.contains("no such timer"), "{refused}");

    std::mem::swap(&mut play.run, &mut decided);
    play.approve(1, &who("eve", &["boss"]));
    play.is(RunState::Running);
}

#[test]
fn a_host_that_starts_arms_the_timers_of_open_requests_again() {
    let mut play = timed(RuleTimeout::Reject);
    let commands = play.must(Event::HostStarted);
    assert!(commands.contains(&Command::ArmTimer {
        timer: Timer::Ask(AskNo(1)),
        at: Moment(102)
    }));
}

#[test]
fn a_plan_that_names_a_rule_that_the_run_has_not_got_is_refused() {
    let mut play = crate::people::drafted(vec![], &[]);
    play.must(Event::PlanningStarted);
    for change in [
        |plan: &mut sandgate_model::Plan| plan.review_rule = Some("x".to_owned()),
        |plan: &mut sandgate_model::Plan| plan.tasks[0].approval_rule = Some("x".to_owned()),
    ] {
        let why = play.refuses(crate::play::frozen(with(reviewed().build(), change)));
        assert!(why.contains("the approval rule `x`"), "{why}");
    }
}

#[test]
fn a_task_waits_for_its_approval_and_runs_from_the_record() {
    let plan = PlanBuilder::new()
        .task(t("a").approval_before().retry(2, 0))
        .build();
    let plan = with(plan, |plan| {
        plan.tasks[0].approval_rule = Some("release".to_owned());
    });
    let rules = vec![rule("release", RuleOn::Task, &["lead"])];
    let (mut play, commands) = governed(rules, &[], plan);
    let about = About::Task { task: TaskIx(0) };
    assert_eq!(
        commands,
        [Command::Ask {
            about: about.clone()
        }]
    );
    assert!(!play.run.idle(), "the record is being made");
    assert_eq!(play.word("a"), "pending approval");
    assert_eq!(play.must(Event::HostStarted), commands, "nobody forgets it");
    play.put(&commands);
    assert!(play.refuses(asked(about)).contains("nobody wanted"));
    assert!(play.run.idle());
    let blocked = play.run.blocked(TaskIx(0)).unwrap();
    assert_eq!(
        (blocked.unblocks.as_str(), blocked.who.as_str()),
        ("approval 1: an approval of this task", "lead")
    );
    let summary = play.run.summary();
    assert_eq!(summary.asks[0].task, Some("a".parse().unwrap()));
    assert_eq!(summary.ask_counts[&AskState::Open], 1);

    assert!(judged(&play, 1, Decision::YES, &who("dev", &["dev"])).is_err());
    play.approve(1, &who("lea", &["lead"]));
    let record = play.run.ask(AskNo(1)).unwrap().ask.digest;
    assert_eq!(play.run.approved(TaskIx(0)), Some(record));
    assert_eq!(play.start(), ["a"]);
    play.fail("a");
    assert_eq!(play.run.approved(TaskIx(0)), Some(record));
    assert_eq!(play.start(), ["a"], "the same approval covers the next try");
    play.fail("a");
    play.is(RunState::Failed);

    let commands = play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
    assert_eq!(
        play.run.approved(TaskIx(0)),
        None,
        "a person's retry asks anew"
    );
    play.put(&commands);
    assert_eq!(play.open(), [2]);
    play.reject(2, &who("lea", &["lead"]));
    play.is(RunState::Failed);
    assert!(play.run.refused_by_policy());
    let (class, message) = play.task("a").error.unwrap();
    assert_eq!(
        (*class, message),
        (
            FailureClass::Refused,
            "its start was not approved: `lea` rejected it (request 2): because"
        )
    );
}

#[test]
fn a_thousand_tasks_at_once_do_not_flood_people() {
    let tasks = (0..1000).map(|n| t(&format!("t{n}")).approval_before());
    let plan = tasks
        .fold(PlanBuilder::new(), PlanBuilder::task)
        .concurrency(2000);
    let (mut play, commands) = governed(vec![], &[], plan.build());
    assert_eq!(commands.len(), 20);
    let ann = who("ann", &[]);
    let mut waiting = commands;
    let mut most = 0;
    for no in 1..=1000 {
        let more = play.put(&std::mem::take(&mut waiting));
        assert_eq!(more, []);
        most = most.max(play.open().len());
        waiting = play.approve(no, &ann);
    }
    assert_eq!((most, play.open().len(), waiting.len()), (20, 0, 0));
    assert_eq!(play.start().len(), 1000);
    println!("1000 tasks ready at once: at most {most} open requests, 1000 decided");

    let tasks = (0..1000).map(|n| t(&format!("t{n}")).approval_before());
    let plan = tasks.fold(PlanBuilder::new(), PlanBuilder::task);
    let (mut play, commands) = governed(vec![], &[], plan.build());
    play.put(&commands[..7]);
    play.cancel();
    play.is(RunState::Cancelled);
    assert_eq!(play.open(), [0u32; 0]);
    let view = play.run.ask(AskNo(3)).unwrap();
    assert_eq!(
        (view.state, view.why),
        (AskState::Withdrawn, "the run was cancelled")
    );
    assert_eq!(
        judged(&play, 3, Decision::YES, &ann),
        Err(DecideRefusal::Withdrawn {
            why: "the run was cancelled".to_owned()
        })
    );
}

#[test]
fn a_result_counts_when_it_is_approved() {
    for yes in [true, false] {
        let plan = PlanBuilder::new()
            .task(t("a").approval_after())
            .task(t("b").needs(&[0]));
        let (mut play, _) = governed(vec![], &[], plan.build());
        play.start();
        let commands = play.end("a", output(&[]));
        assert_eq!(
            commands,
            [Command::Ask {
                about: About::Result { task: TaskIx(0) }
            }]
        );
        play.put(&commands);
        assert_eq!(
            play.words(&["a", "b"]),
            ["pending approval", "pending dependency"]
        );
        if yes {
            play.approve(1, &who("ann", &[]));
            assert_eq!(play.start(), ["b"]);
        } else {
            play.reject(1, &who("ann", &[]));
            assert_eq!(
                play.words(&["a", "b"]),
                ["failed", "skipped dependency-failed"]
            );
            assert_eq!(play.run.output(TaskIx(0)), None);
        }
    }
}

#[test]
fn a_record_that_cannot_be_made_fails_the_task() {
    let plan = PlanBuilder::new().task(t("a").approval_before()).build();
    let (mut play, _) = governed(vec![], &[], plan);
    let failed = Event::TaskEvaluated {
        task: TaskIx(0),
        evaluated: Evaluated::Failed {
            message: "no such output".to_owned(),
        },
    };
    play.must(failed.clone());
    assert_eq!(play.word("a"), "failed");
    play.is(RunState::Failed);
    assert!(!play.refuses(failed).is_empty());
}

fn asking(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> Arc<sandgate_model::Plan> {
    let plan = PlanBuilder::new().budget(limit, None, OverBudget::Ask);
    tasks.into_iter().fold(plan, PlanBuilder::task).build()
}

#[test]
fn an_approval_raises_the_limit_by_what_is_lacking() {
    let (mut play, commands) = governed(vec![], &[], asking(10, [t("a").model().budget(13)]));
    let [
        Command::Ask {
            about: About::TaskBudget { lacks, .. },
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!(lacks.micros, 3);
    play.put(&commands);
    play.approve(1, &who("ann", &[]));
    assert_eq!(play.run.limit().micros, Some(13));
    assert_eq!(play.start(), ["a"]);
    assert_eq!(play.left(play.by("a")), Some(13));

    let (mut play, commands) = governed(
        vec![rule("money", RuleOn::Budget, &["cfo"])],
        &[],
        asking(10, [t("a").model().budget(13)]),
    );
    play.put(&commands);
    assert!(judged(&play, 1, Decision::NO, &who("ann", &[])).is_err());
    play.reject(1, &who("fred", &["cfo"]));
    play.is(RunState::Failed);
    assert!(play.run.refused_by_budget() && !play.run.refused_by_policy());
    assert_eq!(play.run.limit().micros, Some(10));
}

#[test]
fn a_task_without_a_budget_of_its_own_lacks_an_even_share() {
    let (mut play, _) = governed(
        vec![],
        &[],
        asking(10, [t("a").model(), t("b").model().needs(&[0])]),
    );
    play.start();
    play.spend("a", 5);
    let more = play.call(play.by("a"), 0);
    play.call_done(play.by("a"), more, 0);
    play.end("a", crate::play::charged(&[]));
    play.start();
    play.spend("b", 5);
    play.end("b", failure(FailureClass::Plugin));
    play.is(RunState::Failed);
    // All ten are spent.
    let commands = play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
    let [
        Command::Ask {
            about: About::TaskBudget { lacks, .. },
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!(lacks.micros, 5);
    play.put(&commands);
    play.approve(1, &who("ann", &[]));
    assert_eq!(play.start(), ["b"]);
    assert_eq!(play.left(play.by("b")), Some(5));
    play.ok("b");
    assert_eq!(play.run.outcome(), Some(Outcome::Verified));
}

#[test]
fn a_gate_that_the_budget_does_not_cover_is_asked_about() {
    for yes in [true, false] {
        let plan = PlanBuilder::new()
            .budget(10, None, OverBudget::Ask)
            .task(t("a").model())
            .model_gate("g", 0)
            .build();
        let (mut play, _) = governed(vec![], &[], plan);
        play.start();
        play.spend("a", 10);
        let commands = play.ok("a");
        let [
            Command::Ask {
                about: About::GateBudget { lacks, .. },
            },
        ] = &commands[..]
        else {
            panic!("{commands:?}");
        };
        assert_eq!(lacks.micros, 5);
        play.put(&commands);
        assert!(play.run.idle());
        if yes {
            play.approve(1, &who("ann", &[]));
            assert_eq!(play.start(), ["g"]);
        } else {
            play.reject(1, &who("ann", &[]));
            play.is(RunState::Failed);
            assert!(play.run.refused_by_budget());
        }
    }
}
