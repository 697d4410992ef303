//! Between "asked" and "ran" something changes: nothing runs that is not what was approved. Each mutation is made twice,
//! before the decision and after it, and each has a control in which nothing changes.

use super::kit::{POLICY, asks, free, marks, only, project, task, text, toml, workflow};
use crate::harness::Project;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// What is approved leaves this mark; whatever else runs leaves another.
const APPROVED: &str = "approved";

/// One way in which the world changes.
struct Mutation {
    name: &'static str,
    project: Project,
    change: Box<dyn Fn(&Project)>,
}

impl Mutation {
    fn new(name: &'static str, project: Project, change: impl Fn(&Project) + 'static) -> Self {
        Self {
            name,
            project,
            change: Box::new(change),
        }
    }
}

/// When it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    Never,
    BeforeTheDecision,
    AfterTheDecision,
    /// While the host that was killed is down, after the decision.
    AfterAKill,
}

const MARK: &str = "echo $1$VALUE >> marks.txt";

fn policy(program: &str, args: &str, more: &str) -> String {
    format!(
        "[policy]\nquestion = true\nfiles = [{{ host = \"work\", guest = \"/desk\", mode = \"write\" }}]\n\
         exec = [{{ name = \"it\", program = {program:?}, args = [{args}]{more}, approval = \"required\" }}]\n"
    )
}

fn step(program: &str, args: &str, cwd: &str) -> String {
    format!("{{ do = \"command\", program = {program:?}, args = [{args}], cwd = \"{cwd}\" }}")
}

/// A project whose one task runs one command.
fn one(program: &str, args: &str, cwd: &str, more: &str) -> Project {
    project(
        &policy(program, args, &format!(", cwd = \"{cwd}\"{more}")),
        &workflow(&[&task("t", "", &[step(program, args, cwd)])]),
    )
}

fn plain() -> Project {
    let args = format!("\"-c\", {MARK:?}, \"it\", \"{APPROVED}\"");
    one("sh", &args, "/desk", ", env = { VALUE = \"-1\" }")
}

fn replace(project: &Project, file: &str, from: &str, to: &str) {
    let path = project.dir().join(file);
    let before = fs::read_to_string(&path).unwrap();
    let after = before.replace(from, to);
    assert_ne!(before, after, "{file} has no {from}");
    fs::write(path, after).unwrap();
}

/// The object of the state directory with this digest.
fn object(project: &Project, digest: &str) -> PathBuf {
    fn walk(dir: &Path, hex: &str) -> Option<PathBuf> {
        for entry in fs::read_dir(dir).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                if let Some(found) = walk(&path, hex) {
                    return Some(found);
                }
            } else if path.to_string_lossy().replace('/', "").contains(hex) {
                return Some(path);
            }
        }
        None
    }
    let hex = digest.trim_start_matches("sha256:");
    walk(&project.dir().join(".sandgate"), hex).unwrap_or_else(|| panic!("no object {digest}"))
}

fn overwrite(path: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(path).unwrap();
    let new = change(&text);
    assert_ne!(text, new);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, new).unwrap();
}

/// A guest whose argument comes from somewhere that is another each time.
fn divergent(by: &str) -> Project {
    let act = format!(
        "act = \"divergent\", by = \"{by}\", path = \"/desk/n.txt\", program = \"sh\", cwd = \"/desk\", args = [\"-c\", \"echo approved$1 >> marks.txt\", \"it\", \"{{n}}\"]"
    );
    let project = project(
        &policy(
            "sh",
            "\"-c\", \"echo approved$1 >> marks.txt\", \"it\", \"{n:int}\"",
            ", cwd = \"/desk\"",
        ),
        &workflow(&[&format!(
            "[[task]]\nid = \"t\"\nagent = \"guest\"\ninput = {{ {act} }}\n"
        )]),
    );
    project.write("work/n.txt", "7");
    project
}

fn script() -> Project {
    let project = one("sh", "\"run.sh\"", "/desk", "");
    project.write("work/run.sh", format!("echo {APPROVED} >> marks.txt\n"));
    project
}

fn tool() -> Project {
    let first = project("", "");
    let path = first.dir().join("tool");
    let made = |p: &Path, word: &str| {
        fs::write(p, format!("#!/bin/sh\necho {word} >> marks.txt\n")).unwrap();
        fs::set_permissions(p, fs::Permissions::from_mode(0o755)).unwrap();
    };
    made(&path, APPROVED);
    let program = path.to_str().unwrap();
    first.write(
        "sandgate.toml",
        toml(&policy(program, "", ", cwd = \"/desk\"")),
    );
    first.write(
        "w.toml",
        workflow(&[&task("t", "", &[step(program, "", "/desk")])]),
    );
    first
}

