//! Asking a port. The only place where something happens outside for a guest: what is on the tape is answered from it, and
//! what is new is recorded and made durable before the guest hears of it. Must not know what is asked.

use crate::power::{
    Answered, ChargeFailure, CommandFailure, HttpFailure, ModelFailure, QuestionFailure,
};
use crate::state::Stop;
use crate::tape::{Args, Put, Tag, Tape, Word};

/// An answer that may be that a person has to decide first.
pub(crate) trait Waits {
    fn waits(&self) -> bool;
}

macro_rules! waits {
    ($($failure:ty),*) => { $(
        impl<T> Waits for Result<T, $failure> {
            fn waits(&self) -> bool {
                matches!(self, Err(<$failure>::Suspended))
            }
        }
    )* };
}
waits!(
    CommandFailure,
    HttpFailure,
    ModelFailure,
    ChargeFailure,
    QuestionFailure
);

/// Asks a port, unless the answer is on the tape. `digest` is only called when there is a tape, and `ask` only when the
/// answer is not on it.
///
/// # Errors
/// What ends the call: a person has to decide, the tape says otherwise or is full, the answer could not be made durable.
pub(crate) async fn effect<T: Word + Waits>(
    tape: Option<&Tape>,
    tag: Tag,
    digest: impl FnOnce() -> Args,
    ask: impl Future<Output = Answered<T>>,
) -> Result<T, Stop> {
    let Some(tape) = tape else {
        return told(None, ask.await).await;
    };
    let args = digest();
    if let Some(answer) = replayed(tape, tag, &args)? {
        return Ok(answer);
    }
    let answered = ask.await;
    record(tape, tag, &args, &answered.result)?;
    told(Some(tape), answered).await
}

/// The answer on the tape. One that waits for a person was never recorded.
pub(crate) fn replayed<T: Word + Waits>(
    tape: &Tape,
    tag: Tag,
    args: &Args,
) -> Result<Option<T>, Stop> {
    match tape.replay::<T>(tag, args)? {
        Some(answer) if answer.waits() => Err(Stop::Diverged(format!(
            "the answer to {} on the tape is none",
            tag.what()
        ))),
        answer => Ok(answer),
    }
}

/// Records an answer, unless it is that a person has to decide.
pub(crate) fn record<T: Put + Waits>(
    tape: &Tape,
    tag: Tag,
    args: &Args,
    answer: &T,
) -> Result<(), Stop> {
    if answer.waits() {
        return Err(Stop::Suspended);
    }
    tape.record(tag, args, answer)
}

/// Has an answer made durable, and gives it.
pub(crate) async fn told<T: Waits>(tape: Option<&Tape>, answered: Answered<T>) -> Result<T, Stop> {
    let Answered { result, then } = answered;
    if result.waits() {
        return Err(Stop::Suspended);
    }
    if let Some(then) = then {
        then.done(tape.map(Tape::take)).await.map_err(Stop::Host)?;
    }
    Ok(result)
}
