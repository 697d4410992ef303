//! Finds the expressions in a text, and the names in an expression, with their places. Knows the tokens of the
//! expression language and nothing of its grammar: the engine parses, this only looks. Must not evaluate.

use std::ops::Range;

/// A part of a text.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Piece<'a> {
    /// Taken as it is.
    Text(&'a str),
    /// What stands between `{{` and `}}`, and where it starts in the text.
    Expr(&'a str, usize),
}

/// A text whose braces do not fit, or that uses what templates do not have.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum ScanError {
    /// `{{` without `}}`.
    Open(Range<usize>),
    /// `{% ... %}`.
    Statement(Range<usize>),
    /// `{{ }}`.
    Empty(Range<usize>),
    /// A string without its closing quote.
    Quote(Range<usize>),
    /// A character that no expression has.
    Character(Range<usize>, char),
}

/// A token of an expression.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    Str(&'a str),
    Number(&'a str),
    Punct(char),
}

/// Cuts a text into pieces.
pub(crate) fn split(text: &str) -> Result<Vec<Piece<'_>>, ScanError> {
    let mut pieces = Vec::new();
    let mut rest = 0;
    loop {
        let tail = text.get(rest..).unwrap_or_default();
        let next = tail
            .match_indices('{')
            .map(|(at, _)| at)
            .find(|at| matches!(tail.as_bytes().get(at + 1), Some(b'{' | b'%')));
        let Some(found) = next else {
            if !tail.is_empty() {
                pieces.push(Piece::Text(tail));
            }
            return Ok(pieces);
        };
        let open = rest + found;
        if tail.as_bytes().get(found + 1) == Some(&b'%') {
            let end = tail
                .get(found..)
                .and_then(|t| t.find("%}"))
                .map_or(open + 2, |at| open + at + 2);
            return Err(ScanError::Statement(open..end));
        }
        if found > 0 {
            pieces.push(Piece::Text(tail.get(..found).unwrap_or_default()));
        }
        let close = close(text, open + 2).ok_or(ScanError::Open(open..open + 2))?;
        let expr = text.get(open + 2..close).unwrap_or_default();
        if expr.trim().is_empty() {
            return Err(ScanError::Empty(open..close + 2));
        }
        pieces.push(Piece::Expr(expr, open + 2));
        rest = close + 2;
    }
}

/// Where `}}` ends the expression that starts at `from`: outside of strings and of inner braces.
fn close(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (from, 0_u32, None);
    while let Some(&b) = bytes.get(at) {
        match quote {
            Some(q) => {
                if b == b'\\' {
                    at += 1;
                } else if b == q {
                    quote = None;
                }
            }
            None => match b {
                b'"' | b'\'' => quote = Some(b),
                b'{' => depth += 1,
                b'}' if depth == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at),
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        at += 1;
    }
    None
}

/// Cuts an expression into tokens with their places.
pub(crate) fn tokens(expr: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, ScanError> {
    let bytes = expr.as_bytes();
    let mut out: Vec<(Token<'_>, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let start = at;
        let token = match b {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'"' | b'\'' => {
                at += 1;
                loop {
                    match bytes.get(at) {
                        None => return Err(ScanError::Quote(start..expr.len())),
                        Some(b'\\') => at += 2,
                        Some(&c) if c == b => break,
                        Some(_) => at += 1,
                    }
                }
                at += 1;
                Token::Str(expr.get(start + 1..at - 1).unwrap_or_default())
            }
            b if b.is_ascii_alphabetic() || b == b'_' => {
                at = word_end(bytes, at);
                Token::Word(expr.get(start..at).unwrap_or_default())
            }
            b if b.is_ascii_digit() => {
                // After a dot this is a name that starts with a digit, otherwise a number.
                let after_dot =
                    matches!(out.last(), Some((Token::Punct('.'), r)) if r.end == start);
                at = word_end(bytes, at);
                if after_dot {
                    Token::Word(expr.get(start..at).unwrap_or_default())
                } else {
                    if bytes.get(at) == Some(&b'.')
                        && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                    {
                        at = word_end(bytes, at + 1);
                    }
                    Token::Number(expr.get(start..at).unwrap_or_default())
                }
            }
            b if b.is_ascii_graphic() => {
                at += 1;
                Token::Punct(char::from(b))
            }
            _ => {
                let c = expr.get(at..).and_then(|t| t.chars().next()).unwrap_or('?');
                return Err(ScanError::Character(at..at + c.len_utf8(), c));
            }
        };
        out.push((token, start..at));
    }
    Ok(out)
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    let len = bytes
        .iter()
        .skip(from)
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    from + len
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Step<'a> {
    /// `.name` or `["name"]`.
    Name(&'a str),
    /// `[0]`.
    Index,
    /// `[expression]`: known only when it runs.
    Dynamic,
}

/// A name that an expression uses, with the path behind it.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Path<'a> {
    /// The first word.
    pub(crate) root: &'a str,
    /// What follows.
    pub(crate) steps: Vec<Step<'a>>,
    /// Where all of it stands in the expression.
    pub(crate) at: Range<usize>,
    /// The last name as it would read if `-` were part of it (`my` and `-task` give `my-task`).
    pub(crate) dashed: Option<(String, Range<usize>)>,
}

/// What an expression uses.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub(crate) struct Uses<'a> {
    /// Names of values.
    pub(crate) paths: Vec<Path<'a>>,
    /// Filters (`|name`), tests (`is name`) and functions (`name(`).
    pub(crate) calls: Vec<(Call, &'a str, Range<usize>)>,
    /// Operators that templates do not have.
    pub(crate) operators: Vec<(char, Range<usize>)>,
}

/// How a word is called.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Call {
    Filter,
    Test,
    Function,
}

const KEYWORDS: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "true", "True", "false", "False", "none", "None",
];

