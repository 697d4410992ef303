//! Too much of it: bytes, files, directories, links, handles, depth.

use crate::hands::{READ, Root, WRITE};
use kit::{Value, json};
use wasip2::filesystem::types::OpenFlags;

/// Does it until it is refused or done so often.
fn until(count: u64, mut step: impl FnMut(u64) -> Result<(), String>) -> Value {
    for n in 0..count {
        if let Err(error) = step(n) {
            return json!({ "done": n, "stopped": error });
        }
    }
    json!({ "done": count, "stopped": null })
}

/// Writes one MiB after the other.
pub fn bytes(root: &Root, mib: u64) -> Value {
    let chunk = vec![0xA5; 1 << 20];
    let file = match root.at("flood.bin", OpenFlags::CREATE, WRITE) {
        Ok(file) => file,
        Err(error) => return json!({ "done": 0, "stopped": error }),
    };
    until(mib, |n| {
        let mut at = 0;
        while at < chunk.len() {
            let written = root.write_at(&file, &chunk[at..], (n << 20) + at as u64)?;
            if written == 0 {
                return Err("nothing was written".to_owned());
            }
            at += written as usize;
        }
        Ok(())
    })
}

/// Sizes that no disk has.
pub fn sparse(root: &Root) -> Value {
    let file = match root.at("sparse.bin", OpenFlags::CREATE, WRITE) {
        Ok(file) => file,
        Err(error) => return json!({ "stopped": error }),
    };
    let tried = |result: Result<String, String>| match result {
        Ok(text) => json!({ "ok": text }),
        Err(error) => json!({ "error": error }),
    };
    json!({
        "size of 1 TiB": tried(root.size(&file, 1 << 40).map(|()| "set".into())),
        "size of all": tried(root.size(&file, u64::MAX).map(|()| "set".into())),
        "a byte at 1 TiB": tried(root.write_at(&file, b"x", 1 << 40).map(|n| n.to_string())),
        "a byte at 2^62": tried(root.write_at(&file, b"x", 1 << 62).map(|n| n.to_string())),
        "a byte at the end": tried(root.write_at(&file, b"x", u64::MAX).map(|n| n.to_string())),
        "cut": tried(root.size(&file, 0).map(|()| "cut".into())),
    })
}

pub fn files(root: &Root, count: u64) -> Value {
    until(count, |n| {
        root.at(&format!("file-{n}"), OpenFlags::CREATE, WRITE)
            .map(|_| ())
    })
}

pub fn directories(root: &Root, count: u64) -> Value {
    until(count, |n| root.mkdir(&format!("directory-{n}")))
}

pub fn links(root: &Root, count: u64) -> Value {
    let _ = root.write("target.txt", "x");
    let hard = until(count, |n| {
        root.link("target.txt", &format!("hard-{n}"), false)
    });
    let soft = until(count, |n| root.symlink("target.txt", &format!("soft-{n}")));
    json!({ "hard": hard, "soft": soft })
}

/// The same file again and again, never closed.
pub fn handles(root: &Root, count: u64) -> Value {
    let _ = root.write("handle.txt", "x");
    let mut held = Vec::new();
    until(count, |_| {
        held.push(root.at("handle.txt", OpenFlags::empty(), READ)?);
        Ok(())
    })
}

/// Streams over one file, never closed.
pub fn streams(root: &Root, count: u64) -> Value {
    let _ = root.write("stream.txt", "x");
    let file = match root.at("stream.txt", OpenFlags::empty(), READ) {
        Ok(file) => file,
        Err(error) => return json!({ "done": 0, "stopped": error }),
    };
    let mut held = Vec::new();
    until(count, |_| {
        held.push(
            file.read_via_stream(0)
                .map_err(|error| format!("{error:?}"))?,
        );
        Ok(())
    })
}

/// A directory in a directory in a directory.
pub fn deep(root: &Root, count: u64) -> Value {
    let mut path = String::new();
    until(count, |_| {
        path.push_str("d/");
        root.mkdir(path.trim_end_matches('/'))
    })
}

/// Names as long as they get, and odd ones.
pub fn names(root: &Root) -> Value {
    let mut made = Vec::new();
    for name in [
        "n".repeat(255),
        "n".repeat(256),
        "n".repeat(100_000),
        "ä".repeat(127),
        "line\nbreak".into(),
        "\u{1b}[2J".into(),
        "\u{202e}txt.exe".into(),
        "-rf".into(),
        "*".into(),
        " ".into(),
        "a\0b".into(),
        "CON".into(),
        "a:b".into(),
    ] {
        let result = root.at(&name, OpenFlags::CREATE, WRITE).map(|_| ());
        made.push(json!([
            name.chars().take(20).collect::<String>(),
            name.len(),
            format!("{result:?}")
        ]));
    }
    json!(made)
}

/// Makes a file and removes it again: counts as much as making files, if quotas count what was made.
pub fn create_and_remove(root: &Root, count: u64) -> Value {
    until(count, |n| {
        let name = format!("short-lived-{n}");
        root.write(&name, "x")?;
        root.unlink(&name)
    })
}
