//! Policies, narrowings and ceilings by chance.

use super::*;

pub(crate) fn mode() -> impl Strategy<Value = FileMode> {
    select(vec![FileMode::Read, FileMode::Write])
}

pub(crate) fn some_of<T: Clone + std::fmt::Debug + 'static>(
    all: Vec<T>,
) -> impl Strategy<Value = Vec<T>> {
    let most = all.len();
    proptest::sample::subsequence(all, 0..=most)
}

pub(crate) fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|s| (*s).to_owned()).collect()
}

pub(crate) fn patterns() -> impl Strategy<Value = &'static str> {
    select(vec!["/*", "/v1*", "/v1/*", "/v1/admin/*", "/v1/a", "/v2/*"])
}

pub(crate) fn http_rules() -> impl Strategy<Value = Vec<HttpGrant>> {
    let one = (
        select(HOSTS.to_vec()),
        patterns(),
        proptest::sample::subsequence(METHODS.to_vec(), 1..=METHODS.len()),
        any::<bool>(),
        proptest::bool::weighted(0.25),
    )
        .prop_map(|(h, p, m, private, approval)| HttpGrant {
            private,
            approval,
            ..http(h, p, &m)
        });
    proptest::collection::vec(one, 0..4)
}

pub(crate) fn commands() -> impl Strategy<Value = Vec<ExecGrant>> {
    let one = (
        select(PROGRAMS.to_vec()),
        any::<bool>(),
        any::<bool>(),
        some_of(strings(&SECRETS)),
        proptest::bool::weighted(0.25),
    );
    proptest::collection::vec(one, COMMANDS.len()).prop_flat_map(|all| {
        let rules: Vec<ExecGrant> = COMMANDS
            .iter()
            .zip(all)
            .map(
                |(name, (program, network, cwd, secrets, approval))| ExecGrant {
                    approval,
                    network,
                    cwd: cwd.then(|| "/a".to_owned()),
                    secrets,
                    ..exec(name, program)
                },
            )
            .collect();
        some_of(rules)
    })
}

