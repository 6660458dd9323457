//! The client's side: the request, and the check of the response.

use super::{field, line, lists};
use crate::ws::Key;
use crate::{BufferTooSmall, Revision};

/// A client's request for a WebSocket of an Engine.IO server (RFC 6455 section 4.1).
///
/// ```
/// use eio_core::Revision;
/// use eio_core::ws::Key;
/// use eio_core::ws::opening::{ClientRequest, RequestError};
///
/// let key = Key::from_random(*b"the sample nonce");
/// let request = ClientRequest {
///     query: "sid=x7", // moves an open session here
///     headers: &[("Authorization", "Bearer t0k3n")],
///     ..ClientRequest::new("example.com:3000", "/engine.io/", Revision::V4)
/// };
/// let mut out = [0; 512];
/// let head = request.write(&key, &mut out)?;
/// assert!(head.starts_with(b"GET /engine.io/?EIO=4&transport=websocket&sid=x7 HTTP/1.1\r\nHost: example.com:3000\r\n"));
///
/// let smuggled = ClientRequest { headers: &[("X", "1\r\nHost: evil")], ..request };
/// assert_eq!(smuggled.write(&key, &mut out), Err(RequestError::Header { index: 0 }));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from a constructor")]
pub struct ClientRequest<'a> {
    /// The `Host` header: the server's name or address, with the port unless it is the scheme's own.
    pub host: &'a str,
    /// The path with its slashes, such as `/engine.io/`.
    pub path: &'a str,
    /// The revision that the client speaks.
    pub revision: Revision,
    /// The rest of the query, after `EIO=4&transport=websocket`: percent-encoded, without a leading `&`, often empty.
    pub query: &'a str,
    /// Further headers, as pairs of name and value. `Sec-WebSocket-Protocol` offers subprotocols: tokens, each of them once.
    ///
    /// `Host`, `Upgrade`, `Connection`, `Sec-WebSocket-Version` and `Sec-WebSocket-Key` are in the request already, and must
    /// not come again. These two rules are not checked.
    pub headers: &'a [(&'a str, &'a str)],
}

impl<'a> ClientRequest<'a> {
    /// Creates a request without further query or headers.
    #[must_use]
    pub const fn new(host: &'a str, path: &'a str, revision: Revision) -> Self {
        Self { host, path, revision, query: "", headers: &[] }
    }

    /// Writes the head of the request and returns it. `key` must be new for every connection.
    ///
    /// # Errors
    /// Returns a [`RequestError`] if a part of the request is invalid, or if `out` is too small. `out` may hold a part of
    /// the request then.
    pub fn write<'o>(&self, key: &Key, out: &'o mut [u8]) -> Result<&'o [u8], RequestError> {
        let mut writer = Writer { out, len: 0, fields: 0, invalid: 0 };
        writer.own(b"GET ");
        writer.field(self.path, Rule { forbidden: *b" ?#", may_be_empty: false });
        writer.own(b"?EIO=");
        writer.own(self.revision.as_str().as_bytes());
        writer.own(b"&transport=websocket");
        if !self.query.is_empty() {
            writer.own(b"&");
        }
        writer.field(self.query, Rule { forbidden: *b" ##", may_be_empty: true });
        writer.own(b" HTTP/1.1\r\nHost: ");
        writer.field(self.host, Rule { forbidden: *b"   ", may_be_empty: false });
        writer.own(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
        writer.own(key.as_bytes());
        for (name, value) in self.headers {
            writer.own(b"\r\n");
            writer.field(name, Rule { forbidden: *b" ::", may_be_empty: false });
            writer.own(b": ");
            writer.field(value, Rule { forbidden: [0; 3], may_be_empty: true });
        }
        writer.own(b"\r\n\r\n");
        let Writer { out, len, invalid, .. } = writer;
        match invalid {
            0 if self.path.as_bytes().first() == Some(&b'/') => {
                out.get(..len).ok_or(RequestError::BufferTooSmall(BufferTooSmall { needed: len }))
            }
            0 | 1 => Err(RequestError::Path),
            2 => Err(RequestError::Query),
            3 => Err(RequestError::Host),
            // The name and the value of the first header are the fields 4 and 5.
            header => Err(RequestError::Header { index: header.saturating_sub(4) / 2 }),
        }
    }
}

