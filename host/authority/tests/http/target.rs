//! The parse of URLs: against targets that are known because the test spelled them, against a reader of IPv4 spellings
//! of its own, and by properties.

use crate::cases;
use proptest::prelude::*;
use sandgate_authority::{Host, Target, TargetError, URL_MAX};
use sandgate_model::Scheme;
use std::net::{IpAddr, Ipv4Addr};

/// Reads an IPv4 address as C libraries do: one to four parts, each decimal, octal or hexadecimal, the last one fills
/// what is left.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    let mut numbers = Vec::new();
    for part in &parts {
        let lower = part.to_lowercase();
        let number = match lower.strip_prefix("0x") {
            Some("") => 0,
            Some(hex) => u64::from_str_radix(hex, 16).ok()?,
            None if lower.len() > 1 && lower.starts_with('0') => {
                u64::from_str_radix(&lower, 8).ok()?
            }
            None => lower.parse().ok()?,
        };
        numbers.push(number);
    }
    let (last, front) = numbers.split_last()?;
    if front.len() > 3
        || front.iter().any(|n| *n > 255)
        || *last >= 256_u64.pow(4 - front.len() as u32)
    {
        return None;
    }
    let mut value = *last;
    for (ix, n) in front.iter().enumerate() {
        value += n << (8 * (3 - ix));
    }
    Some(Ipv4Addr::from(u32::try_from(value).ok()?))
}

/// Every spelling of an IPv4 address that some reader takes.
fn spellings(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let value = u32::from(ip);
    let low16 = u32::from(c) << 8 | u32::from(d);
    let low24 = u32::from(b) << 16 | low16;
    vec![
        format!("{ip}"),
        format!("{ip}."),
        format!("{value}"),
        format!("{value:#x}"),
        format!("0X{value:X}"),
        format!("0{value:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.{b}.{c:#x}.{d}"),
        format!("{a}.{b}.{low16}"),
        format!("{a}.{low24}"),
        format!("{a:#x}.{low24}"),
        format!("{a}.{b}.{low16:#x}"),
    ]
}

#[test]
fn odd_spellings_of_an_address_are_that_address() {
    let mut probes = 0;
    for ip in [
        "127.0.0.1",
        "169.254.169.254",
        "10.1.2.3",
        "192.168.0.1",
        "0.0.0.0",
        "8.8.8.8",
        "255.255.255.255",
    ] {
        let ip: Ipv4Addr = ip.parse().unwrap();
        for text in spellings(ip) {
            assert_eq!(inet_aton(&text), Some(ip), "the oracle and {text}");
            let target = Target::parse(&format!("http://{text}/x")).unwrap();
            assert_eq!(*target.host(), Host::Ip(ip.into()), "{text}");
            probes += 1;
            // Full-width digits and dots are the same to IDNA.
            let wide: String = text
                .chars()
                .map(|c| match c {
                    '.' => '。',
                    c if c.is_ascii_digit() => char::from_u32(c as u32 + 0xfee0).unwrap(),
                    c => c,
                })
                .collect();
            if let Ok(target) = Target::parse(&format!("http://{wide}/x")) {
                assert_eq!(*target.host(), Host::Ip(ip.into()), "{wide}");
            }
            probes += 1;
        }
    }
    println!("spellings of addresses: {probes} probes, 0 taken for names");
}

