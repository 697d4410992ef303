//! A terminal echoes Ctrl-C as `^C` where the cursor is. After a drawing the cursor is at the right edge, so the echo
//! begins a row that is never cleared, and a ghost of an old row stays on the screen. While something is drawn, control
//! characters are therefore not echoed; everything else stays as it is, also if the process is killed meanwhile.

use rustix::{
    process::getpgrp,
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr},
};
use std::io::stderr;

/// Gives the terminal back as it was when dropped.
pub(super) struct NoControlEcho(Option<Termios>);

impl NoControlEcho {
    /// Switches the echo off, where that is possible.
    pub(super) fn new() -> Self {
        Self(if in_front() { switch_off() } else { None })
    }
}

/// A process in the background that changes its terminal is stopped by the kernel.
fn in_front() -> bool {
    tcgetpgrp(stderr()).is_ok_and(|group| group == getpgrp())
}

fn switch_off() -> Option<Termios> {
    let before = tcgetattr(stderr()).ok()?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHOCTL);
    tcsetattr(stderr(), OptionalActions::Now, &quiet).ok()?;
    Some(before)
}

impl Drop for NoControlEcho {
    fn drop(&mut self) {
        if let Some(before) = &self.0
            && in_front()
        {
            // A terminal that went away needs nothing back.
            tcsetattr(stderr(), OptionalActions::Now, before).ok();
        }
    }
}
