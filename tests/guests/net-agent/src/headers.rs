//! What a request says: headers, methods, placeholders of secrets, sizes, times.

use crate::client::{Sending, told, wait};
use wasip2::http::outgoing_handler::RequestOptions;
use wasip2::http::types::Method;

type Probes = Vec<(String, Result<String, String>)>;

/// Names and values that change what the request is, or who sends it.
const SMUGGLED: &[(&str, &str)] = &[
    ("host", "127.0.0.1"),
    ("Host", "evil.example"),
    ("host ", "evil.example"),
    (" host", "evil.example"),
    ("host:", "evil.example"),
    (":authority", "evil.example"),
    (":path", "/admin"),
    ("x-forwarded-host", "evil.example"),
    ("authorization", "Bearer stolen"),
    ("AUTHORIZATION", "Bearer stolen"),
    ("proxy-authorization", "Basic x"),
    ("proxy-connection", "keep-alive"),
    ("proxy-authenticate", "Basic"),
    ("cookie", "session=stolen"),
    ("set-cookie", "a=b"),
    ("transfer-encoding", "chunked"),
    ("Transfer-Encoding", "identity"),
    ("transfer-encoding", "chunked, chunked"),
    ("transfer_encoding", "chunked"),
    ("content-length", "0"),
    ("content-length", "5"),
    ("content-length", "+5"),
    ("content-length", "5, 5"),
    ("content-length", "99999999999999999999"),
    ("connection", "close"),
    ("connection", "upgrade"),
    ("connection", "host"),
    ("keep-alive", "timeout=1000"),
    ("upgrade", "websocket"),
    ("upgrade", "h2c"),
    ("http2-settings", "AAMAAABkAAQAAP__"),
    ("te", "trailers"),
    ("trailer", "host"),
    ("expect", "100-continue"),
    ("x-http-method-override", "DELETE"),
    ("range", "bytes=0-1"),
    ("accept-encoding", "gzip, br, zstd"),
    ("", "empty name"),
    ("a b", "space in the name"),
    ("a\tb", "tab in the name"),
    ("a\r\nb", "break in the name"),
    ("a\0b", "nul in the name"),
    ("a:b", "colon in the name"),
    ("ä", "letter in the name"),
    ("x-a", "1\r\nhost: evil.example"),
    ("x-a", "1\r\n\r\nGET /admin HTTP/1.1\r\n"),
    ("x-a", "1\nb: c"),
    ("x-a", "1\rb: c"),
    ("x-a", "1\0"),
    ("x-a", "\u{7f}"),
    ("x-a", "\u{1b}[2J"),
    ("x-a", " leading and trailing "),
    ("x-a", "ä"),
    ("x-a", ""),
];

pub fn smuggled(url: &str) -> Result<Probes, String> {
    let mut probes = Vec::new();
    for (name, value) in SMUGGLED {
        let sending = Sending::url(url)?.header(name, value);
        probes.push((format!("{name:?}: {value:?}"), sending.come()));
    }
    // Twice, and after an ordinary one.
    for (name, value) in SMUGGLED.iter().take(30) {
        let sending = Sending::url(url)?
            .header("x-first", "1")
            .header(name, value)
            .header(name, value);
        probes.push((format!("{name:?}: {value:?} twice"), sending.come()));
    }
    Ok(probes)
}

pub fn methods(url: &str) -> Result<Probes, String> {
    let long = "M".repeat(100_000);
    let mut probes = Vec::new();
    for (name, method) in [
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("CONNECT", Method::Connect),
        ("OPTIONS", Method::Options),
        ("TRACE", Method::Trace),
        ("PATCH", Method::Patch),
    ] {
        let mut sending = Sending::url(url)?;
        sending.method = method;
        probes.push((name.to_owned(), sending.come()));
    }
    for name in [
        "get",
        "Get",
        "GET ",
        " GET",
        "GET /admin HTTP/1.1\r\nX:",
        "GET\r\n",
        "G\0T",
        "",
        "PROPFIND",
        "PRI",
        "SSH-2.0-x",
        "GÉT",
        "CONNECT",
        "DELETE",
        "GET\t",
        &long,
    ] {
        let mut sending = Sending::url(url)?;
        sending.method = Method::Other(name.to_owned());
        probes.push((
            format!("other {:?}", &name[..name.len().min(40)]),
            sending.come(),
        ));
    }
    Ok(probes)
}

