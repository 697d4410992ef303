//! A rule's arguments, parsed: literals and holes. Must not know what a request is allowed to do with them.

use super::value;
use sandgate_model::ExecGrant;
use std::fmt;

/// Most arguments of a rule or a request.
pub(super) const ARGS_MAX: usize = 1024;

/// Longest name of a hole.
const NAME_MAX: usize = 32;

/// What may stand in a hole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HoleType {
    /// A letter, digit or `_`, then up to 127 of these and `.:@+-`.
    Word,
    /// 1 to 18 digits, no sign.
    Int,
    /// 1 to 128 hexadecimal digits.
    Hex,
    /// A relative path below the directory that the command starts in: no `..`, no leading `-`, no `:` in its first
    /// part, no character that hides or turns text.
    Path,
    /// One line of at most 1 KiB: no control character, no leading `-`.
    Text,
}

impl HoleType {
    /// The words in user files.
    pub const WORDS: &'static [&'static str] = &["word", "int", "hex", "path", "text"];

    /// The word in user files and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Int => "int",
            Self::Hex => "hex",
            Self::Path => "path",
            Self::Text => "text",
        }
    }

    /// The type that a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Word, Self::Int, Self::Hex, Self::Path, Self::Text]
            .into_iter()
            .find(|t| t.as_str() == word)
    }
}

impl fmt::Display for HoleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which part of a rule is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplatePart {
    /// The program.
    Program,
    /// The argument with this index.
    Arg(usize),
}

/// A rule for commands that cannot be one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Which part.
    pub at: TemplatePart,
    /// Why: a lowercase fragment.
    pub message: String,
}

/// One argument: text, at most one hole, text.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Arg {
    before: String,
    hole: Option<(String, HoleType)>,
    after: String,
}

/// A program and its arguments with holes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecTemplate {
    program: String,
    args: Vec<Arg>,
}

/// Where a request differs from a rule. The further it got, the nearer the rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mismatch {
    /// Arguments that fit before it.
    pub(super) fitted: usize,
    /// What differs: a lowercase fragment.
    pub(super) message: String,
}

impl ExecTemplate {
    /// Parses a rule's program and arguments.
    ///
    /// # Errors
    /// The first thing that is wrong: a hole in the program, a program that is neither a name nor an absolute path,
    /// a hole without a name or with an unknown type, two holes of one name or in one argument, a lone brace, a
    /// control character.
    pub fn parse(program: &str, args: &[String]) -> Result<Self, TemplateError> {
        check_program(program).map_err(|message| TemplateError {
            at: TemplatePart::Program,
            message,
        })?;
        if args.len() > ARGS_MAX {
            return Err(TemplateError {
                at: TemplatePart::Arg(ARGS_MAX),
                message: format!("a command has at most {ARGS_MAX} arguments"),
            });
        }
        let mut parsed: Vec<Arg> = Vec::with_capacity(args.len());
        for (i, text) in args.iter().enumerate() {
            let at = TemplatePart::Arg(i);
            let arg = parse_arg(text).map_err(|message| TemplateError { at, message })?;
            if let Some((name, _)) = &arg.hole {
                let twice = parsed
                    .iter()
                    .filter_map(|a| a.hole.as_ref())
                    .any(|(n, _)| n == name);
                if twice {
                    let message = format!("the hole `{name}` stands there twice");
                    return Err(TemplateError { at, message });
                }
            }
            parsed.push(arg);
        }
        Ok(Self {
            program: program.to_owned(),
            args: parsed,
        })
    }

    /// The program: a name, or an absolute path.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The holes, in order.
    #[must_use]
    pub fn holes(&self) -> Vec<(&str, HoleType)> {
        self.args
            .iter()
            .filter_map(|a| a.hole.as_ref())
            .map(|(name, kind)| (name.as_str(), *kind))
            .collect()
    }

    /// Whether these are the rule's arguments, holes filled.
    pub(super) fn fits(&self, args: &[String]) -> Result<(), Mismatch> {
        for (i, (rule, given)) in self.args.iter().zip(args).enumerate() {
            if let Err(message) = rule.fits(i, given) {
                return Err(Mismatch { fitted: i, message });
            }
        }
        if self.args.len() == args.len() {
            return Ok(());
        }
        Err(Mismatch {
            fitted: self.args.len().min(args.len()),
            message: format!(
                "it has {} arguments, the request has {}",
                self.args.len(),
                args.len()
            ),
        })
    }
}

