//! URLs of rules: what they become, and what people read when they are wrong.

use sandgate_authority::{HeaderTemplate, HttpPattern, HttpTerms, PlaceholderError};
use sandgate_model::{HttpGrant, Scheme};

fn terms(methods: &[&str]) -> HttpTerms {
    HttpTerms {
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        ..HttpTerms::default()
    }
}

#[test]
fn patterns_become_grants() {
    for (text, scheme, host, port, path) in [
        (
            "https://api.example.com/v1/*",
            Scheme::Https,
            "api.example.com",
            443,
            "/v1/*",
        ),
        (
            "https://API.example.com:443/",
            Scheme::Https,
            "api.example.com",
            443,
            "/",
        ),
        (
            "http://127.0.0.1:8080/*",
            Scheme::Http,
            "127.0.0.1",
            8080,
            "/*",
        ),
        ("http://0x7f.1/*", Scheme::Http, "127.0.0.1", 80, "/*"),
        ("http://[0:0::1]:81/x", Scheme::Http, "::1", 81, "/x"),
        (
            "https://bücher.example/ü/*",
            Scheme::Https,
            "xn--bcher-kva.example",
            443,
            "/%C3%BC/*",
        ),
        ("https://h/v1*", Scheme::Https, "h", 443, "/v1*"),
        ("https://h/a%2Fb", Scheme::Https, "h", 443, "/a%2Fb"),
    ] {
        let grant = HttpPattern::parse(text)
            .unwrap_or_else(|e| panic!("{text}: {e}"))
            .grant(&terms(&["POST", "GET", "GET"]))
            .unwrap();
        let want = HttpGrant {
            scheme,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            methods: vec!["GET".to_owned(), "POST".to_owned()],
            private: false,
            redirects: 0,
            approval: false,
        };
        assert_eq!(grant, want, "{text}");
    }
}

#[test]
fn mistakes_say_what_to_write() {
    for (text, want) in [
        (
            "api.example.com",
            "write a whole URL, such as `https://api.example.com`",
        ),
        ("ftp://h/", "a request goes to `https://` or `http://`"),
        (
            "https://h",
            "the path is missing: write `https://h/*` for everything there, or `https://h/` for exactly that page",
        ),
        (
            "https://*.example.com/",
            "the host has to be written out: one rule for each host",
        ),
        (
            "https://h/*/x",
            "`*` stands only at the end of the path: one rule for each path",
        ),
        (
            "https://h/x**",
            "`*` stands only at the end of the path: one rule for each path",
        ),
        (
            "https://h/x?y=*",
            "a rule has no query: requests to that path may have any",
        ),
        (
            "https://h/x#y",
            "a request has no fragment: leave out `#` and what follows",
        ),
        (
            "https://user@h/",
            "a URL with a user name or password in front of the host is refused",
        ),
        (
            "https://h:99999/",
            "the port is not a number from 1 to 65535",
        ),
        (
            "https://h/a/../b",
            "write the path plainly, without `.`, `..` and characters that need no `%`: `https://h/b`",
        ),
        (
            "https://h/%61/*",
            "write the path plainly, without `.`, `..` and characters that need no `%`: `https://h/a/*`",
        ),
        (
            "https://h/a%2*",
            "`%` in a URL is followed by two hex digits",
        ),
    ] {
        let got = HttpPattern::parse(text).map_err(|e| e.to_string());
        assert_eq!(got.err().as_deref(), Some(want), "{text}");
    }
    let pattern = HttpPattern::parse("https://h/*").unwrap();
    for (methods, want) in [
        (
            &["get"][..],
            "`get` is no method that can be allowed: write one such as \"GET\" or \"POST\"",
        ),
        (
            &["CONNECT"],
            "`CONNECT` is no method that can be allowed: write one such as \"GET\" or \"POST\"",
        ),
        (
            &["GET", "A B"],
            "`A B` is no method that can be allowed: write one such as \"GET\" or \"POST\"",
        ),
        (
            &[],
            "write which methods are allowed, such as `methods = [\"GET\"]`",
        ),
    ] {
        assert_eq!(
            pattern.grant(&terms(methods)).unwrap_err().to_string(),
            want
        );
    }
    let many = HttpTerms {
        redirects: 6,
        ..terms(&["GET"])
    };
    assert_eq!(
        pattern.grant(&many).unwrap_err().to_string(),
        "at most 5 redirects can be followed, not 6"
    );
}

#[test]
fn placeholders() {
    let names = |value: &str| {
        HeaderTemplate::parse(value.as_bytes())
            .map(|t| t.names().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(
        names("Bearer {secret:API_TOKEN}"),
        Ok(vec!["API_TOKEN".to_owned()])
    );
    assert_eq!(
        names("{secret:a}:{secret:b}{secret:a}"),
        Ok(vec!["a".into(), "b".into(), "a".into()])
    );
    assert_eq!(names("{\"a\": {}} }{ {x} {secre"), Ok(vec![]));
    for bad in [
        "{secret}",
        "{secret:}",
        "{secret:A",
        "{secret:",
        "{Secret:A}",
        "{SECRET:A}",
        "x {secrets:A}",
        "{secret A}",
    ] {
        assert_eq!(names(bad), Err(PlaceholderError::Malformed), "{bad}");
    }
    for (bad, name) in [
        ("{secret:a-b}", "a-b"),
        ("{secret:1a}", "1a"),
        ("{secret:a b}", "a b"),
        ("{secret:{secret:a}", "{secret:a"),
    ] {
        assert_eq!(
            names(bad),
            Err(PlaceholderError::Name(name.to_owned())),
            "{bad}"
        );
    }
    assert!(names(&format!("{{secret:{}}}", "a".repeat(65))).is_err());

    let template = HeaderTemplate::parse(b"a {secret:X} b {secret:Y}").unwrap();
    let filled: Result<_, ()> = template.fill(|name, into| {
        into.extend_from_slice(format!("<{name}{{secret:X}}>").as_bytes());
        Ok(())
    });
    // What a secret holds is not looked at again.
    assert_eq!(filled.unwrap(), b"a <X{secret:X}> b <Y{secret:X}>");
}
