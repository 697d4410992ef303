//! What is not the very same is not reopened, and stays as it is.

use crate::kit::{Project, chmod, grant, key, tree};
use sandgate_model::{FileGrant, FileMode, Workspace};
use sandgate_workspace::{AttemptKey, KeptError, PrepareError, Workspaces};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

struct Parked {
    project: Project,
    at: Workspaces,
    key: AttemptKey,
    kind: Workspace,
    home: PathBuf,
}

fn grants() -> Vec<FileGrant> {
    vec![grant("src", FileMode::Write), grant("doc", FileMode::Read)]
}

/// What is done to it, in words and in fact.
type Damage = (&'static str, fn(&Parked));

impl Parked {
    fn new(kind: Workspace) -> Self {
        let project = Project::git(&[("src/a", "a\n"), ("src/sub/b", "b\n"), ("doc/c", "c\n")]);
        let (at, key) = (project.open(), key());
        let made = at.prepare(&key, kind, &grants()).unwrap();
        made.roots()[0].dir.write("a", "changed\n").unwrap();
        fs::write(made.scratch().unwrap().path.join("x"), "x").unwrap();
        made.park().unwrap();
        let home = project.place().join(key.as_str());
        Self {
            project,
            at,
            key,
            kind,
            home,
        }
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.home.join(inner)
    }

    /// Asks for it, and expects to be refused without anything being touched.
    fn refused(&self, kind: Workspace, grants: &[FileGrant], about: &str) -> KeptError {
        let seen = |p: &Path| {
            if p.is_dir() {
                tree(p)
            } else {
                Default::default()
            }
        };
        let before = (seen(&self.path("tree")), seen(&self.path("scratch")));
        let result = self.at.reopen(&self.key, kind, grants);
        let after = (seen(&self.path("tree")), seen(&self.path("scratch")));
        assert!(before == after, "{about}: something was touched");
        assert!(self.home.symlink_metadata().is_ok(), "{about}: it is gone");
        match result {
            Err(PrepareError::Kept { source, key }) if key == self.key => source,
            other => panic!("{about}: {other:?}"),
        }
    }

    fn refused_now(&self, about: &str) -> KeptError {
        self.refused(self.kind, &grants(), about)
    }

    fn reopens(&self) -> bool {
        let again = self.at.reopen(&self.key, self.kind, &grants());
        again.unwrap().is_some()
    }

    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("kept.json")).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(self.path("kept.json"), text.replacen(from, to, 1)).unwrap();
    }
}

/// A directory with the same content under the same name.
fn exchange(path: &Path) {
    let aside = path.with_extension("aside");
    fs::rename(path, &aside).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&aside, path])
        .status()
        .unwrap();
    assert!(copied.success());
}

/// Undoes [`exchange`], [`to_link`] and other permissions.
fn put_back(path: &Path, mode: u32) {
    let aside = path.with_extension("aside");
    if aside.exists() {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        fs::rename(&aside, path).unwrap();
    }
    chmod(path, mode);
}

fn to_link(path: &Path) {
    let aside = path.with_extension("aside");
    fs::rename(path, &aside).unwrap();
    symlink(&aside, path).unwrap();
}

#[test]
fn asked_for_otherwise() {
    let parked = Parked::new(Workspace::Worktree);
    let file = |host: &str, guest: &str, mode| FileGrant {
        host: host.into(),
        guest: guest.into(),
        mode,
    };
    let (src, doc) = (grants()[0].clone(), grants()[1].clone());
    let others: Vec<(Workspace, Vec<FileGrant>)> = vec![
        (Workspace::Clone, grants()),
        (Workspace::Shared, grants()),
        (Workspace::None, grants()),
        (parked.kind, vec![]),
        (parked.kind, vec![src.clone()]),
        (parked.kind, vec![doc.clone(), src.clone()]),
        (parked.kind, vec![src.clone(), doc.clone(), doc.clone()]),
        (
            parked.kind,
            vec![src.clone(), file("doc", "/doc", FileMode::Write)],
        ),
        (
            parked.kind,
            vec![src.clone(), file("doc", "/other", FileMode::Read)],
        ),
        (
            parked.kind,
            vec![src, file("src/sub", "/doc", FileMode::Read)],
        ),
    ];
    for (kind, grants) in &others {
        let why = parked.refused(*kind, grants, "asked otherwise");
        assert!(matches!(why, KeptError::Asked { .. }), "{why:?}");
    }
    println!("{}", parked.refused(Workspace::Clone, &[], "text"));
    assert!(parked.reopens());
    println!("{} other ways of asking, all refused", others.len());
}

