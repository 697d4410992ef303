//! Stand-ins for what needs a grant: commands, models, HTTP, the budget, people.

use super::{BENCH, Bench};
use crate::budget::BudgetError;
use crate::command::{self, Allowed, CommandError, Finished};
use crate::http::{self, HttpError};
use crate::model::{self, Generated, ModelError};
use crate::question::{Question, QuestionError};
use std::fmt;

/// Plays the other side: takes a request and answers it.
type Play<Request, Answer, Error> = Option<Box<dyn FnMut(&Request) -> Result<Answer, Error>>>;

/// What is granted and what was asked for.
#[derive(Default)]
pub(super) struct Powers {
    allowed: Vec<Allowed>,
    command: Play<command::Request, Finished, CommandError>,
    commands: Vec<command::Request>,
    available: Vec<String>,
    model: Play<model::Request, Generated, ModelError>,
    generations: Vec<model::Request>,
    http: Play<http::Request, http::Response, HttpError>,
    requests: Vec<http::Request>,
    budget: Option<u64>,
    charges: Vec<(String, u64)>,
    person: Play<Question, String, QuestionError>,
    questions: Vec<Question>,
}

impl fmt::Debug for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Powers")
            .field("commands", &self.commands)
            .field("generations", &self.generations)
            .field("requests", &self.requests)
            .field("budget", &self.budget)
            .field("charges", &self.charges)
            .field("questions", &self.questions)
            .finish_non_exhaustive()
    }
}

impl Bench {
    /// Says that this command is allowed. Whether it runs is up to the closure given to [`Bench::command`].
    #[must_use]
    pub fn allow(mut self, name: &str, program: &str, args: &[&str]) -> Self {
        self.powers.allowed.push(Allowed {
            name: name.to_owned(),
            program: program.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            approval: false,
        });
        self
    }

    /// Plays the commands.
    #[must_use]
    pub fn command(
        mut self,
        play: impl FnMut(&command::Request) -> Result<Finished, CommandError> + 'static,
    ) -> Self {
        self.powers.command = Some(Box::new(play));
        self
    }

    /// The commands that were asked for, also those that were refused.
    #[must_use]
    pub fn commands(&self) -> &[command::Request] {
        &self.powers.commands
    }

    /// Plays the models with these names.
    #[must_use]
    pub fn model(
        mut self,
        names: &[&str],
        play: impl FnMut(&model::Request) -> Result<Generated, ModelError> + 'static,
    ) -> Self {
        self.powers.available = names.iter().map(|name| (*name).to_owned()).collect();
        self.powers.model = Some(Box::new(play));
        self
    }

    /// The generations that were asked for.
    #[must_use]
    pub fn generations(&self) -> &[model::Request] {
        &self.powers.generations
    }

    /// Plays the servers.
    #[must_use]
    pub fn http(
        mut self,
        play: impl FnMut(&http::Request) -> Result<http::Response, HttpError> + 'static,
    ) -> Self {
        self.powers.http = Some(Box::new(play));
        self
    }

    /// The requests that were sent.
    #[must_use]
    pub fn requests(&self) -> &[http::Request] {
        &self.powers.requests
    }

    /// Sets a budget, in millionths.
    #[must_use]
    pub fn budget(mut self, micros: u64) -> Self {
        self.powers.budget = Some(micros);
        self
    }

    /// The charges that were taken.
    #[must_use]
    pub fn charges(&self) -> &[(String, u64)] {
        &self.powers.charges
    }

    /// Plays the people who are asked. A question that the host would not put to anybody is refused before.
    #[must_use]
    pub fn person(
        mut self,
        play: impl FnMut(&Question) -> Result<String, QuestionError> + 'static,
    ) -> Self {
        self.powers.person = Some(Box::new(play));
        self
    }

    /// The questions that were asked, also those that were refused.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.powers.questions
    }
}

/// Notes a request and has it answered. The closure is out of the bench meanwhile, so it may use the SDK itself.
fn play<Request: Clone, Answer, Error>(
    request: &Request,
    asked: impl Fn(&mut Powers) -> &mut Vec<Request>,
    player: impl Fn(&mut Powers) -> &mut Play<Request, Answer, Error>,
    refusal: impl FnOnce() -> Error,
) -> Result<Answer, Error> {
    let taken = BENCH.with_borrow_mut(|bench| {
        asked(&mut bench.powers).push(request.clone());
        player(&mut bench.powers).take()
    });
    let Some(mut closure) = taken else {
        return Err(refusal());
    };
    let answer = closure(request);
    BENCH.with_borrow_mut(|bench| *player(&mut bench.powers) = Some(closure));
    answer
}

pub(crate) fn allowed_commands() -> Vec<Allowed> {
    BENCH.with_borrow(|bench| bench.powers.allowed.clone())
}

pub(crate) fn run_command(request: command::Request) -> Result<Finished, CommandError> {
    play(
        &request,
        |powers| &mut powers.commands,
        |powers| &mut powers.command,
        || CommandError::NotGranted(format!("the test grants no command `{}`", request.program)),
    )
}

pub(crate) fn available_models() -> Vec<String> {
    BENCH.with_borrow(|bench| bench.powers.available.clone())
}

pub(crate) fn generate(request: &model::Request) -> Result<Generated, ModelError> {
    play(
        request,
        |powers| &mut powers.generations,
        |powers| &mut powers.model,
        || ModelError::NotGranted(format!("the test grants no model `{}`", request.model)),
    )
}

