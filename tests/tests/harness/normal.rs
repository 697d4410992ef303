//! What differs from run to run becomes a placeholder: ids, digests, spans, moments. Runs of spaces become two,
//! because a wider number moves a column.

/// The stable part of what the binary prints.
pub(crate) fn normal(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(line).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.push(String::new());
    lines.join("\n")
}

fn line(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.trim_end();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphanumeric() {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '_')))
                .unwrap_or(rest.len());
            let (mut word, after) = rest.split_at(end);
            // A full stop or colon after a word is not part of it.
            let bare = word.trim_end_matches(['.', ':', '-']);
            let tail = &word[bare.len()..];
            word = bare;
            match span(word, after, tail.is_empty()) {
                Some(after) => {
                    out.push_str("TIME");
                    rest = after;
                }
                None => {
                    let known = placeholder(word);
                    // `2026-11-21 12:01:03` is one moment.
                    if known == Some("CLOCK") && ends_with_day(&out) {
                        out.truncate(out.len() - "2026-11-21 ".len());
                        out.push_str("DATE");
                    } else {
                        out.push_str(known.unwrap_or(word));
                    }
                    out.push_str(tail);
                    rest = after;
                }
            }
        } else if first == ' ' && !out.trim().is_empty() {
            let after = rest.trim_start_matches(' ');
            out.push_str(if rest.len() - after.len() > 1 {
                "  "
            } else {
                " "
            });
            rest = after;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn ends_with_day(text: &str) -> bool {
    let word = text.strip_suffix(' ').and_then(|t| t.rsplit(' ').next());
    word.is_some_and(|w| {
        let shape = |(n, b): (usize, u8)| {
            if n == 4 || n == 7 {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        };
        w.len() == 10 && w.bytes().enumerate().all(shape)
    })
}

fn placeholder(word: &str) -> Option<&'static str> {
    let hex = |t: &str, n: usize| {
        t.len() == n
            && t.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let parts: Vec<&str> = word.split('-').collect();
    if parts.len() == 5 && [8, 4, 4, 4, 12].iter().zip(&parts).all(|(n, p)| hex(p, *n)) {
        return Some("RUN");
    }
    if let Some(digits) = word.strip_prefix("sha256:") {
        return hex(digits, digits.len()).then_some("sha256:DIGEST");
    }
    if hex(word, 64) || hex(word, 12) {
        return Some("DIGEST");
    }
    if hex(word, 8) {
        return Some("RUN");
    }
    let moment = |t: &str| t.len() >= 8 && t.as_bytes()[2] == b':' && t.as_bytes()[5] == b':';
    match word.split_once('T') {
        Some((day, time)) if day.len() == 10 && moment(time) => Some("DATE"),
        None if moment(word) => Some("CLOCK"),
        _ => None,
    }
}

/// If `word` and what follows is a span of time (`12ms`, `1.5 s`, `1m02s`), the text after it.
fn span<'a>(word: &str, after: &'a str, closed: bool) -> Option<&'a str> {
    const UNITS: [&str; 7] = ["ms", "us", "s", "m", "h", "min", "ns"];
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let units: Vec<&str> = word
        .split(|c: char| c.is_ascii_digit() || c == '.')
        .filter(|t| !t.is_empty())
        .collect();
    if units.is_empty() {
        // The unit is the next word.
        let next = closed.then(|| after.strip_prefix(' ')).flatten()?;
        let end = next
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(next.len());
        let known = UNITS.contains(&&next[..end]) && &next[..end] != "m" && &next[..end] != "h";
        return known.then(|| &next[end..]);
    }
    (closed && units.iter().all(|u| UNITS.contains(u))).then_some(after)
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let check = |text: &str, expected: &str| assert_eq!(normal(text), format!("{expected}\n"));
    check("run 01932c5e-7c0a-7000-8000-00000000abcd", "run RUN");
    check("run 0abc12ef: verified.", "run RUN: verified.");
    check(
        "plan sha256:0123abcd4567 (0123abcd4567)",
        "plan sha256:DIGEST (DIGEST)",
    );
    check("draft    12ms   1 attempt", "draft  TIME  1 attempt");
    check("took 1.25 s, then 1m02s", "took TIME, then TIME");
    check("at 2026-02-11T10:20:30.123Z", "at DATE");
    check("10:20:30 started", "CLOCK started");
    check(
        "created  2026-11-21 12:01:03, took 1.2s",
        "created  DATE, took TIME",
    );
    // What is not from this run stays.
    check(
        "seen on 2026-02-11 for 1049 euros",
        "seen on 2026-02-11 for 1049 euros",
    );
    check(
        "  3 of 4 tasks, 13.5 hours, 0 h",
        "  3 of 4 tasks, 13.5 hours, 0 h",
    );
    check("task t1 needs a-b.c", "task t1 needs a-b.c");
}
