//! Properties of the decision, and what refusals say.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use proptest::prelude::*;
use sandgate_authority::{
    FileRule, GuestPath, HostPath, Layer, Narrowing, OperatorCeiling, Origin, Policy, Refusal,
    Request, resolve,
};
use sandgate_model::{FileGrant, FileMode, Grants, Need, NeedKind};

fn origin(line: u32) -> Origin {
    Origin {
        file: "sandgate.toml".to_owned(),
        line,
    }
}

fn rule(host: &str, guest: &str, mode: FileMode) -> FileRule {
    FileRule {
        host: HostPath::new(host).unwrap(),
        guest: GuestPath::new(guest).unwrap(),
        mode,
        origin: origin(3),
    }
}

fn need(kind: NeedKind, optional: bool) -> Need {
    Need {
        kind,
        reason: "to work".to_owned(),
        optional,
    }
}

fn pick(guest: &str, mode: Option<FileMode>) -> Narrowing {
    Narrowing {
        guest: GuestPath::new(guest).unwrap(),
        mode,
    }
}

fn policy() -> Policy {
    Policy::new(vec![
        rule("notes", "/notes", FileMode::Read),
        rule("out", "/out", FileMode::Write),
    ])
    .unwrap()
}

fn decide(
    needs: &[Need],
    narrowing: Option<&[Narrowing]>,
    policy: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<Grants, Vec<Refusal>> {
    resolve(
        Request {
            who: "task `a`",
            plugin: "p",
            needs,
            narrowing,
        },
        policy,
        operator,
    )
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
fn kinds_that_nobody_enforces_are_refused_or_left_out() {
    for kind in [
        NeedKind::Http,
        NeedKind::Exec,
        NeedKind::Model,
        NeedKind::Secrets,
        NeedKind::Question,
        NeedKind::Budget,
    ] {
        let refusals = decide(&[need(kind, false)], None, &policy(), None).unwrap_err();
        assert_eq!(refusals[0].layer, Layer::Plugin);
        assert!(
            refusals[0]
                .message
                .contains("not available in this version")
        );
        assert_eq!(
            decide(&[need(kind, true)], None, &policy(), None),
            Ok(Grants::default())
        );
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
        files,
        origin: Origin {
            file: "operator.toml".to_owned(),
            line: 2,
        },
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
    let conflict = |a: FileRule, b: FileRule| Policy::new(vec![a, b]).is_err();
    use FileMode::{Read, Write};
    assert!(conflict(rule("a", "/x", Read), rule("b", "/x", Read)));
    assert!(conflict(rule("a", "/x", Read), rule("b", "/x/y", Read)));
    assert!(conflict(rule("a", "/", Read), rule("b", "/y", Read)));
    assert!(conflict(rule("a", "/x", Read), rule("a/b", "/y", Write)));
    assert!(conflict(rule("a", "/x", Write), rule("a", "/y", Read)));
    assert!(!conflict(rule("a", "/x", Read), rule("a/b", "/y", Read)));
    assert!(!conflict(rule("a", "/x", Read), rule("ab", "/xy", Write)));
}

fn mode() -> impl Strategy<Value = FileMode> {
    prop_oneof![Just(FileMode::Read), Just(FileMode::Write)]
}

fn policies() -> impl Strategy<Value = Policy> {
    let hosts = proptest::sample::select(vec!["a", "b", "c/d", "e"]);
    let guests = proptest::sample::select(vec!["/a", "/b", "/c", "/d"]);
    proptest::collection::vec((hosts, guests, mode()), 0..5).prop_map(|rules| {
        let mut kept = Vec::new();
        for (host, guest, mode) in rules {
            kept.push(rule(host, guest, mode));
            if Policy::new(kept.clone()).is_err() {
                kept.pop();
            }
        }
        Policy::new(kept).unwrap()
    })
}

fn needs() -> impl Strategy<Value = Vec<Need>> {
    let kinds = prop_oneof![
        Just(NeedKind::FilesRead),
        Just(NeedKind::FilesWrite),
        Just(NeedKind::Http),
        Just(NeedKind::Budget),
    ];
    proptest::collection::vec(
        (kinds, any::<bool>()).prop_map(|(kind, optional)| need(kind, optional)),
        0..4,
    )
}

fn narrowings() -> impl Strategy<Value = Option<Vec<Narrowing>>> {
    let guests = proptest::sample::select(vec!["/a", "/b", "/c/x", "/d", "/other"]);
    let one = (guests, proptest::option::of(mode())).prop_map(|(guest, mode)| pick(guest, mode));
    proptest::option::of(proptest::collection::vec(one, 0..4))
}

fn ceilings() -> impl Strategy<Value = Option<OperatorCeiling>> {
    proptest::option::of(
        proptest::option::of(mode()).prop_map(|files| OperatorCeiling {
            files,
            origin: origin(1),
        }),
    )
}

proptest! {
    #[test]
    fn a_grant_never_exceeds_any_layer(
        needs in needs(), narrowing in narrowings(), policy in policies(), operator in ceilings(),
    ) {
        let Ok(grants) = decide(&needs, narrowing.as_deref(), &policy, operator.as_ref()) else { return Ok(()) };
        for grant in &grants.files {
            let guest = GuestPath::new(&grant.guest).unwrap();
            let host = HostPath::new(&grant.host).unwrap();
            // Plugin.
            let kind = match grant.mode {
                FileMode::Write => NeedKind::FilesWrite,
                FileMode::Read => NeedKind::FilesRead,
            };
            prop_assert!(needs.iter().any(|n| n.kind == kind));
            // Project.
            let offered = policy
                .files()
                .iter()
                .any(|r| r.guest.contains(&guest) && r.host.contains(&host) && r.mode >= grant.mode);
            prop_assert!(offered);
            // Task.
            if let Some(picks) = &narrowing {
                prop_assert!(picks.iter().any(|p| p.guest == guest && p.mode.is_none_or(|m| m >= grant.mode)));
            }
            // Operator.
            if let Some(ceiling) = &operator {
                prop_assert!(ceiling.files >= Some(grant.mode));
            }
        }
    }

    #[test]
    fn narrowing_never_adds(
        needs in needs(), narrowing in narrowings(), policy in policies(), operator in ceilings(),
    ) {
        let open = decide(&needs, None, &policy, operator.as_ref());
        let narrow = decide(&needs, narrowing.as_deref(), &policy, operator.as_ref());
        if let Ok(narrow) = narrow {
            // What may be done narrowed may be done open: narrowing cannot turn a refusal into a grant.
            let open = open.unwrap();
            for grant in &narrow.files {
                let guest = GuestPath::new(&grant.guest).unwrap();
                let inside = |g: &FileGrant| GuestPath::new(&g.guest).unwrap().contains(&guest);
                prop_assert!(open.files.iter().any(|g| inside(g) && g.mode >= grant.mode));
            }
        }
    }

    #[test]
    fn a_lower_ceiling_never_adds(needs in needs(), narrowing in narrowings(), policy in policies()) {
        let at = |files| decide(&needs, narrowing.as_deref(), &policy, Some(&OperatorCeiling { files, origin: origin(1) }));
        let (none, read, write) = (at(None), at(Some(FileMode::Read)), at(Some(FileMode::Write)));
        if let Ok(grants) = none {
            prop_assert!(grants.files.is_empty());
        }
        if let Ok(read) = read {
            let write = write.unwrap();
            for grant in &read.files {
                prop_assert!(write.files.iter().any(|g| g.guest == grant.guest && g.mode >= grant.mode));
            }
        }
    }

    #[test]
    fn what_was_granted_can_be_granted_again(
        needs in needs(), narrowing in narrowings(), policy in policies(), operator in ceilings(),
    ) {
        let Ok(first) = decide(&needs, narrowing.as_deref(), &policy, operator.as_ref()) else { return Ok(()) };
        // The grants, taken as a narrowing, give the same grants.
        let again: Vec<Narrowing> = first.files.iter().map(|g| pick(&g.guest, Some(g.mode))).collect();
        let second = decide(&needs, Some(&again), &policy, operator.as_ref());
        prop_assert_eq!(second, Ok(first));
    }
}
