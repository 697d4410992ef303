//! What a planner, an agent or a gate sees and does without a grant, and importers that are refused when they are loaded.

use super::{End, Role, Row, Seen, wrong};

fn probe(role: Role, act: &str) -> Row {
    let guest = if role == Role::Gate {
        sandgate_test_guests::probe_gate()
    } else {
        sandgate_test_guests::probe_planner()
    };
    Row::new("without a grant", guest, act).role(role)
}

/// Nothing of the machine.
fn nothing_of_the_host(seen: &Seen<'_>) -> Result<(), String> {
    let told = seen.told;
    let empty = |key: &str| told[key].as_array().is_some_and(Vec::is_empty);
    let good = empty("environment")
        && empty("arguments")
        && told["directory"].is_null()
        && told["stdin"]
            .as_str()
            .is_some_and(|t| t.contains("Closed") || t.starts_with("0 "))
        && told["terminal"] == false
        && told["nanoseconds"]
            .as_u64()
            .is_some_and(|n| n % 1_000_000 == 0);
    wrong(!good, || format!("it sees {told}"))
}

fn hostile(act: &str) -> Row {
    Row::new(
        "without a grant",
        sandgate_test_guests::hostile_agent(),
        format!("act = \"{act}\""),
    )
}

/// `word` as a gate tells it: what fails there is inconclusive, and the run is not verified.
fn in_both(act: &str, words: &'static [&'static str], ms: i64) -> [Row; 2] {
    [Role::Planner, Role::Gate].map(|role| probe(role, act).deadline(ms).end(End::Fails(words)))
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        probe(Role::Planner, "act = \"look\"").look(nothing_of_the_host),
        probe(Role::Gate, "act = \"look\"").look(nothing_of_the_host),
        probe(Role::Planner, "act = \"flood\", lines = 200000"),
        probe(Role::Gate, "act = \"flood\", lines = 200000"),
        hostile("environment"),
        hostile("stdin"),
        hostile("random:100000000").end(End::FineOr(&["trap", "limit"])),
        hostile("loop")
            .deadline(1_500)
            .end(End::Fails(&["timeout"])),
        hostile("sleep:600000")
            .deadline(1_500)
            .end(End::Fails(&["timeout"])),
        hostile("recurse").end(End::Fails(&["trap"])),
        hostile("grow").end(End::Fails(&["limit"])),
        hostile("hold:1000").end(End::Fails(&["limit"])),
        hostile("handles:1000000").end(End::Fails(&["limit"])),
        hostile("calls:100000000")
            .deadline(8_000)
            .end(End::Fails(&["limit", "timeout"])),
        hostile("empty-writes:300000"),
        hostile("progress:200000").end(End::FineOr(&["limit"])),
        hostile("log:300000"),
        hostile("log-long:10000000").end(End::FineOr(&["limit"])),
        hostile("huge:9").end(End::Fails(&["limit"])),
    ];
    rows.extend(in_both(
        "act = \"look\", bytes = 1000000",
        &["trap", "limit"],
        20_000,
    ));
    rows.extend(in_both(
        "act = \"exit\", code = 0",
        &["trap", "exit"],
        20_000,
    ));
    rows.extend(in_both("act = \"sleep\", ms = 600000", &["timeout"], 1_500));
    rows.extend(in_both("act = \"recurse\"", &["trap"], 20_000));
    rows.extend(in_both("act = \"grow\"", &["limit"], 20_000));
    // Whatever is granted, sockets are not there.
    for act in ["connect", "listen", "send", "lookup"] {
        rows.push(
            Row::new(
                "loaded",
                sandgate_test_guests::socket_agent(),
                format!("act = \"{act}\", address = \"127.0.0.1:9\", name = \"localhost\""),
            )
            .policy(
                "[policy]\nhttp = [{ allow = \"http://127.0.0.1:9/*\", methods = [\"GET\"] }]\n",
            )
            .end(End::Refused(&[2, 5], "wasi:sockets")),
        );
    }
    let greedy: [(Role, &'static [u8]); 3] = [
        (Role::Agent, sandgate_test_guests::greedy_agent()),
        (Role::Planner, sandgate_test_guests::greedy_planner()),
        (Role::Gate, sandgate_test_guests::greedy_gate()),
    ];
    for (role, guest) in greedy {
        rows.push(
            Row::new("loaded", guest, "act = \"take\"")
                .role(role)
                .end(End::Refused(&[2, 5], "files")),
        );
    }
    rows.push(
        Row::new(
            "loaded",
            sandgate_test_guests::hostile_describer(),
            "act = \"any\"",
        )
        .end(End::Refused(&[2], "guest")),
    );
    rows
}
