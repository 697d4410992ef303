//! Filters, criteria, scores.

use crate::Input;
use crate::gather::Item;
use sandgate_plugin::{PluginError, Result};
use sandgate_plugin_shared::{column, field_tokens, find_limits, is_price, labelled, show};
use serde::Deserialize;
use serde_json::Value;

/// One thing that counts.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Criterion {
    pub(crate) field: String,
    #[serde(default)]
    pub(crate) weight: Option<f64>,
    #[serde(default)]
    pub(crate) better: Option<Better>,
}

/// Which way is better.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// A condition on a column.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    pub(crate) field: String,
    pub(crate) op: FilterOp,
    pub(crate) value: Value,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FilterOp {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    More,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    Other,
    #[serde(rename = "contains")]
    Contains,
}

/// A criterion with its column found and its direction known.
#[derive(Clone, Debug)]
pub(crate) struct Ruled {
    pub(crate) column: String,
    pub(crate) weight: f64,
    pub(crate) better: Better,
}

/// A row with its place.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) item: Item,
    pub(crate) score: f64,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) columns: Vec<String>,
    pub(crate) criteria: Vec<Ruled>,
    pub(crate) rows: Vec<Ranked>,
    /// Name and reason.
    pub(crate) dropped: Vec<(String, String)>,
    pub(crate) topic: Option<String>,
}

/// Words in column names of which less is better.
const LOWER: &[&str] = &[
    "weight",
    "latency",
    "delay",
    "duration",
    "noise",
    "risk",
    "distance",
    "errors",
    "consumption",
    "emissions",
    "rank",
];
/// Words in column names of which more is better.
const HIGHER: &[&str] = &[
    "battery",
    "score",
    "rating",
    "stars",
    "ram",
    "memory",
    "storage",
    "capacity",
    "speed",
    "range",
    "warranty",
    "brightness",
    "throughput",
    "discount",
    "reviews",
];

/// Ranks the items.
pub(crate) fn compare(items: Vec<Item>, input: &Input) -> Result<Comparison> {
    let columns = columns(&items);
    let mut comparison = Comparison {
        columns: columns.clone(),
        criteria: Vec::new(),
        rows: Vec::new(),
        dropped: Vec::new(),
        topic: input.topic.clone(),
    };
    if items.is_empty() {
        return Ok(comparison);
    }
    comparison.criteria = criteria(&items, &columns, &input.criteria)?;
    let filters = input
        .filters
        .iter()
        .map(|filter| Ok((known(&columns, &filter.field, "filter")?, filter)))
        .collect::<Result<Vec<_>>>()?;
    let limits = find_limits(input.topic.as_deref().unwrap_or_default());
    let mut kept = Vec::new();
    for item in items {
        let broken = filters
            .iter()
            .find(|(column, filter)| !filter.holds(item.row.get(column)))
            .map(|(column, filter)| {
                format!(
                    "{column} is not {} {}",
                    filter.op.word(),
                    show(&filter.value)
                )
            })
            .or_else(|| {
                let cell = |limit: &&sandgate_plugin_shared::Limit| {
                    item.row.iter().any(|(name, cell)| {
                        limit.applies_to(name)
                            && cell
                                .as_f64()
                                .is_some_and(|cell| !limit.op.holds(cell, limit.value))
                    })
                };
                limits
                    .iter()
                    .find(cell)
                    .map(|limit| format!("outside {} {}", limit.op.sign(), limit.value))
            })
            .or_else(|| {
                comparison
                    .criteria
                    .iter()
                    .find(|rule| number(&item, &rule.column).is_none())
                    .map(|rule| format!("no number in {}", rule.column))
            });
        match broken {
            Some(reason) => comparison.dropped.push((item.name, reason)),
            None => kept.push(item),
        }
    }
    comparison.rows = rank(kept, &comparison.criteria);
    comparison.order_columns();
    Ok(comparison)
}

/// Columns in the order in which they first appear.
fn columns(items: &[Item]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for item in items {
        for column in item.row.columns() {
            if !columns.iter().any(|known| known == column) {
                columns.push(column.to_owned());
            }
        }
    }
    columns
}

fn number(item: &Item, column: &str) -> Option<f64> {
    item.row.get(column).and_then(Value::as_f64)
}

fn known(columns: &[String], wanted: &str, what: &str) -> Result<String> {
    column(columns, wanted).map(str::to_owned).ok_or_else(|| {
        PluginError::invalid_input(format!(
            "{what} `{wanted}` is no column; there are: {}",
            columns.join(", ")
        ))
    })
}