/// The reason why a [`ClientRequest`] was not written. It names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// The host is empty, or contains a space or a character that is not visible ASCII.
    #[error("invalid host: expected visible ASCII")]
    Host,
    /// The path does not start with a slash, or contains `?`, `#`, a space or a character that is not visible ASCII.
    #[error("invalid path: expected a slash, then visible ASCII without ? and #")]
    Path,
    /// The query contains `#`, a space or a character that is not visible ASCII.
    #[error("invalid query: expected visible ASCII without #")]
    Query,
    /// A header has no name, or its name or value contains a character that is not allowed there.
    #[error("invalid header at index {index}: expected a name, and a value of visible ASCII and spaces")]
    Header {
        /// The header's index in [`ClientRequest::headers`].
        index: usize,
    },
    /// The request does not fit into the buffer.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

/// Writes as much as fits, and counts all bytes.
struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
    /// The number of fields so far: the path, the query, the host, then the name and the value of each header.
    fields: usize,
    /// The number of the first invalid field. 0 if all are valid.
    invalid: usize,
}

/// What a field must not be.
#[derive(Clone, Copy)]
struct Rule {
    forbidden: [u8; 3],
    may_be_empty: bool,
}

impl Writer<'_> {
    fn own(&mut self, text: &[u8]) {
        let place = self.out.get_mut(self.len..).unwrap_or_default();
        for (place, byte) in place.iter_mut().zip(text) {
            *place = *byte;
        }
        self.len = self.len.saturating_add(text.len());
    }

    /// Writes text from the caller. Accepts visible ASCII and spaces without the forbidden characters, so that a line
    /// break cannot smuggle anything into the request.
    fn field(&mut self, text: &str, rule: Rule) {
        let allowed = |byte: u8| {
            matches!(byte, b' '..=b'~') && rule.forbidden.iter().all(|forbidden| *forbidden != byte)
        };
        self.fields = self.fields.wrapping_add(1);
        let valid = text.bytes().all(allowed) && (rule.may_be_empty || !text.is_empty());
        if !valid && self.invalid == 0 {
            self.invalid = self.fields;
        }
        self.own(text.as_bytes());
    }
}

/// Returns whether the bytes can be the beginning of a response. If they cannot, a client need not wait for the rest.
///
/// ```
/// use eio_core::ws::opening::may_be_response;
///
/// assert!(may_be_response(b"HTTP/1.1 4") && may_be_response(b"HT") && may_be_response(b""));
/// assert!(!may_be_response(b"SSH-2.0"));
/// ```
#[must_use]
pub fn may_be_response(received: &[u8]) -> bool {
    received.iter().zip(HTTP).all(|(received, expected)| received == expected)
}

/// The bytes with which every response begins.
const HTTP: &[u8] = b"HTTP/1.";

