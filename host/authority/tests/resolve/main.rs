//! Properties of the decision, and what refusals say.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod layers;
#[path = "../support/mod.rs"]
mod support;

use sandgate_authority::{
    ChargeRule, FilePick, Layer, Narrowing, OperatorCeiling, Policy, PolicyRules, Refusal, Request,
    Resolution, Rule, RuleField, authority_lines, grants, narrows, plugin_lines, resolve,
};
use sandgate_model::{
    ExecGrant, FileGrant, FileMode, Grants, ModelGrant, Need, NeedKind, SecretGrant, SecretTarget,
    Workspace,
};
use support::{at, exec, file, guest, http, http_pick, need, origin, secret};

fn pick(path: &str, mode: Option<FileMode>) -> FilePick {
    FilePick {
        guest: guest(path),
        mode,
    }
}

fn only_files(files: Vec<Rule<sandgate_authority::FileScope>>) -> Policy {
    Policy::new(PolicyRules {
        files,
        ..PolicyRules::default()
    })
    .unwrap()
}

fn policy() -> Policy {
    only_files(vec![
        file("notes", "/notes", FileMode::Read),
        file("out", "/out", FileMode::Write),
    ])
}

/// A project that offers something of every kind.
fn rich() -> Policy {
    Policy::new(PolicyRules {
        files: vec![
            file("notes", "/notes", FileMode::Read),
            file("out", "/out", FileMode::Write),
            file(".", "/project", FileMode::Write),
        ],
        http: vec![at(10, http("api.example.com", "/v1/*", &["GET", "POST"]))],
        http_denied: vec![at(
            11,
            http("api.example.com", "/v1/admin/*", &["GET", "POST"]),
        )],
        exec: vec![
            at(12, exec("test", "cargo")),
            at(
                13,
                ExecGrant {
                    secrets: vec!["TOKEN".to_owned()],
                    cwd: Some("/out".to_owned()),
                    ..exec("publish", "cargo")
                },
            ),
        ],
        model: vec![at(
            14,
            ModelGrant {
                provider: "local".to_owned(),
                models: vec!["small".to_owned(), "large".to_owned()],
                approval: false,
            },
        )],
        secrets: vec![
            at(
                15,
                secret(
                    "API",
                    SecretTarget::Origin("https://api.example.com".to_owned()),
                ),
            ),
            at(
                16,
                secret("TOKEN", SecretTarget::Exec("publish".to_owned())),
            ),
            at(
                17,
                secret("KEY", SecretTarget::Provider("local".to_owned())),
            ),
        ],
        charge: Some(at(18, ChargeRule::default())),
        question: Some(origin(19)),
    })
    .unwrap()
}

const ALL: [NeedKind; 8] = [
    NeedKind::FilesRead,
    NeedKind::FilesWrite,
    NeedKind::Http,
    NeedKind::Exec,
    NeedKind::Model,
    NeedKind::Secrets,
    NeedKind::Budget,
    NeedKind::Question,
];

fn all_needs() -> Vec<Need> {
    ALL.iter().map(|k| need(*k, false)).collect()
}

