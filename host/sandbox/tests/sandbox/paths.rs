//! Every shape of a path times every function that takes one, read-only and writable, against the oracle: nothing
//! outside is read, listed, told of, changed or made, nothing below a read-only directory changes, and no link that
//! leads out is made. Then random sequences, and a race.

use crate::support::*;
use crate::tree::{CANARY, INSIDE, Leads, Snapshot, Tree, hex, walk};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sandgate_sandbox::{Call, Preopen};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A call of the path guest.
pub(crate) fn call(files: Vec<Preopen>) -> Call {
    let mut call = Try::new(path_agent()).call();
    call.files = files;
    call
}

/// Runs steps; what came of each.
pub(crate) async fn steps(call: &Call, script: &str) -> Vec<String> {
    let task = Try::new(path_agent()).task(json!(script));
    let report = SANDBOX.run(call, &Value::Null, task).await;
    let told = text(report.outcome);
    told.split(';').map(str::to_owned).collect()
}

/// Paths of all kinds. `{}` is the directory above the granted one, as an absolute path.
const SHAPES: [&str; 84] = [
    // Plain.
    "inside.txt",
    "dir/inside.txt",
    "dir/deep/inside.txt",
    "dir",
    "empty",
    "nothing",
    "dir/nothing",
    "nothing/nothing",
    ".",
    "./inside.txt",
    "dir/./inside.txt",
    "dir//inside.txt",
    "dir/",
    "inside.txt/",
    "empty/",
    "",
    "dir/..",
    "dir/../inside.txt",
    "dir/deep/../../inside.txt",
    "dir/deep/../../..",
    // Up.
    "..",
    "../",
    "../CANARY.txt",
    "../outside",
    "../outside/CANARY.txt",
    "../../../../../../../../etc/passwd",
    "dir/../../CANARY.txt",
    "./../CANARY.txt",
    ".//..//CANARY.txt",
    "dir/deep/../../../CANARY.txt",
    "../root/inside.txt",
    "../root/../CANARY.txt",
    "nothing/../../CANARY.txt",
    "inside.txt/../../CANARY.txt",
    "../made-by-guest",
    "dir/../../made-by-guest",
    // Absolute.
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "/proc/self/root/etc/passwd",
    "{}/CANARY.txt",
    "{}/root/inside.txt",
    "{}/made-by-guest",
    "/tmp",
    // Links.
    "link-in",
    "link-in/",
    "link-dir-in",
    "link-dir-in/",
    "link-dir-in/inside.txt",
    "link-dir-in/../../inside.txt",
    "link-dir-in/../../../CANARY.txt",
    "link-dot/inside.txt",
    "link-dot/link-dot/../CANARY.txt",
    "link-loop",
    "link-dangling",
    "dir/link-up-in",
    "link-file",
    "link-file/",
    "link-dir",
    "link-dir/",
    "link-dir/CANARY.txt",
    "link-dir/made-by-guest",
    "link-up",
    "link-up/CANARY.txt",
    "link-up/root/inside.txt",
    "dir/link-up-out",
    "dir/deep/link-top/CANARY.txt",
    "link-abs",
    "link-abs-dir/CANARY.txt",
    "link-abs-in",
    "link-chain",
    "link-new",
    "link-new-abs",
    "link-proc/etc/passwd",
    "link-fd/0",
    "link-etc/passwd",
    // Odd.
    "fifo",
    "inside.txt\0/../../CANARY.txt",
    "..\\CANARY.txt",
    "%2e%2e/CANARY.txt",
    "\u{ff0e}\u{ff0e}/CANARY.txt",
    "~/CANARY.txt",
    "$PWD/../CANARY.txt",
];