pub(crate) fn send(request: &http::Request) -> Result<http::Response, HttpError> {
    play(
        request,
        |powers| &mut powers.requests,
        |powers| &mut powers.http,
        || HttpError::Denied(format!("the test grants no request to {}", request.url)),
    )
}

pub(crate) fn budget_left() -> Option<u64> {
    BENCH.with_borrow(|bench| bench.powers.budget)
}

pub(crate) fn charge(what: &str, micros: u64) -> Result<(), BudgetError> {
    BENCH.with_borrow_mut(|bench| {
        let powers = &mut bench.powers;
        if let Some(left) = &mut powers.budget {
            *left = left.checked_sub(micros).ok_or(BudgetError::Over(*left))?;
        }
        powers.charges.push((what.to_owned(), micros));
        Ok(())
    })
}

pub(crate) fn ask(question: Question) -> Result<String, QuestionError> {
    if let Some(why) = wrong(&question) {
        BENCH.with_borrow_mut(|bench| bench.powers.questions.push(question));
        return Err(QuestionError::Invalid(why.to_owned()));
    }
    play(
        &question,
        |powers| &mut powers.questions,
        |powers| &mut powers.person,
        || QuestionError::Unavailable("the test grants no questions".to_owned()),
    )
}

/// What the contract forbids (`wit/question.wit`).
fn wrong(question: &Question) -> Option<&'static str> {
    let Question {
        text,
        choices,
        default,
        ..
    } = question;
    if text.is_empty() || text.len() > 4096 {
        return Some("the text has to have 1 to 4,096 bytes");
    }
    if choices.len() > 20 || choices.iter().any(|choice| choice.len() > 200) {
        return Some("there may be 20 choices of 200 bytes each");
    }
    default
        .as_ref()
        .filter(|default| !choices.is_empty() && !choices.contains(default))
        .map(|_| "the default is none of the choices")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PluginError, budget, question};

    fn answer(text: &str) -> Generated {
        Generated {
            text: text.to_owned(),
            tool_calls: Vec::new(),
            finish: model::Finish::Stop,
            usage: model::Usage::default(),
            model: "small".to_owned(),
        }
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let (refused, bench) = Bench::new().run(|| {
            assert!(command::allowed().is_empty());
            assert!(model::available().is_empty());
            (
                PluginError::from(command::run("sh", &["-c", "id"], None).unwrap_err()),
                PluginError::from(model::Request::new("a/b").user("x").stream().unwrap_err()),
                PluginError::from(question::ask("May I?").send().unwrap_err()),
            )
        });
        assert!(matches!(refused.0, PluginError::Unavailable(_)));
        assert!(matches!(refused.1, PluginError::Unavailable(_)));
        assert!(matches!(refused.2, PluginError::Unavailable(_)));
        assert_eq!(bench.commands().len(), 1);
        assert_eq!(bench.generations().len(), 1);
    }

    #[test]
    fn a_stream_is_the_answer_in_pieces() {
        let bench = Bench::new().model(&["a/b"], |request| {
            Ok(answer(&format!("{} said so", request.messages.len())))
        });
        let ((pieces, whole), _) = bench.run(|| {
            let request = model::Request::new("a/b").system("s").user("u");
            let pieces: Vec<String> = request.stream().unwrap().map(Result::unwrap).collect();
            (pieces, request.stream().unwrap().finish().unwrap())
        });
        assert_eq!(pieces, ["2 ", "said ", "so"]);
        assert_eq!(pieces.concat(), whole.text);
    }

    #[test]
    fn a_person_answers() {
        let bench = Bench::new().person(|question| match question.choices.first() {
            Some(first) => Ok(first.clone()),
            None => Err(QuestionError::NoAnswer("4 h are over".to_owned())),
        });
        let (answers, bench) = bench.run(|| {
            (
                question::ask("Which?").choices(&["a", "b"]).send(),
                PluginError::from(question::ask("What?").send().unwrap_err()),
                PluginError::from(question::ask("").send().unwrap_err()),
                question::ask("x")
                    .choices(&["a"])
                    .default("b")
                    .send()
                    .unwrap_err(),
            )
        });
        assert_eq!(answers.0, Ok("a".to_owned()));
        assert!(matches!(&answers.1, PluginError::Unavailable(text) if text.contains("4 h")));
        assert!(matches!(answers.2, PluginError::Permanent(_)));
        assert!(matches!(answers.3, QuestionError::Invalid(_)));
        assert_eq!(bench.questions().len(), 4);
        assert_eq!(bench.questions()[3].default.as_deref(), Some("b"));
    }

    #[test]
    fn a_player_may_use_the_sdk() {
        let bench = Bench::new().command(|_| {
            crate::log::info("playing");
            Err(CommandError::Host("no".to_owned()))
        });
        let (_, bench) = bench.run(|| command::run::<&str>("a", &[], None));
        assert_eq!(bench.logged().len(), 1);
    }

    #[test]
    fn a_budget_is_never_negative() {
        let (answers, bench) = Bench::new().budget(10).run(|| {
            (
                budget::charge("a", 7),
                budget::charge("b", 4),
                budget::charge("c", 3),
                budget::remaining(),
            )
        });
        assert_eq!(
            answers,
            (Ok(()), Err(BudgetError::Over(3)), Ok(()), Some(0))
        );
        assert_eq!(bench.charges().len(), 2);
    }
}
