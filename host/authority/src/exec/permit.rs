//! Leave to run one command once: everything that decides what will happen, and its digest. Must not decide.

use super::template::shown;
use sandgate_model::{Digest, ExecGrant, Millis};
use std::collections::BTreeMap;

/// First line of the canonical bytes. A new meaning of a field is a new number.
const CANONICAL: &str = "sandgate-command 1";

/// Leave to run one command once. Only [`super::ExecAuthority::permit`] makes one, and whoever starts the command
/// takes it by value.
#[derive(PartialEq, Eq, Debug)]
pub struct ExecPermit {
    rule: usize,
    grant: ExecGrant,
    args: Vec<String>,
    cwd: Option<String>,
    canonical: Vec<u8>,
    digest: Digest,
}

impl ExecPermit {
    pub(super) fn new(
        rule: usize,
        grant: &ExecGrant,
        args: &[String],
        cwd: Option<String>,
    ) -> Self {
        let canonical = canonical(grant, args, cwd.as_deref());
        Self {
            rule,
            grant: grant.clone(),
            args: args.to_vec(),
            cwd,
            digest: Digest::of(&canonical),
            canonical,
        }
    }

    /// Index of the rule in the grants.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// Name of the rule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.grant.name
    }

    /// Program, as the rule writes it: a name or an absolute path.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.grant.program
    }

    /// The arguments, holes filled.
    #[must_use]
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Directory it starts in, as the guest sees it; `None`: an empty one of its own.
    #[must_use]
    pub fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    /// Environment besides the fixed one.
    #[must_use]
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.grant.env
    }

    /// Names of the secrets that it gets as environment variables.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        &self.grant.secrets
    }

    /// Whether it may use the network.
    #[must_use]
    pub fn network(&self) -> bool {
        self.grant.network
    }

    /// Further directories of the host that it may read, absolute.
    #[must_use]
    pub fn read(&self) -> &[String] {
        &self.grant.read
    }

    /// Longest it may take; `None`: as long as the attempt.
    #[must_use]
    pub fn timeout(&self) -> Option<Millis> {
        self.grant.timeout
    }

    /// One line for people: program and arguments, those that are not plain in quotes. Not for a shell.
    #[must_use]
    pub fn what(&self) -> String {
        line(&self.grant.program, &self.args)
    }

    /// Everything that decides what will happen, each field with its length: two different commands never have the
    /// same bytes. Secrets by name. What an approval is bound to.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Digest of [`Self::canonical`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Program and arguments for people, on one line, at most about 4 KiB.
pub(super) fn line(program: &str, args: &[String]) -> String {
    // Longer ones are whole in the canonical bytes; this is a line in a log.
    const MAX: usize = 4096;
    let plain = |s: &str| {
        !s.is_empty()
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-./:=@+,%".contains(&b))
    };
    let mut out = String::new();
    for word in std::iter::once(program).chain(args.iter().map(String::as_str)) {
        if !out.is_empty() {
            out.push(' ');
        }
        if plain(word) && word.len() <= MAX {
            out.push_str(word);
        } else {
            let text = shown(word);
            out.push('\'');
            out.push_str(text.trim_matches('`'));
            out.push('\'');
        }
        if out.len() > MAX {
            out.push_str(" …");
            break;
        }
    }
    out
}

fn canonical(grant: &ExecGrant, args: &[String], cwd: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(CANONICAL.as_bytes());
    out.push(b'\n');
    let mut field = |key: &str, value: &str| {
        out.extend_from_slice(format!("{key} {}:", value.len()).as_bytes());
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    };
    field("rule", &grant.name);
    field("program", &grant.program);
    for arg in args {
        field("arg", arg);
    }
    if let Some(cwd) = cwd {
        field("cwd", cwd);
    }
    for (name, value) in &grant.env {
        field("env", name);
        field("is", value);
    }
    for name in &grant.secrets {
        field("secret", name);
    }
    for dir in &grant.read {
        field("read", dir);
    }
    field("network", if grant.network { "yes" } else { "no" });
    if let Some(Millis(ms)) = grant.timeout {
        field("timeout-ms", &ms.to_string());
    }
    out
}
