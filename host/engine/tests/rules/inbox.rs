//! The signals of a project: what is delivered, kept, told apart and refused.

use sandgate_engine::{
    Inbox, InboxEvent, KEPT_FOR, KEPT_MAX, OpenWait, PastWait, Receipt, SignalRefusal, fits,
    signal_digest, validate_signal,
};
use sandgate_model::{Digest, Moment, Payload, RunId, Signal, SignalType, TaskId, TaskIx};
use sandgate_testkit::{Rng, actor, run_id};
use serde_json::json;
use std::collections::BTreeMap;

const T0: Moment = Moment(1_700_000_000_000);

fn map(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn signal(id: &str, kind: &str, fields: &[(&str, &str)], data: i64) -> Signal {
    let (kind, fields) = (kind.parse().unwrap(), map(fields));
    Signal {
        id: id.to_owned(),
        digest: signal_digest(&kind, &fields, &json!(data)),
        kind,
        fields,
        data: Payload::Inline(json!(data)),
        by: actor("ci", &[]),
        at: T0,
    }
}

fn wait(run: u64, task: u32, kind: &str, fields: &[(&str, &str)]) -> OpenWait {
    OpenWait {
        run: run_id(run),
        task: TaskIx(task),
        id: format!("t{task}").parse().unwrap(),
        kind: kind.parse().unwrap(),
        matches: map(fields),
        since: T0,
    }
}

fn known(kind: &SignalType) -> Result<(), Vec<String>> {
    let all = ["ci", "review", "human_approval"];
    if all.contains(&kind.as_str()) {
        Ok(())
    } else {
        Err(all.map(str::to_owned).to_vec())
    }
}

fn to(wait: &OpenWait) -> (RunId, TaskId) {
    (wait.run, wait.id.clone())
}

/// What a driver does: asks, records, applies. Says whom it resolved.
fn send(
    inbox: &mut Inbox,
    now: Moment,
    signal: &Signal,
    open: &[OpenWait],
    past: &[PastWait],
) -> Result<Receipt, SignalRefusal> {
    let mut signal = signal.clone();
    signal.at = now;
    let receipt = inbox.receive(now, &signal, open, past, &known)?;
    let resolved = match &receipt {
        Receipt::Deliver(waits) => waits.iter().map(to).collect(),
        Receipt::Keep { .. } => Vec::new(),
        Receipt::Repeat { .. } => return Ok(receipt),
    };
    inbox.apply(
        now,
        &InboxEvent::SignalReceived {
            signal,
            to: resolved,
        },
    );
    Ok(receipt)
}

#[test]
fn every_wait_that_fits_is_told_and_no_other() {
    let mut inbox = Inbox::default();
    let open = [
        wait(1, 0, "ci", &[("repo", "site"), ("sha", "b")]),
        wait(1, 1, "ci", &[("repo", "site")]),
        wait(2, 0, "ci", &[]),
        wait(2, 1, "review", &[]),
        wait(3, 0, "ci", &[("repo", "site"), ("sha", "c")]),
    ];
    let one = signal(
        "1",
        "ci",
        &[("repo", "site"), ("sha", "b"), ("extra", "x")],
        1,
    );
    let receipt = send(&mut inbox, T0, &one, &open, &[]).unwrap();
    assert_eq!(receipt, Receipt::Deliver(open[..3].to_vec()));
    let kept = inbox.get("1").unwrap();
    assert_eq!(kept.to, [to(&open[0]), to(&open[1]), to(&open[2])]);
    assert_eq!(inbox.unmatched(T0).count(), 0);
    assert!(
        inbox.pick(T0, &wait(4, 0, "ci", &[])).is_none(),
        "it is used up"
    );
}

#[test]
fn early_signals_are_kept_and_picked_up_oldest_first() {
    let mut inbox = Inbox::default();
    let near = wait(9, 0, "ci", &[("repo", "site"), ("sha", "z")]);
    let far = wait(9, 1, "ci", &[("repo", "other")]);
    for (n, id) in ["z", "y", "x"].iter().enumerate() {
        let now = Moment(T0.0 + n as u64);
        let early = signal(id, "ci", &[("repo", "site"), ("sha", "a")], n as i64);
        let receipt = send(&mut inbox, now, &early, &[near.clone(), far.clone()], &[]).unwrap();
        assert_eq!(
            receipt,
            Receipt::Keep {
                near: vec![near.clone()]
            }
        );
    }
    let begins = wait(1, 0, "ci", &[("sha", "a")]);
    for id in ["z", "y", "x"] {
        let picked = inbox.pick(T0, &begins).unwrap().signal.id.clone();
        assert_eq!(picked, id, "the oldest first");
        let matched = InboxEvent::SignalMatched {
            id: picked,
            to: to(&begins),
        };
        inbox.apply(T0, &matched);
        inbox.apply(T0, &matched);
        assert_eq!(inbox.get(id).unwrap().to, [to(&begins)], "told once");
    }
    assert!(inbox.pick(T0, &begins).is_none());
}

#[test]
fn kept_signals_expire_after_a_week() {
    let mut inbox = Inbox::default();
    let early = signal("1", "ci", &[("sha", "a")], 1);
    send(&mut inbox, T0, &early, &[], &[]).unwrap();
    let begins = wait(1, 0, "ci", &[("sha", "a")]);
    let last = Moment(T0.0 + KEPT_FOR.0 - 1);
    assert!(inbox.pick(last, &begins).is_some());
    assert_eq!(inbox.expired(last), Vec::<String>::new());
    let over = Moment(last.0 + 1);
    assert!(
        inbox.pick(over, &begins).is_none(),
        "not even before it is dropped"
    );
    assert_eq!(inbox.expired(over), ["1"]);
    let again = send(
        &mut inbox,
        over,
        &signal("1", "ci", &[("sha", "a")], 2),
        &[],
        &[],
    )
    .unwrap();
    assert!(
        matches!(again, Receipt::Keep { .. }),
        "nobody ever heard of the first one"
    );
    assert_eq!(inbox.expired(over), Vec::<String>::new());
    let ids = vec!["1".to_owned(), "unknown".to_owned()];
    inbox.apply(over, &InboxEvent::SignalsExpired { ids });
    assert!(inbox.get("1").is_none());
}

#[test]
fn a_thousand_repeats_apply_once() {
    let mut inbox = Inbox::default();
    let open = [wait(1, 0, "ci", &[("sha", "a")])];
    let one = signal("deploy-1", "ci", &[("sha", "a")], 1);
    let mut applied = 0;
    for n in 0..1_000 {
        // Even as long as the wait seems open: its end may be on its way.
        match send(&mut inbox, Moment(T0.0 + n), &one, &open, &[]).unwrap() {
            Receipt::Deliver(waits) => applied += waits.len(),
            Receipt::Repeat { kept } => assert_eq!(kept.to, [to(&open[0])]),
            Receipt::Keep { .. } => panic!("it fits"),
        }
    }
    println!("1,000 duplicates: {applied} application");
    assert_eq!(applied, 1);
}

#[test]
fn a_stale_one_is_refused_with_what_it_fitted_and_what_is_waited_for() {
    let mut inbox = Inbox::default();
    let past = [PastWait {
        wait: wait(0xab, 0, "ci", &[("repo", "site"), ("sha", "a")]),
        ended: T0,
        how: "timed out".to_owned(),
    }];
    let open = [
        wait(0xcd, 1, "ci", &[("repo", "site"), ("sha", "b")]),
        wait(0xee, 2, "ci", &[("repo", "other")]),
    ];
    let late = signal("1", "ci", &[("repo", "site"), ("sha", "a")], 1);
    let now = Moment(T0.0 + 180_000);
    let refusal = send(&mut inbox, now, &late, &open, &past).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "it is stale: it fits task `t0` of run 000000ab, and that wait ended 3 minutes ago: timed out; \
         task `t1` of run 000000cd waits for sha=b, this one says sha=a"
    );
    let refusal = send(&mut inbox, now, &late, &[], &past).unwrap_err();
    assert!(
        refusal
            .to_string()
            .ends_with("no task waits for anything like it now")
    );
    // The same task waits again, after a retry.
    let again = [past[0].wait.clone()];
    let receipt = send(&mut inbox, now, &late, &again, &past).unwrap();
    assert_eq!(receipt, Receipt::Deliver(again.to_vec()));
}

