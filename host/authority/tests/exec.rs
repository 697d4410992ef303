//! Commands: what fits a rule and nothing else, what a refusal says, what a permit holds.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use proptest::prelude::*;
use sandgate_authority::{ExecAuthority, ExecPermit, ExecRefusal, ExecTemplate, exec_warnings};
use sandgate_model::{ExecGrant, FileGrant, FileMode, Grants, Millis};
use std::collections::{BTreeMap, BTreeSet};

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn rule(program: &str, args: &[&str]) -> ExecGrant {
    ExecGrant {
        name: program.to_owned(),
        program: program.to_owned(),
        args: strings(args),
        cwd: None,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        network: false,
        read: Vec::new(),
        timeout: None,
        approval: false,
    }
}

fn dir(guest: &str) -> FileGrant {
    FileGrant {
        host: guest.trim_start_matches('/').to_owned(),
        guest: guest.to_owned(),
        mode: FileMode::Write,
    }
}

fn grants(exec: Vec<ExecGrant>, guests: &[&str]) -> Grants {
    Grants {
        exec,
        files: guests.iter().map(|g| dir(g)).collect(),
        ..Grants::default()
    }
}

fn permit(grants: &Grants, program: &str, args: &[&str]) -> Result<ExecPermit, ExecRefusal> {
    let permission = ExecAuthority::new(grants).permit(program, &strings(args), None)?;
    Ok(permission.granted().unwrap())
}

/// Rules as people write them, and requests that try to make more of them. What these did elsewhere: options that
/// start programs or write files, a value that is an option, one argument that becomes two, another program of the
/// same name, quoting.
#[test]
fn smuggled_arguments_fit_no_rule() {
    let rules = grants(
        vec![
            rule(
                "cargo",
                &["test", "--package={name:word}", "--", "{filter:word}"],
            ),
            rule("git", &["log", "-n", "{n:int}", "--", "{file:path}"]),
            rule("git", &["commit", "-m", "{message:text}"]),
            rule("git", &["show", "{rev:hex}"]),
            rule("npm", &["run", "{script:word}"]),
            rule("find", &["{dir:path}", "-name", "{name:word}"]),
            rule("grep", &["-r", "--", "{text:text}", "src"]),
            rule("env", &["CI=1", "make"]),
        ],
        &["/ws"],
    );
    let fine: &[(&str, &[&str])] = &[
        ("cargo", &["test", "--package=serde_json", "--", "a::b"]),
        ("git", &["log", "-n", "5", "--", "src/main.rs"]),
        (
            "git",
            &["commit", "-m", "fix: $(not a shell); `this` --is fine"],
        ),
        ("git", &["show", "deadBEEF01"]),
        ("npm", &["run", "test:unit"]),
        ("find", &["src", "-name", "main.rs"]),
        ("grep", &["-r", "--", "a b", "src"]),
        ("env", &["CI=1", "make"]),
    ];
    for (program, args) in fine {
        permit(&rules, program, args).unwrap_or_else(|e| panic!("{e}"));
    }
    let bad: &[(&str, &[&str])] = &[
        ("cargo", &["test", "--package=x", "--", "-Zunstable"]),
        ("cargo", &["test", "--package=x --config=y", "--", "a"]),
        ("cargo", &["test", "--package=", "--", "a"]),
        ("cargo", &["--config", "build.rustc-wrapper='x'", "test"]),
        ("cargo", &["test", "--package=x", "--", "a", "--nocapture"]),
        ("cargo", &["test", "--package=x\n--config=y", "--", "a"]),
        ("cargo", &["+nightly", "test", "--package=x", "--", "a"]),
        ("/tmp/cargo", &["test", "--package=x", "--", "a"]),
        ("./cargo", &["test", "--package=x", "--", "a"]),
        ("Cargo", &["test", "--package=x", "--", "a"]),
        ("cargo ", &["test", "--package=x", "--", "a"]),
        ("git", &["log", "-n", "5", "--", "--output=/etc/passwd"]),
        ("git", &["log", "-n", "-1", "--", "f"]),
        ("git", &["log", "-n", "5", "--output=x", "--", "f"]),
        ("git", &["log", "-n", "5", "--", "/etc/passwd"]),
        ("git", &["log", "-n", "5", "--", "../../etc/passwd"]),
        ("git", &["log", "-n", "5", "--", "a/../../b"]),
        ("git", &["log", "-n", "5", "--", "ext::sh -c x"]),
        ("git", &["log", "-n", "5", "--", "host:path"]),
        ("git", &["log", "-n", "5", "--", "a\u{202e}b"]),
        ("git", &["-c", "core.pager=x", "log", "-n", "5", "--", "f"]),
        ("git", &["commit", "-m", "-S"]),
        ("git", &["commit", "-m", "--template=/etc/shadow"]),
        ("git", &["commit", "-m", "two\nlines"]),
        ("git", &["commit", "-m", "\u{1b}[2J"]),
        ("git", &["commit", "-m", "a\0b"]),
        ("git", &["commit", "-m", "a", "--amend"]),
        ("git", &["commit", "-ma"]),
        ("git", &["show", "HEAD"]),
        ("git", &["show", "--ext-diff"]),
        ("git", &["show", "dead beef"]),
        ("npm", &["run", "--script-shell=x"]),
        ("npm", &["run", "a b"]),
        ("npm", &["run", "test", "--", "x"]),
        ("npm", &["exec", "test"]),
        ("find", &["src", "-name", "a", "-exec", "sh", ";"]),
        ("find", &["-delete", "-name", "a"]),
        ("find", &["src", "-name", "a*"]),
        ("grep", &["-r", "--", "-f/etc/shadow", "src"]),
        ("env", &["-S", "CI=1 make"]),
        ("env", &["-SCI=1 make"]),
        ("env", &["CI=1", "make", "x"]),
        ("sh", &["-c", "cargo test"]),
        ("bash", &[]),
        ("", &[]),
    ];
    for (program, args) in bad {
        let refused = permit(&rules, program, args).unwrap_err();
        assert!(
            matches!(refused, ExecRefusal::NotGranted { .. }),
            "{program} {args:?}: {refused}"
        );
    }
    println!(
        "{} smuggled commands: 0 permitted; {} honest ones: all",
        bad.len(),
        fine.len()
    );
}

