//! Permits against a decision by brute force, and what refusals say.

use crate::cases;
use proptest::prelude::*;
use sandgate_authority::{
    HttpAuthority, HttpPattern, HttpRefusal, HttpTerms, SecretRefusal, Target,
};
use sandgate_model::{Grants, HttpGrant, SecretGrant, SecretTarget};
use std::net::IpAddr;

fn grant(url: &str, methods: &[&str], private: bool, approval: bool) -> HttpGrant {
    HttpPattern::parse(url)
        .unwrap()
        .grant(&HttpTerms {
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
            private,
            redirects: 0,
            approval,
        })
        .unwrap()
}

fn authority(http: Vec<HttpGrant>, http_denied: Vec<HttpGrant>) -> HttpAuthority {
    HttpAuthority::new(&Grants {
        http,
        http_denied,
        ..Grants::default()
    })
}

fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}

const ORIGINS: &[&str] = &[
    "https://a.example",
    "https://b.example",
    "http://a.example",
    "https://a.example:8443",
    "http://a.example:443",
    "http://127.0.0.1",
    "http://[::1]",
    "http://[::ffff:127.0.0.1]",
    "https://93.184.216.34",
];
const PATHS: &[&str] = &[
    "/", "/v1", "/v1/", "/v1/x", "/v1x", "/v2/x", "/V1/x", "/v1//x", "/v1%2Fx", "/v1;a/x",
];
const RULE_PATHS: &[&str] = &["/", "/*", "/v1", "/v1*", "/v1/*", "/v1/x", "/v2/*"];
const METHODS: &[&str] = &["GET", "POST", "DELETE"];

/// A rule as the numbers it was made from.
#[derive(Clone, Debug)]
struct Rule {
    origin: usize,
    path: usize,
    methods: Vec<usize>,
    private: bool,
    approval: bool,
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        0..ORIGINS.len(),
        0..RULE_PATHS.len(),
        prop::collection::vec(0..METHODS.len(), 1..3),
        any::<bool>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(origin, path, methods, private, approval)| Rule {
            origin,
            path,
            methods,
            private,
            approval,
        })
}

impl Rule {
    fn grant(&self) -> HttpGrant {
        let methods: Vec<_> = self.methods.iter().map(|m| METHODS[*m]).collect();
        let url = format!("{}{}", ORIGINS[self.origin], RULE_PATHS[self.path]);
        grant(&url, &methods, self.private, self.approval)
    }

    /// Whether it fits, by numbers of origins and methods and by a path pattern read right to left.
    fn fits(&self, origin: usize, path: &str, method: usize) -> bool {
        let mut wanted: Vec<u8> = RULE_PATHS[self.path].bytes().rev().collect();
        let mut found: Vec<u8> = path.bytes().rev().collect();
        if wanted.first() == Some(&b'*') {
            wanted.remove(0);
            if found.len() < wanted.len() {
                return false;
            }
            found.drain(..found.len() - wanted.len());
        }
        self.origin == origin && self.methods.contains(&method) && wanted == found
    }
}

/// Loopback is not out in the world; of `ORIGINS`, those with an address other than the last.
fn inner(origin: usize) -> bool {
    (5..8).contains(&origin)
}

