//! What an HTTP request asks an Engine.IO server for, and the answer to a request that is refused.
//!
//! [`Request::read`] checks what the request's head alone can tell: the transport, the method, the revision, and the
//! headers of an upgrade. The caller then looks for the session. Whatever is refused becomes a [`Refusal`], also by
//! `?`, and [`Refusal::write`] writes the answer, with the reference server's code and words.
//!
//! | the request | [`Action`] | the answer |
//! |---|---|---|
//! | GET, `transport=polling`, no `sid` | [`Open`](Action::Open) | status 200 with the `open` packet |
//! | an upgrade, `transport=websocket`, no `sid` | [`Open`](Action::Open), with an [`Opening`] | status 101, then the `open` packet in a frame |
//! | GET with a `sid` | [`Poll`](Action::Poll) | when [`poll_answer`](crate::polling::ServerPolling::poll_answer) returns one |
//! | POST with a `sid` | [`Post`](Action::Post) | when [`post_answer`](crate::polling::ServerPolling::post_answer) returns one |
//! | an upgrade with a `sid` | [`Upgrade`](Action::Upgrade) | status 101, then the packets of a [`ServerUpgrade`](crate::upgrade::ServerUpgrade) |
//!
//! ```
//! use eio_core::Revision;
//! use eio_core::request::{Action, Refusal, Request};
//! use eio_core::ws::opening::RequestHead;
//!
//! let head = RequestHead::parse(
//!     b"POST /engine.io/?EIO=4&transport=polling&sid=x7 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n",
//! )?;
//! let request = Request::read(&head, &[Revision::V4])?;
//! assert!(matches!(request.action, Action::Post { sid: "x7", len: 6, .. }));
//!
//! // There is no such session.
//! let mut out = [0; Refusal::MAX_LEN];
//! let answer = Refusal::SessionUnknown.write(head.asks_for_websocket(), &mut out)?;
//! assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n"));
//! assert!(answer.ends_with(br#"{"code":1,"message":"Session ID unknown"}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Source: engine.io 6.6 (`server.ts`, `verify`). It looks for the session before it checks the method; so a request
//! that breaks two rules may get another code from it.

use crate::handshake::Transport;
use crate::payload::v3::Framing;
use crate::polling;
use crate::ws::opening::{HeadError, Opening, OpeningRefusal, RequestHead, write_response};
use crate::{BufferTooSmall, Revision};

/// A request whose head breaks no rule. It borrows the head.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a query has no more that concerns the protocol")]
pub struct Request<'h> {
    /// The revision that the client speaks. A request with a `sid` must name the revision of its session.
    pub revision: Revision,
    /// Whether the client cannot read bytes (`b64` in the query). What the request that opened the session says, holds
    /// for the whole session.
    pub base64_only: bool,
    /// The value of `j` in the query: the answer is to be a script, see [`jsonp`](crate::payload::jsonp).
    pub jsonp: Option<&'h str>,
    /// What the client wants.
    pub action: Action<'h>,
}

/// What a [`Request`] asks for.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these requests")]
pub enum Action<'h> {
    /// To open a session: on WebSocket if there is an [`Opening`], otherwise on polling.
    Open(Option<Opening<'h>>),
    /// To move this session to a WebSocket.
    Upgrade {
        /// The session's identifier, as the client sent it.
        sid: &'h str,
        /// Accepts the WebSocket.
        opening: Opening<'h>,
    },
    /// To get what the server has to send to this session.
    Poll {
        /// The session's identifier, as the client sent it.
        sid: &'h str,
    },
    /// To hand a payload to this session.
    Post {
        /// The session's identifier, as the client sent it.
        sid: &'h str,
        /// The framing of the payload, by its content type.
        framing: Framing,
        /// The length of the body in bytes, as announced, or `usize::MAX` for more. Compare it with the server's limit
        /// before reading.
        len: usize,
    },
}

