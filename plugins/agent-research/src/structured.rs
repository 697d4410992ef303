//! CSV and JSON: every row and every object is a passage, with its fields and its lines.

use crate::Kind;
use crate::passage::{self, Passage};
use sandgate_plugin_shared::{Row, Source, csv_rows, flatten};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Rows of a CSV file.
pub(crate) fn csv(path: &str, text: &str) -> Result<Vec<Passage>, String> {
    let rows = csv_rows(text).map_err(|error| error.to_string())?;
    Ok(rows
        .into_iter()
        .map(|(line, fields)| passage::row(path, (line, line), None, fields))
        .collect())
}

/// Objects of a JSON file: those of its lists, wherever they are, and what is left of the objects around them.
pub(crate) fn json(path: &str, text: &str) -> Result<Vec<Passage>, String> {
    let root: &RawValue =
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let mut reader = Reader {
        path,
        text,
        lines: text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at)
            .collect(),
        found: Vec::new(),
    };
    reader.value(root, &mut Vec::new(), 0);
    let mut found = reader.found;
    found.sort_by_key(|passage| passage.source.line_start);
    Ok(found)
}

/// Objects of a file with one JSON document a line.
pub(crate) fn json_lines(path: &str, text: &str) -> Result<Vec<Passage>, String> {
    let mut found = Vec::new();
    for (n, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let object: Row = serde_json::from_str(line)
            .map_err(|error| format!("line {} is not a JSON object: {error}", n + 1))?;
        found.push(passage::row(path, (n + 1, n + 1), None, flatten(&object)));
    }
    Ok(found)
}

/// Deepest nesting that is searched for lists; what is deeper stays part of its object.
const DEPTH: usize = 16;
/// A text in a list is a passage of its own when it has so many words; shorter ones are mere tags.
const SENTENCE: usize = 5;

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    /// Offsets of the line breaks.
    lines: Vec<usize>,
    found: Vec<Passage>,
}

impl<'a> Reader<'a> {
    fn value(&mut self, raw: &'a RawValue, above: &mut Vec<String>, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match raw.get().as_bytes().first() {
            Some(b'[') => {
                for item in serde_json::from_str::<Vec<&RawValue>>(raw.get()).unwrap_or_default() {
                    self.value(item, above, depth + 1);
                }
            }
            Some(b'{') => self.object(raw, above, depth),
            Some(b'"') => self.sentence(raw, above),
            _ => {}
        }
    }

    fn object(&mut self, raw: &'a RawValue, above: &mut Vec<String>, depth: usize) {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(raw.get()).unwrap_or_default();
        let is_object = |member: &&RawValue| member.get().starts_with('{');
        // Objects by name, such as { "summit": { … }, "orchard": { … } }: each is a passage.
        let named = members.len() > 1 && members.values().all(is_object);
        let mut own = if named {
            Row::default()
        } else {
            serde_json::from_str::<Row>(raw.get()).unwrap_or_default()
        };
        for (name, member) in members {
            if named || is_list_of_objects(own.get(&name)) {
                own.remove(&name);
                above.push(name);
                self.value(member, above, depth + 1);
                above.pop();
            }
        }
        let fields = flatten(&own);
        if !fields.is_empty() {
            let (lines, heading) = (self.lines_of(raw), heading(above));
            self.found
                .push(passage::row(self.path, lines, heading, fields));
        }
    }

    fn sentence(&mut self, raw: &'a RawValue, above: &[String]) {
        let text: String = serde_json::from_str(raw.get()).unwrap_or_default();
        if text.split_whitespace().count() < SENTENCE {
            return;
        }
        let (line_start, line_end) = self.lines_of(raw);
        self.found.push(Passage {
            kind: Kind::Text,
            source: Source {
                path: self.path.to_owned(),
                line_start,
                line_end,
                heading: heading(above),
            },
            text,
            fields: None,
        });
    }

    /// A raw value is a slice of the text, so its address tells its offset.
    fn lines_of(&self, raw: &RawValue) -> (usize, usize) {
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let line = |offset: usize| self.lines.partition_point(|&at| at < offset) + 1;
        (line(start), line(start + raw.get().len()))
    }
}

fn heading(above: &[String]) -> Option<String> {
    (!above.is_empty()).then(|| above.join(" > "))
}

fn is_list_of_objects(value: Option<&Value>) -> bool {
    value
        .and_then(Value::as_array)
        .is_some_and(|items| items.first().is_some_and(Value::is_object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(found: Result<Vec<Passage>, String>) -> Vec<String> {
        found
            .unwrap()
            .iter()
            .map(|p| {
                let heading = p.source.heading.as_deref().unwrap_or("-");
                format!(
                    "{}-{} {heading} | {}",
                    p.source.line_start,
                    p.source.line_end,
                    p.shown()
                )
            })
            .collect()
    }

    #[test]
    fn json_objects_have_lines() {
        let text = "{\n \"shop\": \"x\",\n \"items\": [\n  {\"n\": 1,\n   \"tags\": [\"a\", \"b\"]},\n  {\"n\": 2}\n ]\n}\n";
        assert_eq!(
            shape(json("a", text)),
            [
                "1-8 - | shop: x",
                "4-5 items | n: 1; tags: a, b",
                "6-6 items | n: 2"
            ]
        );
        assert_eq!(
            shape(json(
                "a",
                "{\"p\": {\"n\": 1},\n \"q\": {\"n\": {\"m\": 2}}}"
            )),
            ["1-1 p | n: 1", "2-2 q | n.m: 2"]
        );
        assert_eq!(
            shape(json("a", "[\"tag\", \"a sentence of five words\"]")).len(),
            1
        );
        assert!(json("a", "{").unwrap_err().starts_with("not JSON"));
    }

    #[test]
    fn one_document_a_line() {
        assert_eq!(
            shape(json_lines("a", "{\"n\":1}\n\n{\"n\":2}\n")),
            ["1-1 - | n: 1", "3-3 - | n: 2"]
        );
        assert!(json_lines("a", "{}\nx").unwrap_err().contains("line 2"));
    }
}
