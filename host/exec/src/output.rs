//! What a command prints: without secrets, line by line for those who watch, and the end of it for those who asked.
//! Holds at most one line and the kept end, however much is printed.

use crate::redact::Redactor;
use std::{collections::VecDeque, sync::Arc};

/// Longest line that is handed on; longer ones come in pieces.
const LINE_MAX: usize = 8 * 1024;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Gets each line as it comes, without its end, at most 8 KiB, secrets taken out. Bytes as the command wrote them:
/// whoever shows them escapes them. Called from the task that runs the command; must return soon.
pub type LineSink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputCaps {
    /// Bytes of standard output; the end is kept.
    pub stdout: usize,
    /// Bytes of standard error; the end is kept.
    pub stderr: usize,
}

impl Default for OutputCaps {
    /// 1 MiB each, as the contract with plugins says.
    fn default() -> Self {
        Self {
            stdout: 1 << 20,
            stderr: 1 << 20,
        }
    }
}

/// One of the two streams.
pub(crate) struct Output {
    stream: Stream,
    cap: usize,
    redactor: Redactor,
    sink: Option<LineSink>,
    line: Vec<u8>,
    kept: VecDeque<u8>,
    dropped: u64,
}

impl Output {
    pub(crate) fn new(
        stream: Stream,
        cap: usize,
        redactor: Redactor,
        sink: Option<LineSink>,
    ) -> Self {
        Self {
            stream,
            cap,
            redactor,
            sink,
            line: Vec::new(),
            kept: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Takes what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let mut clean = Vec::with_capacity(bytes.len());
        self.redactor.push(bytes, &mut clean);
        self.take(&clean);
    }

    /// The stream has ended. What was kept, and how many bytes were not.
    pub(crate) fn finish(&mut self) -> (Vec<u8>, u64) {
        let mut clean = Vec::new();
        self.redactor.finish(&mut clean);
        self.take(&clean);
        if !self.line.is_empty() {
            self.emit();
        }
        (std::mem::take(&mut self.kept).into(), self.dropped)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.keep(bytes);
        if self.sink.is_none() {
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = LINE_MAX.saturating_sub(self.line.len());
            let piece = rest.get(..room.min(rest.len())).unwrap_or_default();
            if let Some(at) = piece.iter().position(|b| *b == b'\n') {
                self.line
                    .extend_from_slice(piece.get(..at).unwrap_or_default());
                self.emit();
                rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
            } else {
                self.line.extend_from_slice(piece);
                rest = rest.get(piece.len()..).unwrap_or_default();
                if self.line.len() >= LINE_MAX {
                    self.emit();
                }
            }
        }
    }

    fn emit(&mut self) {
        if let Some(sink) = &self.sink {
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            sink(self.stream, line);
        }
        self.line.clear();
    }

    fn keep(&mut self, bytes: &[u8]) {
        let skip = bytes.len().saturating_sub(self.cap);
        let new = bytes.get(skip..).unwrap_or_default();
        let over = self
            .kept
            .len()
            .saturating_add(new.len())
            .saturating_sub(self.cap);
        self.kept.drain(..over.min(self.kept.len()));
        self.kept.extend(new);
        let lost = u64::try_from(skip.saturating_add(over)).unwrap_or(u64::MAX);
        self.dropped = self.dropped.saturating_add(lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn run(cap: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>, u64) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = lines.clone();
        let sink: LineSink = Arc::new(move |_, l: &[u8]| to.lock().unwrap().push(l.to_vec()));
        let none = Redactor::new(std::iter::empty());
        let mut out = Output::new(Stream::Stdout, cap, none, Some(sink));
        for p in pieces {
            out.push(p);
        }
        let (kept, dropped) = out.finish();
        let lines = lines.lock().unwrap().clone();
        (lines, kept, dropped)
    }

    #[test]
    fn lines_and_the_kept_end() {
        let (lines, kept, dropped) = run(8, &[b"one\ntw", b"o\r\n\nfour"]);
        assert_eq!(lines, [&b"one"[..], b"two", b"", b"four"]);
        assert_eq!((kept.as_slice(), dropped), (&b"o\r\n\nfour"[..], 6));
        let (_, kept, dropped) = run(3, &[b"abcdefgh"]);
        assert_eq!((kept.as_slice(), dropped), (&b"fgh"[..], 5));
        let (_, kept, dropped) = run(3, &[b"ab", b"c", b"d"]);
        assert_eq!((kept.as_slice(), dropped), (&b"bcd"[..], 1));
        let (_, kept, dropped) = run(0, &[b"ab"]);
        assert_eq!((kept.as_slice(), dropped), (&b""[..], 2));
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let (lines, kept, _) = run(1 << 20, &[&[b'x'; 20_000]]);
        let sizes: Vec<_> = lines.iter().map(Vec::len).collect();
        assert_eq!(sizes, [8192, 8192, 3616]);
        assert_eq!(kept.len(), 20_000);
    }
}
