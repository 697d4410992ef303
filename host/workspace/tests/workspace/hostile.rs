//! Repositories that were made to run programs or to show others' files. Each trap has a twin: plain git, used as one
//! would, falls into it.

use crate::kit::{Project, chmod, holds, into, key, prepare, write_to};
use sandgate_model::Workspace;
use sandgate_workspace::{PrepareError, RepositoryError, SkipReason};
use std::{fs, os::unix::fs::symlink, path::PathBuf};

/// A repository whose traps leave `mark` when they go off.
struct Trap {
    project: Project,
    mark: PathBuf,
}

impl Trap {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Project::git(files);
        let mark = project.tmp.path().join("mark");
        Self { project, mark }
    }

    /// A script that leaves the mark.
    fn script(&self, name: &str) -> String {
        let path = self.project.tmp.path().join(name);
        // One that git talks to must not answer with what it was told: both would wait for ever.
        let rest = if name == "process" { "" } else { "cat" };
        let mark = self.mark.display();
        fs::write(&path, format!("#!/bin/sh\necho ran >> '{mark}'\n{rest}\n")).unwrap();
        chmod(&path, 0o755);
        path.display().to_string()
    }

    fn config(&self, pairs: &[(&str, &str)]) {
        for (name, value) in pairs {
            self.project.run_git(&["config", name, value]);
        }
        let _ = fs::remove_file(&self.mark);
    }

    /// Whether it went off, and sets it again.
    fn went_off(&self) -> bool {
        fs::remove_file(&self.mark).is_ok()
    }

    /// The whole way through a workspace: made, changed, finished, merged twice.
    fn ours(&self) {
        let at = self.project.open();
        let mut first = prepare(&at, Workspace::Worktree, ".");
        let mut second = prepare(&at, Workspace::Worktree, ".");
        first.roots()[0]
            .dir
            .write("a.txt", "first\nb\nc\nd\ne\nf\n")
            .unwrap();
        first.roots()[0]
            .dir
            .write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
            .unwrap();
        second.roots()[0]
            .dir
            .write("a.txt", "a\nb\nc\nd\ne\nsecond\n")
            .unwrap();
        second.roots()[0].dir.write("new.txt", "x\n").unwrap();
        first.finish(Some(&into(1))).unwrap();
        let done = second.finish(Some(&into(1))).unwrap();
        assert!(done.merged.is_some() && done.patch.is_some());
    }
}

const A: (&str, &str) = ("a.txt", "a\nb\nc\nd\ne\nf\n");

