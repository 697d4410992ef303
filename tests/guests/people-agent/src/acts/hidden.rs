//! Texts that look like something else where they are shown, or move what stands around them, in every place that a
//! person is shown.

use super::{http, steps};
use crate::bindings::sandgate::plugin::log;
use kit::{Order, Told, Value};

/// Name and text. Each has the word `canary` in it, which is harmless and can be looked for.
fn texts() -> Vec<(&'static str, String)> {
    let plain = |name: &'static str, text: &str| (name, text.to_owned());
    vec![
        plain("clear", "canary\u{1b}[2J\u{1b}[H"),
        plain("over the line before", "canary\u{1b}[1A\u{1b}[2Kharmless"),
        plain("colour of the background", "canary\u{1b}[8mrm -rf\u{1b}[0m"),
        plain("eight-bit escape", "canary\u{9b}2J"),
        plain("title", "canary\u{1b}]0;approved\u{7}"),
        plain(
            "link",
            "canary\u{1b}]8;;http://127.0.0.1/\u{1b}\\ok\u{1b}]8;;\u{1b}\\",
        ),
        plain("clipboard", "canary\u{1b}]52;c;cm0gLXJm\u{7}"),
        plain("answer back", "canary\u{1b}[6n"),
        plain("new line", "canary\n\napproved by the operator"),
        plain("carriage return", "canary --force\rharmless        "),
        plain("backspace", "canary\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}harmless"),
        plain("tab", "canary\tharmless"),
        plain("nul", "canary\u{0}harmless"),
        plain("right to left", "canary\u{202e}ecrof--\u{202c}"),
        plain("isolate", "canary\u{2066}\u{2067}x\u{2069}"),
        plain("mark", "canary\u{200f}\u{061c}"),
        plain("no width", "ca\u{200b}na\u{200d}ry\u{2060}"),
        plain("order mark", "\u{feff}canary"),
        plain("tags", "canary\u{e0001}\u{e002d}\u{e002d}\u{e007f}"),
        plain("line separator", "canary\u{2028}approved\u{2029}"),
        plain("next line", "canary\u{85}approved"),
        plain("look-alike", "c\u{430}n\u{430}ry"),
        plain("filler", "canary\u{3164}\u{115f}\u{ffa0}"),
        plain("variation", "canary\u{fe0f}\u{e0100}"),
        plain("private", "canary\u{e000}\u{f8ff}"),
        (
            "marks upon marks",
            format!("canary{}", "\u{335}".repeat(200)),
        ),
        ("blanks", format!("canary{}--force", " ".repeat(2_000))),
        ("long", format!("canary{}", "a".repeat(100_000))),
        ("lines", format!("canary{}", "\n".repeat(500))),
    ]
}

/// Puts texts where `in` says, all of them or the one with the number `which` (from 0).
pub fn act(order: &Order) -> Result<Value, String> {
    let all = texts();
    let which = order.value("which").as_u64();
    let mut told = Told::default();
    for (n, (name, text)) in all.iter().enumerate() {
        if which.is_none_or(|which| which == n as u64) {
            told.note(*name, put(order, text)?);
        }
    }
    Ok(told.answer())
}

/// The outer error: there is no such place.
fn put(order: &Order, text: &str) -> Result<Result<String, String>, String> {
    let fill = |key: &str| order.text(key).replace("{h}", text);
    Ok(match order.text("in") {
        "command" => {
            let args = order
                .list("args")
                .iter()
                .map(|arg| arg.replace("{h}", text))
                .collect();
            steps::run(order.text("program"), args, order.text("cwd"))
        }
        "question" => steps::ask(text, Vec::new(), None, None),
        "choice" => steps::ask(
            "Which?",
            vec!["yes".to_owned(), text.to_owned()],
            None,
            None,
        ),
        "default" => steps::ask("What?", Vec::new(), Some(text.to_owned()), Some(1)),
        "charge" => steps::charge(text),
        "url" => http::get(&fill("url"), 0),
        "model" => steps::generate(order.text("model"), text),
        "log" => {
            log::log(log::Level::Info, text);
            Ok("logged".to_owned())
        }
        other => return Err(format!("`in` is {other:?}")),
    })
}