/// Placeholders of secrets where they do not belong, and of secrets that are not this task's. `mine` is a secret of
/// the task, `other` one that it was not granted.
pub fn placeholders(url: &str, mine: &str, other: &str) -> Result<Probes, String> {
    let hole = |name: &str| format!("{{secret:{name}}}");
    let (m, o) = (hole(mine), hole(other));
    let mut probes = Vec::new();
    let values = [
        o.clone(),
        format!("Bearer {o}"),
        format!("{m} {o}"),
        format!("{m}{m}"),
        hole(""),
        hole("*"),
        hole(".."),
        hole("../etc/passwd"),
        hole(&mine.to_lowercase()),
        hole(&format!(" {mine}")),
        hole(&format!("{mine}\0")),
        format!("{{secret:{}}}", hole(mine)),
        format!("{{{m}}}"),
        format!("{{secret:{mine}"),
        format!("secret:{mine}}}"),
        format!("{{ secret:{mine} }}"),
        format!("{{SECRET:{mine}}}"),
        format!("{{secret :{mine}}}"),
        format!("${{secret:{mine}}}"),
        format!("%7Bsecret:{mine}%7D"),
        // Below the cap of a header, or the trap would be the end of all probes.
        m.repeat(2_000),
    ];
    for value in &values {
        let sending = Sending::url(url)?.header("x-secret", value);
        probes.push((format!("value {value}"), sending.come()));
    }
    for secret in [&m, &o] {
        for header in [
            "host",
            "user-agent",
            "cookie",
            "x-forwarded-for",
            "content-length",
            "x-echo",
        ] {
            let sending = Sending::url(url)?.header(header, secret);
            probes.push((format!("{header}: {secret}"), sending.come()));
        }
        let named = Sending::url(url)?.header(secret, "name");
        probes.push((format!("name {secret}"), named.come()));
        let mut query = Sending::url(url)?;
        query.path = query.path.map(|path| format!("{path}?key={secret}"));
        probes.push((format!("query {secret}"), query.come()));
        let mut path = Sending::url(url)?;
        path.path = path.path.map(|path| format!("{path}/{secret}"));
        probes.push((format!("path {secret}"), path.come()));
        let mut host = Sending::url(url)?;
        host.authority = host.authority.map(|host| format!("{secret}.{host}"));
        probes.push((format!("host {secret}"), host.come()));
        let mut user = Sending::url(url)?;
        user.authority = user.authority.map(|host| format!("{secret}@{host}"));
        probes.push((format!("userinfo {secret}"), user.come()));
        let mut method = Sending::url(url)?;
        method.method = Method::Other(secret.clone());
        probes.push((format!("method {secret}"), method.come()));
        let mut body = Sending::url(url)?;
        body.method = Method::Post;
        body.body = Some(secret.clone().into_bytes());
        probes.push((format!("body {secret}"), body.come()));
    }
    Ok(probes)
}

/// Bodies that are not as long as they say.
pub fn lengths(url: &str) -> Result<Probes, String> {
    let mut probes = Vec::new();
    for (length, body, finish) in [
        ("10", 5, true),
        ("5", 10, true),
        ("0", 10, true),
        ("10", 0, true),
        ("10", 10, false),
        ("10", 5, false),
        ("-1", 5, true),
        ("x", 5, true),
    ] {
        let mut sending = Sending::url(url)?.header("content-length", length);
        sending.method = Method::Post;
        sending.body = Some(vec![b'b'; body]);
        sending.finish = finish;
        probes.push((
            format!("{length} said, {body} sent, finished: {finish}"),
            sending.come(),
        ));
    }
    Ok(probes)
}

/// Headers beyond every cap.
pub fn huge(url: &str, bytes: u64, count: u64) -> Result<Probes, String> {
    let mut probes = Vec::new();
    let value = Sending::url(url)?.header("x-huge", vec![b'v'; bytes as usize]);
    probes.push((format!("a value of {bytes} bytes"), value.come()));
    let name = Sending::url(url)?.header(&"n".repeat(bytes as usize), "v");
    probes.push((format!("a name of {bytes} bytes"), name.come()));
    let mut many = Sending::url(url)?;
    for n in 0..count {
        many.headers.push((format!("x-{n}"), b"v".to_vec()));
    }
    probes.push((format!("{count} headers"), many.come()));
    let mut path = Sending::url(url)?;
    path.path = path.path.map(|path| path + &"p".repeat(bytes as usize));
    probes.push((format!("a path of {bytes} bytes"), path.come()));
    let mut host = Sending::url(url)?;
    host.authority = Some("h".repeat(bytes as usize));
    probes.push((format!("a host of {bytes} bytes"), host.come()));
    Ok(probes)
}

/// Times that the host has to clamp.
pub fn options(url: &str) -> Result<Probes, String> {
    let mut probes = Vec::new();
    for nanos in [0, 1, u64::MAX] {
        let options = RequestOptions::new();
        let set = [
            options.set_connect_timeout(Some(nanos)),
            options.set_first_byte_timeout(Some(nanos)),
            options.set_between_bytes_timeout(Some(nanos)),
        ];
        let came = Sending::url(url)?
            .send(Some(options))
            .and_then(|coming| wait(&coming))
            .and_then(told);
        probes.push((format!("{nanos} ns {set:?}"), came));
    }
    Ok(probes)
}