#[test]
fn nothing_that_a_repository_configures_is_run() {
    let attributes = (".gitattributes", "* filter=evil diff=evil merge=evil\n");
    let mut traps = 0;
    let mut check =
        |name: &str, files: &[(&str, &str)], set: &dyn Fn(&Trap), plain: &dyn Fn(&Trap)| {
            let trap = Trap::new(files);
            set(&trap);
            trap.ours();
            assert!(!trap.went_off(), "{name}: ran with us");
            plain(&trap);
            assert!(trap.went_off(), "{name}: the twin shows nothing");
            traps += 1;
        };
    let git = |trap: &Trap, args: &[&str]| drop(trap.project.git_output(args));
    let elsewhere = |trap: &Trap| trap.project.tmp.path().join("plain").display().to_string();

    check(
        "post-checkout hook",
        &[A],
        &|t| {
            let script = t.script("hook");
            fs::copy(script, t.project.dir.join(".git/hooks/post-checkout")).unwrap();
        },
        &|t| git(t, &["worktree", "add", "--detach", &elsewhere(t)]),
    );
    check(
        "reference-transaction hook",
        &[A],
        &|t| {
            let script = t.script("hook");
            fs::copy(
                script,
                t.project.dir.join(".git/hooks/reference-transaction"),
            )
            .unwrap();
        },
        &|t| git(t, &["update-ref", "refs/heads/x", "HEAD"]),
    );
    check(
        "hooks elsewhere",
        &[A],
        &|t| {
            let dir = t.project.tmp.path().join("hooks");
            fs::create_dir(&dir).unwrap();
            fs::copy(t.script("hook"), dir.join("reference-transaction")).unwrap();
            t.config(&[("core.hooksPath", dir.to_str().unwrap())]);
        },
        &|t| git(t, &["update-ref", "refs/heads/x", "HEAD"]),
    );
    check(
        "smudge filter",
        &[A, attributes],
        &|t| {
            let script = t.script("filter");
            t.config(&[
                ("filter.evil.smudge", &script),
                ("filter.evil.required", "true"),
            ]);
        },
        &|t| git(t, &["worktree", "add", "--detach", &elsewhere(t)]),
    );
    check(
        "clean filter",
        &[A, attributes],
        &|t| {
            let script = t.script("filter");
            t.config(&[("filter.evil.clean", &script)]);
        },
        &|t| {
            t.project.write("a.txt", "changed\n");
            git(t, &["add", "-A"]);
        },
    );
    check(
        "filter process",
        &[A, attributes],
        &|t| {
            let script = t.script("process");
            t.config(&[("filter.evil.process", &script)]);
        },
        &|t| git(t, &["worktree", "add", "--detach", &elsewhere(t)]),
    );
    check(
        "attributes in .git/info",
        &[A],
        &|t| {
            let script = t.script("filter");
            t.project.write(".git/info/attributes", "* filter=evil\n");
            t.config(&[("filter.evil.smudge", &script)]);
        },
        &|t| git(t, &["worktree", "add", "--detach", &elsewhere(t)]),
    );
    check(
        "fsmonitor",
        &[A],
        &|t| {
            let script = t.script("monitor");
            t.config(&[("core.fsmonitor", &script)]);
        },
        &|t| git(t, &["status"]),
    );
    check(
        "text conversion",
        &[A, attributes],
        &|t| {
            let script = t.script("textconv");
            t.config(&[("diff.evil.textconv", &script)]);
        },
        &|t| {
            t.project.write("a.txt", "changed\n");
            git(t, &["diff"]);
        },
    );
    check(
        "diff driver",
        &[A, attributes],
        &|t| {
            let script = t.script("diff");
            t.config(&[("diff.evil.command", &script)]);
        },
        &|t| {
            t.project.write("a.txt", "changed\n");
            git(t, &["diff"]);
        },
    );
    check(
        "external diff",
        &[A],
        &|t| {
            let script = t.script("diff");
            t.config(&[("diff.external", &script)]);
        },
        &|t| {
            t.project.write("a.txt", "changed\n");
            git(t, &["diff"]);
        },
    );
    check(
        "merge driver",
        &[A, attributes],
        &|t| {
            let script = t.script("merge");
            t.config(&[("merge.evil.driver", &script)]);
        },
        &|t| {
            for (branch, text) in [("left", "left\nb\n"), ("right", "a\nright\n")] {
                git(t, &["checkout", "-qb", branch, "main"]);
                t.project.write("a.txt", text);
                git(t, &["commit", "-qam", branch]);
            }
            t.went_off();
            git(t, &["merge-tree", "--write-tree", "left", "right"]);
        },
    );
    check(
        "a configuration that is included",
        &[A],
        &|t| {
            let script = t.script("monitor");
            let included = t
                .project
                .write(".git/more", &format!("[core]\n\tfsmonitor = {script}\n"));
            t.config(&[("include.path", included.to_str().unwrap())]);
        },
        &|t| git(t, &["status"]),
    );
    check(
        "a configuration that is included where it fits",
        &[A],
        &|t| {
            let script = t.script("monitor");
            let included = t
                .project
                .write(".git/more", &format!("[core]\n\tfsmonitor = {script}\n"));
            t.config(&[("includeIf.gitdir:/**.path", included.to_str().unwrap())]);
        },
        &|t| git(t, &["status"]),
    );
    check(
        "a configuration per working tree",
        &[A],
        &|t| {
            let script = t.script("monitor");
            t.config(&[("extensions.worktreeConfig", "true")]);
            t.project.write(
                ".git/config.worktree",
                &format!("[core]\n\tfsmonitor = {script}\n"),
            );
        },
        &|t| git(t, &["status"]),
    );
    check(
        "alias and pager",
        &[A],
        &|t| {
            let script = t.script("alias");
            t.config(&[
                ("alias.st", &format!("!{script}")),
                ("core.pager", &script),
                ("core.editor", &script),
                ("core.sshCommand", &script),
            ]);
        },
        &|t| git(t, &["st"]),
    );
    check(
        "signing",
        &[A],
        &|t| {
            let script = t.script("gpg");
            t.config(&[("commit.gpgSign", "true"), ("gpg.program", &script)]);
        },
        &|t| git(t, &["commit", "--allow-empty", "-qm", "x"]),
    );
    check(
        "a partial clone that fetches",
        &[A],
        &|t| {
            let script = t.script("process");
            t.config(&[
                ("extensions.partialClone", "origin"),
                ("remote.origin.url", &format!("ext::{script}")),
                ("remote.origin.promisor", "true"),
                ("protocol.allow", "always"),
                ("core.repositoryFormatVersion", "1"),
            ]);
        },
        &|t| {
            git(
                t,
                &["cat-file", "-p", "1234567890123456789012345678901234567890"],
            )
        },
    );
    println!("{traps} traps, each goes off with plain git, 0 with us");
}

