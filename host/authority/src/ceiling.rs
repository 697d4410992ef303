//! The most that any project on a machine may allow. Must not hold anything that widens: each part only takes away,
//! and an absent part takes nothing away.

use crate::Rule;
use sandgate_model::{FileMode, HttpGrant};

/// The operator's ceiling. A part that is absent leaves the decision to the project.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OperatorCeiling {
    /// Highest mode for directories; `None` in the rule: no directory at all.
    pub files: Option<Rule<Option<FileMode>>>,
    /// Requests have to lie in one of these (scheme, host, port and path count, methods do not); empty: none may.
    pub http: Option<Rule<Vec<HttpGrant>>>,
    /// Whether rules may reach addresses that are not public.
    pub private: Option<Rule<bool>>,
    /// Programs that may be run, exactly as the project's rules write them; empty: none.
    pub exec: Option<Rule<Vec<String>>>,
    /// Whether a command may use the network.
    pub network_commands: Option<Rule<bool>>,
    /// Providers that may be used; empty: none.
    pub model: Option<Rule<Vec<String>>>,
    /// Secrets that may be used, by name; empty: none.
    pub secrets: Option<Rule<Vec<String>>>,
    /// Whether plugins may charge the budget.
    pub charge: Option<Rule<bool>>,
    /// Whether plugins may ask people.
    pub question: Option<Rule<bool>>,
}
