//! Which files an argument may name. Guesses generously: a word that names nothing binds nothing. Only text; must not
//! look at the machine.

use crate::effects::command::CommandDir;
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// Longest path that Linux takes, in bytes.
const PATH_MAX: usize = 4096;

/// How many of the separators after its begin a word may go over. Names hold few of them, and all pairs in a long text
/// would be too many.
const OVER_MAX: usize = 8;

/// How many letters of short options may stand before a glued name: `-xvzfNAME`.
const OPTIONS_MAX: usize = 16;

/// Where a command starts.
pub(super) enum Start {
    /// In this directory of the host.
    Directory(PathBuf),
    /// In a new one that will be about here. Only words that climb out of it can name anything.
    Fresh(PathBuf),
}

/// The parts of an argument that may be names: the argument itself, what follows a separator or the letters of a short
/// option, what stands between separators. Not what a shell is told to write to. `true`: the part is one that a reader would take for a value, so that a
/// directory is worth a line.
pub(super) fn words(arg: &str) -> BTreeMap<String, bool> {
    let separates = |c: char| {
        c.is_whitespace() || c.is_control() || (c.is_ascii_punctuation() && !"/._-".contains(c))
    };
    let separators: Vec<(usize, char)> =
        arg.char_indices().filter(|(_, c)| separates(*c)).collect();
    let mut starts = vec![(0, true)];
    if arg.starts_with('-') && !arg.starts_with("--") {
        let letters = arg.char_indices().skip(2).take(OPTIONS_MAX);
        starts.extend(letters.map(|(at, _)| (at, at == 2)));
    }
    for (at, c) in &separators {
        // What a shell writes to: it may be another one by the time, and usually is.
        let before = arg
            .get(..at.saturating_add(c.len_utf8()))
            .unwrap_or_default();
        if before.trim_end().ends_with('>') {
            continue;
        }
        starts.push((at.saturating_add(c.len_utf8()), "=:,@".contains(*c)));
    }
    let mut found = BTreeMap::new();
    for (start, value) in starts {
        let next = separators.partition_point(|(at, _)| *at < start);
        let ends = separators.iter().skip(next).take(OVER_MAX);
        let ends = ends.map(|(at, _)| *at).chain([arg.len()]);
        for end in ends {
            let word = arg.get(start..end).unwrap_or_default();
            if word.is_empty() || word.len() > PATH_MAX {
                continue;
            }
            let value = value && end == arg.len();
            *found.entry(word.to_owned()).or_insert(false) |= value;
        }
    }
    found
}

/// Paths of the host that a word may mean: as the kernel would walk it, and with its `..` taken away in the text, as
/// some programs do. An absolute word is meant as the host says it (commands see that), or as the guest does.
pub(super) fn paths(word: &str, start: &Start, dirs: &[CommandDir]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let word = own(word);
    let walked = match (start, word.is_absolute()) {
        (_, true) => Some(word.clone()),
        (Start::Directory(dir), false) => Some(dir.join(&word)),
        (Start::Fresh(dir), false) => {
            found.push(normal(&dir.join(&word)));
            None
        }
    };
    if word.is_absolute() {
        for dir in dirs {
            for word in [word.clone(), normal(&word)] {
                if let Ok(rest) = word.strip_prefix(&dir.guest) {
                    found.push(dir.path.join(rest));
                    found.push(normal(&dir.path.join(rest)));
                }
            }
        }
    }
    if let Some(path) = walked {
        found.push(normal(&path));
        found.push(path);
    }
    found.sort();
    found.dedup();
    found
}

/// What a command means by its own `/proc`: `/proc/self/cwd/x` is `x`, `/proc/self/root/x` is `/x`. Read here it would
/// be something of this process.
fn own(word: &str) -> PathBuf {
    let mut path = PathBuf::from(word);
    if !path.is_absolute() {
        return path;
    }
    // Each round takes at least three components away.
    for _ in 0..PATH_MAX {
        let parts: Vec<Component<'_>> = path.components().collect();
        let text = |at: usize| parts.get(at).and_then(|c| c.as_os_str().to_str());
        if text(1) != Some("proc") {
            break;
        }
        let link: usize = if text(3) == Some("task") { 5 } else { 3 };
        let rest = || {
            parts
                .iter()
                .skip(link.saturating_add(1))
                .collect::<PathBuf>()
        };
        match text(link) {
            Some("cwd") => return rest(),
            Some("root") => path = Path::new("/").join(rest()),
            _ => break,
        }
    }
    path
}

/// Without `.` and `..`, by the text alone.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_fall_into_words() {
        for (arg, word, value) in [
            ("run.sh", "run.sh", true),
            ("sub/../run.sh", "sub/../run.sh", true),
            ("-frun.sh", "run.sh", true),
            ("-xzfrun.sh", "run.sh", false),
            ("@run.sh", "run.sh", true),
            ("x:run.sh", "run.sh", true),
            ("--config=run.sh", "run.sh", true),
            ("a=b=run.sh", "run.sh", true),
            ("a=b=run.sh", "b=run.sh", true),
            ("src=run.sh,ro", "run.sh", false),
            ("x=a+b.sh,ro", "a+b.sh", false),
            (". ./run.sh; true", "./run.sh", false),
            ("file:///w/run.sh", "///w/run.sh", true),
            ("f\u{fc}r=l\u{e4}uf.sh", "l\u{e4}uf.sh", true),
        ] {
            assert_eq!(words(arg).get(word), Some(&value), "{word} in {arg}");
        }
        assert!(words("").is_empty());
        let long = "a,".repeat(50_000);
        assert!(words(&long).len() < 10_000);
    }

    #[test]
    fn words_become_paths_of_the_host() {
        let dirs = [CommandDir {
            path: "/host/w".into(),
            identity: None,
            guest: "/data".into(),
            write: true,
        }];
        let start = Start::Directory("/host/w/sub".into());
        for (word, path) in [
            ("run.sh", "/host/w/sub/run.sh"),
            ("./run.sh", "/host/w/sub/run.sh"),
            ("../run.sh", "/host/w/run.sh"),
            ("x/../../run.sh", "/host/w/run.sh"),
            ("../../../host/w/run.sh", "/host/w/run.sh"),
            ("/host/w/run.sh", "/host/w/run.sh"),
            ("//host/./w//run.sh", "/host/w/run.sh"),
            ("/data/run.sh", "/host/w/run.sh"),
            ("/data/x/../run.sh", "/host/w/run.sh"),
            ("/proc/self/cwd/run.sh", "/host/w/sub/run.sh"),
            ("/proc/7/task/8/cwd/run.sh", "/host/w/sub/run.sh"),
            ("/proc/self/root/host/w/run.sh", "/host/w/run.sh"),
            ("/proc/1/root/proc/2/cwd/../run.sh", "/host/w/run.sh"),
        ] {
            let found = paths(word, &start, &dirs);
            assert!(found.contains(&path.into()), "{word}: {found:?}");
        }
        // A new directory has nothing in it, but a way out.
        let fresh = Start::Fresh("/host/w/state/command/work".into());
        let found = paths("../../../run.sh", &fresh, &dirs);
        assert_eq!(found, [PathBuf::from("/host/w/run.sh")]);
    }
}
