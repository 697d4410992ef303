//! Why there is no answer. Texts are for people: fragments, escaped, cut, without any key.

use sandgate_model::Amount;

/// Why there is no answer. The cases are those of `wit/model.wit`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// This model is not granted.
    #[error("{0}")]
    NotGranted(String),
    /// A person has to approve it.
    #[error("{0}")]
    NotApproved(String),
    /// The budget does not cover it, or what it costs is not known.
    #[error("{0}")]
    Budget(String),
    /// Over a limit of the host.
    #[error("{0}")]
    Limit(String),
    /// The request is wrong; trying again is useless.
    #[error("{0}")]
    Invalid(String),
    /// The provider refused or could not be reached, after the retries.
    #[error("{0}")]
    Unavailable(String),
    /// The provider's answer is not one.
    #[error("{0}")]
    BadAnswer(String),
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
}

/// A generation that did not begin, and what that cost all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// Why.
    pub error: ModelError,
    /// What it may have cost: nothing where no request left or the provider said no; the whole estimate where
    /// a request left and its end is unknown.
    pub cost: Amount,
}

impl Failed {
    pub(crate) fn free(error: ModelError) -> Self {
        Self {
            error,
            cost: Amount::NOTHING,
        }
    }
}

impl From<sandgate_authority::ModelRefusal> for ModelError {
    fn from(refusal: sandgate_authority::ModelRefusal) -> Self {
        use sandgate_authority::ModelRefusal as R;
        let text = refusal.to_string();
        match refusal {
            R::NotAName(_) => Self::Invalid(text),
            R::NotGranted { .. } => Self::NotGranted(text),
        }
    }
}