#[test]
fn canonical_forms() {
    for (text, want) in [
        ("https://API.Example.COM", "https://api.example.com/"),
        (
            "HTTPS://api.example.com:443/v1",
            "https://api.example.com/v1",
        ),
        ("https://api.example.com:00443/", "https://api.example.com/"),
        ("http://api.example.com:443/", "http://api.example.com:443/"),
        ("https://api.example.com./v1", "https://api.example.com/v1"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://ＡＰＩ.example.com/", "https://api.example.com/"),
        ("https://h/a/../b/./c", "https://h/b/c"),
        ("https://h/a/%2e%2e/b", "https://h/b"),
        ("https://h/../../b", "https://h/b"),
        ("https://h/%7Euser/%41", "https://h/~user/A"),
        ("https://h/a%2fb?x=%2e", "https://h/a%2Fb?x=%2e"),
        ("https://h/ü?q=ü", "https://h/%C3%BC?q=%C3%BC"),
        ("https://h?x", "https://h/?x"),
        ("https://h/?", "https://h/?"),
        ("http://[::1]:80/", "http://[::1]/"),
        (
            "http://[0:0:0:0:0:ffff:7f00:1]:8080/",
            "http://[::ffff:127.0.0.1]:8080/",
        ),
        ("http://h_1.example/", "http://h_1.example/"),
    ] {
        let target = Target::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(target.url(), want, "{text}");
    }
}

#[test]
fn refused_texts() {
    use TargetError as E;
    let long = format!("https://h/{}", "a".repeat(URL_MAX));
    let label = format!("https://{}.example/", "a".repeat(64));
    for (text, want) in [
        ("", E::Malformed),
        ("/v1", E::Malformed),
        ("//api.example.com/v1", E::Malformed),
        ("api.example.com/v1", E::Malformed),
        ("https:api.example.com/", E::Malformed),
        ("https:/api.example.com/", E::Malformed),
        ("https:///api.example.com/", E::Host(": it is missing")),
        ("https:///", E::Host(": it is missing")),
        ("https://:443/", E::Host(": it is missing")),
        ("ftp://api.example.com/", E::Scheme),
        ("file:///etc/passwd", E::Scheme),
        ("javascript:alert(1)", E::Scheme),
        ("unix:///run/docker.sock", E::Scheme),
        ("ws://api.example.com/", E::Scheme),
        ("https://user@api.example.com/", E::UserInfo),
        ("https://user:pw@api.example.com/", E::UserInfo),
        ("https://api.example.com@evil.example/", E::UserInfo),
        ("https://@api.example.com/", E::UserInfo),
        ("https://api.example.com/#x", E::Fragment),
        ("https://evil.example#@api.example.com/", E::Fragment),
        ("https://api.example.com\\@evil.example/", E::Backslash),
        ("https:\\\\api.example.com/", E::Backslash),
        ("https://api.example.com/a\\..\\b", E::Backslash),
        ("https://api.example.com/ x", E::Character(' ')),
        (" https://api.example.com/", E::Character(' ')),
        ("https://api.exa\tmple.com/", E::Character('\t')),
        ("https://api.example.com/\r\nHost: x", E::Character('\r')),
        ("https://api.example.com/\u{0}", E::Character('\0')),
        ("https://api.exam\u{ad}ple.com/", E::Character('\u{ad}')),
        ("https://api.example.com/\u{202e}", E::Character('\u{202e}')),
        (
            "https://%61pi.example.com/",
            E::Host(": it is percent-encoded"),
        ),
        (
            "https://api.example.com%00.evil.example/",
            E::Host(": it is percent-encoded"),
        ),
        (
            "http://[fe80::1%25eth0]/",
            E::Host(": it is percent-encoded"),
        ),
        ("http://[::1/", E::Host(": it is no IPv6 address")),
        (
            "http://[::ffff:127.0.0.1.]/",
            E::Host(": it is no IPv6 address"),
        ),
        (
            "http://1.2.3.4.5/",
            E::Host(": it ends in a number and is no IPv4 address"),
        ),
        (
            "http://127.0.0.256/",
            E::Host(": it ends in a number and is no IPv4 address"),
        ),
        (
            "http://a.0x7f/",
            E::Host(": it ends in a number and is no IPv4 address"),
        ),
        (
            "https://a..b/",
            E::Host(": a name has letters, digits and `-` between dots"),
        ),
        (
            "https://h../",
            E::Host(": a name has letters, digits and `-` between dots"),
        ),
        (
            "https://-h/",
            E::Host(": a name has letters, digits and `-` between dots"),
        ),
        (
            "https://a,b/",
            E::Host(": a name has letters, digits and `-` between dots"),
        ),
        (
            "https://*.example.com/",
            E::Host(": a name has letters, digits and `-` between dots"),
        ),
        (
            &label,
            E::Host(": a name has letters, digits and `-` between dots"),
        ),
        ("https://h:/", E::Port),
        ("https://h:0/", E::Port),
        ("https://h:65536/", E::Port),
        ("https://h:80x/", E::Port),
        ("https://h:-1/", E::Port),
        ("https://h/%", E::Percent),
        ("https://h/%zz", E::Percent),
        ("https://h/v1/..%2fadmin", E::Path),
        ("https://h/v1/..;/admin", E::Path),
        ("https://h/v1/%252e%252e%252fadmin", E::Path),
        ("https://h/v1%5c..%5cadmin", E::Path),
        ("https://h/v1%0d%0aX:y", E::Path),
        ("https://h/v1%00.png", E::Path),
        (&long, E::TooLong(URL_MAX + 10)),
    ] {
        assert_eq!(Target::parse(text).map(|t| t.url()), Err(want), "{text:?}");
    }
}

#[test]
fn people_do_not_see_queries() {
    let target = Target::parse("https://h/v1?token=canary").unwrap();
    assert_eq!(target.to_string(), "https://h/v1?…");
    assert_eq!(format!("{target:?}"), "Target(https://h/v1?…)");
    let long = Target::parse(&format!("https://h/{}", "a".repeat(1000))).unwrap();
    assert!(long.to_string().len() < 250);
}

#[test]
fn redirects_join_like_urls() {
    let base = Target::parse("https://h:8443/a/b?c").unwrap();
    for (location, want) in [
        ("/x", Ok("https://h:8443/x")),
        ("x", Ok("https://h:8443/a/x")),
        ("?y", Ok("https://h:8443/a/b?y")),
        ("", Ok("https://h:8443/a/b?c")),
        ("../../x", Ok("https://h:8443/x")),
        ("//other/x", Ok("https://other/x")),
        ("http://other/x#frag", Ok("http://other/x")),
        ("/x#frag", Ok("https://h:8443/x")),
        ("https://user@h/", Err(TargetError::UserInfo)),
        ("//user@h/", Err(TargetError::UserInfo)),
        ("//%68/", Err(TargetError::Host(": it is percent-encoded"))),
        ("https:/x", Err(TargetError::Malformed)),
        ("https:x", Err(TargetError::Malformed)),
        ("///x/y", Err(TargetError::Host(": it is missing"))),
        ("file:///etc/passwd", Err(TargetError::Scheme)),
        ("javascript:alert(1)", Err(TargetError::Scheme)),
        ("\\\\other\\x", Err(TargetError::Backslash)),
        ("/\\other/x", Err(TargetError::Backslash)),
        ("/x y", Err(TargetError::Character(' '))),
    ] {
        assert_eq!(
            base.join(location).map(|t| t.url()),
            want.map(str::to_owned),
            "{location:?}"
        );
    }
}

#[test]
fn an_origin_is_compared_whole() {
    let target = Target::parse("https://api.example.com/v1").unwrap();
    for (origin, want) in [
        ("https://api.example.com", true),
        ("https://API.example.com:443", true),
        ("https://api.example.com.", true),
        ("http://api.example.com", false),
        ("http://api.example.com:443", false),
        ("https://api.example.com:8443", false),
        ("https://example.com", false),
        ("https://api.example.com.evil.example", false),
        ("https://api.example.com/", false),
        ("https://api.example.com?x", false),
        ("api.example.com", false),
        ("", false),
    ] {
        assert_eq!(target.is_at(origin), want, "{origin}");
    }
}

/// A target, and one of the many ways to write it.
fn spelled() -> impl Strategy<Value = (Scheme, Host, u16, String, String)> {
    let host = prop_oneof![
        "[a-z][a-z0-9]{0,8}(\\.[a-z][a-z0-9-]{0,5}[a-z]){0,3}"
            .prop_filter("no international name", |n| !n.contains("xn--"))
            .prop_map(Host::Name),
        any::<u32>().prop_map(|v| Host::Ip(IpAddr::V4(v.into()))),
        any::<u128>().prop_map(|v| Host::Ip(IpAddr::V6(v.into()))),
    ];
    let segment = "[a-zA-Z0-9_~.-]{0,6}".prop_filter("dots", |s| s != "." && s != "..");
    (
        any::<bool>(),
        host,
        prop_oneof![Just(80_u16), Just(443), 1..=u16::MAX],
        prop::collection::vec(segment, 1..5),
        any::<[u8; 8]>(),
    )
        .prop_map(|(https, host, port, segments, choice)| {
            let (scheme, word) = if https {
                (Scheme::Https, ["https", "HTTPS", "hTTps"])
            } else {
                (Scheme::Http, ["http", "HTTP", "Http"])
            };
            let pick = |n: usize, of: usize| usize::from(choice[n]) % of;
            let written = match &host {
                Host::Name(name) if pick(0, 3) == 0 => name.to_uppercase(),
                Host::Name(name) if pick(0, 3) == 1 => format!("{name}."),
                Host::Name(name) => name.clone(),
                Host::Ip(IpAddr::V4(v4)) => {
                    let all = spellings(*v4);
                    all[pick(0, all.len())].clone()
                }
                Host::Ip(IpAddr::V6(v6)) if pick(0, 2) == 0 => {
                    let s: Vec<_> = v6.segments().iter().map(|s| format!("{s:04X}")).collect();
                    format!("[{}]", s.join(":"))
                }
                Host::Ip(IpAddr::V6(v6)) => format!("[{v6}]"),
            };
            let default = if https { 443 } else { 80 };
            let port_text = if port == default && pick(1, 2) == 0 {
                String::new()
            } else {
                format!(":{}{port}", ["", "0", "000"][pick(2, 3)])
            };
            let path = format!("/{}", segments.join("/"));
            let mut text = String::new();
            for (ix, segment) in segments.iter().enumerate() {
                match pick(3 + ix % 4, 5) {
                    0 => text += "/x/..",
                    1 => text += "/%2e",
                    2 => text += "/y/%2E%2e",
                    _ => {}
                }
                text.push('/');
                for (at, c) in segment.chars().enumerate() {
                    if (usize::from(choice[7]) + at).is_multiple_of(3) {
                        text += &format!("%{:02x}", c as u32);
                    } else {
                        text.push(c);
                    }
                }
            }
            let url = format!("{}://{written}{port_text}{text}", word[pick(6, 3)]);
            (scheme, host, port, path, url)
        })
}

proptest! {
    #![proptest_config(cases(10_000))]

    /// However it is spelled, the tuple is the one that was meant.
    #[test]
    fn spelling_does_not_matter((scheme, host, port, path, url) in spelled()) {
        let target = Target::parse(&url).map_err(|e| TestCaseError::fail(format!("{url}: {e}")))?;
        prop_assert_eq!(target.scheme(), scheme);
        prop_assert_eq!(target.host(), &host);
        prop_assert_eq!(target.port(), port);
        prop_assert_eq!(target.path(), path);
    }

    /// Whatever comes in: no panic, and what is taken is canonical and stays what it is.
    #[test]
    fn canonical_is_a_fixed_point(text in "(https?://)?[a-zA-Z0-9.:@/%;?#\\\\\\[\\]~ü。０１\t-]{0,40}") {
        if let Ok(target) = Target::parse(&text) {
            let url = target.url();
            prop_assert_eq!(Target::parse(&url), Ok(target.clone()), "{}", url);
            prop_assert!(target.path().starts_with('/'));
            prop_assert!(url.is_ascii());
            prop_assert!(!url.contains(['\\', '#', '@']) || target.origin_form().contains('@'));
            prop_assert!(!target.authority().contains('@'));
            let segments: Vec<_> = target.path().split('/').collect();
            prop_assert!(!segments.iter().any(|s| *s == "." || *s == ".."), "{}", url);
        }
    }

    /// A base and any location: the same.
    #[test]
    fn joined_is_canonical(location in "[a-zA-Z0-9.:@/%;?#\\\\~-]{0,30}") {
        let base = Target::parse("https://h:8443/a/b?c").unwrap();
        if let Ok(target) = base.join(&location) {
            prop_assert_eq!(Target::parse(&target.url()), Ok(target));
        }
    }

    /// Anything at all.
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Target::parse(&text);
        let _ = Target::parse(&format!("https://{text}"));
        let _ = Target::parse("https://h/a").unwrap().join(&text);
    }
}
