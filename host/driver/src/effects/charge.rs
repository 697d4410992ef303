//! `budget`: a plugin charges for something it does in the real world. The engine decides whether it fits.

use super::desk::{CallDesk, NotBegun};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, NeedKind};
use sandgate_sandbox::{BudgetPort, ChargeFailure, PortFuture};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Longest `what` of a charge in the record, in characters.
const WHAT_MAX: usize = 200;

/// Charges of one caller.
pub(crate) struct ChargePower {
    desk: Arc<CallDesk>,
    rule: String,
    /// What it may still spend, as far as this process has seen; the engine has the last word.
    left: Option<Arc<AtomicU64>>,
}

impl ChargePower {
    /// For a caller that may spend `left`; `None`: no budget is set.
    pub(crate) fn new(desk: Arc<CallDesk>, rule: String, left: Option<Arc<AtomicU64>>) -> Self {
        Self { desk, rule, left }
    }
}

impl BudgetPort for ChargePower {
    fn remaining(&self) -> Option<u64> {
        self.left.as_ref().map(|left| left.load(Ordering::Relaxed))
    }

    fn charge(&self, what: String, micros: u64) -> PortFuture<Result<(), ChargeFailure>> {
        let desk = Arc::clone(&self.desk);
        let left = self.left.clone();
        let cost = Amount { micros, tokens: 0 };
        let what: String = what.chars().take(WHAT_MAX).collect();
        let request = CallRequest {
            kind: NeedKind::Budget,
            digest: Digest::of(format!("charge\n{micros}\n{what}").as_bytes()),
            what,
            rule: self.rule.clone(),
            secrets: Vec::new(),
            reserve: cost,
        };
        Box::pin(async move {
            if let Some(left) = &left
                && left.load(Ordering::Relaxed) < micros
            {
                let left = left.load(Ordering::Relaxed);
                desk.refused(request, format!("the budget has {left} millionths left"));
                return Err(ChargeFailure::Over(left));
            }
            let call = match desk.begin(request).await {
                Ok(call) => call,
                Err(NotBegun::Refused(_)) => {
                    let left = left.map_or(0, |left| left.load(Ordering::Relaxed));
                    return Err(ChargeFailure::Over(left));
                }
                Err(NotBegun::Limit(why) | NotBegun::Host(why)) => {
                    return Err(ChargeFailure::Host(why));
                }
            };
            if let Some(left) = &left {
                // Whoever races with itself is told a little less than there is; the engine keeps the books.
                let take = |n: u64| Some(n.saturating_sub(micros));
                let _before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            }
            call.end(CallEnd::Done {
                note: "charged".to_owned(),
                cost,
            })
            .await;
            Ok(())
        })
    }
}