fn ask(
    needs: &[Need],
    narrowing: &Narrowing,
    policy: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<Resolution, Vec<Refusal>> {
    let request = Request {
        who: "task `a`",
        plugin: "p",
        needs,
        narrowing,
    };
    let found = resolve(request, policy, operator);
    let only = grants(request, policy, operator);
    assert_eq!(found.as_ref().map(|f| &f.grants), only.as_ref());
    found
}

fn decide(
    needs: &[Need],
    files: Option<&[FilePick]>,
    policy: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<Grants, Vec<Refusal>> {
    let narrowing = Narrowing {
        files: files.map(<[FilePick]>::to_vec),
        ..Narrowing::default()
    };
    ask(needs, &narrowing, policy, operator).map(|r| r.grants)
}

#[test]
fn a_plugin_that_asks_for_nothing_gets_nothing() {
    assert_eq!(decide(&[], None, &policy(), None), Ok(Grants::default()));
}

#[test]
fn asking_to_read_does_not_give_write() {
    let grants = decide(&[need(NeedKind::FilesRead, false)], None, &policy(), None).unwrap();
    assert!(!grants.outside_effect());
    assert_eq!(grants.files.len(), 2);
}

#[test]
fn asking_to_write_does_not_give_read_only_directories() {
    let grants = decide(&[need(NeedKind::FilesWrite, false)], None, &policy(), None).unwrap();
    assert_eq!(grants.files.len(), 1);
    assert_eq!(grants.files[0].guest, "/out");
}

#[test]
fn what_has_to_be_approved_is_not_picked_away() {
    let strict = |mut command: ExecGrant| {
        command.approval = true;
        command
    };
    let mut rules = rich().into_rules();
    let run = |name: &str, arg: &str| ExecGrant {
        args: vec!["run".to_owned(), arg.to_owned()],
        ..exec(name, "npm")
    };
    rules.exec = vec![
        at(1, run("any", "{script:word}")),
        at(2, strict(run("publish", "publish"))),
        at(3, run("tests", "test")),
    ];
    rules.secrets.clear();
    rules.http[0].grant.path = "/v1/*".to_owned();
    rules.http_denied.clear();
    let mut asks = http("api.example.com", "/v1/pay/*", &["POST"]);
    asks.approval = true;
    rules.http.push(at(11, asks));
    let policy = Policy::new(rules).unwrap();
    let narrowing = Narrowing {
        exec: Some(vec!["any".to_owned(), "tests".to_owned()]),
        http: Some(vec![http_pick("api.example.com", "/v1/*")]),
        ..Narrowing::default()
    };
    let needs = [need(NeedKind::Exec, false), need(NeedKind::Http, false)];
    let grants = ask(&needs, &narrowing, &policy, None).unwrap().grants;
    let asking: Vec<(&str, bool)> = grants
        .exec
        .iter()
        .map(|e| (e.name.as_str(), e.approval))
        .collect();
    assert_eq!(asking, [("any", true), ("tests", false)]);
    assert!(
        grants
            .http
            .iter()
            .any(|h| h.approval && h.path == "/v1/pay/*")
    );
    // Nor by a plan that is made again.
    let all = ask(&needs, &Narrowing::default(), &policy, None)
        .unwrap()
        .grants;
    let mut free = all.clone();
    free.exec.retain(|e| e.name != "publish");
    let refusals = narrows("task `a`", &free, &[&all]).unwrap_err();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].message.contains("`any`"), "{refusals:?}");
    assert_eq!(narrows("task `a`", &grants, &[&all]), Ok(()));
}

#[test]
fn charges_and_questions() {
    let mut rules = rich().into_rules();
    rules.charge = Some(at(18, ChargeRule { approval: true }));
    let policy = Policy::new(rules.clone()).unwrap();
    let needs = [need(NeedKind::Budget, true), need(NeedKind::Question, true)];
    let narrowing = Narrowing::default();
    let found = ask(&needs, &narrowing, &policy, None).unwrap();
    let grants = found.grants;
    assert!(grants.budget && grants.budget_approval && grants.question);
    assert_eq!(
        authority_lines(&grants),
        ["ask a person", "charge the budget (approval)"]
    );
    let freely = ask(&needs, &narrowing, &rich(), None).unwrap().grants;
    assert!(freely.budget && !freely.budget_approval);
    assert_eq!(narrows("t", &grants, &[&freely]), Ok(()));
    assert_eq!(narrows("t", &freely, &[&grants]).unwrap_err().len(), 1);
    let silent = Grants {
        question: false,
        ..grants.clone()
    };
    let refusals = narrows("t", &grants, &[&silent]).unwrap_err();
    assert_eq!(refusals[0].kind, Some(NeedKind::Question));

    // Every layer can say no, and the refusal names the line.
    let no = Narrowing {
        question: Some(false),
        ..Narrowing::default()
    };
    let refusals = ask(&[need(NeedKind::Question, false)], &no, &policy, None).unwrap_err();
    assert_eq!(refusals[0].layer, Layer::Task);
    rules.question = None;
    let policy = Policy::new(rules).unwrap();
    let refusals = decide(&[need(NeedKind::Question, false)], None, &policy, None).unwrap_err();
    assert_eq!(
        refusals[0].allow.as_deref(),
        Some("in sandgate.toml, under [policy]: question = true")
    );
    let yes = Narrowing {
        question: Some(true),
        ..Narrowing::default()
    };
    let refusals = ask(&[need(NeedKind::Question, true)], &yes, &policy, None).unwrap_err();
    assert_eq!(
        refusals[0].message,
        "task `a` wants to ask people, which the project does not allow"
    );
}

