//! A plugin's words on their way to the sink: bounded, split into lines, counted. Shared by the log interface and
//! the two output streams. Never shows anything.

use crate::outcome::cut;
use crate::state::Stop;
use crate::tape::{Args, Tag, Tape};
use crate::{Limits, LogLevel, LogLine, LogSource, Progress, Sink};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a line costs against the cap on bytes besides its text, so that empty lines are not free.
const LINE_COST: usize = 16;

/// Longest progress message kept, in bytes: it is shown on one line.
const PROGRESS_MAX: usize = 1 << 10;

/// How much of the end of stderr is kept to explain a trap: a panic message with its place.
const LAST_WORDS: usize = 2 << 10;

/// The words of one store; cheap to clone, because the output streams hold it too.
#[derive(Clone)]
pub(crate) struct Words(Arc<Mutex<State>>);

struct State {
    sink: Arc<dyn Sink>,
    line_max: usize,
    bytes_left: usize,
    lines_left: u32,
    progress_left: u32,
    bytes: usize,
    dropped: u64,
    out: Partial,
    err: Partial,
    last_words: String,
    tape: Option<Tape>,
    /// Whether the first time has said it already: it is counted and not passed on.
    muted: bool,
}

/// A line that has no line break yet.
#[derive(Default)]
struct Partial {
    text: Vec<u8>,
    cut: bool,
}

/// Which output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

impl Words {
    pub(crate) fn new(sink: Arc<dyn Sink>, limits: &Limits, tape: Option<Tape>) -> Self {
        Self(Arc::new(Mutex::new(State::new(sink, limits, tape))))
    }

    /// Starts counting anew for the next use of a live session.
    pub(crate) fn reset(&self, sink: Arc<dyn Sink>, limits: &Limits) {
        *self.lock() = State::new(sink, limits, None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a sink leaves the counters usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One record of the log interface.
    pub(crate) fn log(&self, level: LogLevel, message: String) -> Result<(), Stop> {
        let mut state = self.lock();
        state.note(Tag::Log, || Args::of(&(level as u8, &message)))?;
        let long = message.len() > state.line_max;
        let message = if long {
            let end = message.floor_char_boundary(state.line_max);
            message.get(..end).unwrap_or_default().to_owned()
        } else {
            message
        };
        state.line(LogSource::Log, level, message, long);
        Ok(())
    }

    /// Bytes that the guest wrote to a stream. Empty writes do nothing.
    pub(crate) fn write(&self, output: Output, bytes: &[u8]) -> Result<(), Stop> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        let tag = match output {
            Output::Stdout => Tag::Stdout,
            Output::Stderr => Tag::Stderr,
        };
        state.note(tag, || Args::of(&bytes))?;
        state.write(output, bytes);
        Ok(())
    }

    /// Progress.
    pub(crate) fn progress(&self, message: String, permille: Option<u16>) -> Result<(), Stop> {
        let mut state = self.lock();
        state.note(Tag::Progress, || Args::of(&(&message, permille)))?;
        if state.progress_left == 0 {
            state.dropped += 1;
            return Ok(());
        }
        state.progress_left -= 1;
        if state.muted {
            return Ok(());
        }
        state.sink.progress(Progress {
            message: cut(message, PROGRESS_MAX),
            permille: permille.map(|p| p.min(1_000)),
        });
        Ok(())
    }

    /// Passes on what has no line break yet. Called when a call ends.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.muted = state.tape.as_ref().is_some_and(Tape::replaying);
        for output in [Output::Stdout, Output::Stderr] {
            state.end_line(output, false);
        }
    }

    /// Forgets what has no line break yet: the guest will say it again.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.out = Partial::default();
        state.err = Partial::default();
    }

    /// Bytes passed on, and lines dropped.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let state = self.lock();
        (state.bytes, state.dropped)
    }

    /// The end of what came on stderr.
    pub(crate) fn last_words(&self) -> String {
        self.lock().last_words.trim().to_owned()
    }
}

impl State {
    fn new(sink: Arc<dyn Sink>, limits: &Limits, tape: Option<Tape>) -> Self {
        Self {
            sink,
            line_max: limits.log_line,
            bytes_left: limits.log_bytes,
            lines_left: limits.log_lines,
            progress_left: limits.log_lines,
            bytes: 0,
            dropped: 0,
            out: Partial::default(),
            err: Partial::default(),
            last_words: String::new(),
            tape,
            muted: false,
        }
    }

    /// Notes that something is said, and finds out whether it was said before.
    fn note(&mut self, tag: Tag, args: impl FnOnce() -> Args) -> Result<(), Stop> {
        if let Some(tape) = &self.tape {
            self.muted = tape.done_before(tag, &args())?;
        }
        Ok(())
    }

    fn partial(&mut self, output: Output) -> &mut Partial {
        match output {
            Output::Stdout => &mut self.out,
            Output::Stderr => &mut self.err,
        }
    }

