//! Finding the way: through whoever drives the project, or, when nobody does, with the journal itself. An owner that is
//! just starting or just leaving is waited for; one that is dead holds nothing.

use super::{Client, Done, Offline, Speaker, Wish, WishError, client::Unheard};
use crate::{Host, HostError, HostOptions, Project};
use sandgate_journal::{Driving, Holder, OpenError, driving};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long an owner that does not listen is waited for: starting one takes some tenths of a second, a command that only
/// looks at a workflow may have to compile a plugin.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The way to a project.
pub enum Reach {
    /// Another process drives it.
    There(Client),
    /// Nobody does; this process holds its lock.
    Here(Box<Offline>),
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// Its owner lives, and does not answer.
    #[error("{holder} drives this project and does not answer on its control socket")]
    Silent {
        /// Who.
        holder: Holder,
    },
    /// The project cannot be opened.
    #[error(transparent)]
    Host(Box<HostError>),
}

/// Finds the way to a project.
///
/// # Errors
/// When its owner does not answer, or nobody drives it and its state cannot be opened.
pub async fn reach(
    project: Arc<Project>,
    options: &HostOptions,
    speaker: Speaker,
) -> Result<Reach, ReachError> {
    let until = Instant::now() + PATIENCE;
    let client = Client {
        state_dir: project.state_dir(),
        speaker: speaker.clone(),
    };
    loop {
        // Whoever answers is there, also when it refuses to be spoken to; it says so again.
        if driving(&project.state_dir()) != Driving::Nobody {
            match client.try_wish(&Wish::Ping).await {
                Ok(Err(WishError::Gone)) | Err(_) => {}
                Ok(_) => return Ok(Reach::There(client)),
            }
        }
        match Host::open(Arc::clone(&project), options) {
            Ok(host) => return Ok(Reach::Here(Box::new(Offline { host, speaker }))),
            Err(HostError::Open(OpenError::Held { holder, .. })) => {
                if Instant::now() >= until {
                    return Err(ReachError::Silent { holder });
                }
            }
            Err(error) => return Err(ReachError::Host(Box::new(error))),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Reach {
    /// Whether another process drives the project.
    #[must_use]
    pub fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }

    /// Says what is wanted, and returns when it is durable.
    ///
    /// # Errors
    /// Why not; then nothing of it was recorded.
    pub async fn wish(&mut self, wish: Wish) -> Result<Done, WishError> {
        match self {
            Self::There(client) => client.wish(wish).await,
            Self::Here(offline) => offline.wish(wish).await,
        }
    }

    /// The same for a wish that may be repeated without harm: when the owner goes away before it answers, another way is
    /// looked for, once.
    ///
    /// # Errors
    /// As for [`Reach::wish`]; when no other way is found, that of the first try.
    pub async fn wish_surely(
        &mut self,
        project: &Arc<Project>,
        options: &HostOptions,
        wish: Wish,
    ) -> Result<Done, WishError> {
        let Self::There(client) = self else {
            return self.wish(wish).await;
        };
        let lost = match client.try_wish(&wish).await {
            Ok(Err(WishError::Gone)) => WishError::Gone,
            Ok(answer) => return answer,
            Err(error) => error.into(),
        };
        let speaker = client.speaker.clone();
        match reach(Arc::clone(project), options, speaker).await {
            Ok(again) => {
                *self = again;
                self.wish(wish).await
            }
            Err(_) => Err(lost),
        }
    }
}

impl From<Unheard> for WishError {
    fn from(error: Unheard) -> Self {
        Self::host(crate::chain(&error))
    }
}
