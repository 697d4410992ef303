//! Cuts secrets out of what comes back.

use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) struct Redactor;

impl Redactor {
    pub(crate) fn new(_secrets: &[Arc<Zeroizing<Vec<u8>>>]) -> Self {
        Self
    }
}
