//! Links, renames and races: the same question over more than one call.

use crate::hands::{OPERATIONS, READ, Root, WRITE};
use kit::{Told, Value};
use wasip2::filesystem::types::OpenFlags;

/// Targets that leave the root; `@` stands for a file beside it.
const TARGETS: &[&str] = &[
    "../@",
    "..",
    "../",
    "../..",
    "dir/../../@",
    "./../@",
    "nowhere/../../@",
    "/etc/passwd",
    "/",
    "/proc/self/root",
    "/proc/self/cwd",
    "/proc/self/fd",
    "//etc/passwd",
    "",
    "a\0b",
];

/// Makes links that leave the root, in several places, and follows those that could be made.
pub fn symlinks(root: &Root, target: &str) -> Value {
    let mut told = Told::default();
    let _ = root.mkdir("dir");
    let _ = root.mkdir("dir/sub");
    for (n, shape) in TARGETS.iter().enumerate() {
        let to = shape.replace('@', target);
        for place in ["", "dir/", "dir/sub/"] {
            let link = format!("{place}link-{n}");
            let made = root.symlink(&to, &link);
            let exists = made.is_ok();
            told.note(
                format!("symlink {to:?} at {link}"),
                made.map(|()| "made".into()),
            );
            if exists {
                for tail in ["", "/", "/.", "/..", "/passwd", "/secret.txt"] {
                    let path = format!("{link}{tail}");
                    for operation in ["read", "list", "write", "stat"] {
                        told.note(
                            format!("{operation} {path}"),
                            root.operate(operation, &path),
                        );
                    }
                }
                let _ = root.unlink(&link);
            }
        }
    }
    // One that stays inside where it is made, and leaves once it is moved.
    let _ = root.mkdir("deep");
    let _ = root.mkdir("deep/er");
    if root.symlink("../..", "deep/er/up").is_ok() {
        let moved = root.rename("deep/er/up", "up");
        told.note("move up", moved.map(|()| "moved".into()));
        for operation in ["read", "list", "stat"] {
            for path in [format!("up/{target}"), "up".into(), "up/..".into()] {
                told.note(
                    format!("{operation} {path}"),
                    root.operate(operation, &path),
                );
            }
        }
        let _ = root.unlink("up");
    }
    // The same by moving the directory that it lies in.
    let _ = root.mkdir("a");
    let _ = root.mkdir("a/b");
    if root.symlink("../..", "a/b/up").is_ok() {
        let moved = root.rename("a/b", "b");
        told.note("move the directory of up", moved.map(|()| "moved".into()));
        for path in [format!("b/up/{target}"), "b/up".into()] {
            told.note(format!("read {path}"), root.operate("read", &path));
            told.note(format!("list {path}"), root.operate("list", &path));
        }
    }
    let made = root.symlink("loop", "loop");
    told.note("symlink loop", made.map(|()| "made".into()));
    told.note("read loop", root.operate("read", "loop"));
    let _ = root.unlink("loop");
    told.answer()
}

/// Hard links to what lies outside, directly and through the links that are there.
pub fn hardlinks(root: &Root, links: &[String]) -> Value {
    let mut told = Told::default();
    let mut from: Vec<String> = [
        "../secret.txt",
        "/etc/passwd",
        "/proc/self/exe",
        ".",
        "..",
        "dir",
    ]
    .iter()
    .map(|path| (*path).to_owned())
    .collect();
    for link in links {
        from.push(link.clone());
        from.push(format!("{link}/secret.txt"));
    }
    let _ = root.mkdir("dir");
    for path in from {
        for follow in [false, true] {
            for to in ["hard", "dir/hard", "../hard", "/tmp/hard"] {
                let made = root.link(&path, to, follow);
                let exists = made.is_ok();
                let what = format!("link {path:?} to {to:?}, follow: {follow}");
                told.note(what.clone(), made.map(|()| "made".into()));
                if exists {
                    told.note(format!("read after {what}"), root.operate("read", to));
                    told.note(format!("write after {what}"), root.operate("write", to));
                    let _ = root.unlink(to);
                }
            }
        }
    }
    told.answer()
}

/// Moves things over each other and out.
pub fn renames(root: &Root, target: &str) -> Value {
    let mut told = Told::default();
    let _ = root.mkdir("dir");
    let _ = root.mkdir("dir/sub");
    let _ = root.write("file.txt", "inside");
    let out = format!("../{target}");
    for (from, to) in [
        ("file.txt", "../moved.txt"),
        ("file.txt", out.as_str()),
        ("file.txt", "/tmp/moved.txt"),
        ("file.txt", "dir/../../moved.txt"),
        ("dir", "../moved"),
        ("dir", "dir/sub/dir"),
        ("dir", "dir/.."),
        (".", "self"),
        ("..", "parent"),
        ("dir/..", "self"),
        ("dir", "."),
        ("dir", ".."),
        ("dir", ""),
        ("", "empty"),
        (out.as_str(), "stolen.txt"),
        ("/etc/passwd", "stolen.txt"),
        ("file.txt/", "file2.txt"),
        ("file.txt", "file2.txt/"),
        ("file.txt", "dir"),
        ("dir", "file.txt"),
        ("file.txt", "dir\0x"),
    ] {
        let moved = root.rename(from, to);
        told.note(
            format!("rename {from:?} to {to:?}"),
            moved.map(|()| "moved".into()),
        );
        told.note("read what was stolen", root.operate("read", "stolen.txt"));
    }
    told.answer()
}

