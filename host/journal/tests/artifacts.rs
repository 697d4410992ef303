//! The artifact store on a real disk.
#![expect(
    clippy::unwrap_used,
    reason = "a failed assertion is the purpose of a test, and its helpers are part of it"
)]

use sandgate_journal::{ArtifactError, ArtifactStore};
use sandgate_model::Digest;
use std::path::{Path, PathBuf};

fn object(dir: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    dir.join("artifacts").join(&hex[..2]).join(&hex[2..])
}

fn temporary(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("artifacts/tmp"))
        .unwrap()
        .count()
}

/// Replaces the content of an object, which nobody may write.
fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_put_can_be_got_by_another_process() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let large = vec![7; 300_000];
    for bytes in [&b""[..], b"one", b"two", &large] {
        let digest = store.put(bytes).unwrap();
        assert_eq!(digest, Digest::of(bytes));
        assert_eq!(store.put(bytes).unwrap(), digest, "again");
        let other = ArtifactStore::open_existing(tmp.path()).unwrap();
        assert_eq!(other.get(&digest).unwrap(), bytes);
        assert_eq!(other.size(&digest).unwrap(), Some(bytes.len() as u64));
        assert!(other.has(&digest).unwrap());
        assert_eq!(other.check(&digest).unwrap(), bytes.len() as u64);
        assert_eq!(std::fs::read(object(tmp.path(), &digest)).unwrap(), bytes);
    }
    assert_eq!(temporary(tmp.path()), 0);
}

#[test]
fn many_at_once_come_back_in_order() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let texts: Vec<String> = (0..50).map(|i| format!("object {}", i % 40)).collect();
    let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let digests = store.put_many(&bytes).unwrap();
    assert_eq!(digests.len(), 50);
    for (digest, bytes) in digests.iter().zip(&bytes) {
        assert_eq!(store.get(digest).unwrap(), *bytes);
    }
    assert_eq!(store.put_many(&[]).unwrap(), vec![]);
}

#[test]
fn threads_may_put_the_same_object() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for i in 0..10 {
                    store.put(format!("shared {i}").as_bytes()).unwrap();
                }
            });
        }
    });
    for i in 0..10 {
        let bytes = format!("shared {i}").into_bytes();
        assert_eq!(store.get(&Digest::of(&bytes)).unwrap(), bytes);
    }
    assert_eq!(temporary(tmp.path()), 0);
}

#[test]
fn a_changed_object_is_reported_and_not_given_out() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let digest = store.put(b"the original").unwrap();
    overwrite(&object(tmp.path(), &digest), b"the orIginal");
    let target = tmp.path().join("out");
    std::fs::write(&target, "mine").unwrap();
    let damaged = |e| matches!(e, ArtifactError::Damaged { digest: d, .. } if d == digest);
    assert!(damaged(store.get(&digest).unwrap_err()));
    assert!(damaged(store.check(&digest).unwrap_err()));
    assert!(damaged(store.export(&digest, &target).unwrap_err()));
    assert_eq!(std::fs::read(&target).unwrap(), b"mine", "left alone");
    // A cut object is noticed by its size and stored again.
    overwrite(&object(tmp.path(), &digest), b"the");
    store.put(b"the original").unwrap();
    assert_eq!(store.get(&digest).unwrap(), b"the original");
}

#[test]
fn parts_and_missing_objects() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let digest = store.put(b"0123456789").unwrap();
    for (offset, len, wanted) in [
        (0, 4, &b"0123"[..]),
        (4, 4, b"4567"),
        (8, 4, b"89"),
        (10, 4, b""),
        (u64::MAX, 4, b""),
        (0, usize::MAX, b"0123456789"),
        (3, 0, b""),
    ] {
        assert_eq!(store.read_at(&digest, offset, len).unwrap(), wanted);
    }
    let missing = Digest::of(b"never stored");
    assert!(!store.has(&missing).unwrap());
    let is_missing = |e| matches!(e, ArtifactError::Missing { digest } if digest == missing);
    assert!(is_missing(store.get(&missing).unwrap_err()));
    assert!(is_missing(store.read_at(&missing, 0, 1).unwrap_err()));
    assert!(is_missing(
        store.export(&missing, &tmp.path().join("x")).unwrap_err()
    ));
    assert!(!tmp.path().join("x").exists());
}

#[test]
fn export_replaces_whole_files() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let bytes = vec![3; 200_000];
    let digest = store.put(&bytes).unwrap();
    let out = tmp.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let target = out.join("mail.txt");
    std::fs::write(&target, "old").unwrap();
    assert_eq!(store.export(&digest, &target).unwrap(), 200_000);
    assert_eq!(std::fs::read(&target).unwrap(), bytes);
    assert_eq!(
        std::fs::read_dir(&out).unwrap().count(),
        1,
        "nothing left beside it"
    );
}

#[test]
fn leftovers_are_cleaned_by_the_owner_only() {
    let tmp = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let digest = store.put(b"kept").unwrap();
    std::fs::write(tmp.path().join("artifacts/tmp/123-4"), "half").unwrap();
    ArtifactStore::open_existing(tmp.path()).unwrap();
    assert_eq!(temporary(tmp.path()), 1);
    let store = ArtifactStore::open(tmp.path()).unwrap();
    assert_eq!(temporary(tmp.path()), 0);
    assert_eq!(store.get(&digest).unwrap(), b"kept");
}

#[test]
fn an_object_that_leads_elsewhere_is_not_followed() {
    let tmp = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let store = ArtifactStore::open(tmp.path()).unwrap();
    let digest = store.put(b"secret").unwrap();
    let path = object(tmp.path(), &digest);
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&secret, &path).unwrap();
    // The bytes would even be right; the place is not.
    assert!(store.get(&digest).is_err());
    assert!(store.size(&digest).is_err());
}