impl<'h> Request<'h> {
    /// Reads what a request asks for. `revisions` are those that the server speaks. The path is for the caller to
    /// check.
    ///
    /// A `transport`, `EIO` or `sid` that comes twice is invalid. `j` counts as missing then, and `b64` as set. An empty `sid`
    /// counts as missing. All of this is as in the reference.
    ///
    /// A GET with a body is refused. The reference reads the body and ignores it.
    ///
    /// # Errors
    /// Returns the [`Refusal`] that answers the request.
    pub fn read(head: &RequestHead<'h>, revisions: &[Revision]) -> Result<Self, Refusal> {
        let transport = parameter(head, "transport").and_then(|name| name.parse().ok());
        let is_websocket = match transport {
            Some(Transport::Polling) => false,
            Some(Transport::WebSocket) => true,
            _ => return Err(Refusal::TransportUnknown),
        };
        let revision = parameter(head, "EIO").and_then(|name| name.parse().ok());
        let revision = revision.filter(|revision| revisions.contains(revision));
        let fits = is_websocket == head.asks_for_websocket();
        if head.query_values("sid").nth(1).is_some() {
            return Err(Refusal::SessionUnknown);
        }
        let (revision, action) = match parameter(head, "sid").filter(|sid| !sid.is_empty()) {
            None if head.method() != "GET" => return Err(Refusal::BadHandshakeMethod),
            None if !fits => return Err(Refusal::BadRequest),
            None => {
                let revision = revision.ok_or(Refusal::UnsupportedRevision)?;
                let opening = if is_websocket { Some(Opening::check(head)?) } else { None };
                (revision, Action::Open(opening))
            }
            Some(sid) => {
                let revision = revision.filter(|_| fits).ok_or(Refusal::BadRequest)?;
                (revision, Self::of_session(head, sid, is_websocket)?)
            }
        };
        // The bytes of a body that nobody reads would be taken for the next request. `Opening::check` has looked for one.
        if matches!(action, Action::Open(None) | Action::Poll { .. }) && head.announces_body() {
            return Err(Refusal::BadRequest);
        }
        let mut b64 = head.query_values("b64");
        let base64_only = b64.next().is_some_and(|value| !value.is_empty() || b64.next().is_some());
        Ok(Self { revision, base64_only, jsonp: parameter(head, "j"), action })
    }

    fn of_session(head: &RequestHead<'h>, sid: &'h str, is_websocket: bool) -> Result<Action<'h>, Refusal> {
        match head.method() {
            _ if is_websocket => Ok(Action::Upgrade { sid, opening: Opening::check(head)? }),
            "GET" => Ok(Action::Poll { sid }),
            "POST" => {
                let is_chunked = head.all("transfer-encoding").next().is_some();
                let len = head.only("content-length").filter(|_| !is_chunked).and_then(decimal);
                let len = len.ok_or(Refusal::LengthRequired)?;
                let content_type = head.only("content-type").unwrap_or_default();
                Ok(Action::Post { sid, framing: Framing::of_content_type(content_type), len })
            }
            _ => Err(Refusal::MethodUnknown),
        }
    }
}

/// Returns the value of a parameter that comes exactly once: two servers cannot read one request differently.
fn parameter<'h>(head: &RequestHead<'h>, name: &str) -> Option<&'h str> {
    let mut values = head.query_values(name);
    values.next().filter(|_| values.next().is_none())
}

/// Reads a length: decimal digits alone. One that no body can have is only too large for every limit.
fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(core::str::from_utf8(digits).ok()?.parse().unwrap_or(usize::MAX))
}

