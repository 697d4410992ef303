//! Commands: bent arguments, other programs, other directories, floods, and what a granted command tries itself.

use super::{CANARY, End, Row, Seen, web::Servers, wrong};
use std::{fs, sync::atomic::Ordering};

const FILES: &str = "files = [{ host = \"work\", guest = \"/work\", mode = \"write\" }]\n";
/// Each start leaves a line.
const MARK: &str = "echo ran >> ran.txt";

fn rule(program: &str, args: &[&str], more: &str) -> String {
    format!(
        "[policy]\n{FILES}exec = [{{ program = {program:?}, args = {args:?}, approval = \"none\"{more} }}]\n"
    )
}

fn row(act: &str, program: &str, args: &[&str]) -> Row {
    let name = act.split('"').nth(1).unwrap_or("").to_owned();
    Row::new(
        "commands",
        sandgate_test_guests::command_agent(),
        format!("program = {program:?}, args = {args:?}, {act}"),
    )
    .named(&name)
    .policy(rule(program, args, ""))
}

/// How often the marked command ran.
fn ran(seen: &Seen<'_>) -> usize {
    let text = fs::read_to_string(seen.project.dir().join("work/ran.txt")).unwrap_or_default();
    text.lines().count()
}

fn never(seen: &Seen<'_>) -> Result<(), String> {
    seen.nothing_passed()?;
    let started = seen.count("call-started");
    wrong(ran(seen) + started != 0, || {
        format!("{} ran, {started} started", ran(seen))
    })
}

/// A filling as the guest told it: the debug text of the first 80 characters.
fn is(kind: &str, filling: &str) -> bool {
    let inner = filling.trim_matches('"');
    let all = |good: fn(char) -> bool| !inner.is_empty() && inner.chars().all(good);
    let shape = match kind {
        "int" => all(|c| c.is_ascii_digit()),
        "hex" => all(|c| c.is_ascii_hexdigit()),
        "word" => all(|c| c.is_ascii_alphanumeric() || "_.:@+-".contains(c)),
        "path" => !inner.starts_with('/') && !inner.split('/').any(|p| p == ".."),
        // Text is one line without control characters; a space that does not break is none.
        _ => !["\\n", "\\r", "\\0", "\\u{0", "\\u{1"]
            .iter()
            .any(|e| inner.contains(e)),
    };
    shape && !inner.starts_with('-')
}

/// Processes that are this command.
fn alive(mark: &str) -> usize {
    let procs = fs::read_dir("/proc").into_iter().flatten().flatten();
    procs
        .filter(|p| {
            let line = fs::read(p.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line)
                .split('\0')
                .any(|arg| arg == mark)
        })
        .count()
}

/// A command that the rule lets take a second; nothing of it is alive afterwards.
fn timed(name: &str, script: &str, mark: &'static str) -> Row {
    let script = script.replace('@', mark);
    row("act = \"measure\"", "sh", &["-c", &script])
        .named(name)
        .policy(rule("sh", &["-c", &script], ", timeout = \"1s\""))
        .look(move |seen| {
            let ending = seen.told["ending"].as_str().unwrap_or("");
            let late = seen.told["ms"].as_u64().is_none_or(|ms| ms > 4_000);
            wrong(!ending.contains("TimedOut") || late, || {
                seen.told.to_string()
            })?;
            wrong(alive(mark) != 0, || {
                format!("{} processes are alive", alive(mark))
            })
        })
}