#[test]
fn forgeries_replays_reorders_and_floods_change_nothing() {
    let mut inbox = Inbox::default();
    let open = [wait(1, 0, "ci", &[("repo", "site"), ("sha", "b")])];
    let past = [PastWait {
        wait: wait(1, 1, "ci", &[("repo", "site"), ("sha", "a")]),
        ended: T0,
        how: "resolved by signal `first`".to_owned(),
    }];
    send(
        &mut inbox,
        T0,
        &signal("used", "ci", &[("repo", "site"), ("sha", "b")], 1),
        &open,
        &[],
    )
    .unwrap();
    for n in 0..KEPT_MAX {
        send(
            &mut inbox,
            T0,
            &signal(&format!("flood-{n}"), "review", &[("n", "1")], 0),
            &[],
            &[],
        )
        .unwrap();
    }
    let fine = signal("fine", "ci", &[("repo", "site"), ("sha", "b")], 1);
    let with = |change: &dyn Fn(&mut Signal)| {
        let mut signal = fine.clone();
        change(&mut signal);
        signal
    };
    let redo = |change: &dyn Fn(&mut Signal)| {
        with(&|s| {
            change(s);
            s.digest = signal_digest(&s.kind, &s.fields, &json!(1));
        })
    };
    let hostile = [
        (
            "another type than there is",
            redo(&|s| s.kind = "deploy".parse().unwrap()),
        ),
        (
            "a known id with other data",
            redo(&|s| s.id = "used".into()),
        ),
        (
            "a known id with another type",
            redo(&|s| {
                s.id = "flood-1".into();
                s.kind = "ci".parse().unwrap();
            }),
        ),
        (
            "a digest of something else",
            with(&|s| s.digest = Digest::of(b"x")),
        ),
        (
            "other fields under the digest",
            with(&|s| {
                s.fields.insert("sha".into(), "c".into());
            }),
        ),
        (
            "other data under the digest",
            with(&|s| s.data = Payload::Inline(json!(2))),
        ),
        (
            "an older commit, out of order",
            redo(&|s| {
                s.fields.insert("sha".into(), "a".into());
            }),
        ),
        ("no id", redo(&|s| s.id.clear())),
        ("an id that hides", redo(&|s| s.id = "a\u{8}b".into())),
        ("an endless id", redo(&|s| s.id = "x".repeat(201))),
        (
            "too many fields",
            redo(&|s| {
                for n in 0..51 {
                    s.fields.insert(format!("f{n}"), String::new());
                }
            }),
        ),
        (
            "an endless field",
            redo(&|s| {
                s.fields.insert("repo".into(), "x".repeat(1_001));
            }),
        ),
        (
            "one more of a flood",
            redo(&|s| s.kind = "review".parse().unwrap()),
        ),
    ];
    // The second is a conflict only when its content differs.
    let hostile: Vec<_> = hostile
        .into_iter()
        .map(|(what, mut s)| {
            if what == "a known id with other data" {
                s.data = Payload::Inline(json!(7));
                s.digest = signal_digest(&s.kind, &s.fields, &json!(7));
            }
            (what, s)
        })
        .collect();
    let before = inbox.clone();
    let mut changes = 0;
    for (what, signal) in &hostile {
        let result = send(&mut inbox, T0, signal, &open, &past);
        println!(
            "{what}: {}",
            result
                .as_ref()
                .err()
                .map_or("taken".to_owned(), ToString::to_string)
        );
        assert!(result.is_err(), "{what}");
        changes += usize::from(inbox != before);
    }
    println!(
        "{} forgeries, replays, reorders and floods: {changes} changes",
        hostile.len()
    );
    assert_eq!(changes, 0);
    assert!(hostile.len() >= 12);
    // What is waited for still gets through the flood.
    assert!(matches!(
        send(&mut inbox, T0, &fine, &open, &past),
        Ok(Receipt::Deliver(_))
    ));
}

