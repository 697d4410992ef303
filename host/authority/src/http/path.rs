//! The one form of a path, and the readings of it that a server could have. Must not know about rules.

/// How often a path may be percent-encoded. Nobody needs a third time; a path that is not plain after that many
/// decodings is meant to confuse.
const ROUNDS: usize = 3;

/// Why a path is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathFault {
    /// `%` without two hex digits.
    Percent,
    /// Decodes to a backslash, a control character, a dot segment or no UTF-8, or is encoded too often.
    Ambiguous,
}

/// The canonical spelling: what needs no percent-encoding is decoded, hex digits are capitals. Paths that a server
/// could read as leaving their own directory (`%2e%2e%2f`, `..;/`, `%5c`) are refused, whatever this server does.
pub(super) fn canonical(path: &str) -> Result<String, PathFault> {
    let plain = spell(path)?;
    let mut bytes = plain.clone().into_bytes();
    for _ in 0..ROUNDS {
        check(&bytes)?;
        // Overlong forms of a dot or a slash (`%C0%AE`) are no UTF-8, and lax servers take them for what they resemble.
        if std::str::from_utf8(&bytes).is_err() {
            return Err(PathFault::Ambiguous);
        }
        let next = decode(&bytes);
        if next == bytes {
            return Ok(plain);
        }
        bytes = next;
    }
    Err(PathFault::Ambiguous)
}

/// The widest reading, for rules that deny: decoded as often as it goes, without path parameters, slashes in one,
/// small letters. Two spellings that any server takes for the same path have the same one.
pub(super) fn folded(path: &str) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..ROUNDS {
        bytes = decode(&bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut in_parameters = false;
    for b in bytes {
        match b {
            b'/' | b'\\' => {
                in_parameters = false;
                if out.last() != Some(&b'/') {
                    out.push(b'/');
                }
            }
            b';' => in_parameters = true,
            _ if in_parameters => {}
            _ => out.push(b.to_ascii_lowercase()),
        }
    }
    out
}

fn unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

fn spell(path: &str) -> Result<String, PathFault> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let byte = hex(rest.next())
            .zip(hex(rest.next()))
            .map(|(high, low)| high * 16 + low)
            .ok_or(PathFault::Percent)?;
        if unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|d| d.to_ascii_uppercase()));
            }
        }
    }
    Ok(out)
}

fn hex(c: Option<char>) -> Option<u8> {
    c.and_then(|c| c.to_digit(16))
        .and_then(|d| u8::try_from(d).ok())
}

/// One round of percent-decoding. What is not a triple stays.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        rest = match rest {
            [b'%', high, low, tail @ ..] => {
                let byte = hex(Some(char::from(*high))).zip(hex(Some(char::from(*low))));
                if let Some((high, low)) = byte {
                    out.push(high * 16 + low);
                    tail
                } else {
                    out.push(b'%');
                    rest.get(1..).unwrap_or_default()
                }
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return out,
        };
    }
}

fn check(bytes: &[u8]) -> Result<(), PathFault> {
    if bytes.iter().any(|b| *b < 0x20 || matches!(b, b'\\' | 0x7f)) {
        return Err(PathFault::Ambiguous);
    }
    for segment in bytes.split(|b| *b == b'/') {
        // A server that knows path parameters takes `..;x` for `..`.
        let name = segment.split(|b| *b == b';').next().unwrap_or_default();
        if matches!(name, b"." | b"..") {
            return Err(PathFault::Ambiguous);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{PathFault, canonical, folded};

    #[test]
    fn one_spelling() {
        for (path, want) in [
            ("/v1/a%62c", "/v1/abc"),
            ("/%7euser", "/~user"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%20b", "/a%20b"),
            ("/%2541", "/%2541"),
            ("/v1/.git", "/v1/.git"),
            ("/v1/...", "/v1/..."),
        ] {
            assert_eq!(canonical(path).as_deref(), Ok(want), "{path}");
        }
    }

    #[test]
    fn what_a_server_could_misread() {
        for path in [
            "/v1/..%2fadmin",
            "/v1/%2e%2e%2fadmin",
            "/v1/%252e%252e%252fadmin",
            "/v1/..;/admin",
            "/v1/.;x=y/admin",
            "/v1/..%3b/admin",
            "/v1%5cadmin",
            "/v1%00",
            "/v1%0d%0aHost:%20x",
            "/%25252525252541",
            "/v1/%C0%AE%C0%AE/admin",
            "/v1/%c0%af",
            "/v1/%FF",
        ] {
            assert_eq!(canonical(path), Err(PathFault::Ambiguous), "{path}");
        }
        for path in ["/%", "/%4", "/%zz", "/%%41"] {
            assert_eq!(canonical(path), Err(PathFault::Percent), "{path}");
        }
    }

    #[test]
    fn the_widest_reading() {
        for path in [
            "/v1/admin/x",
            "/V1/Admin/X",
            "/v1//admin/x",
            "/v1%2Fadmin/x",
            "/v1%252fadmin/x",
            "/v1/admin;a=b/x",
            "/v1/%61dmin/x",
        ] {
            assert_eq!(folded(path), b"/v1/admin/x", "{path}");
        }
    }
}
