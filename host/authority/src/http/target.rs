//! The one parse of a request's URL. Everything after it works on [`Target`], never on text. Must not decide whether
//! a target is allowed.

use super::path::{PathFault, canonical};
use sandgate_model::Scheme;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};
use url::{Position, Url};

/// Longest URL in bytes. Servers commonly stop at 8 KiB for the whole request line.
pub const URL_MAX: usize = 8 * 1024;

/// Longest path in a message, in characters.
const SHOWN_PATH: usize = 160;

/// Whom a request goes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Host {
    /// A name: lower-case ASCII labels (IDNA where it was not), without a dot at the end.
    Name(String),
    /// An address, however it was spelled.
    Ip(IpAddr),
}

impl Host {
    /// As grants write it: IPv6 without brackets.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Ip(ip) => ip.to_string(),
        }
    }
}

impl fmt::Display for Host {
    /// As URLs write it: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Self::Ip(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

/// Why a text is not the URL of a request.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// Over [`URL_MAX`] bytes.
    #[error("a URL has at most {URL_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// A space, a control character or an invisible one.
    #[error("{0:?} cannot stand in a URL")]
    Character(char),
    /// A backslash: parsers disagree about it.
    #[error("a URL has no backslashes")]
    Backslash,
    /// Not `http` or `https`.
    #[error("a request goes to `https://` or `http://`")]
    Scheme,
    /// `user@` or `user:password@`.
    #[error("a URL with a user name or password in front of the host is refused")]
    UserInfo,
    /// A part after `#`.
    #[error("a request has no fragment: leave out `#` and what follows")]
    Fragment,
    /// The host is neither a name nor an address.
    #[error("the host is neither a name nor an address{0}")]
    Host(&'static str),
    /// The port is none.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `%` that is not followed by two hex digits.
    #[error("`%` in a URL is followed by two hex digits")]
    Percent,
    /// A path that servers read in different ways.
    #[error(
        "the path is refused because servers read it in different ways: it decodes to a backslash, a control character, a `..` or what is no UTF-8"
    )]
    Path,
    /// No URL at all.
    #[error("this is not an absolute URL")]
    Malformed,
}

/// Where a request goes, in canonical form.
///
/// `Display` is for people and logs: it leaves out what a query holds. [`Self::url`] is the whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    scheme: Scheme,
    host: Host,
    port: u16,
    path: String,
    query: Option<String>,
}

impl Target {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// What is wrong with it. Whatever two parsers could read in two ways is an error.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.contains('#') {
            return Err(TargetError::Fragment);
        }
        before_parse(text)?;
        authority_form(text)?;
        Self::from_url(&Url::parse(text).map_err(|e| parse_error(&e))?)
    }

    /// Where a redirect leads: `location` may be relative, its fragment is dropped as it never travels.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn join(&self, location: &str) -> Result<Self, TargetError> {
        let location = location.split('#').next().unwrap_or_default();
        before_parse(location)?;
        let base = Url::parse(&self.url()).map_err(|e| parse_error(&e))?;
        if let Some(rest) = location.strip_prefix("//") {
            authority_form(&format!("{}://{rest}", self.scheme.as_str()))?;
        } else if has_scheme(location) {
            authority_form(location)?;
        }
        Self::from_url(&base.join(location).map_err(|e| parse_error(&e))?)
    }

    fn from_url(url: &Url) -> Result<Self, TargetError> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(TargetError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        let host = match url.host() {
            None => return Err(TargetError::Host("")),
            Some(url::Host::Ipv4(v4)) => Host::Ip(v4.into()),
            Some(url::Host::Ipv6(v6)) => Host::Ip(v6.into()),
            Some(url::Host::Domain(name)) => name_of(name)?,
        };
        let port = url.port().unwrap_or_else(|| scheme.default_port());
        if port == 0 {
            return Err(TargetError::Port);
        }
        let path =
            canonical(&url[Position::BeforePath..Position::AfterPath]).map_err(|f| match f {
                PathFault::Percent => TargetError::Percent,
                PathFault::Ambiguous => TargetError::Path,
            })?;
        let target = Self {
            scheme,
            host,
            port,
            path,
            query: url.query().map(str::to_owned),
        };
        let length = target.url().len();
        if length > URL_MAX {
            return Err(TargetError::TooLong(length));
        }
        Ok(target)
    }

    /// Scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path, begins with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Path and query: what stands in a request line.
    #[must_use]
    pub fn origin_form(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// Host and, where it is not the scheme's own, port: what stands in the `host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// `scheme://host` or `scheme://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }

    /// The whole URL. Its query may hold data that does not belong into a log.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.origin_form())
    }

    /// Whether scheme, host and port are the same.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Whether `origin` (`scheme://host` or `scheme://host:port`, nothing after it) is this target's.
    #[must_use]
    pub fn is_at(&self, origin: &str) -> bool {
        let bare = origin
            .split_once("://")
            .is_some_and(|(_, rest)| !rest.contains(['/', '?']));
        bare && Self::parse(origin).is_ok_and(|o| self.same_origin(&o))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())?;
        if self.path.len() > SHOWN_PATH {
            f.extend_path(&self.path)?;
        } else {
            f.write_str(&self.path)?;
        }
        if self.query.is_some() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