#[test]
fn submodules_are_left_empty_whatever_their_address() {
    let inner = Project::git(&[("x", "x")]);
    let project = Project::git(&[A]);
    let url = inner.dir.display().to_string();
    project.run_git(&["submodule", "add", "-q", &url, "sub"]);
    project.run_git(&["commit", "-qam", "sub"]);
    let mark = project.tmp.path().join("mark");
    for url in [
        format!("ext::sh -c touch% {}", mark.display()),
        "-u./payload".into(),
        "../../../etc".into(),
    ] {
        project.run_git(&["config", "-f", ".gitmodules", "submodule.sub.url", &url]);
        project.run_git(&["config", "submodule.sub.url", &url]);
        project.run_git(&["commit", "-qam", "odd url"]);
        let mut made = prepare(&project.open(), Workspace::Worktree, ".");
        assert!(
            made.skipped()
                .iter()
                .any(|s| s.path == "sub" && s.why == SkipReason::Submodule)
        );
        let root = &made.roots()[0].path;
        assert_eq!(root.join("sub").read_dir().unwrap().count(), 0);
        // What a guest puts there does not turn the submodule into something else.
        fs::write(root.join("sub/x"), "x").unwrap();
        let done = made.finish(None).unwrap();
        assert!(done.patch.is_none());
        assert_eq!(done.skipped[0].why, SkipReason::Submodule);
        assert!(!mark.exists());
    }
    // A guest cannot hand such an address on to who merges.
    let plain = Project::git(&[A]);
    let mut made = prepare(&plain.open(), Workspace::Worktree, ".");
    let evil = "[submodule \"../x\"]\n\tpath = sub\n\turl = -u./payload\n";
    made.roots()[0].dir.write(".gitmodules", evil).unwrap();
    let refusal = made.finish(Some(&into(1))).unwrap_err();
    assert!(
        format!("{:?}", refusal).contains("gitmodules"),
        "{refusal:?}"
    );
    assert!(!plain.run_git(&["for-each-ref"]).contains("sandgate"));
}

