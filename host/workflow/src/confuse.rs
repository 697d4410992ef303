//! Ids that people take for each other. Two tasks called `pay-1` and `pay-l` in an approval would be a trap.

/// What an id looks like at a glance: two ids with the same look are confusable. Digits that resemble letters
/// become letters. Separators vanish, except between digits, where they carry meaning: `row-1-12` is not `row-11-2`.
pub(crate) fn look(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    let mut separated = false;
    let mut after_digit = false;
    for c in id.chars() {
        if matches!(c, '-' | '_' | '.') {
            separated = true;
            continue;
        }
        let digit = c.is_ascii_digit();
        if separated && after_digit && digit {
            out.push('-');
        }
        separated = false;
        after_digit = digit;
        out.push(match c.to_ascii_lowercase() {
            '0' => 'o',
            '1' | 'i' => 'l',
            other => other,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::look;

    #[test]
    fn looks() {
        for (a, b) in [
            ("pay-1", "pay-l"),
            ("my-task", "my_task"),
            ("mytask", "my-task"),
            ("o0", "00"),
            ("ill", "111"),
            ("a--b", "a-b"),
        ] {
            assert_eq!(look(a), look(b), "{a} {b}");
        }
        for (a, b) in [
            ("row-1-12", "row-11-2"),
            ("t1", "t2"),
            ("a-1", "a-2"),
            ("t10", "t01"),
        ] {
            assert_ne!(look(a), look(b), "{a} {b}");
        }
    }
}
