//! Did you mean.

/// The word that is nearest to what was written, when it is near enough to be a slip: a third of the letters at
/// most.
pub(crate) fn nearest<'a>(written: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing is quadratic in the length; nobody mistypes a name of 64 letters into one of 200.
    if written.len() > 80 {
        return None;
    }
    let most = (written.chars().count() / 3).max(1);
    words
        .map(|word| (strsim::osa_distance(written, word), word))
        .filter(|(distance, word)| *distance <= most && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A list of words for people: `a`, `b` or `c`.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let words = ["retry", "timeout", "needs"];
        assert_eq!(nearest("retires", words.into_iter()), None);
        assert_eq!(nearest("retrry", words.into_iter()), Some("retry"));
        assert_eq!(nearest("timout", words.into_iter()), Some("timeout"));
        assert_eq!(nearest("need", words.into_iter()), Some("needs"));
        assert_eq!(nearest("zzz", words.into_iter()), None);
        assert_eq!(nearest("x", ["a", "b"].into_iter()), None);
    }
}
