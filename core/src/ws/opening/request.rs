//! The head of a request that a server received.

use super::{field, lists};
use crate::text::split_once;

/// The head of an HTTP/1.1 request: its line and its headers, which borrow the received bytes.
///
/// Every line is checked once, in [`parse`](Self::parse). Each lookup then passes over the lines again, which takes time
/// linear in the length of the head.
///
/// ```
/// use eio_core::ws::opening::RequestHead;
///
/// let head = RequestHead::parse(
///     b"GET /engine.io/?EIO=4&transport=polling&sid=x7 HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n",
/// )?;
/// assert_eq!((head.method(), head.path()), ("GET", "/engine.io/"));
/// assert_eq!((head.query_value("sid"), head.query_value("j")), (Some("x7"), None));
/// assert_eq!(head.only("host"), Some(&b"a"[..]));
/// assert_eq!(head.only("cookie"), None); // not once
/// assert_eq!(head.all("cookie").count(), 2);
/// # Ok::<(), eio_core::ws::opening::HeadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'h> {
    method: &'h str,
    path: &'h str,
    query: &'h str,
    /// HTTP/1.1, and not 1.0.
    is_1_1: bool,
    /// The lines behind the request line.
    fields: &'h [u8],
}

impl<'h> RequestHead<'h> {
    /// Reads a head, which ends with an empty line: see [`HeadEnd`](super::HeadEnd).
    ///
    /// # Errors
    /// Returns a [`HeadError`] if a line is not valid.
    pub fn parse(head: &'h [u8]) -> Result<Self, HeadError> {
        // Without the line that ends it. Every line still has its own end.
        let lines =
            head.strip_suffix(b"\r\n").filter(|lines| lines.ends_with(b"\r\n")).ok_or(HeadError::End)?;
        let len = lines.iter().position(|&byte| byte == b'\n').unwrap_or_default();
        let (line, fields) = lines.split_at_checked(len.saturating_add(1)).unwrap_or_default();
        let (method, target, version) = request_line(line).ok_or(HeadError::RequestLine)?;
        let is_1_1 = match version {
            "HTTP/1.1" => true,
            "HTTP/1.0" => false,
            _ => return Err(HeadError::Version),
        };
        if !fields.split_inclusive(|&byte| byte == b'\n').all(is_field_line) {
            return Err(HeadError::Field);
        }
        let (path, query) = split_once(target, b'?');
        Ok(Self { method, path, query: query.unwrap_or_default(), is_1_1, fields })
    }

    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> &'h str {
        self.method
    }

    /// Returns the path, as it was sent.
    #[must_use]
    pub const fn path(&self) -> &'h str {
        self.path
    }

    /// Returns whether the request is of HTTP/1.1, and not 1.0.
    #[must_use]
    pub const fn is_http_1_1(&self) -> bool {
        self.is_1_1
    }

    /// Returns the first value of this name in the query, as it was sent: what is percent-encoded stays so. Clients encode
    /// none of Engine.IO's own values, as [`Sid::new`](crate::handshake::Sid::new) accepts no identifier that they would.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<&'h str> {
        self.query_values(name).next()
    }

    /// Returns the values of this name in the query.
    pub(crate) fn query_values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'h str> + use<'h, 'n> {
        let mut rest = Some(self.query);
        core::iter::from_fn(move || {
            while let Some(pairs) = rest {
                let (pair, next) = split_once(pairs, b'&');
                let (key, value) = split_once(pair, b'=');
                rest = next;
                if key == name {
                    return Some(value.unwrap_or_default());
                }
            }
            None
        })
    }

    /// Returns the values of all headers with this name, ignoring case, without the white space around them.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        self.fields
            .split(|&byte| byte == b'\n')
            .filter_map(field)
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Returns the value of a header that came exactly once.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&'h [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Returns whether the comma-separated lists in all headers with this name contain `item`, ignoring case.
    #[must_use]
    pub fn lists(&self, name: &str, item: &str) -> bool {
        self.all(name).any(|value| lists(value, item))
    }

    /// Returns whether the request asks to switch to the WebSocket protocol, by the headers `Upgrade` and `Connection`.
    /// [`Opening::check`](super::Opening::check) then checks the rest.
    ///
    /// ```
    /// use eio_core::ws::opening::RequestHead;
    ///
    /// let head = RequestHead::parse(b"GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n")?;
    /// assert!(head.asks_for_websocket());
    /// let head = RequestHead::parse(b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")?;
    /// assert!(!head.asks_for_websocket());
    /// # Ok::<(), eio_core::ws::opening::HeadError>(())
    /// ```
    #[must_use]
    pub fn asks_for_websocket(&self) -> bool {
        self.lists("upgrade", "websocket") && self.lists("connection", "upgrade")
    }

    /// Returns whether a body follows the head, or could by the reading of another server (RFC 9112 section 6).
    pub(crate) fn announces_body(&self) -> bool {
        self.all("transfer-encoding").next().is_some()
            || self.all("content-length").any(|length| length != b"0")
    }
}