fn in_sub() -> Project {
    let args = format!("\"-c\", \"echo {APPROVED} >> marks.txt; cat which.txt >> marks.txt\"");
    let project = one("sh", &args, "/desk/sub", "");
    project.write("work/sub/which.txt", "");
    project
}

fn with_artifact() -> Project {
    project(
        POLICY,
        &workflow(&[
            "[[task]]\nid = \"a\"\nagent = \"fake\"\nproduces = [\"seed\"]\ninput = { output = { x = 1 } }\n",
            "[[task]]\nid = \"t\"\nagent = \"fake\"\nneeds = [\"a\"]\nconsumes = [\"a.seed\"]\napproval = \"before\"\ninput = { read = [\"a.seed\"] }\n",
            &task("m", "needs = [\"t\"]", &[free(APPROVED)]),
        ]),
    )
}

/// Marks of everywhere in the project.
fn all_marks(project: &Project) -> Vec<String> {
    let mut all = marks(project);
    for dir in ["work/sub", "work/other", "outside", "work/gone"] {
        let text =
            fs::read_to_string(project.dir().join(dir).join("marks.txt")).unwrap_or_default();
        all.extend(text.lines().map(|l| format!("{l} in {dir}")));
    }
    all
}

fn mutations() -> Vec<Mutation> {
    vec![
        Mutation::new("arguments: the guest's clock", divergent("clock"), |_| ()),
        Mutation::new(
            "arguments: the guest's random bytes",
            divergent("random"),
            |_| (),
        ),
        Mutation::new(
            "arguments: a file that the guest reads",
            divergent("file"),
            |p| {
                p.write("work/n.txt", "666");
            },
        ),
        Mutation::new("environment in the policy", plain(), |p| {
            replace(p, "sandgate.toml", "VALUE = \"-1\"", "VALUE = \"666\"");
        }),
        Mutation::new("plan edited", plain(), |p| {
            // The file is not the run: a change to it is one to later runs.
            replace(p, "w.toml", &format!("\"{APPROVED}\"]"), "\"666\"]");
        }),
        Mutation::new("component replaced", plain(), |p| {
            p.write("g.wasm", sandgate_test_guests::command_agent());
        }),
        Mutation::new("component removed", plain(), |p| {
            fs::remove_file(p.dir().join("g.wasm")).unwrap();
        }),
        Mutation::new("rule removed", plain(), |p| {
            replace(p, "sandgate.toml", "exec = [", "exec = [] #");
        }),
        Mutation::new("rule of another program", plain(), |p| {
            replace(p, "sandgate.toml", "program = \"sh\"", "program = \"bash\"");
        }),
        Mutation::new(
            "input artifact changed in the store",
            with_artifact(),
            |p| {
                let summary = p.run(&["summary", "--format", "json"]).json();
                let digest = find_digest(&summary["tasks"][0]);
                overwrite(&object(p, &digest), |_| "666".to_owned());
            },
        ),
        Mutation::new("script that an argument names", script(), |p| {
            p.write("work/run.sh", "echo 666 >> marks.txt\n");
        }),
        Mutation::new("script replaced by a link", script(), |p| {
            p.write("work/other.sh", "echo 666 >> marks.txt\n");
            fs::remove_file(p.dir().join("work/run.sh")).unwrap();
            std::os::unix::fs::symlink("other.sh", p.dir().join("work/run.sh")).unwrap();
        }),
        Mutation::new("program replaced", tool(), |p| {
            fs::write(p.dir().join("tool"), "#!/bin/sh\necho 666 >> marks.txt\n").unwrap();
        }),
        Mutation::new("directory replaced by another", in_sub(), |p| {
            fs::rename(p.dir().join("work/sub"), p.dir().join("work/gone")).unwrap();
            p.write("work/sub/which.txt", "666\n");
        }),
        Mutation::new("directory replaced by a link out", in_sub(), |p| {
            fs::rename(p.dir().join("work/sub"), p.dir().join("work/gone")).unwrap();
            p.write("outside/which.txt", "666\n");
            std::os::unix::fs::symlink("../outside", p.dir().join("work/sub")).unwrap();
        }),
        Mutation::new("granted directory narrowed", plain(), |p| {
            replace(p, "sandgate.toml", "mode = \"write\"", "mode = \"read\"");
        }),
        Mutation::new("granted directory moved", plain(), |p| {
            replace(p, "sandgate.toml", "host = \"work\"", "host = \"outside\"");
            p.write("outside/here.txt", "");
        }),
        Mutation::new("record of the approval damaged", plain(), |p| {
            let digest = text(&asks(p, true)[0]["digest"]);
            overwrite(&object(p, &digest), |t| t.replace(APPROVED, "66666666"));
        }),
    ]
}

