//! Ending a call from what goes on beside its guest: a request that runs in the background finds that a person has to decide,
//! or that its answer cannot be made durable. Only calls without a tape have such requests.

use crate::CancelToken;
use crate::state::Stop;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by a store and what it sends. The first reason stays.
#[derive(Clone, Default)]
pub(crate) struct Halt {
    why: Arc<Mutex<Option<Stop>>>,
    wake: CancelToken,
}

impl Halt {
    /// Ends the call.
    pub(crate) fn now(&self, why: Stop) {
        let mut kept = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(why);
        drop(kept);
        self.wake.cancel();
    }

    /// Whether the guest may go on.
    pub(crate) fn may_go_on(&self) -> Result<(), Stop> {
        if !self.wake.is_cancelled() {
            return Ok(());
        }
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        why.clone().map_or(Ok(()), Err)
    }

    /// Waits for what the guest waits for, unless the call ends first.
    pub(crate) async fn unless<T>(&self, wait: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.wake.cancelled() => {
                self.may_go_on()?;
                Err(Stop::Suspended)
            }
            done = wait => Ok(done),
        }
    }
}