/// Replaces a directory by a link that leaves the root, and back, with a read after each step: whatever is read must
/// be what lies inside.
pub fn swaps(root: &Root, target: &str, count: u64) -> Value {
    let mut told = Told::default();
    let _ = root.mkdir("real");
    let _ = root.write(&format!("real/{target}"), "inside");
    let path = format!("swap/{target}");
    for _ in 0..count {
        let _ = root.rename("real", "swap");
        let first = root.read(&path);
        let _ = root.rename("swap", "real");
        let made = root.symlink("..", "swap");
        let second = root.read(&path);
        let _ = root.unlink("swap");
        for came in [first, second] {
            match came {
                // What is inside is no escape.
                Ok(text) if text == "inside" => {}
                other => told.note("read", other),
            }
        }
        if made.is_ok() {
            told.note("symlink ..", Ok("made".into()));
        }
    }
    told.answer()
}

/// Handles that outlive the name they were opened by.
pub fn handles_kept(root: &Root) -> Value {
    let mut told = Told::default();
    let _ = root.mkdir("kept");
    let _ = root.mkdir("kept/sub");
    let _ = root.write("kept/file.txt", "inside");
    let kept = root.at("kept/sub", OpenFlags::DIRECTORY, READ).map(Root);
    if let Ok(kept) = &kept {
        // Each handle is a root of its own: `..` of it is outside, even where it is inside of the grant.
        for operation in OPERATIONS {
            told.note(
                format!("{operation} ../file.txt"),
                kept.operate(operation, "../file.txt"),
            );
        }
        let removed = root.rmdir("kept/sub");
        told.note(
            "remove the open directory",
            removed.map(|()| "removed".into()),
        );
        told.note("create in it", kept.operate("create", "late.txt"));
        told.note("list it", kept.operate("list", "."));
        told.note("read above it", kept.operate("read", "../../secret.txt"));
    }
    if let Ok(file) = root.at("kept/file.txt", OpenFlags::empty(), READ) {
        told.note(
            "write through a handle for reading",
            root.write_at(&file, b"x", 0).map(|n| n.to_string()),
        );
        told.note(
            "cut through a handle for reading",
            root.size(&file, 0).map(|()| "cut".into()),
        );
    }
    if let Ok(file) = root.at("kept/file.txt", OpenFlags::empty(), WRITE) {
        let removed = root.unlink("kept/file.txt");
        told.note("remove the open file", removed.map(|()| "removed".into()));
        told.note(
            "write into what is gone",
            root.write_at(&file, b"late", 0).map(|n| n.to_string()),
        );
    }
    told.answer()
}

/// Files that other programs take orders from.
const TRAPS: &[&str] = &[
    ".git/config",
    ".git/hooks/pre-commit",
    ".git/hooks/post-checkout",
    ".git/info/attributes",
    ".git",
    ".GIT/config",
    ".Git/hooks/pre-commit",
    ".git./config",
    ".git /config",
    "git~1/config",
    ".g\u{200c}it/config",
    ".git\u{200b}/config",
    "sub/.git/config",
    "sub/../.git/config",
    "./.git/./config",
    ".gitmodules",
    ".gitattributes",
    ".npmrc",
    ".NPMRC",
    "package.json",
    "node_modules/.bin/eslint",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    ".cargo/config.toml",
    ".cargo/config",
    "Cargo.toml",
    "build.rs",
    "rust-toolchain.toml",
    "Makefile",
    "makefile",
    "GNUmakefile",
    "CMakeLists.txt",
    "justfile",
    "Dockerfile",
    "conftest.py",
    "setup.py",
    "pyproject.toml",
    "tox.ini",
    "sitecustomize.py",
    ".envrc",
    ".env",
    ".bashrc",
    ".profile",
    ".ssh/authorized_keys",
    ".vimrc",
    ".vscode/tasks.json",
    ".idea/workspace.xml",
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    ".husky/pre-commit",
    ".sandgate/journal",
    "sandgate.toml",
    "sandgate.lock",
];

/// Sets the traps: writes them, makes their directories, moves ordinary files and links onto them.
pub fn traps(root: &Root) -> Value {
    let mut told = Told::default();
    let _ = root.mkdir("sub");
    for trap in TRAPS {
        if let Some((directory, _)) = trap.rsplit_once('/') {
            let made = root.mkdir(directory);
            told.note(format!("mkdir {directory}"), made.map(|()| "made".into()));
        }
        let written = root.write(trap, "echo trapped > trapped.txt\n");
        told.note(
            format!("write {trap}"),
            written.map(|n| format!("{n} bytes")),
        );
        let _ = root.write("innocent.txt", "echo trapped > trapped.txt\n");
        let moved = root.rename("innocent.txt", trap);
        told.note(format!("move onto {trap}"), moved.map(|()| "moved".into()));
        let linked = root.link("innocent.txt", trap, false);
        told.note(format!("link to {trap}"), linked.map(|()| "linked".into()));
        let pointed = root.symlink("innocent.txt", trap);
        told.note(format!("symlink {trap}"), pointed.map(|()| "made".into()));
    }
    // A whole directory under another name first.
    let _ = root.mkdir("innocent");
    let _ = root.write(
        "innocent/config",
        "[core]\n\tfsmonitor = \"echo trapped > trapped.txt\"\n",
    );
    for name in [".git", ".cargo", ".vscode", "sub/.git"] {
        let moved = root.rename("innocent", name);
        told.note(
            format!("move a directory onto {name}"),
            moved.map(|()| "moved".into()),
        );
    }
    told.answer()
}
