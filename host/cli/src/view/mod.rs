//! What is shown of a run: functions from the engine's and the driver's values to text. No I/O, no decisions, and
//! every piece of text that the host did not write itself goes through [`crate::ui::Esc`].

pub(crate) mod approvals;
pub(crate) mod ask;
pub(crate) mod diff;
pub(crate) mod dry;
mod effect;
pub(crate) mod event;
pub(crate) mod packet;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod review;
pub(crate) mod runs;
pub(crate) mod said;
pub(crate) mod status;
pub(crate) mod summary;
pub(crate) mod why;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod fixture;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod people_tests;
