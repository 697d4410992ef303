//! Finds the place of a part of a document that was read long ago. Parses the file again, once, and only when
//! there is something to report.

use crate::{Source, Span};
use std::cell::{Cell, OnceCell};
use toml::de::{DeTable, DeValue};

/// Searches in all. Each walks the tasks of the file; more than that many messages are not shown anyway.
const SEARCHES: u32 = crate::MAX_DIAGNOSTICS as u32;

pub(crate) struct Locator<'a> {
    source: &'a Source,
    document: OnceCell<DeTable<'a>>,
    left: Cell<u32>,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self {
            source,
            document: OnceCell::new(),
            left: Cell::new(SEARCHES),
        }
    }

    /// The place of the value behind a JSON pointer in the value at `outer`.
    pub(crate) fn inside(&self, outer: Span, pointer: &str) -> Option<Span> {
        self.left.set(self.left.get().checked_sub(1)?);
        let document = self.document.get_or_init(|| {
            DeTable::parse_recoverable(self.source.text())
                .0
                .into_inner()
        });
        let (mut value, mut span) = document
            .iter()
            .find_map(|(_, v)| find(v.get_ref(), v.span().into(), outer, 3))?;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match value {
                DeValue::Table(table) => {
                    table.iter().find(|(k, _)| k.get_ref().as_ref() == part)?.1
                }
                DeValue::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
            (value, span) = (next.get_ref(), next.span().into());
        }
        Some(span)
    }
}

/// The value with exactly this place, at most `levels` down: `task`, its items, their keys.
fn find<'a>(
    value: &'a DeValue<'a>,
    span: Span,
    wanted: Span,
    levels: u32,
) -> Option<(&'a DeValue<'a>, Span)> {
    if span == wanted {
        return Some((value, span));
    }
    let levels = levels.checked_sub(1)?;
    match value {
        DeValue::Array(items) => items
            .iter()
            .find_map(|v| find(v.get_ref(), v.span().into(), wanted, levels)),
        DeValue::Table(table) => table
            .iter()
            .find_map(|(_, v)| find(v.get_ref(), v.span().into(), wanted, levels)),
        _ => None,
    }
}
