//! Hosts that must not be reached, in all the ways to write them. The policy even grants the very host that the text
//! names, and the resolver is as lenient as any: only `private` is missing.

use crate::kit::{Server, World, allow, grants, reply};
use sandgate_authority::Target;
use sandgate_egress::EgressConfig;
use sandgate_model::HttpGrant;
use std::net::{IpAddr, Ipv4Addr};

/// How one address can be written, as a host.
fn hosts(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let value = u32::from(ip);
    let low16 = u32::from(c) << 8 | u32::from(d);
    let low24 = u32::from(b) << 16 | low16;
    let hex = format!("{a:02x}{b:02x}:{c:02x}{d:02x}");
    let inverted = format!("{:02x}{:02x}:{:02x}{:02x}", !a, !b, !c, !d);
    let wide = |s: &str| -> String {
        s.chars()
            .map(|c| match c {
                c if c.is_ascii_digit() => char::from_u32(c as u32 + 0xfee0).unwrap(),
                c => c,
            })
            .collect()
    };
    let mut all = vec![
        format!("{ip}"),
        format!("{ip}."),
        format!("{value}"),
        format!("{value:#x}"),
        format!("0x{value:08X}"),
        format!("0{value:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0000{a:o}.{b}.{c}.{d}"),
        format!("{a}.{b}.{low16}"),
        format!("{a}.{low24}"),
        format!("{a:#x}.{low24:#x}"),
        format!("{a}.{b}.{c}.0x{d:x}."),
        wide(&ip.to_string()),
        ip.to_string().replace('.', "。"),
        ip.to_string().replace('.', "．"),
        ip.to_string().replace('.', "｡"),
        format!("%3{a}"),
        ip.to_string().replace('.', "%2e"),
        format!("{a}.{b}.{c}.{d}%00.example.com"),
        format!("{ip}.nip.io"),
        format!("{ip}.evil.example"),
        format!("evil.example@{ip}"),
        format!("evil.example:80@{ip}"),
        format!("\u{ad}{ip}"),
        format!("{ip}\\.evil.example"),
    ];
    for v6 in [
        format!("::ffff:{ip}"),
        format!("::ffff:{hex}"),
        format!("0:0:0:0:0:FFFF:{hex}"),
        format!("::{ip}"),
        format!("::ffff:0:{ip}"),
        format!("64:ff9b::{ip}"),
        format!("64:ff9b:1::{ip}"),
        format!("2002:{hex}::1"),
        format!("2001:0:4136:e378:8000:63bf:{inverted}"),
        format!("fe80::5efe:{ip}"),
        format!("2a00:1450:4001:800::5efe:{ip}"),
    ] {
        all.push(format!("[{v6}]"));
    }
    all
}

const NAMES: &[&str] = &[
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "x.localhost",
    "ip6-localhost",
    "metadata.google.internal",
    "metadata",
    "kubernetes.default.svc",
    "host.docker.internal",
    "localtest.me",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌｏｃａｌｈｏｓｔ",
    "loc\u{200b}alhost",
    "xn--localhost-",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::1%25lo]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fc00::1]",
    "[ff02::1]",
    "[fec0::1]",
    "[::ffff:7f00:1]",
    "0",
    "127.1",
    "0x7f.1",
    "0177.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "",
    ".",
    "..",
    "[",
    "[]",
    "[::g]",
    "a b",
    "a\tb",
    "127.0.0.1:80:80",
    "127.0.0.1/@evil.example",
];

struct Count {
    probes: usize,
    refused_as_text: usize,
    attempts: usize,
    accepted: usize,
}

async fn run(private: bool) -> Count {
    let server = Server::start(|_| reply(200, "", "reached")).await;
    let port = server.port();
    let mut all: Vec<(String, IpAddr)> = NAMES
        .iter()
        .map(|n| ((*n).to_owned(), IpAddr::from([127, 0, 0, 1])))
        .collect();
    for ip in [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "0.0.0.0",
        "172.16.0.1",
    ] {
        let ip: Ipv4Addr = ip.parse().unwrap();
        all.extend(hosts(ip).into_iter().map(|h| (h, ip.into())));
    }
    let world = World::with(EgressConfig::default());
    world.recorder.lead_all(server.address);
    let mut refused_as_text = 0;
    for (host, ip) in &all {
        world.names.set_any(Some(*ip));
        let url = format!("http://{host}:{port}/x");
        let Ok(target) = Target::parse(&url) else {
            refused_as_text += 1;
            continue;
        };
        let rule = HttpGrant {
            scheme: target.scheme(),
            host: target.host().text(),
            port: target.port(),
            path: "/*".to_owned(),
            private,
            ..allow("http://h/*", &["GET"])
        };
        let result = world.client(grants(vec![rule])).get(&url).await;
        assert!(private || result.is_err(), "{url} was answered");
    }
    Count {
        probes: all.len(),
        refused_as_text,
        attempts: world.recorder.attempts().len(),
        accepted: server.accepted(),
    }
}

#[tokio::test]
async fn no_spelling_reaches_an_inner_address() {
    let count = run(false).await;
    println!(
        "host spellings: {} probes, {} refused as text, {} connections attempted, {} accepted",
        count.probes, count.refused_as_text, count.attempts, count.accepted
    );
    assert!(count.probes >= 120);
    assert_eq!((count.attempts, count.accepted), (0, 0));
}

/// The count can fail: with `private` the same probes do connect.
#[tokio::test]
async fn the_count_of_spellings_can_fail() {
    let count = run(true).await;
    println!(
        "host spellings, control with `private`: {} connections attempted, {} accepted",
        count.attempts, count.accepted
    );
    assert!(count.attempts >= 60 && count.accepted >= 60);
}

/// The policy allows one host. Tricks that look like it do not lead elsewhere.
#[tokio::test]
async fn what_only_looks_like_the_allowed_host() {
    let inner = Server::start(|_| reply(200, "", "reached")).await;
    let world = World::new();
    world.names.set_any(Some([127, 0, 0, 1].into()));
    let port = inner.port();
    let client = world.client(grants(vec![crate::kit::allow_inside(
        "http://allowed.example/*",
        &["GET"],
    )]));
    let texts = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://allowed.example@127.0.0.1:{port}/"),
        format!("http://allowed.example:80@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}#@allowed.example/"),
        format!("http://127.0.0.1:{port}?@allowed.example/"),
        format!("http://127.0.0.1:{port}\\@allowed.example/"),
        format!("http://127.0.0.1:{port}/@allowed.example/"),
        format!("http://allowed.example:{port}/"),
        format!("http://allowed.example.:{port}/"),
        format!("http://allowed.example.evil.example:{port}/"),
        format!("http://evil.example:{port}/http://allowed.example/"),
        format!("http://allowed。example:{port}/"),
        format!("http://allowed.example%40127.0.0.1:{port}/"),
        format!("http://allowed.example\t@127.0.0.1:{port}/"),
        format!("http:127.0.0.1:{port}/"),
        format!("http:///127.0.0.1:{port}/"),
        format!("https://allowed.example:{port}/"),
        "https://allowed.example/".to_owned(),
        format!("ftp://allowed.example:{port}/"),
        format!("//127.0.0.1:{port}/"),
    ];
    for text in &texts {
        assert!(client.get(text).await.is_err(), "{text}");
    }
    println!(
        "look-alikes: {} probes, {} connections",
        texts.len(),
        world.recorder.attempts().len()
    );
    assert_eq!((world.recorder.attempts().len(), inner.accepted()), (0, 0));
}
