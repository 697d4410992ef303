//! Columns that line up. Cells are text that is already escaped and painted; the width is counted without colours.

use super::{Look, width};

/// Rows of cells under an optional heading.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Two spaces between columns: one is lost beside text with spaces in it.
const GAP: usize = 2;

/// The last column is not wrapped into less than this; the terminal may break it then.
const LAST_MIN: usize = 24;

impl Table {
    /// A table with a heading.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each indented by `indent` spaces. In a terminal the last column wraps at its edge.
    pub(crate) fn render(&self, look: &Look, indent: usize) -> String {
        let columns = self
            .rows
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .max(self.head.len());
        let heads = self.head.iter().map(|h| visible(h)).collect::<Vec<_>>();
        let widths: Vec<usize> = (0..columns)
            .map(|c| {
                let cells = self
                    .rows
                    .iter()
                    .filter_map(|r| r.get(c))
                    .map(|cell| visible(cell));
                cells.chain(heads.get(c).copied()).max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        if !self.head.is_empty() {
            let cells = self.head.iter().map(|h| look.dim(h)).collect::<Vec<_>>();
            push_row(&mut out, &cells, &widths, look, indent);
        }
        for row in &self.rows {
            push_row(&mut out, row, &widths, look, indent);
        }
        out
    }
}

fn push_row(out: &mut String, row: &[String], widths: &[usize], look: &Look, indent: usize) {
    let mut line = " ".repeat(indent);
    let mut at = indent;
    for (i, (cell, &w)) in row.iter().zip(widths).enumerate() {
        if i + 1 == row.len() {
            let room = look
                .wrap_at()
                .map_or(usize::MAX, |all| all.saturating_sub(at).max(LAST_MIN));
            let parts = wrap(cell, room);
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    line.push_str(&" ".repeat(at));
                }
                line.push_str(part);
                out.push_str(line.trim_end());
                out.push('\n');
                line.clear();
            }
            return;
        }
        line.push_str(cell);
        line.push_str(&" ".repeat(w.saturating_sub(visible(cell)) + GAP));
        at += w + GAP;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Columns of a text without its colours.
fn visible(text: &str) -> usize {
    let mut columns = 0;
    let mut rest = text;
    // Only our own styles are in here: foreign text was escaped, so every ESC starts one of them.
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        columns += width(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    columns + width(rest)
}

/// Breaks a text at spaces. A word that is longer than the line stays whole, so that it can be copied.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    if visible(text) <= room {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let w = visible(word);
        if used > 0 && used + 1 + w > room {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += w;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_up_and_wraps() {
        let mut table = Table::new(&["task", "state", "why"]);
        table.row(["a".into(), "succeeded".into(), String::new()]);
        table.row([
            "draft".into(),
            "ready".into(),
            "one two three four five six seven eight".into(),
        ]);
        assert_eq!(
            table.render(&Look::plain(), 2),
            "  task   state      why\n  a      succeeded\n  draft  ready      one two three four five six seven eight\n"
        );
        assert_eq!(
            table.render(&Look::plain().columns(47), 2),
            "  task   state      why\n  a      succeeded\n  draft  ready      one two three four five six\n                    seven eight\n"
        );
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(visible("\u{1b}[1m\u{1b}[31mab\u{1b}[0mc"), 3);
    }
}
