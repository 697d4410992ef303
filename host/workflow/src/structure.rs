//! Checks a file against its shape: unknown keys, wrong types, missing keys, words, names, durations, sizes. Knows
//! nothing of what the keys mean. Everything that the readers take without a word has been checked here.

use crate::{
    Code, Diagnostic, Diagnostics, Source, Span, scalar,
    shape::{Field, Kind, Shape},
    suggest::{list, nearest},
};
use sandgate_model::{ArtifactName, NameError, TaskId};
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Deepest value that becomes JSON; what the contract says of documents.
const JSON_DEPTH: usize = 60;

/// A check in progress.
pub(crate) struct Structure<'a> {
    pub(crate) source: &'a Arc<Source>,
    pub(crate) out: &'a mut Diagnostics,
    /// The file has syntax errors: what is missing may only have been lost.
    pub(crate) broken: bool,
}

impl Structure<'_> {
    fn report(&mut self, code: Code, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::new(code, message, self.source, span)
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// Checks a table; `span` is its header, or itself when it is inline.
    pub(crate) fn table(&mut self, table: &DeTable<'_>, span: Span, shape: &'static Shape) {
        for (key, value) in table {
            let at = Span::from(key.span());
            match shape.field(key.get_ref()) {
                Some(field) => {
                    self.value(value.get_ref(), value.span().into(), field.key, &field.kind)
                }
                None => self.unknown(key.get_ref(), at, shape),
            }
        }
        for field in shape.fields {
            if field.required && !self.broken && !table.contains_key(field.key) {
                self.missing(field, span, shape);
            }
        }
    }

    fn unknown(&mut self, key: &str, span: Span, shape: &'static Shape) {
        let keys = || shape.fields.iter().map(|f| f.key);
        let help = match nearest(key, keys()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "{} has {}",
                shape.what,
                list(&keys().collect::<Vec<_>>()).replace(" or ", " and ")
            ),
        };
        let found = self
            .report(
                Code::UNKNOWN_KEY,
                format!("{} has no key `{key}`", shape.what),
                span,
            )
            .label("unknown key")
            .help(help);
        self.push(found);
    }

    fn missing(&mut self, field: &'static Field, span: Span, shape: &'static Shape) {
        let found = self
            .report(
                Code::MISSING_KEY,
                format!("{} needs the key `{}`", shape.what, field.key),
                span,
            )
            .label(format!("`{}` is missing", field.key))
            .help(format!("add {} = {}", field.key, example(&field.kind)));
        self.push(found);
    }

    fn wrong_type(&mut self, name: &str, value: &DeValue<'_>, span: Span, kind: &'static Kind) {
        let found = self
            .report(
                Code::WRONG_TYPE,
                format!("`{name}` is {}, not {}", type_word(value), kind_word(kind)),
                span,
            )
            .label(format!("expected {}", kind_word(kind)))
            .help(format!("write {}", example_line(name, kind)));
        self.push(found);
    }

    fn value(&mut self, value: &DeValue<'_>, span: Span, name: &str, kind: &'static Kind) {
        match (kind, value) {
            (Kind::Text(most), DeValue::String(text)) => self.text(text, span, name, *most),
            (Kind::Free(most), DeValue::String(text)) => self.length(text, span, name, *most),
            (Kind::Int(low, high), DeValue::Integer(number)) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
                if !parsed.is_some_and(|n| (*low..=*high).contains(&n)) {
                    let found = self
                        .report(
                            Code::OUT_OF_RANGE,
                            format!("`{name}` is out of range"),
                            span,
                        )
                        .label(format!("expected {}", range(*low, *high)))
                        .help(format!("write a whole number: {}", range(*low, *high)));
                    self.push(found);
                }
            }
            (Kind::Amount, DeValue::Integer(_) | DeValue::Float(_)) => {
                if amount(value).is_none() {
                    let found = self
                        .report(Code::OUT_OF_RANGE, format!("`{name}` is not an amount"), span)
                        .help("write a number that is not negative, with at most six decimals, such as 5.00");
                    self.push(found);
                }
            }
            (Kind::Bool | Kind::BoolOr(_), DeValue::Boolean(_)) => {}
            (Kind::Duration { zero }, DeValue::String(text)) => match scalar::duration(text) {
                Ok(span_of_time) if span_of_time.0 > 0 || *zero => {}
                Ok(_) => {
                    let found = self
                        .report(Code::BAD_DURATION, format!("`{name}` cannot be zero"), span)
                        .help(format!(
                            "leave `{name}` out, or write a duration such as \"90s\""
                        ));
                    self.push(found);
                }
                Err(help) => {
                    let found = self
                        .report(
                            Code::BAD_DURATION,
                            format!("`{name}` is not a duration"),
                            span,
                        )
                        .label("cannot be read")
                        .help(help);
                    self.push(found);
                }
            },
            (Kind::Size(least), DeValue::String(text)) => match scalar::size(text) {
                Ok(bytes) if bytes >= *least => {}
                Ok(_) => {
                    let found = self
                        .report(
                            Code::OUT_OF_RANGE,
                            format!("`{name}` is too small to run anything"),
                            span,
                        )
                        .help(format!("write at least \"{}\"", scalar::show_size(*least)));
                    self.push(found);
                }
                Err(help) => {
                    let found = self
                        .report(Code::BAD_SIZE, format!("`{name}` is not a size"), span)
                        .label("cannot be read")
                        .help(help);
                    self.push(found);
                }
            },
            (Kind::Name(what), DeValue::String(text)) => self.name(text, span, what),
            (Kind::TaskId, DeValue::String(text)) => {
                if let Err(error) = TaskId::new(text) {
                    self.bad_name(text, span, "task", &error);
                }
            }
            (Kind::Word(words), DeValue::String(text)) => self.word(text, span, name, words),
            // The readers look at what a pattern means, and say more than "does not match".
            (Kind::Pattern(..), DeValue::String(text)) => self.text(text, span, name, 4096),
            (Kind::Json, _)
            | (Kind::JsonTable, DeValue::Table(_))
            | (Kind::JsonList, DeValue::Array(_)) => {
                self.json(value, span, JSON_DEPTH);
            }
            (Kind::List(inner), DeValue::Array(items)) => {
                for item in items.iter() {
                    self.value(item.get_ref(), item.span().into(), name, inner);
                }
            }
            (Kind::Table(shape), DeValue::Table(table))
            | (Kind::TextOr(_, shape) | Kind::BoolOr(shape), DeValue::Table(table)) => {
                self.table(table, span, shape);
            }
            (Kind::Map(what, inner), DeValue::Table(table)) => {
                for (key, item) in table {
                    self.key(key.get_ref(), key.span().into(), what);
                    self.value(item.get_ref(), item.span().into(), key.get_ref(), inner);
                }
            }
            (Kind::WordOrList(words, _), DeValue::String(text)) => {
                self.word(text, span, name, words);
            }
            (Kind::WordOrList(_, inner), DeValue::Array(items)) => {
                for item in items.iter() {
                    self.value(item.get_ref(), item.span().into(), name, inner);
                }
            }
            (Kind::TextOr(inner, _), DeValue::String(_)) => self.value(value, span, name, inner),
            _ => self.wrong_type(name, value, span, kind),
        }
    }

    fn text(&mut self, text: &str, span: Span, name: &str, most: usize) {
        if text.trim().is_empty() {
            let found = self
                .report(Code::BAD_TEXT, format!("`{name}` is empty"), span)
                .help(format!(
                    "write some text, or leave `{name}` out where that is allowed"
                ));
            self.push(found);
        } else if text.len() > most {
            self.length(text, span, name, most);
        } else if let Some(c) = text
            .chars()
            .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            let found = self
                .report(
                    Code::BAD_TEXT,
                    format!("`{name}` holds a control character, {c:?}"),
                    span,
                )
                .help("leave control characters out");
            self.push(found);
        }
    }

    fn length(&mut self, text: &str, span: Span, name: &str, most: usize) {
        if text.len() <= most {
            return;
        }
        let found = self
            .report(
                Code::TOO_LONG,
                format!("`{name}` has at most {most} bytes, this has {}", text.len()),
                span,
            )
            .help("hand long texts over as files or artifacts");
        self.push(found);
    }

    fn word(&mut self, text: &str, span: Span, name: &str, words: &[&'static str]) {
        if words.contains(&text) {
            return;
        }
        let help = match nearest(&text.to_lowercase(), words.iter().copied())
            .or_else(|| words.iter().copied().find(|w| w.eq_ignore_ascii_case(text)))
        {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write {}", list(words)),
        };
        let found = self
            .report(
                Code::UNKNOWN_WORD,
                format!("`{name}` cannot be {:?}", shorten(text)),
                span,
            )
            .label(format!("expected {}", list(words)))
            .help(help);
        self.push(found);
    }

    fn name(&mut self, text: &str, span: Span, what: &str) {
        if let Err(error) = ArtifactName::new(text) {
            self.bad_name(text, span, what, &error);
        }
    }

    fn key(&mut self, text: &str, span: Span, what: &str) {
        if what == "input" {
            // `inputs.NAME` has to be readable by the expression language, where `-` is minus.
            if !is_input_name(text) {
                let found = self
                    .report(
                        Code::INPUT_NAME,
                        format!("`{}` cannot be the name of an input", shorten(text)),
                        span,
                    )
                    .label("used as inputs.NAME in templates")
                    .help(match proposal(text, '_') {
                        Some(better) => format!(
                            "write `{better}`: lowercase letters, digits and `_`, a letter first"
                        ),
                        None => "use lowercase letters, digits and `_`, a letter first".to_owned(),
                    });
                self.push(found);
            }
        } else if what == "model" || what == "variable" {
            let fine = match what {
                "model" => is_model(text),
                _ => is_variable(text),
            };
            if !fine {
                let found = self
                    .report(
                        Code::BAD_NAME,
                        format!("`{}` cannot name a {what}", shorten(text)),
                        span,
                    )
                    .help(match what {
                        "model" => "write a model as its provider names it, or `*`",
                        _ => "use letters, digits and `_`, such as RUST_LOG",
                    });
                self.push(found);
            }
        } else {
            self.name(text, span, what);
        }
    }

    fn bad_name(&mut self, text: &str, span: Span, what: &str, error: &NameError) {
        let help = match proposal(text, '-') {
            Some(better) => format!("write \"{better}\""),
            None => "use lowercase letters, digits, `-` and `_`, at most 64".to_owned(),
        };
        let found = self
            .report(
                Code::BAD_NAME,
                format!("this cannot name {}: {error}", a(what)),
                span,
            )
            .label("not a name")
            .help(help);
        self.push(found);
    }

    fn json(&mut self, value: &DeValue<'_>, span: Span, levels: usize) {
        if levels == 0 {
            let found = self
                .report(
                    Code::TOO_LONG,
                    format!("a value has at most {JSON_DEPTH} levels"),
                    span,
                )
                .help("flatten it");
            self.push(found);
            return;
        }
        match value {
            DeValue::Datetime(_) => {
                let found = self
                    .report(Code::NOT_JSON, "a date has no JSON form", span)
                    .help("put it into quotes, so that it is a text");
                self.push(found);
            }
            DeValue::Float(_) | DeValue::Integer(_) if crate::node::json(value).is_none() => {
                let found = self
                    .report(Code::NOT_JSON, "this number has no JSON form", span)
                    .help("use a finite number of at most 64 bits");
                self.push(found);
            }
            DeValue::Array(items) => {
                for item in items.iter() {
                    self.json(item.get_ref(), item.span().into(), levels - 1);
                }
            }
            DeValue::Table(table) => {
                for (_, item) in table {
                    self.json(item.get_ref(), item.span().into(), levels - 1);
                }
            }
            _ => {}
        }
    }
}

