//! Too much of it: bodies, requests at once, responses that nobody reads.

use crate::client::{Sending, read, told, wait};
use kit::{Told, Value, debug, json};
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody};

/// A body of so many MiB; tells how much the host took.
pub fn body(url: &str, mib: u64) -> Result<Value, String> {
    let mut sending = Sending::url(url)?;
    sending.method = Method::Post;
    let request = sending.make()?;
    let body = debug(request.body())?;
    let coming = debug(outgoing_handler::handle(request, None))?;
    let stream = debug(body.write())?;
    let chunk = [b'b'; 4096];
    let mut written = 0u64;
    let mut stopped = None;
    for _ in 0..mib * 256 {
        match stream.blocking_write_and_flush(&chunk) {
            Ok(()) => written += 4096,
            Err(error) => {
                stopped = Some(format!("{error:?}"));
                break;
            }
        }
    }
    drop(stream);
    let finished = debug(OutgoingBody::finish(body, None)).err();
    let came = wait(&coming).and_then(told);
    Ok(
        json!({ "written": written, "stopped": stopped, "finished": finished, "came": format!("{came:?}") }),
    )
}

/// So many requests at once, all awaited.
pub fn flood(url: &str, count: u64) -> Result<Value, String> {
    let mut told = Told::default();
    let mut coming = Vec::new();
    for n in 0..count {
        match Sending::url(url)?.send(None) {
            Ok(future) => coming.push((n, future)),
            Err(error) => told.note(n.to_string(), Err(error)),
        }
    }
    for (n, future) in coming {
        let came = wait(&future).map(|response| response.status().to_string());
        told.note(n.to_string(), came);
    }
    Ok(told.answer())
}

/// So many requests whose responses nobody awaits.
pub fn abandon(url: &str, count: u64) -> Result<Value, String> {
    let mut told = Told::default();
    for n in 0..count {
        let sent = Sending::url(url)?.send(None);
        told.note(
            n.to_string(),
            sent.map(|future| {
                drop(future);
                "dropped".to_owned()
            }),
        );
    }
    Ok(told.answer())
}

/// So many responses held open, their bodies never read.
pub fn never_read(url: &str, count: u64) -> Result<Value, String> {
    let mut told = Told::default();
    let mut held = Vec::new();
    for n in 0..count {
        let came = Sending::url(url)?
            .send(None)
            .and_then(|future| wait(&future));
        match came {
            Ok(response) => {
                told.note(n.to_string(), Ok(response.status().to_string()));
                let body = response.consume().ok();
                let stream = body.as_ref().and_then(|body| body.stream().ok());
                held.push((stream, body, response));
            }
            Err(error) => told.note(n.to_string(), Err(error)),
        }
    }
    let count = held.len();
    let mut answer = told.answer();
    answer["held"] = json!(count);
    Ok(answer)
}

/// Reads a response to its end, as fast as it comes, without keeping it.
pub fn drain(url: &str) -> Result<Value, String> {
    let response = wait(&Sending::url(url)?.send(None)?)?;
    let body = debug(response.consume())?;
    let stream = debug(body.stream())?;
    let start = monotonic_clock::now();
    let mut bytes = 0u64;
    let error = loop {
        match stream.blocking_read(1 << 20) {
            Ok(chunk) => bytes += chunk.len() as u64,
            Err(error) => break format!("{error:?}"),
        }
    };
    Ok(json!({
        "status": response.status(), "headers": response.headers().entries().len(), "bytes": bytes, "ended": error,
        "ms": (monotonic_clock::now() - start) / 1_000_000
    }))
}

/// Reads one byte at a time for as long as the host lets it.
pub fn drip(url: &str) -> Result<Value, String> {
    let response = wait(&Sending::url(url)?.send(None)?)?;
    let body = debug(response.consume())?;
    let stream = debug(body.stream())?;
    let start = monotonic_clock::now();
    let mut bytes = 0u64;
    let error = loop {
        match stream.blocking_read(1) {
            Ok(chunk) => bytes += chunk.len() as u64,
            Err(error) => break format!("{error:?}"),
        }
    };
    Ok(
        json!({ "bytes": bytes, "ended": error, "ms": (monotonic_clock::now() - start) / 1_000_000 }),
    )
}

/// One request after the other.
pub fn repeat(url: &str, count: u64) -> Result<Value, String> {
    let mut told = Told::default();
    for n in 0..count {
        told.note(n.to_string(), Sending::url(url)?.come());
    }
    Ok(told.answer())
}

/// So many fields in the host's tables, and what a response's fields allow.
pub fn fields(count: u64) -> Value {
    let mut held = Vec::new();
    for n in 0..count {
        let fields = Fields::new();
        if fields.set(&format!("x-{n}"), &[vec![b'v'; 1024]]).is_err() {
            break;
        }
        held.push(fields);
    }
    json!({ "held": held.len() })
}

/// A request whose body is begun and never ended, and whose response is awaited all the same.
pub fn half(url: &str) -> Result<Value, String> {
    let mut sending = Sending::url(url)?;
    sending.method = Method::Post;
    let request = sending.make()?;
    let body = debug(request.body())?;
    let coming = debug(outgoing_handler::handle(request, None))?;
    let stream = debug(body.write())?;
    let _ = stream.blocking_write_and_flush(b"half");
    let came = wait(&coming);
    let told = came.and_then(|response| read(&response, 1024).map(|(bytes, _)| bytes.len()));
    Ok(json!({ "came": format!("{told:?}") }))
}
