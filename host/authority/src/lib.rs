//! Who may do what. Needs, policies and narrowings go in; grants or refusals come out.
//!
//! [`resolve`] is the only place where authority is decided, and this crate is what an auditor reads to know what a
//! task can touch. It is pure: `clippy.toml` bans files, the environment, clocks and unordered maps, so the same
//! arguments always give the same grants. It must not parse user files, and it must not enforce anything: the
//! sandbox does.

mod exec;
mod generate;
mod http;
mod path;
mod policy;
mod refusal;
mod resolve;

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
pub use path::{GuestPath, HostPath, PathError, STATE_DIR};
pub use policy::{FileRule, OperatorCeiling, Origin, Policy, PolicyProblem, RuleField};
pub use refusal::{Layer, Refusal};
pub use resolve::{Narrowing, Request, resolve};
