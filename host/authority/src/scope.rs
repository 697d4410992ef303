//! Sets of requests and of models, and how they lie to each other. Must not parse URLs: what comes in was parsed once.
//!
//! A path that ends in `*` stands for all paths that begin so, any other for itself. Two such sets are always nested or
//! apart, so what two of them share is the smaller one.

use crate::HttpPick;
use sandgate_model::{HttpGrant, ModelGrant};

/// Whether every path of `inner` is one of `outer`.
fn path_covers(outer: &str, inner: &str) -> bool {
    match outer.strip_suffix('*') {
        Some(prefix) => inner.strip_suffix('*').unwrap_or(inner).starts_with(prefix),
        None => inner == outer,
    }
}

/// Where a request may go.
pub(crate) trait Place {
    fn parts(&self) -> (sandgate_model::Scheme, &str, u16, &str);
}

impl Place for HttpGrant {
    fn parts(&self) -> (sandgate_model::Scheme, &str, u16, &str) {
        (self.scheme, &self.host, self.port, &self.path)
    }
}

impl Place for HttpPick {
    fn parts(&self) -> (sandgate_model::Scheme, &str, u16, &str) {
        (self.scheme, &self.host, self.port, &self.path)
    }
}

/// Whether every place of `inner` is one of `outer`.
pub(crate) fn covers(outer: &impl Place, inner: &impl Place) -> bool {
    let ((s, h, p, path), (is, ih, ip, ipath)) = (outer.parts(), inner.parts());
    (s, h, p) == (is, ih, ip) && path_covers(path, ipath)
}

/// The path of what two places share; `None` when they share nothing.
pub(crate) fn meet(a: &impl Place, b: &impl Place) -> Option<String> {
    if covers(a, b) {
        Some(b.parts().3.to_owned())
    } else if covers(b, a) {
        Some(a.parts().3.to_owned())
    } else {
        None
    }
}

/// `scheme://host/path`, with the port where it is not the scheme's own.
pub(crate) fn url(grant: &HttpGrant) -> String {
    format!("{}{}", grant.origin(), grant.path)
}

/// The same for a pick.
pub(crate) fn pick_url(pick: &HttpPick) -> String {
    url(&HttpGrant {
        scheme: pick.scheme,
        host: pick.host.clone(),
        port: pick.port,
        path: pick.path.clone(),
        methods: Vec::new(),
        private: false,
        redirects: 0,
        approval: false,
    })
}

/// Whether a rule names this model; `*` as a model is named only by `*`.
pub(crate) fn names(rule: &ModelGrant, model: &str) -> bool {
    rule.models.iter().any(|m| m == "*" || m == model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_paths_are_nested_or_apart() {
        let paths = ["/*", "/v1/*", "/v1/a", "/v1/a*", "/v2", "/", "/v1", "*"];
        for a in paths {
            for b in paths {
                // Against what the sets mean, on a small universe.
                let has = |set: &str, x: &str| match set.strip_suffix('*') {
                    Some(prefix) => x.starts_with(prefix),
                    None => x == set,
                };
                let all = [
                    "/", "/v1", "/v1/", "/v1/a", "/v1/ab", "/v1/b", "/v2", "/x", "",
                ];
                let subset = all.iter().all(|x| !has(b, x) || has(a, x));
                assert_eq!(path_covers(a, b), subset, "{a} {b}");
            }
        }
    }
}
