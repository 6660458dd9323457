//! The URL of a server, without an allocator. Constant evaluation can run all of it, so a URL that is known when the
//! firmware is built is checked then and costs no flash.

use core::fmt;

use super::Endpoint;

/// The parameters of a query that the protocol itself sets.
const RESERVED: [&str; 6] = ["EIO", "transport", "sid", "t", "j", "b64"];

/// The reason why a text is not the URL of a server, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("invalid URL at byte {at}: {kind}")]
#[non_exhaustive]
pub struct UrlError {
    /// What is wrong.
    pub kind: UrlErrorKind,
    /// Where it is: an index into the bytes of the URL.
    pub at: usize,
}

impl UrlError {
    /// Returns what is wrong, without the position. A constant can panic with it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// What is wrong in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UrlErrorKind {
    /// The URL does not begin with `http://`, `https://`, `ws://` or `wss://`.
    Scheme,
    /// There is a user name before the host. Send it in a header: [`BasicAuth`](crate::BasicAuth).
    User,
    /// The host is empty, is an address without its brackets, or contains a character that is not allowed in a host. Write
    /// international names in their ASCII form (`xn--..`).
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The path or the query contains a space or a character that is not visible ASCII: encode it with a percent sign.
    Character,
    /// The query contains a parameter that the protocol itself sets: `EIO`, `transport`, `sid`, `t`, `j` or `b64`.
    ReservedParameter,
}

impl UrlErrorKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "expected a URL that begins with http://, https://, ws:// or wss://",
            Self::User => "a user name and a password are sent in a header, by BasicAuth",
            Self::Host => "expected a host: a name, an IPv4 address, or an IPv6 address in brackets",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::Character => "expected visible ASCII: encode other characters with a percent sign",
            Self::ReservedParameter => "the protocol itself sets EIO, transport, sid, t, j and b64",
        }
    }
}

impl fmt::Display for UrlErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses a URL; `usual_path` is the path of a URL without one.
pub(super) const fn parse<'a>(url: &'a str, usual_path: &'static str) -> Result<Endpoint<'a>, UrlError> {
    let Some((secure, authority_at)) = scheme(url) else { return fail(UrlErrorKind::Scheme, 0) };
    let (_, rest) = cut(url, authority_at);
    // A fragment is for the reader of a page, and never sent.
    let (rest, _) = cut(rest, find(rest, b"#"));
    let (authority, rest) = cut(rest, find(rest, b"/?"));
    let (path, query) = cut(rest, find(rest, b"?"));
    let path_at = authority_at.saturating_add(authority.len());
    let query_at = path_at.saturating_add(path.len()).saturating_add(1);

    if let Some(at) = find_last(authority, b'@') {
        return fail(UrlErrorKind::User, authority_at.saturating_add(at));
    }
    if let Err(error) = check_host(authority, authority_at) {
        return Err(error);
    }
    if let Some(at) = first_hidden(rest) {
        return fail(UrlErrorKind::Character, path_at.saturating_add(at));
    }
    let (_, query) = cut(query, 1);
    if let Some(at) = reserved_parameter(query) {
        return fail(UrlErrorKind::ReservedParameter, query_at.saturating_add(at));
    }
    let path = if path.len() > 1 { path } else { usual_path };
    Ok(Endpoint { secure, host: authority, path, query, headers: &[] })
}

/// Splits what follows the scheme of a host into the host, as certificates and name servers know it, and the port.
/// The port is `None` if there is none, and 0 if it is not a number from 1 to 65535.
pub(super) const fn name_and_port(host: &str) -> (&str, Option<u16>) {
    let (name, rest) = match find_last(host, b']') {
        Some(end) => (cut(cut(host, end).0, 1).1, cut(host, end.saturating_add(1)).1),
        None => cut(host, find(host, b":")),
    };
    match rest.as_bytes() {
        [] => (name, None),
        [b':', first, ..] if first.is_ascii_digit() => match u16::from_str_radix(cut(rest, 1).1, 10) {
            Ok(port) => (name, Some(port)),
            Err(_) => (name, Some(0)),
        },
        _ => (name, Some(0)),
    }
}

const fn fail<T: Copy>(kind: UrlErrorKind, at: usize) -> Result<T, UrlError> {
    Err(UrlError { kind, at })
}