fn find_digest(task: &serde_json::Value) -> String {
    fn walk(value: &serde_json::Value) -> Option<String> {
        match value {
            serde_json::Value::String(t) if t.starts_with("sha256:") => Some(t.clone()),
            serde_json::Value::Array(items) => items.iter().find_map(walk),
            serde_json::Value::Object(map) => map.values().find_map(walk),
            _ => None,
        }
    }
    walk(&task["artifacts"]).unwrap_or_else(|| panic!("no digest in {task:#}"))
}

/// What came of one.
enum Came {
    AsApproved,
    Nothing { said: String },
}

fn play(mutation: &Mutation, when: When) -> Result<Came, String> {
    let p = &mutation.project;
    let change = || (mutation.change)(p);
    p.run(&["run", "w.toml"]).expect(4);
    let ask = only(p);
    let id = text(&ask["id"]);
    let mut said = String::new();
    let mut note = |done: crate::harness::Done| {
        said.push_str(&done.stdout);
        said.push_str(&done.stderr);
        done.code()
    };
    if when == When::BeforeTheDecision {
        change();
    }
    // Only what is said after the decision counts: the request itself has many words.
    let decided = p.run(&["approve", &id]);
    assert!([0, 1, 2].contains(&decided.code()), "{decided}");
    if decided.code() != 0 {
        note(decided);
    }
    if when == When::AfterTheDecision {
        change();
    }
    if when == When::AfterAKill {
        p.start(&["resume"]).kill();
        if marks(p).is_empty() {
            change();
        }
    }
    let code = note(p.run(&["resume"]));
    note(p.run(&["summary"]));
    note(p.run(&["why"]));
    let marks = all_marks(p);
    // What was put into the store instead of an artifact that was approved as an input has three bytes.
    let read = p.run(&["summary", "--task-output", "t"]).stdout;
    if read.contains("\"a.seed\": 3") {
        return Err(format!(
            "{} ({when:?}): the guest read it: {read}",
            mutation.name
        ));
    }
    let approved = marks.iter().filter(|m| m.starts_with(APPROVED)).count();
    if marks.iter().any(|m| m.contains("666")) || approved > 1 || approved != marks.len() {
        return Err(format!("{} ({when:?}): {marks:?}", mutation.name));
    }
    let changed = when != When::Never;
    match (approved, changed) {
        (1, _) => Ok(Came::AsApproved),
        (_, false) => Err(format!(
            "{}: the control did not run: {said}",
            mutation.name
        )),
        _ if code == 0 => Err(format!(
            "{}: nothing ran, and all is well: {said}",
            mutation.name
        )),
        _ => Ok(Came::Nothing { said }),
    }
}

/// Words of which one is said when an approval does not count any more.
const WORDS: [&str; 9] = [
    "no such file",
    "approval-stale",
    "changed",
    "not allowed",
    "not granted",
    "no rule",
    "does not match",
    "damaged",
    "refused",
];

#[test]
fn what_changes_after_the_question_does_not_run() {
    let (mut controls, mut probes, mut as_approved, mut nothing, mut stale) = (0, 0, 0, 0, 0);
    let mut wrong = Vec::new();
    for when in [
        When::Never,
        When::BeforeTheDecision,
        When::AfterTheDecision,
        When::AfterAKill,
    ] {
        // After a kill the first of each sort.
        let all = mutations().into_iter().enumerate();
        for (n, mutation) in all.filter(|(n, _)| when != When::AfterAKill || n % 3 == 0) {
            match when {
                When::Never => controls += 1,
                _ => probes += 1,
            }
            match play(&mutation, when) {
                Err(why) => wrong.push(why),
                Ok(Came::AsApproved) => {
                    as_approved += u32::from(when != When::Never);
                    println!("{n:2} {when:?} {}: as approved", mutation.name);
                }
                Ok(Came::Nothing { said }) => {
                    nothing += 1;
                    stale += usize::from(said.contains("approval-stale"));
                    if std::env::var_os("SANDGATE_VERBOSE").is_some() {
                        println!("{said}");
                    }
                    let word = WORDS.iter().find(|w| said.to_lowercase().contains(*w));
                    println!("{n:2} {when:?} {}: nothing ran ({word:?})", mutation.name);
                    if word.is_none() {
                        wrong.push(format!(
                            "{} ({when:?}) does not say why: {said}",
                            mutation.name
                        ));
                    }
                }
            }
        }
    }
    println!(
        "{controls} controls ran; {probes} runs with a change between asked and ran: {as_approved} ran as approved, {nothing} not at all ({stale} said approval-stale), {} otherwise",
        wrong.len()
    );
    for line in &wrong {
        println!("WRONG: {line}");
    }
    assert!(wrong.is_empty(), "{} wrong, see above", wrong.len());
}
