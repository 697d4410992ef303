//! A host that runs one command and is then killed.

use sandgate_authority::ExecAuthority;
use sandgate_exec::{Containment, Part, RunSpec, Runner, RunnerConfig};
use sandgate_model::{ExecGrant, Grants};
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Order {
    token: String,
    scratch: PathBuf,
    tools: String,
    namespaces: bool,
}

pub(super) fn run(order: &str) {
    let order: Order = serde_json::from_str(order).unwrap();
    let program = format!("{}/exec-test-program", order.tools);
    let args = vec!["storm".to_owned(), order.token];
    let grants = Grants {
        exec: vec![ExecGrant {
            name: "storm".to_owned(),
            program: program.clone(),
            args: args.clone(),
            cwd: None,
            env: std::collections::BTreeMap::new(),
            secrets: Vec::new(),
            network: false,
            read: vec![order.tools],
            timeout: None,
            approval: false,
        }],
        ..Grants::default()
    };
    let permit = ExecAuthority::new(&grants)
        .permit(&program, &args, None)
        .unwrap()
        .granted()
        .unwrap();
    let config = RunnerConfig {
        launcher: std::env::current_exe().unwrap(),
        scratch: order.scratch,
        ..RunnerConfig::default()
    };
    let mut containment = Containment::probe(&config.launcher);
    if !order.namespaces {
        containment = containment.without(&[Part::PidNamespace]);
    }
    let runner = Runner::with_containment(config, containment);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let end = runtime.block_on(runner.run(permit, RunSpec::default()));
    eprintln!("{end:?}");
}
