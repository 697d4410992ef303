//! English words: tokens, stop words and a light stemmer. Good enough to rank notes, small enough for a component.

/// Words that say nothing about what a text is about. Sorted, so that it can be searched.
const STOP: &[&str] = &[
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "but", "by", "can", "could", "did", "do", "does", "for", "from", "had",
    "has", "have", "he", "her", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "like", "may", "me", "more", "most", "my", "no", "not", "of", "on", "one", "only", "or", "our",
    "out", "over", "please", "she", "should", "so", "some", "such", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "to", "under", "up", "us", "was", "we",
    "were", "what", "when", "where", "which", "while", "who", "why", "will", "with", "would",
    "you", "your",
];

/// Whether a lower-case word is a stop word.
#[must_use]
pub fn is_stop(word: &str) -> bool {
    STOP.binary_search(&word).is_ok()
}

/// Words of a text in lower case: runs of letters and digits, with the dots and commas inside numbers, and
/// apostrophes dropped.
pub fn tokens(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’' | '.' | ',')))
        .flat_map(|word| {
            let word = word.trim_matches(['.', ',', '\'', '’']);
            let number = word.starts_with(|c: char| c.is_ascii_digit());
            // `3.5` stays whole, `end.Start` is two words.
            word.split(move |c| !number && matches!(c, '.' | ','))
        })
        .filter(|word| !word.is_empty())
        .map(|word| {
            let lower = word.to_lowercase();
            let lower = lower
                .strip_suffix("'s")
                .or_else(|| lower.strip_suffix("’s"))
                .unwrap_or(&lower);
            lower.replace(['\'', '’'], "")
        })
}

/// Terms to index and to ask for: tokens without stop words, stemmed.
pub fn terms(text: &str) -> impl Iterator<Item = String> + '_ {
    tokens(text)
        .filter(|word| !is_stop(word))
        .map(|word| stem(&word))
}

/// Harman's S-stemmer: it folds plurals and nothing else, so it never joins words that differ in meaning.
#[must_use]
pub fn stem(word: &str) -> String {
    let long = word.chars().count() > 3;
    if long && word.ends_with("ies") && !word.ends_with("eies") && !word.ends_with("aies") {
        return format!("{}y", word.strip_suffix("ies").unwrap_or(word));
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if long && word.ends_with(ending) {
            return word.strip_suffix("es").unwrap_or(word).to_owned();
        }
    }
    if long && word.ends_with('s') && !word.ends_with("us") && !word.ends_with("ss") {
        return word.strip_suffix('s').unwrap_or(word).to_owned();
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP.is_sorted());
        assert!(is_stop("the") && !is_stop("laptop"));
    }

    #[test]
    fn splits_and_stems() {
        for (text, expected) in [
            ("The laptops' prices", "laptop price"),
            ("3.5 kg, batteries: 13,5", "3.5 kg battery 13,5"),
            ("John's boxes and glasses.Next", "john box glass next"),
            ("USB-C bus", "usb c bus"),
            ("naïve Äpfel", "naïve äpfel"),
        ] {
            let found: Vec<_> = terms(text).collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }
}
