//! What this kernel offers to contain commands. Starts the launcher once, briefly, and nothing else.

use super::Finding;
use crate::context::Context;
use sandgate_exec::{Containment, Level};

/// One line for the whole, and one for each part that is missing.
pub(super) async fn look(ctx: &Context) -> Vec<Finding> {
    const WHAT: &str = "commands";
    const HINT: &str = "tasks that are granted commands are refused here; everything else works";
    let Some(launcher) = ctx.host_options().launcher else {
        return vec![Finding::error(
            WHAT,
            "the path of this program cannot be found out, so no command can be started",
            HINT,
        )];
    };
    let probe = tokio::task::spawn_blocking(move || Containment::probe(&launcher));
    let containment = match probe.await {
        Ok(containment) => containment,
        Err(error) => return vec![Finding::error(WHAT, error.to_string(), HINT)],
    };
    let have: Vec<String> = containment
        .parts()
        .iter()
        .filter_map(|part| Some(format!("{} ({})", part.part, part.state.as_ref().ok()?)))
        .collect();
    let mut findings = vec![match containment.sufficient() {
        Ok(Level::Namespaces) => Finding::ok(WHAT, format!("contained by {}", have.join(", "))),
        Ok(Level::Filtered) => Finding::warning(
            WHAT,
            format!("contained by {}", have.join(", ")),
            "without namespaces a filter keeps commands off the network; allow user namespaces for the full set",
        ),
        Err(why) => Finding::error(WHAT, why, HINT),
    }];
    for part in containment.parts() {
        if let Err(why) = &part.state {
            findings.push(Finding::warning(
                WHAT,
                format!("no {}: {why}", part.part),
                "see `host/docs/security.md`, \"Commands\"",
            ));
        }
    }
    findings
}