#[test]
fn a_refusal_says_what_differs_and_what_would_allow_it() {
    let rules = grants(
        vec![
            rule("cargo", &["test", "--workspace"]),
            rule("cargo", &["build"]),
            rule("make", &[]),
        ],
        &["/ws"],
    );
    let check = |program: &str, args: &[&str], expected: &str| {
        assert_eq!(
            permit(&rules, program, args).unwrap_err().to_string(),
            expected
        );
    };
    check(
        "cargo",
        &["test", "--all"],
        "the command `cargo test --all` is not granted: the nearest rule is `cargo`, and argument 2 is `--workspace`, the request has `--all`; this line in [policy] of sandgate.toml would allow it: exec = [{ program = \"cargo\", args = [\"test\", \"--all\"], approval = \"none\" }]",
    );
    check(
        "cargo",
        &["test"],
        "the command `cargo test` is not granted: the nearest rule is `cargo`, and it has 2 arguments, the request has 1; this line in [policy] of sandgate.toml would allow it: exec = [{ program = \"cargo\", args = [\"test\"], approval = \"none\" }]",
    );
    check(
        "npm",
        &["run", "a {b}", "say \"x\\y\""],
        "the command `npm run 'a {b}' 'say \"x\\y\"'` is not granted: no rule is for the program `npm`; there are rules for `cargo`, `make`; this line in [policy] of sandgate.toml would allow it: exec = [{ program = \"npm\", args = [\"run\", \"a {{b}}\", \"say \\\"x\\\\y\\\"\"], approval = \"none\" }]",
    );
    // Nothing is suggested that no rule can say, and nothing is shown as it is that a terminal would obey.
    for (program, args) in [
        ("./x", vec![]),
        ("make", vec!["a\u{1b}[2Jb"]),
        ("make", vec!["a\nb"]),
    ] {
        let text = permit(&rules, program, &args).unwrap_err().to_string();
        assert!(!text.contains("would allow"), "{text}");
        assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
    }
    let none = Grants::default();
    let text = permit(&none, "make", &[]).unwrap_err().to_string();
    assert!(
        text.starts_with("the command `make` is not granted: no command is; this line"),
        "{text}"
    );
}

