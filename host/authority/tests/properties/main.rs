//! Properties of the decision, against an oracle that knows only what single actions mean.
//!
//! The oracle decides one action at a time, from the rules as they are written, on a universe of a few thousand actions.
//! What the grants allow has to be exactly that. A broken step in the resolution is found by the first property.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod oracle;
#[path = "../support/mod.rs"]
mod support;
mod universe;
mod worlds;

use oracle::*;
use proptest::{prelude::*, sample::select};
use sandgate_authority::{
    APPROVAL, ChargeRule, FilePick, ModelPick, Narrowing, OperatorCeiling, Policy, PolicyRules,
    Request, authority_lines, narrows, plugin_lines, resolve,
};
use sandgate_model::{
    ExecGrant, FileMode, Grants, HttpGrant, ModelGrant, Need, NeedKind, SecretTarget, Workspace,
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};
use support::{at, exec, file, guest, http, http_pick, need, secret};
use universe::*;
use worlds::*;

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
            3 => { less.rules.charge = None; less.rules.question = None; }
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
            let (all, mut less) = (actions(&all), actions(&less));
            // Without a rule that wants an approval, others that fit do without.
            less.retain(|a| !(matches!(kind, 1 | 2) && matches!(a, Action::Free(_))));
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
                // With an approval it is less than without.
                let line = match line.strip_suffix(APPROVAL) {
                    Some(free) if accepted.iter().any(|a| a == free) => free.to_owned(),
                    _ => line,
                };
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
    fn what_nearly_narrows_allows_nothing_new(old in worlds(), which in any::<proptest::sample::Index>(), kind in 0..8_u8) {
        let mut new = old.clone();
        match kind {
            0 if !new.rules.http_denied.is_empty() => {
                new.rules.http_denied.remove(which.index(old.rules.http_denied.len()));
            }
            1 => new.rules.http.iter_mut().for_each(|r| r.grant.private = true),
            2 => new.rules.files.iter_mut().for_each(|r| r.grant.mode = FileMode::Write),
            3 => new.rules.http.iter_mut().for_each(|r| r.grant.path = "/*".to_owned()),
            4 => {
                new.rules.http.iter_mut().for_each(|r| r.grant.approval = false);
                new.rules.model.iter_mut().for_each(|r| r.grant.approval = false);
            }
            5 if !new.rules.exec.is_empty() => {
                let at = which.index(old.rules.exec.len());
                new.rules.exec[at].grant.approval = false;
            }
            6 => new.rules.charge = new.rules.charge.map(|_| at(8, ChargeRule { approval: false })),
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
