//! Properties of the decision, against an oracle that knows only what single actions mean.
//!
//! The oracle decides one action at a time, from the rules as they are written, on a universe of a few thousand actions.
//! What the grants allow has to be exactly that. A broken step in the resolution is found by the first property.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use proptest::{prelude::*, sample::select};
use sandgate_authority::{
    FilePick, ModelPick, Narrowing, OperatorCeiling, Policy, PolicyRules, Request, authority_lines,
    narrows, plugin_lines, resolve,
};
use sandgate_model::{
    ExecGrant, FileMode, Grants, HttpGrant, ModelGrant, Need, NeedKind, SecretTarget, Workspace,
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};
use support::{at, exec, file, guest, http, http_pick, need, secret};

const HOSTS: [&str; 2] = ["a.example", "b.example"];
const PATHS: [&str; 6] = ["/", "/v1", "/v1/", "/v1/a", "/v1/admin/x", "/v2/x"];
const METHODS: [&str; 2] = ["GET", "POST"];
const COMMANDS: [&str; 3] = ["test", "build", "push"];
const PROGRAMS: [&str; 2] = ["cargo", "git"];
const PROVIDERS: [&str; 2] = ["local", "far"];
const MODELS: [&str; 2] = ["small", "large"];
const SECRETS: [&str; 2] = ["KEY", "TOKEN"];
/// Files of the project, by directory of the host.
const FILES: [&str; 5] = ["a/f", "b/f", "b/sub/f", "c/f", "top"];

