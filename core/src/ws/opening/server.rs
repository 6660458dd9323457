//! The server's side: the check of a request, and the answers.

use super::RequestHead;
use crate::BufferTooSmall;
use crate::text::{self, Decimal};
use crate::ws::Key;

/// A request that may be answered with a WebSocket: every rule of RFC 6455 section 4.2.1 was checked.
///
/// ```
/// use eio_core::ws::opening::{Opening, OpeningRefusal, RequestHead};
///
/// let head = RequestHead::parse(
///     b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
///       Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///       Sec-WebSocket-Protocol: soap, wamp\r\n\r\n",
/// )?;
/// let opening = Opening::check(&head)?;
/// assert!(opening.protocols().eq(["soap", "wamp"]));
/// let mut out = [0; 256];
/// let response = opening.accept(Some("wamp"), &[("X-Server", "7")], &mut out)?;
/// assert_eq!(
///     response,
///     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: wamp\r\nX-Server: 7\r\n\r\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Opening<'h> {
    key: Key,
    head: RequestHead<'h>,
}

impl<'h> Opening<'h> {
    /// Checks that a request asks for a WebSocket, and for one that this crate speaks.
    ///
    /// # Errors
    /// Returns an [`OpeningRefusal`] that names the first rule that the request breaks.
    pub fn check(head: &RequestHead<'h>) -> Result<Self, OpeningRefusal> {
        if head.method() != "GET" {
            return Err(OpeningRefusal::Method);
        }
        if !head.is_http_1_1() {
            return Err(OpeningRefusal::Version);
        }
        if head.only("host").is_none() {
            return Err(OpeningRefusal::Host);
        }
        if !head.lists("upgrade", "websocket") {
            return Err(OpeningRefusal::Upgrade);
        }
        if !head.lists("connection", "upgrade") {
            return Err(OpeningRefusal::Connection);
        }
        // The bytes of a body would be taken for frames.
        if head.announces_body() {
            return Err(OpeningRefusal::Body);
        }
        let key = head.only("sec-websocket-key").and_then(|key| Key::parse(key).ok());
        let key = key.ok_or(OpeningRefusal::Key)?;
        if head.only("sec-websocket-version") != Some(b"13") {
            return Err(OpeningRefusal::WebSocketVersion);
        }
        if !head.all("sec-websocket-protocol").flat_map(items).all(|item| token(item).is_some()) {
            return Err(OpeningRefusal::Protocol);
        }
        Ok(Self { key, head: *head })
    }

    /// Returns the subprotocols that the client offers, its favourite first. A client should not offer one twice, which
    /// is not checked.
    pub fn protocols(&self) -> impl Iterator<Item = &'h str> + use<'h> {
        self.head.all("sec-websocket-protocol").flat_map(items).filter_map(token)
    }

    /// Writes the head of the response that switches protocols, and returns it. Frames follow it. Extensions are not
    /// answered, which declines them.
    ///
    /// `protocol` is one of the offered subprotocols. `headers` are written as they are: the caller makes sure that they
    /// are valid.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is too small. Nothing was written then.
    pub fn accept<'o>(
        &self,
        protocol: Option<&str>,
        headers: &[(&str, &str)],
        out: &'o mut [u8],
    ) -> Result<&'o [u8], BufferTooSmall> {
        let accept = self.key.accept();
        // Base64 is ASCII.
        let accept = core::str::from_utf8(&accept).unwrap_or_default();
        let head = text::write(out, &|put| {
            put("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
            put_field(put, "Sec-WebSocket-Accept", accept);
            if let Some(protocol) = protocol {
                put_field(put, "Sec-WebSocket-Protocol", protocol);
            }
            for (name, value) in headers {
                put_field(put, name, value);
            }
            put("\r\n");
        });
        head.map(str::as_bytes)
    }
}

fn put_field(put: &mut dyn FnMut(&str), name: &str, value: &str) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
}

/// Returns the items of a comma-separated list.
fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Returns the text of a token (RFC 9110 section 5.6.2).
fn token(item: &[u8]) -> Option<&str> {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if item.is_empty() || !item.iter().all(is_tchar) {
        return None;
    }
    core::str::from_utf8(item).ok()
}

