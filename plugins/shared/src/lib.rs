//! What the first-party plugins share. Pure: no files, no host calls, so that everything is tested natively.

mod finding;
mod limit;
mod loose;
mod row;
mod rows;
mod terminal;
mod words;

pub use finding::{Finding, Research, Searched, Skipped, Source};
pub use limit::{Limit, Op, find_limits, is_price, labelled, number, without_limits};
pub use loose::{loose, shorten, show};
pub use row::Row;
pub use rows::{TableError, column, csv_rows, field_tokens, flatten, json_rows, typed};
pub use terminal::{cut, last_lines, plain};
pub use words::{is_stop, stem, terms, tokens};