/// One thing that may be done.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Action {
    File(&'static str, FileMode),
    Request(&'static str, &'static str, &'static str),
    Private(&'static str),
    Run(&'static str),
    Generate(&'static str, &'static str),
    Secret(&'static str, SecretTarget),
    Charge,
}

fn targets() -> Vec<SecretTarget> {
    let origins = HOSTS.map(|h| SecretTarget::Origin(format!("https://{h}")));
    let commands = COMMANDS.map(|c| SecretTarget::Exec(c.to_owned()));
    let providers = PROVIDERS.map(|p| SecretTarget::Provider(p.to_owned()));
    origins
        .into_iter()
        .chain(commands)
        .chain(providers)
        .collect()
}

fn universe() -> Vec<Action> {
    let mut all = vec![Action::Charge];
    for f in FILES {
        all.extend([
            Action::File(f, FileMode::Read),
            Action::File(f, FileMode::Write),
        ]);
    }
    for h in HOSTS {
        all.push(Action::Private(h));
        for p in PATHS {
            all.extend(METHODS.map(|m| Action::Request(h, p, m)));
        }
    }
    all.extend(COMMANDS.map(Action::Run));
    for p in PROVIDERS {
        all.extend(MODELS.map(|m| Action::Generate(p, m)));
    }
    for s in SECRETS {
        all.extend(targets().into_iter().map(|t| Action::Secret(s, t)));
    }
    all
}

fn fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}

fn inside(dir: &str, path: &str) -> bool {
    dir == "." || path == dir || path.starts_with(&format!("{dir}/"))
}

/// What grants allow, action by action, as the brokers read them.
fn allows(grants: &Grants, action: &Action) -> bool {
    match action {
        Action::File(f, mode) => grants
            .files
            .iter()
            .any(|g| inside(&g.host, f) && g.mode >= *mode),
        Action::Request(h, p, m) => {
            let hit = |g: &HttpGrant| {
                g.host == *h && fits(&g.path, p) && g.methods.iter().any(|x| x == m)
            };
            grants.http.iter().any(hit) && !grants.http_denied.iter().any(hit)
        }
        Action::Private(h) => grants.http.iter().any(|g| g.host == *h && g.private),
        Action::Run(c) => grants.exec.iter().any(|e| e.name == *c),
        Action::Generate(p, m) => grants
            .model
            .iter()
            .any(|g| g.provider == *p && g.models.iter().any(|x| x == "*" || x == m)),
        Action::Secret(s, t) => grants.secrets.iter().any(|g| g.name == *s && g.to == *t),
        Action::Charge => grants.budget,
    }
}

#[derive(Clone, Debug)]
struct World {
    needs: Vec<Need>,
    rules: PolicyRules,
    narrowing: Narrowing,
    operator: Option<OperatorCeiling>,
}

/// The oracle: needs, rules, picks and ceiling one after the other, for one action.
struct Oracle<'a>(&'a World);

impl Oracle<'_> {
    fn asks(&self, kind: NeedKind) -> bool {
        self.0.needs.iter().any(|n| n.kind == kind)
    }

    fn ceiling(&self) -> OperatorCeiling {
        self.0.operator.clone().unwrap_or_default()
    }

    fn in_list(list: &Option<sandgate_authority::Rule<Vec<String>>>, name: &str) -> bool {
        list.as_ref()
            .is_none_or(|l| l.grant.iter().any(|x| x == name))
    }

    /// Mode in which a directory of a rule is granted, seen from one file of it.
    fn file(&self, f: &str) -> Option<FileMode> {
        let w = self.0;
        let picks = w.narrowing.files.as_ref();
        let mut best = None;
        for rule in &w.rules.files {
            let (host, root) = (rule.grant.host.as_str(), rule.grant.guest.as_str());
            let workspace = match w.narrowing.workspace {
                Workspace::None => false,
                Workspace::Shared => host != ".",
                _ => true,
            };
            if !workspace || !inside(host, f) {
                continue;
            }
            let rest = f.strip_prefix(host).unwrap_or(f).trim_start_matches('/');
            let seen = format!("{root}/{rest}");
            let mut mode = Some(rule.grant.mode);
            if let Some(picks) = picks {
                mode = picks
                    .iter()
                    .find(|p| inside(p.guest.as_str(), &seen))
                    .map(|p| p.mode.unwrap_or(rule.grant.mode).min(rule.grant.mode));
            }
            if let (Some(m), Some(c)) = (mode, &self.ceiling().files) {
                mode = c.grant.map(|most| most.min(m));
            }
            let given = match mode {
                Some(FileMode::Write) if self.asks(NeedKind::FilesWrite) => Some(FileMode::Write),
                Some(_) if self.asks(NeedKind::FilesRead) => Some(FileMode::Read),
                _ => None,
            };
            best = best.max(given);
        }
        best
    }

    fn request(&self, host: &str, path: &str, method: &str, private: bool) -> bool {
        let w = self.0;
        let ceiling = self.ceiling();
        let denied = w.rules.http_denied.iter().any(|r| {
            r.grant.host == host
                && fits(&r.grant.path, path)
                && r.grant.methods.iter().any(|m| m == method)
        });
        let allowed = w.rules.http.iter().any(|r| {
            let hit = r.grant.host == host
                && fits(&r.grant.path, path)
                && r.grant.methods.iter().any(|m| m == method);
            // A pick chooses within one rule.
            let within = |p: &str| match r.grant.path.strip_suffix('*') {
                Some(prefix) => p.trim_end_matches('*').starts_with(prefix),
                None => p == r.grant.path,
            };
            let picked = w.narrowing.http.as_ref().is_none_or(|picks| {
                picks
                    .iter()
                    .any(|p| p.host == host && within(&p.path) && fits(&p.path, path))
            });
            hit && picked && (!private || r.grant.private)
        });
        let most = ceiling.http.is_none_or(|c| {
            c.grant
                .iter()
                .any(|g| g.host == host && fits(&g.path, path))
        });
        let reach = !private || ceiling.private.is_none_or(|p| p.grant);
        self.asks(NeedKind::Http) && allowed && !denied && most && reach
    }

    /// Whether a secret is given to the plugin as far as it, the task and the operator go.
    fn secret_open(&self, name: &str) -> bool {
        let picked = self
            .0
            .narrowing
            .secrets
            .as_ref()
            .is_none_or(|p| p.iter().any(|x| x == name));
        self.asks(NeedKind::Secrets) && picked && Self::in_list(&self.ceiling().secrets, name)
    }

    fn command(&self, name: &str) -> bool {
        let ceiling = self.ceiling();
        let picked = self
            .0
            .narrowing
            .exec
            .as_ref()
            .is_none_or(|p| p.iter().any(|x| x == name));
        let Some(rule) = self.0.rules.exec.iter().find(|r| r.grant.name == name) else {
            return false;
        };
        let network = !rule.grant.network || ceiling.network_commands.is_none_or(|n| n.grant);
        // The world has `/a/` and nothing deeper: the directory is granted when its file is.
        let starts = rule.grant.cwd.is_none() || self.file("a/f").is_some() && self.sees_a();
        self.asks(NeedKind::Exec)
            && picked
            && Self::in_list(&ceiling.exec, &rule.grant.program)
            && network
            && starts
            && rule.grant.secrets.iter().all(|s| self.secret_open(s))
    }

    /// Whether the directory `/a` itself is there under this name, and not only as a part of the project.
    fn sees_a(&self) -> bool {
        let mut alone = self.0.clone();
        alone.rules.files.retain(|r| r.grant.host.as_str() == "a");
        Oracle(&alone).file("a/f").is_some()
    }

    fn generates(&self, provider: &str, model: &str) -> bool {
        let ceiling = self.ceiling();
        let named = |m: &[String]| m.iter().any(|x| x == "*" || x == model);
        let ruled = self
            .0
            .rules
            .model
            .iter()
            .any(|r| r.grant.provider == provider && named(&r.grant.models));
        let picked = self.0.narrowing.model.as_ref().is_none_or(|picks| {
            picks
                .iter()
                .any(|p| p.provider == provider && (p.model == "*" || p.model == model))
        });
        let key = self.0.rules.secrets.iter().all(|s| {
            s.grant.to != SecretTarget::Provider(provider.to_owned())
                || Self::in_list(&ceiling.secrets, &s.grant.name)
        });
        self.asks(NeedKind::Model)
            && ruled
            && picked
            && Self::in_list(&ceiling.model, provider)
            && key
    }

    fn allows(&self, action: &Action) -> bool {
        match action {
            Action::File(f, mode) => self.file(f) >= Some(*mode),
            Action::Request(h, p, m) => self.request(h, p, m, false),
            Action::Private(h) => {
                // Where any rule of this host that is granted at all may reach further.
                self.asks(NeedKind::Http)
                    && self
                        .0
                        .rules
                        .http
                        .iter()
                        .any(|r| r.grant.host == *h && r.grant.private)
            }
            Action::Run(c) => self.command(c),
            Action::Generate(p, m) => self.generates(p, m),
            Action::Secret(s, to) => {
                let bound = |r: &sandgate_authority::Rule<sandgate_model::SecretGrant>| {
                    r.grant.name == *s && r.grant.to == *to
                };
                self.0.rules.secrets.iter().any(bound)
                    && match to {
                        SecretTarget::Provider(p) => MODELS.iter().any(|m| self.generates(p, m)),
                        SecretTarget::Exec(c) => self.command(c) && self.secret_open(s),
                        SecretTarget::Origin(_) => self.secret_open(s),
                    }
            }
            Action::Charge => {
                self.asks(NeedKind::Budget)
                    && self.0.rules.charge.is_some()
                    && self.0.narrowing.charge != Some(false)
                    && self.ceiling().charge.is_none_or(|c| c.grant)
            }
        }
    }
}

fn mode() -> impl Strategy<Value = FileMode> {
    select(vec![FileMode::Read, FileMode::Write])
}

fn some_of<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let most = all.len();
    proptest::sample::subsequence(all, 0..=most)
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|s| (*s).to_owned()).collect()
}

