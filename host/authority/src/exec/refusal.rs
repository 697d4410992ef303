//! Why a command may not run, for people: what was asked for, which rule was nearest, the line that would allow it.

use super::value::deceives;

/// Why a command may not run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExecRefusal {
    /// No rule fits.
    #[error("the command {what} is not granted: {why}{}", would_allow(allow.as_deref()))]
    NotGranted {
        /// The command, for people.
        what: String,
        /// The nearest rule and what differs, or that there is none.
        why: String,
        /// Index of the nearest rule in the grants.
        nearest: Option<usize>,
        /// The line of TOML that would allow it; absent when no line would.
        allow: Option<String>,
    },
    /// A rule fits, but it may not start in that directory.
    #[error("the command {what} cannot start: {why}")]
    Directory {
        /// The command, for people.
        what: String,
        /// Why, and what to do.
        why: String,
    },
}

fn would_allow(line: Option<&str>) -> String {
    line.map_or_else(String::new, |line| {
        format!("; this line in [policy] of sandgate.toml would allow it: {line}")
    })
}

/// The line of TOML that allows exactly this command.
pub(super) fn allow(program: &str, args: &[String]) -> String {
    let mut list = Vec::with_capacity(args.len());
    for arg in args {
        list.push(quoted(&arg.replace('{', "{{").replace('}', "}}")));
    }
    format!(
        "exec = [{{ program = {}, args = [{}], approval = \"none\" }}]",
        quoted(program),
        list.join(", ")
    )
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if deceives(c) => {
                let n = u32::from(c);
                if n <= 0xffff {
                    out.push_str(&format!("\\u{n:04x}"));
                } else {
                    out.push_str(&format!("\\U{n:08x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