/// Whether `inputs.NAME` can be written for it.
pub(crate) fn is_input_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether it can be the name of a model, or `*`.
pub(crate) fn is_model(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._/:@+-".contains(c);
    text == "*" || ((1..=256).contains(&text.len()) && text.chars().all(letter))
}

/// Whether it can be the name of an environment variable or a secret.
pub(crate) fn is_variable(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn range(low: i64, high: i64) -> String {
    if low == high {
        low.to_string()
    } else {
        format!("{low} to {high}")
    }
}

/// An amount in millionths.
pub(crate) fn amount(value: &DeValue<'_>) -> Option<u64> {
    let text = match value {
        DeValue::Integer(n) if n.radix() == 10 => n.as_str(),
        DeValue::Float(f) => f.as_str(),
        _ => return None,
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    let whole = whole.strip_prefix('+').unwrap_or(whole);
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let decimals: u64 = format!("{decimals:0<6}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(decimals)
}

/// A name that the grammar allows, made from what was written.
fn proposal(text: &str, joiner: char) -> Option<String> {
    let mut out = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if c == '_' || (c == '-' && joiner == '-') {
            out.push(c);
        } else if !out.ends_with(joiner) && (c.is_whitespace() || c.is_ascii_punctuation()) {
            out.push(joiner);
        }
    }
    let out = out.trim_matches(|c: char| c == joiner || c == '_' || c == '-');
    let fine = !out.is_empty() && out.len() <= 64 && out.is_ascii();
    (fine && (joiner == '-' || out.starts_with(|c: char| c.is_ascii_lowercase())))
        .then(|| out.to_owned())
}

pub(crate) fn shorten(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    if cut.len() < text.len() {
        format!("{cut}…")
    } else {
        cut
    }
}

fn a(what: &str) -> String {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {what}")
}

fn type_word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text(_) | Kind::Free(_) | Kind::Word(_) | Kind::Pattern(..) => "a text",
        Kind::Name(_) | Kind::TaskId => "a name",
        Kind::Int(..) => "a whole number",
        Kind::Amount => "a number",
        Kind::Bool => "true or false",
        Kind::Duration { .. } => "a duration",
        Kind::Size(_) => "a size",
        Kind::Json => "a value",
        Kind::JsonTable | Kind::Table(_) | Kind::Map(..) => "a table",
        Kind::JsonList | Kind::List(_) => "a list",
        Kind::TextOr(..) => "a text or a table",
        Kind::BoolOr(_) => "true, false or a table",
        Kind::WordOrList(..) => "a word or a list",
    }
}

