//! Text and Markdown: paragraphs under their headings, and the rows of tables.
//!
//! Short neighbours in a section are joined, so that a one-line paragraph is not ranked without its
//! surroundings; long blocks are cut.

use crate::Kind;
use crate::passage::{self, Passage};
use sandgate_plugin_shared::{Row, Source, typed};

/// A passage with fewer words takes the next paragraph of its section in.
const FEW_WORDS: usize = 30;
/// A block with more words is cut at the end of the line: a reader checks a citation at a glance.
const MANY_WORDS: usize = 160;

/// Passages of a text; headings and tables only where `markdown` says so.
pub(crate) fn split(path: &str, text: &str, markdown: bool) -> Vec<Passage> {
    // Line by line: a list of all lines would need more memory than the text.
    let mut lines = (1..).zip(text.lines()).peekable();
    let mut splitter = Splitter {
        path,
        headings: Vec::new(),
        open: None,
        found: Vec::new(),
    };
    let mut fenced = false;
    while let Some((number, line)) = lines.next() {
        if markdown && is_fence(line) {
            fenced = !fenced;
        } else if markdown && !fenced {
            if let Some((level, title)) = heading(line) {
                splitter.flush();
                splitter.headings.retain(|(above, _)| *above < level);
                splitter.headings.push((level, title));
                continue;
            }
            let below = lines.peek().map(|(_, below)| *below);
            if let Some(header) = table_header(line, below) {
                splitter.flush();
                lines.next();
                while let Some(cells) = lines.peek().and_then(|(_, row)| table_cells(row)) {
                    if let Some((number, _)) = lines.next() {
                        splitter.table_row(number, &header, &cells);
                    }
                }
                continue;
            }
        }
        if line.trim().is_empty() && !fenced {
            splitter.end_of_paragraph();
        } else {
            splitter.line(number, line);
        }
    }
    splitter.flush();
    splitter.found
}

struct Open {
    first: usize,
    last: usize,
    words: usize,
    text: String,
    /// An empty line came since the last line of text.
    gap: bool,
}

struct Splitter<'a> {
    path: &'a str,
    headings: Vec<(usize, String)>,
    open: Option<Open>,
    found: Vec<Passage>,
}

impl Splitter<'_> {
    fn line(&mut self, number: usize, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let open = self.open.get_or_insert_with(|| Open {
            first: number,
            last: number,
            words: 0,
            text: String::new(),
            gap: false,
        });
        if !open.text.is_empty() {
            open.text.push_str(if open.gap { "\n\n" } else { "\n" });
        }
        open.gap = false;
        open.text.push_str(line.trim_end());
        open.last = number;
        open.words += line.split_whitespace().count();
        if open.words >= MANY_WORDS {
            self.flush();
        }
    }

    fn end_of_paragraph(&mut self) {
        if let Some(open) = &mut self.open {
            open.gap = true;
            if open.words >= FEW_WORDS {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if let Some(open) = self.open.take() {
            self.found.push(Passage {
                kind: Kind::Text,
                source: Source {
                    path: self.path.to_owned(),
                    line_start: open.first,
                    line_end: open.last,
                    heading: self.heading_path(),
                },
                text: open.text,
                fields: None,
            });
        }
    }

    fn table_row(&mut self, number: usize, header: &[String], cells: &[String]) {
        let fields: Row = header
            .iter()
            .zip(cells)
            .filter(|(name, cell)| !name.is_empty() && !cell.is_empty())
            .map(|(name, cell)| (name.clone(), typed(cell)))
            .collect();
        if !fields.is_empty() {
            let heading = self.heading_path();
            self.found
                .push(passage::row(self.path, (number, number), heading, fields));
        }
    }

    fn heading_path(&self) -> Option<String> {
        let titles: Vec<_> = self
            .headings
            .iter()
            .map(|(_, title)| title.as_str())
            .collect();
        (!titles.is_empty()).then(|| titles.join(" > "))
    }
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.bytes().take_while(|&byte| byte == b'#').count();
    let title = line.get(level..)?;
    let is_heading = (1..=6).contains(&level) && title.starts_with([' ', '\t']);
    is_heading.then(|| {
        (
            level,
            title.trim().trim_end_matches('#').trim_end().to_owned(),
        )
    })
}

/// The columns, when `line` is the header of a table: the line below it has only dashes and colons.
fn table_header(line: &str, below: Option<&str>) -> Option<Vec<String>> {
    let cells = table_cells(line)?;
    let rule = table_cells(below?)?;
    let is_rule = rule
        .iter()
        .all(|cell| cell.contains('-') && cell.chars().all(|c| matches!(c, '-' | ':')));
    is_rule.then_some(cells)
}

fn table_cells(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let inner = line.strip_prefix('|')?;
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    Some(
        inner
            .split('|')
            .map(|cell| cell.trim().trim_matches('*').to_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str, markdown: bool) -> Vec<String> {
        split("a", text, markdown)
            .iter()
            .map(|p| {
                let heading = p.source.heading.as_deref().unwrap_or("-");
                format!(
                    "{}-{} {heading} | {}",
                    p.source.line_start,
                    p.source.line_end,
                    p.shown().replace('\n', "/")
                )
            })
            .collect()
    }

    #[test]
    fn sections_and_tables() {
        let text = "# A\n\none\n\ntwo\n## B ##\nthree\n\n| x | y |\n|---|--:|\n| p | 1.5 |\n| q | |\n\n```\n# code\n\nmore\n```\n# C\nend";
        assert_eq!(
            shape(text, true),
            [
                "3-5 A | one//two",
                "7-7 A > B | three",
                "11-11 A > B | x: p; y: 1.5",
                "12-12 A > B | x: q",
                "14-18 A > B | ```/# code/more/```",
                "20-20 C | end",
            ]
        );
    }

    #[test]
    fn long_paragraphs_stand_alone_and_very_long_ones_are_cut() {
        let long = "word ".repeat(FEW_WORDS);
        assert_eq!(split("a", &format!("{long}\n\nshort"), false).len(), 2);
        let endless = format!("{}\n", "word ".repeat(10)).repeat(40);
        assert_eq!(split("a", &endless, false).len(), 3);
        assert_eq!(shape("# not a heading", false), ["1-1 - | # not a heading"]);
    }
}
