//! Text generation: models that are not granted, wrong requests, providers that lie, streams without end.

use super::{CANARY, End, Row, Seen, wrong};
use sandgate_test_llm::LlmServer;
use std::sync::Arc;

const SPENT: End = End::FineOr(&["limit", "timeout", "budget", "model", "provider"]);

fn policy(server: &LlmServer, kind: &str, limit: &str) -> String {
    let url = if kind == "openai" {
        server.openai()
    } else {
        server.anthropic()
    };
    format!(
        "[policy]\nmodel = [{{ provider = \"local\", models = [\"*\"] }}]\n\
         secrets = [{{ name = \"API_TOKEN\", from = \"env\", to = \"provider:local\" }}]\n\n\
         [providers.local]\nkind = \"{kind}\"\nurl = \"{url}\"\nkey = \"API_TOKEN\"\ntimeout = \"2s\"\n\
         prices = {{ \"*\" = {{ input = 1, output = 2 }} }}\n\n[budget]\nlimit = {limit}\n"
    )
}

pub(super) fn rows() -> Vec<Row> {
    let server = Arc::new(LlmServer::start(Some(CANARY)).unwrap());
    let row = |act: &str, model: &str| {
        // The server lives as long as the rows do.
        let kept = Arc::clone(&server);
        Row::new(
            "models",
            sandgate_test_guests::model_agent(),
            format!("model = \"local/{model}\", {act}"),
        )
        .policy(policy(&server, "openai", "1.00"))
        .deadline(15_000)
        .look(move |s| told_nothing(s, &kept))
    };
    let only = policy(&server, "openai", "1.00").replace("\"*\"] }]", "\"echo\"] }]");
    let mut rows = vec![
        // The twin: the granted model answers.
        row("act = \"say\", text = \"hello\"", "echo"),
        asked(
            row("act = \"unknown\"", "echo").policy(&*only),
            &server,
            0,
            true,
        ),
        asked(
            row("act = \"say\", text = \"x\"", "tools")
                .policy(&*only)
                .end(End::Fails(&["model"])),
            &server,
            0,
            false,
        ),
        row("act = \"wrong\"", "echo"),
        asked(
            row("act = \"giant\", mib = 8", "echo").end(SPENT),
            &server,
            0,
            true,
        ),
        row("act = \"messages\", count = 10000", "echo").end(SPENT),
        row("act = \"repeat\", count = 60", "echo")
            .policy(policy(&server, "openai", "0.002"))
            .end(SPENT),
        row("act = \"drop\", count = 30", "long").end(SPENT),
        row("act = \"drop-after-one\", count = 30", "long").end(SPENT),
        row("act = \"hold\", count = 40", "endless")
            .deadline(6_000)
            .end(SPENT),
        row("act = \"after-the-end\"", "echo"),
        row("act = \"endless\", text = \"x\"", "endless").end(SPENT),
        row("act = \"endless\", text = \"x\"", "endless-line").end(SPENT),
        row("act = \"endless\", text = \"x\"", "endless-comments").end(SPENT),
        row("act = \"endless\", text = \"x\"", "drip").end(SPENT),
        row("act = \"say\", text = \"x\"", "slow-head").end(SPENT),
        row("act = \"say\", text = \"x\"", "stall").end(SPENT),
        row("act = \"say\", text = \"x\"", "error-401")
            .named("the key comes back")
            .end(End::Fails(&["model", "provider", "401", "key"])),
        row("act = \"say\", text = \"hello\"", "echo")
            .named("nothing granted")
            .policy("")
            .end(End::Refused(&[2, 5], "model")),
        asked(
            row("act = \"say\", text = \"hello\"", "echo")
                .policy(policy(&server, "openai", "0.000001"))
                .end(End::Fails(&["budget"])),
            &server,
            0,
            false,
        ),
    ];
    for kind in ["openai", "anthropic"] {
        for lie in [
            "usage-missing",
            "usage-negative",
            "usage-huge",
            "usage-overflow",
            "usage-nan",
            "tools-many",
        ] {
            let act = "act = \"say\", text = \"hello there\"";
            rows.push(
                row(act, lie)
                    .named(kind)
                    .policy(policy(&server, kind, "1.00"))
                    .end(SPENT),
            );
        }
    }
    rows
}

/// The key is nowhere, and what was spent is within the budget.
fn told_nothing(seen: &Seen<'_>, _server: &LlmServer) -> Result<(), String> {
    wrong(seen.told.to_string().contains(CANARY), || {
        "the guest holds the key".to_owned()
    })?;
    let summary = seen.project.run(&["summary", "--format", "json"]);
    if summary.stdout.is_empty() {
        return Ok(());
    }
    let micros = summary.json()["spent"]["micros"].as_i64().unwrap_or(0);
    wrong(!(0..=1_000_000).contains(&micros), || {
        format!("{micros} millionths were spent")
    })
}

/// The provider was asked so often, and perhaps nothing passed.
fn asked(row: Row, server: &Arc<LlmServer>, times: usize, nothing: bool) -> Row {
    let (server, before) = (Arc::clone(server), Arc::new(std::sync::Mutex::new(0)));
    let (counted, first, prepare) = (Arc::clone(&before), row.look, row.prepare);
    let other = Arc::clone(&server);
    Row {
        prepare: Box::new(move |project| {
            prepare(project);
            *before.lock().unwrap() = other.seen().len();
        }),
        look: Box::new(move |seen| {
            first(seen)?;
            let came = server.seen().len() - *counted.lock().unwrap();
            wrong(came != times, || {
                format!("the provider was asked {came} times")
            })?;
            if nothing {
                seen.nothing_passed()
            } else {
                Ok(())
            }
        }),
        ..row
    }
}