fn example_line(name: &str, kind: &'static Kind) -> String {
    match kind {
        // A list of tables has a form of its own in TOML.
        Kind::List(Kind::Table(_)) => format!("[[{name}]] and the keys below it"),
        _ => format!("{name} = {}", example(kind)),
    }
}

fn example(kind: &'static Kind) -> String {
    match kind {
        Kind::Text(_) | Kind::Free(_) => "\"...\"".to_owned(),
        Kind::Pattern(_, form) => format!("\"{form}\""),
        Kind::Name(_) | Kind::TaskId => "\"a-name\"".to_owned(),
        Kind::Int(low, _) => (*low).max(1).to_string(),
        Kind::Amount => "5.00".to_owned(),
        Kind::Bool | Kind::BoolOr(_) => "true".to_owned(),
        Kind::Duration { .. } => "\"90s\"".to_owned(),
        Kind::Size(_) => "\"64MiB\"".to_owned(),
        Kind::Word(words) => format!("\"{}\"", words.first().unwrap_or(&"")),
        Kind::Json => "\"...\"".to_owned(),
        Kind::JsonTable | Kind::Map(..) => "{ key = \"...\" }".to_owned(),
        Kind::JsonList => "[\"...\"]".to_owned(),
        Kind::List(inner) => format!("[{}]", example(inner)),
        Kind::Table(shape) => {
            let keys: Vec<String> = shape
                .fields
                .iter()
                .filter(|f| f.required)
                .map(|f| format!("{} = {}", f.key, example(&f.kind)))
                .collect();
            format!("{{ {} }}", keys.join(", "))
        }
        Kind::TextOr(inner, _) => example(inner),
        Kind::WordOrList(_, inner) => format!("[{}]", example(inner)),
    }
}
