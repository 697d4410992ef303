//! What containing a command costs: `true`, bare and contained, one after the other and two at a time.
//!
//! `cargo run --release -p sandgate-exec --example exec_bench [CALLS]`

use sandgate_authority::{ExecAuthority, Permission};
use sandgate_exec::{Containment, Ending, Part, RunSpec, Runner, RunnerConfig};
use sandgate_model::{ExecGrant, Grants};
use std::{
    io::Write,
    process::Command,
    time::{Duration, Instant},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    sandgate_exec::launcher::run_if_launched();
    let calls: usize = std::env::args().nth(1).map_or(Ok(200), |n| n.parse())?;
    let scratch = tempfile::tempdir()?;
    let config = RunnerConfig {
        launcher: std::env::current_exe()?,
        scratch: scratch.path().to_owned(),
        ..RunnerConfig::default()
    };
    let probe = Instant::now();
    let found = Containment::probe(&config.launcher);
    let probe = probe.elapsed();
    let less = found.clone().without(&[Part::PidNamespace]);
    let no_net = found.clone().without(&[Part::NetworkNamespace]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut out = std::io::stdout();
    writeln!(out, "probe of the machine: {:.1} ms", ms(probe))?;
    measure(&mut out, "bare", calls, || {
        Command::new("/bin/true")
            .env_clear()
            .status()
            .is_ok_and(|s| s.success())
    })?;
    for (what, containment) in [
        ("contained by namespaces", found),
        ("without that of the network", no_net),
        ("by Landlock and seccomp alone", less),
    ] {
        let runner = Runner::with_containment(config.clone(), containment);
        measure(&mut out, what, calls, || runtime.block_on(one(&runner)))?;
        let begin = Instant::now();
        let fine = runtime.block_on(async {
            let two = || async {
                let mut fine = true;
                for _ in 0..calls / 2 {
                    fine &= one(&runner).await;
                }
                fine
            };
            let (a, b) = tokio::join!(two(), two());
            a && b
        });
        let per = ms(begin.elapsed()) / f64::from(u32::try_from(calls)?);
        writeln!(
            out,
            "  two at a time: {per:.2} ms per call, all ended well: {fine}"
        )?;
    }
    Ok(())
}

async fn one(runner: &Runner) -> bool {
    let grants = Grants {
        exec: vec![ExecGrant {
            name: "true".to_owned(),
            program: "true".to_owned(),
            args: Vec::new(),
            cwd: None,
            env: std::collections::BTreeMap::new(),
            secrets: Vec::new(),
            network: false,
            read: Vec::new(),
            timeout: None,
            approval: false,
        }],
        ..Grants::default()
    };
    let Ok(Permission::Granted(permit)) = ExecAuthority::new(&grants).permit("true", &[], None)
    else {
        return false;
    };
    let end = runner.run(permit, RunSpec::default()).await;
    end.is_ok_and(|end| end.ending == Ending::Exit(0))
}

fn measure(
    out: &mut impl Write,
    what: &str,
    calls: usize,
    mut call: impl FnMut() -> bool,
) -> std::io::Result<()> {
    let mut times: Vec<Duration> = Vec::with_capacity(calls);
    let mut fine = 0;
    for _ in 0..calls {
        let begin = Instant::now();
        fine += usize::from(call());
        times.push(begin.elapsed());
    }
    times.sort();
    let at = |part: usize| {
        times
            .get(times.len().saturating_sub(1) * part / 100)
            .map_or(0.0, |t| ms(*t))
    };
    writeln!(
        out,
        "{what}: median {:.2} ms, 95 of 100 under {:.2} ms; {fine} of {calls} ended well",
        at(50),
        at(95)
    )
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1000.0
}