/// The reason why a server refuses a request, and the answer to it.
///
/// | refusal | status | code | message |
/// |---|---|---|---|
/// | [`TransportUnknown`](Self::TransportUnknown) | 400 | 0 | `Transport unknown` |
/// | [`SessionUnknown`](Self::SessionUnknown) | 400 | 1 | `Session ID unknown` |
/// | [`BadHandshakeMethod`](Self::BadHandshakeMethod) | 400 | 2 | `Bad handshake method` |
/// | [`BadRequest`](Self::BadRequest) | 400 | 3 | `Bad request` |
/// | [`Full`](Self::Full) | 503 | 4 | `Server full` |
/// | [`UnsupportedRevision`](Self::UnsupportedRevision) | 400 | 5 | `Unsupported protocol version` |
/// | [`PathUnknown`](Self::PathUnknown) | 404 | – | – |
/// | [`LengthRequired`](Self::LengthRequired) | 411 | – | – |
/// | [`MethodUnknown`](Self::MethodUnknown) | 500 | – | – |
/// | [`Polling`](Self::Polling), [`Opening`](Self::Opening) | [its own](polling::Refusal::status) | [its own](polling::Refusal::body) | [its own](OpeningRefusal::message) |
///
/// Source: engine.io 6.6, where it refuses the same; RFC 9110 for the statuses 404, 411 and 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// `transport` is missing, or names no transport of this server.
    #[error("transport unknown: expected polling or websocket")]
    TransportUnknown,
    /// No session has this `sid`, or it has ended.
    #[error("session unknown")]
    SessionUnknown,
    /// The method of a request without a `sid` is not GET.
    #[error("bad handshake method: expected GET")]
    BadHandshakeMethod,
    /// The request does not fit its session or its transport, is a GET with a body, or is not HTTP.
    #[error("bad request")]
    BadRequest,
    /// The server has no room for another session.
    #[error("the server is full")]
    Full,
    /// `EIO` is missing, or names no revision of this server.
    #[error("unsupported protocol revision")]
    UnsupportedRevision,
    /// The path is not the server's.
    #[error("path unknown")]
    PathUnknown,
    /// The length of a post's body is missing, repeated or not a number, or the body comes in chunks.
    #[error("the length of the body is not announced")]
    LengthRequired,
    /// The method of a request with a `sid` is neither GET nor POST. The session continues.
    #[error("method unknown: expected GET or POST")]
    MethodUnknown,
    /// Polling refuses the request.
    #[error(transparent)]
    Polling(#[from] polling::Refusal),
    /// The opening handshake of a WebSocket is refused.
    #[error(transparent)]
    Opening(#[from] OpeningRefusal),
}

/// Bytes that are not the head of a request are a bad request.
impl From<HeadError> for Refusal {
    fn from(_: HeadError) -> Self {
        Self::BadRequest
    }
}

/// The JSON with a code and a message, and the message alone.
macro_rules! coded {
    ($code:literal, $message:literal) => {
        (concat!("{\"code\":", $code, ",\"message\":\"", $message, "\"}"), $message)
    };
}

impl Refusal {
    /// A buffer of this length holds every answer that [`write`](Self::write) writes.
    pub const MAX_LEN: usize = 256;

    /// Returns the status code of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TransportUnknown
            | Self::SessionUnknown
            | Self::BadHandshakeMethod
            | Self::BadRequest
            | Self::UnsupportedRevision => 400,
            Self::PathUnknown => 404,
            Self::LengthRequired => 411,
            Self::MethodUnknown => 500,
            Self::Full => 503,
            Self::Polling(refusal) => refusal.status(),
            Self::Opening(refusal) => refusal.status(),
        }
    }

    /// Writes the answer, which ends the connection, and returns it. `is_websocket` says whether the request [asks for
    /// a WebSocket](RequestHead::asks_for_websocket): then the body is the message alone, and otherwise JSON with the
    /// code and the message.
    ///
    /// After a refused post, shut down the writing side, and read for a while what still comes: a connection that is
    /// closed with unread bytes is reset, and the client may lose the answer.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is too small. [`MAX_LEN`](Self::MAX_LEN) bytes are always enough.
    pub fn write(self, is_websocket: bool, out: &mut [u8]) -> Result<&[u8], BufferTooSmall> {
        let (json, message) = match self {
            Self::Opening(refusal) => return refusal.write(out),
            Self::TransportUnknown => coded!(0, "Transport unknown"),
            Self::SessionUnknown => coded!(1, "Session ID unknown"),
            Self::BadHandshakeMethod => coded!(2, "Bad handshake method"),
            Self::BadRequest => coded!(3, "Bad request"),
            Self::Full => coded!(4, "Server full"),
            Self::UnsupportedRevision => coded!(5, "Unsupported protocol version"),
            Self::Polling(refusal) => (refusal.body(), refusal.body()),
            Self::PathUnknown | Self::LengthRequired | Self::MethodUnknown => ("", ""),
        };
        let (content_type, body) =
            if is_websocket { ("text/html", message) } else { ("application/json", json) };
        let headers = [("Connection", "close"), ("Content-Type", content_type)];
        write_response(self.status(), &headers, body, out)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::String;

    use super::*;

    /// Reads a request with this line and these headers.
    fn read(line: &str, headers: &str) -> Result<String, Refusal> {
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let head = RequestHead::parse(head.as_bytes())?;
        let request = Request::read(&head, &[Revision::V4])?;
        assert_eq!(request.revision, Revision::V4);
        let (base64_only, jsonp) = (request.base64_only, request.jsonp);
        Ok(match request.action {
            Action::Open(None) => format!("open {base64_only} {jsonp:?}"),
            Action::Open(Some(_)) => "open on WebSocket".into(),
            Action::Upgrade { sid, .. } => format!("upgrade {sid}"),
            Action::Poll { sid } => format!("poll {sid} {jsonp:?}"),
            Action::Post { sid, framing, len } => format!("post {sid} {framing:?} {len}"),
        })
    }

    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[test]
    fn a_request_says_what_it_asks_for() {
        let asks = |line: &str, headers: &str| read(line, headers).unwrap();
        assert_eq!(asks("GET /?EIO=4&transport=polling", ""), "open false None");
        assert_eq!(asks("GET /?EIO=4&transport=polling&b64=1&j=2", ""), "open true Some(\"2\")");
        assert_eq!(asks("GET /?EIO=4&transport=websocket", UPGRADE), "open on WebSocket");
        assert_eq!(asks("GET /?EIO=4&transport=websocket&sid=x", UPGRADE), "upgrade x");
        assert_eq!(asks("GET /?EIO=4&transport=polling&sid=x", ""), "poll x None");
        let post = "POST /?EIO=4&transport=polling&sid=x";
        assert_eq!(asks(post, "Content-Length: 12\r\n"), "post x Text 12");
        let binary = "Content-Type: application/octet-stream\r\nContent-Length: 0\r\n";
        assert_eq!(asks(post, binary), "post x Binary 0");
        for length in [format!("{}", usize::MAX), format!("{}0", usize::MAX), "9".repeat(40)] {
            let longest = format!("post x Text {}", usize::MAX);
            assert_eq!(asks(post, &format!("Content-Length: {length}\r\n")), longest, "{length}");
        }
        assert_eq!(asks("GET /?EIO=4&transport=polling&sid=", ""), "open false None");
    }

    #[test]
    fn a_parameter_that_comes_twice_is_read_as_in_the_reference() {
        for (query, refusal) in [
            ("EIO=4&transport=polling&sid=x&sid=y", Refusal::SessionUnknown),
            ("EIO=4&transport=polling&sid=&sid=y", Refusal::SessionUnknown),
            ("EIO=4&EIO=3&transport=polling", Refusal::UnsupportedRevision),
            ("EIO=4&EIO=4&transport=polling&sid=x", Refusal::BadRequest),
            ("transport=polling&EIO=4&transport=websocket", Refusal::TransportUnknown),
        ] {
            assert_eq!(read(&format!("GET /?{query}"), ""), Err(refusal), "{query}");
        }
        // Node reads an array, which is not a text, and is true whatever it holds.
        for (query, open) in [
            ("j=1&j=1", "open false None"),
            ("b64=&b64=1", "open true None"),
            ("b64=1&b64=", "open true None"),
            ("b64=&b64=", "open true None"),
            ("b64=", "open false None"),
        ] {
            let line = format!("GET /?EIO=4&transport=polling&{query}");
            assert_eq!(read(&line, "").as_deref(), Ok(open), "{query}");
        }
    }

    #[test]
    fn each_refusal_has_the_code_of_the_reference() {
        for (line, headers, refusal) in [
            ("GET /", "", Refusal::TransportUnknown),
            ("GET /?transport=carrier", "", Refusal::TransportUnknown),
            ("GET /?EIO=4&transport=webtransport", "", Refusal::TransportUnknown),
            ("POST /?EIO=4&transport=polling", "", Refusal::BadHandshakeMethod),
            ("GET /?EIO=4&transport=websocket", "", Refusal::BadRequest),
            ("GET /?EIO=4&transport=polling", UPGRADE, Refusal::BadRequest),
            ("GET /?transport=polling", "", Refusal::UnsupportedRevision),
            ("GET /?EIO=3&transport=polling", "", Refusal::UnsupportedRevision),
            ("GET /?EIO=3&transport=websocket", UPGRADE, Refusal::UnsupportedRevision),
            ("GET /?EIO=3&transport=polling&sid=x", "", Refusal::BadRequest),
            ("GET /?EIO=4&transport=websocket&sid=x", "", Refusal::BadRequest),
            ("PUT /?EIO=4&transport=polling&sid=x", "", Refusal::MethodUnknown),
            ("POST /?EIO=4&transport=polling&sid=x", "", Refusal::LengthRequired),
            ("POST /?EIO=4&transport=polling&sid=x", "Content-Length:\r\n", Refusal::LengthRequired),
            ("POST /?EIO=4&transport=polling&sid=x", "Content-Length: +1\r\n", Refusal::LengthRequired),
            ("POST /?EIO=4&transport=polling&sid=x", "Content-Length: 1, 1\r\n", Refusal::LengthRequired),
            (
                "POST /?EIO=4&transport=polling&sid=x",
                "Content-Length: 1\r\nContent-Length: 1\r\n",
                Refusal::LengthRequired,
            ),
            (
                "POST /?EIO=4&transport=polling&sid=x",
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                Refusal::LengthRequired,
            ),
        ] {
            assert_eq!(read(line, headers), Err(refusal), "{line} {headers}");
        }
        let key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        for line in ["GET /?EIO=4&transport=websocket", "GET /?EIO=4&transport=websocket&sid=x"] {
            assert_eq!(read(line, key), Err(Refusal::Opening(OpeningRefusal::Key)));
        }
        assert_eq!(read("GET", ""), Err(Refusal::BadRequest));
    }

    /// Behind a proxy that uses a connection for many clients, one client's body would be another one's request.
    #[test]
    fn a_get_with_a_body_is_refused_so_the_body_is_not_taken_for_the_next_request() {
        for line in ["GET /?EIO=4&transport=polling", "GET /?EIO=4&transport=polling&sid=x"] {
            for headers in ["", "Content-Length: 0\r\n", "Content-Length: 0\r\nContent-Length: 0\r\n"] {
                assert!(read(line, headers).is_ok(), "{line} {headers}");
            }
            for headers in [
                "Content-Length: 5\r\n",
                "content-length:5\r\n",
                "Content-Length: +5\r\n",
                "Content-Length: 5, 5\r\n",
                "Content-Length: 00\r\n",
                "Content-Length:\r\n",
                "Content-Length: 0\r\nContent-Length: 5\r\n",
                "Content-Length: 5\r\nContent-Length: 0\r\n",
                "Transfer-Encoding: chunked\r\n",
                "Transfer-Encoding: identity\r\n",
                "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
                // Lines that two servers could read differently.
                "Content-Length : 5\r\n",
                "X: y\r\n Content-Length: 5\r\n",
                "X: y\nContent-Length: 5\r\n",
                "X: y\rContent-Length: 5\r\n",
                "Content-Length: 0\x0c\r\n",
                "Content-Length: 0\x0b\r\n",
            ] {
                assert_eq!(read(line, headers), Err(Refusal::BadRequest), "{line} {headers:?}");
            }
        }
    }

    #[test]
    fn an_answer_is_json_and_to_a_websocket_request_text() {
        let mut out = [0; Refusal::MAX_LEN];
        for (code, refusal) in [
            Refusal::TransportUnknown,
            Refusal::SessionUnknown,
            Refusal::BadHandshakeMethod,
            Refusal::BadRequest,
            Refusal::Full,
            Refusal::UnsupportedRevision,
        ]
        .into_iter()
        .enumerate()
        {
            let json = String::from_utf8(refusal.write(false, &mut out).unwrap().to_vec()).unwrap();
            let (_, message) = json.split_once(&format!("{{\"code\":{code},\"message\":\"")).expect(&json);
            let text = String::from_utf8(refusal.write(true, &mut out).unwrap().to_vec()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {} ", refusal.status())), "{text}");
            assert!(text.ends_with(&format!("\r\n\r\n{}", message.trim_end_matches("\"}"))), "{text}");
        }
        for (refusal, status) in [
            (Refusal::PathUnknown, "404 Not Found"),
            (Refusal::LengthRequired, "411 Length Required"),
            (Refusal::MethodUnknown, "500 Internal Server Error"),
            (polling::Refusal::PayloadTooLarge.into(), "413 Content Too Large"),
            (OpeningRefusal::WebSocketVersion.into(), "426 Upgrade Required"),
        ] {
            let answer = refusal.write(false, &mut out).unwrap();
            assert!(answer.starts_with(format!("HTTP/1.1 {status}\r\n").as_bytes()), "{refusal:?}");
        }
    }
}
