//! Asking a person at a terminal for something that counts. What was typed before the whole text stood there, and for a
//! moment after, answers nothing; an answer is a whole line; nobody is asked where nobody can answer. This module knows
//! no runs, and decides nothing.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, read},
    process::getpgrp,
    termios::{LocalModes, QueueSelector, tcflush, tcgetattr, tcgetpgrp},
};
use std::{
    io::{self, IsTerminal as _, Stdin, Write},
    os::fd::AsFd,
    time::{Duration, Instant},
};

/// Keys typed within this after the text appeared were not meant for it: a person needs longer to read a line.
const SETTLE: Duration = Duration::from_millis(500);

/// How often an open question is looked at: whether it is still one.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of a line that a terminal hands over at most.
const LINE_MAX: usize = 4096;

/// What came of asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// A whole line, without its end and the white space around it.
    Line(String),
    /// There is nobody any more: the end of the input, or a terminal that went away.
    Gone,
    /// The question is none any more.
    Withdrawn,
}

/// The words of an answer to "yes or no".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// `y`, `yes`.
    Yes,
    /// `n`, `no`.
    No,
    /// `later`: it stays open.
    Later,
    /// Anything else, which answers nothing.
    Other,
}

impl Word {
    /// Only whole words count.
    pub(crate) fn of(line: &str) -> Self {
        match line {
            "y" | "yes" => Self::Yes,
            "n" | "no" => Self::No,
            "later" => Self::Later,
            _ => Self::Other,
        }
    }
}

/// A terminal with a person at it.
pub(crate) struct Terminal<I: AsFd = Stdin, O: Write = io::Stderr> {
    input: I,
    output: O,
}

impl Terminal {
    /// The terminal on standard input and standard error. `None` where one of them is none, where it does not hand over
    /// whole lines, and for a process in the background.
    pub(crate) fn open() -> Option<Self> {
        let (input, output) = (io::stdin(), io::stderr());
        let usable = input.is_terminal()
            && output.is_terminal()
            && tcgetpgrp(&input).is_ok_and(|group| group == getpgrp());
        usable.then(|| Self::on(input, output)).flatten()
    }
}

impl<I: AsFd, O: Write> Terminal<I, O> {
    fn on(input: I, output: O) -> Option<Self> {
        let modes = tcgetattr(&input).ok()?.local_modes;
        modes
            .contains(LocalModes::ICANON)
            .then_some(Self { input, output })
    }

    /// Writes, and asks nothing.
    pub(crate) fn say(&mut self, text: &str) {
        // A terminal that went away is found out by asking.
        drop(
            self.output
                .write_all(text.as_bytes())
                .and_then(|()| self.output.flush()),
        );
    }

    /// Shows `text` and `question`, and waits for a line as long as `open` says that there is something to answer.
    pub(crate) fn ask(
        &mut self,
        text: &str,
        question: &str,
        open: &mut dyn FnMut() -> bool,
    ) -> Reply {
        self.say(&format!("{text}{question}"));
        let shown = Instant::now();
        while shown.elapsed() < SETTLE {
            if !open() {
                return Reply::Withdrawn;
            }
            std::thread::sleep(LOOK.min(SETTLE.saturating_sub(shown.elapsed())));
        }
        if tcflush(&self.input, QueueSelector::IFlush).is_err() {
            return Reply::Gone;
        }
        self.line(question, open)
    }

    /// The next line that is one.
    fn line(&mut self, question: &str, open: &mut dyn FnMut() -> bool) -> Reply {
        let mut buffer = [0; LINE_MAX];
        loop {
            if !open() {
                return Reply::Withdrawn;
            }
            match self.ready() {
                Ok(true) => {}
                Ok(false) => continue,
                Err(()) => return Reply::Gone,
            }
            let got = match read(&self.input, &mut buffer) {
                Ok(0) => return Reply::Gone,
                Ok(n) => buffer.get(..n).unwrap_or_default(),
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(_) => return Reply::Gone,
            };
            // A decision that came meanwhile was first.
            if !open() {
                return Reply::Withdrawn;
            }
            let whole = got
                .strip_suffix(b"\n")
                .and_then(|line| std::str::from_utf8(line).ok());
            match whole {
                Some(line) => return Reply::Line(line.trim_ascii().to_owned()),
                // The terminal cut it off, or it is no text.
                None => {
                    if tcflush(&self.input, QueueSelector::IFlush).is_err() {
                        return Reply::Gone;
                    }
                    self.say(&format!("\nthat was no whole line of text\n{question}"));
                }
            }
        }
    }

