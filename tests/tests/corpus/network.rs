//! The way out to the network: where it goes, what it says, how much of it.

use super::{
    CANARY, End, OTHER, Row, Seen,
    web::{Log, Servers},
    wrong,
};
use std::sync::{Arc, atomic::Ordering};

/// Most requests of one attempt at the same time, as SECURITY promises.
const AT_ONCE: usize = 8;

struct Net<'a> {
    servers: &'a Servers,
    url: String,
    policy: String,
}

/// Each connection brought one request: one head, one host, the allowed one, and one length.
fn single(log: &Log, port: u16) -> Result<(), String> {
    let (requests, most) = log.take();
    wrong(most > AT_ONCE, || format!("{most} connections at once"))?;
    for request in requests.iter().filter(|r| !r.is_empty()) {
        let head = request
            .split("\r\n\r\n")
            .next()
            .unwrap_or("")
            .to_lowercase();
        let lines = |name: &str| head.lines().skip(1).filter(|l| l.starts_with(name)).count();
        let hosts = head
            .lines()
            .skip(1)
            .filter(|l| *l == format!("host: 127.0.0.1:{port}"))
            .count();
        let lengths = lines("content-length:") + lines("transfer-encoding:");
        let bare = request.replace("\r\n", "").contains(['\r', '\n', '\0']);
        let good = request.matches(" HTTP/1.1\r\n").count() == 1
            && hosts == 1
            && lines("host:") == 1
            && lengths <= 1
            && !bare;
        wrong(!good, || format!("a request that is not one: {request:?}"))?;
        let path = head.split(' ').nth(1).unwrap_or("");
        let raw = path.split('?').next().unwrap_or("");
        let leaves = !path.starts_with("/v1/") || raw.contains("/..") || raw.contains("%2e%2e");
        wrong(leaves, || format!("a path that is not allowed: {path:?}"))?;
    }
    Ok(())
}

impl Net<'_> {
    fn row(&self, act: &str) -> Row {
        let log = Arc::clone(&self.servers.log);
        let (port, forbidden) = (self.servers.port, self.servers.forbidden.counter());
        Row::new(
            "network",
            sandgate_test_guests::net_agent(),
            format!("url = \"{}\", {act}", self.url),
        )
        .named(act.split('"').nth(1).unwrap_or(""))
        .policy(&*self.policy)
        .look(move |_| {
            single(&log, port)?;
            let came = forbidden.load(Ordering::SeqCst);
            wrong(came != 0, || {
                format!("{came} connections to the forbidden port")
            })
        })
    }

    /// What also has to hold.
    fn and(&self, row: Row, more: impl Fn(&Seen<'_>) -> Result<(), String> + 'static) -> Row {
        let Row { look, .. } = &row;
        let _ = look;
        let first = row.look;
        Row {
            look: Box::new(move |seen| first(seen).and_then(|()| more(seen))),
            ..row
        }
    }

    fn at(&self, path: &str, act: &str) -> Row {
        let url = format!("http://127.0.0.1:{}/v1/{path}", self.servers.port);
        let net = Net {
            servers: self.servers,
            url,
            policy: self.policy.clone(),
        };
        net.row(act)
    }
}

fn bytes_at_most(most: u64) -> impl Fn(&Seen<'_>) -> Result<(), String> {
    move |seen| {
        let bytes = seen.told["bytes"].as_u64().unwrap_or(0);
        wrong(bytes > most, || format!("{bytes} bytes"))
    }
}

const CAPPED: End = End::FineOr(&["limit", "timeout", "HttpResponse", "ErrorCode", "too large"]);