/// Functions that take a path: the step, and whether a last link is followed. `P` is the path.
const ACTS: [(&str, bool); 25] = [
    ("read P", true),
    ("read-nofollow P", false),
    ("read-stream P", true),
    ("stat P", true),
    ("lstat P", false),
    ("hash P", true),
    ("readlink P", false),
    ("list P", true),
    ("cd P;read CANARY.txt;list .;create made-by-guest", true),
    ("write P", true),
    ("create P", true),
    ("create-new P", true),
    ("create-read P", true),
    ("truncate P", true),
    ("mkdir P", false),
    ("rmdir P", false),
    ("unlink P", false),
    ("touch P", true),
    ("touch-open P", true),
    ("stream P 0 10", true),
    // Targets and the names of links.
    (
        "symlink P new-link;read new-link;write new-link;create new-link",
        true,
    ),
    ("symlink target P", false),
    ("link P new-name;read new-name;write new-name", false),
    ("rename P new-name;read new-name;write new-name", false),
    ("rename other.txt P", false),
];

fn script(act: &str, shape: &str) -> String {
    let words = act.split(';').map(|step| {
        let words = step.split(' ').enumerate().map(|(n, word)| match word {
            "P" => hex(shape),
            "0" | "10" => word.to_owned(),
            word if n > 0 => hex(word),
            verb => verb.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    });
    format!("root 0;{}", words.collect::<Vec<_>>().join(";"))
}

/// What is wrong with what a guest was told and did; empty if nothing.
fn escapes(
    tree: &Tree,
    before: &Before,
    inside: &Snapshot,
    told: &[String],
    write: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = told.join(";");
    if text.contains(CANARY)
        || text.contains("CANARY-dir")
        || text.contains("root:")
        || text.contains("HOME=")
    {
        wrong.push("it was told what is outside".to_owned());
    }
    if tree.outside() != before.outside {
        wrong.push("something outside changed".to_owned());
    }
    if !write && *inside != before.inside {
        wrong.push("something read-only changed".to_owned());
    }
    for path in tree.new_ways_out(&before.inside, inside) {
        wrong.push(format!("a link leads out: {path}"));
    }
    wrong
}

struct Before {
    outside: Snapshot,
    inside: Snapshot,
}

#[tokio::test]
async fn no_path_leads_out() {
    let (mut probes, mut escaped, mut worked) = (0, 0, 0);
    for write in [true, false] {
        let tree = Tree::new();
        let top = tree.top().to_str().unwrap().to_owned();
        let mut before = Before {
            outside: tree.outside(),
            inside: tree.inside(),
        };
        for shape in SHAPES.map(|shape| shape.replace("{}", &top)) {
            for (act, follow) in ACTS {
                let call = call(vec![tree.grant("root", "/r", write)]);
                // A slash at the end of a name that is not followed changes nothing.
                let plain = if follow {
                    &*shape
                } else {
                    shape.trim_end_matches('/')
                };
                let leads = if shape.starts_with('/') {
                    Leads::Out
                } else {
                    walk(&tree.root(), plain, follow)
                };
                let told = steps(&call, &script(act, &shape)).await;
                probes += told.len() - 1;
                worked += told.iter().skip(1).filter(|t| t.starts_with("ok")).count();
                let inside = tree.inside();
                let mut wrong = escapes(&tree, &before, &inside, &told, write);
                // A link may name another that leads out; what goes through it may not.
                let first = if act.starts_with("symlink P") { 2 } else { 1 };
                if leads == Leads::Out && told[first].starts_with("ok") {
                    wrong.push("a path that leads out worked".to_owned());
                }
                if !wrong.is_empty() {
                    escaped += 1;
                    println!("{act} {shape:?} {write}: {told:?}: {wrong:?}");
                }
                if inside != before.inside {
                    tree.plant();
                    before.inside = tree.inside();
                    before.outside = tree.outside();
                }
            }
        }
    }
    println!(
        "paths: {} shapes x {} operations x 2 modes, {probes} probes, {worked} allowed, {escaped} escapes",
        SHAPES.len(),
        ACTS.len()
    );
    assert_eq!(escaped, 0);
    assert!(worked > 300, "a test in which nothing works shows nothing");
}

/// Twins: what is granted works, what is not does not.
#[tokio::test]
async fn each_operation_with_and_without_a_grant() {
    let all = "root 0;read inside.txt;read-stream inside.txt;stat inside.txt;lstat link-file;hash inside.txt;\
         readlink link-in;list dir;cd dir;write inside.txt;create new;truncate inside.txt;mkdir new-dir;\
         rename new newer;touch newer;symlink inside.txt new-link;unlink new-link;unlink newer;rmdir new-dir;\
         stream inside.txt 0 10;append inside.txt 0 10";
    let hexed: Vec<String> = all
        .split(';')
        .map(|step| {
            let step = step.trim();
            let (verb, rest) = step.split_once(' ').unwrap();
            let words = rest.split(' ').map(|word| match word.parse::<u64>() {
                Ok(number) => number.to_string(),
                Err(_) => hex(word),
            });
            format!("{verb} {}", words.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let tree = Tree::new();
    let writable = steps(
        &call(vec![tree.grant("root", "/r", true)]),
        &hexed.join(";"),
    )
    .await;
    for (step, told) in hexed.iter().zip(&writable) {
        assert!(told.starts_with("ok"), "{step}: {told}");
    }
    tree.plant();
    let reading = steps(
        &call(vec![tree.grant("root", "/r", false)]),
        &hexed.join(";"),
    )
    .await;
    for (n, (step, told)) in hexed.iter().zip(&reading).enumerate() {
        assert_eq!(told.starts_with("ok"), n < 9, "{step}: {told}");
    }
    assert_eq!(reading[9], "err not-permitted");
    // Nothing granted: not even linked.
    let outcome = Try::new(path_agent()).run("root 0").await;
    assert!(outcome.reason().contains("wasi:filesystem"), "{outcome:?}");
    // Hard links are made by nobody.
    let link = format!("root 0;link {} {}", hex("inside.txt"), hex("second"));
    let told = steps(&call(vec![tree.grant("root", "/r", true)]), &link).await;
    assert_eq!(told[1], "err not-permitted");
}

#[tokio::test]
async fn a_directory_granted_for_reading_stays_so_inside_one_granted_for_writing() {
    let tree = Tree::new();
    let call = call(vec![
        tree.grant("root", "/r", true),
        tree.grant("root/dir", "/r/dir", false),
    ]);
    let d = |path: &str| hex(path);
    let script = [
        "root 0".to_owned(),
        format!("create {}", d("new")),
        format!("write {}", d("dir/inside.txt")),
        format!("create {}", d("dir/new")),
        format!("write {}", d("link-dir-in/inside.txt")),
        format!("rename {} {}", d("inside.txt"), d("dir/moved")),
        format!("rename {} {}", d("dir/inside.txt"), d("moved")),
        format!("unlink {}", d("dir/deep/inside.txt")),
        format!("rename-into {} 1 {}", d("inside.txt"), d("moved")),
        format!("touch {}", d("dir/inside.txt")),
        format!("cd {}", d("dir/deep")),
        format!("create {}", d("new")),
    ];
    let before = fs::read_dir(tree.root().join("dir")).unwrap().count();
    let told = steps(&call, &script.join(";")).await;
    let worked: Vec<bool> = told.iter().map(|t| t.starts_with("ok")).collect();
    let mut expected = vec![false; script.len()];
    for ok in [0, 1, 10] {
        expected[ok] = true;
    }
    assert_eq!(worked, expected, "{told:?}");
    assert_eq!(
        fs::read_dir(tree.root().join("dir")).unwrap().count(),
        before
    );
}

/// Small, fast, repeatable: not for secrets.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test]
async fn no_sequence_leads_out() {
    let sequences = from_environment("SANDGATE_PATH_SEQUENCES", 300);
    let names = [
        "a",
        "b",
        "dir",
        "deep",
        "..",
        ".",
        "inside.txt",
        "link-up",
        "link-dir",
        "new",
    ];
    let verbs = [
        "create", "mkdir", "rmdir", "unlink", "read", "write", "list", "cd", "truncate",
        "readlink", "touch",
    ];
    let (mut done, mut worked, mut escaped) = (0, 0, 0);
    let mut dice = Dice(0x5a17_dead_beef_0001);
    let tree = Tree::new();
    let mut planted = tree.inside();
    let mut outside = tree.outside();
    for round in 0..sequences {
        if round % 20 == 0 {
            tree.plant();
            planted = tree.inside();
            outside = tree.outside();
        }
        let path = |dice: &mut Dice| {
            let parts: Vec<_> = (0..=dice.roll(3))
                .map(|_| names[dice.roll(names.len())])
                .collect();
            hex(&parts.join("/"))
        };
        let mut script = vec!["root 0".to_owned()];
        for _ in 0..40 {
            let (one, two) = (path(&mut dice), path(&mut dice));
            script.push(match dice.roll(10) {
                0..=1 => format!("symlink {one} {two}"),
                2..=4 => format!("rename {one} {two}"),
                5 => format!("link {one} {two}"),
                _ => format!("{} {one}", verbs[dice.roll(verbs.len())]),
            });
        }
        let told = steps(
            &call(vec![tree.grant("root", "/r", true)]),
            &script.join(";"),
        )
        .await;
        done += told.len();
        worked += told.iter().filter(|told| told.starts_with("ok")).count();
        let bad = tree.new_ways_out(&planted, &tree.inside());
        if told.join(";").contains(CANARY) || tree.outside() != outside || !bad.is_empty() {
            escaped += 1;
            println!("{}: {} {bad:?}", script.join(";"), told.join(";"));
        }
    }
    println!(
        "paths: {sequences} random sequences, {done} operations, {worked} allowed, {escaped} escapes"
    );
    assert_eq!(escaped, 0);
    assert!(worked > done / 20, "{worked} of {done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapping_links_under_a_guest_leads_nowhere() {
    let time = Duration::from_secs(from_environment("SANDGATE_RACE_SECONDS", 2));
    let tree = Tree::new();
    let (root, top) = (tree.root(), tree.top());
    // Each name is a real thing one moment and a way out the next: as the last part of a path, and in its middle.
    fs::create_dir(root.join("swap-dir")).unwrap();
    fs::write(root.join("swap-dir/CANARY.txt"), INSIDE).unwrap();
    fs::write(root.join("swap-file"), INSIDE).unwrap();
    fs::create_dir(top.join("bench")).unwrap();
    symlink("../outside", top.join("bench/dir")).unwrap();
    symlink("../CANARY.txt", top.join("bench/file")).unwrap();
    let outside = fs::read_to_string(top.join("CANARY.txt")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut probes, mut read, mut wrote, mut swaps) = (0, 0, 0, 0u64);
    let (stop, top_, root_) = (&stop, &top, &root);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        let swapper = scope.spawn(move || {
            let mut swaps = 0u64;
            while !stop.load(Ordering::Relaxed) {
                for (a, b) in [("swap-dir", "bench/dir"), ("swap-file", "bench/file")] {
                    let (a, b) = (root_.join(a), top_.join(b));
                    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                    swaps += 1;
                }
            }
            swaps
        });
        let tree = &tree;
        let guest = async {
            let since = Instant::now();
            let mut told = Vec::new();
            while since.elapsed() < time {
                let call = call(vec![tree.grant("root", "/r", true)]);
                let script = format!(
                    "root 0;probe 100 {};probe 100 {}",
                    hex("swap-dir/CANARY.txt"),
                    hex("swap-file")
                );
                told.extend(steps(&call, &script).await.into_iter().skip(1));
            }
            told
        };
        let told =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(guest));
        stop.store(true, Ordering::Relaxed);
        swaps = swapper.join().unwrap();
        for line in told {
            let words: Vec<_> = line.split(' ').collect();
            probes += 300;
            read += words[1].parse::<u64>().unwrap();
            wrote += words[2].parse::<u64>().unwrap();
            if words[3] != "[]" {
                seen.push(line.clone());
            }
        }
    });
    println!(
        "race: {swaps} swaps, {probes} probes, {read} read, {wrote} wrote, {} escapes",
        seen.len()
    );
    assert_eq!(seen, Vec::<String>::new());
    assert!(read > 0 && wrote > 0 && swaps > 1_000);
    for file in ["CANARY.txt", "outside/CANARY.txt", "outside/CANARY-dir/x"] {
        assert_eq!(
            fs::read_to_string(top.join(file)).unwrap(),
            outside,
            "{file}"
        );
    }
}