proptest! {
    #![proptest_config(cases(20_000))]

    /// A permit is given exactly when one rule fits as a whole, none denies, and an inner address is private; it is sealed
    /// exactly when a rule that fits wants an approval. A redirect never leads there.
    #[test]
    fn never_more_than_a_rule(
        allowed in prop::collection::vec(rule(), 0..5),
        denied in prop::collection::vec(rule(), 0..2),
        origin in 0..ORIGINS.len(),
        path in 0..PATHS.len(),
        method in 0..METHODS.len(),
    ) {
        let authority = authority(
            allowed.iter().map(Rule::grant).collect(),
            denied.iter().map(Rule::grant).collect(),
        );
        let path = PATHS[path];
        let target = target(&format!("{}{path}", ORIGINS[origin]));
        let got = authority.permit(METHODS[method], &target);

        let said_no = denied.iter().any(|r| r.fits(origin, path, method));
        // One that wants an approval binds, whatever other rules say.
        let asks = allowed.iter().any(|r| r.fits(origin, path, method) && r.approval);
        let usable = allowed
            .iter()
            .filter(|r| r.fits(origin, path, method) && r.approval == asks)
            .any(|r| r.private || !inner(origin));
        let hop = authority.permit_hop(METHODS[method], &target);
        prop_assert_eq!(hop.is_ok(), got.is_ok() && !asks);
        prop_assert_eq!(matches!(hop, Err(HttpRefusal::Hop { .. })), got.is_ok() && asks);
        match got {
            Ok(permission) => {
                prop_assert!(usable && !said_no);
                prop_assert_eq!(permission.asks(), asks);
                let permit = permission.look();
                let used = &allowed[permit.grant()];
                prop_assert!(used.fits(origin, path, method) && used.approval == asks);
                prop_assert_eq!(permit.private(), used.private);
                prop_assert_eq!(permit.target(), &target);
                prop_assert_eq!(permit.method(), METHODS[method]);
                // What it lets a request connect to.
                let global: IpAddr = "93.184.216.34".parse().unwrap();
                prop_assert!(permit.allows_address(global).is_ok());
                for bad in ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fd00:ec2::254", "fe80::1"] {
                    prop_assert!(permit.allows_address(bad.parse().unwrap()).is_err());
                }
                for inner in ["127.0.0.1", "10.0.0.1", "::1", "fd12::1", "100.64.0.1"] {
                    prop_assert_eq!(permit.allows_address(inner.parse().unwrap()).is_ok(), used.private);
                }
            }
            Err(HttpRefusal::Denied { .. }) => prop_assert!(!denied.is_empty()),
            Err(_) => prop_assert!(!usable, "{:?} {}", allowed, target),
        }
        if said_no {
            prop_assert!(authority.permit(METHODS[method], &target).is_err());
        }
    }

    /// Another method than the rules name, in whatever case, never passes.
    #[test]
    fn methods_are_exact(method in "[A-Za-z -]{0,10}") {
        let authority = authority(vec![grant("https://h/*", &["GET", "POST"], false, false)], vec![]);
        let got = authority.permit(&method, &target("https://h/"));
        prop_assert_eq!(got.is_ok(), method == "GET" || method == "POST");
    }
}

/// Deny wins over every spelling that some server takes for the denied path.
#[test]
fn another_spelling_does_not_get_around_a_denial() {
    let authority = authority(
        vec![grant("https://h/*", &["GET"], false, false)],
        vec![
            HttpPattern::parse("https://h/admin/*")
                .unwrap()
                .denial(&[])
                .unwrap(),
        ],
    );
    for path in [
        "/admin/x",
        "/ADMIN/x",
        "/%61dmin/x",
        "//admin/x",
        "/admin//x",
        "/admin%2Fx",
        "/admin%252Fx",
        "/admin;a=b/x",
        "/;x/admin/y",
        "/x/../admin/y",
        "/./admin/x",
        "/%41dmin/x?y",
    ] {
        let got = authority.permit("GET", &target(&format!("https://h{path}")));
        assert!(
            matches!(got, Err(HttpRefusal::Denied { .. })),
            "{path}: {got:?}"
        );
    }
    assert!(authority.permit("GET", &target("https://h/adminx")).is_ok());
}

