//! Commands that really run: what they are kept from, what they can do, how they end.

#![cfg(test)]

mod ends;
mod kit;
mod less;
mod output;
mod uses;
mod vectors;