fn criteria(items: &[Item], columns: &[String], wanted: &[Criterion]) -> Result<Vec<Ruled>> {
    if wanted.is_empty() {
        let price = columns.iter().find(|column| {
            is_price(column) && items.iter().any(|item| number(item, column).is_some())
        });
        return match price {
            Some(column) => Ok(vec![Ruled {
                column: column.clone(),
                weight: 1.0,
                better: Better::Lower,
            }]),
            None => Err(PluginError::invalid_input(format!(
                "no column holds a price, so say in `criteria` what to compare; there are: {}",
                columns.join(", ")
            ))),
        };
    }
    wanted
        .iter()
        .map(|criterion| {
            let column = known(columns, &criterion.field, "criterion")?;
            let better = criterion
                .better
                .or_else(|| direction(&column))
                .ok_or_else(|| {
                    PluginError::invalid_input(format!(
                        "say `better = \"lower\"` or `\"higher\"` for criterion `{}`",
                        criterion.field
                    ))
                })?;
            Ok(Ruled {
                column,
                weight: criterion.weight.unwrap_or(1.0),
                better,
            })
        })
        .collect()
}

/// Which way is better by the column's name.
fn direction(column: &str) -> Option<Better> {
    if is_price(column) || field_tokens(column).any(|word| LOWER.contains(&word.as_str())) {
        return Some(Better::Lower);
    }
    field_tokens(column)
        .any(|word| HIGHER.contains(&word.as_str()))
        .then_some(Better::Higher)
}

/// Each criterion gives 0 to the worst row and 1 to the best; the score is their weighted mean. Equal scores
/// keep the order of the input.
fn rank(items: Vec<Item>, criteria: &[Ruled]) -> Vec<Ranked> {
    let ranges: Vec<(f64, f64)> = criteria
        .iter()
        .map(|rule| {
            items
                .iter()
                .filter_map(|item| number(item, &rule.column))
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (low.min(value), high.max(value))
                })
        })
        .collect();
    let total: f64 = criteria.iter().map(|rule| rule.weight).sum();
    let mut ranked: Vec<Ranked> = items
        .into_iter()
        .map(|item| {
            let sum: f64 = criteria
                .iter()
                .zip(&ranges)
                .map(|(rule, (low, high))| {
                    let value = number(&item, &rule.column).unwrap_or(*low);
                    let part = if high > low {
                        (value - low) / (high - low)
                    } else {
                        1.0
                    };
                    let part = match rule.better {
                        Better::Lower if high > low => 1.0 - part,
                        _ => part,
                    };
                    rule.weight * part
                })
                .sum();
            Ranked {
                item,
                score: (sum / total * 1000.0).round() / 1000.0,
            }
        })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked
}

impl Comparison {
    /// Name first, then what was compared, then the rest as it came.
    fn order_columns(&mut self) {
        let name = self
            .rows
            .first()
            .and_then(|best| best.item.row.name())
            .map(|(column, _)| column.to_owned());
        let criteria: Vec<&str> = self
            .criteria
            .iter()
            .map(|rule| rule.column.as_str())
            .collect();
        let place = |column: &String| match criteria.iter().position(|known| known == column) {
            _ if Some(column) == name.as_ref() => 0,
            Some(at) => at + 1,
            None => usize::MAX,
        };
        self.columns.sort_by_key(place);
    }

    /// Why the first row is first; only what the rows say.
    pub(crate) fn reason(&self) -> Option<String> {
        let best = self.rows.first()?;
        let values: Vec<String> = self
            .criteria
            .iter()
            .filter_map(|rule| Some(labelled(&rule.column, best.item.row.get(&rule.column)?)))
            .collect();
        let of = self.rows.len();
        Some(match self.criteria.as_slice() {
            [one] => {
                let word = match one.better {
                    Better::Lower => "lowest",
                    Better::Higher => "highest",
                };
                format!("{word} {} of {of}", values.join(", "))
            }
            _ => format!("best score of {of}: {}", values.join(", ")),
        })
    }
}

impl FilterOp {
    fn word(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
            Self::Other => "other than",
            Self::Contains => "with",
        }
    }
}

impl Filter {
    /// Whether a cell passes. A missing cell does not.
    fn holds(&self, cell: Option<&Value>) -> bool {
        let Some(cell) = cell else {
            return false;
        };
        let texts = (show(cell).to_lowercase(), show(&self.value).to_lowercase());
        let number = |value: &Value| {
            value
                .as_f64()
                .or_else(|| value.as_str().and_then(sandgate_plugin_shared::number))
        };
        let numbers = number(cell).zip(number(&self.value));
        match (self.op, numbers) {
            (FilterOp::Contains, _) => texts.0.contains(&texts.1),
            (FilterOp::Equal, Some((a, b))) => a == b,
            (FilterOp::Other, Some((a, b))) => a != b,
            (FilterOp::Equal, None) => texts.0 == texts.1,
            (FilterOp::Other, None) => texts.0 != texts.1,
            (FilterOp::Less, Some((a, b))) => a < b,
            (FilterOp::AtMost, Some((a, b))) => a <= b,
            (FilterOp::More, Some((a, b))) => a > b,
            (FilterOp::AtLeast, Some((a, b))) => a >= b,
            // Dates in ISO form compare as text.
            (FilterOp::Less, None) => texts.0 < texts.1,
            (FilterOp::AtMost, None) => texts.0 <= texts.1,
            (FilterOp::More, None) => texts.0 > texts.1,
            (FilterOp::AtLeast, None) => texts.0 >= texts.1,
        }
    }
}