pub(crate) fn rules() -> impl Strategy<Value = PolicyRules> {
    let files = [
        ("a", "/a"),
        ("b", "/b"),
        ("b/sub", "/sub"),
        ("c", "/c"),
        (".", "/project"),
    ];
    let files = (
        some_of(files.to_vec()),
        proptest::collection::vec(mode(), 5),
    );
    let models = proptest::collection::vec(
        (
            select(PROVIDERS.to_vec()),
            some_of(vec!["*".to_owned(), "small".to_owned(), "large".to_owned()]),
            proptest::bool::weighted(0.25),
        ),
        0..3,
    );
    let bound = some_of(
        SECRETS
            .iter()
            .flat_map(|s| targets().into_iter().map(|t| (*s, t)))
            .filter(|(_, t)| !matches!(t, SecretTarget::Exec(_)))
            .collect(),
    );
    (
        files,
        http_rules(),
        http_rules(),
        commands(),
        models,
        bound,
        (any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |(
                (files, modes),
                http,
                denied,
                commands,
                models,
                bound,
                (charge, approval, question),
            )| {
                let mut kept: Vec<_> = Vec::new();
                for ((host, path), mode) in files.into_iter().zip(modes) {
                    kept.push(file(host, path, mode));
                    let alone = PolicyRules {
                        files: kept.clone(),
                        ..PolicyRules::default()
                    };
                    if Policy::new(alone).is_err() {
                        kept.pop();
                    }
                }
                let has_a = kept.iter().any(|r| r.grant.guest.as_str() == "/a");
                let exec: Vec<_> = commands
                    .into_iter()
                    .map(|mut c| {
                        c.cwd = c.cwd.filter(|_| has_a);
                        at(5, c)
                    })
                    .collect();
                let of_commands = exec.iter().flat_map(|c| {
                    let to = SecretTarget::Exec(c.grant.name.clone());
                    c.grant.secrets.iter().map(move |s| secret(s, to.clone()))
                });
                let secrets: Vec<_> = of_commands
                    .chain(bound.into_iter().map(|(s, t)| secret(s, t)))
                    .map(|s| at(7, s))
                    .collect();
                PolicyRules {
                    files: kept,
                    http: http.into_iter().map(|h| at(3, h)).collect(),
                    http_denied: denied
                        .into_iter()
                        .map(|h| {
                            at(
                                4,
                                HttpGrant {
                                    private: false,
                                    approval: false,
                                    ..h
                                },
                            )
                        })
                        .collect(),
                    exec,
                    model: models
                        .into_iter()
                        .map(|(p, m, approval)| {
                            at(
                                6,
                                ModelGrant {
                                    provider: p.to_owned(),
                                    models: m,
                                    approval,
                                },
                            )
                        })
                        .collect(),
                    secrets,
                    charge: charge.then(|| at(8, ChargeRule { approval })),
                    question: question.then(|| support::origin(9)),
                }
            },
        )
}

pub(crate) fn narrowings() -> impl Strategy<Value = Narrowing> {
    use proptest::option::of;
    let workspace = select(vec![
        Workspace::None,
        Workspace::Shared,
        Workspace::Clone,
        Workspace::Worktree,
    ]);
    let files = proptest::collection::vec(
        (
            select(vec!["/a", "/b", "/b/sub", "/c", "/project"]),
            of(mode()),
        ),
        0..3,
    );
    let requests = proptest::collection::vec((select(HOSTS.to_vec()), patterns()), 0..3);
    let models = proptest::collection::vec(
        (
            select(PROVIDERS.to_vec()),
            select(vec!["*", "small", "large"]),
        ),
        0..3,
    );
    (
        workspace,
        of(files),
        of(requests),
        of(some_of(strings(&COMMANDS))),
        of(models),
        of(some_of(strings(&SECRETS))),
        (of(any::<bool>()), of(any::<bool>())),
    )
        .prop_map(
            |(workspace, files, requests, exec, models, secrets, (charge, question))| Narrowing {
                workspace,
                merge: false,
                files: files.map(|f| {
                    f.into_iter()
                        .map(|(g, mode)| FilePick {
                            guest: guest(g),
                            mode,
                        })
                        .collect()
                }),
                http: requests.map(|r| r.into_iter().map(|(h, p)| http_pick(h, p)).collect()),
                exec,
                model: models.map(|m| {
                    m.into_iter()
                        .map(|(p, m)| ModelPick {
                            provider: p.to_owned(),
                            model: m.to_owned(),
                        })
                        .collect()
                }),
                secrets,
                charge,
                question,
            },
        )
}

pub(crate) fn ceilings() -> impl Strategy<Value = Option<OperatorCeiling>> {
    use proptest::option::{of, weighted};
    let urls = (select(HOSTS.to_vec()), patterns()).prop_map(|(h, p)| http(h, p, &[]));
    (
        of(of(mode())),
        weighted(0.3, proptest::collection::vec(urls, 0..4)),
        of(any::<bool>()),
        weighted(0.3, some_of(strings(&PROGRAMS))),
        weighted(0.3, any::<bool>()),
        weighted(0.3, some_of(strings(&PROVIDERS))),
        weighted(0.3, some_of(strings(&SECRETS))),
        (of(any::<bool>()), of(any::<bool>())),
    )
        .prop_map(
            |(files, http, private, exec, network, model, secrets, (charge, question))| {
                OperatorCeiling {
                    files: files.map(|f| at(1, f)),
                    http: http.map(|h| at(1, h)),
                    private: private.map(|p| at(1, p)),
                    exec: exec.map(|e| at(1, e)),
                    network_commands: network.map(|n| at(1, n)),
                    model: model.map(|m| at(1, m)),
                    secrets: secrets.map(|s| at(1, s)),
                    charge: charge.map(|c| at(1, c)),
                    question: question.map(|c| at(1, c)),
                }
            },
        )
        .prop_flat_map(|c| of(Just(c)))
}

pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let kinds = vec![
        NeedKind::FilesRead,
        NeedKind::FilesWrite,
        NeedKind::Http,
        NeedKind::Exec,
        NeedKind::Model,
        NeedKind::Secrets,
        NeedKind::Budget,
        NeedKind::Question,
    ];
    let needs = some_of(kinds).prop_map(|k| k.into_iter().map(|k| need(k, true)).collect());
    // Half of the tasks pick nothing, or most would be refused for a pick that nobody offers.
    let narrowing = prop_oneof![
        select(vec![Workspace::Shared, Workspace::Clone]).prop_map(|workspace| Narrowing {
            workspace,
            ..Narrowing::default()
        }),
        narrowings(),
    ];
    (needs, rules(), narrowing, ceilings()).prop_map(|(needs, rules, narrowing, operator)| World {
        needs,
        rules,
        narrowing,
        operator,
    })
}