pub(super) fn rows(servers: &Servers) -> Vec<Row> {
    let (port, forbidden, twin) = (servers.port, servers.forbidden.port, servers.twin.port);
    let methods = "methods = [\"GET\", \"POST\", \"HEAD\"]";
    let policy = format!(
        "[policy]\nhttp = [{{ allow = \"http://127.0.0.1:{port}/v1/*\", {methods}, redirects = 3 }}]\n\
         secrets = [{{ name = \"API_TOKEN\", from = \"env\", to = \"http://127.0.0.1:{port}\" }}, \
         {{ name = \"OTHER_TOKEN\", from = \"env\", to = \"https://127.0.0.1:{forbidden}\" }}]\n"
    );
    let net = Net {
        servers,
        url: format!("http://127.0.0.1:{port}/v1/items"),
        policy,
    };
    let counter = servers.twin.counter();
    let echo = |what: &str| format!("http://127.0.0.1:{port}/v1/redirect?{what}");
    let redirects: Vec<String> = [
        format!("http://127.0.0.1:{forbidden}/canary"),
        format!("http://localhost:{forbidden}/canary"),
        format!("http://[::1]:{forbidden}/canary"),
        format!("http://[::ffff:127.0.0.1]:{forbidden}/canary"),
        format!("http://0.0.0.0:{forbidden}/canary"),
        format!("http://2130706433:{forbidden}/canary"),
        format!("http://127.1:{forbidden}/canary"),
        format!("//127.0.0.1:{forbidden}/canary"),
        format!("http://127.0.0.1:{port}@127.0.0.1:{forbidden}/canary"),
        format!("http:\\\\127.0.0.1:{forbidden}/canary"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "/outside".to_owned(),
        "../outside".to_owned(),
        "/v1/%2e%2e/outside".to_owned(),
        "/v1/redirect?/v1/redirect?/v1/redirect?/v1/redirect?/v1/redirect?/v1/items".to_owned(),
    ]
    .iter()
    .map(|to| format!("\"{}\"", echo(to).replace('\\', "\\\\")))
    .collect();
    let hosts = format!("act = \"hosts\", allowed = \"127.0.0.1:{port}\", port = {forbidden}");
    let placeholders = "act = \"placeholders\", mine = \"API_TOKEN\", other = \"OTHER_TOKEN\"";
    let log = Arc::clone(&servers.log);
    vec![
        // The twins: what is allowed arrives, at the server and at a port like the forbidden one.
        net.row("act = \"get\""),
        Row::new(
            "network",
            sandgate_test_guests::net_agent(),
            format!("act = \"get\", url = \"http://127.0.0.1:{twin}/canary\""),
        )
        .named("twin")
        .policy(
            net.policy
                .replace(
                    &format!("127.0.0.1:{port}/v1/*"),
                    &format!("127.0.0.1:{twin}/*"),
                )
                .replace(
                    &format!("127.0.0.1:{port}\""),
                    &format!("127.0.0.1:{twin}\""),
                ),
        )
        .look(move |_| {
            wrong(counter.load(Ordering::SeqCst) != 1, || {
                "the twin did not count".to_owned()
            })
        }),
        net.and(net.row(&hosts), |s| {
            wrong(s.told["probes"].as_u64().unwrap_or(0) < 100, || {
                format!("few probes: {}", s.told)
            })?;
            s.nothing_passed()
        }),
        net.row("act = \"paths\""),
        net.and(net.row("act = \"schemes\""), |s| s.nothing_passed()),
        net.and(
            net.row(&format!(
                "act = \"urls\", urls = [{}]",
                redirects.join(", ")
            )),
            |s| {
                let followed = s
                    .passed()
                    .into_iter()
                    .find(|(_, got)| got.starts_with("200"));
                wrong(followed.is_some(), || format!("followed {followed:?}"))
            },
        ),
        net.row("act = \"headers\""),
        net.row("act = \"methods\""),
        net.at("quiet", placeholders).look(move |seen| {
            let (requests, _) = log.take();
            let text = requests.join("\n");
            wrong(text.contains(OTHER), || "the other secret left".to_owned())?;
            for line in text.lines().filter(|l| l.contains(CANARY)) {
                let (name, _) = line.split_once(": ").unwrap_or(("", ""));
                let header = !name.is_empty() && !name.contains([' ', '/', '?']);
                wrong(!header || name.contains(CANARY), || {
                    format!("the secret is in {line:?}")
                })?;
            }
            wrong(!text.contains(CANARY), || {
                "the secret never arrived, so nothing is shown".to_owned()
            })?;
            wrong(seen.told.to_string().contains("canary-"), || {
                "the guest holds a secret".to_owned()
            })
        }),
        net.and(net.row(placeholders).named("echoed"), |s| {
            wrong(s.told.to_string().contains("canary-"), || {
                "the guest holds a secret".to_owned()
            })
        }),
        net.row("act = \"lengths\"").deadline(30_000),
        net.row("act = \"huge-header\", bytes = 1000000, count = 5000")
            .end(CAPPED),
        net.at("quiet", "act = \"options\""),
        net.at("quiet", "act = \"body\", mib = 64").end(CAPPED),
        net.at("slow", "act = \"flood\", count = 300").end(CAPPED),
        net.at("slow", "act = \"abandon\", count = 300").end(CAPPED),
        net.at("endless", "act = \"never-read\", count = 50")
            .deadline(5_000)
            .end(CAPPED),
        net.and(
            net.at("endless", "act = \"drain\"").end(CAPPED),
            bytes_at_most(65 << 20),
        ),
        net.and(
            net.at("bomb", "act = \"drain\"").end(CAPPED),
            bytes_at_most(20 << 16),
        ),
        net.at("head", "act = \"get\"")
            .end(End::Fails(&["Error", "limit", "too", "header"])),
        net.at("drip", "act = \"drip\"")
            .deadline(2_000)
            .end(End::FineOr(&["timeout"])),
        net.at("silent", "act = \"get\"")
            .deadline(1_500)
            .end(End::Fails(&["timeout"])),
        net.at("quiet", "act = \"repeat\", count = 400")
            .policy(format!("{}\n[limits]\neffects = 50\n", net.policy))
            .end(CAPPED),
        net.row("act = \"fields\", count = 100000").end(CAPPED),
        net.row("act = \"half\"")
            .deadline(2_000)
            .end(End::FineOr(&["timeout"])),
        net.row(&hosts)
            .named("nothing granted")
            .policy("")
            .end(End::Refused(&[2, 5], "http")),
    ]
}
