//! Rules in a few words.

use sandgate_authority::{FileScope, GuestPath, HostPath, HttpPick, Origin, Rule};
use sandgate_model::{
    ExecGrant, FileMode, HttpGrant, Need, NeedKind, Scheme, SecretGrant, SecretTarget,
};
use std::collections::BTreeMap;

pub(crate) fn origin(line: u32) -> Origin {
    Origin {
        file: "sandgate.toml".to_owned(),
        line,
    }
}

pub(crate) fn at<T>(line: u32, grant: T) -> Rule<T> {
    Rule {
        grant,
        origin: origin(line),
    }
}

pub(crate) fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).unwrap()
}

pub(crate) fn file(host: &str, path: &str, mode: FileMode) -> Rule<FileScope> {
    let host = HostPath::new(host).unwrap();
    at(
        3,
        FileScope {
            host,
            guest: guest(path),
            mode,
        },
    )
}

pub(crate) fn http(host: &str, path: &str, methods: &[&str]) -> HttpGrant {
    HttpGrant {
        scheme: Scheme::Https,
        host: host.to_owned(),
        port: 443,
        path: path.to_owned(),
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        private: false,
        redirects: 0,
        approval: false,
    }
}

pub(crate) fn http_pick(host: &str, path: &str) -> HttpPick {
    HttpPick {
        scheme: Scheme::Https,
        host: host.to_owned(),
        port: 443,
        path: path.to_owned(),
    }
}

pub(crate) fn exec(name: &str, program: &str) -> ExecGrant {
    ExecGrant {
        name: name.to_owned(),
        program: program.to_owned(),
        args: vec!["run".to_owned()],
        cwd: None,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        network: false,
        read: Vec::new(),
        timeout: None,
        approval: false,
    }
}

pub(crate) fn secret(name: &str, to: SecretTarget) -> SecretGrant {
    SecretGrant {
        name: name.to_owned(),
        to,
    }
}

pub(crate) fn need(kind: NeedKind, optional: bool) -> Need {
    Need {
        kind,
        reason: "to work".to_owned(),
        optional,
    }
}
