//! How commands end: by themselves, by a signal, at their deadline, when they are dropped, when the host is killed. In
//! each case nothing is left.

use crate::kit::{Place, cmd, in_workspace, program, runtime, sweep, token, with_token};
use sandgate_exec::{Ending, Part, RunSpec, Runner};
use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// More with SANDGATE_EXEC_TIMEOUTS.
fn timeouts() -> usize {
    std::env::var("SANDGATE_EXEC_TIMEOUTS").map_or(100, |n| n.parse().unwrap())
}

fn lesser(place: &Place) -> Runner {
    let less = place.containment().without(&[Part::PidNamespace]);
    Runner::with_containment(place.config.clone(), less)
}

fn empty(place: &Place) -> bool {
    fs::read_dir(place.path("scratch")).is_ok_and(|mut d| d.next().is_none())
}

fn storm(place: &Place, token: &str) -> crate::kit::Cmd {
    cmd(
        place.tools.join("exec-test-program").to_str().unwrap(),
        &["storm", token],
    )
}

#[test]
fn codes_and_signals() {
    let place = Place::new();
    for runner in [place.runner(), lesser(&place)] {
        let end = |text: &str| {
            let run = runner.run(cmd("sh", &["-c", text]).permit(false), RunSpec::default());
            runtime().block_on(run).unwrap().ending
        };
        assert_eq!(end("exit 0"), Ending::Exit(0));
        assert_eq!(end("exit 7"), Ending::Exit(7));
        assert_eq!(end("exit 255"), Ending::Exit(255));
        assert_eq!(end("kill -9 $$"), Ending::Signal(9));
        assert_eq!(end("kill -TERM $$"), Ending::Signal(15));
        assert_eq!(end("kill -ABRT $$"), Ending::Signal(6));
    }
    assert!(empty(&place));
}

fn time_out(place: &Place, runner: &Runner, what: &str, n: usize) -> Duration {
    let runtime = runtime();
    let limit = Duration::from_millis(150);
    let mut worst = Duration::ZERO;
    let mut survivors = 0;
    let mut at = 0;
    while at < n {
        // A few at a time: each has its own namespace or watcher, and must not kill another's.
        let batch: Vec<String> = (at..n.min(at + 5))
            .map(|i| token(&format!("{what}-{i}")))
            .collect();
        at += batch.len();
        let ends = runtime.block_on(async {
            let tasks: Vec<_> = batch
                .iter()
                .map(|token| {
                    let permit = storm(place, token).permit(false);
                    let spec = RunSpec {
                        timeout: Some(limit),
                        ..RunSpec::default()
                    };
                    tokio::spawn(runner.run(permit, spec))
                })
                .collect();
            let mut ends = Vec::new();
            for t in tasks {
                ends.push(t.await.unwrap().unwrap());
            }
            ends
        });
        for end in ends {
            assert_eq!(end.ending, Ending::TimedOut(limit));
            worst = worst.max(end.took.saturating_sub(limit));
        }
        for token in &batch {
            survivors += with_token(token).len();
            sweep(token);
        }
    }
    assert_eq!(survivors, 0);
    assert!(empty(place));
    println!(
        "{n} timeouts with children that forked twice ({what}): 0 survivors, worst overrun {} ms",
        worst.as_millis()
    );
    worst
}

