//! Reads the granted directories. Bounded, in a fixed order, and what is left out is reported, never hidden.

use crate::passage::{self, Passage};
use sandgate_plugin_shared::Skipped;
use std::fs;

/// Most files of one search; a project's notes have hundreds.
const MAX_FILES: usize = 2_000;
/// Largest file: a log of this size still has its passages ranked within a second.
const MAX_FILE: u64 = 8 << 20;
/// Largest CSV or JSON file: taken apart into cells it needs many times its size.
const MAX_TABLE: u64 = 2 << 20;
/// Memory for a byte of a table, about: a short cell is a name, a value and an allocation or two.
const TABLE_WEIGHT: u64 = 14;
/// Memory for a byte of text, about: the passage, and the file while it is split.
const TEXT_WEIGHT: u64 = 2;
/// Memory for everything that is kept. With what ranking needs it stays below the usual 64 MiB of a guest.
const MAX_TOTAL: u64 = 32 << 20;
/// Deepest folder; deeper trees are generated ones.
const MAX_DEPTH: usize = 16;
/// Most entries of `skipped`; the rest is counted in one line.
const MAX_SKIPPED: usize = 50;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub(crate) files: usize,
    pub(crate) passages: Vec<Passage>,
    pub(crate) skipped: Vec<Skipped>,
    /// Estimated memory, in bytes.
    weight: u64,
    more_skipped: usize,
}

/// Reads every readable file below `roots` whose path `wanted` names (all, when it is empty).
pub(crate) fn collect(roots: &[String], wanted: &[String]) -> Collection {
    let mut collection = Collection::default();
    for root in roots {
        collection.folder(root, wanted, 0);
    }
    let more = collection.more_skipped;
    if more > 0 {
        collection.skipped.push(Skipped {
            path: "…".to_owned(),
            reason: format!("and {more} more"),
        });
    }
    collection
}

/// Whether `wanted` names this path: itself, a folder above it, or a pattern with `*`.
fn is_wanted(path: &str, wanted: &[String]) -> bool {
    wanted.is_empty()
        || wanted.iter().any(|pattern| {
            let pattern = pattern.trim_matches('/');
            match pattern.contains('*') {
                true => matches(path, pattern),
                false => path
                    .strip_prefix(pattern)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            }
        })
}

/// `*` stands for any text, folders included.
fn matches(path: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A path as citations show it: without the leading slash.
fn shown(path: &str) -> &str {
    path.trim_start_matches('/').trim_start_matches("./")
}

impl Collection {
    fn skip(&mut self, path: &str, reason: impl Into<String>) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(Skipped {
                path: shown(path).to_owned(),
                reason: reason.into(),
            });
        } else {
            self.more_skipped += 1;
        }
    }

    fn folder(&mut self, folder: &str, wanted: &[String], depth: usize) {
        if depth > MAX_DEPTH {
            return self.skip(folder, format!("more than {MAX_DEPTH} folders deep"));
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.skip(folder, format!("cannot be listed: {error}")),
        };
        let mut names: Vec<(String, fs::FileType)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                Some((
                    entry.file_name().into_string().ok()?,
                    entry.file_type().ok()?,
                ))
            })
            // Hidden files are settings and caches.
            .filter(|(name, _)| !name.starts_with('.'))
            .collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in names {
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            if kind.is_dir() {
                self.folder(&path, wanted, depth + 1);
            } else if is_wanted(shown(&path), wanted) {
                if kind.is_file() {
                    self.file(&path);
                } else {
                    self.skip(&path, "not a plain file");
                }
            }
        }
    }

    fn file(&mut self, path: &str) {
        if !passage::readable(path) {
            return self.skip(path, "not text, Markdown, CSV or JSON by its name");
        }
        if self.files >= MAX_FILES {
            return self.skip(path, format!("over the limit of {MAX_FILES} files"));
        }
        let size = match fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) => return self.skip(path, format!("cannot be read: {error}")),
        };
        let (most, weight) = match passage::is_table(path) {
            true => (MAX_TABLE, size.saturating_mul(TABLE_WEIGHT)),
            false => (MAX_FILE, size.saturating_mul(TEXT_WEIGHT)),
        };
        if size > most {
            return self.skip(path, format!("over the limit of {} MiB", most >> 20));
        }
        if self.weight + weight > MAX_TOTAL {
            return self.skip(path, "the search is full; narrow it with `paths`");
        }
        match fs::read(path).map(String::from_utf8) {
            Err(error) => self.skip(path, format!("cannot be read: {error}")),
            Ok(Ok(text)) if !text.contains('\0') => {
                self.weight += weight;
                match passage::passages(shown(path), &text) {
                    Ok(found) => {
                        self.files += 1;
                        self.passages.extend(found);
                    }
                    Err(reason) => self.skip(path, reason),
                }
            }
            Ok(_) => self.skip(path, "binary, not UTF-8 text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_paths() {
        for (path, pattern, expected) in [
            ("notes/a.md", "notes", true),
            ("notes/a.md", "/notes/", true),
            ("notes/a.md", "note", false),
            ("notes/a.md", "notes/a.md", true),
            ("notes/sub/a.md", "*.md", true),
            ("notes/sub/a.md", "notes/*/a*", true),
            ("notes/a.csv", "*.md", false),
            ("notes/a.csv", "x*", false),
        ] {
            assert_eq!(
                is_wanted(path, &[pattern.to_owned()]),
                expected,
                "{path} {pattern}"
            );
        }
        assert!(is_wanted("a", &[]));
    }
}
