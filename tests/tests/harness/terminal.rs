//! The binary in a terminal of its own, with somebody who types. The terminal is made by `script`, which is part of
//! every Linux: a terminal made here would need a crate, and code that this workspace forbids.

use super::project::Project;
use super::run::{Done, Running};
use std::{
    io::Write as _,
    process::{ChildStdin, Stdio},
};

/// A terminal in which the binary runs.
pub(crate) struct Terminal {
    running: Running,
    keys: ChildStdin,
}

impl Project {
    /// Starts the binary in a terminal. The arguments must need no quoting in a shell.
    pub(crate) fn terminal(&self, args: &[&str]) -> Terminal {
        let line = format!("exec {} {}", super::binary().display(), args.join(" "));
        let mut command = std::process::Command::new("script");
        command.args(["-qfec", &line, "/dev/null"]);
        self.prepare(&mut command);
        command.env("TERM", "xterm").stdin(Stdio::piped());
        let what = format!("in a terminal: sandgate {}", args.join(" "));
        let mut running = self.start_command(command, &what);
        let keys = running.stdin();
        Terminal { running, keys }
    }
}

impl Terminal {
    /// Types.
    pub(crate) fn keys(&mut self, text: &str) {
        // Whoever is gone hears nothing; the test sees that by what comes next.
        let _gone = self
            .keys
            .write_all(text.as_bytes())
            .and_then(|()| self.keys.flush());
    }

    /// What stands on the screen, with everything that moved the cursor.
    pub(crate) fn screen(&self) -> String {
        self.running.stdout()
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        self.running
            .wait_until(&format!("{text:?} on the screen"), |r| {
                r.stdout().contains(text)
            });
    }

    /// The process, which is that of `script`.
    pub(crate) fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Waits for the end; the exit code is that of the binary.
    pub(crate) fn finish(self) -> Done {
        let done = self.running.finish();
        drop(self.keys);
        done
    }
}