fn patterns() -> impl Strategy<Value = &'static str> {
    select(vec!["/*", "/v1*", "/v1/*", "/v1/admin/*", "/v1/a", "/v2/*"])
}

fn http_rules() -> impl Strategy<Value = Vec<HttpGrant>> {
    let one = (
        select(HOSTS.to_vec()),
        patterns(),
        some_of(METHODS.to_vec()),
        any::<bool>(),
    )
        .prop_filter("a rule has a method", |(_, _, m, _)| !m.is_empty())
        .prop_map(|(h, p, m, private)| HttpGrant {
            private,
            ..http(h, p, &m)
        });
    proptest::collection::vec(one, 0..4)
}

fn commands() -> impl Strategy<Value = Vec<ExecGrant>> {
    let one = (
        select(PROGRAMS.to_vec()),
        any::<bool>(),
        any::<bool>(),
        some_of(strings(&SECRETS)),
    );
    proptest::collection::vec(one, COMMANDS.len()).prop_flat_map(|all| {
        let rules: Vec<ExecGrant> = COMMANDS
            .iter()
            .zip(all)
            .map(|(name, (program, network, cwd, secrets))| ExecGrant {
                network,
                cwd: cwd.then(|| "/a".to_owned()),
                secrets,
                ..exec(name, program)
            })
            .collect();
        some_of(rules)
    })
}