/// The rule of RFC 6455 section 4.2.1 that a request breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("the request was refused: {}", self.message())]
#[non_exhaustive]
pub enum OpeningRefusal {
    /// The method is not GET.
    Method,
    /// The request is not of HTTP/1.1.
    Version,
    /// The header `Host` is missing or repeated.
    Host,
    /// The header `Upgrade` does not say `websocket`.
    Upgrade,
    /// The header `Connection` does not say `Upgrade`.
    Connection,
    /// The request has a body.
    Body,
    /// The header `Sec-WebSocket-Key` is missing, repeated or not 16 bytes in base64.
    Key,
    /// The header `Sec-WebSocket-Version` is not 13. The answer names the version that is spoken here.
    WebSocketVersion,
    /// The header `Sec-WebSocket-Protocol` is not a list of tokens.
    Protocol,
}

impl OpeningRefusal {
    /// Returns the status code of the answer: 426 for another version of the WebSocket protocol (RFC 6455 section 4.4),
    /// and 400 otherwise.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::WebSocketVersion => 426,
            _ => 400,
        }
    }

    /// Returns the text that the client reads.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Method => "Bad handshake method",
            Self::Version => "Unsupported HTTP version, expected 1.1",
            Self::Host => "Missing or repeated Host header",
            Self::Upgrade => "Upgrade header does not say websocket",
            Self::Connection => "Connection header does not say Upgrade",
            Self::Body => "Unexpected body",
            Self::Key => "Missing, repeated or invalid Sec-WebSocket-Key header",
            Self::WebSocketVersion => "Unsupported Sec-WebSocket-Version, expected 13",
            Self::Protocol => "Invalid Sec-WebSocket-Protocol header",
        }
    }

    /// Writes the answer, which ends the connection, and returns it.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is too small. 256 bytes are always enough.
    ///
    /// ```
    /// use eio_core::ws::opening::OpeningRefusal;
    ///
    /// let mut out = [0; 256];
    /// let answer = OpeningRefusal::WebSocketVersion.write(&mut out)?;
    /// assert!(answer.starts_with(
    ///     b"HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    /// ));
    /// assert!(answer.ends_with(b"\r\n\r\nUnsupported Sec-WebSocket-Version, expected 13"));
    /// # Ok::<(), eio_core::BufferTooSmall>(())
    /// ```
    pub fn write(self, out: &mut [u8]) -> Result<&[u8], BufferTooSmall> {
        let headers: &[_] = match self {
            // RFC 9110 section 15.5.22 asks for `Upgrade` in an answer with 426.
            Self::WebSocketVersion => &[
                ("Connection", "close, Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Content-Type", "text/html"),
            ],
            _ => &[("Connection", "close"), ("Content-Type", "text/html")],
        };
        write_response(self.status(), headers, self.message(), out)
    }
}