#[test]
fn bounds_are_exact() {
    let mut at = signal(&"x".repeat(200), "ci", &[], 0);
    for n in 0..50 {
        at.fields.insert(format!("{n:0>100}"), "v".repeat(1_000));
    }
    assert_eq!(validate_signal(&at), Ok(()));
    at.fields.insert("a\nb".into(), String::new());
    assert!(validate_signal(&at).is_err());
}

#[test]
fn what_a_crash_left_undelivered_is_owed() {
    let mut inbox = Inbox::default();
    let open = [wait(1, 0, "ci", &[("sha", "a")]), wait(1, 1, "ci", &[])];
    send(
        &mut inbox,
        T0,
        &signal("1", "ci", &[("sha", "a")], 1),
        &open,
        &[],
    )
    .unwrap();
    let owed = inbox.owed(&open);
    assert_eq!(owed.len(), 2);
    assert_eq!(owed[0].0, open[0]);
    assert_eq!(inbox.owed(&open[1..]).len(), 1, "the other one heard of it");
    let other = [wait(1, 0, "ci", &[("sha", "b")])];
    assert_eq!(
        inbox.owed(&other).len(),
        0,
        "it waits for something else now"
    );
}

/// The same once more, as simple as it can be said.
#[derive(Default)]
struct Oracle {
    all: Vec<(Signal, Vec<(RunId, TaskId)>)>,
}

