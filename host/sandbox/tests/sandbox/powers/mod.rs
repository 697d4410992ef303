//! What a call can do outside: linked only with its port, bounded, counted, and over when the call is.

mod costs;
mod http;
mod lives;
mod model;
mod ports;

use crate::support::*;
use ports::Ports;
use sandgate_model::NeedKind;
use sandgate_sandbox::{Outcome, Powers};

/// The power guest with all ports.
pub(crate) fn powerful(ports: &Ports) -> Try {
    let mut wanted = Try::new(power_agent());
    wanted.powers = ports.powers();
    wanted
}

/// What came of each step.
pub(crate) async fn steps(wanted: &Try, script: &str) -> Vec<String> {
    wanted
        .text(script)
        .await
        .split(';')
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn each_interface_needs_its_port() {
    let ports = Ports::default();
    let all = ports.powers();
    let none = Powers::default();
    let without = [
        (
            Powers {
                http: None,
                ..all.clone()
            },
            "wasi:http/",
            "http = [{ allow = ",
        ),
        (
            Powers {
                command: None,
                ..all.clone()
            },
            "sandgate:plugin/command@",
            "exec = [{ program = ",
        ),
        (
            Powers {
                model: None,
                ..all.clone()
            },
            "sandgate:plugin/model@",
            "model = [{ provider = ",
        ),
        (
            Powers {
                budget: None,
                ..all.clone()
            },
            "sandgate:plugin/budget@",
            "charge = true",
        ),
        (none, "sandgate:plugin/budget@", "charge = true"),
    ];
    for (powers, name, line) in without {
        let mut wanted = Try::new(power_agent());
        wanted.powers = powers;
        match wanted.run("remaining").await {
            Outcome::Refused { import, hint } => {
                assert!(import.starts_with(name), "{import}");
                assert!(
                    hint.contains(line) && hint.contains("sandgate.toml"),
                    "{hint}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(ports.calls(), Vec::<String>::new());
    let told = steps(&powerful(&ports), "remaining;http GET http://host.test/ok").await;
    assert_eq!(told, ["ok Some(1000)", "ok 200 5 hello"]);
}

#[tokio::test]
async fn a_plugin_that_says_what_it_is_can_do_nothing() {
    // Its `describe` tries everything; what it was told is its summary.
    let description = SANDBOX.describe(&power_agent()).await.unwrap();
    let told: Vec<&str> = description.summary.split(" | ").collect();
    assert_eq!(told.len(), 8, "{told:?}");
    for (told, expected) in told.iter().zip([
        "ErrorCode::HttpRequestDenied",
        "ok ",
        "CommandError::NotGranted",
        "ok ",
        "ModelError::NotGranted",
        "ModelError::NotGranted",
        "ok Some(0)",
        "BudgetError::Over(0)",
    ]) {
        assert!(
            told.trim().starts_with(expected.trim()),
            "{told}, not {expected}"
        );
    }
}

/// What a plugin can do without is linked where it is not granted, and refuses.
#[tokio::test]
async fn an_optional_need_that_is_not_granted_refuses_by_the_call() {
    let ports = Ports::default();
    let kinds = [
        NeedKind::Http,
        NeedKind::Exec,
        NeedKind::Model,
        NeedKind::Budget,
    ];
    let mut wanted = Try::new(power_agent());
    wanted.powers.optional = kinds.to_vec();
    let script = "http GET http://host.test/ok;commands;command ls;models;generate local/x hi;remaining;charge a 1";
    let told = steps(&wanted, script).await;
    for (told, expected) in told.iter().zip([
        "err ErrorCode::HttpRequestDenied",
        "ok ",
        "err CommandError::NotGranted('grant a command: `exec = ",
        "ok ",
        "err ModelError::NotGranted('grant a model: `model = ",
        "ok Some(0)",
        "err BudgetError::Over(0)",
    ]) {
        assert!(told.starts_with(expected), "{told}, not {expected}");
    }
    // Each by itself, not all at once.
    for kind in kinds {
        let mut wanted = Try::new(power_agent());
        wanted.powers.optional = kinds.into_iter().filter(|other| *other != kind).collect();
        assert!(
            matches!(wanted.run("remaining").await, Outcome::Refused { .. }),
            "{kind:?}"
        );
    }
    // With a port it is as if it were not optional.
    let mut wanted = powerful(&ports);
    wanted.powers.optional = kinds.to_vec();
    assert_eq!(
        steps(&wanted, "remaining;command exit").await[0],
        "ok Some(1000)"
    );
    // Files: there is no directory to begin with.
    let mut wanted = Try::new(path_agent());
    wanted.powers.optional = vec![NeedKind::FilesRead];
    assert_eq!(wanted.text("root 0").await, "err no root");
}

#[tokio::test]
async fn commands() {
    let ports = Ports::default();
    let wanted = powerful(&ports);
    let told = steps(
        &wanted,
        "commands;command echo a -b c;command exit;command killed;command late;command flood;\
         command not-granted;command not-approved;command not-contained;command not-started;\
         command limit;command host",
    )
    .await;
    assert_eq!(told[0], "ok tests=cargo ['test'] false");
    assert!(
        told[1].starts_with("ok Ending::ExitCode(0) echo ['a', '-b', 'c'] Some('/work')"),
        "{told:?}"
    );
    assert!(told[2].contains("ExitCode(3)"));
    assert!(told[3].contains("Signal(9)"));
    assert!(told[4].contains("TimedOut(1500)"));
    // A port that gives more than the contract says is cut, at the front.
    assert!(told[5].contains("1048576 1048577 0"), "{}", told[5]);
    for (told, case) in told[6..].iter().zip([
        "NotGranted('add it')",
        "NotApproved('ask')",
        "NotContained('no landlock')",
        "NotStarted('no such program')",
        "Limit('too many')",
        "Host('broken')",
    ]) {
        assert_eq!(told, &format!("err CommandError::{case}"));
    }
    // Too large: never reaches the port.
    let before = ports.calls().len();
    for too_large in ["command-args 1025 1", "command-args 2 70000"] {
        let told = steps(&wanted, too_large).await;
        assert!(told[0].starts_with("err CommandError::Limit"), "{told:?}");
    }
    assert_eq!(ports.calls().len(), before);
    assert!(steps(&wanted, "command-args 1024 100").await[0].starts_with("ok"));
}

#[tokio::test]
async fn budget() {
    let ports = Ports::default();
    let wanted = powerful(&ports);
    let told = steps(
        &wanted,
        "remaining;charge lunch 300;charge dinner 900;charge secret 1;charge host 1",
    )
    .await;
    assert_eq!(
        told,
        [
            "ok Some(1000)",
            "ok ",
            "err BudgetError::Over(700)",
            "err BudgetError::NotApproved('ask')",
            "err BudgetError::Host('broken')"
        ]
    );
    let long = format!("charge {} 1", "w".repeat(100_000));
    steps(&wanted, &long).await;
    assert!(ports.calls().last().unwrap().len() < 600);
}

#[tokio::test]
async fn what_was_used_is_counted() {
    let ports = Ports::default();
    let report = powerful(&ports)
        .report("http GET http://host.test/ok;http GET http://host.test/denied;command exit;generate local/x hi;stream local/x hi;charge a 1;charge b 2;command-args 2000 1")
        .await;
    let stats = report.stats;
    assert_eq!(
        (
            stats.http_requests,
            stats.commands,
            stats.generations,
            stats.charges
        ),
        (2, 1, 2, 2)
    );
    // Also host calls are: each of these is one.
    let wanted = powerful(&ports).limits(|l| l.host_calls = 50);
    let script = vec!["remaining"; 100].join(";");
    let outcome = wanted.run(&script).await;
    assert!(
        matches!(outcome, Outcome::Limit { cap: 50, .. }),
        "{outcome:?}"
    );
}
