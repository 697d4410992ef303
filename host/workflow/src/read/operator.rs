//! Reads an operator's file.

use super::{
    limits, open,
    policy::{origin, pattern},
    project::mode,
};
use crate::{
    Code, Diagnostic, Diagnostics, Operator, Source,
    node::{Leaf, Node},
    shape::OPERATOR,
    structure::is_variable,
};
use sandgate_authority::{OperatorCeiling, Rule};
use std::sync::Arc;

/// Reads an operator's file. All mistakes are reported at once; there is a result only when none is an error.
#[must_use]
pub fn read_operator(source: &Arc<Source>) -> (Option<Operator>, Diagnostics) {
    let mut out = Diagnostics::default();
    let operator = open(source, &OPERATOR, &mut out).map(|doc| {
        let root = doc.root(&OPERATOR);
        Operator {
            ceiling: root.table("policy").map(|p| ceiling(source, p, &mut out)),
            limits: root
                .table("limits")
                .map(limits::operator)
                .unwrap_or_default(),
        }
    });
    let out = out.finish();
    (operator.filter(|_| !out.has_errors()), out)
}

fn ceiling(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> OperatorCeiling {
    fn rule<T>(source: &Source, leaf: Leaf<'_>, grant: T) -> Rule<T> {
        Rule {
            grant,
            origin: origin(source, leaf.span),
        }
    }
    // The word "none" has no items: nothing may be granted.
    let names = |key: &str| {
        node.get(key).map(|leaf| {
            let items = leaf.items();
            let names = items.iter().filter_map(Leaf::text);
            rule(source, leaf, names.map(|t| t.value.to_owned()).collect())
        })
    };
    for text in node.list("secrets").iter().filter_map(Leaf::text) {
        if !is_variable(text.value) {
            out.push(
                Diagnostic::new(
                    Code::BAD_NAME,
                    "this cannot name a secret",
                    source,
                    text.span,
                )
                .help("use letters, digits and `_`, such as \"API_TOKEN\""),
            );
        }
    }
    let yes = |key: &str| {
        let leaf = node.get(key)?;
        Some(rule(source, leaf, node.bool(key)?))
    };
    OperatorCeiling {
        files: node
            .get("files")
            .map(|leaf| rule(source, leaf, leaf.text().and_then(|t| mode(t.value)))),
        http: node.get("http").map(|leaf| {
            let items = leaf.items();
            let urls = items.iter().filter_map(Leaf::text);
            let grants = urls.filter_map(|t| pattern(source, &t, out)).collect();
            rule(source, leaf, grants)
        }),
        private: yes("private"),
        exec: names("exec"),
        network_commands: yes("network_commands"),
        model: names("model"),
        secrets: names("secrets"),
        charge: yes("charge"),
        question: yes("question"),
    }
}