fn rules() -> impl Strategy<Value = PolicyRules> {
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
        any::<bool>(),
    )
        .prop_map(
            |((files, modes), http, denied, commands, models, bound, charge)| {
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
                                    ..h
                                },
                            )
                        })
                        .collect(),
                    exec,
                    model: models
                        .into_iter()
                        .map(|(p, m)| {
                            at(
                                6,
                                ModelGrant {
                                    provider: p.to_owned(),
                                    models: m,
                                    approval: false,
                                },
                            )
                        })
                        .collect(),
                    secrets,
                    charge: charge.then(|| support::origin(8)),
                }
            },
        )
}

fn narrowings() -> impl Strategy<Value = Narrowing> {
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
        of(any::<bool>()),
    )
        .prop_map(
            |(workspace, files, requests, exec, models, secrets, charge)| Narrowing {
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
            },
        )
}

fn ceilings() -> impl Strategy<Value = Option<OperatorCeiling>> {
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
        of(any::<bool>()),
    )
        .prop_map(
            |(files, http, private, exec, network, model, secrets, charge)| OperatorCeiling {
                files: files.map(|f| at(1, f)),
                http: http.map(|h| at(1, h)),
                private: private.map(|p| at(1, p)),
                exec: exec.map(|e| at(1, e)),
                network_commands: network.map(|n| at(1, n)),
                model: model.map(|m| at(1, m)),
                secrets: secrets.map(|s| at(1, s)),
                charge: charge.map(|c| at(1, c)),
            },
        )
        .prop_flat_map(|c| of(Just(c)))
}

