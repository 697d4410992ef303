//! The first entry of a tape: what was called with what. A tape of another component, or of another task, ends here.

use super::{Args, Put, Tag, Tape};
use crate::Call;
use crate::state::Stop;
use sandgate_model::Role;

/// What is called.
pub(crate) struct Start<'c> {
    pub(crate) call: &'c Call,
    pub(crate) role: Role,
    /// Everything that the guest is given.
    pub(crate) given: Args,
}

impl Put for Start<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let component = self.call.component.digest();
        let powers = &self.call.turn.powers;
        component.hex().put(out);
        self.role.as_str().put(out);
        self.given.0.as_slice().put(out);
        for file in &self.call.files {
            (&file.guest, file.write, file.protect).put(out);
        }
        (
            powers.http.is_some(),
            powers.command.is_some(),
            powers.model.is_some(),
            powers.budget.is_some(),
            powers.question.is_some(),
        )
            .put(out);
    }
}

impl Start<'_> {
    /// Notes the start, or sees that it is the one on the tape.
    pub(crate) fn note(&self, tape: &Tape) -> Result<(), Stop> {
        tape.done_before(Tag::Start, &Args::of(self)).map(|_| ())
    }
}
