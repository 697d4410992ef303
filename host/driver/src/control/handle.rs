//! The way to the loop of this process.

use super::{Done, Speaker, Wish, WishError, prepare::prepare};
use crate::{
    local::Shared,
    work::{Inbox, Message},
};
use sandgate_model::{Actor, Channel};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Somebody's way to the loop of this process. Works while [`crate::Host::drive`] runs; what is wished before is taken in
/// when it begins.
#[derive(Clone)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
    pub(crate) speaker: Speaker,
    pub(crate) channel: Channel,
}

impl Control {
    /// Says what is wanted, and returns when it is durable.
    ///
    /// # Errors
    /// Why not; then nothing of it was recorded.
    pub async fn wish(&self, wish: Wish) -> Result<Done, WishError> {
        let actor = speaks(&self.shared, &self.speaker, self.channel, &wish).await?;
        let prepared = Box::new(prepare(&self.shared, actor, wish).await?);
        let (reply, answer) = oneshot::channel();
        self.inbox
            .send(Message::Wish { prepared, reply })
            .map_err(|_| WishError::Gone)?;
        answer.await.map_err(|_| WishError::Gone)?
    }
}

/// Who it is that wants this, by the project's file as it is now.
pub(super) async fn speaks(
    shared: &Arc<Shared>,
    speaker: &Speaker,
    channel: Channel,
    wish: &Wish,
) -> Result<Actor, WishError> {
    wish.measured()?;
    let unread = |why| WishError::Unknown { why };
    let project = shared.project_now().await.map_err(unread)?;
    match wish.decides() {
        true => speaker.principal(project.file(), channel),
        false => speaker.actor(project.file(), channel),
    }
}
