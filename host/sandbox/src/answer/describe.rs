//! A plugin's description of itself.

use super::Reasons;
use super::json::Reader;
use crate::bindings::exports::sandgate::plugin::describing::Description as Answer;
use crate::bindings::sandgate::plugin::types::NeedKind as Kind;
use sandgate_model::{Description, Need, NeedKind, PluginName};
use serde_json::Value;

/// Most bytes of text in a description, schemas included: it is read by people and kept in memory.
const TEXT_MAX: usize = 64 << 10;

/// Longest version.
const VERSION_MAX: usize = 64;

/// Longest summary: a line or two.
const SUMMARY_MAX: usize = 1 << 10;

/// Longest reason for a need: one line.
const REASON_MAX: usize = 500;

/// Most needs: each kind twice, once needed and once optional.
const NEEDS_MAX: usize = 16;

/// Most JSON values in its schemas.
const VALUES_MAX: usize = 10_000;

pub(crate) fn describe(answer: Answer) -> Result<Description, Vec<String>> {
    let mut reasons = Reasons::default();
    let schemas = [
        &answer.input_schema,
        &answer.output_schema,
        &answer.config_schema,
    ];
    let text = answer.name.len()
        + answer.version.len()
        + answer.summary.len()
        + answer.needs.iter().map(|n| n.reason.len()).sum::<usize>()
        + schemas
            .iter()
            .map(|s| s.as_ref().map_or(0, String::len))
            .sum::<usize>();
    if text > TEXT_MAX {
        reasons.add(format!(
            "the description has {text} bytes of text, and {TEXT_MAX} is the most"
        ));
    }
    if let Err(error) = PluginName::new(&answer.name) {
        reasons.add(format!(
            "the name {:?} is not accepted: {error}",
            answer.name
        ));
    }
    if !is_version(&answer.version) {
        reasons.add(format!(
            "the version {:?} is not a semantic version such as 1.2.3",
            answer.version
        ));
    }
    reasons.length(|| "the summary".to_owned(), &answer.summary, SUMMARY_MAX);
    if answer.needs.len() > NEEDS_MAX {
        reasons.add(format!(
            "{} needs, and {NEEDS_MAX} is the most",
            answer.needs.len()
        ));
    }
    let needs = answer
        .needs
        .into_iter()
        .take(NEEDS_MAX)
        .map(|need| {
            let kind = kind(need.kind);
            reasons.length(
                || format!("the reason for the need {kind:?}"),
                &need.reason,
                REASON_MAX,
            );
            Need {
                kind,
                reason: need.reason,
                optional: need.optional,
            }
        })
        .collect();
    let reader = Reader::new(TEXT_MAX, VALUES_MAX);
    let mut schema = |which: &str, text: Option<String>| -> Option<Value> {
        let text = text?;
        match reader.read(&text) {
            Ok(schema @ (Value::Object(_) | Value::Bool(_))) => Some(schema),
            Ok(_) => {
                reasons.add(format!(
                    "the {which} schema is not a JSON Schema: it has to be an object or a boolean"
                ));
                None
            }
            Err(error) => {
                reasons.add(format!("the {which} schema is not accepted: {error}"));
                None
            }
        }
    };
    let input_schema = schema("input", answer.input_schema);
    let output_schema = schema("output", answer.output_schema);
    let config_schema = schema("config", answer.config_schema);
    reasons.give(Description {
        name: answer.name,
        version: answer.version,
        summary: answer.summary,
        needs,
        input_schema,
        output_schema,
        config_schema,
    })
}

fn kind(kind: Kind) -> NeedKind {
    match kind {
        Kind::FilesRead => NeedKind::FilesRead,
        Kind::FilesWrite => NeedKind::FilesWrite,
        Kind::Http => NeedKind::Http,
        Kind::Exec => NeedKind::Exec,
        Kind::Model => NeedKind::Model,
        Kind::Secrets => NeedKind::Secrets,
        Kind::Question => NeedKind::Question,
        Kind::Budget => NeedKind::Budget,
    }
}

/// Three numbers, then optionally a pre-release and a build made of letters, digits, dots and hyphens.
fn is_version(text: &str) -> bool {
    let (rest, build) = text
        .split_once('+')
        .map_or((text, None), |(r, b)| (r, Some(b)));
    let (core, pre) = rest
        .split_once('-')
        .map_or((rest, None), |(c, p)| (c, Some(p)));
    let numbers: Vec<&str> = core.split('.').collect();
    text.len() <= VERSION_MAX
        && numbers.len() == 3
        && numbers.iter().all(|n| {
            !n.is_empty()
                && n.bytes().all(|b| b.is_ascii_digit())
                && (*n == "0" || !n.starts_with('0'))
        })
        && [pre, build].into_iter().flatten().all(|part| {
            part.split('.').all(|piece| {
                !piece.is_empty()
                    && piece
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            })
        })
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions() {
        for good in ["0.1.0", "1.2.3-rc.1+build.5", "10.20.30", "1.0.0+a-b"] {
            assert!(is_version(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "01.2.3",
            "1.2.x",
            "1.2.3-",
            "1.2.3-a..b",
            "v1.2.3",
            "1.2.3 ",
        ] {
            assert!(!is_version(bad), "{bad}");
        }
        assert!(!is_version(&format!("1.2.3-{}", "a".repeat(64))));
    }
}