#[test]
fn too_much_is_refused_before_it_is_compared() {
    let rules = grants(vec![rule("x", &[])], &[]);
    let many = vec!["a"; 1025];
    let text = permit(&rules, "x", &many).unwrap_err().to_string();
    assert!(
        text.contains("1025 arguments") && text.len() < 8192,
        "{}",
        text.len()
    );
    let long = "a".repeat(200_000);
    let text = permit(&rules, "x", &[&long]).unwrap_err().to_string();
    assert!(
        text.contains("200001 bytes") && text.len() < 8192,
        "{}",
        text.len()
    );
}

/// The stricter rule wins, in whatever order they stand.
#[test]
fn an_approval_that_any_fitting_rule_wants_is_needed() {
    let wide = rule("npm", &["run", "{script:word}"]);
    let mut publish = rule("npm", &["run", "publish"]);
    publish.approval = true;
    for rules in [vec![wide.clone(), publish.clone()], vec![publish, wide]] {
        let rules = grants(rules, &["/ws"]);
        let ask = |args: &[&str]| ExecAuthority::new(&rules).permit("npm", &strings(args), None);
        let publish = ask(&["run", "publish"]).unwrap();
        assert!(publish.asks());
        assert!(rules.exec[publish.look().rule()].approval);
        assert!(!ask(&["run", "test"]).unwrap().asks());
        // What would be refused is not put to anybody.
        let elsewhere =
            ExecAuthority::new(&rules).permit("npm", &strings(&["run", "publish"]), Some("/other"));
        assert!(matches!(elsewhere, Err(ExecRefusal::Directory { .. })));
    }
}

#[test]
fn of_rules_that_fit_the_least_is_taken() {
    let mut network = rule("curl", &["-V"]);
    network.network = true;
    let mut secret = rule("curl", &["{x:text}"]);
    secret.args = strings(&["-V"]);
    secret.secrets = strings(&["TOKEN"]);
    let plain = rule("curl", &["-V"]);
    let rules = grants(vec![network.clone(), secret, plain], &["/ws"]);
    let got = permit(&rules, "curl", &["-V"]).unwrap();
    assert_eq!(
        (got.rule(), got.network(), got.secrets().len()),
        (2, false, 0)
    );
    let got = permit(&grants(vec![network], &["/ws"]), "curl", &["-V"]).unwrap();
    assert!(got.network());
}

#[test]
fn directories() {
    let mut own = rule("own", &[]);
    own.cwd = Some("/ws/sub".to_owned());
    let check = |guests: &[&str],
                 program: &str,
                 cwd: Option<&str>,
                 expected: Result<Option<&str>, &str>| {
        let rules = grants(vec![own.clone(), rule("any", &[])], guests);
        match (
            ExecAuthority::new(&rules).permit(program, &[], cwd),
            expected,
        ) {
            (Ok(p), Ok(e)) => assert_eq!(p.look().cwd(), e, "{guests:?} {program} {cwd:?}"),
            (Err(e @ ExecRefusal::Directory { .. }), Err(part)) => {
                assert!(e.to_string().contains(part), "{part}: {e}");
            }
            (got, _) => panic!("{guests:?} {program} {cwd:?}: {got:?}"),
        }
    };
    check(&[], "any", None, Ok(None));
    check(&["/ws"], "any", None, Ok(Some("/ws")));
    check(
        &["/ws", "/notes"],
        "any",
        None,
        Err("neither the request nor the rule"),
    );
    check(
        &["/ws", "/notes"],
        "any",
        Some("/notes/a"),
        Ok(Some("/notes/a")),
    );
    check(&["/ws"], "any", Some("/"), Err("no granted directory"));
    check(
        &["/ws"],
        "any",
        Some("/ws-private"),
        Err("no granted directory"),
    );
    check(
        &["/ws"],
        "any",
        Some("/ws/.."),
        Err("no directory to start in"),
    );
    check(&["/ws"], "any", Some("ws"), Err("no directory to start in"));
    check(&[], "any", Some("/ws"), Err("there is none"));
    check(&["/ws"], "own", None, Ok(Some("/ws/sub")));
    check(
        &["/ws"],
        "own",
        Some("/ws/sub/deep"),
        Ok(Some("/ws/sub/deep")),
    );
    check(&["/ws"], "own", Some("/ws"), Err("lets it start in"));
    check(&["/notes"], "own", None, Err("no granted directory"));
}