#[test]
fn nothing_survives_a_deadline() {
    let place = Place::new();
    // The storm does run and does leave processes: seen while it lasts.
    let token = token("storm");
    let runner = place.runner();
    runtime().block_on(async {
        let run = tokio::spawn(runner.run(storm(&place, &token).permit(false), RunSpec::default()));
        let until = Instant::now() + Duration::from_secs(10);
        while with_token(&token).len() < 8 {
            assert!(Instant::now() < until, "the storm does not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run.abort();
        // Dropped: everything goes, without anybody waiting for it.
        let begin = Instant::now();
        while !with_token(&token).is_empty() || !empty(&place) {
            assert!(
                begin.elapsed() < Duration::from_secs(2),
                "survivors of a drop"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        println!("dropped: gone after {} ms", begin.elapsed().as_millis());
    });
    time_out(&place, &runner, "namespaces", timeouts());
}

#[test]
fn nothing_survives_a_deadline_without_namespaces() {
    let place = Place::new();
    time_out(&place, &lesser(&place), "filtered", timeouts() / 4);
    // What the command leaves behind when it ends by itself is killed too.
    let token = token("left");
    let me = place.tools.join("exec-test-program");
    let text = format!(
        "{0} fork {1}; setsid -f {0} linger {1}; exit 3",
        me.display(),
        token
    );
    for runner in [place.runner(), lesser(&place)] {
        let run = runner.run(cmd("sh", &["-c", &text]).permit(false), RunSpec::default());
        let end = runtime().block_on(run).unwrap();
        assert_eq!(
            end.ending,
            Ending::Exit(3),
            "{}",
            String::from_utf8_lossy(&end.stderr)
        );
        assert_eq!(with_token(&token), Vec::<i32>::new());
    }
}

#[test]
fn nothing_survives_a_killed_host() {
    let place = Place::new();
    let mut worst = Duration::ZERO;
    let mut kills = 0;
    for (round, namespaces) in [true, false].into_iter().cycle().take(10).enumerate() {
        let token = token(&format!("host-{round}"));
        let order = serde_json::json!({
            "token": token,
            "scratch": place.path("host-scratch"),
            "tools": place.tools,
            "namespaces": namespaces,
        });
        let mut host = Command::new(program())
            .args(["host", &order.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while with_token(&token).len() < 8 {
            assert!(
                Instant::now() < until,
                "the host does not start its command"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        host.kill().unwrap();
        let begin = Instant::now();
        while !with_token(&token).is_empty() {
            if begin.elapsed() > Duration::from_secs(1) {
                let left = with_token(&token);
                sweep(&token);
                panic!("{left:?} live a second after their host (namespaces: {namespaces})");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        worst = worst.max(begin.elapsed());
        kills += 1;
        host.wait().unwrap();
    }
    // What the host could not remove is found at the next start.
    let left = || fs::read_dir(place.path("host-scratch")).unwrap().count();
    assert!(left() > 0);
    sandgate_exec::remove_leftovers(&place.path("host-scratch")).unwrap();
    assert_eq!(left(), 0);
    println!(
        "{kills} hosts killed: 0 survivors, all gone after at most {} ms",
        worst.as_millis()
    );
}

/// More processes than are allowed cannot be had, and the machine goes on.
#[test]
fn a_fork_bomb_stays_in_its_limits() {
    let mut place = Place::new();
    place.config.limits.processes = 400;
    let ws = place.workspace("ws");
    let mut spec = in_workspace(&ws);
    spec.timeout = Some(Duration::from_millis(700));
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 60";
    let run = place
        .runner()
        .run(cmd("bash", &["-c", bomb]).permit(true), spec);
    let end = runtime().block_on(run).unwrap();
    println!(
        "fork bomb: {:?} after {} ms",
        end.ending,
        end.took.as_millis()
    );
    assert!(end.took < Duration::from_secs(6), "{end:?}");
}

#[test]
fn limits_hold() {
    let mut place = Place::new();
    place.config.limits.file_size = 1 << 20;
    place.config.limits.open_files = 64;
    let ws = place.workspace("ws");
    let run = |text: &str| {
        let end = place
            .runner()
            .run(cmd("sh", &["-c", text]).permit(true), in_workspace(&ws));
        runtime().block_on(end).unwrap()
    };
    let end = run("ulimit -c; ulimit -n; head -c 3000000 /dev/zero > big; wc -c < big");
    let out = String::from_utf8_lossy(&end.stdout).into_owned();
    assert_eq!(
        out.split_whitespace().collect::<Vec<_>>(),
        ["0", "64", "1048576"],
        "{end:?}"
    );
}
