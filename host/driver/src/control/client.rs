//! The way to the process that drives the project: its control socket. One connection for each wish.

use super::{
    Done, Speaker, Wish, WishError,
    socket::{self, Answer, Said},
    wish::CONTROL_FORMAT,
};
use sandgate_journal::{Driving, driving};
use std::{io, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

/// Longest answer. A refusal names votes and waits; both are bounded.
const ANSWER_MAX: u64 = 4 << 20;

/// How long an answer may take. What is wished is recorded within milliseconds; a workflow that is handed in may have to
/// be compiled first, which takes up to a minute for each plugin.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a greeting may take: whoever drives answers it at once, or is not able to.
const GREETING: Duration = Duration::from_secs(3);

/// A process that drives the project.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) state_dir: PathBuf,
    pub(super) speaker: Speaker,
}

/// Why the driving process gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unheard {
    /// It could not be asked: nothing was said.
    #[error("the process that drives the project cannot be reached")]
    Connect(#[source] io::Error),
    /// It was asked, and went away before it answered.
    #[error("the process that drives the project went away before it answered")]
    Broken(#[source] io::Error),
}

impl Client {
    /// Says what is wanted, and returns when it is durable.
    ///
    /// # Errors
    /// Why not. When the other process went away before it answered, that is said: what was asked may be recorded.
    pub async fn wish(&self, wish: Wish) -> Result<Done, WishError> {
        match self.try_wish(&wish).await {
            Ok(answer) => answer,
            Err(error) => Err(WishError::host(crate::chain(&error))),
        }
    }

    /// The same; tells an answer from none.
    pub(super) async fn try_wish(&self, wish: &Wish) -> Result<Result<Done, WishError>, Unheard> {
        let said = Said {
            format: CONTROL_FORMAT,
            token: self.speaker.token.clone(),
            wish: wish.clone(),
        };
        let mut line =
            serde_json::to_vec(&said).map_err(|error| Unheard::Connect(io::Error::other(error)))?;
        line.push(b'\n');
        let dir = self.state_dir.clone();
        let stream = tokio::task::spawn_blocking(move || socket::connect(&dir))
            .await
            .map_err(|error| Unheard::Connect(io::Error::other(error)))?
            .map_err(Unheard::Connect)?;
        let mut stream = UnixStream::from_std(stream).map_err(Unheard::Connect)?;
        // Only whoever holds the journal's lock can do anything about a wish.
        let peer = stream.peer_cred().map_err(Unheard::Connect)?.pid();
        if let Driving::Process(owner) = driving(&self.state_dir)
            && peer.and_then(|pid| u32::try_from(pid).ok()) != Some(owner)
        {
            return Err(Unheard::Connect(io::Error::other(
                "another process than the one that drives the project listens there",
            )));
        }
        stream.write_all(&line).await.map_err(Unheard::Broken)?;
        let mut text = String::new();
        let read = async {
            let mut reader = BufReader::new(stream.take(ANSWER_MAX));
            reader.read_line(&mut text).await
        };
        let patience = match wish {
            Wish::Ping => GREETING,
            _ => PATIENCE,
        };
        let late = || Unheard::Broken(io::Error::from(io::ErrorKind::TimedOut));
        let got = tokio::time::timeout(patience, read)
            .await
            .map_err(|_| late())?;
        if got.map_err(Unheard::Broken)? == 0 {
            return Err(Unheard::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let answer: Answer = serde_json::from_str(&text).map_err(|error| {
            Unheard::Broken(io::Error::other(format!(
                "its answer is not understood: {error}"
            )))
        })?;
        Ok(match answer {
            Answer::Done { done } => Ok(done),
            Answer::Refused { error } => Err(error),
        })
    }
}