impl Oracle {
    fn expect(
        &self,
        now: Moment,
        signal: &Signal,
        open: &[OpenWait],
        past: &[PastWait],
    ) -> &'static str {
        let alive = |s: &Signal, to: &[_]| !to.is_empty() || now.0 - s.at.0 < KEPT_FOR.0;
        if known(&signal.kind).is_err() {
            return "unknown";
        }
        let same = self
            .all
            .iter()
            .rev()
            .find(|(s, to)| s.id == signal.id && alive(s, to));
        if let Some((first, _)) = same {
            let equal = (&first.kind, &first.fields, &first.data)
                == (&signal.kind, &signal.fields, &signal.data);
            return if equal { "repeat" } else { "conflict" };
        }
        if open.iter().any(|w| fits(&w.kind, &w.matches, signal)) {
            return "deliver";
        }
        if past
            .iter()
            .any(|p| fits(&p.wait.kind, &p.wait.matches, signal))
        {
            return "stale";
        }
        let kept = self
            .all
            .iter()
            .filter(|(s, to)| to.is_empty() && alive(s, to));
        if kept.count() >= KEPT_MAX {
            "full"
        } else {
            "keep"
        }
    }
}

#[test]
fn any_sequence_goes_as_the_oracle_says() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let (mut inbox, mut oracle) = (Inbox::default(), Oracle::default());
        let mut journal = Vec::new();
        let mut now = T0;
        let kinds = ["ci", "review", "deploy"];
        let values = ["a", "b"];
        // Every tenth world has an inbox that is nearly full.
        if seed % 10 == 0 {
            for n in 0..KEPT_MAX - 2 {
                let early = signal(&format!("e{n}"), "review", &[("q", "q")], 0);
                send(&mut inbox, now, &early, &[], &[]).unwrap();
                journal.push((
                    now,
                    InboxEvent::SignalReceived {
                        signal: early.clone(),
                        to: vec![],
                    },
                ));
                oracle.all.push((early, Vec::new()));
            }
        }
        for _ in 0..120 {
            now = Moment(now.0 + rng.below(KEPT_FOR.0 / 20));
            let mut some_wait = |task| {
                let kind = rng.pick(&kinds[..2]).copied().unwrap_or("ci");
                let mut fields = Vec::new();
                for name in ["x", "y"] {
                    if rng.below(2) == 0 {
                        fields.push((name, rng.pick(&values).copied().unwrap_or("a")));
                    }
                }
                wait(1, task, kind, &fields)
            };
            let open = [some_wait(0), some_wait(1)];
            let past = [PastWait {
                wait: some_wait(2),
                ended: now,
                how: "timed out".into(),
            }];
            let (open, past) = (
                &open[..usize::try_from(rng.below(3)).unwrap()],
                &past[..usize::try_from(rng.below(2)).unwrap()],
            );
            if rng.below(6) == 0 {
                let begins = wait(2, 7, "ci", &[("x", "a")]);
                let oldest = oracle.all.iter_mut().find(|(s, to)| {
                    to.is_empty()
                        && now.0 - s.at.0 < KEPT_FOR.0
                        && fits(&begins.kind, &begins.matches, s)
                });
                let picked = inbox.pick(now, &begins).map(|kept| kept.signal.clone());
                assert_eq!(
                    picked.as_ref(),
                    oldest.as_ref().map(|(s, _)| s),
                    "seed {seed}"
                );
                if let (Some(picked), Some((_, list))) = (picked, oldest) {
                    list.push(to(&begins));
                    let event = InboxEvent::SignalMatched {
                        id: picked.id,
                        to: to(&begins),
                    };
                    inbox.apply(now, &event);
                    journal.push((now, event));
                    *seen.entry("picked").or_default() += 1;
                }
                continue;
            }
            if rng.below(10) == 0 {
                let ids = inbox.expired(now);
                let gone = |s: &Signal, to: &[_]| to.is_empty() && now.0 - s.at.0 >= KEPT_FOR.0;
                assert_eq!(
                    ids.len(),
                    oracle.all.iter().filter(|(s, to)| gone(s, to)).count()
                );
                oracle.all.retain(|(s, to)| !gone(s, to));
                let event = InboxEvent::SignalsExpired { ids };
                inbox.apply(now, &event);
                journal.push((now, event));
                continue;
            }
            let mut fields = Vec::new();
            for name in ["x", "y", "z"] {
                if rng.below(3) > 0 {
                    fields.push((name, rng.pick(&values).copied().unwrap_or("a")));
                }
            }
            let kind = if rng.below(12) == 0 {
                "deploy"
            } else {
                kinds[usize::try_from(rng.below(2)).unwrap()]
            };
            let mut one = signal(
                &format!("s{}", rng.below(40)),
                kind,
                &fields,
                i64::try_from(rng.below(2)).unwrap(),
            );
            one.at = now;
            let expected = oracle.expect(now, &one, open, past);
            let (is, resolved) = match send(&mut inbox, now, &one, open, past) {
                Ok(Receipt::Deliver(waits)) => ("deliver", Some(waits.iter().map(to).collect())),
                Ok(Receipt::Keep { .. }) => ("keep", Some(Vec::new())),
                Ok(Receipt::Repeat { .. }) => ("repeat", None),
                Err(SignalRefusal::UnknownType { .. }) => ("unknown", None),
                Err(SignalRefusal::Conflict { .. }) => ("conflict", None),
                Err(SignalRefusal::Stale { .. }) => ("stale", None),
                Err(SignalRefusal::Full { .. }) => ("full", None),
                Err(SignalRefusal::Malformed { .. }) => ("malformed", None),
            };
            assert_eq!(is, expected, "seed {seed}: {one:?}");
            *seen.entry(is).or_default() += 1;
            if let Some(resolved) = resolved {
                oracle
                    .all
                    .retain(|(s, to)| s.id != one.id || !to.is_empty());
                oracle.all.push((one.clone(), resolved.clone()));
                let event = InboxEvent::SignalReceived {
                    signal: one,
                    to: resolved,
                };
                journal.push((now, event));
            }
        }
        // The journal alone says the same, in its stored form.
        let mut replayed = Inbox::default();
        for (at, event) in &journal {
            let text = serde_json::to_string(event).unwrap();
            replayed.apply(*at, &serde_json::from_str(&text).unwrap());
        }
        assert_eq!(replayed, inbox, "seed {seed}");
    }
    println!("60 worlds against the oracle: {seen:?}");
    assert!(seen.len() >= 8, "{seen:?}");
}