/// Trees that no git would make: paths out of the tree, `.git`, files behind links.
#[test]
fn names_in_a_commit_lead_nowhere() {
    let project = Project::git(&[A]);
    let outside = project.tmp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let object = |kind: &str, bytes: &[u8]| {
        let file = project.tmp.path().join("object");
        fs::write(&file, bytes).unwrap();
        project.run_git(&[
            "hash-object",
            "-w",
            "--literally",
            "-t",
            kind,
            file.to_str().unwrap(),
        ])
    };
    let raw = |hex: &str| -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect()
    };
    let tree = |entries: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, object) in entries {
            bytes.extend(format!("{mode} {name}\0").into_bytes());
            bytes.extend(raw(object));
        }
        object("tree", &bytes)
    };
    let blob = object("blob", b"canary-hostile\n");
    let to_outside = object("blob", outside.to_str().unwrap().as_bytes());
    let dots = tree(&[("100644", "escaped", &blob)]);
    let hooks = tree(&[("100755", "post-checkout", &blob)]);
    let hostile: Vec<(&str, String)> = vec![
        ("..", tree(&[("40000", "..", &dots)])),
        ("../ in a name", tree(&[("100644", "../escaped", &blob)])),
        (
            "an absolute name",
            tree(&[("100644", &format!("{}/escaped", outside.display()), &blob)]),
        ),
        (".", tree(&[("40000", ".", &dots)])),
        (
            ".git",
            tree(&[("40000", ".git", &tree(&[("40000", "hooks", &hooks)]))]),
        ),
        (".GIT", tree(&[("40000", ".GIT", &hooks)])),
        ("git~1", tree(&[("40000", "git~1", &hooks)])),
        (
            "a link and a directory of one name",
            tree(&[("120000", "x", &to_outside), ("40000", "x", &dots)]),
        ),
        (
            "a file twice",
            tree(&[("100644", "x", &blob), ("100644", "x", &blob)]),
        ),
        ("an empty name", tree(&[("100644", "", &blob)])),
        ("an odd mode", tree(&[("104755", "x", &blob)])),
        ("state", tree(&[("40000", ".sandgate", &dots)])),
    ];
    let at = project.open();
    let before = crate::kit::tree(&project.dir.join(".git/hooks"));
    for (name, tree) in &hostile {
        let commit = object(
            "commit",
            format!("tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n").as_bytes(),
        );
        fs::write(project.dir.join(".git/HEAD"), format!("{commit}\n")).unwrap();
        if let Ok(made) = at.prepare(&key(), Workspace::Worktree, &write_to(".")) {
            let root = &made.roots()[0].path;
            assert!(!crate::kit::has_name(root, "post-checkout"), "{name}");
            assert!(
                crate::kit::tree(root)
                    .values()
                    .all(|t| !t.starts_with("104")),
                "{name}: set-user"
            );
        }
        assert_eq!(outside.read_dir().unwrap().count(), 0, "{name}");
        assert!(
            !crate::kit::has_name(&project.place(), "escaped")
                || *name == "a link and a directory of one name",
            "{name}"
        );
        assert!(
            !project.tmp.path().join("escaped").exists() && !project.dir.join("escaped").exists()
        );
    }
    assert_eq!(before, crate::kit::tree(&project.dir.join(".git/hooks")));
    assert_eq!(
        fs::read_to_string(project.dir.join(".sandgate/journal")).unwrap(),
        "canary of the journal"
    );
    println!(
        "{} commits with hostile names, 0 writes outside",
        hostile.len()
    );
}

