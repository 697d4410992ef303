//! Who has the last word, and which rules make no policy.

use super::*;

#[test]
fn the_operator_has_the_last_word_in_every_kind() {
    let rule = |grant: bool| {
        Some(Rule {
            grant,
            origin: origin(2),
        })
    };
    let none = || {
        Some(Rule {
            grant: Vec::new(),
            origin: origin(2),
        })
    };
    let ceilings = [
        (
            NeedKind::FilesRead,
            OperatorCeiling {
                files: Some(Rule {
                    grant: None,
                    origin: origin(2),
                }),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Http,
            OperatorCeiling {
                http: Some(Rule {
                    grant: vec![],
                    origin: origin(2),
                }),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Exec,
            OperatorCeiling {
                exec: none(),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Model,
            OperatorCeiling {
                model: none(),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Model,
            OperatorCeiling {
                secrets: none(),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Secrets,
            OperatorCeiling {
                secrets: none(),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Budget,
            OperatorCeiling {
                charge: rule(false),
                ..OperatorCeiling::default()
            },
        ),
        (
            NeedKind::Question,
            OperatorCeiling {
                question: rule(false),
                ..OperatorCeiling::default()
            },
        ),
    ];
    for (kind, ceiling) in ceilings {
        let refusals = ask(
            &[need(kind, false)],
            &Narrowing::default(),
            &rich(),
            Some(&ceiling),
        )
        .unwrap_err();
        let [refusal] = refusals.as_slice() else {
            panic!("{refusals:?}")
        };
        assert_eq!((refusal.layer, refusal.kind), (Layer::Operator, Some(kind)));
        assert!(
            refusal
                .allow
                .as_deref()
                .unwrap()
                .starts_with("in the operator's file"),
            "{refusal:?}"
        );
        assert_eq!(refusal.origin, Some(origin(2)));
    }
}

#[test]
fn a_narrowing_can_pick_a_directory_inside() {
    let picks = [pick("/out/2026", Some(FileMode::Read))];
    let needs = [need(NeedKind::FilesRead, false)];
    let grants = decide(&needs, Some(&picks), &policy(), None).unwrap();
    let inside = FileGrant {
        host: "out/2026".to_owned(),
        guest: "/out/2026".to_owned(),
        mode: FileMode::Read,
    };
    assert_eq!(grants.files, [inside]);
}

#[test]
fn the_state_directory_cannot_be_reached_through_a_narrowing() {
    let picks = [pick("/out/.sandgate", None)];
    let refusals = decide(
        &[need(NeedKind::FilesRead, false)],
        Some(&picks),
        &policy(),
        None,
    )
    .unwrap_err();
    assert!(refusals[0].message.contains(".sandgate"), "{refusals:?}");
}

#[test]
fn each_layer_is_named_with_the_line_that_would_allow_it() {
    let write = [need(NeedKind::FilesWrite, false)];
    let read = [need(NeedKind::FilesRead, false)];
    let empty = Policy::default();
    let ceiling = |files| OperatorCeiling {
        files: Some(Rule {
            grant: files,
            origin: sandgate_authority::Origin {
                file: "operator.toml".to_owned(),
                line: 2,
            },
        }),
        ..OperatorCeiling::default()
    };

    let project = decide(&read, None, &empty, None).unwrap_err();
    assert_eq!(project[0].layer, Layer::Project);
    assert!(
        project[0]
            .allow
            .as_deref()
            .unwrap()
            .contains("mode = \"read\"")
    );

    let task = decide(&read, Some(&[]), &policy(), None).unwrap_err();
    assert_eq!(task[0].layer, Layer::Task);

    let operator = decide(
        &write,
        None,
        &policy(),
        Some(&ceiling(Some(FileMode::Read))),
    )
    .unwrap_err();
    assert_eq!(operator[0].layer, Layer::Operator);
    assert_eq!(operator[0].origin.as_ref().unwrap().file, "operator.toml");
    assert!(
        operator[0]
            .allow
            .as_deref()
            .unwrap()
            .contains("files = \"write\"")
    );

    let outside = decide(&read, Some(&[pick("/etc", None)]), &policy(), None).unwrap_err();
    assert_eq!(outside[0].layer, Layer::Project);
    let upgrade = decide(
        &write,
        Some(&[pick("/notes", Some(FileMode::Write))]),
        &policy(),
        None,
    )
    .unwrap_err();
    assert_eq!(upgrade[0].layer, Layer::Project);
    assert_eq!(upgrade[0].origin, Some(origin(3)));
}

#[test]
fn rules_that_contradict_each_other_make_no_policy() {
    use FileMode::{Read, Write};
    let conflict = |a, b| {
        Policy::new(PolicyRules {
            files: vec![a, b],
            ..PolicyRules::default()
        })
        .is_err()
    };
    assert!(conflict(file("a", "/x", Read), file("b", "/x", Read)));
    assert!(conflict(file("a", "/x", Read), file("b", "/x/y", Read)));
    assert!(conflict(file("a", "/", Read), file("b", "/y", Read)));
    assert!(conflict(file("a", "/x", Read), file("a/b", "/y", Write)));
    assert!(conflict(file("a", "/x", Write), file("a", "/y", Read)));
    assert!(!conflict(file("a", "/x", Read), file("a/b", "/y", Read)));
    assert!(!conflict(file("a", "/x", Read), file("ab", "/xy", Write)));
    assert!(!conflict(file("a", "/x", Read), file(".", "/y", Write)));
}

#[test]
fn rules_that_refer_to_nothing_make_no_policy() {
    let fields = |change: &dyn Fn(&mut PolicyRules)| -> Vec<RuleField> {
        let mut rules = rich().into_rules();
        change(&mut rules);
        match Policy::new(rules) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|p| p.field).collect(),
        }
    };
    assert_eq!(fields(&|_| {}), []);
    // Each side of a secret of a command has to name the other.
    assert_eq!(fields(&|r| drop(r.secrets.remove(1))), [RuleField::Secrets]);
    assert_eq!(
        fields(&|r| r.exec[1].grant.secrets.clear()),
        [RuleField::To]
    );
    assert_eq!(fields(&|r| drop(r.exec.remove(1))), [RuleField::To]);
    assert_eq!(
        fields(&|r| r.secrets[1].grant = SecretGrant {
            name: "TOKEN".to_owned(),
            to: SecretTarget::Provider("local".to_owned())
        }),
        [RuleField::Secrets]
    );
    assert_eq!(
        fields(&|r| r.exec[1].grant.name = "test".to_owned()),
        [RuleField::Name, RuleField::Secrets, RuleField::To]
    );
    assert_eq!(
        fields(&|r| r.exec[1].grant.cwd = Some("/etc".to_owned())),
        [RuleField::Cwd]
    );
    assert_eq!(
        fields(&|r| r.secrets.push(r.secrets[0].clone())),
        [RuleField::Name]
    );
}
