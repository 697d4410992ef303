//! The plugins of a project for commands that only look: no host is opened, so nothing is locked and no state
//! directory is made.

use crate::{context::Context, error::CliError};
use sandgate_driver::{Plugins, Project};
use sandgate_sandbox::Sandbox;
use std::sync::Arc;

/// The sandbox for looking at plugins.
///
/// # Errors
/// When it cannot be made on this machine.
pub(crate) fn sandbox(ctx: &Context) -> Result<Sandbox, CliError> {
    sandgate_driver::sandbox(&ctx.host_options())
        .map_err(|e| CliError::host("the sandbox cannot be set up").caused_by(&e))
}

/// The plugins of a project.
///
/// # Errors
/// When the sandbox cannot be made on this machine.
pub(crate) fn of(ctx: &Context, project: &Arc<Project>) -> Result<Plugins, CliError> {
    Ok(Plugins::new(Arc::clone(project), sandbox(ctx)?))
}
