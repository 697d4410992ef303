//! From scores to the answer: limits, the choice of findings, citations, Markdown.

use crate::passage::Passage;
use crate::rank::rank;
use crate::walk::Collection;
use crate::{DEFAULT_LIMIT, Input, Kind, MAX_LIMIT};
use sandgate_plugin_shared::{
    Finding, Limit, Research, Searched, column, find_limits, shorten, without_limits,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Characters of a finding's text; the citation leads to the rest.
const TEXT: usize = 1_200;
/// A row that holds the limits gains this part of the best score: it answers the question, of which a paragraph
/// only speaks.
const WITHIN: f64 = 0.3;
/// Every further finding of a file loses this part of its score, so that one long table does not push out what
/// the other files say.
const REPEATED: f64 = 0.15;
/// What scores less than this part of the best is a chance hit.
const TAIL: f64 = 0.08;

/// Ranks the passages and makes the answer.
pub(crate) fn answer(collection: &mut Collection, input: &Input) -> Research {
    let (topic, kinds) = (input.topic.as_str(), input.kinds.as_slice());
    let only_rows = kinds == [Kind::Row];
    let limits = find_limits(topic);
    let scores = rank(&collection.passages, &without_limits(topic));
    let best = scores.iter().copied().fold(0.0, f64::max);
    let mut outside = 0;
    let mut hits: Vec<(usize, f64)> = Vec::new();
    let mut rows: Vec<usize> = Vec::new();
    for (n, (passage, score)) in collection.passages.iter().zip(&scores).enumerate() {
        if !kinds.is_empty() && !kinds.contains(&passage.kind) {
            continue;
        }
        let within = within(passage, &limits);
        if within == Some(false) {
            outside += 1;
            continue;
        }
        if within == Some(true) || (within.is_none() && passage.kind == Kind::Row) {
            rows.push(n);
        }
        if *score > 0.0 {
            let gain = if within == Some(true) {
                WITHIN * best
            } else {
                0.0
            };
            hits.push((n, score + gain));
        }
    }
    sort(&mut hits);
    let least = hits.first().map_or(0.0, |(_, best)| best * TAIL);
    hits.retain(|(_, score)| *score >= least);
    if !only_rows {
        spread(&collection.passages, &mut hits);
    }
    let mut note = None;
    if hits.is_empty() && !rows.is_empty() && (!limits.is_empty() || only_rows) {
        note = Some(
            "no passage has a word of the topic; these are the rows that its limits allow"
                .to_owned(),
        );
        hits = rows.into_iter().map(|n| (n, 0.0)).collect();
    } else if hits.is_empty() {
        note = Some(format!(
            "nothing about this topic in {} files with {} passages",
            collection.files,
            collection.passages.len()
        ));
    } else if only_rows || input.whole_tables {
        add_siblings(&collection.passages, &mut hits, &rows);
    }
    hits.truncate(input.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT));
    let findings: Vec<Finding> = hits
        .into_iter()
        .enumerate()
        .filter_map(|(n, (at, score))| {
            Some(finding(
                n + 1,
                collection.passages.get(at)?,
                score,
                &input.fields,
            ))
        })
        .collect();
    Research {
        topic: topic.trim().to_owned(),
        sources: findings
            .iter()
            .map(|finding| finding.citation.clone())
            .collect(),
        findings,
        searched: Searched {
            files: collection.files,
            passages: collection.passages.len(),
            outside_limits: outside,
            skipped: std::mem::take(&mut collection.skipped),
        },
        note,
    }
}

/// Best first; equal ones in the order of the files.
fn sort(hits: &mut [(usize, f64)]) {
    hits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
}

/// Lowers what a file repeats.
fn spread(passages: &[Passage], hits: &mut [(usize, f64)]) {
    let mut seen: BTreeMap<&str, i32> = BTreeMap::new();
    for (n, score) in hits.iter_mut() {
        if let Some(passage) = passages.get(*n) {
            let count = seen.entry(passage.source.path.as_str()).or_default();
            *score *= (1.0 - REPEATED).powi(*count);
            *count += 1;
        }
    }
    sort(hits);
}

/// Whoever asks for rows wants whole tables: the other rows of a table of which one was found follow, unranked.
fn add_siblings(passages: &[Passage], hits: &mut Vec<(usize, f64)>, rows: &[usize]) {
    let path = |n: usize| passages.get(n).map(|passage| passage.source.path.as_str());
    let tables: Vec<_> = hits.iter().filter_map(|(n, _)| path(*n)).collect();
    let found: Vec<usize> = hits.iter().map(|(n, _)| *n).collect();
    hits.extend(
        rows.iter()
            .filter(|n| !found.contains(n) && path(**n).is_some_and(|path| tables.contains(&path)))
            .map(|n| (*n, 0.0)),
    );
}

/// Whether a row holds all limits that speak of one of its fields; `None` when none does.
fn within(passage: &Passage, limits: &[Limit]) -> Option<bool> {
    let fields = passage.fields.as_ref()?;
    let mut answer = None;
    for limit in limits {
        for (name, value) in fields.iter() {
            if let (true, Some(value)) = (limit.applies_to(name), value.as_f64()) {
                let holds = limit.op.holds(value, limit.value);
                answer = Some(answer.unwrap_or(true) && holds);
            }
        }
    }
    answer
}

fn finding(rank: usize, passage: &Passage, score: f64, wanted: &[String]) -> Finding {
    let fields = passage.fields.as_ref().map(|row| {
        if wanted.is_empty() {
            return row.clone();
        }
        let columns: Vec<String> = row.columns().map(str::to_owned).collect();
        wanted
            .iter()
            .filter_map(|name| column(&columns, name))
            .filter_map(|name| Some((name.to_owned(), row.get(name)?.clone())))
            .collect()
    });
    Finding {
        rank,
        score: (score * 1000.0).round() / 1000.0,
        text: shorten(&passage.shown(), TEXT),
        citation: format!("[{rank}] {}", passage.source.place()),
        source: passage.source.clone(),
        fields,
    }
}

/// The answer for people.
pub(crate) fn markdown(answer: &Research) -> String {
    let mut text = format!("# {}\n", answer.topic);
    if let Some(note) = &answer.note {
        let _ = write!(text, "\n*{note}*\n");
    }
    for finding in &answer.findings {
        let heading = finding
            .source
            .heading
            .as_deref()
            .map(|h| format!(", {h}"))
            .unwrap_or_default();
        let _ = write!(text, "\n## {}{heading}\n\n", finding.citation);
        for line in finding.text.lines() {
            let _ = writeln!(text, "> {line}");
        }
    }
    let searched = &answer.searched;
    let _ = write!(
        text,
        "\n---\n\nSearched {} passages in {} files; {} rows outside the limits; {} files skipped.\n",
        searched.passages,
        searched.files,
        searched.outside_limits,
        searched.skipped.len()
    );
    text
}
