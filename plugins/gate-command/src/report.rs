//! Report files in granted directories. A file counts only when the command wrote it anew: a report that was there
//! before says nothing about this run.

use crate::junit;
use crate::settings::Settings;
use crate::tally::Tally;
use sandgate_plugin::{PluginError, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::time::SystemTime;

/// Most bytes of all reports together; what fits is parsed in memory.
const BYTES: u64 = 16 << 20;
/// Most files of one folder.
const FILES: usize = 1_000;

/// When a file was written, and how long it is.
type State = Option<(SystemTime, u64)>;

/// What is to be read, and how it was before the command ran.
pub(crate) struct Reports {
    paths: Vec<String>,
    before: BTreeMap<String, State>,
}

impl Reports {
    /// Takes note of what is there before the command runs.
    ///
    /// # Errors
    /// [`PluginError::InvalidInput`] when it cannot be said where a relative path leads.
    pub(crate) fn before(settings: &Settings, roots: &[String]) -> Result<Self> {
        let mut paths = Vec::new();
        for path in &settings.reports.list {
            paths.push(absolute(path, settings.cwd.as_deref(), roots)?);
        }
        let mut before = BTreeMap::new();
        for path in &paths {
            for file in files(path).unwrap_or_default() {
                let state = state(&file);
                before.insert(file, state);
            }
        }
        Ok(Self { paths, before })
    }

    /// Whether any report is to be read.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Reads the reports. Whatever is missing, stale or too large is a reason for doubt.
    pub(crate) fn after(&self, tally: &mut Tally) {
        let mut left = BYTES;
        for path in &self.paths {
            let files = match files(path) {
                Ok(files) => files,
                Err(why) => {
                    tally.doubt(format!("there is no report {path}: {why}"));
                    continue;
                }
            };
            let is_file = files.first() == Some(path);
            let fresh: Vec<&String> = files
                .iter()
                .filter(|file| self.before.get(*file).copied().flatten() != state(file))
                .collect();
            if fresh.is_empty() {
                tally.doubt(match is_file {
                    true => format!(
                        "the report {path} was there before, and the command did not write it again"
                    ),
                    false => format!("the command wrote no report (*.xml) into {path}"),
                });
            }
            for file in fresh {
                match text(file, left) {
                    Ok((text, size)) => {
                        left = left.saturating_sub(size);
                        junit::read(&text, file, tally);
                    }
                    Err(why) => tally.doubt(format!("the report {file} cannot be read: {why}")),
                }
            }
        }
    }
}

/// A path as the gate sees it; a relative one begins where the command starts.
fn absolute(path: &str, cwd: Option<&str>, roots: &[String]) -> Result<String> {
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    let base = match (cwd, roots) {
        (Some(cwd), _) => cwd,
        (None, [only]) => only,
        _ => {
            return Err(PluginError::invalid_input(format!(
                "`reports` has the relative path `{path}`, and there is no `cwd` and not exactly one granted \
                 directory that it could begin at; write it as the gate sees it, such as /src/target/junit.xml"
            )));
        }
    };
    Ok(format!("{}/{path}", base.trim_end_matches('/')))
}

/// The file, or the XML files of the folder, sorted.
fn files(path: &str) -> std::io::Result<Vec<String>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".xml") && entry.file_type()?.is_file() {
            files.push(format!("{}/{name}", path.trim_end_matches('/')));
        }
        if files.len() > FILES {
            return Err(std::io::Error::other(format!(
                "it has more than {FILES} reports"
            )));
        }
    }
    files.sort();
    Ok(files)
}

fn state(file: &str) -> State {
    let found = fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn text(file: &str, most: u64) -> std::io::Result<(String, u64)> {
    let mut bytes = Vec::new();
    let read = fs::File::open(file)?
        .take(most + 1)
        .read_to_end(&mut bytes)? as u64;
    if read > most {
        return Err(std::io::Error::other(format!(
            "the reports have more than {BYTES} bytes"
        )));
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), read))
}