/// Finds the names in an expression.
pub(crate) fn uses(expr: &str) -> Result<Uses<'_>, ScanError> {
    let tokens = tokens(expr)?;
    let mut uses = Uses::default();
    let mut i = 0;
    let token = |i: usize| tokens.get(i).map(|(t, _)| t);
    while let Some((current, at)) = tokens.get(i) {
        let before = i.checked_sub(1).and_then(token);
        match current {
            Token::Punct('*') => uses.operators.push(('*', at.clone())),
            Token::Word(word) if before == Some(&Token::Punct('|')) => {
                uses.calls.push((Call::Filter, word, at.clone()));
            }
            Token::Word("not") if before == Some(&Token::Word("is")) => {}
            Token::Word(word) if follows_is(&tokens, i) && *word != "not" => {
                uses.calls.push((Call::Test, word, at.clone()));
            }
            Token::Word(_) if before == Some(&Token::Punct('.')) => {}
            Token::Word(word) if KEYWORDS.contains(word) => {}
            Token::Word(word) if token(i + 1) == Some(&Token::Punct('(')) => {
                uses.calls.push((Call::Function, word, at.clone()));
            }
            // `name=value` in the arguments of a filter.
            Token::Word(_)
                if token(i + 1) == Some(&Token::Punct('='))
                    && token(i + 2) != Some(&Token::Punct('=')) => {}
            Token::Word(word) => {
                let (path, next) = path(&tokens, i, word);
                uses.paths.push(path);
                i = next;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    Ok(uses)
}

fn follows_is(tokens: &[(Token<'_>, Range<usize>)], i: usize) -> bool {
    let token = |i: Option<usize>| i.and_then(|i| tokens.get(i)).map(|(t, _)| t);
    let (one, two) = (token(i.checked_sub(1)), token(i.checked_sub(2)));
    one == Some(&Token::Word("is"))
        || (one == Some(&Token::Word("not")) && two == Some(&Token::Word("is")))
}

/// The path that starts at token `i`, and the index of the first token behind it. Inside of `[...]` only literals
/// belong to the path; anything else is left for the caller to look at.
fn path<'a>(tokens: &[(Token<'a>, Range<usize>)], i: usize, root: &'a str) -> (Path<'a>, usize) {
    let start = tokens.get(i).map_or(0, |(_, at)| at.start);
    let mut end = tokens.get(i).map_or(0, |(_, at)| at.end);
    let mut steps = Vec::new();
    let mut next = i + 1;
    loop {
        match (tokens.get(next), tokens.get(next + 1), tokens.get(next + 2)) {
            (Some((Token::Punct('.'), _)), Some((Token::Word(name), at)), _) => {
                steps.push(Step::Name(name));
                end = at.end;
                next += 2;
            }
            (
                Some((Token::Punct('['), _)),
                Some((Token::Str(name), _)),
                Some((Token::Punct(']'), at)),
            ) => {
                steps.push(Step::Name(name));
                end = at.end;
                next += 3;
            }
            (
                Some((Token::Punct('['), _)),
                Some((Token::Number(_), _)),
                Some((Token::Punct(']'), at)),
            ) => {
                steps.push(Step::Index);
                end = at.end;
                next += 3;
            }
            (Some((Token::Punct('['), at)), _, _) => {
                steps.push(Step::Dynamic);
                end = at.end;
                next += 1;
                break;
            }
            _ => break,
        }
    }
    let last = match steps.last() {
        Some(Step::Name(name)) => Some(*name),
        _ => None,
    };
    let dashed = last.and_then(|last| dashed(tokens, next, end, last));
    (
        Path {
            root,
            steps,
            at: start..end,
            dashed,
        },
        next,
    )
}

/// Reads `-word` and `-2` as long as they stand directly behind each other.
fn dashed(
    tokens: &[(Token<'_>, Range<usize>)],
    mut next: usize,
    mut end: usize,
    last: &str,
) -> Option<(String, Range<usize>)> {
    let start = end - last.len();
    let mut name = last.to_owned();
    while let (Some((Token::Punct('-'), dash)), Some((Token::Word(w) | Token::Number(w), at))) =
        (tokens.get(next), tokens.get(next + 1))
    {
        if dash.start != end || at.start != dash.end {
            break;
        }
        name.push('-');
        name.push_str(w);
        end = at.end;
        next += 2;
    }
    (name.len() > last.len()).then_some((name, start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        assert_eq!(
            split("plain {x} }}").unwrap(),
            [Piece::Text("plain {x} }}")]
        );
        assert_eq!(
            split("a {{ b }} c").unwrap(),
            [Piece::Text("a "), Piece::Expr(" b ", 4), Piece::Text(" c")]
        );
        assert_eq!(
            split("{{ {'a': {}} }}").unwrap(),
            [Piece::Expr(" {'a': {}} ", 2)]
        );
        assert_eq!(split("{{ '}}' }}").unwrap(), [Piece::Expr(" '}}' ", 2)]);
        assert_eq!(
            split(r#"{{ "\"}}" }}"#).unwrap(),
            [Piece::Expr(r#" "\"}}" "#, 2)]
        );
        assert_eq!(split("a {{ b"), Err(ScanError::Open(2..4)));
        assert_eq!(split("{% if x %}"), Err(ScanError::Statement(0..10)));
        assert_eq!(split("{{ }}"), Err(ScanError::Empty(0..5)));
    }

    fn roots(expr: &str) -> Vec<String> {
        uses(expr)
            .unwrap()
            .paths
            .iter()
            .map(|p| {
                let steps: Vec<_> = p
                    .steps
                    .iter()
                    .map(|s| match s {
                        Step::Name(n) => format!(".{n}"),
                        Step::Index => "[]".to_owned(),
                        Step::Dynamic => "[?]".to_owned(),
                    })
                    .collect();
                format!("{}{}", p.root, steps.concat())
            })
            .collect()
    }

    #[test]
    fn paths() {
        assert_eq!(roots("inputs.a"), ["inputs.a"]);
        assert_eq!(
            roots("tasks[\"my-task\"].output[0].x"),
            ["tasks.my-task.output[].x"]
        );
        assert_eq!(roots("tasks[inputs.x].output"), ["tasks[?]", "inputs.x"]);
        assert_eq!(
            roots("a if b is defined else c|default(d)"),
            ["a", "b", "c", "d"]
        );
        assert_eq!(roots("xs|map(attribute='name')|join(', ')"), ["xs"]);
        assert_eq!(roots("a == b"), ["a", "b"]);
        assert_eq!(roots("{'k': v, \"inputs.no\": 1.5}"), ["v"]);
        assert_eq!(roots("range(3)"), Vec::<String>::new());
        assert_eq!(roots("tasks.2nd.output"), ["tasks.2nd.output"]);
    }

    #[test]
    fn hyphens_are_seen() {
        let found = uses("tasks.my-long-task.output").unwrap();
        let (name, at) = found.paths[0].dashed.clone().unwrap();
        assert_eq!((name.as_str(), at), ("my-long-task", 6..18));
        assert_eq!(uses("inputs.a - b").unwrap().paths[0].dashed, None);
    }

    #[test]
    fn calls() {
        let found = uses("a|upper is string and range(2) and b is not none").unwrap();
        let calls: Vec<_> = found.calls.iter().map(|c| (c.0, c.1)).collect();
        assert_eq!(
            calls,
            [
                (Call::Filter, "upper"),
                (Call::Test, "string"),
                (Call::Function, "range"),
                (Call::Test, "none")
            ]
        );
    }
}
