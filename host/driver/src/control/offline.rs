//! A project that nobody drives: what is wished is recorded, and nothing runs. Whoever drives it next goes on from there.

use super::{Done, Speaker, Wish, WishError, handle::speaks, prepare::prepare};
use crate::{Host, notice::Notice};
use sandgate_model::Channel;

/// Holds the journal's lock, so that nobody drives meanwhile.
pub struct Offline {
    pub(super) host: Host,
    pub(super) speaker: Speaker,
}

impl Offline {
    /// Records what is wanted. Returns when it is durable; nothing of the run starts.
    ///
    /// # Errors
    /// Why not; then nothing of it was recorded.
    pub async fn wish(&mut self, wish: Wish) -> Result<Done, WishError> {
        let shared = self.host.shared();
        let actor = speaks(shared, &self.speaker, Channel::Cli, &wish).await?;
        let prepared = prepare(shared, actor, wish).await?;
        self.host
            .record(prepared, &mut |_: Notice| {})
            .await
            .map_err(|error| WishError::host(crate::chain(&error)))?
    }
}
