//! The control socket of a driving process: `control.sock` in the state directory, for its owner alone. Whoever holds the
//! journal's lock makes it; a file that a dead process left is replaced. What comes in is hostile until it is parsed: one
//! line, bounded in size and time.

use super::{Control, Done, Speaker, Wish, WishError, wish::CONTROL_FORMAT};
use crate::{local::Shared, work::Inbox};
use sandgate_model::Channel;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io,
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _},
            net::{UnixListener as StdListener, UnixStream as StdStream},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

/// Its name in the state directory.
pub(crate) const SOCKET: &str = "control.sock";

/// Longest wish: a workflow or an edited plan, with room for escapes.
const WISH_MAX: u64 = 64 << 20;

/// How long a connection may take to say what it wants: commands send it at once.
const SAY: Duration = Duration::from_secs(10);

/// How long an answer may take to be taken: whoever asked waits for it.
const HEAR: Duration = Duration::from_secs(10);

/// Longest wish that is read without a place for large ones, of which there is one: all but workflows and edited plans.
const SMALL: u64 = 256 << 10;

/// Connections served at once; more wait. People and scripts, not a service.
const CONNECTIONS: usize = 32;

/// What a connection says.
#[derive(Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    pub(super) wish: Wish,
}

/// What it is answered.
#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum Answer {
    Done { done: Done },
    Refused { error: WishError },
}

/// A control socket that is open. Dropped, it is closed and its file removed.
pub(crate) struct Listening {
    task: tokio::task::JoinHandle<()>,
    path: PathBuf,
    /// Its number: another one at the same path is somebody else's.
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        // One that stays is replaced by the next.
        let own = std::fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.number);
        if own {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Paths of sockets are short; that of a project need not be. So the socket is named by way of its directory's handle.
fn short(dir: &File) -> PathBuf {
    Path::new("/proc/self/fd")
        .join(dir.as_raw_fd().to_string())
        .join(SOCKET)
}

/// Connects to the control socket of whoever drives the project.
pub(super) fn connect(state_dir: &Path) -> io::Result<StdStream> {
    let dir = File::open(state_dir)?;
    let stream = StdStream::connect(short(&dir))?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Listening {
    /// Opens the control socket. Only for the holder of the journal's lock.
    pub(crate) fn open(shared: &Arc<Shared>, inbox: &Inbox) -> io::Result<Self> {
        let state_dir = shared.project.state_dir();
        let path = state_dir.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let dir = File::open(&state_dir)?;
        // The directory is its owner's alone already; so is the socket.
        let listener = StdListener::bind(short(&dir))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let number = std::fs::symlink_metadata(&path)?.ino();
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let (shared, inbox) = (Arc::clone(shared), inbox.clone());
        let task = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            let large = Arc::new(Semaphore::new(1));
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of handles, say: others may become free.
                        tracing::warn!(%error, "the control socket cannot accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                let (shared, inbox) = (Arc::clone(&shared), inbox.clone());
                let large = Arc::clone(&large);
                tokio::spawn(async move {
                    serve(shared, inbox, &large, stream).await;
                    drop(place);
                });
            }
        });
        Ok(Self { task, path, number })
    }
}

async fn serve(shared: Arc<Shared>, inbox: Inbox, large: &Semaphore, mut stream: UnixStream) {
    let answer = match asked(shared, inbox, large, &mut stream).await {
        Ok(done) => Answer::Done { done },
        Err(error) => Answer::Refused { error },
    };
    if let Ok(mut line) = serde_json::to_vec(&answer) {
        line.push(b'\n');
        // Whoever asked may have gone; what was recorded stands.
        drop(tokio::time::timeout(HEAR, stream.write_all(&line)).await);
    }
}

async fn asked(
    shared: Arc<Shared>,
    inbox: Inbox,
    large: &Semaphore,
    stream: &mut UnixStream,
) -> Result<Done, WishError> {
    let peer = stream
        .peer_cred()
        .map_err(|error| WishError::host(format!("nobody knows who asks: {error}")))?;
    let mut line = Vec::new();
    let mut place = None;
    let read = async {
        let mut reader = BufReader::new(&mut *stream);
        let mut got = (&mut reader)
            .take(SMALL)
            .read_until(b'\n', &mut line)
            .await?;
        if line.last() != Some(&b'\n') && got as u64 == SMALL {
            place = large.acquire().await.ok();
            got += (&mut reader)
                .take(WISH_MAX - SMALL)
                .read_until(b'\n', &mut line)
                .await?;
        }
        Ok::<usize, io::Error>(got)
    };
    let late = || WishError::host("the connection said nothing in time");
    let got = tokio::time::timeout(SAY, read).await.map_err(|_| late())?;
    got.map_err(|error| WishError::host(format!("the connection broke: {error}")))?;
    if line.last() != Some(&b'\n') {
        return Err(WishError::host(format!(
            "a wish is one line of at most {} MiB",
            WISH_MAX >> 20
        )));
    }
    let said: Said = serde_json::from_slice(&line).map_err(|error| {
        WishError::host(format!(
            "the wish is not understood (another version of sandgate?): {error}"
        ))
    })?;
    if said.format != CONTROL_FORMAT {
        return Err(WishError::host(format!(
            "the wish has format {}, this process knows {CONTROL_FORMAT}: another version of sandgate drives the project",
            said.format
        )));
    }
    drop(line);
    let control = Control {
        shared,
        inbox,
        speaker: Speaker {
            token: said.token,
            user: super::who::user_name(peer.uid()),
        },
        channel: Channel::Socket,
    };
    let done = control.wish(said.wish).await;
    drop(place);
    done
}
