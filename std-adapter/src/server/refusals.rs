//! Reports requests that were refused: what was found in them, and what was expected.

use eio_core::handshake::Transport;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};

use crate::server::admission::sender;
use crate::server::incident::{Incident, RefusedRequest};
use crate::server::sessions::ServerShared;
use crate::web::request::{NamedSession, Query};
use crate::web::respond::{BadRequest, Refusal};
use crate::web::unknown_session::UnknownSession;
use crate::wire::node::Node;
use crate::wire::session_id::{SHOWN_OF_SID, SessionId};

/// The number of characters of a client's value that are shown.
const SHOWN: usize = 64;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Tells the observer, the log and the metrics of a refused request.
pub(super) fn tell(server: &ServerShared, refusal: &Refusal, transport: Transport, head: &Parts) {
    let is_wanted = server.sessions.callbacks.wants_refusals();
    let context = if is_wanted { context(server, refusal, head) } else { String::new() };
    server.tell(&Incident::Refused(&RefusedRequest {
        transport,
        peer: sender(head),
        method: &head.method,
        path: head.uri.path(),
        sid: if is_wanted { sid(server, head) } else { None },
        unknown: match refusal {
            Refusal::SessionUnknown(why) => Some(*why),
            _ => None,
        },
        user_agent: head.headers.get(header::USER_AGENT),
        origin: head.headers.get(header::ORIGIN),
        status: refusal.status(transport),
        code: refusal.code(),
        message: refusal.message(),
        context: &context,
    }));
}

/// Returns what was found in the request and what was expected, in one sentence without secrets.
fn context(server: &ServerShared, refusal: &Refusal, head: &Parts) -> String {
    match refusal {
        Refusal::TransportUnknown => {
            let expected = match (server.http.polling, server.http.websocket) {
                (true, true) => "polling or websocket",
                (true, false) => "polling",
                (false, _) => "websocket",
            };
            format!("transport {}: expected {expected}", parameter(head, "transport", SHOWN))
        }
        Refusal::SessionUnknown(why) => unknown(server, *why, head),
        Refusal::BadHandshakeMethod => {
            format!("method {}: expected GET", beginning(head.method.as_str(), SHOWN))
        }
        Refusal::BadRequest(why) => bad_request(*why, head),
        Refusal::BadMethod => {
            format!("method {}: expected GET or POST", beginning(head.method.as_str(), SHOWN))
        }
        Refusal::PayloadTooLarge { announced } => {
            let limit = server.sessions.config.settings.max_payload();
            if *announced {
                let found = field(head, &header::CONTENT_LENGTH);
                format!("{} {found}: expected at most {limit} (max_payload)", header::CONTENT_LENGTH)
            } else {
                format!("a longer body: expected at most {limit} bytes (max_payload), or fewer by a layer")
            }
        }
        Refusal::Header { name, expected, .. } => {
            let found = if may_show(name) { field(head, name) } else { count(head, name) };
            format!("{name} {found}: expected {expected}")
        }
        Refusal::Rejected(rejection) => {
            format!("the application refused the session: {}", cut(rejection.message(), SHOWN))
        }
        Refusal::UnsupportedProtocolVersion => {
            format!("EIO {}: expected 4 (eio3 is off)", parameter(head, "EIO", SHOWN))
        }
        Refusal::Origin => origin(head),
        Refusal::TooManyHandshakes { retry_after } => {
            let address = sender(head).map_or("an unknown address".to_owned(), |peer| peer.ip().to_string());
            let wait = retry_after.as_millis();
            format!(
                "{address} opens sessions faster than handshakes_per_address allows: expected a wait of {wait} ms"
            )
        }
        Refusal::Full if server.sessions.is_closing() => "the server is shutting down".to_owned(),
        Refusal::Full => format!("max_sessions: {} are open", server.sessions.config.max_sessions),
        Refusal::NoDecision(callback) => {
            let limit = server.http.request_timeout.as_millis();
            format!("{callback} has not answered within the request_timeout of {limit} ms")
        }
        Refusal::Internal => "the server failed: the log has the cause".to_owned(),
        Refusal::WebSocketVersion => {
            format!("sec-websocket-version {}: expected 13", field(head, &header::SEC_WEBSOCKET_VERSION))
        }
    }
}