/// Splits a request line. It ends in CR LF.
fn request_line(line: &[u8]) -> Option<(&str, &str, &str)> {
    let line = core::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let (method, rest) = split_once(line, b' ');
    let (target, version) = split_once(rest?, b' ');
    let valid =
        !method.is_empty() && target.starts_with('/') && line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    valid.then_some((method, target, version?))
}

/// Returns whether a line is a header (RFC 9110 section 5.5). It ends in CR LF, and has no other control character than
/// tabs.
fn is_field_line(line: &[u8]) -> bool {
    let may_come = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
    line.strip_suffix(b"\r\n").is_some_and(|line| field(line).is_some() && line.iter().all(may_come))
}

/// The reason why bytes are not the head of an HTTP/1 request. Answer with status 400 and close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HeadError {
    /// The head does not end with an empty line.
    #[error("the head does not end with an empty line")]
    End,
    /// The first line is not a method, a path and a version, with one space between them.
    #[error("invalid request line: expected a method, a path and a version")]
    RequestLine,
    /// The version is not HTTP/1.1 or HTTP/1.0.
    #[error("unsupported version: expected HTTP/1.1 or HTTP/1.0")]
    Version,
    /// A header has no name or no colon, is folded, or contains a control character that no header may contain.
    #[error("invalid header: expected a name, a colon and a value")]
    Field,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_line_by_line_and_refused_for_one_bad_line() {
        let error = |head: &[u8]| RequestHead::parse(head).err();
        assert_eq!(error(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(error(b"GET / HTTP/1.0\r\nA:b\r\n\r\n"), None);
        assert_eq!(error(b"GET / HTTP/1.0\r\nA:\tb\tc \xff\r\n\r\n"), None);
        for (head, expected) in [
            (&b""[..], HeadError::End),
            (b"GET / HTTP/1.1\r\n", HeadError::End),
            (b"GET  / HTTP/1.1\r\n\r\n", HeadError::RequestLine),
            (b"GET http://a/ HTTP/1.1\r\n\r\n", HeadError::RequestLine),
            (b"GET /\r\n\r\n", HeadError::RequestLine),
            (b" / HTTP/1.1\r\n\r\n", HeadError::RequestLine),
            (b"GET /\xff HTTP/1.1\r\n\r\n", HeadError::RequestLine),
            (b"GET / HTTP/2.0\r\n\r\n", HeadError::Version),
            (b"GET / HTTP/1.1 \r\n\r\n", HeadError::Version),
            (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\nA: b\rc: d\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\nA: b\x0c\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\n: b\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", HeadError::Field),
            (b"GET / HTTP/1.1\nA: b\r\n\r\n", HeadError::RequestLine),
            (b"GET / HTTP/1.1\r\nA: b\r\n\r\nB: c\r\n\r\n", HeadError::Field),
        ] {
            assert_eq!(error(head), Some(expected), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn a_header_is_found_whatever_its_case_and_only_by_its_whole_name() {
        let head =
            RequestHead::parse(b"GET /?a=1&b&a=2&=3 HTTP/1.1\r\nHost: x \r\nX-Host: y\r\n\r\n").unwrap();
        assert_eq!(head.only("HOST"), Some(&b"x"[..]));
        assert_eq!(head.only("ost"), None);
        assert_eq!(head.query_value("a"), Some("1"));
        assert_eq!(head.query_value("b"), Some(""));
        assert_eq!(head.query_value(""), Some("3"));
        assert_eq!(head.query_value("c"), None);
    }
}