/// Checks the head of a response, which ends with an empty line (RFC 6455 section 4.1). Returns the subprotocol that the
/// server chose among `offered`, if it chose one.
///
/// # Errors
/// Returns a [`ResponseError`] that names the rule that the response breaks.
///
/// ```
/// use eio_core::ws::Key;
/// use eio_core::ws::opening::{ResponseError, check_response};
///
/// let key = Key::from_random(*b"the sample nonce");
/// let refused = b"HTTP/1.1 404 Not Found\r\n\r\n";
/// assert_eq!(check_response(refused, &key, &[]), Err(ResponseError::Status { status: 404 }));
///
/// let accepted = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: wamp\r\n\r\n";
/// assert_eq!(check_response(accepted, &key, &["soap", "wamp"]), Ok(Some("wamp")));
/// assert_eq!(check_response(accepted, &key, &[]), Err(ResponseError::Protocol));
/// ```
// One pass over the lines, without a table of them: a general HTTP parser would be a third of a small client.
// Inlined into its caller, the code would be longer: there are too few registers for both.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub fn check_response<'p>(
    head: &[u8],
    key: &Key,
    offered: &[&'p str],
) -> Result<Option<&'p str>, ResponseError> {
    let mut lines = head;
    let status = status(line(&mut lines)).ok_or(ResponseError::NotHttp)?;
    if status != 101 {
        return Err(ResponseError::Status { status });
    }
    // Which of the headers say what they have to, one bit for each of `NAMES`.
    let mut said = 0_u8;
    let (mut answers, mut protocol) = (0_usize, None);
    loop {
        let line = line(&mut lines);
        // A line without CR LF is empty here too. It is not the last one, and no header.
        if line.is_empty() && lines.is_empty() {
            break;
        }
        let (name, value) = field(line).ok_or(ResponseError::NotHttp)?;
        let known = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let Some(known) = known else { continue };
        let says = match known {
            // Exactly this protocol, also where the header comes again.
            0 if value.eq_ignore_ascii_case(b"websocket") => true,
            0 => return Err(ResponseError::Upgrade),
            1 => lists(value, "upgrade"),
            4 => {
                answers = answers.saturating_add(1);
                key.is_accepted_by(value)
            }
            _ if value.is_empty() => false,
            2 => true,
            // A second choice is as wrong as one that was not offered.
            _ => match offered.iter().copied().find(|offered| offered.as_bytes() == value) {
                Some(offered) => protocol.replace(offered).is_some(),
                None => true,
            },
        };
        said |= u8::from(says) << known;
    }
    // The first bit that is not what it has to be.
    let wrong = (said ^ 0b1_0011).trailing_zeros();
    match wrong {
        0 => Err(ResponseError::Upgrade),
        1 => Err(ResponseError::Connection),
        2 => Err(ResponseError::Extension),
        3 => Err(ResponseError::Protocol),
        4 => Err(ResponseError::Accept),
        _ if answers != 1 => Err(ResponseError::Accept),
        _ => Ok(protocol),
    }
}

/// The headers that are checked, in the order in which their errors are reported. The first two and the last have to say
/// what the client expects, and the others nothing that it did not offer.
const NAMES: [&str; 5] =
    ["upgrade", "connection", "sec-websocket-extensions", "sec-websocket-protocol", "sec-websocket-accept"];