/// Returns which origin a request has. Browsers send `Sec-Fetch-Site` with requests that have no `Origin`.
fn origin(head: &Parts) -> String {
    let is_shown = !head.headers.contains_key(header::ORIGIN) && head.headers.contains_key(&SEC_FETCH_SITE);
    let site =
        if is_shown { format!(", {SEC_FETCH_SITE} {}", field(head, &SEC_FETCH_SITE)) } else { String::new() };
    let origin = field(head, &header::ORIGIN);
    format!("origin {origin}{site}: expected the server's own or one of allowed_origins")
}

fn bad_request(why: BadRequest, head: &Parts) -> String {
    let transport = || parameter(head, "transport", SHOWN);
    match why {
        BadRequest::Origin => format!("origin {}: expected visible ASCII", field(head, &header::ORIGIN)),
        BadRequest::Revision(revision) => {
            let (found, expected) = (parameter(head, "EIO", SHOWN), revision.number());
            format!("EIO {found}: expected {expected}, which the session speaks")
        }
        BadRequest::NoUpgrade => format!(
            "transport {}: expected the headers Connection: Upgrade and Upgrade: websocket, on HTTP/1.1: a proxy may \
             have removed them",
            transport()
        ),
        BadRequest::Upgrade => format!("transport {}: expected websocket, for a WebSocket", transport()),
        BadRequest::Moved => {
            "transport \"polling\": the session has moved to a WebSocket: expected no more requests"
                .to_owned()
        }
        BadRequest::UpgradesOff => {
            "transport \"websocket\": allow_upgrades is off: expected polling until the end".to_owned()
        }
        BadRequest::Surplus => {
            "transport \"websocket\": the session has a WebSocket, and a surplus one is being closed"
                .to_owned()
        }
    }
}

fn unknown(server: &ServerShared, why: UnknownSession, head: &Parts) -> String {
    let node = server.sessions.config.node;
    let own = node.as_ref().map_or("", Node::as_str);
    let shown = SHOWN_OF_SID + own.len();
    let sid = parameter(head, "sid", shown);
    match why {
        UnknownSession::Ended { reason, ago } => {
            format!("sid {sid}: ended {} ms ago: {reason}", ago.as_millis())
        }
        UnknownSession::OfAnotherNode => {
            format!(
                "sid {sid}: of another node: expected one that begins with {own:?}, the name of this node"
            )
        }
        UnknownSession::NoTrace if own.is_empty() => {
            format!("sid {sid}: unknown: ended, or opened by another server")
        }
        UnknownSession::NoTrace => {
            format!("sid {sid}: unknown: ended, or opened before this node started")
        }
    }
}

/// Returns the session that the request names.
fn sid(server: &ServerShared, head: &Parts) -> Option<SessionId> {
    match Query::parse(head).sid {
        Some(NamedSession::Id(id)) => Some(id.among_nodes(server.sessions.config.node)),
        Some(NamedSession::Invalid) | None => None,
    }
}

/// Returns the beginning of the values of a parameter of the query, as a text in quotation marks.
fn parameter(head: &Parts, name: &str, shown: usize) -> String {
    let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let values: Vec<_> = query.filter(|(found, _)| found == name).map(|(_, value)| value).collect();
    if values.is_empty() { "missing".to_owned() } else { cut(&values.join(","), shown) }
}

/// Returns the beginning of the values of a header, as a text in quotation marks.
fn field(head: &Parts, name: &HeaderName) -> String {
    let values: Vec<_> = head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if values.is_empty() {
        return "missing".to_owned();
    }
    cut(&String::from_utf8_lossy(&values.join(&b", "[..])), SHOWN)
}

/// Returns whether the value of a header can be shown. Others can hold secrets: browsers pass tokens as subprotocols, because
/// they can set no other header of a WebSocket, and a `Host` can begin with a password.
fn may_show(name: &HeaderName) -> bool {
    [
        header::CONTENT_LENGTH,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::TRANSFER_ENCODING,
    ]
    .contains(name)
}

/// Returns how many values of a header there are, and how long they are.
fn count(head: &Parts, name: &HeaderName) -> String {
    let lengths: Vec<_> = head.headers.get_all(name).iter().map(|value| value.len().to_string()).collect();
    match lengths.as_slice() {
        [] => "missing".to_owned(),
        [one] => format!("of {one} bytes"),
        several => format!("of {} bytes", several.join(" and ")),
    }
}

/// Returns the beginning of a text, in quotation marks and with its control characters escaped.
fn cut(text: &str, shown: usize) -> String {
    format!("{:?}", beginning(text, shown))
}

/// Returns the beginning of a text. An ellipsis stands for the rest.
fn beginning(text: &str, shown: usize) -> String {
    let mut beginning: String = text.chars().take(shown).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    beginning
}