#[test]
fn refusals_name_the_line_that_would_allow_it() {
    let authority = authority(
        vec![
            grant("https://h/ask/*", &["POST"], false, true),
            grant("http://127.0.0.1:8080/*", &["GET"], false, false),
        ],
        vec![
            HttpPattern::parse("https://h/admin/*")
                .unwrap()
                .denial(&[])
                .unwrap(),
        ],
    );
    for (method, url, want) in [
        (
            "GET",
            "https://h/v1/items?key=canary",
            "GET https://h/v1/items?… is not granted; this line under [policy] would allow it: \
             http = [{ allow = \"https://h/v1/items\", methods = [\"GET\"] }]",
        ),
        (
            "GET",
            "https://h/admin/x",
            "GET https://h/admin/x is denied, whatever else allows it, by the rule for https://h/admin/*",
        ),
        (
            "GET",
            "http://127.0.0.1:8080/x",
            "GET http://127.0.0.1:8080/x goes to a loopback address; this line under [policy] would allow it: \
             http = [{ allow = \"http://127.0.0.1:8080/x\", methods = [\"GET\"], private = true }]",
        ),
        (
            "TRACE",
            "https://h/",
            "the method `TRACE` is refused: methods are written in capitals, and CONNECT and TRACE never leave",
        ),
    ] {
        let got = authority.permit(method, &target(url)).unwrap_err();
        assert_eq!(got.to_string(), want);
    }
    let hop = authority.permit_hop("POST", &target("https://h/ask/1"));
    assert_eq!(
        hop.unwrap_err().to_string(),
        "POST https://h/ask/1 is where a redirect leads, and needs an approval of its own; a request that goes there \
         directly can ask for it"
    );
}

/// The line that a refusal prints is a rule that works.
#[test]
fn the_printed_line_does_allow_it() {
    let none = authority(vec![], vec![]);
    let mut lines = 0;
    for url in [
        "https://h/v1",
        "http://[::1]:81/a%2Fb",
        "http://10.0.0.1/'%22x",
        "https://bücher.example/ü",
    ] {
        let target = target(url);
        let mut private = false;
        for _ in 0..2 {
            let refusal = none.permit("GET", &target).unwrap_err();
            let HttpRefusal::NotGranted { allow, .. } = refusal else {
                panic!("{refusal}");
            };
            let quoted: Vec<_> = allow.split('"').collect();
            let rule = grant(quoted[1], &[quoted[3]], private, false);
            match authority(vec![rule], vec![]).permit("GET", &target) {
                Ok(_) => break,
                Err(HttpRefusal::Address { allow, .. }) => {
                    assert!(allow.contains("private = true"));
                    private = true;
                }
                Err(e) => panic!("{e}"),
            }
            lines += 1;
        }
    }
    assert_eq!(lines, 2, "two of the four needed `private`");
}

#[test]
fn secrets_go_to_their_origin_alone() {
    let secret = |name: &str, to| SecretGrant {
        name: name.to_owned(),
        to,
    };
    let authority = HttpAuthority::new(&Grants {
        secrets: vec![
            secret("A", SecretTarget::Origin("https://h".to_owned())),
            secret("B", SecretTarget::Exec("deploy".to_owned())),
            secret("C", SecretTarget::Provider("openai".to_owned())),
        ],
        ..Grants::default()
    });
    let home = target("https://h/x");
    assert_eq!(authority.secret("A", &home), Ok(()));
    for url in [
        "http://h/",
        "https://h:444/",
        "https://h.example/",
        "https://i/",
    ] {
        let got = authority.secret("A", &target(url));
        assert!(matches!(got, Err(SecretRefusal::Elsewhere { .. })), "{url}");
    }
    for name in ["B", "C"] {
        assert!(matches!(
            authority.secret(name, &home),
            Err(SecretRefusal::Elsewhere { .. })
        ));
    }
    let got = authority.secret("D", &home).unwrap_err().to_string();
    assert!(got.contains("secrets = [{ name = \"D\""), "{got}");
}

/// A granted name cannot lead to where clouds hand out credentials, an address that the rule names can.
#[test]
fn metadata_only_by_its_very_address() {
    let metadata: IpAddr = "169.254.169.254".parse().unwrap();
    let authority = authority(
        vec![
            grant("http://intranet.example/*", &["GET"], true, false),
            grant("http://169.254.169.254/latest/*", &["GET"], true, false),
        ],
        vec![],
    );
    let name = authority
        .permit_hop("GET", &target("http://intranet.example/"))
        .unwrap();
    assert!(name.allows_address(metadata).is_err());
    let literal = authority
        .permit_hop("GET", &target("http://169.254.169.254/latest/x"))
        .unwrap();
    assert!(literal.allows_address(metadata).is_ok());
    assert!(
        literal
            .allows_address("169.254.170.2".parse().unwrap())
            .is_err()
    );
}
