//! A permit that a person has to agree to first. It is sealed: whoever holds it may look at it, to make the record that
//! people decide about, and gets it out only by naming both what was approved and what would happen now. Must not know
//! who agreed, or whether that counts: the engine does.

use sandgate_model::Digest;

/// What a rule that fits says.
#[derive(PartialEq, Eq, Debug)]
pub enum Permission<P> {
    /// It may happen.
    Granted(P),
    /// It may happen once somebody has agreed to exactly this.
    Ask(Sealed<P>),
}

impl<P> Permission<P> {
    pub(crate) fn new(permit: P, approval: bool) -> Self {
        if approval {
            Self::Ask(Sealed { permit })
        } else {
            Self::Granted(permit)
        }
    }

    /// Whether somebody has to agree.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::Ask(_))
    }

    /// The permit, where nobody has to agree; `None` otherwise, and then it is gone.
    #[must_use]
    pub fn granted(self) -> Option<P> {
        match self {
            Self::Granted(permit) => Some(permit),
            Self::Ask(_) => None,
        }
    }

    /// What would happen, whether or not somebody has to agree.
    #[must_use]
    pub fn look(&self) -> &P {
        match self {
            Self::Granted(permit) => permit,
            Self::Ask(sealed) => sealed.look(),
        }
    }
}

/// A permit that takes effect only with consent.
///
/// ```compile_fail,E0616
/// // Nothing else gives it out.
/// fn take<P>(sealed: sandgate_authority::Sealed<P>) -> P {
///     sealed.permit
/// }
/// ```
#[derive(PartialEq, Eq, Debug)]
pub struct Sealed<P> {
    permit: P,
}

impl<P> Sealed<P> {
    /// What it would let happen, to make the canonical record of it.
    #[must_use]
    pub fn look(&self) -> &P {
        &self.permit
    }

    /// Takes the permit out. `now` is the digest of the canonical bytes of exactly what will happen, made anew by the
    /// caller from [`Self::look`] and whatever else decides (a body, secrets); it has to be what was approved. The
    /// permit is gone otherwise: who wants another one asks again, from the beginning.
    ///
    /// # Errors
    /// That something else was approved.
    pub fn open(self, consent: Opened, now: Digest) -> Result<P, StaleConsent> {
        if consent.approved == now {
            Ok(self.permit)
        } else {
            Err(StaleConsent {
                approved: consent.approved,
                now,
            })
        }
    }
}

/// A consent: the digest of what somebody approved. Good for one use, so it is taken by value; made from the record of
/// the decision alone, never from what will happen.
#[derive(PartialEq, Eq, Debug)]
pub struct Opened {
    approved: Digest,
}

impl Opened {
    /// A consent to what has this digest.
    #[must_use]
    pub fn new(approved: Digest) -> Self {
        Self { approved }
    }
}

/// Something else was approved than what would happen now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("what would happen now ({now}) is not what was approved ({approved}); ask again")]
pub struct StaleConsent {
    /// Digest of what was approved.
    pub approved: Digest,
    /// Digest of what would happen.
    pub now: Digest,
}
