//! `sandgate:plugin/question`: linked for calls with a [`crate::QuestionPort`]. Bounds what a guest asks and what it is told.
//! Must not ask anybody.

use crate::bindings::sandgate::plugin::question::{Ask, Host, QuestionError, add_to_linker};
use crate::effect::effect;
use crate::link::hint;
use crate::power::{PersonAsk, QuestionFailure};
use crate::state::State;
use crate::tape::{Args, Tag};
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};

/// Longest question, in bytes: some screens of text.
const TEXT_MAX: usize = 4_096;

/// Most choices: what a person reads before choosing.
const CHOICES_MAX: usize = 20;

/// Longest choice, in bytes: two lines.
const CHOICE_MAX: usize = 200;

/// Longest answer, and longest default, in bytes.
const ANSWER_MAX: usize = 64 << 10;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

/// The question in the port's words, if it is one.
fn checked(ask: Ask) -> Result<PersonAsk, String> {
    if ask.text.trim().is_empty() {
        return Err("a question has a text".to_owned());
    }
    if ask.text.len() > TEXT_MAX {
        return Err(format!("a question has at most {TEXT_MAX} bytes"));
    }
    if ask.choices.len() > CHOICES_MAX {
        return Err(format!("a question has at most {CHOICES_MAX} choices"));
    }
    for (n, choice) in ask.choices.iter().enumerate() {
        if choice.trim().is_empty() || choice.len() > CHOICE_MAX {
            return Err(format!("a choice has 1 to {CHOICE_MAX} bytes"));
        }
        if ask.choices.iter().take(n).any(|other| other == choice) {
            return Err("a choice is there twice".to_owned());
        }
    }
    if let Some(default) = &ask.default_answer {
        if default.len() > ANSWER_MAX {
            return Err(format!("an answer has at most {ANSWER_MAX} bytes"));
        }
        if !ask.choices.is_empty() && !ask.choices.contains(default) {
            return Err("the default answer is none of the choices".to_owned());
        }
    }
    Ok(PersonAsk {
        text: ask.text,
        choices: ask.choices,
        default: ask.default_answer,
        timeout: ask.timeout_ms.map(Duration::from_millis),
    })
}

/// Whether an answer is one to this question. The port has seen to it; this is for ports that forget.
fn fits(answer: &str, ask: &PersonAsk) -> bool {
    answer.len() <= ANSWER_MAX
        && (ask.choices.is_empty() || ask.choices.iter().any(|choice| choice == answer))
}

impl Host for State {
    async fn ask_person(&mut self, ask: Ask) -> wasmtime::Result<Result<String, QuestionError>> {
        self.may_go_on()?;
        let Some(port) = self.powers.question.clone() else {
            return Ok(Err(QuestionError::Unavailable(hint::question())));
        };
        let ask = match checked(ask) {
            Ok(ask) => ask,
            Err(why) => return Ok(Err(QuestionError::Invalid(why))),
        };
        self.settle_http().await?;
        self.used.questions += 1;
        let digest = || Args::of(&ask);
        let asked = async { port.ask(ask.clone()).await };
        let answer = effect(self.tape.as_ref(), Tag::Question, digest, asked).await?;
        Ok(match answer {
            Ok(answer) if fits(&answer, &ask) => Ok(answer),
            Ok(_) => Err(QuestionError::Unavailable(
                "the answer is none to this question (this is a bug in Sandgate)".to_owned(),
            )),
            Err(QuestionFailure::Invalid(why)) => Err(QuestionError::Invalid(why)),
            Err(QuestionFailure::NoAnswer(why)) => Err(QuestionError::NoAnswer(why)),
            Err(QuestionFailure::Limit(why)) => Err(QuestionError::Limit(why)),
            Err(QuestionFailure::Unavailable(why)) => Err(QuestionError::Unavailable(why)),
            Err(QuestionFailure::Suspended) => return Err(crate::state::Stop::Suspended.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str, choices: &[&str], default: Option<&str>) -> Ask {
        Ask {
            text: text.to_owned(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            default_answer: default.map(str::to_owned),
            timeout_ms: Some(5),
        }
    }

    #[test]
    fn questions_are_bounded() {
        let long = "x".repeat(TEXT_MAX);
        let wide = "c".repeat(CHOICE_MAX);
        let many: Vec<String> = (0..CHOICES_MAX).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (fits, ask) in [
            (true, ask("go on?", &[], None)),
            (true, ask("go on?", &["yes", "no"], Some("no"))),
            (true, ask("name?", &[], Some("anything"))),
            (true, ask(&long, &[&wide], None)),
            (true, ask("?", &many, Some("3"))),
            (false, ask("", &[], None)),
            (false, ask(" \n", &[], None)),
            (false, ask(&format!("{long}x"), &[], None)),
            (false, ask("?", &[&format!("{wide}c")], None)),
            (false, ask("?", &["a", ""], None)),
            (false, ask("?", &["a", "b", "a"], None)),
            (false, ask("?", &["yes", "no"], Some("maybe"))),
            (false, ask("?", &[&many[..], &["more"]].concat(), None)),
            (false, ask("?", &[], Some(&"d".repeat(ANSWER_MAX + 1)))),
        ] {
            assert_eq!(checked(ask.clone()).is_ok(), fits, "{ask:?}");
        }
    }
}
