//! Somebody exchanges names while they are copied.

use crate::kit::{Project, grant, holds, key, volume};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sandgate_model::{FileMode, Workspace};
use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A directory and a file of the project are exchanged, in one step each, with links that lead to a secret, all the
/// time while copies are made.
#[test]
fn names_that_are_exchanged_lead_nowhere() {
    const CANARY: &str = "canary-from-outside";
    let wanted = volume("SANDGATE_SWAPS", 20_000);
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("dir")).unwrap();
    fs::write(outside.path().join("dir/inner"), CANARY).unwrap();
    fs::write(outside.path().join("file"), CANARY).unwrap();
    let project = Project::new();
    project.write("src/dir/inner", "mine");
    project.write("src/file", "mine");
    for i in 0..20 {
        project.write(&format!("src/dir/{i}"), "mine");
    }
    let src = project.dir.join("src");
    symlink(outside.path().join("dir"), project.dir.join("to_dir")).unwrap();
    symlink(outside.path().join("file"), project.dir.join("to_file")).unwrap();
    let at = project.open();
    let swaps = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let (mut copies, mut refused, mut changed, mut with_dir) = (0, 0, 0_u64, 0);
    thread::scope(|scope| {
        // Also when an assertion fails: the other thread would go on for ever.
        let _end = End(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for (a, b) in [("dir", "to_dir"), ("file", "to_file")] {
                    let (a, b) = (src.join(a), project.dir.join(b));
                    renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        while swaps.load(Ordering::Relaxed) < wanted {
            // The root itself is exchanged too, when it is `src/dir`.
            let host = if copies % 4 == 3 { "src/dir" } else { "src" };
            copies += 1;
            match at.prepare(&key(), Workspace::Clone, &[grant(host, FileMode::Read)]) {
                Ok(made) => {
                    let path = &made.roots()[0].path;
                    assert!(!holds(path, CANARY), "something from outside was copied");
                    changed += made.skipped_count();
                    with_dir += usize::from(host == "src" && path.join("dir/inner").is_file());
                }
                Err(_) => refused += 1,
            }
            // The same game with a root that is only opened.
            if let Ok(made) = at.prepare(
                &key(),
                Workspace::Shared,
                &[grant("src/dir", FileMode::Read)],
            ) {
                assert_eq!(made.roots()[0].dir.read_to_string("inner").unwrap(), "mine");
            }
        }
    });
    assert_eq!(
        fs::read_to_string(outside.path().join("file")).unwrap(),
        CANARY
    );
    // The game was played: both sides of it were seen.
    assert!(changed > 0 && with_dir > 0, "{changed} {with_dir}");
    println!(
        "{} swaps during {copies} copies ({refused} refused, {changed} entries left out), 0 reads outside",
        swaps.load(Ordering::Relaxed)
    );
}
