//! The URL of a policy line: `https://api.example.com/v1/*`. Must not decide anything.

use super::{
    decide::method_form,
    target::{Target, TargetError},
};
use sandgate_model::HttpGrant;

/// Most redirects that a rule can allow. Browsers stop at 20, but each one is a request more than the plugin asked
/// for.
const REDIRECTS_MAX: u8 = 5;

/// Why the URL of a rule, or what stands beside it, is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpPatternError {
    /// Not a URL.
    #[error(transparent)]
    Url(#[from] TargetError),
    /// Not `scheme://host/...`.
    #[error("write a whole URL, such as `https://{0}`")]
    NoScheme(String),
    /// No path.
    #[error(
        "the path is missing: write `{0}/*` for everything there, or `{0}/` for exactly that page"
    )]
    NoPath(String),
    /// `*` in the host.
    #[error("the host has to be written out: one rule for each host")]
    WildHost,
    /// `*` before the end of the path.
    #[error("`*` stands only at the end of the path: one rule for each path")]
    WildPath,
    /// A query.
    #[error("a rule has no query: requests to that path may have any")]
    Query,
    /// `.` or `..` in the path.
    #[error("write the path plainly, without `.`, `..` and characters that need no `%`: `{0}`")]
    Plain(String),
    /// A method that cannot be allowed.
    #[error("`{0}` is no method that can be allowed: write one such as \"GET\" or \"POST\"")]
    Method(String),
    /// No method.
    #[error("write which methods are allowed, such as `methods = [\"GET\"]`")]
    NoMethod,
    /// Too many redirects.
    #[error("at most {REDIRECTS_MAX} redirects can be followed, not {0}")]
    Redirects(u8),
}

/// What stands beside the URL of a rule.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpTerms {
    /// Methods, upper case.
    pub methods: Vec<String>,
    /// Addresses that are not globally reachable are allowed too.
    pub private: bool,
    /// Redirects that are followed.
    pub redirects: u8,
    /// Each use has to be approved.
    pub approval: bool,
}

/// A checked URL of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpPattern {
    target: Target,
    prefix: bool,
}

impl HttpPattern {
    /// Parses the URL of a rule.
    ///
    /// # Errors
    /// What is wrong with it and how to write it.
    pub fn parse(text: &str) -> Result<Self, HttpPatternError> {
        let Some((_, rest)) = text.split_once("://") else {
            let shown: String = text.chars().take(80).collect();
            return Err(HttpPatternError::NoScheme(shown));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        if host.contains('*') {
            return Err(HttpPatternError::WildHost);
        }
        if path.contains('?') {
            return Err(HttpPatternError::Query);
        }
        let prefix = path.ends_with('*');
        if path.trim_end_matches('*').len() + usize::from(prefix) != path.len()
            || path.matches('*').count() != usize::from(prefix)
        {
            return Err(HttpPatternError::WildPath);
        }
        let target = Target::parse(text)?;
        if path.is_empty() {
            return Err(HttpPatternError::NoPath(target.origin()));
        }
        if path.is_ascii() && target.path() != path {
            return Err(HttpPatternError::Plain(target.url()));
        }
        Ok(Self { target, prefix })
    }

    /// The rule as a grant, methods sorted.
    ///
    /// # Errors
    /// A method that can never be allowed, none at all, or too many redirects.
    pub fn grant(&self, terms: &HttpTerms) -> Result<HttpGrant, HttpPatternError> {
        if terms.methods.is_empty() {
            return Err(HttpPatternError::NoMethod);
        }
        if let Some(bad) = terms.methods.iter().find(|m| !method_form(m)) {
            return Err(HttpPatternError::Method(bad.chars().take(40).collect()));
        }
        if terms.redirects > REDIRECTS_MAX {
            return Err(HttpPatternError::Redirects(terms.redirects));
        }
        Ok(self.with(terms))
    }

    /// The rule as something that is denied: every method when none is named.
    ///
    /// # Errors
    /// A method that can never be allowed.
    pub fn denial(&self, methods: &[String]) -> Result<HttpGrant, HttpPatternError> {
        if let Some(bad) = methods.iter().find(|m| !method_form(m)) {
            return Err(HttpPatternError::Method(bad.chars().take(40).collect()));
        }
        Ok(self.with(&HttpTerms {
            methods: methods.to_vec(),
            ..HttpTerms::default()
        }))
    }

    fn with(&self, terms: &HttpTerms) -> HttpGrant {
        let mut methods = terms.methods.clone();
        methods.sort();
        methods.dedup();
        HttpGrant {
            scheme: self.target.scheme(),
            host: self.target.host().text(),
            port: self.target.port(),
            path: self.target.path().to_owned(),
            methods,
            private: terms.private,
            redirects: terms.redirects,
            approval: terms.approval,
        }
    }

    /// Whether it ends in `*`.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// The target that it names, `*` included.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }
}
