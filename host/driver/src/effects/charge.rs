//! `budget`: a plugin charges for something it does in the real world. The engine decides whether it fits.

use super::{
    consent::{Agreed, approved},
    desk::{CallDesk, NotBegun},
    plain,
};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, NeedKind};
use sandgate_sandbox::{Answered, BudgetPort, ChargeFailure, PortFuture};
use serde_json::json;
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
    /// Each one has to be approved.
    approval: bool,
    /// What it may still spend, as far as this process has seen; the engine has the last word.
    left: Option<Arc<AtomicU64>>,
}

impl ChargePower {
    /// For a caller that may spend `left`; `None`: no budget is set.
    pub(crate) fn new(
        desk: Arc<CallDesk>,
        rule: String,
        approval: bool,
        left: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            desk,
            rule,
            approval,
            left,
        }
    }
}

impl BudgetPort for ChargePower {
    fn remaining(&self) -> Option<u64> {
        self.left.as_ref().map(|left| left.load(Ordering::Relaxed))
    }

    fn charge(&self, what: String, micros: u64) -> PortFuture<Answered<Result<(), ChargeFailure>>> {
        let desk = Arc::clone(&self.desk);
        let (left, approval) = (self.left.clone(), self.approval);
        let cost = Amount { micros, tokens: 0 };
        let what: String = what.chars().take(WHAT_MAX).collect();
        let mut request = CallRequest {
            kind: NeedKind::Budget,
            digest: Digest::of(format!("charge\n{micros}\n{what}").as_bytes()),
            what,
            rule: self.rule.clone(),
            secrets: Vec::new(),
            reserve: cost,
            approval: false,
            consent: None,
        };
        Box::pin(async move {
            if let Some(left) = &left
                && left.load(Ordering::Relaxed) < micros
            {
                let left = left.load(Ordering::Relaxed);
                desk.refused(request, format!("the budget has {left} millionths left"));
                return plain(Err(ChargeFailure::Over(left)));
            }
            if approval {
                let action = json!({ "what": request.what, "micros": micros });
                let line = format!("charge {micros} millionths for {}", request.what);
                match desk.agree(NeedKind::Budget, &line, action).await {
                    Agreed::Yes {
                        consent, digest, ..
                    } => request = approved(request, consent, digest),
                    Agreed::No(why) => return plain(Err(ChargeFailure::NotApproved(why))),
                    Agreed::Parts => return plain(Err(ChargeFailure::Suspended)),
                }
            }
            let call = match desk.begin(request).await {
                Ok(call) => call,
                Err(NotBegun::Refused(_)) => {
                    let left = left.map_or(0, |left| left.load(Ordering::Relaxed));
                    return plain(Err(ChargeFailure::Over(left)));
                }
                Err(NotBegun::Limit(why) | NotBegun::Host(why)) => {
                    return plain(Err(ChargeFailure::Host(why)));
                }
            };
            if let Some(left) = &left {
                // Whoever races with itself is told a little less than there is; the engine keeps the books.
                let take = |n: u64| Some(n.saturating_sub(micros));
                let _before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            }
            Answered {
                result: Ok(()),
                then: call.settle(CallEnd::Done {
                    note: "charged".to_owned(),
                    cost,
                }),
            }
        })
    }
}
