//! The rules of SPEC section 3, each by an example that a person can follow. What must hold for every plan and
//! every order of events is checked by the worlds of `testkit`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod asks;
mod attempts;
mod budget;
mod calls;
mod cancel;
mod expand;
mod funds;
mod gates;
mod guarded;
mod host;
mod inbox;
mod old;
mod overtaking;
mod people;
mod planning;
mod play;
mod races;
mod retry;
mod review;
mod signals;
mod steer;
mod stopped;
mod summary;
mod suspend;
