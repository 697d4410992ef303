//! What a guest may write, make and hold open; and names that stay as they are.

use crate::paths::{call, steps};
use crate::support::*;
use crate::tree::{Tree, hex};
use sandgate_sandbox::{Call, Limits, Report};
use serde_json::{Value, json};
use std::fs;

fn limited(tree: &Tree, change: impl FnOnce(&mut Limits)) -> Call {
    let mut call = call(vec![tree.grant("root", "/r", true)]);
    change(&mut call.turn.limits);
    call
}

async fn report(call: &Call, script: &str) -> Report<sandgate_sandbox::AgentAnswer> {
    let task = Try::new(path_agent()).task(json!(script));
    SANDBOX.run(call, &Value::Null, task).await
}

/// Bytes in the granted part.
fn bytes_of(tree: &Tree) -> u64 {
    let files = fs::read_dir(tree.root()).unwrap();
    files
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(fs::Metadata::is_file)
        .map(|meta| meta.len())
        .sum()
}

#[tokio::test]
async fn every_way_to_write_is_counted_before() {
    const CAP: u64 = 100_000;
    let f = hex("f");
    for (way, over) in [
        (
            "write",
            format!("write-at {f} 0 60000;write-at {f} 0 50000"),
        ),
        // A hole counts: it is long, and copies of it are not cheap.
        ("hole", format!("write-at {f} 100000 1")),
        ("size", format!("create {f};size {f} 200000")),
        ("stream", format!("stream {f} 0 100001")),
        (
            "stream without waiting",
            format!("stream-async {f} 0 200000"),
        ),
        ("stream with a hole", format!("stream {f} 99999 4096")),
        ("append", format!("append {f} 0 100001")),
        ("zeroes", format!("zeroes {f} 100001")),
        (
            "splice",
            format!("stream {f} 0 51000;splice {f} {}", hex("g")),
        ),
        (
            "many files",
            (0..30)
                .map(|n| format!("write-at {} 0 4000", hex(&format!("f{n}"))))
                .collect::<Vec<_>>()
                .join(";"),
        ),
    ] {
        let tree = Tree::new();
        let before = bytes_of(&tree);
        let call = limited(&tree, |l| l.disk_bytes = CAP);
        let told = steps(&call, &format!("root 0;{over}")).await;
        assert_eq!(
            told.last().unwrap(),
            "err insufficient-space",
            "{way}: {told:?}"
        );
        let made = bytes_of(&tree) - before;
        assert!(made <= CAP, "{way}: {made} bytes");
        println!("quota: {way}: {made} of {CAP} bytes");
        // Its twin with one byte more than it needs.
        let call = limited(&tree, |l| l.disk_bytes = 400_000);
        let told = steps(&call, &format!("root 0;{over}")).await;
        assert!(told.last().unwrap().starts_with("ok"), "{way}: {told:?}");
    }
}

#[tokio::test]
async fn exactly_the_cap_fits_and_is_reported() {
    let tree = Tree::new();
    let call = limited(&tree, |l| l.disk_bytes = 10_000);
    let f = hex("f");
    let script = format!(
        "root 0;write-at {f} 0 4000;stream {f} 4000 6000;mkdir {};write-at {f} 0 1",
        hex("d")
    );
    let report = report(&call, &script).await;
    assert_eq!(
        text(report.outcome),
        "ok;ok 4000;ok;ok;err insufficient-space"
    );
    assert_eq!(
        (report.stats.disk_bytes, report.stats.disk_files),
        (10_000, 2)
    );
    // A write that fails for another reason costs nothing.
    let call = limited(&tree, |l| l.disk_bytes = 10);
    let script = format!(
        "root 0;write-at {} 0 5;write-at {f} 0 5;write-at {f} 5 5",
        hex("link-file")
    );
    let told = steps(&call, &script).await;
    assert_eq!(told, ["ok", "err not-permitted", "ok 5", "ok 5"]);
}