/// Returns whether the scheme asks for TLS, and where it ends.
const fn scheme(url: &str) -> Option<(bool, usize)> {
    let end = find(url, b":");
    let (scheme, rest) = cut(url, end);
    if !matches!(rest.as_bytes(), [b':', b'/', b'/', ..]) {
        return None;
    }
    let secure = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss");
    let plain = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws");
    if secure || plain { Some((secure, end.saturating_add(3))) } else { None }
}

/// Checks the host, and the port if there is one. `host_at` is where they begin in the URL.
const fn check_host(host: &str, host_at: usize) -> Result<(), UrlError> {
    let is_ipv6 = matches!(host.as_bytes(), [b'[', ..]);
    let (name, port) = name_and_port(host);
    if name.is_empty() || is_ipv6 != find_last(host, b']').is_some() {
        return fail(UrlErrorKind::Host, host_at);
    }
    let name_at = if is_ipv6 { host_at.saturating_add(1) } else { host_at };
    let (mut bytes, mut at) = (name.as_bytes(), name_at);
    while let [byte, rest @ ..] = bytes {
        let allowed = if is_ipv6 {
            matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.')
        } else {
            matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_')
        };
        if !allowed {
            return fail(UrlErrorKind::Host, at);
        }
        (bytes, at) = (rest, at.saturating_add(1));
    }
    match port {
        Some(0) => {
            let brackets = if is_ipv6 { 2 } else { 0 };
            fail(
                UrlErrorKind::Port,
                host_at.saturating_add(name.len()).saturating_add(brackets).saturating_add(1),
            )
        }
        _ => Ok(()),
    }
}

/// Returns where the first byte is that is not visible ASCII.
const fn first_hidden(text: &str) -> Option<usize> {
    let (mut bytes, mut at) = (text.as_bytes(), 0_usize);
    while let [byte, rest @ ..] = bytes {
        if !byte.is_ascii_graphic() {
            return Some(at);
        }
        (bytes, at) = (rest, at.saturating_add(1));
    }
    None
}

/// Returns where a parameter begins that the protocol itself sets.
const fn reserved_parameter(query: &str) -> Option<usize> {
    let (mut rest, mut at) = (query, 0_usize);
    while !rest.is_empty() {
        let (parameter, after) = cut(rest, find(rest, b"&"));
        let (name, _) = cut(parameter, find(parameter, b"="));
        let mut reserved = RESERVED.as_slice();
        while let [first, others @ ..] = reserved {
            if equal(name, first) {
                return Some(at);
            }
            reserved = others;
        }
        at = at.saturating_add(parameter.len()).saturating_add(1);
        rest = cut(after, 1).1;
    }
    None
}

/// Returns whether a name that may be percent-encoded is this word.
const fn equal(name: &str, word: &str) -> bool {
    let (mut name, mut word) = (name.as_bytes(), word.as_bytes());
    loop {
        let byte;
        (byte, name) = match name {
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (digit(*high) << 4 | digit(*low), rest)
            }
            [byte, rest @ ..] => (*byte, rest),
            [] => return word.is_empty(),
        };
        match word {
            [expected, rest @ ..] if *expected == byte => word = rest,
            _ => return false,
        }
    }
}

/// Returns the value of a hexadecimal digit.
const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte.wrapping_sub(b'0'),
        _ => byte.to_ascii_lowercase().wrapping_sub(b'a').wrapping_add(10),
    }
}

/// Returns where the first of these bytes is, or the text's length.
const fn find(text: &str, wanted: &[u8]) -> usize {
    let (mut bytes, mut at) = (text.as_bytes(), 0_usize);
    while let [byte, rest @ ..] = bytes {
        let mut wanted = wanted;
        while let [first, others @ ..] = wanted {
            if *first == *byte {
                return at;
            }
            wanted = others;
        }
        (bytes, at) = (rest, at.saturating_add(1));
    }
    at
}

/// Returns where this byte is for the last time.
const fn find_last(text: &str, wanted: u8) -> Option<usize> {
    let mut bytes = text.as_bytes();
    while let [rest @ .., byte] = bytes {
        if *byte == wanted {
            return Some(rest.len());
        }
        bytes = rest;
    }
    None
}

/// Cuts a text in two. If there is nothing at this index, the second part is empty.
const fn cut(text: &str, at: usize) -> (&str, &str) {
    match text.split_at_checked(at) {
        Some(parts) => parts,
        None => (text, ""),
    }
}
