//! What the corpus measured, a line each.

use super::{CAP_MIB, web::Servers};
use crate::harness::Project;
use serde_json::Value;
use std::{collections::BTreeMap, fs, time::Duration};

/// Rows, probes and escapes of an area.
#[derive(Default)]
struct Area {
    rows: usize,
    probes: u64,
    escapes: usize,
}

/// All of it.
#[derive(Default)]
pub(super) struct Figures {
    areas: BTreeMap<&'static str, Area>,
    /// Worst time over a deadline, in ms.
    pub(super) overrun: i64,
    /// Times of neighbours beside attacks, in ms.
    pub(super) beside: Vec<i64>,
    quiet: Vec<i64>,
    quiet_kib: i64,
    worst: (i64, String),
}

/// Most memory that a process ever had, in KiB; 0 when it is gone.
pub(super) fn peak_kib(pid: u32) -> i64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn p99(times: &[i64]) -> i64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted
        .get((sorted.len() * 99).div_ceil(100).saturating_sub(1))
        .copied()
        .unwrap_or(0)
}

impl Figures {
    /// Measures neighbours with nobody beside them: two chains.
    pub(super) fn quiet(&mut self) {
        let mut workflow = String::from("name = \"w\"\ngoal = \"Go on\"\nconcurrency = 2\n");
        for n in 0..120 {
            let needs = if n < 2 {
                String::new()
            } else {
                format!("needs = [\"n{}\"]\n", n - 2)
            };
            workflow += &format!(
                "\n[[task]]\nid = \"n{n}\"\nagent = \"fake\"\ninput = {{ sleep_ms = 5 }}\n{needs}"
            );
        }
        let project = Project::fake(&workflow);
        let mut running = project.start(&["run", "w.toml"]);
        while !running.ended() {
            self.quiet_kib = self.quiet_kib.max(peak_kib(running.pid()));
            std::thread::sleep(Duration::from_millis(2));
        }
        running.finish().expect(0);
        let summary = project.run(&["summary", "--format", "json"]).json();
        self.quiet = summary["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["took_ms"].as_i64().unwrap())
            .collect();
    }

    /// Takes note of a row.
    pub(super) fn row(&mut self, area: &'static str, told: &Value, escapes: usize) {
        let all = self.areas.entry(area).or_default();
        all.rows += 1;
        all.probes += told["probes"]
            .as_u64()
            .or_else(|| told["done"].as_u64())
            .unwrap_or(1);
        all.escapes += escapes;
    }

    /// Takes note of the host's peak.
    pub(super) fn peak(&mut self, row: &str, kib: i64) {
        if kib > self.worst.0 {
            self.worst = (kib, row.to_owned());
        }
    }

    /// Prints all.
    pub(super) fn print(&self, roles: &BTreeMap<&str, usize>, servers: &Servers) {
        let rows: usize = self.areas.values().map(|a| a.rows).sum();
        println!("corpus: {rows} rows, {roles:?}");
        for (name, area) in &self.areas {
            let word = if *name == "commands" {
                "ran that may not, or left a trace"
            } else {
                "escapes"
            };
            println!(
                "{name}: {} rows, {} probes, {} {word}",
                area.rows, area.probes, area.escapes
            );
        }
        println!(
            "network: {} connections to forbidden addresses (the twins made {})",
            servers.forbidden.accepted(),
            servers.twin.accepted()
        );
        println!("worst overrun of a deadline: {} ms", self.overrun);
        println!(
            "host memory: worst growth over the guest's cap: {} MiB (quiet {} MiB, worst {} MiB, cap {CAP_MIB} MiB, in {})",
            (self.worst.0 - self.quiet_kib) / 1024 - CAP_MIB,
            self.quiet_kib / 1024,
            self.worst.0 / 1024,
            self.worst.1
        );
        let (quiet, beside) = (p99(&self.quiet), p99(&self.beside));
        println!(
            "neighbour p99: quiet {quiet} ms, beside an attack {beside} ms, ratio {:.1} ({} and {} tasks)",
            beside as f64 / quiet.max(1) as f64,
            self.quiet.len(),
            self.beside.len()
        );
    }
}
