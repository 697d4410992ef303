//! Where a plugin's words go.

/// Takes a plugin's words while it runs. Called on the thread the guest runs on: must not block, and must not
/// show the text without escaping it.
pub trait Sink: Send + Sync {
    /// One line.
    fn line(&self, line: LogLine);
    /// How far it is; only the newest word counts.
    fn progress(&self, progress: Progress);
}

/// Swallows everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn line(&self, _line: LogLine) {}
    fn progress(&self, _progress: Progress) {}
}

/// One line, raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How it came.
    pub source: LogSource,
    /// How much it matters, as the plugin says. stdout counts as info, stderr as a warning.
    pub level: LogLevel,
    /// The text: at most the limit's bytes, may hold any character, bytes that are not UTF-8 replaced.
    pub message: String,
    /// Whether the end of the line was dropped.
    pub cut: bool,
}

/// How a line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSource {
    /// Through `sandgate:plugin/log`.
    Log,
    /// Through standard output.
    Stdout,
    /// Through standard error.
    Stderr,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// For whoever reads the log.
    Info,
    /// Something is odd.
    Warn,
    /// Something went wrong.
    Error,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done; at most 1 KiB.
    pub message: String,
    /// How much of it, in thousandths, 0 to 1000.
    pub permille: Option<u16>,
}