fn worlds() -> impl Strategy<Value = World> {
    let kinds = vec![
        NeedKind::FilesRead,
        NeedKind::FilesWrite,
        NeedKind::Http,
        NeedKind::Exec,
        NeedKind::Model,
        NeedKind::Secrets,
        NeedKind::Budget,
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

/// The grants, and `None` when a pick is a mistake.
fn granted(world: &World) -> Option<Grants> {
    let policy = Policy::new(world.rules.clone()).unwrap();
    let request = Request {
        who: "task `a`",
        plugin: "p",
        needs: &world.needs,
        narrowing: &world.narrowing,
    };
    resolve(request, &policy, world.operator.as_ref())
        .ok()
        .map(|r| r.grants)
}

fn actions(grants: &Grants) -> BTreeSet<Action> {
    universe()
        .into_iter()
        .filter(|a| allows(grants, a))
        .collect()
}

/// `PROPTEST_CASES` raises it.
fn cases() -> u32 {
    ProptestConfig::default().cases.max(1_500)
}

static DECIDED: AtomicUsize = AtomicUsize::new(0);
static ALLOWED: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// What is granted is what the oracle allows: nothing more (need, project, operator and task each hold) and nothing
    /// less (a refusal is never an accident). Run by `figures`, which prints how much was compared.
    fn grants_are_what_the_oracle_allows(world in worlds()) {
        let Some(grants) = granted(&world) else { return Ok(()) };
        let oracle = Oracle(&world);
        let mut allowed = 0;
        for action in universe() {
            let (found, expected) = (allows(&grants, &action), oracle.allows(&action));
            match &action {
                // The oracle looks at whole rules here, the grants at what is left of them.
                Action::Private(_) => prop_assert!(!found || expected, "{action:?}"),
                // A secret for an origin is granted only where a request may go there at all.
                Action::Secret(_, SecretTarget::Origin(origin)) => {
                    let goes = grants.http.iter().any(|h| h.origin() == *origin);
                    prop_assert_eq!(found, expected && goes, "{:?}", action);
                }
                _ => prop_assert_eq!(found, expected, "{:?}", action),
            }
            allowed += usize::from(found);
        }
        if let Some(rule) = world.operator.as_ref().and_then(|o| o.private.as_ref()) {
            prop_assert!(rule.grant || grants.http.iter().all(|h| !h.private));
        }
        DECIDED.fetch_add(universe().len(), Ordering::Relaxed);
        ALLOWED.fetch_add(allowed, Ordering::Relaxed);
    }

    /// Taking a rule, a pick or a need away, or lowering the ceiling, never adds anything.
    #[test]
    fn less_never_gives_more(world in worlds(), which in any::<proptest::sample::Index>(), kind in 0..8_u8) {
        let mut less = world.clone();
        match kind {
            0 if !less.rules.files.is_empty() && less.rules.exec.iter().all(|c| c.grant.cwd.is_none()) => {
                less.rules.files.remove(which.index(world.rules.files.len()));
            }
            1 if !less.rules.http.is_empty() => { less.rules.http.remove(which.index(world.rules.http.len())); }
            2 if !less.rules.model.is_empty() => { less.rules.model.remove(which.index(world.rules.model.len())); }
            3 => less.rules.charge = None,
            4 if !less.needs.is_empty() => { less.needs.remove(which.index(world.needs.len())); }
            5 => less.rules.http_denied.push(at(9, http(HOSTS[which.index(2)], "/v1/*", &METHODS))),
            6 => less.narrowing = Narrowing { exec: Some(vec![]), secrets: Some(vec![]), ..less.narrowing },
            _ => {
                let mut ceiling = less.operator.unwrap_or_default();
                ceiling.files = Some(at(1, None));
                ceiling.exec = Some(at(1, vec![]));
                ceiling.http = ceiling.http.map(|mut h| { h.grant.pop(); h });
                less.operator = Some(ceiling);
            }
        }
        if let (Some(all), Some(less)) = (granted(&world), granted(&less)) {
            let (all, less) = (actions(&all), actions(&less));
            prop_assert!(less.is_subset(&all), "{:?}", less.difference(&all).collect::<Vec<_>>());
        }
    }

    /// A denial wins over whatever else the policy, the task and the operator say.
    #[test]
    fn deny_wins(mut world in worlds(), host in select(HOSTS.to_vec()), path in patterns()) {
        world.rules.http_denied.push(at(9, http(host, path, &METHODS)));
        if let Some(grants) = granted(&world) {
            for p in PATHS.iter().filter(|p| fits(path, p)) {
                for m in METHODS {
                    prop_assert!(!allows(&grants, &Action::Request(host, p, m)));
                }
            }
        }
    }

    /// The order of rules and picks means nothing, and lists are sorted: equal authority has equal bytes.
    #[test]
    fn order_means_nothing(world in worlds()) {
        let mut other = world.clone();
        other.rules.files.reverse();
        other.rules.http.reverse();
        other.rules.http_denied.reverse();
        other.rules.exec.reverse();
        other.rules.model.reverse();
        other.rules.secrets.reverse();
        other.needs.reverse();
        if let Some(grants) = granted(&world) {
            prop_assert_eq!(granted(&other), Some(grants.clone()));
            prop_assert!(grants.files.is_sorted() && grants.http.is_sorted() && grants.exec.is_sorted());
            prop_assert!(grants.model.is_sorted() && grants.secrets.is_sorted());
            prop_assert!(authority_lines(&grants).is_sorted());
        }
    }

    /// What people accept for a plugin covers whatever any task can get of it.
    #[test]
    fn accepted_lines_cover_every_task(mut world in worlds()) {
        world.narrowing = Narrowing { workspace: world.narrowing.workspace, ..Narrowing::default() };
        if let Some(grants) = granted(&world) {
            let policy = Policy::new(world.rules.clone()).unwrap();
            let accepted = plugin_lines(&world.needs, &policy, world.operator.as_ref());
            for line in authority_lines(&grants) {
                let of_task = line.starts_with("workspace ");
                prop_assert!(of_task || accepted.contains(&line), "{line} is not in {accepted:#?}");
            }
        }
    }

    /// Grants that narrow allow nothing that the earlier ones did not, and the same grants always narrow.
    #[test]
    fn what_narrows_allows_nothing_new(a in worlds(), b in worlds(), c in worlds()) {
        let (Some(new), Some(x), Some(y)) = (granted(&a), granted(&b), granted(&c)) else { return Ok(()) };
        prop_assert!(narrows("t", &new, &[&x, &new]).is_ok());
        prop_assert_eq!(narrows("t", &new, &[]).is_ok(), Grants { workspace: Workspace::Shared, http_denied: vec![], ..new.clone() } == Grants::default());
        if narrows("t", &new, &[&x, &y]).is_ok() {
            let old: BTreeSet<Action> = actions(&x).union(&actions(&y)).cloned().collect();
            prop_assert!(actions(&new).is_subset(&old));
        }
    }

    /// The same for grants that are nearly the same: a denial less, private addresses, another mode, another directory.
    #[test]
    fn what_nearly_narrows_allows_nothing_new(old in worlds(), which in any::<proptest::sample::Index>(), kind in 0..5_u8) {
        let mut new = old.clone();
        match kind {
            0 if !new.rules.http_denied.is_empty() => {
                new.rules.http_denied.remove(which.index(old.rules.http_denied.len()));
            }
            1 => new.rules.http.iter_mut().for_each(|r| r.grant.private = true),
            2 => new.rules.files.iter_mut().for_each(|r| r.grant.mode = FileMode::Write),
            3 => new.rules.http.iter_mut().for_each(|r| r.grant.path = "/*".to_owned()),
            _ => new.needs.push(need(NeedKind::Secrets, true)),
        }
        if Policy::new(new.rules.clone()).is_err() {
            return Ok(());
        }
        if let (Some(new), Some(old)) = (granted(&new), granted(&old)) {
            let (now, before) = (actions(&new), actions(&old));
            let fine = narrows("t", &new, &[&old]).is_ok();
            prop_assert!(!fine || now.is_subset(&before), "{:?}", now.difference(&before).collect::<Vec<_>>());
            // It is not so careful that nothing passes.
            prop_assert!(fine || new != old);
        }
    }

    /// A narrowing of the same task narrows; so a replan that picks less is never refused.
    #[test]
    fn picking_less_narrows(world in worlds(), less in narrowings()) {
        let narrower = World { narrowing: Narrowing { workspace: world.narrowing.workspace, ..less }, ..world.clone() };
        let open = World { narrowing: Narrowing { workspace: world.narrowing.workspace, ..Narrowing::default() }, ..world };
        if let (Some(new), Some(old)) = (granted(&narrower), granted(&open)) {
            prop_assert_eq!(narrows("t", &new, &[&old]), Ok(()));
        }
    }
}

#[test]
fn figures() {
    grants_are_what_the_oracle_allows();
    let (decided, allowed) = (
        DECIDED.load(Ordering::Relaxed),
        ALLOWED.load(Ordering::Relaxed),
    );
    println!(
        "{decided} decisions compared with the oracle, {allowed} of them allow, 0 differences"
    );
    // A property over worlds that allow nothing would show nothing.
    assert!(allowed * 20 > decided, "{allowed} of {decided}");
}
