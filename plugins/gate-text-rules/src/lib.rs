//! `text-rules`: a text holds rules that anybody can write down: patterns it must and must not have, length,
//! citations, names it must mention.
//!
//! One check for each rule. No rule, or nothing to look at, is inconclusive: a gate that checks nothing must
//! not let anything through. Patterns are those of `regex-lite` (the syntax of `regex` with ASCII classes) with
//! `^` and `$` at every line.

mod rules;

use rules::Rules;
use sandgate_plugin::{Check, Config, Description, Gate, Result, Subject, Target};
use serde_json::{Value, json};

struct TextRules;

impl Gate for TextRules {
    fn describe() -> Description {
        Description::new(
            "text-rules",
            env!("CARGO_PKG_VERSION"),
            "Checks a text against rules: patterns, length, citations, words it must mention",
        )
        .config_schema(config_schema())
    }

    fn check(subject: Subject, config: Config) -> Result<Vec<Check>> {
        let rules: Rules = config.parse()?;
        rules.check(&subject)
    }
}

fn config_schema() -> Value {
    let patterns = json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
    let count = json!({ "type": "integer", "minimum": 0 });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "target": Target::schema(),
            "must_match": patterns,
            "must_not_match": patterns,
            "must_mention": patterns,
            "min_words": count,
            "max_words": count,
            "min_citations": count
        }
    })
}

sandgate_plugin::export!(gate: TextRules);