#[test]
fn another_directory_under_its_name() {
    let mut refused = 0;
    for kind in [Workspace::Clone, Workspace::Worktree] {
        for inner in ["", "tree", "scratch", "tree/src", "tree/doc"] {
            let parked = Parked::new(kind);
            let path = if inner.is_empty() {
                parked.home.clone()
            } else {
                parked.path(inner)
            };
            let mode = path.metadata().unwrap().mode() & 0o7777;
            for (how, change) in [
                ("exchanged", exchange as fn(&Path)),
                ("linked", to_link),
                ("closed", |p| chmod(p, 0o711)),
                ("opened", |p| chmod(p, 0o777)),
                ("marked", |p| chmod(p, 0o1755)),
            ] {
                change(&path);
                let about = format!("{kind:?} {inner:?} {how}");
                let why = parked.refused_now(&about);
                assert!(matches!(why, KeptError::Changed { .. }), "{about}: {why:?}");
                refused += 1;
                put_back(&path, mode);
            }
            // It was the change that was refused.
            assert!(parked.reopens(), "{kind:?} {inner:?}");
        }
        for inner in ["tree", "scratch", "tree/doc"] {
            let parked = Parked::new(kind);
            fs::remove_dir_all(parked.path(inner)).unwrap();
            let why = parked.refused_now(inner);
            assert!(matches!(why, KeptError::Changed { .. }), "{inner}: {why:?}");
            fs::write(parked.path(inner), "a file").unwrap();
            let why = parked.refused_now(inner);
            assert!(matches!(why, KeptError::Changed { .. }), "{inner}: {why:?}");
            refused += 2;
        }
    }
    println!("{refused} exchanged, linked or changed directories, all refused");
}

/// Somebody puts a link where there is nothing, or a directory of his own.
#[test]
fn planted_at_the_place() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("keep"), "x").unwrap();
    let parked = Parked::new(Workspace::Clone);
    let elsewhere = Parked::new(Workspace::Clone);
    for target in [outside.path(), &elsewhere.home, Path::new("nowhere")] {
        fs::remove_dir_all(&parked.home)
            .or_else(|_| fs::remove_file(&parked.home))
            .unwrap();
        symlink(target, &parked.home).unwrap();
        let why = parked.refused_now("a link");
        assert!(matches!(why, KeptError::Changed { .. }), "{why:?}");
    }
    fs::remove_file(&parked.home).unwrap();
    // What is kept for somebody else.
    fs::rename(&elsewhere.home, &parked.home).unwrap();
    let why = parked.refused_now("another attempt's");
    assert!(matches!(why, KeptError::Damaged { .. }), "{why:?}");
    assert_eq!(
        fs::read_to_string(outside.path().join("keep")).unwrap(),
        "x"
    );
}

#[test]
fn another_owner() {
    let parked = Parked::new(Workspace::Clone);
    let root = parked.path("tree");
    // Only who may give files away can try this.
    if std::os::unix::fs::chown(&root, Some(12_345), None).is_ok() {
        let why = parked.refused_now("another owner");
        assert!(why.to_string().contains("another user"), "{why}");
    }
}