    /// Whether there is something to read; waits a moment for it.
    fn ready(&self) -> Result<bool, ()> {
        let mut fds = [PollFd::new(&self.input, PollFlags::IN)];
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(LOOK.subsec_nanos()),
        };
        match poll(&mut fds, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => Ok(false),
            Ok(_) => {
                let [fd] = &fds;
                let got = fd.revents();
                match got.contains(PollFlags::IN) {
                    true => Ok(true),
                    false => Err(()),
                }
            }
            Err(_) => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{
        fs::{Mode, OFlags, open},
        io::write,
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{OptionalActions, tcsetattr},
    };
    use std::{os::fd::OwnedFd, thread};

    /// A terminal: the end at which a person types, and the end that a program has.
    fn pair() -> (OwnedFd, OwnedFd) {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let program = open(
            name.as_c_str(),
            OFlags::RDWR | OFlags::NOCTTY,
            Mode::empty(),
        )
        .unwrap();
        (person, program)
    }

    /// Asks while `typist` types; answers with what came, and what stood on the screen.
    fn play(
        typist: impl FnOnce(&OwnedFd) + Send + 'static,
        mut still: impl FnMut() -> bool,
    ) -> (Reply, String) {
        let (person, program) = pair();
        let mut terminal = Terminal::on(program, Vec::new()).unwrap();
        let hand = thread::spawn(move || {
            typist(&person);
            person
        });
        let reply = terminal.ask("the text\n", "yes? ", &mut still);
        drop(hand.join().unwrap());
        (reply, String::from_utf8(terminal.output).unwrap())
    }

    fn pause(ms: u64) {
        thread::sleep(Duration::from_millis(ms));
    }

    #[test]
    fn what_was_typed_before_or_at_once_answers_nothing() {
        let mut leaked = 0;
        let early = [0, 10, 200, 400];
        for after in early {
            let (reply, _) = play(
                move |tty| {
                    pause(after);
                    write(tty, b"yes\n").unwrap();
                    pause(700 - after);
                    write(tty, b"no\n").unwrap();
                },
                || true,
            );
            leaked += usize::from(reply != Reply::Line("no".into()));
        }
        // Half a line from before does not become the beginning of an answer.
        let (reply, _) = play(
            |tty| {
                write(tty, b"y").unwrap();
                pause(700);
                write(tty, b"later\n").unwrap();
            },
            || true,
        );
        leaked += usize::from(reply != Reply::Line("later".into()));
        assert_eq!(leaked, 0);
        println!(
            "{} answers typed too early, {leaked} counted",
            early.len() + 1
        );
    }

    #[test]
    fn a_question_that_is_none_any_more_is_withdrawn() {
        let start = Instant::now();
        let (reply, _) = play(|_| {}, || start.elapsed() < Duration::from_millis(800));
        assert_eq!(reply, Reply::Withdrawn);
        // Also when the answer and the other decision come together.
        let (reply, _) = play(
            |tty| {
                pause(700);
                write(tty, b"yes\n").unwrap();
            },
            {
                let start = Instant::now();
                move || start.elapsed() < Duration::from_millis(690)
            },
        );
        assert_eq!(reply, Reply::Withdrawn);
    }

    #[test]
    fn the_end_of_the_input_and_half_lines_are_no_answer() {
        let (reply, _) = play(
            |tty| {
                pause(700);
                write(tty, b"\x04").unwrap();
            },
            || true,
        );
        assert_eq!(reply, Reply::Gone);
        let (reply, screen) = play(
            |tty| {
                pause(700);
                write(tty, b"yes\x04").unwrap();
                pause(200);
                write(tty, b"n\n").unwrap();
            },
            || true,
        );
        assert_eq!(reply, Reply::Line("n".into()));
        assert!(screen.contains("no whole line"), "{screen}");
    }

    #[test]
    fn a_terminal_without_lines_is_not_asked() {
        let (_person, program) = pair();
        let mut modes = tcgetattr(&program).unwrap();
        modes.make_raw();
        tcsetattr(&program, OptionalActions::Now, &modes).unwrap();
        assert!(Terminal::on(program, Vec::new()).is_none());
    }

    #[test]
    fn only_whole_words_count() {
        for (text, word) in [
            ("y", Word::Yes),
            ("yes", Word::Yes),
            ("n", Word::No),
            ("no", Word::No),
            ("later", Word::Later),
        ] {
            assert_eq!(Word::of(text), word);
        }
        for text in [
            "",
            "ye",
            "yes!",
            "yess",
            "Y",
            "YES",
            "y y",
            "j",
            "ok",
            "1",
            "true",
            "nope",
            "y\u{200b}",
            "у",
        ] {
            assert_eq!(Word::of(text), Word::Other, "{text}");
        }
    }
}
