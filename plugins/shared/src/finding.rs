//! Findings: what `agent-research` answers, and what comparing and writing read.

use crate::Row;
use serde::{Deserialize, Serialize};

/// Where a finding stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Source {
    /// Path below the granted directories, such as `notes/prices.csv`.
    pub path: String,
    /// First line, from 1.
    #[serde(default)]
    pub line_start: usize,
    /// Last line.
    #[serde(default)]
    pub line_end: usize,
    /// Headings above it, joined with ` > `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
}

impl Source {
    /// `notes/a.md:12-18`.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.line_start, self.line_end) {
            (0, _) => self.path.clone(),
            (start, end) if end <= start => format!("{}:{start}", self.path),
            (start, end) => format!("{}:{start}-{end}", self.path),
        }
    }
}

/// One finding.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Finding {
    /// 1 is best.
    #[serde(default)]
    pub rank: usize,
    /// Relevance; only its order means something.
    #[serde(default)]
    pub score: f64,
    /// The passage.
    pub text: String,
    /// Where it stands.
    #[serde(default)]
    pub source: Source,
    /// `[1] notes/a.md:12-18`.
    #[serde(default)]
    pub citation: String,
    /// The fields, when it is a row or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Row>,
}

/// A file that was not read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skipped {
    /// Path below the granted directories.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// What was searched.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Searched {
    /// Files read.
    pub files: usize,
    /// Passages compared with the topic.
    pub passages: usize,
    /// Rows left out because a limit in the topic excludes them.
    pub outside_limits: usize,
    /// Files not read.
    pub skipped: Vec<Skipped>,
}

/// The answer of `agent-research`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Research {
    /// What was asked.
    #[serde(default)]
    pub topic: String,
    /// Best first.
    pub findings: Vec<Finding>,
    /// The citations, in the order of the findings.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What was searched.
    #[serde(default)]
    pub searched: Searched,
    /// Something the reader should know, such as that nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