pub(super) fn rows(servers: &Servers) -> Vec<Row> {
    let marked = ["-c", MARK];
    let (forbidden, twin) = (servers.forbidden.port, servers.twin.port);
    let (count, twins) = (servers.forbidden.counter(), servers.twin.counter());
    let connect = |port: u16| format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
    let (to_forbidden, to_twin) = (connect(forbidden), connect(twin));
    let roam = "cat ../secret.txt; cat /proc/$PPID/environ; echo x > ../x.txt; echo x > ../beside/keep.txt; \
                ln ../secret.txt hard; ln -s ../secret.txt soft; cat soft; rm -rf ../beside; mv ../secret.txt .; \
                kill -9 $PPID; env; cat ../sandgate.toml; echo x >> ../.sandgate/journal.db; true";
    let mut rows = vec![
        // The twin: exactly as the rule says it runs, once.
        row("act = \"run\"", "sh", &marked)
            .look(|s| wrong(ran(s) != 1, || "it did not run".to_owned())),
        row("act = \"programs\"", "sh", &marked).look(never),
        row("act = \"arguments\"", "sh", &marked).look(never),
        row("act = \"many-args\", count = 100000", "sh", &marked)
            .look(never)
            .end(End::FineOr(&["limit"])),
        row("act = \"long-arg\", bytes = 8388608", "sh", &marked)
            .end(End::FineOr(&["limit"]))
            .look(never),
        row("act = \"long-program\", bytes = 8388608", "sh", &marked)
            .end(End::FineOr(&["limit"]))
            .look(never),
        row("act = \"refused-flood\", count = 3000", "sh", &marked)
            .end(End::FineOr(&["limit"]))
            .look(|s| {
                never(s)?;
                wrong(s.events.len() > 3_000, || {
                    format!("{} events", s.events.len())
                })
            }),
        row("act = \"ask-flood\", count = 20000", "sh", &marked).end(End::FineOr(&["limit"])),
        row("act = \"flood\", count = 60", "sh", &marked)
            .policy(format!(
                "{}\n[limits]\neffects = 10\n",
                rule("sh", &marked, "")
            ))
            .end(End::FineOr(&["limit"]))
            .look(|s| wrong(ran(s) > 10, || format!("{} ran", ran(s)))),
        row(
            "act = \"directories\", root = \"/work\"",
            "sh",
            &["-c", "pwd -P; echo ran >> ran.txt"],
        )
        .look(|s| {
            let work = fs::canonicalize(s.project.dir().join("work")).unwrap();
            let out = s.passed().into_iter().find(|(_, got)| {
                let place = got
                    .strip_prefix("exit 0: ")
                    .unwrap_or(got)
                    .split('\n')
                    .next()
                    .unwrap_or("")
                    .to_owned();
                let place = std::path::Path::new(&place);
                !(place.starts_with("/work") || place.starts_with(&work))
            });
            wrong(out.is_some(), || format!("it ran in {out:?}"))
        }),
        row(
            "act = \"measure\"",
            "sh",
            &[
                "-c",
                "head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2",
            ],
        )
        .named("output")
        .look(|s| {
            let sizes =
                [&s.told["stdout"], &s.told["stderr"]].map(|v| v.as_u64().unwrap_or(u64::MAX));
            let dropped = s.told["dropped"].as_u64().unwrap_or(0);
            wrong(sizes.iter().any(|n| *n > 1 << 20) || dropped == 0, || {
                s.told.to_string()
            })
        }),
        row("act = \"measure\"", "sh", &["-c", roam]).named("roam"),
        row("act = \"measure\"", "bash", &["-c", &to_forbidden])
            .named("connect")
            .look(move |s| {
                let came = count.load(Ordering::SeqCst);
                wrong(came != 0 || s.told["tail"] == "connected\n", || {
                    format!("{came} connections, {}", s.told)
                })
            }),
        row("act = \"measure\"", "bash", &["-c", &to_twin])
            .named("connect, granted")
            .policy(rule("bash", &["-c", &to_twin], ", network = true"))
            .look(move |s| {
                wrong(twins.load(Ordering::SeqCst) == 0, || {
                    format!("the twin did not count: {}", s.told)
                })
            }),
        timed("sleep", "sleep @", "98761"),
        timed(
            "double fork",
            "(setsid sleep @ &) ; setsid sh -c 'sleep @ & sleep @' & sleep @",
            "98762",
        ),
        timed(
            "many",
            "for i in $(seq 60); do sleep @ & done; wait",
            "98763",
        ),
        timed(
            "deaf",
            "trap '' TERM INT HUP; while :; do sleep @; done",
            "98764",
        ),
        row(
            "act = \"measure\"",
            "sh",
            &["-c", "setsid sleep 98765 & echo left"],
        )
        .named("left behind")
        .look(|_| {
            wrong(alive("98765") != 0, || {
                "a process is left behind".to_owned()
            })
        }),
        row("act = \"run\"", "sh", &marked)
            .named("nothing granted")
            .policy("")
            .end(End::Refused(&[2, 5], "exec")),
        row("act = \"run\"", "sh", &marked)
            .named("not approved")
            .policy(rule("sh", &marked, "").replace("\"none\"", "\"required\""))
            .end(End::Waits)
            .look(never),
    ];
    for kind in ["word", "int", "hex", "path", "text"] {
        let template = ["-c", "echo ran >> ran.txt", &format!("{{x:{kind}}}")];
        rows.push(
            row("act = \"holes\", hole = 2", "sh", &["-c", MARK, "x"])
                .named(kind)
                .policy(rule("sh", &template, ""))
                .look(move |s| {
                    let bad = s.passed().into_iter().find(|(probe, _)| !is(kind, probe));
                    wrong(bad.is_some(), || format!("{bad:?}"))?;
                    wrong(ran(s) != s.passed().len(), || {
                        format!("{} ran, {} passed", ran(s), s.passed().len())
                    })?;
                    wrong(s.told.to_string().contains(CANARY), || {
                        "a canary".to_owned()
                    })
                }),
        );
    }
    rows
}
