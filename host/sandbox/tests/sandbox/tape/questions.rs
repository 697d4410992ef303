//! Questions to people: linked when granted, bounded before the port, one answer.

use super::deck::Deck;
use super::{life, place, with};
use crate::support::*;
use sandgate_model::NeedKind;
use sandgate_sandbox::{
    Answered, Outcome, PersonAsk, PortFuture, QuestionFailure, QuestionPort, Tape,
};
use std::sync::{Arc, Mutex};

/// Answers with the next of these.
struct Person(Mutex<Vec<Result<String, QuestionFailure>>>);

impl QuestionPort for Person {
    fn ask(&self, _question: PersonAsk) -> PortFuture<Answered<Result<String, QuestionFailure>>> {
        let answer = self.0.lock().unwrap().pop().unwrap();
        Box::pin(async { Answered::now(answer) })
    }
}

#[tokio::test]
async fn a_question_needs_a_grant() {
    let dir = place();
    let deck = Deck::default();
    let order = "1 0 do:ask";
    // Granted.
    let report = life(&with(&deck), dir.path(), order, None).await;
    assert_eq!(report.stats.questions, 1);
    assert!(text(report.outcome).ends_with(" ask-0"));
    assert_eq!(deck.done(), ["ask-0"]);
    // Not granted: not linked, and nothing of it runs.
    let mut wanted = with(&deck);
    wanted.powers.question = None;
    let report = life(&wanted, dir.path(), order, None).await;
    let Outcome::Refused { import, hint } = report.outcome else {
        panic!("{:?}", report.outcome)
    };
    assert!(import.starts_with("sandgate:plugin/question@"), "{import}");
    assert!(hint.contains("`question = true` under [policy]"), "{hint}");
    // Something that the plugin can do without: linked, and refuses.
    wanted.powers.optional = vec![NeedKind::Question];
    let report = life(&wanted, dir.path(), order, None).await;
    assert_eq!(report.stats.questions, 0);
    text(report.outcome);
    assert_eq!(deck.done(), ["ask-0"]);
}

#[tokio::test]
async fn an_answer_is_one_of_the_choices_or_none() {
    let dir = place();
    let told = async |answer: Result<&str, QuestionFailure>| {
        let mut wanted = with(&Deck::default());
        let answer = answer.map(str::to_owned);
        wanted.powers.question = Some(Arc::new(Person(Mutex::new(vec![answer]))));
        text(life(&wanted, dir.path(), "1 0 do:ask", None).await.outcome)
    };
    let yes = told(Ok("yes")).await;
    let no = told(Ok("no")).await;
    let maybe = told(Ok("maybe")).await;
    let late = told(Err(QuestionFailure::NoAnswer("late".to_owned()))).await;
    let all = [&yes, &no, &maybe, &late];
    for (n, one) in all.iter().enumerate() {
        assert!(!all[..n].contains(one), "{all:?}");
    }
    // A person who has to be waited for ends the call, with a tape and without.
    for tape in [None, Some(Tape::recording())] {
        let mut wanted = with(&Deck::default());
        let waits = vec![Err(QuestionFailure::Suspended)];
        wanted.powers.question = Some(Arc::new(Person(Mutex::new(waits))));
        let report = life(&wanted, dir.path(), "1 0 do:ask", tape).await;
        assert!(matches!(report.outcome, Outcome::Suspended));
    }
}