    fn write(&mut self, output: Output, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let max = self.line_max;
            let partial = self.partial(output);
            let room = max.saturating_sub(partial.text.len());
            partial.cut |= piece.len() > room;
            partial
                .text
                .extend_from_slice(piece.get(..room).unwrap_or(piece));
            if pieces.peek().is_some() {
                self.end_line(output, true);
            }
        }
    }

    /// Passes a line on; an empty one only if the guest ended it itself.
    fn end_line(&mut self, output: Output, ended: bool) {
        let partial = std::mem::take(self.partial(output));
        if partial.text.is_empty() && !ended {
            return;
        }
        let text = String::from_utf8_lossy(&partial.text).into_owned();
        let (source, level) = match output {
            Output::Stdout => (LogSource::Stdout, LogLevel::Info),
            Output::Stderr => {
                self.remember(&text);
                (LogSource::Stderr, LogLevel::Warn)
            }
        };
        self.line(source, level, text, partial.cut);
    }

    fn remember(&mut self, text: &str) {
        if self.last_words.len() + text.len() > LAST_WORDS {
            self.last_words.clear();
        }
        self.last_words.push_str(
            text.get(..text.floor_char_boundary(LAST_WORDS))
                .unwrap_or_default(),
        );
        self.last_words.push('\n');
    }

    fn line(&mut self, source: LogSource, level: LogLevel, message: String, cut: bool) {
        let cost = message.len() + LINE_COST;
        if self.lines_left == 0 || cost > self.bytes_left {
            // Everything after the first drop is dropped too: a log with holes misleads.
            self.lines_left = 0;
            self.dropped += 1;
            return;
        }
        self.lines_left -= 1;
        self.bytes_left -= cost;
        self.bytes += message.len();
        if self.muted {
            return;
        }
        self.sink.line(LogLine {
            source,
            level,
            message,
            cut,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<LogLine>>);

    impl Sink for Kept {
        fn line(&self, line: LogLine) {
            self.0.lock().unwrap().push(line);
        }
        fn progress(&self, _progress: Progress) {}
    }

    fn words(limits: &Limits) -> (Arc<Kept>, Words) {
        let kept = Arc::new(Kept::default());
        (Arc::clone(&kept), Words::new(kept, limits, None))
    }

    fn texts(kept: &Kept) -> Vec<String> {
        let lines = kept.0.lock().unwrap();
        lines.iter().map(|line| line.message.clone()).collect()
    }

    #[test]
    fn chunks_become_lines_however_they_are_cut() {
        let text = b"one\n\ntwo \xff\nrest";
        for size in 1..=text.len() {
            let (kept, words) = words(&Limits::agent());
            for chunk in text.chunks(size) {
                words.write(Output::Stdout, chunk).unwrap();
                words.write(Output::Stdout, b"").unwrap();
            }
            words.finish();
            words.finish();
            assert_eq!(texts(&kept), ["one", "", "two \u{fffd}", "rest"], "{size}");
        }
    }

    #[test]
    fn long_lines_are_cut_and_said_to_be() {
        let limits = Limits {
            log_line: 4,
            ..Limits::agent()
        };
        let (kept, words) = words(&limits);
        words.write(Output::Stderr, b"abcdefgh").unwrap();
        words.write(Output::Stderr, b"ij\nkl\n").unwrap();
        words.log(LogLevel::Info, "äääää".into()).unwrap();
        assert_eq!(texts(&kept), ["abcd", "kl", "ää"]);
        let cut: Vec<_> = kept.0.lock().unwrap().iter().map(|l| l.cut).collect();
        assert_eq!(cut, [true, false, true]);
    }

    #[test]
    fn what_is_over_is_dropped_and_counted() {
        let limits = Limits {
            log_bytes: 100,
            ..Limits::agent()
        };
        let (kept, words) = words(&limits);
        for _ in 0..10 {
            words.log(LogLevel::Info, "0123456789".into()).unwrap();
        }
        assert_eq!(kept.0.lock().unwrap().len(), 3, "26 bytes each");
        assert_eq!(words.counts(), (30, 7));
        let many = Limits {
            log_lines: 5,
            ..Limits::agent()
        };
        words.reset(Arc::clone(&kept) as Arc<dyn Sink>, &many);
        words.write(Output::Stdout, &[b'\n'; 100]).unwrap();
        assert_eq!(words.counts(), (0, 95));
    }

    #[test]
    fn an_unended_line_does_not_grow() {
        let (_kept, words) = words(&Limits::agent());
        for _ in 0..1_000 {
            words.write(Output::Stdout, &[b'x'; 4096]).unwrap();
        }
        assert_eq!(words.lock().out.text.len(), Limits::agent().log_line);
        assert_eq!(words.counts(), (0, 0));
    }
}
