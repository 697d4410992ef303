//! Who may do what. Needs, policies and narrowings go in; grants or refusals come out.
//!
//! [`resolve`] is the only place where authority is decided, and this crate is what an auditor reads to know what a
//! task can touch. It is pure: `clippy.toml` bans files, the environment, clocks and unordered maps, so the same
//! arguments always give the same grants. It must not parse user files, and it must not enforce anything: the
//! sandbox does.

mod ceiling;
mod exec;
mod generate;
mod http;
mod line;
mod narrowing;
mod narrows;
mod path;
mod permission;
mod policy;
mod refusal;
mod resolve;
mod scope;

pub use ceiling::OperatorCeiling;
pub use exec::{
    ExecAuthority, ExecPermit, ExecRefusal, ExecTemplate, HoleType, TemplateError, TemplatePart,
    exec_warnings,
};
pub use generate::{ModelAuthority, ModelPermit, ModelRefusal};
pub use http::{
    AddressClass, HeaderTemplate, Host, HttpAuthority, HttpPattern, HttpPatternError, HttpPermit,
    HttpRefusal, HttpTerms, PlaceholderError, SECRET_NAME_MAX, SecretRefusal, Target, TargetError,
    URL_MAX,
};
pub use line::{
    APPROVAL, AuthorityLine, DENY, authority_lines, plugin_lines, rule_of_exec, rule_of_file,
    rule_of_http, rule_of_model, secret_target, sources,
};
pub use narrowing::{FilePick, HttpPick, ModelPick, Narrowing};
pub use narrows::narrows;
pub use path::{GuestPath, HostPath, PathError, STATE_DIR};
pub use permission::{Opened, Permission, Sealed, StaleConsent};
pub use policy::{
    ChargeRule, FileScope, Origin, Policy, PolicyProblem, PolicyRules, Rule, RuleField, RuleKind,
};
pub use refusal::{Denial, Layer, Refusal, need_word};
pub use resolve::{Request, Resolution, grants, resolve};