/// A repository, as it may come in an archive, that leads into another one on the same machine.
#[test]
fn a_repository_that_leads_into_another_is_refused() {
    const CANARY: &str = "canary-of-another-project";
    let victim = Project::git(&[("secret", CANARY)]);
    let theirs = victim.dir.join(".git");
    let head = victim.run_git(&["rev-parse", "HEAD"]);
    type Make<'a> = &'a dyn Fn(&Project);
    let git = |p: &Project| p.dir.join(".git");
    let replace_by_link = |p: &Project, name: &str| {
        let path = git(p).join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            let _ = fs::remove_file(&path);
        }
        symlink(theirs.join(name), path).unwrap();
    };
    let at_their_head = |p: &Project| fs::write(git(p).join("HEAD"), format!("{head}\n")).unwrap();
    let ways: [(&str, Make<'_>); 11] = [
        ("a link", &|p| {
            fs::remove_dir_all(git(p)).unwrap();
            symlink(&theirs, git(p)).unwrap();
        }),
        ("a gitdir file", &|p| {
            fs::remove_dir_all(git(p)).unwrap();
            fs::write(git(p), format!("gitdir: {}\n", theirs.display())).unwrap();
        }),
        ("a commondir file", &|p| {
            fs::write(git(p).join("commondir"), format!("{}\n", theirs.display())).unwrap()
        }),
        ("alternates", &|p| {
            fs::write(
                git(p).join("objects/info/alternates"),
                format!("{}\n", theirs.join("objects").display()),
            )
            .unwrap();
            at_their_head(p);
        }),
        ("linked objects", &|p| {
            replace_by_link(p, "objects");
            at_their_head(p);
        }),
        ("linked refs", &|p| {
            replace_by_link(p, "refs");
            at_their_head(p);
        }),
        ("linked packed refs", &|p| replace_by_link(p, "packed-refs")),
        ("a linked HEAD", &|p| replace_by_link(p, "HEAD")),
        ("a linked branch and linked objects", &|p| {
            let main = git(p).join("refs/heads/main");
            fs::remove_file(&main).unwrap();
            symlink(theirs.join("refs/heads/main"), &main).unwrap();
        }),
        ("single linked objects", &|p| {
            for entry in fs::read_dir(theirs.join("objects")).unwrap() {
                let entry = entry.unwrap();
                let mine = git(p).join("objects").join(entry.file_name());
                if entry.file_name().len() == 2 && !mine.exists() {
                    symlink(entry.path(), mine).unwrap();
                }
            }
            at_their_head(p);
        }),
        ("a pipe among the objects", &|p| {
            crate::kit::fifo(&git(p).join("objects/pack/pack-1.idx"))
        }),
    ];
    for (name, make) in &ways {
        let project = Project::git(&[A]);
        make(&project);
        let made = project
            .open()
            .prepare(&key(), Workspace::Worktree, &write_to("."));
        assert!(
            matches!(
                made,
                Err(PrepareError::Repository(RepositoryError::Elsewhere { .. }))
            ),
            "{name}: {made:?}"
        );
        assert!(!holds(&project.place(), CANARY), "{name}");
        assert_eq!(project.leftovers(), 0);
    }
    println!(
        "{} repositories that lead into another, {0} refused",
        ways.len()
    );
}

#[test]
fn a_head_that_is_no_branch_is_refused() {
    let project = Project::git(&[A]);
    for head in [
        "ref: --output=/tmp/x\n",
        "ref: refs/heads/main@{1}\n",
        "ref: ../../x\n",
        "ref: :/x\n",
        "",
        "ref: a b\n",
        "ref: main^{tree}\n",
    ] {
        fs::write(project.dir.join(".git/HEAD"), head).unwrap();
        let made = project
            .open()
            .prepare(&key(), Workspace::Worktree, &write_to("."));
        assert!(
            matches!(made, Err(PrepareError::Repository(_))),
            "{head:?}: {made:?}"
        );
    }
}

/// Filters do not run, so a file that one would fill in is what is committed; this is said in the documentation.
#[test]
fn attributes_change_no_byte() {
    let project = Project::new();
    project.commit_all(&[
        ("crlf.txt", "a\nb\n"),
        ("id.txt", "$Id$\n"),
        ("wide.txt", "x\n"),
        ("lfs.bin", "version https://git-lfs.github.com/spec/v1\n"),
    ]);
    project.commit_all(&[(
        ".gitattributes",
        "crlf.txt text eol=crlf\nid.txt ident\n*.bin filter=lfs diff=lfs merge=lfs\n",
    )]);
    let mut made = prepare(&project.open(), Workspace::Worktree, ".");
    let dir = made.roots()[0].dir.clone();
    assert_eq!(dir.read("crlf.txt").unwrap(), b"a\nb\n");
    assert_eq!(dir.read("id.txt").unwrap(), b"$Id$\n");
    assert!(
        dir.read_to_string("lfs.bin")
            .unwrap()
            .starts_with("version")
    );
    dir.write("crlf.txt", "a\r\nb\r\n").unwrap();
    dir.write("wide.txt", "x\r\n").unwrap();
    let done = made.finish(Some(&into(3))).unwrap();
    assert_eq!(done.changed.count, 2);
    let branch = done.merged.unwrap().branch;
    let kept = project.git_output(&["cat-file", "blob", &format!("{branch}:crlf.txt")]);
    assert_eq!(kept.stdout, b"a\r\nb\r\n");
}
