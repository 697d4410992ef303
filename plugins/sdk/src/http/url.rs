//! Takes a URL apart for the request. Decides nothing: the host parses and checks what it is handed.

use super::HttpError;

/// The parts of an absolute URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target<'a> {
    /// Whether the scheme is `https`.
    pub(super) tls: bool,
    /// Host and port.
    pub(super) authority: &'a str,
    /// Path and query, beginning with `/`.
    pub(super) path: String,
}

pub(super) fn split(url: &str) -> Result<Target<'_>, HttpError> {
    let wrong = |why: &str| HttpError::Invalid(format!("`{url}` {why}"));
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| wrong("is not an absolute URL, such as https://example.com/"))?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(wrong("is neither http nor https")),
    };
    // A fragment is the client's business and is not sent.
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if authority.is_empty() {
        return Err(wrong("names no host"));
    }
    Ok(Target {
        tls,
        authority,
        path: match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_apart() {
        for (url, tls, authority, path) in [
            ("https://example.com", true, "example.com", "/"),
            ("HTTP://a:80/b/c?d=e#f", false, "a:80", "/b/c?d=e"),
            ("https://a?q", true, "a", "/?q"),
            ("https://[::1]:8443/x", true, "[::1]:8443", "/x"),
            ("https://a/b?c=https://d/", true, "a", "/b?c=https://d/"),
        ] {
            let expected = Target {
                tls,
                authority,
                path: path.to_owned(),
            };
            assert_eq!(split(url), Ok(expected), "{url}");
        }
        for url in [
            "",
            "example.com",
            "/a",
            "ftp://a/",
            "https://",
            "https:///a",
            "http://#a",
        ] {
            assert!(matches!(split(url), Err(HttpError::Invalid(_))), "{url}");
        }
    }
}
