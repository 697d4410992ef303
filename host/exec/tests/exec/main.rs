//! Commands that really run: what they are kept from, what they can do, how they end.

mod ends;
mod kit;
mod less;
mod output;
mod uses;
mod vectors;
