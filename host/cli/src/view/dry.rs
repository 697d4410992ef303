//! What a run would do, as text.

use crate::ui::{Look, Table, line, money};
use sandgate_driver::Prediction;

/// The prediction.
pub(crate) fn text(p: &Prediction, look: &Look) -> String {
    let mut out = String::new();
    section(&mut out, "would be refused", look, |table| {
        for d in &p.denials {
            table.row([look.bad(line(&d.who)), line(&d.why)]);
        }
    });
    section(&mut out, "would ask a person", look, |table| {
        for a in &p.approvals {
            table.row([line(&a.who), line(&a.what)]);
        }
    });
    section(&mut out, "gates", look, |table| {
        for g in &p.gates {
            table.row([
                line(&g.id),
                format!("tier {}", g.tier),
                look.dim(line(&g.plugin)),
            ]);
        }
    });
    let cost = match (p.cost.min_micros, p.cost.max_micros) {
        (0, Some(0)) => "nothing".to_owned(),
        (min, Some(max)) => format!("{} to {}", money(min), money(max)),
        (min, None) => format!("{} or more; no budget bounds it", money(min)),
    };
    out.push_str(&format!("\n{} {cost}\n", look.bold("would cost")));
    out
}

fn section(out: &mut String, head: &str, look: &Look, fill: impl FnOnce(&mut Table)) {
    let mut table = Table::default();
    fill(&mut table);
    out.push_str(&format!("\n{}\n", look.bold(head)));
    match table.is_empty() {
        true => out.push_str("  none\n"),
        false => out.push_str(&table.render(look, 2)),
    }
}