/// A path that is too long for a message, cut.
trait ExtendPath {
    fn extend_path(&mut self, path: &str) -> fmt::Result;
}

impl ExtendPath for fmt::Formatter<'_> {
    fn extend_path(&mut self, path: &str) -> fmt::Result {
        let shown: String = path.chars().take(SHOWN_PATH).collect();
        write!(self, "{shown}…")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

fn parse_error(error: &url::ParseError) -> TargetError {
    use url::ParseError as E;
    match error {
        E::EmptyHost => TargetError::Host(": it is missing"),
        E::IdnaError => TargetError::Host(": it is no valid international name"),
        E::InvalidPort => TargetError::Port,
        E::InvalidIpv4Address => TargetError::Host(": it ends in a number and is no IPv4 address"),
        E::InvalidIpv6Address => TargetError::Host(": it is no IPv6 address"),
        E::InvalidDomainCharacter => {
            TargetError::Host(": it has a character that names do not have")
        }
        _ => TargetError::Malformed,
    }
}

/// What the parser of URLs would repair silently (it drops tabs and line ends, takes `\` for `/`) is refused before.
fn before_parse(text: &str) -> Result<(), TargetError> {
    if text.len() > URL_MAX {
        return Err(TargetError::TooLong(text.len()));
    }
    for c in text.chars() {
        match c {
            '\\' => return Err(TargetError::Backslash),
            c if c.is_whitespace() || c.is_control() || invisible(c) => {
                return Err(TargetError::Character(c));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Characters that show nothing or turn the direction of what is shown: IDNA drops some of them silently.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn has_scheme(text: &str) -> bool {
    text.split(['/', '?'])
        .next()
        .is_some_and(|first| first.contains(':'))
}

/// `scheme://` exactly, then an authority without user, escape or empty port.
fn authority_form(text: &str) -> Result<(), TargetError> {
    let (scheme, rest) = text.split_once(':').ok_or(TargetError::Malformed)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(TargetError::Scheme);
    }
    let rest = rest.strip_prefix("//").ok_or(TargetError::Malformed)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(TargetError::Host(": it is missing"));
    }
    if authority.contains('@') {
        return Err(TargetError::UserInfo);
    }
    if authority.contains('%') {
        return Err(TargetError::Host(": it is percent-encoded"));
    }
    if authority.ends_with(':') {
        return Err(TargetError::Port);
    }
    Ok(())
}

fn name_of(name: &str) -> Result<Host, TargetError> {
    // One dot at the end is the same name; the canonical form is without it.
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > 253 {
        return Err(TargetError::Host(": it is too long"));
    }
    // The parser has turned all that looks like IPv4 into an address; this is only for the dot that was there.
    if let Ok(v4) = name.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(v4.into()));
    }
    for label in name.split('.') {
        let fine = (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if !fine {
            return Err(TargetError::Host(
                ": a name has letters, digits and `-` between dots",
            ));
        }
    }
    Ok(Host::Name(name.to_owned()))
}
