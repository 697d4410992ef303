//! Paths as text: what may be named as a directory to grant. Must not look at the disk: links are followed, and
//! refused, by the sandbox when it opens the directory.

use std::fmt;

/// The project's state directory. Never inside a granted root: whoever could write it could rewrite history.
pub const STATE_DIR: &str = ".sandgate";

/// Longest path in bytes; the usual limit of the operating system.
const PATH_MAX: usize = 4096;

/// Why a text is not a path that can be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing there.
    #[error("a path cannot be empty")]
    Empty,
    /// Over 4,096 bytes.
    #[error("a path has at most {PATH_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// A host path that starts at the root of the machine.
    #[error("a host path is relative to the project's directory")]
    Absolute,
    /// A guest path that does not start with `/`.
    #[error("a guest path starts with `/`")]
    Relative,
    /// `..`, `.`, or nothing between two slashes.
    #[error("{0:?} cannot be a part of a path")]
    Part(String),
    /// A control character, a backslash, or a character that changes the direction of text.
    #[error("{0:?} cannot stand in a path")]
    Character(char),
    /// The project's state directory, or a directory in it.
    #[error("the state directory `.sandgate` can never be granted")]
    State,
}

fn check_parts<'a>(parts: impl Iterator<Item = &'a str>) -> Result<(), PathError> {
    for part in parts {
        if matches!(part, "" | "." | "..") {
            return Err(PathError::Part(part.to_owned()));
        }
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), PathError> {
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    if text.len() > PATH_MAX {
        return Err(PathError::TooLong(text.len()));
    }
    let bad = |c: char| {
        c.is_control()
            || c == '\\'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    match text.chars().find(|c| bad(*c)) {
        Some(c) => Err(PathError::Character(c)),
        None => Ok(()),
    }
}

/// A directory on the host, relative to the project's directory: no `..`, not the state directory. `.` is the project
/// itself; it holds the state directory, so [`crate::resolve`] grants it only in a workspace of the attempt's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPath(String);

/// A directory as the guest sees it: absolute, no `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GuestPath(String);

impl HostPath {
    /// Checks a path.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn new(text: &str) -> Result<Self, PathError> {
        check_text(text)?;
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text == "." {
            return Ok(Self(text.to_owned()));
        }
        check_parts(text.split('/'))?;
        // Compared without case: some file systems do not tell `.Sandgate` from `.sandgate`.
        if text
            .split('/')
            .any(|part| part.eq_ignore_ascii_case(STATE_DIR))
        {
            return Err(PathError::State);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the project's directory itself.
    #[must_use]
    pub fn is_project(&self) -> bool {
        self.0 == "."
    }

    /// Whether `other` is this directory or lies in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.is_project() || within(&self.0, &other.0)
    }

    /// The directory at `rest` below this one; `rest` without a leading slash, empty for this one itself.
    pub(crate) fn join(&self, rest: &str) -> Result<Self, PathError> {
        match (rest, self.is_project()) {
            ("", _) => Ok(self.clone()),
            (rest, true) => Self::new(rest),
            (rest, false) => Self::new(&format!("{}/{rest}", self.0)),
        }
    }
}

impl GuestPath {
    /// Checks a path.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn new(text: &str) -> Result<Self, PathError> {
        check_text(text)?;
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::Relative);
        };
        if !rest.is_empty() {
            check_parts(rest.split('/'))?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this directory or lies in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.0 == "/" || within(&self.0, &other.0)
    }

    /// What follows this directory in `other`, without a leading slash; `None` when `other` is not inside.
    #[must_use]
    pub(crate) fn rest<'a>(&self, other: &'a Self) -> Option<&'a str> {
        if self.0 == "/" {
            return other.0.strip_prefix('/');
        }
        match other.0.strip_prefix(self.0.as_str())? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }
}

fn within(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_paths() {
        for good in ["notes", "a/b", "a.b/c-d", "...", "ä", "."] {
            assert!(HostPath::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "..",
            "/etc",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "./.sandgate",
            ".sandgate",
            "a/.sandgate/b",
            ".SandGate",
            "a\\b",
            "a\nb",
            "a\0",
            "a\u{202e}b",
            "\u{feff}a",
            "../a",
        ] {
            assert!(HostPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn guest_paths() {
        for good in ["/", "/notes", "/a/b"] {
            assert!(GuestPath::new(good).is_ok(), "{good}");
        }
        for bad in ["", "notes", "/a/..", "//", "/a/", "/./a", "/a\u{9b}"] {
            assert!(GuestPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_project_holds_every_directory_of_it() {
        let project = HostPath::new(".").unwrap();
        let notes = HostPath::new("notes").unwrap();
        assert!(project.contains(&notes) && !notes.contains(&project));
        assert_eq!(project.join("notes"), Ok(notes.clone()));
        assert_eq!(notes.join("a").unwrap().as_str(), "notes/a");
        assert_eq!(project.join(".sandgate"), Err(PathError::State));
    }

    #[test]
    fn a_name_that_only_starts_alike_is_not_inside() {
        let notes = GuestPath::new("/notes").unwrap();
        assert!(notes.contains(&GuestPath::new("/notes/a").unwrap()));
        assert!(!notes.contains(&GuestPath::new("/notes-private").unwrap()));
        assert_eq!(notes.rest(&GuestPath::new("/notes-private").unwrap()), None);
        assert_eq!(
            notes.rest(&GuestPath::new("/notes/a/b").unwrap()),
            Some("a/b")
        );
    }
}