/// Whether some command may fit both rules. Says yes where it cannot tell: two holes are never compared.
pub(crate) fn overlap(a: &ExecGrant, b: &ExecGrant) -> bool {
    let parse = |rule: &ExecGrant| ExecTemplate::parse(&rule.program, &rule.args).ok();
    // A rule that cannot be parsed fits nothing.
    let (Some(a), Some(b)) = (parse(a), parse(b)) else {
        return false;
    };
    a.program == b.program
        && a.args.len() == b.args.len()
        && a.args.iter().zip(&b.args).all(|(a, b)| a.overlaps(b))
}

impl Arg {
    fn overlaps(&self, other: &Self) -> bool {
        match (&self.hole, &other.hole) {
            (None, _) => other.fits(0, &self.before).is_ok(),
            (_, None) => self.fits(0, &other.before).is_ok(),
            (Some(_), Some(_)) => {
                let starts = |a: &Self, b: &Self| a.before.starts_with(&b.before);
                let ends = |a: &Self, b: &Self| a.after.ends_with(&b.after);
                (starts(self, other) || starts(other, self))
                    && (ends(self, other) || ends(other, self))
            }
        }
    }

    fn fits(&self, i: usize, given: &str) -> Result<(), String> {
        let n = i.saturating_add(1);
        let Some((name, kind)) = &self.hole else {
            if given == self.before {
                return Ok(());
            }
            return Err(format!(
                "argument {n} is {}, the request has {}",
                shown(&self.before),
                shown(given)
            ));
        };
        let value = given
            .strip_prefix(self.before.as_str())
            .and_then(|rest| rest.strip_suffix(self.after.as_str()));
        let Some(value) = value else {
            return Err(format!(
                "argument {n} is {}, the request has {}",
                shown(&format!("{}{{{name}:{kind}}}{}", self.before, self.after)),
                shown(given)
            ));
        };
        match value::wrong(*kind, value) {
            None => Ok(()),
            Some(why) => Err(format!(
                "{} cannot stand in the hole `{{{name}:{kind}}}` of argument {n}: it {why}",
                shown(value)
            )),
        }
    }
}

/// A text for a message: escaped, cut.
pub(super) fn shown(text: &str) -> String {
    // Enough to tell arguments apart, little enough for a line.
    const MAX: usize = 120;
    let mut out = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == MAX {
            out.push('…');
            break;
        }
        if value::deceives(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}

fn check_program(program: &str) -> Result<(), String> {
    if program.is_empty() {
        return Err("a command needs a program".to_owned());
    }
    if program.contains(['{', '}']) {
        return Err(
            "a program cannot have a hole: it is resolved when the rule is granted".to_owned(),
        );
    }
    if program.starts_with('-') {
        return Err("a program cannot begin with `-`".to_owned());
    }
    if program.chars().any(|c| value::deceives(c) || c == '\\') {
        return Err("a program cannot have control characters or backslashes".to_owned());
    }
    if let Some(rest) = program.strip_prefix('/') {
        if rest.split('/').any(|p| matches!(p, "" | "." | "..")) {
            return Err("an absolute path to a program has no empty part, `.` or `..`".to_owned());
        }
        return Ok(());
    }
    if program.contains('/') {
        return Err(
            "a program is a name or an absolute path: one relative to the workspace could be replaced by what runs there"
                .to_owned(),
        );
    }
    if matches!(program, "." | "..") {
        return Err("`.` and `..` are not programs".to_owned());
    }
    if program
        .chars()
        .any(|c| c.is_whitespace() || "|;&$`<>\"'*?".contains(c))
    {
        return Err(
            "a program is one name: there is no shell, each argument is a text of its own in `args`"
                .to_owned(),
        );
    }
    Ok(())
}

fn parse_arg(text: &str) -> Result<Arg, String> {
    let mut arg = Arg {
        before: String::new(),
        hole: None,
        after: String::new(),
    };
    if let Some(c) = text.chars().find(|c| value::deceives(*c)) {
        return Err(format!(
            "an argument cannot have the character U+{:04X}: a reader of the rule would not see it",
            u32::from(c)
        ));
    }
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (literal, tail) = rest.split_at(at);
        arg.push(literal);
        if let Some(more) = tail.strip_prefix("{{") {
            arg.push("{");
            rest = more;
        } else if let Some(more) = tail.strip_prefix("}}") {
            arg.push("}");
            rest = more;
        } else if let Some(inner) = tail.strip_prefix('{') {
            let (hole, more) = inner
                .split_once('}')
                .ok_or("a `{` is never closed; write `{{` for the character itself")?;
            if arg.hole.is_some() {
                return Err(
                    "an argument has at most one hole, so that there is one way to read it"
                        .to_owned(),
                );
            }
            arg.hole = Some(parse_hole(hole)?);
            rest = more;
        } else {
            return Err("a lone `}`; write `}}` for the character itself".to_owned());
        }
    }
    arg.push(rest);
    Ok(arg)
}

