//! Ranking: Okapi BM25, then once more with the query widened by relevance feedback (RM3).
//!
//! Pure and deterministic. Words of the file's name, of the headings and of the columns count for a passage too,
//! but less: a section about laptops need not repeat the word in every paragraph.

use crate::passage::Passage;
use sandgate_plugin_shared::{show, terms};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How fast repeated words stop to matter. The usual value.
const K1: f64 = 1.2;
/// How much long passages are held back. The usual value.
const B: f64 = 0.75;
/// Weight of a word in the file's name, a heading or a column's name, of one in the passage being 1.
const CONTEXT: f64 = 0.4;
/// A passage counts as at least this part of the average length: three cells of a table are not a better answer
/// than a paragraph just because they are short.
const SHORTEST: f64 = 0.6;
/// Passages of the first ranking that widen the query.
const FEEDBACK: usize = 8;
/// Words that they add.
const ADDED: usize = 12;
/// Weight of all added words together, of the words asked for being 1.
const ADDED_WEIGHT: f64 = 0.4;

/// Scores of all passages, in their order; 0 means: no word in common with the query.
pub(crate) fn rank(passages: &[Passage], query: &str) -> Vec<f64> {
    let mut words: Vec<String> = terms(query).collect();
    words.sort();
    words.dedup();
    if words.is_empty() {
        return vec![0.0; passages.len()];
    }
    let share = 1.0 / words.len() as f64;
    let mut weighted: Vec<(String, f64)> = words.into_iter().map(|word| (word, share)).collect();
    let first = bm25(passages, &weighted);
    let added = feedback(passages, &first, &weighted);
    if added.is_empty() {
        return first;
    }
    weighted.extend(added);
    bm25(passages, &weighted)
}

/// What a passage says: its text, or its cells without the names of the columns.
fn content(passage: &Passage) -> Cow<'_, str> {
    match &passage.fields {
        None => Cow::Borrowed(&passage.text),
        Some(row) => row
            .iter()
            .map(|(_, cell)| show(cell))
            .collect::<Vec<_>>()
            .join("\n")
            .into(),
    }
}

/// What stands around it: file, headings, columns.
fn context(passage: &Passage) -> String {
    let mut text = passage.source.path.replace('/', " / ");
    for part in passage
        .source
        .heading
        .as_deref()
        .into_iter()
        .chain(passage.fields.iter().flat_map(|row| row.columns()))
    {
        text.push('\n');
        text.push_str(part);
    }
    text
}

/// BM25 for words with weights.
fn bm25(passages: &[Passage], query: &[(String, f64)]) -> Vec<f64> {
    let index: BTreeMap<&str, usize> = query
        .iter()
        .enumerate()
        .map(|(n, (word, _))| (word.as_str(), n))
        .collect();
    let mut lengths = Vec::with_capacity(passages.len());
    let mut counts: Vec<Vec<(usize, f64)>> = Vec::with_capacity(passages.len());
    let mut documents = vec![0usize; query.len()];
    for passage in passages {
        let mut found: BTreeMap<usize, f64> = BTreeMap::new();
        let mut length = 0usize;
        for word in terms(&content(passage)) {
            length += 1;
            if let Some(&n) = index.get(word.as_str()) {
                *found.entry(n).or_default() += 1.0;
            }
        }
        for word in terms(&context(passage)) {
            if let Some(&n) = index.get(word.as_str()) {
                *found.entry(n).or_default() += CONTEXT;
            }
        }
        for &n in found.keys() {
            if let Some(count) = documents.get_mut(n) {
                *count += 1;
            }
        }
        lengths.push(length);
        counts.push(found.into_iter().collect());
    }
    let total = passages.len() as f64;
    let average = (lengths.iter().sum::<usize>() as f64 / total.max(1.0)).max(1.0);
    let weights: Vec<f64> = query
        .iter()
        .zip(&documents)
        .map(|((_, weight), &with)| {
            let with = with as f64;
            weight * (1.0 + (total - with + 0.5) / (with + 0.5)).ln()
        })
        .collect();
    lengths
        .iter()
        .zip(&counts)
        .map(|(&length, found)| {
            let length = (length as f64 / average).max(SHORTEST);
            let norm = K1 * (1.0 - B + B * length);
            found
                .iter()
                .map(|&(n, count)| {
                    weights.get(n).copied().unwrap_or_default() * count * (K1 + 1.0)
                        / (count + norm)
                })
                .sum()
        })
        .collect()
}

/// Words that the best passages share, weighted by how much of those passages they are.
fn feedback(passages: &[Passage], scores: &[f64], query: &[(String, f64)]) -> Vec<(String, f64)> {
    let mut best: Vec<(usize, f64)> = scores
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, score)| *score > 0.0)
        .collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    best.truncate(FEEDBACK);
    let sum: f64 = best.iter().map(|(_, score)| score).sum();
    let mut words: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (n, score) in best {
        let Some(passage) = passages.get(n) else {
            continue;
        };
        let found: Vec<String> = terms(&content(passage)).collect();
        let part = score / sum / found.len().max(1) as f64;
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for word in found {
            *counts.entry(word).or_default() += 1.0;
        }
        for (word, count) in counts {
            let entry = words.entry(word).or_default();
            entry.0 += part * count;
            entry.1 += 1;
        }
    }
    let mut added: Vec<(String, f64)> = words
        .into_iter()
        // Names and things: not numbers, not the query itself, not the accident of one passage.
        .filter(|(word, (_, passages))| {
            *passages > 1
                && word.chars().count() > 2
                && word.chars().all(char::is_alphabetic)
                && !query.iter().any(|(asked, _)| asked == word)
        })
        .map(|(word, (weight, _))| (word, weight))
        .collect();
    added.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    added.truncate(ADDED);
    let sum: f64 = added.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut added {
        *weight *= ADDED_WEIGHT / sum;
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passage::passages;

    fn order(query: &str, texts: &[&str]) -> Vec<usize> {
        let all: Vec<Passage> = texts
            .iter()
            .flat_map(|text| passages("a.txt", text).unwrap())
            .collect();
        let scores = rank(&all, query);
        let mut order: Vec<usize> = (0..scores.len()).filter(|&n| scores[n] > 0.0).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order
    }

    #[test]
    fn rare_words_count_more_than_common_ones() {
        let found = order(
            "red comet",
            &["red car and red door", "a comet", "red house", "nothing"],
        );
        assert_eq!(found[0], 1);
        assert!(!found.contains(&3));
    }

    #[test]
    fn short_passages_and_repetition_win() {
        let long = format!("comet {}", "other words here ".repeat(9));
        assert_eq!(
            order("comet", &[&long, "comet seen", "comet comet"]),
            [2, 1, 0]
        );
    }

    #[test]
    fn feedback_finds_what_only_the_answers_name() {
        let found = order(
            "laptops",
            &[
                "the Summit is a fine laptop",
                "this laptop is called Summit too",
                "Summit: 1169",
                "bananas: 3",
            ],
        );
        assert_eq!(found.len(), 3);
        assert_eq!(found[2], 2);
    }

    #[test]
    fn no_words_no_answer() {
        assert!(order("the of and", &["the of and"]).is_empty());
        assert!(rank(&[], "x").is_empty());
    }
}
