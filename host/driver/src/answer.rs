//! Outcomes of the sandbox in the words of the engine.

use sandgate_model::{AttemptEnd, FailureClass, Millis};
use sandgate_sandbox::{Failure, Outcome};

/// A failed attempt.
pub(crate) fn failed(class: FailureClass, message: String) -> AttemptEnd {
    AttemptEnd::Failed {
        class,
        message,
        permanent: false,
    }
}

/// The end of a call that gave no output.
pub(crate) fn from_outcome<T>(outcome: Outcome<T>, deadline: Millis) -> AttemptEnd {
    match outcome {
        Outcome::Cancelled => AttemptEnd::Cancelled,
        other => {
            let permanent = matches!(
                &other,
                Outcome::Failed {
                    kind: Failure::InvalidInput | Failure::Unavailable | Failure::Permanent,
                    ..
                }
            );
            let (class, message) = describe(other, deadline);
            AttemptEnd::Failed {
                class,
                message,
                permanent,
            }
        }
    }
}

/// The class and a sentence for a call that gave no output.
pub(crate) fn describe<T>(outcome: Outcome<T>, deadline: Millis) -> (FailureClass, String) {
    match outcome {
        Outcome::Output(_) => (
            FailureClass::Host,
            "an output was taken for a failure".to_owned(),
        ),
        Outcome::Failed { kind, message } => {
            let lead = match kind {
                Failure::InvalidInput => "invalid input: ",
                Failure::Unavailable => "unavailable: ",
                Failure::Failed | Failure::Permanent => "",
            };
            (FailureClass::Plugin, format!("{lead}{message}"))
        }
        Outcome::Trap { message } => (
            FailureClass::Trap,
            format!("the component trapped: {message}"),
        ),
        Outcome::Timeout { .. } => (
            FailureClass::Timeout,
            format!("it did not end within its timeout of {}", span(deadline)),
        ),
        Outcome::Limit { which, cap } => (
            FailureClass::Limit,
            format!("it went over its limit of {cap} {}", which.what()),
        ),
        Outcome::BadAnswer { reasons } => (
            FailureClass::BadAnswer,
            format!("its answer was refused: {}", reasons.join("; ")),
        ),
        Outcome::Cancelled => (FailureClass::Host, "it was cancelled".to_owned()),
        Outcome::Suspended => (
            FailureClass::Host,
            "it would have to wait for a person where that is not possible".to_owned(),
        ),
        Outcome::Diverged { message } => (
            FailureClass::Refused,
            format!(
                "it could not be taken up where it stopped, since it did something else than the first time: {message}"
            ),
        ),
        Outcome::Refused { import, hint } => (
            FailureClass::Refused,
            format!("it imports `{import}`, which is not granted; {hint}"),
        ),
        Outcome::Host { message } => (FailureClass::Host, message),
    }
}

/// A span for people.
pub(crate) fn span(span: Millis) -> String {
    match span.0 {
        ms if ms < 1_000 || ms % 1_000 != 0 => format!("{ms} ms"),
        ms if ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms => format!("{} s", ms / 1_000),
    }
}