#[tokio::test]
async fn things_made_are_counted_whether_or_not_they_stay() {
    for verb in ["mkdirs", "files", "links"] {
        let tree = Tree::new();
        let before = fs::read_dir(tree.root()).unwrap().count();
        let call = limited(&tree, |l| l.disk_files = 100);
        let told = steps(&call, &format!("root 0;{verb} 1000")).await;
        assert_eq!(told[1], "err quota after 100", "{verb}");
        assert_eq!(fs::read_dir(tree.root()).unwrap().count() - before, 100);
    }
    let tree = Tree::new();
    let call = limited(&tree, |l| l.disk_files = 2);
    let (a, i) = (hex("a"), hex("inside.txt"));
    // What was there is not made; what could not be made is not counted; what is removed was made all the same.
    let script = format!(
        "root 0;create {i};mkdir {i};create {a};unlink {a};create {a};unlink {a};create {a};create-new {i}"
    );
    let told = steps(&call, &script).await;
    assert_eq!(
        told,
        [
            "ok",
            "ok 5",
            "err exist",
            "ok 5",
            "ok",
            "ok 5",
            "ok",
            "err quota",
            "err exist"
        ]
    );
}

#[tokio::test]
async fn open_files_streams_and_listings_are_bounded() {
    let tree = Tree::new();
    let i = hex("inside.txt");
    for (verb, most) in [
        ("hold", 64),
        ("lists", 64),
        ("readers", 32),
        ("writers", 32),
    ] {
        let call = limited(&tree, |_| {});
        let report = report(&call, &format!("root 0;{verb} 1000 {i};drop;{verb} 30 {i}")).await;
        let told = text(report.outcome);
        let expected = format!("ok;err quota after {most};ok;ok");
        // A stream and its file are two, as long as both are held; here the file is dropped.
        assert_eq!(
            told.replace("after 63", "after 64")
                .replace("after 31", "after 32"),
            expected,
            "{verb}"
        );
        assert!(report.stats.open_files_peak <= 64);
    }
}

#[tokio::test]
async fn listing_a_large_directory_takes_little_memory() {
    let tree = Tree::new();
    for n in 0..20_000 {
        let name = format!("{n:0>200}");
        fs::write(tree.root().join(name), "").unwrap();
    }
    let call = limited(&tree, |_| {});
    let told = steps(&call, "root 0;list 2e").await;
    assert!(told[1].starts_with("ok 20"), "{}", told[1]);
    let before = resident();
    let told = steps(&call, "root 0;lists 60 2e").await;
    assert_eq!(told[1], "ok");
    let grown = resident().saturating_sub(before) >> 20;
    println!("listings: 60 of 20,000 names of 200 bytes at once: {grown} MiB");
    assert!(grown < 32, "{grown} MiB");
}

#[tokio::test]
async fn quotas_start_anew_with_each_task_of_a_session() {
    let tree = Tree::new();
    let call = limited(&tree, |l| l.disk_bytes = 10);
    let mut session = SANDBOX
        .open(&call, &Value::Null)
        .await
        .outcome
        .split()
        .unwrap();
    for _ in 0..3 {
        let task = Try::new(path_agent()).task(json!(format!("root 0;write-at {} 0 8", hex("f"))));
        let report = session.run(&call.turn, task).await;
        assert_eq!(text(report.outcome), "ok;ok 8");
        assert_eq!(report.stats.disk_bytes, 8);
    }
}