#[test]
fn everything_that_decides_is_in_the_digest() {
    let base = || {
        let mut r = rule("x", &["a", "{w:word}"]);
        r.env.insert("K".to_owned(), "v".to_owned());
        r.secrets = strings(&["S"]);
        r.read = strings(&["/opt/a"]);
        r.timeout = Some(Millis(1000));
        r
    };
    let digest = |r: ExecGrant, args: &[&str], cwd: Option<&str>| {
        let g = grants(vec![r], &["/ws"]);
        let p = ExecAuthority::new(&g)
            .permit("x", &strings(args), cwd)
            .unwrap()
            .granted()
            .unwrap();
        assert_eq!(p.digest(), sandgate_model::Digest::of(p.canonical()));
        p.digest()
    };
    let change = |f: fn(&mut ExecGrant)| {
        let mut r = base();
        f(&mut r);
        digest(r, &["a", "b"], None)
    };
    let all = [
        change(|_| ()),
        change(|r| r.network = true),
        change(|r| r.name = "other".to_owned()),
        change(|r| r.secrets.push("T".to_owned())),
        change(|r| r.read.push("/opt/b".to_owned())),
        change(|r| r.timeout = None),
        change(|r| r.timeout = Some(Millis(1001))),
        change(|r| *r.env.get_mut("K").unwrap() = "w".to_owned()),
        change(|r| {
            r.env.insert("L".to_owned(), String::new());
        }),
        change(|r| r.cwd = Some("/ws/sub".to_owned())),
        digest(base(), &["a", "c"], None),
        digest(base(), &["a", "b"], Some("/ws/deep")),
    ];
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(change(|_| ()), all[0]);
}

