//! Asking a person in a terminal. Nobody is asked where nobody can answer, and no answer is a no.

use super::Ui;
use std::io::{BufRead as _, IsTerminal as _};

impl Ui {
    /// Shows `text`, asks `question` and answers whether the person typed `y` or `yes`. Without a terminal on both ends
    /// the answer is no and nothing is shown.
    pub(crate) fn ask(&self, text: &str, question: &str) -> bool {
        let stdin = std::io::stdin();
        if self.json() || !self.err_terminal || !stdin.is_terminal() {
            return false;
        }
        super::stderr(&format!("{text}\n{} [y/N] ", self.err.bold(question)));
        // What was typed before the question was there does not answer it.
        if rustix::termios::tcflush(&stdin, rustix::termios::QueueSelector::IFlush).is_err() {
            return false;
        }
        let mut line = String::new();
        if stdin.lock().read_line(&mut line).is_err() {
            return false;
        }
        matches!(line.trim(), "y" | "Y" | "yes")
    }
}