#[test]
fn every_kind_is_granted_to_who_asks_for_it_and_nobody_else() {
    for kind in ALL {
        // A command that starts in a directory needs the directory, one with secrets the secrets.
        let found = ask(&[need(kind, true)], &Narrowing::default(), &rich(), None).unwrap();
        let lines = authority_lines(&found.grants);
        let words: Vec<&str> = match kind {
            NeedKind::FilesRead => vec!["files-read"],
            NeedKind::FilesWrite => vec!["files-write"],
            NeedKind::Http => vec!["http", "deny"],
            NeedKind::Exec => vec!["exec"],
            NeedKind::Model => vec!["model", "secret"],
            NeedKind::Secrets => vec![],
            NeedKind::Question => vec!["ask"],
            NeedKind::Budget => vec!["charge"],
        };
        for line in &lines {
            assert!(
                words.contains(&line.split(' ').next().unwrap()),
                "{kind:?}: {line}"
            );
        }
        assert_eq!(lines.is_empty(), words.is_empty(), "{kind:?}: {lines:?}");
        // Every line says where it comes from, every rule that gives nothing says why.
        for source in &found.sources {
            assert!(source.origin.is_some(), "{source:?}");
        }
        assert!(!found.denied.is_empty());
    }
}

#[test]
fn everything_at_once_reads_like_the_policy() {
    let narrowing = Narrowing {
        workspace: Workspace::Worktree,
        merge: true,
        ..Narrowing::default()
    };
    let found = ask(&all_needs(), &narrowing, &rich(), None).unwrap();
    let lines: Vec<String> = found
        .sources
        .iter()
        .map(|s| match &s.origin {
            Some(o) => format!("{} @{}", s.text, o.line),
            None => s.text.clone(),
        })
        .collect();
    assert_eq!(
        lines,
        [
            "ask a person @19",
            "charge the budget @18",
            "deny http GET,POST https://api.example.com/v1/admin/* @11",
            "exec publish secret TOKEN @13",
            "exec publish: cargo run in /out @13",
            "exec test: cargo run @12",
            "files-read /notes @3",
            "files-write /out @3",
            "files-write /project from . @3",
            "http GET https://api.example.com/v1/* @10",
            "http POST https://api.example.com/v1/* @10",
            "merge into the run's branch",
            "model local/large @14",
            "model local/small @14",
            "secret API -> https://api.example.com @15",
            "secret KEY -> provider:local @17",
            "secret TOKEN -> exec:publish @16",
            "workspace worktree",
        ]
    );
    assert_eq!(found.denied, []);
    // What people accept is the same without what only a task decides.
    let mut most = lines;
    most.retain(|l| !l.starts_with("merge") && !l.starts_with("workspace"));
    let most: Vec<&str> = most
        .iter()
        .filter_map(|l| l.split_once(" @").map(|p| p.0))
        .collect();
    assert_eq!(plugin_lines(&all_needs(), &rich(), None), most);
}

#[test]
fn the_projects_own_directory_is_given_only_as_a_copy() {
    let needs = [need(NeedKind::FilesWrite, false)];
    let policy = only_files(vec![file(".", "/project", FileMode::Write)]);
    for (workspace, granted) in [
        (Workspace::None, false),
        (Workspace::Shared, false),
        (Workspace::Clone, true),
        (Workspace::Worktree, true),
    ] {
        for picks in [
            None,
            Some(vec![pick("/project", None)]),
            Some(vec![pick("/project/src", None)]),
        ] {
            let narrowing = Narrowing {
                workspace,
                files: picks,
                ..Narrowing::default()
            };
            let found = ask(&needs, &narrowing, &policy, None);
            assert_eq!(found.is_ok(), granted, "{workspace:?} {found:?}");
            if let Err(refusals) = found {
                assert_eq!(refusals[0].layer, Layer::Task);
                let line = refusals[0].allow.as_deref().unwrap();
                assert!(line.contains("workspace = "), "{refusals:?}");
            }
        }
    }
}

