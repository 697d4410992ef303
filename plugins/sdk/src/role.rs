//! One file per role, and what roles share. These types are the plugin author's view: the conversion from the
//! generated ones is in `export.rs`.

pub(crate) mod agent;
pub(crate) mod config;
pub(crate) mod gate;
pub(crate) mod planner;
pub(crate) mod target;
