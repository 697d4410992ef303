//! Why a host could not do what it was asked to: open a project, take a workflow in, take a run over.

use crate::{control::WishError, reader::LookError, setup::BrokerError};
use sandgate_engine::Illegal;
use sandgate_journal::{AppendError, ArtifactError, OpenError};
use sandgate_model::RunId;
use sandgate_sandbox::SetupError;
use sandgate_workflow::Diagnostics;
use std::{io, path::PathBuf, sync::Arc};

/// Why a project cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The journal cannot be opened: another process holds it, it is damaged, ...
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A run cannot be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The artifact store cannot be opened.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The sandbox cannot be made.
    #[error("the sandbox cannot be set up")]
    Sandbox(#[from] SetupError),
    /// The workspaces cannot be used.
    #[error("the workspaces of the project cannot be used")]
    Workspaces(#[from] sandgate_workspace::OpenError),
    /// What an earlier process left in the workspaces cannot be removed.
    #[error("what an earlier process left in the workspaces cannot be removed")]
    Sweep(#[from] sandgate_workspace::SweepError),
    /// What requests, commands and text generation need cannot be set up.
    #[error(transparent)]
    Brokers(#[from] BrokerError),
    /// A directory cannot be used.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// Why a workflow was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The workflow, its inputs or its plugins have mistakes.
    #[error("the workflow has mistakes")]
    Invalid(Diagnostics),
    /// It could not be recorded.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// What the project's budget has left could not be found out.
    #[error("what the budget has left cannot be found out")]
    Look(#[source] LookError),
    /// No plan can be made.
    #[error("no plan can be made: {0}")]
    Plan(String),
    /// Nobody knows who asks, or the host could not do its part.
    #[error(transparent)]
    Wish(#[from] WishError),
}

/// Why a run could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// It cannot be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The takeover cannot be recorded.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why a request was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The run is not driven by this host.
    #[error("run {0} is not open here")]
    NotHere(RunId),
    /// The run's state does not allow it.
    #[error("the run does not take that now")]
    Illegal(#[source] Box<Illegal>),
    /// Nobody knows who asks.
    #[error("{0}")]
    Unknown(String),
    /// It could not be recorded.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// Why a drive ended early.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal did not take the records; what they said did not happen, and the runs are resumable.
    #[error("the journal could not be written")]
    Append(#[source] Arc<AppendError>),
    /// The journal's writer is gone.
    #[error("the journal's writer stopped")]
    WriterGone,
    /// An event could not be encoded.
    #[error("an event could not be encoded")]
    Encode(#[source] serde_json::Error),
}