#[test]
fn what_a_task_picks_and_the_project_lacks_is_a_mistake() {
    let names: [Narrowing; 6] = [
        Narrowing {
            http: Some(vec![http_pick("api.example.com", "/v2/*")]),
            ..Narrowing::default()
        },
        Narrowing {
            http: Some(vec![http_pick("api.example.com", "/*")]),
            ..Narrowing::default()
        },
        Narrowing {
            exec: Some(vec!["deploy".to_owned()]),
            ..Narrowing::default()
        },
        Narrowing {
            model: Some(vec![sandgate_authority::ModelPick {
                provider: "local".to_owned(),
                model: "huge".to_owned(),
            }]),
            ..Narrowing::default()
        },
        Narrowing {
            secrets: Some(vec!["OTHER".to_owned()]),
            ..Narrowing::default()
        },
        Narrowing {
            secrets: Some(vec!["KEY".to_owned()]),
            ..Narrowing::default()
        },
    ];
    for narrowing in names {
        let refusals = ask(&all_needs(), &narrowing, &rich(), None).unwrap_err();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0].layer, Layer::Project);
        assert!(
            refusals[0]
                .allow
                .as_deref()
                .unwrap()
                .contains("in sandgate.toml, under [policy]: ")
        );
    }
    let denied = Narrowing {
        http: Some(vec![http_pick("api.example.com", "/v1/admin/x")]),
        ..Narrowing::default()
    };
    let refusals = ask(&all_needs(), &denied, &rich(), None).unwrap_err();
    assert_eq!(refusals[0].origin, Some(origin(11)), "{refusals:?}");
}

#[test]
fn a_rule_that_is_denied_whole_offers_nothing() {
    let mut rules = rich().into_rules();
    rules.http_denied = vec![at(11, http("api.example.com", "/*", &["GET", "POST"]))];
    let policy = Policy::new(rules).unwrap();
    let refusals = decide(&[need(NeedKind::Http, false)], None, &policy, None).unwrap_err();
    assert_eq!(refusals[0].layer, Layer::Project);
    assert_eq!(refusals[0].origin, Some(origin(11)), "{refusals:?}");
}

#[test]
fn approvals_and_denials_hold_in_a_plan_that_is_made_again() {
    let all = ask(&all_needs(), &Narrowing::default(), &rich(), None)
        .unwrap()
        .grants;
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Grants));
    let wider: [Change<'_>; 7] = [
        ("denial", &|g| g.http_denied.clear()),
        ("private", &|g| g.http[0].private = true),
        ("redirects", &|g| g.http[0].redirects = 1),
        ("network", &|g| g.exec[0].network = true),
        ("another argument", &|g| {
            g.exec[0].args.push("--force".to_owned())
        }),
        ("merge", &|g| g.merge = true),
        ("a model", &|g| g.model[0].models.push("huge".to_owned())),
    ];
    for (what, change) in wider {
        let mut new = all.clone();
        change(&mut new);
        let refusals = narrows("task `a`", &new, &[&all]).unwrap_err();
        assert!(
            refusals[0].message.starts_with("task `a` would get"),
            "{what}: {refusals:?}"
        );
        assert_eq!(narrows("task `a`", &all, &[&all]), Ok(()), "{what}");
    }
    // What had to be approved has to be approved again; the other way round is narrower.
    let mut approved = all.clone();
    approved.exec.iter_mut().for_each(|e| e.approval = true);
    approved.http.iter_mut().for_each(|h| h.approval = true);
    approved.model.iter_mut().for_each(|m| m.approval = true);
    assert_eq!(
        narrows("t", &all, &[&approved]).unwrap_err().len(),
        2 + 2 + 2
    );
    assert_eq!(narrows("t", &approved, &[&all]), Ok(()));
    // A stricter rule beside a free one counts, too.
    let mut both = all.clone();
    both.model.extend(approved.model.clone());
    both.http.extend(approved.http.clone());
    assert_eq!(narrows("t", &all, &[&both]).unwrap_err().len(), 2 + 2);
    // A write into a copy is less than a write into the project, not more.
    let mut copy = all.clone();
    copy.workspace = Workspace::Clone;
    assert_eq!(narrows("t", &copy, &[&all]), Ok(()));
    assert_eq!(narrows("t", &all, &[&copy]).unwrap_err().len(), 1);
}
