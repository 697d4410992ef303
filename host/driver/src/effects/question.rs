//! `question`: a plugin asks a person. The work is taken down until there is an answer.

use super::{desk::CallDesk, plain};
use sandgate_model::{Millis, Question};
use sandgate_sandbox::{Answered, PersonAsk, PortFuture, QuestionFailure, QuestionPort};
use std::sync::Arc;

/// Questions of one caller.
pub(crate) struct QuestionPower {
    pub(crate) desk: Arc<CallDesk>,
}

impl QuestionPort for QuestionPower {
    fn ask(&self, ask: PersonAsk) -> PortFuture<Answered<Result<String, QuestionFailure>>> {
        let desk = Arc::clone(&self.desk);
        let question = Question {
            text: ask.text,
            choices: ask.choices,
            default: ask.default,
            timeout: ask
                .timeout
                .map(|span| Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))),
        };
        Box::pin(async move {
            plain(match desk.ask_person(question).await {
                Ok(answer) => Ok(answer),
                Err(Some(why)) => Err(QuestionFailure::NoAnswer(why)),
                Err(None) => Err(QuestionFailure::Suspended),
            })
        })
    }
}
