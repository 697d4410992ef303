//! The expression engine, fenced in: strict, no statements, no templates that load others, a closed list of
//! filters whose results are bounded, fuel for every evaluation. What a planner writes ends up here, so everything
//! is hostile. Must not be given anything but values: no function here reads or writes the world.

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value, filters, tests,
    value::{Kwargs, ValueKind},
};
use std::sync::OnceLock;

/// Instructions of one evaluation. A real expression takes a few hundred; this many take about a millisecond.
const FUEL: u64 = 50_000;

/// Longest text that a filter may make, in bytes: the same as the longest text that a template may make.
pub(crate) const TEXT_MAX: usize = 1 << 20;

/// Most items of a list that an expression makes; also the most instances of `for_each`.
pub const LIST_MAX: usize = 10_000;

/// Deepest document, in levels; what the contract says.
pub(crate) const DEPTH_MAX: usize = 64;

/// Filters on offer. Left out on purpose are those that can grow a value without bound (`format`, `indent`,
/// `batch`, ...), and those that call other filters by name.
pub(crate) const FILTERS: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
];

/// Tests on offer.
pub(crate) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// Functions on offer.
pub(crate) const FUNCTIONS: &[&str] = &["range"];

/// The one environment. It has no state, so all evaluations share it.
pub(crate) fn environment() -> &'static Environment<'static> {
    static ENV: OnceLock<Environment<'static>> = OnceLock::new();
    ENV.get_or_init(build)
}

fn build() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_debug(true);
    // Nothing here calls itself; the smallest depth is enough.
    env.set_recursion_limit(16);

    env.add_filter("abs", filters::abs);
    env.add_filter("bool", filters::bool);
    env.add_filter("capitalize", filters::capitalize);
    env.add_filter("count", filters::length);
    env.add_filter("d", filters::default);
    env.add_filter("default", filters::default);
    env.add_filter("dictsort", filters::dictsort);
    env.add_filter("first", filters::first);
    env.add_filter("float", filters::float);
    env.add_filter("int", filters::int);
    env.add_filter("items", filters::items);
    env.add_filter("join", join);
    env.add_filter("last", filters::last);
    env.add_filter("length", filters::length);
    env.add_filter("lines", filters::lines);
    env.add_filter("list", filters::list);
    env.add_filter("lower", filters::lower);
    env.add_filter("map", map);
    env.add_filter("max", filters::max);
    env.add_filter("min", filters::min);
    env.add_filter("reject", filters::reject);
    env.add_filter("rejectattr", filters::rejectattr);
    env.add_filter("replace", replace);
    env.add_filter("reverse", filters::reverse);
    env.add_filter("round", filters::round);
    env.add_filter("select", filters::select);
    env.add_filter("selectattr", filters::selectattr);
    env.add_filter("sort", filters::sort);
    env.add_filter("split", filters::split);
    env.add_filter("string", string);
    env.add_filter("sum", filters::sum);
    env.add_filter("title", filters::title);
    env.add_filter("tojson", tojson);
    env.add_filter("trim", filters::trim);
    env.add_filter("unique", filters::unique);
    env.add_filter("upper", filters::upper);

    env.add_test("boolean", tests::is_boolean);
    env.add_test("defined", tests::is_defined);
    env.add_test("divisibleby", tests::is_divisibleby);
    env.add_test("endingwith", tests::is_endingwith);
    env.add_test("eq", tests::is_eq);
    env.add_test("==", tests::is_eq);
    env.add_test("even", tests::is_even);
    env.add_test("false", tests::is_false);
    env.add_test("ge", tests::is_ge);
    env.add_test("gt", tests::is_gt);
    env.add_test("in", tests::is_in);
    env.add_test("integer", tests::is_integer);
    env.add_test("iterable", tests::is_iterable);
    env.add_test("le", tests::is_le);
    env.add_test("lower", tests::is_lower);
    env.add_test("lt", tests::is_lt);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("ne", tests::is_ne);
    env.add_test("none", tests::is_none);
    env.add_test("number", tests::is_number);
    env.add_test("odd", tests::is_odd);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("string", tests::is_string);
    env.add_test("true", tests::is_true);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("upper", tests::is_upper);

    env.add_function("range", range);
    env
}

fn too_long() -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        "the text would be longer than 1 MiB",
    )
}

fn bounded(text: String) -> Result<String, Error> {
    if text.len() > TEXT_MAX {
        Err(too_long())
    } else {
        Ok(text)
    }
}

/// Writes a value as templates show it: text as it is, everything else as JSON.
pub(crate) fn show(value: &Value, out: &mut String) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if let Some(text) = value.as_str() {
        if out.len() + text.len() > TEXT_MAX {
            return Err(too_long());
        }
        out.push_str(text);
        return Ok(());
    }
    write_json(value, out)
}