#[test]
fn reviewers_are_told() {
    let told = |program: &str, args: &[&str]| exec_warnings(&rule(program, args)).join("; ");
    for (program, args, part) in [
        ("sh", &["-c", "x"][..], "is a shell"),
        ("/bin/bash", &["-c", "echo {x:text}"], "part of a script"),
        ("env", &["-S", "a b"], "splits"),
        ("env", &["A=1", "make"], "starts another program"),
        ("xargs", &["rm"], "starts another program"),
        ("sudo", &["x"], "starts another program"),
        ("find", &[".", "-exec", "x", ";"], "can start programs"),
        ("find", &["{x:word}"], "can start programs"),
        ("python3.12", &["-c", "x"], "stands in its arguments"),
        ("python3", &["{script:path}"], "that a hole names"),
        ("node", &["--require=x", "y"], "stands in its arguments"),
        ("awk", &["{x:text}"], "stands in its arguments"),
        ("perl", &["-e", "x"], "stands in its arguments"),
        ("git", &["status"], "runs code that it finds"),
        ("npm", &["test"], "runs code that it finds"),
        ("cargo", &["test"], "runs code that it finds"),
        ("make", &[], "runs code that it finds"),
    ] {
        assert!(
            told(program, args).contains(part),
            "{program} {args:?}: {}",
            told(program, args)
        );
    }
    for (program, args) in [
        ("ls", &["-l"][..]),
        ("rustfmt", &["--check", "{f:path}"]),
        ("wc", &[]),
    ] {
        assert_eq!(told(program, args), "");
    }
    let mut r = rule("ls", &[]);
    r.network = true;
    r.secrets = strings(&["TOKEN"]);
    r.read = strings(&["/root"]);
    r.env.insert("NODE_OPTIONS".to_owned(), "x".to_owned());
    let all = exec_warnings(&r).join("; ");
    for part in [
        "every address",
        "send them anywhere",
        "all of `/root`",
        "`NODE_OPTIONS`",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
}

/// An oracle written in another way: regular pieces instead of prefixes and suffixes.
fn oracle(kind: &str, value: &str) -> bool {
    let n = value.chars().count();
    let all = |set: &str| value.chars().all(|c| set.contains(c));
    const ALNUM: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    match kind {
        "word" => {
            (1..=128).contains(&n)
                && all(&format!("{ALNUM}.:@+-"))
                && ALNUM.contains(value.chars().next().unwrap())
        }
        "int" => (1..=18).contains(&n) && all("0123456789"),
        _ => (1..=128).contains(&n) && all("0123456789abcdefABCDEF"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A value fits a hole exactly when the oracle says so, wherever in an argument the hole stands.
    #[test]
    fn holes_take_what_they_should(
        before in "[a-z=-]{0,4}", after in "[a-z=.]{0,4}", value in "[ -~]{0,6}|[a-f0-9]{0,20}|[a-zA-Z0-9_.:@+-]{0,8}",
        kind in prop::sample::select(vec!["word", "int", "hex"]),
    ) {
        let rules = grants(vec![rule("x", &[&format!("{before}{{h:{kind}}}{after}")])], &[]);
        let got = permit(&rules, "x", &[&format!("{before}{value}{after}")]).is_ok();
        prop_assert_eq!(got, oracle(kind, &value), "{}", value);
    }

    /// No value in any hole makes an argument that begins with `-`, is empty, absolute, climbs, or has a control
    /// character in it.
    #[test]
    fn no_value_becomes_an_option(value in any::<String>(), kind in prop::sample::select(vec!["word", "int", "hex", "path", "text"])) {
        let rules = grants(vec![rule("x", &[&format!("{{h:{kind}}}")])], &[]);
        if let Ok(p) = permit(&rules, "x", &[&value]) {
            let arg = &p.args()[0];
            prop_assert!(!arg.is_empty() && !arg.starts_with('-'));
            prop_assert!(arg.chars().all(|c| !c.is_control()));
            if kind == "path" {
                prop_assert!(!arg.starts_with('/') && arg.split('/').all(|p| p != ".."));
            }
        }
    }

    /// A rule without holes allows its own arguments and no others.
    #[test]
    fn literals_are_exact(
        a in prop::collection::vec("[ -~]{0,5}", 0..4), b in prop::collection::vec("[ -~]{0,5}", 0..4),
    ) {
        let literal: Vec<String> = a.iter().map(|s| s.replace('{', "{{").replace('}', "}}")).collect();
        let mut r = rule("x", &[]);
        r.args = literal;
        prop_assert!(ExecTemplate::parse("x", &r.args).is_ok());
        let rules = grants(vec![r], &[]);
        let authority = ExecAuthority::new(&rules);
        prop_assert!(authority.permit("x", &a, None).is_ok());
        prop_assert_eq!(authority.permit("x", &b, None).is_ok(), a == b);
    }

    /// Different commands have different canonical bytes, however their parts are cut.
    #[test]
    fn canonical_bytes_tell_commands_apart(
        a in prop::collection::vec("[a:1g ]{0,4}", 0..4), b in prop::collection::vec("[a:1g ]{0,4}", 0..4),
    ) {
        let bytes = |args: &[String]| {
            let mut r = rule("x", &[]);
            r.args = args.to_vec();
            let g = grants(vec![r], &[]);
            ExecAuthority::new(&g).permit("x", args, None).unwrap().look().canonical().to_vec()
        };
        prop_assert_eq!(bytes(&a) == bytes(&b), a == b);
    }

    /// Nothing makes parsing or deciding panic, and every message is one line of printable text.
    #[test]
    fn nothing_panics(program in any::<String>(), args in prop::collection::vec(any::<String>(), 0..4), rules in prop::collection::vec(any::<String>(), 0..4)) {
        let _ = ExecTemplate::parse(&program, &rules);
        let mut r = rule("x", &[]);
        r.program = program.clone();
        r.args = rules;
        let _ = exec_warnings(&r);
        let g = grants(vec![r], &["/ws"]);
        if let Err(e) = ExecAuthority::new(&g).permit(&program, &args, args.first().map(String::as_str)) {
            let text = e.to_string();
            prop_assert!(text.chars().all(|c| !c.is_control()), "{:?}", text);
        }
    }
}