impl Arg {
    fn push(&mut self, literal: &str) {
        if self.hole.is_some() {
            self.after.push_str(literal);
        } else {
            self.before.push_str(literal);
        }
    }
}

fn parse_hole(hole: &str) -> Result<(String, HoleType), String> {
    let example = "write {name:type}, such as {package:word}";
    let Some((name, kind)) = hole.split_once(':') else {
        return Err(format!("the hole `{{{hole}}}` has no type; {example}"));
    };
    let fine = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-';
    if name.is_empty() || name.len() > NAME_MAX || !name.as_bytes().iter().all(fine) {
        return Err(format!(
            "`{name}` is no name for a hole: 1 to {NAME_MAX} letters, digits, `_` and `-`; {example}"
        ));
    }
    match HoleType::from_word(kind) {
        Some(kind) => Ok((name.to_owned(), kind)),
        None => Err(format!(
            "`{kind}` is no type of a hole; there are {}",
            HoleType::WORDS.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn rules_that_are_wrong_say_why() {
        let check = |program: &str, list: &[&str], at, part: &str| {
            let error = ExecTemplate::parse(program, &args(list)).unwrap_err();
            assert_eq!(error.at, at, "{program} {list:?}");
            assert!(error.message.contains(part), "{part}: {}", error.message);
        };
        use TemplatePart::{Arg, Program};
        check("", &[], Program, "needs a program");
        check("{p:word}", &[], Program, "cannot have a hole");
        check("bin/tool", &[], Program, "relative to the workspace");
        check("./tool", &[], Program, "relative to the workspace");
        check("/usr/../bin/x", &[], Program, "no empty part");
        check("cargo test", &[], Program, "one name");
        check("a;b", &[], Program, "one name");
        check("-x", &[], Program, "begin with");
        check("..", &[], Program, "not programs");
        check("a\n", &[], Program, "control");
        check("x", &["{a}"], Arg(0), "has no type");
        check(
            "x",
            &["ok", "{a:name}"],
            Arg(1),
            "word, int, hex, path, text",
        );
        check("x", &["{:word}"], Arg(0), "no name for a hole");
        check("x", &["{a b:word}"], Arg(0), "no name for a hole");
        check("x", &["{a:word}", "-p{a:int}"], Arg(1), "twice");
        check("x", &["{a:word}{b:word}"], Arg(0), "at most one hole");
        check("x", &["{a:word"], Arg(0), "never closed");
        check("x", &["a}"], Arg(0), "lone");
        check("x", &["a\nb"], Arg(0), "U+000A");
        check("x", &["a\u{202e}b"], Arg(0), "U+202E");
    }

    #[test]
    fn arguments_fit_exactly() {
        let list = args(&["test", "--package={name:word}", "{{x}}", "{n:int}!"]);
        let rule = ExecTemplate::parse("cargo", &list).unwrap();
        assert_eq!(
            rule.holes(),
            [("name", HoleType::Word), ("n", HoleType::Int)]
        );
        assert_eq!(
            rule.fits(&args(&["test", "--package=a", "{x}", "1!"])),
            Ok(())
        );
        for (bad, fitted) in [
            (&["test", "--package=a", "{x}"][..], 3),
            (&["test", "--package=a", "{x}", "1!", "more"], 4),
            (&["Test", "--package=a", "{x}", "1!"], 0),
            (&["test", "--package=-a", "{x}", "1!"], 1),
            (&["test", "--package=", "{x}", "1!"], 1),
            (&["test", "--packages=a", "{x}", "1!"], 1),
            (&["test", "--package=a", "{{x}}", "1!"], 2),
            (&["test", "--package=a", "{x}", "1"], 3),
            (&["test", "--package=a", "{x}", "!"], 3),
        ] {
            assert_eq!(rule.fits(&args(bad)).unwrap_err().fitted, fitted, "{bad:?}");
        }
    }

    /// A suffix that overlaps the prefix must not be counted twice.
    #[test]
    fn prefix_and_suffix_do_not_share_characters() {
        let rule = ExecTemplate::parse("x", &args(&["ab{h:word}ba"])).unwrap();
        assert!(rule.fits(&args(&["aba"])).is_err());
        assert!(rule.fits(&args(&["abba"])).is_err());
        assert!(rule.fits(&args(&["abxba"])).is_ok());
    }
}
