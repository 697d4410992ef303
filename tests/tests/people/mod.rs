//! People decide, through the whole product: two processes, the journal, real guests, real commands and requests. What
//! counts is what happened outside (lines of a file, requests at a server), not what the binary says about it.
//!
//! Must not adapt what it expects to what the product does.

mod again;
mod calls;
mod edit;
mod hidden;
mod kill;
mod kit;
mod prompt;
mod races;
mod review;
mod signals;
mod socket;
mod steer;
mod toctou;
mod waits;
