//! The inspection packet as text.

use crate::ui::{Esc, Look, Table, count, line, money, size};
use sandgate_model::Packet;

/// Files listed at most; JSON has all of them.
const FILES_MAX: usize = 50;

/// The packet.
pub(crate) fn text(packet: &Packet, look: &Look) -> String {
    let mut out = format!("{}\n", look.bold("inspection packet"));
    let mut table = Table::default();
    table.row([look.dim("goal"), line(&packet.goal)]);
    for (name, value) in &packet.inputs {
        table.row([
            look.dim("input"),
            format!("{} = {}", Esc(name), Esc(&value.to_string())),
        ]);
    }
    if let Some(micros) = packet.budget_micros {
        table.row([look.dim("budget"), money(micros)]);
    }
    if !packet.written.is_empty() {
        let written: Vec<String> = packet.written.iter().map(|id| line(id)).collect();
        table.row([look.dim("written"), written.join(", ")]);
    }
    if packet.report.is_some() {
        table.row([
            look.dim("report"),
            "of an earlier run; `--format json` has it".to_owned(),
        ]);
    }
    out.push_str(&table.render(look, 2));

    let mut agents = Table::new(&["agent", "version", "summary"]);
    for agent in &packet.agents {
        let d = &agent.description;
        agents.row([agent.name.to_string(), line(&d.version), line(&d.summary)]);
    }
    section(
        &mut out,
        look,
        &count(packet.agents.len(), "agent"),
        &agents,
    );

    let mut gates = Table::new(&["gate", "uses", "summary"]);
    for gate in &packet.gates {
        gates.row([
            gate.id.to_string(),
            gate.plugin.to_string(),
            line(&gate.summary),
        ]);
    }
    section(&mut out, look, &count(packet.gates.len(), "gate"), &gates);

    let cut = if packet.files_cut {
        ", the list was cut"
    } else {
        ""
    };
    let mut files = Table::new(&["file", "size"]);
    for file in packet.files.iter().take(FILES_MAX) {
        files.row([line(&file.path), size(file.size)]);
    }
    let head = format!(
        "{} in granted directories{cut}",
        count(packet.files.len(), "file")
    );
    section(&mut out, look, &head, &files);
    if packet.files.len() > FILES_MAX {
        let more = count(packet.files.len() - FILES_MAX, "file");
        out.push_str(&look.dim(format!(
            "  … and {more} more; `--format json` has them all\n"
        )));
    }
    out
}

fn section(out: &mut String, look: &Look, head: &str, table: &Table) {
    out.push_str(&format!("\n{}\n", look.bold(head)));
    if !table.is_empty() {
        out.push_str(&table.render(look, 2));
    }
}