fn write_json(value: &Value, out: &mut String) -> Result<(), Error> {
    let json = convert(value, DEPTH_MAX)?;
    let mut sink = Sink { out, over: false };
    match serde_json::to_writer(&mut sink, &json) {
        Ok(()) => Ok(()),
        Err(_) if sink.over => Err(too_long()),
        Err(error) => Err(no_form(&error.to_string())),
    }
}

fn no_form(why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("it has no JSON form: {why}"),
    )
}

/// The value as JSON. The engine's own conversion turns what has no value, inside of a list, into `null`; here it is
/// an error wherever it stands.
pub(crate) fn convert(value: &Value, levels: usize) -> Result<serde_json::Value, Error> {
    use serde_json::Value as Json;
    let Some(inner) = levels.checked_sub(1) else {
        return Err(no_form("it is deeper than 64 levels"));
    };
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => serde_json::to_value(value).map_err(|e| no_form(&e.to_string())),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()?
            .map(|item| convert(&item, inner))
            .collect::<Result<_, _>>()
            .map(Json::Array),
        ValueKind::Map => {
            let mut map = serde_json::Map::new();
            for key in value.try_iter()? {
                let Some(name) = key.as_str() else {
                    return Err(no_form("the keys of an object are texts"));
                };
                map.insert(name.to_owned(), convert(&value.get_item(&key)?, inner)?);
            }
            Ok(Json::Object(map))
        }
        kind => Err(no_form(&format!("it is {kind}"))),
    }
}

/// Collects text up to the limit, so that a large value is stopped while it is written and not after.
struct Sink<'a> {
    out: &'a mut String,
    over: bool,
}

impl std::io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.out.len() + bytes.len() > TEXT_MAX {
            self.over = true;
            return Err(std::io::Error::other("over the limit"));
        }
        let text = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
        self.out.push_str(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn tojson(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_json(value, &mut out)?;
    Ok(out)
}

fn string(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    show(value, &mut out)?;
    Ok(out)
}

fn join(value: &Value, joiner: Option<String>) -> Result<String, Error> {
    let joiner = joiner.unwrap_or_default();
    let mut out = String::new();
    for (i, item) in value.try_iter()?.enumerate() {
        if i > 0 {
            out.push_str(&joiner);
        }
        show(&item, &mut out)?;
        out = bounded(out)?;
    }
    Ok(out)
}

fn replace(value: &str, from: &str, to: &str) -> Result<String, Error> {
    let found = if from.is_empty() {
        value.len() + 1
    } else {
        value.matches(from).count()
    };
    // Counted before it is made: a few of these in a row would otherwise fill any memory.
    if value.len().saturating_add(found.saturating_mul(to.len())) > TEXT_MAX {
        return Err(too_long());
    }
    Ok(value.replace(from, to))
}

/// `map(attribute="name")`, with `default=`; nothing else, so that it cannot call filters by name.
fn map(value: &Value, kwargs: Kwargs) -> Result<Vec<Value>, Error> {
    let attribute: String = kwargs.get("attribute").map_err(|_| {
        Error::new(
            ErrorKind::MissingArgument,
            "map takes the attribute: map(attribute=\"name\")",
        )
    })?;
    let default: Option<Value> = kwargs.get("default")?;
    kwargs.assert_all_used()?;
    let mut out = Vec::new();
    for item in value.try_iter()? {
        let mut found = item;
        for part in attribute.split('.') {
            found = match found.get_attr(part) {
                Ok(inner) if !inner.is_undefined() => inner,
                _ => match &default {
                    Some(default) => default.clone(),
                    None => {
                        let text = format!("an item has no attribute {part:?}");
                        return Err(Error::new(ErrorKind::UndefinedError, text));
                    }
                },
            };
        }
        out.push(found);
    }
    Ok(out)
}

fn range(first: i64, second: Option<i64>) -> Result<Vec<i64>, Error> {
    let (from, to) = second.map_or((0, first), |to| (first, to));
    let len = i128::from(to) - i128::from(from);
    if len > LIST_MAX as i128 {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a range has at most 10,000 numbers",
        ));
    }
    Ok((from..to).collect())
}

#[cfg(test)]
mod tests_of_the_lists {
    use super::*;

    #[test]
    fn every_word_on_offer_exists() {
        let env = environment();
        for name in FILTERS {
            let e = env
                .compile_expression_owned(format!("[1]|{name}"))
                .and_then(|e| e.eval(()));
            assert!(
                !matches!(e, Err(e) if e.kind() == ErrorKind::UnknownFilter),
                "{name}"
            );
        }
        for name in TESTS {
            let e = env
                .compile_expression_owned(format!("1 is {name}"))
                .and_then(|e| e.eval(()));
            assert!(
                !matches!(e, Err(e) if e.kind() == ErrorKind::UnknownTest),
                "{name}"
            );
        }
        for list in [FILTERS, TESTS] {
            assert!(list.is_sorted());
        }
        assert!(
            env.compile_expression("[1]|indent")
                .and_then(|e| e.eval(()))
                .is_err()
        );
    }
}
