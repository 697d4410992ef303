//! What must not change, and where a canary must not be.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fs,
    hash::{Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// What is granted, or is the host's own.
const INSIDE: &[&str] = &[
    "project/work",
    "project/.sandgate",
    "project/sandgate.lock",
    "home",
];

fn walk(dir: &Path, each: &mut impl FnMut(&Path, &fs::Metadata)) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path: PathBuf = entry.path();
        // Links are looked at, not followed.
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        each(&path, &meta);
        if meta.is_dir() {
            walk(&path, each);
        }
    }
}

/// Everything outside of what is granted: kind, rights, links, times and contents.
pub(super) fn fingerprint(temp: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    walk(temp, &mut |path, meta| {
        let name = path
            .strip_prefix(temp)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let inside = INSIDE
            .iter()
            .any(|i| name == *i || name.starts_with(&format!("{i}/")));
        // What the test itself keeps of outputs.
        if inside || name.ends_with(".out") || name.ends_with(".err") {
            return;
        }
        let mut hash = DefaultHasher::new();
        if meta.is_file() {
            fs::read(path).unwrap_or_default().hash(&mut hash);
            (meta.mtime(), meta.mtime_nsec()).hash(&mut hash);
            meta.nlink().hash(&mut hash);
        } else if meta.is_symlink() {
            fs::read_link(path).unwrap_or_default().hash(&mut hash);
        }
        all.insert(
            name,
            format!("{:o} {} {:x}", meta.mode(), meta.uid(), hash.finish()),
        );
    });
    all
}

/// What is not as it was.
pub(super) fn changes(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut changed: Vec<String> = after
        .iter()
        .filter(|(name, print)| before.get(*name) != Some(*print))
        .map(|(name, _)| format!("outside: {name} is new or changed"))
        .collect();
    changed.extend(
        before
            .keys()
            .filter(|n| !after.contains_key(*n))
            .map(|n| format!("outside: {n} is gone")),
    );
    changed
}

/// Files that hold `text`, and names that do.
pub(super) fn found(dir: &Path, text: &str) -> Vec<String> {
    let mut hits = Vec::new();
    walk(dir, &mut |path, meta| {
        // Sparse giants are read to 64 MiB; no journal or log comes near.
        let holds = meta.is_file()
            && meta.blocks() < 131_072
            && fs::read(path).is_ok_and(|b| contains(&b, text.as_bytes()));
        if holds || path.to_string_lossy().contains(text) {
            hits.push(path.display().to_string());
        }
    });
    hits
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    // The first byte is rare enough to make this quick.
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| *b == text[0]) {
        rest = &rest[at..];
        if rest.starts_with(text) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[test]
fn a_change_outside_is_seen() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::create_dir_all(at("project/work")).unwrap();
    fs::write(at("project/a"), "a").unwrap();
    let before = fingerprint(temp.path());
    fs::write(at("project/work/b"), "inside").unwrap();
    assert_eq!(
        changes(&before, &fingerprint(temp.path())),
        Vec::<String>::new()
    );
    fs::hard_link(at("project/a"), at("project/work/hard")).unwrap();
    assert_eq!(
        changes(&before, &fingerprint(temp.path())).len(),
        1,
        "a hard link"
    );
    fs::remove_file(at("project/work/hard")).unwrap();
    fs::write(at("project/c"), "new canary").unwrap();
    fs::remove_file(at("project/a")).unwrap();
    assert_eq!(changes(&before, &fingerprint(temp.path())).len(), 2);
    assert_eq!(found(temp.path(), "canary").len(), 1);
}
