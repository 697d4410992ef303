//! Reading a value, one file per place. Buffers are wiped, and big enough from the start: a vector that grows leaves
//! its old bytes behind.

mod command;
mod file;

pub(crate) use command::{Surroundings, from_command};
pub(crate) use file::from_file;

use crate::value::MAX_SECRET;
use zeroize::Zeroizing;

/// Room for the longest value, its line end, and one byte that shows that it was longer.
const ROOM: usize = MAX_SECRET + 3;

/// An empty buffer that can take [`ROOM`] bytes without moving.
fn buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(ROOM))
}