#[test]
fn a_record_that_is_not_ours() {
    let damage: &[Damage] = &[
        ("cut", |p| {
            let text = fs::read(p.path("kept.json")).unwrap();
            fs::write(p.path("kept.json"), &text[..text.len() - 9]).unwrap();
        }),
        ("empty", |p| fs::write(p.path("kept.json"), "").unwrap()),
        ("no format", |p| p.edit("\"format\"", "\"forma\"")),
        ("unknown field", |p| {
            p.edit("\"state\"", "\"more\":1,\"state\"")
        }),
        ("unknown state", |p| p.edit("parked", "forgotten")),
        ("no tree", |p| {
            let text = fs::read_to_string(p.path("kept.json")).unwrap();
            let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
            value["tree"] = serde_json::Value::Null;
            fs::write(p.path("kept.json"), value.to_string()).unwrap();
        }),
        ("commit", |p| p.edit("\"commit\":\"", "\"commit\":\"--help")),
        ("list exchanged", |p| {
            fs::write(p.path("base"), "sandgate-base 1\0").unwrap();
        }),
    ];
    let parked = Parked::new(Workspace::Worktree);
    let good = ["kept.json", "base"].map(|name| (name, fs::read(parked.path(name)).unwrap()));
    let restore = || {
        let _ = fs::remove_file(parked.project.dir.join("second"));
        for (name, bytes) in &good {
            let path = parked.path(name);
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            fs::write(&path, bytes).unwrap();
            chmod(&path, 0o600);
        }
    };
    for (about, change) in damage {
        change(&parked);
        let why = parked.refused_now(about);
        assert!(matches!(why, KeptError::Damaged { .. }), "{about}: {why:?}");
        restore();
    }
    let planted: &[Damage] = &[
        ("linked", |p| to_link(&p.path("kept.json"))),
        ("hard link", |p| {
            fs::hard_link(p.path("kept.json"), p.project.dir.join("second")).unwrap();
        }),
        ("readable", |p| chmod(p.path("kept.json"), 0o644)),
        ("a directory", |p| {
            fs::remove_file(p.path("kept.json")).unwrap();
            fs::create_dir(p.path("kept.json")).unwrap();
        }),
        ("list gone", |p| fs::remove_file(p.path("base")).unwrap()),
        ("list linked", |p| to_link(&p.path("base"))),
    ];
    for (about, change) in planted {
        change(&parked);
        let why = parked.refused_now(about);
        assert!(matches!(why, KeptError::Changed { .. }), "{about}: {why:?}");
        restore();
    }
    parked.edit("\"format\":1", "\"format\":2");
    let why = parked.refused_now("newer");
    assert!(matches!(why, KeptError::Format(2)), "{why:?}");
    restore();
    assert!(parked.reopens());
    println!(
        "{} damaged records, all refused",
        damage.len() + planted.len() + 1
    );
}

#[test]
fn in_use_or_unfinished_by_the_disk() {
    let parked = Parked::new(Workspace::Clone);
    let again = parked
        .at
        .reopen(&parked.key, parked.kind, &grants())
        .unwrap()
        .unwrap();
    for at in [&parked.at, &parked.project.open()] {
        let twice = at.reopen(&parked.key, parked.kind, &grants());
        let Err(PrepareError::Kept {
            source: KeptError::InUse,
            ..
        }) = twice
        else {
            panic!("{twice:?}");
        };
    }
    // Nor a fresh one beside it, and one that is not kept is not taken away either.
    let fresh = parked.at.prepare(&parked.key, parked.kind, &grants());
    assert!(matches!(fresh, Err(PrepareError::Exists(_))), "{fresh:?}");
    let other = key();
    let live = parked.at.prepare(&other, parked.kind, &grants()).unwrap();
    let taken = parked.at.reopen(&other, parked.kind, &grants());
    assert!(matches!(
        taken,
        Err(PrepareError::Kept {
            source: KeptError::InUse,
            ..
        })
    ));
    assert!(live.roots()[0].path.join("a").exists());
    drop(again);

    // The machine was started anew: what was parked had been flushed, what was in use had not.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let parked = Parked::new(Workspace::Clone);
    parked.edit(boot.trim(), "another-start");
    parked.edit("parked", "in-use");
    let why = parked.refused_now("another start");
    assert!(matches!(why, KeptError::Unsynced), "{why:?}");
    parked.edit("in-use", "parked");
    assert!(parked.reopens());
}

#[test]
fn the_commit_is_gone() {
    let parked = Parked::new(Workspace::Worktree);
    let project = &parked.project;
    // Somebody throws the history away and makes another one.
    fs::remove_dir_all(project.dir.join(".git")).unwrap();
    project.commit_all(&[("src/a", "other history\n")]);
    let why = parked.refused_now("no commit");
    assert!(matches!(why, KeptError::NoCommit { .. }), "{why:?}");
    println!("{why}");
}

/// A project that was moved on its file system is the same project.
#[test]
fn a_moved_project_goes_on() {
    for kind in [Workspace::Clone, Workspace::Worktree] {
        let mut parked = Parked::new(kind);
        let moved = parked.project.tmp.path().join("moved here");
        fs::rename(&parked.project.dir, &moved).unwrap();
        parked.project.dir = moved.canonicalize().unwrap();
        let at = parked.project.open();
        let mut again = at.reopen(&parked.key, kind, &grants()).unwrap().unwrap();
        assert!(again.roots()[0].path.starts_with(&parked.project.dir));
        let done = again.finish(None).unwrap();
        assert_eq!(done.changed.count, u64::from(kind == Workspace::Worktree));
        // A copy is not.
        let parked = Parked::new(kind);
        exchange(&parked.home);
        parked.refused_now("a copy");
    }
}
