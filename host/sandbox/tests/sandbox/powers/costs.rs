//! What each use of a capability costs on this side of its port. Printed for the documents; the bounds only catch what is
//! plainly wrong.

use super::ports::Ports;
use super::powerful;
use crate::paths::call;
use crate::support::*;
use crate::tree::{Tree, hex};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Uses in one call, so that making the instance does not count.
const USES: u32 = 500;

fn each(took: Duration) -> Duration {
    assert!(took < Duration::from_secs(5), "{took:?} for {USES} uses");
    took / USES
}

fn repeated(step: &str) -> String {
    vec![step; USES as usize].join(";")
}

#[tokio::test]
async fn what_a_use_costs() {
    for step in [
        "remaining",
        "charge a 0",
        "command exit",
        "generate local/x hi",
        "stream local/x a-b-c",
        "http GET http://host.test/ok",
    ] {
        let ports = Ports::default();
        let wanted = powerful(&ports);
        let since = Instant::now();
        wanted.text(&repeated(step)).await;
        println!("cost: {step}: {:?}", each(since.elapsed()));
    }
    let tree = Tree::new();
    let inside = hex("dir/inside.txt");
    for (what, step) in [
        ("stat", format!("stat {inside}")),
        ("open, read, close", format!("read {inside}")),
        ("open, write, close", format!("write {inside}")),
        (
            "make and remove a file",
            format!("create {0};unlink {0}", hex("dir/new")),
        ),
        ("list a directory of four", format!("list {}", hex("dir"))),
    ] {
        let call = call(vec![tree.grant("root", "/r", true)]);
        let task = Try::new(path_agent()).task(json!(format!("root 0;{}", repeated(&step))));
        let since = Instant::now();
        text(SANDBOX.run(&call, &Value::Null, task).await.outcome);
        println!("cost: {what}: {:?}", each(since.elapsed()));
    }
}
