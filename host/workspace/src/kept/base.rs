//! What a worktree was made from, as a file: format 1. By this, and by nothing that an attempt could write, its changes
//! are found after it was reopened. Fields end with a zero byte, which no path has.

use crate::{
    git::{Base, BaseFile},
    tree::Stamp,
};
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

const HEAD: &[u8] = b"sandgate-base 1";

/// Everything but the commit, which is in the record.
pub(super) fn write(base: &Base) -> Vec<u8> {
    let mut text = HEAD.to_vec();
    text.push(0);
    let mut line = |head: &str, path: &Path| {
        text.extend(head.as_bytes());
        text.push(b'\t');
        text.extend(path.as_os_str().as_bytes());
        text.push(0);
    };
    for root in &base.roots {
        line("root", root);
    }
    for (path, object) in &base.ignores {
        line(&format!("ignore {object}"), path);
    }
    for (path, file) in &base.files {
        match &file.stamp {
            None => line(&format!("left-out {}", file.mode), path),
            Some(stamp) => line(&format!("file {} {}", file.mode, stamp.words()), path),
        }
    }
    text
}

/// What [`write`] wrote; `None` when it is anything else.
pub(super) fn read(text: &[u8], commit: String) -> Option<Base> {
    let mut fields = text.strip_suffix(&[0])?.split(|b| *b == 0);
    if fields.next()? != HEAD {
        return None;
    }
    let mut base = Base {
        commit,
        ..Base::default()
    };
    for field in fields {
        let tab = field.iter().position(|b| *b == b'\t')?;
        let (head, path) = field.split_at_checked(tab)?;
        let head = std::str::from_utf8(head).ok()?;
        let path = PathBuf::from(OsStr::from_bytes(path.get(1..)?));
        let (kind, rest) = head.split_once(' ').unwrap_or((head, ""));
        match kind {
            "root" if rest.is_empty() => base.roots.push(path),
            "ignore" => base.ignores.push((path, rest.to_owned())),
            "left-out" => {
                let mode = rest.to_owned();
                base.files.insert(path, BaseFile { mode, stamp: None });
            }
            "file" => {
                let (mode, stamp) = rest.split_once(' ')?;
                let mode = mode.to_owned();
                let stamp = Some(Stamp::parse(stamp)?);
                base.files.insert(path, BaseFile { mode, stamp });
            }
            _ => return None,
        }
    }
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path() -> impl Strategy<Value = PathBuf> {
        proptest::collection::vec(1_u8..=255, 1..12)
            .prop_map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    fn stamp() -> impl Strategy<Value = Option<Stamp>> {
        let numbers = (any::<u64>(), 0_i64.., any::<u32>(), any::<[i64; 4]>());
        proptest::option::of(numbers.prop_map(|(ino, size, mode, [a, b, c, d])| {
            Stamp::parse(&format!("{ino} {size} {mode:o} {a} {b} {c} {d}")).unwrap()
        }))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever paths there are: what is read is what was written, and no part of it is read as a whole.
        #[test]
        fn what_is_read_is_what_was_written(
            roots in proptest::collection::vec(path(), 0..4),
            ignores in proptest::collection::vec((path(), "[0-9a-f]{40}"), 0..4),
            files in proptest::collection::btree_map(path(), (prop_oneof!["100644", "100755", "120000"], stamp()), 0..9),
            cut in 1_usize..40,
        ) {
            let files = files.into_iter().map(|(p, (mode, stamp))| (p, BaseFile { mode, stamp })).collect();
            let base = Base { commit: "c".into(), files, ignores, roots };
            let text = write(&base);
            let again = read(&text, "c".into()).unwrap();
            prop_assert_eq!(format!("{again:?}"), format!("{base:?}"));
            let short = &text[..text.len().saturating_sub(cut)];
            let part = read(short, "c".into());
            let same = part.is_some_and(|part| format!("{part:?}") == format!("{base:?}"));
            prop_assert!(!same);
        }
    }
}