/// Parses the status from a line such as `HTTP/1.1 101 Switching Protocols`; the reason phrase may be missing. Any minor
/// version may refuse, but only HTTP/1.1 may switch protocols.
fn status(line: &[u8]) -> Option<u16> {
    let [minor, b' ', rest @ ..] = line.strip_prefix(HTTP)? else { return None };
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    if !matches!(rest.first(), None | Some(b' ')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let status = digits
        .iter()
        .fold(0_u16, |number, digit| number.wrapping_mul(10).wrapping_add(u16::from(digit & 0xf)));
    (*minor == b'1' || status != 101).then_some(status)
}

/// The rule of RFC 6455 section 4.1 that a response breaks. The connection is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResponseError {
    /// The bytes are not the head of an HTTP/1 response.
    #[error("the response is not HTTP/1")]
    NotHttp,
    /// The server refused the request.
    #[error("the server answered with status {status}, expected 101")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The header `Upgrade` does not say `websocket`.
    #[error("the Upgrade header does not say websocket")]
    Upgrade,
    /// The header `Connection` does not say `Upgrade`.
    #[error("the Connection header does not say Upgrade")]
    Connection,
    /// `Sec-WebSocket-Extensions` names an extension, although the client offered none.
    #[error("the Sec-WebSocket-Extensions header names an extension that was not offered")]
    Extension,
    /// `Sec-WebSocket-Protocol` is repeated, or names a subprotocol that the client did not offer.
    #[error("the Sec-WebSocket-Protocol header names a subprotocol that was not offered")]
    Protocol,
    /// `Sec-WebSocket-Accept` is missing, repeated or does not match the request's key. A cache may have answered, or a
    /// server that does not speak WebSocket.
    #[error("the Sec-WebSocket-Accept header does not match the request's key")]
    Accept,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 4] = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: WebSocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ];

    /// Joins the lines to a head and checks it.
    fn check(lines: &[&str]) -> Result<Option<&'static str>, ResponseError> {
        let mut head = [0; 512];
        let bytes = lines.iter().flat_map(|line| line.bytes().chain(*b"\r\n")).chain(*b"\r\n");
        let len = head.iter_mut().zip(bytes).map(|(place, byte)| *place = byte).count();
        check_response(&head[..len], &Key::from_random(*b"the sample nonce"), &["a", "b"])
    }

    #[test]
    fn each_missing_or_wrong_header_has_its_own_error() {
        assert_eq!(check(&GOOD), Ok(None));
        for (line, error) in
            [(1, ResponseError::Upgrade), (2, ResponseError::Connection), (3, ResponseError::Accept)]
        {
            let mut lines = GOOD;
            lines[line] = "X: y";
            assert_eq!(check(&lines), Err(error), "without {}", GOOD[line]);
        }
        for (more, result) in [
            ("Upgrade: h2c", Err(ResponseError::Upgrade)),
            ("Sec-WebSocket-Extensions: x", Err(ResponseError::Extension)),
            ("Sec-WebSocket-Extensions:", Ok(None)),
            ("Sec-WebSocket-Protocol: b", Ok(Some("b"))),
            ("Sec-WebSocket-Protocol: B", Err(ResponseError::Protocol)),
            ("Sec-WebSocket-Protocol: a, b", Err(ResponseError::Protocol)),
            ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b", Err(ResponseError::Protocol)),
            (GOOD[3], Err(ResponseError::Accept)),
            (" folded", Err(ResponseError::NotHttp)),
            ("no colon", Err(ResponseError::NotHttp)),
            ("X: y\nSec-WebSocket-Extensions: x", Err(ResponseError::NotHttp)),
            ("X: y\n", Err(ResponseError::NotHttp)),
        ] {
            let [status, upgrade, connection, accept] = GOOD;
            assert_eq!(check(&[status, upgrade, connection, accept, more]), result, "{more}");
        }
        let [status, _, connection, accept] = GOOD;
        for list in ["Upgrade: h2c, websocket", "Upgrade: websocket, h2c", "Upgrade: websocket/13"] {
            let head = [status, list, connection, accept];
            assert_eq!(check(&head), Err(ResponseError::Upgrade), "{list}");
        }
    }

    #[test]
    fn only_http_1_1_switches_protocols_and_any_1_x_may_refuse() {
        for (line, result) in [
            ("HTTP/1.0 101 x", Err(ResponseError::NotHttp)),
            ("HTTP/1.0 400", Err(ResponseError::Status { status: 400 })),
            ("HTTP/1.1 4000", Err(ResponseError::NotHttp)),
            ("HTTP/1.1 40x", Err(ResponseError::NotHttp)),
            ("HTTP/2 101", Err(ResponseError::NotHttp)),
        ] {
            let [_, upgrade, connection, accept] = GOOD;
            assert_eq!(check(&[line, upgrade, connection, accept]), result, "{line}");
        }
    }

    #[test]
    fn no_field_of_a_request_can_smuggle_another_line() {
        let key = Key::from_random([7; 16]);
        let good = ClientRequest::new("h", "/", Revision::V3);
        let written = |request: ClientRequest<'_>| request.write(&key, &mut [0; 512]).map(<[u8]>::len);
        let len = written(good).expect("512 bytes are enough");
        assert_eq!(
            good.write(&key, &mut [0; 100]),
            Err(RequestError::BufferTooSmall(BufferTooSmall { needed: len }))
        );
        for bad in ["a\r\nb", "a\nb", "a\0", "é", "a\u{7f}"] {
            assert_eq!(written(ClientRequest { host: bad, ..good }), Err(RequestError::Host), "{bad:?}");
            assert_eq!(written(ClientRequest { query: bad, ..good }), Err(RequestError::Query), "{bad:?}");
            for header in [(bad, "v"), ("n", bad)] {
                let request = ClientRequest { headers: &[("n", "v"), header], ..good };
                assert_eq!(written(request), Err(RequestError::Header { index: 1 }), "{bad:?}");
            }
        }
        for path in ["", "x", "/a?b", "/a b", "/a\r\n", "/#"] {
            assert_eq!(written(ClientRequest { path, ..good }), Err(RequestError::Path), "{path:?}");
        }
        assert_eq!(written(ClientRequest { query: "a#b", ..good }), Err(RequestError::Query));
        assert_eq!(written(ClientRequest { host: "", ..good }), Err(RequestError::Host));
        assert_eq!(
            written(ClientRequest { headers: &[("", "v")], ..good }),
            Err(RequestError::Header { index: 0 })
        );
    }
}