#[tokio::test]
async fn protected_names_stay_as_they_are() {
    let tree = Tree::new();
    let root = tree.root();
    fs::create_dir_all(root.join(".git/hooks")).unwrap();
    fs::write(root.join(".git/config"), "inside").unwrap();
    fs::write(root.join("package.json"), "{}").unwrap();
    fs::create_dir_all(root.join("sub/.cargo")).unwrap();
    std::os::unix::fs::symlink(".git", root.join("g")).unwrap();
    std::os::unix::fs::symlink("../package.json", root.join("sub/p")).unwrap();
    let h = hex;
    let traps: Vec<String> = [
        format!("write {}", h(".git/config")),
        format!("create {}", h(".git/hooks/pre-commit")),
        format!("create {}", h(".GIT/hooks/pre-commit")),
        format!("create {}", h("g/hooks/pre-commit")),
        format!("write {}", h("g/config")),
        format!("write {}", h("sub/p")),
        format!("truncate {}", h("sub/p")),
        format!("create {}", h("dir/../package.json")),
        format!("create {}", h("sub/.cargo/config.toml")),
        format!("create {}", h("Makefile")),
        format!("create {}", h("dir/MAKEFILE")),
        format!("create {}", h(".npmrc")),
        format!("mkdir {}", h(".github")),
        format!("mkdir {}", h("dir/.Vscode")),
        format!("symlink {} {}", h("other.txt"), h(".envrc")),
        format!("rename {} {}", h("other.txt"), h(".npmrc")),
        format!("rename {} {}", h("dir"), h(".idea")),
        format!("rename {} {}", h("package.json"), h("x")),
        format!("rename {} {}", h(".git"), h("x")),
        format!("rename {} {}", h("other.txt"), h(".git/config")),
        format!("unlink {}", h("package.json")),
        format!("unlink {}", h("g/config")),
        format!("rmdir {}", h(".git/hooks")),
        format!("touch {}", h(".git/config")),
        format!("create {}", h("dir/x.pth")),
        format!("cd {};create {}", h(".git/hooks"), h("post-merge")),
        format!("cd {};create {}", h("g/hooks"), h("post-merge")),
        format!("cd {};cd {};write {}", h("sub"), h(".cargo"), h("config")),
    ]
    .into();
    let mut refused = 0;
    let before = tree.inside();
    for trap in &traps {
        let mut call = call(vec![tree.grant("root", "/r", true)]);
        call.files[0].protect = true;
        let told = steps(&call, &format!("root 0;{trap}")).await;
        let last = told.last().unwrap();
        assert!(
            last == "err not-permitted" || last == "err no-entry",
            "{trap}: {told:?}"
        );
        refused += 1;
    }
    assert_eq!(tree.inside(), before);
    println!("protected names: {refused} traps, 0 set");
    // Reading is reading, and other names are free.
    let mut free = call(vec![tree.grant("root", "/r", true)]);
    free.files[0].protect = true;
    let script = format!(
        "root 0;read {};read {};create {};list {}",
        h(".git/config"),
        h("package.json"),
        h("notes.md"),
        h(".git")
    );
    assert_eq!(
        steps(&free, &script).await,
        ["ok", "ok inside", "ok {}", "ok 5", "ok config,hooks"]
    );
    // The twin: in a directory of the attempt's own nothing is protected.
    let own = call(vec![tree.grant("root", "/r", true)]);
    let script = format!(
        "root 0;create {};write {};create {}",
        h(".git/hooks/pre-commit"),
        h("g/config"),
        h("Makefile")
    );
    assert_eq!(steps(&own, &script).await, ["ok", "ok 5", "ok 5", "ok 5"]);
}

#[tokio::test]
async fn links_stay_inside_however_they_are_made_or_moved() {
    let tree = Tree::new();
    let h = hex;
    let own = || {
        call(vec![
            tree.grant("root", "/r", true),
            tree.grant("root/empty", "/e", true),
        ])
    };
    let refused = [
        format!("symlink {} {}", h(".."), h("l")),
        format!("symlink {} {}", h("/etc"), h("l")),
        format!("symlink {} {}", h("dir/../../x"), h("l")),
        format!("symlink {} {}", h("link-dot/../x"), h("l")),
        format!("symlink {} {}", h("../../../x"), h("dir/deep/l")),
        format!("cd {};symlink {} {}", h("dir"), h("../../x"), h("l")),
        format!("rename {} {}", h("link-file"), h("l")),
        format!("rename {} {}", h("dir/deep/link-top"), h("dir/deep/l")),
        format!(
            "symlink {} {};rename {} {}",
            h("../../x"),
            h("dir/deep/l"),
            h("dir/deep/l"),
            h("dir/l")
        ),
        format!(
            "symlink {} {};rename-into {} 1 {}",
            h("../x"),
            h("dir/m"),
            h("dir/m"),
            h("m")
        ),
    ];
    for script in refused {
        let told = steps(&own(), &format!("root 0;{script}")).await;
        assert_eq!(told.last().unwrap(), "err not-permitted", "{script}");
        tree.plant();
    }
    // A directory that may hold links is not moved up or to another root, but elsewhere.
    let script = format!(
        "root 0;rename {} {};rename-into {} 1 {};rename {} {};rename {} {}",
        h("dir/deep"),
        h("deep"),
        h("dir"),
        h("dir"),
        h("dir/deep"),
        h("dir/deeper"),
        h("empty"),
        h("dir/empty"),
    );
    let told = steps(&own(), &script).await;
    assert_eq!(
        told,
        ["ok", "err cross-device", "err cross-device", "ok", "ok"]
    );
    tree.plant();
    let allowed = format!(
        "root 0;symlink {} {};read {};symlink {} {};read {};rename {} {}",
        h("inside.txt"),
        h("l"),
        h("l"),
        h("../inside.txt"),
        h("dir/l"),
        h("dir/l"),
        h("l"),
        h("dir/m"),
    );
    let told = steps(&own(), &allowed).await;
    assert_eq!(told, ["ok", "ok", "ok inside", "ok", "ok inside", "ok"]);
}