/// Writes an HTTP/1.1 response with a body of text and its `Content-Length`, and returns it. `headers` are written as
/// they are: the caller makes sure that they are valid.
///
/// # Errors
/// Returns [`BufferTooSmall`] if `out` is too small. Nothing was written then.
///
/// ```
/// use eio_core::polling::Refusal;
/// use eio_core::ws::opening::write_response;
///
/// let mut out = [0; 256];
/// let refusal = Refusal::SessionEnded;
/// let json = [("Content-Type", "application/json")];
/// let answer = write_response(refusal.status(), &json, refusal.body(), &mut out)?;
/// assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"));
/// # Ok::<(), eio_core::BufferTooSmall>(())
/// ```
pub fn write_response<'o>(
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
    out: &'o mut [u8],
) -> Result<&'o [u8], BufferTooSmall> {
    let code = Decimal::new(u64::from(status));
    let length = Decimal::new(body.len() as u64);
    let phrase = match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    };
    let response = text::write(out, &|put| {
        put("HTTP/1.1 ");
        put(code.as_str());
        put(" ");
        put(phrase);
        put("\r\n");
        for (name, value) in headers {
            put_field(put, name, value);
        }
        put_field(put, "Content-Length", length.as_str());
        put("\r\n");
        put(body);
    });
    response.map(str::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 5] = [
        "Host: a",
        "Upgrade: WebSocket",
        "Connection: keep-alive, upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ];

    /// Checks a request with these lines.
    fn refusal(line: &str, fields: &[&str]) -> Option<OpeningRefusal> {
        let mut head = [0; 512];
        let lines = core::iter::once(line).chain(fields.iter().copied());
        let bytes = lines.flat_map(|line| line.bytes().chain(*b"\r\n")).chain(*b"\r\n");
        let len = head.iter_mut().zip(bytes).map(|(place, byte)| *place = byte).count();
        let head = RequestHead::parse(&head[..len]).expect("a head");
        Opening::check(&head).err()
    }

    #[test]
    fn each_missing_repeated_or_wrong_header_is_refused_by_its_name() {
        const GET: &str = "GET / HTTP/1.1";
        assert_eq!(refusal(GET, &FIELDS), None);
        assert_eq!(refusal("POST / HTTP/1.1", &FIELDS), Some(OpeningRefusal::Method));
        assert_eq!(refusal("GET / HTTP/1.0", &FIELDS), Some(OpeningRefusal::Version));
        let expected = [
            OpeningRefusal::Host,
            OpeningRefusal::Upgrade,
            OpeningRefusal::Connection,
            OpeningRefusal::Key,
            OpeningRefusal::WebSocketVersion,
        ];
        for (at, expected) in expected.into_iter().enumerate() {
            let mut fields = FIELDS;
            fields[at] = "X: y";
            assert_eq!(refusal(GET, &fields), Some(expected), "without {}", FIELDS[at]);
        }
        for (more, expected) in [
            (FIELDS[0], Some(OpeningRefusal::Host)),
            (FIELDS[3], Some(OpeningRefusal::Key)),
            (FIELDS[4], Some(OpeningRefusal::WebSocketVersion)),
            ("Content-Length: 1", Some(OpeningRefusal::Body)),
            ("Content-Length: 0", None),
            ("Transfer-Encoding: chunked", Some(OpeningRefusal::Body)),
            ("Sec-WebSocket-Protocol: a, b", None),
            ("Sec-WebSocket-Protocol: a,,b", Some(OpeningRefusal::Protocol)),
            ("Sec-WebSocket-Protocol: a b", Some(OpeningRefusal::Protocol)),
            ("Sec-WebSocket-Protocol:", Some(OpeningRefusal::Protocol)),
        ] {
            let [host, upgrade, connection, key, version] = FIELDS;
            assert_eq!(refusal(GET, &[host, upgrade, connection, key, version, more]), expected, "{more}");
        }
    }

    #[test]
    fn an_answer_begins_with_the_phrase_of_its_status() {
        for (status, line) in [
            (200, "HTTP/1.1 200 OK\r\n"),
            (400, "HTTP/1.1 400 Bad Request\r\n"),
            (403, "HTTP/1.1 403 Forbidden\r\n"),
            (404, "HTTP/1.1 404 Not Found\r\n"),
            (405, "HTTP/1.1 405 Method Not Allowed\r\n"),
            (408, "HTTP/1.1 408 Request Timeout\r\n"),
            (411, "HTTP/1.1 411 Length Required\r\n"),
            (413, "HTTP/1.1 413 Content Too Large\r\n"),
            (426, "HTTP/1.1 426 Upgrade Required\r\n"),
            (500, "HTTP/1.1 500 Internal Server Error\r\n"),
            (503, "HTTP/1.1 503 Service Unavailable\r\n"),
            (299, "HTTP/1.1 299 \r\n"),
        ] {
            let mut out = [0; 128];
            let answer = write_response(status, &[], "", &mut out).unwrap();
            assert!(answer.starts_with(line.as_bytes()), "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn every_refusal_fits_into_256_bytes() {
        for refusal in [
            OpeningRefusal::Method,
            OpeningRefusal::Version,
            OpeningRefusal::Host,
            OpeningRefusal::Upgrade,
            OpeningRefusal::Connection,
            OpeningRefusal::Body,
            OpeningRefusal::Key,
            OpeningRefusal::WebSocketVersion,
            OpeningRefusal::Protocol,
        ] {
            assert!(refusal.write(&mut [0; 256]).is_ok(), "{refusal}");
        }
    }
}
