//! The first entry of a tape: what was called with what. A tape of another component, or of another task, ends here, before
//! anything of the guest runs.

use super::{Args, Put as _, Tag};
use crate::Call;
use crate::state::Stop;
use sandgate_model::Role;

/// Notes what is called with what, or sees that it is what the tape says. `given` is everything that the guest is given.
pub(crate) fn begin(call: &Call, role: Role, given: impl FnOnce() -> Args) -> Result<(), Stop> {
    let Some(tape) = &call.turn.tape else {
        return Ok(());
    };
    tape.claim()?;
    let powers = &call.turn.powers;
    let mut start = Vec::new();
    call.component.digest().hex().put(&mut start);
    role.as_str().put(&mut start);
    given().0.as_slice().put(&mut start);
    let files: Vec<_> = call
        .files
        .iter()
        .map(|file| (&file.guest, file.write, file.protect))
        .collect();
    files.put(&mut start);
    let ports = (powers.http.is_some(), powers.command.is_some());
    let more = (powers.model.is_some(), powers.budget.is_some());
    (ports, more, powers.question.is_some()).put(&mut start);
    tape.done_before(Tag::Start, &Args::of(&start.as_slice()))
        .map(|_| ())
}
