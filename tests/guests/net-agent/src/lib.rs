//! Attacks the way out to the network as its input says. The acts are in the table of `tests/guests/README.md`.

mod client;
mod floods;
mod headers;
mod hosts;

use client::{Sending, get};
use kit::{Order, Value, json, told};

fn act(order: &Order) -> Result<Value, String> {
    let url = order.text("url");
    let count = order.number("count", 100);
    Ok(match order.act() {
        // Behaves.
        "get" => match order.text("authorization") {
            "" => json!(get(url)?),
            value => json!(Sending::url(url)?.header("authorization", value).come()?),
        },
        // Where it goes.
        "hosts" => told(
            hosts::spellings(order.text("allowed"), order.number("port", 80))
                .into_iter()
                .map(|(scheme, authority)| {
                    let came = Sending::to(&scheme, &authority, "/canary").come();
                    (format!("{scheme} {authority}"), came)
                }),
        ),
        "paths" => {
            let (scheme, authority, _) = client::parts(url)?;
            told(hosts::PATHS.iter().map(|path| {
                let came = Sending::to(scheme, authority, path).come();
                ((*path).to_owned(), came)
            }))
        }
        "schemes" => {
            let (_, authority, path) = client::parts(url)?;
            told(
                [
                    "",
                    "ftp",
                    "file",
                    "ws",
                    "wss",
                    "gopher",
                    "data",
                    "HTTP",
                    "http:",
                    "http\r\n",
                    "unix",
                    "https+insecure",
                ]
                .iter()
                .map(|scheme| {
                    (
                        (*scheme).to_owned(),
                        Sending::to(scheme, authority, path).come(),
                    )
                }),
            )
        }
        "urls" => told(order.list("urls").into_iter().map(|url| {
            let came = get(&url);
            (url, came)
        })),
        // What it says.
        "headers" => told(headers::smuggled(url)?),
        "methods" => told(headers::methods(url)?),
        "placeholders" => told(headers::placeholders(
            url,
            order.text("mine"),
            order.text("other"),
        )?),
        "lengths" => told(headers::lengths(url)?),
        "huge-header" => told(headers::huge(url, order.number("bytes", 1 << 20), count)?),
        "options" => told(headers::options(url)?),
        // How much of it.
        "body" => floods::body(url, order.number("mib", 64))?,
        "flood" => floods::flood(url, count)?,
        "abandon" => floods::abandon(url, count)?,
        "never-read" => floods::never_read(url, count)?,
        "drain" => floods::drain(url)?,
        "drip" => floods::drip(url)?,
        "repeat" => floods::repeat(url, count)?,
        "fields" => floods::fields(count),
        "half" => floods::half(url)?,
        other => return Err(format!("there is no act {other:?}")),
    })
}

kit::agent!(
    "net-agent",
    "package test:guest; world guest { include sandgate:plugin/agent@0.1.0; }",
    [Http, Secrets],
    act
);
