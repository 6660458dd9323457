//! Who may open a session, and what a request that names one may do.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use eio_core::Revision;
use eio_core::handshake::{Handshake, Sid, Transport, Transports};
use http::request::Parts;
use http::{HeaderMap, header};

use crate::server::decision::{Admission, Decide};
use crate::server::registered::Registered;
use crate::server::sessions::{ServerContext, ServerShared, Session};
use crate::session::guard::{Guarded, Named, reported};
use crate::web::peer_addr::PeerAddr;
use crate::web::request::{NamedSession, Query};
use crate::web::respond::{BadRequest, Refusal};
use crate::web::unknown_session::UnknownSession;
use crate::wire::session_id::SessionId;
use crate::wire::targets;

pub(super) fn transport(server: &ServerShared, query: &Query) -> Result<Transport, Refusal> {
    match query.transport {
        Some(Transport::Polling) if server.http.polling => Ok(Transport::Polling),
        Some(Transport::WebSocket) if server.http.websocket => Ok(Transport::WebSocket),
        _ => Err(Refusal::TransportUnknown),
    }
}

/// An `Origin` that is not text is refused, as by the reference; then one that may not connect.
pub(super) fn check_origin(server: &ServerShared, parts: &Parts, query: &Query) -> Result<(), Refusal> {
    if parts.headers.get(header::ORIGIN).is_some_and(|origin| origin.to_str().is_err()) {
        return Err(Refusal::BadRequest(BadRequest::Origin));
    }
    if server.http.allowed_origins.allow(parts, query.jsonp.is_some()) {
        return Ok(());
    }
    Err(Refusal::Origin)
}

/// Returns the session that a request names, if the request has the session's revision.
pub(super) fn known(
    server: &ServerShared,
    named: NamedSession,
    query: &Query,
) -> Result<Arc<Session>, Refusal> {
    let session = find(server, named).ok_or_else(|| unknown(server, named))?;
    let revision = if query.is_eio4 { Revision::V4 } else { Revision::V3 };
    let expected = session.context.revision;
    if expected == revision { Ok(session) } else { Err(Refusal::BadRequest(BadRequest::Revision(expected))) }
}

/// Returns the session that a request names.
pub(super) fn find(server: &ServerShared, named: NamedSession) -> Option<Arc<Session>> {
    match named {
        NamedSession::Id(id) => server.sessions.find(id),
        NamedSession::Invalid => None,
    }
}

/// Refuses a request because there is no session with the identifier that it names.
pub(super) fn unknown(server: &ServerShared, named: NamedSession) -> Refusal {
    Refusal::SessionUnknown(match named {
        NamedSession::Id(id) => server.sessions.unknown(id),
        NamedSession::Invalid => UnknownSession::NoTrace,
    })
}

/// Registers and returns a new session, if the limits of its sender, the application and the protocol allow it. Returns the
/// headers with it that the application adds to the answer.
pub(super) async fn open(
    server: &Arc<ServerShared>,
    parts: &mut Parts,
    query: &Query,
    transport: Transport,
) -> Result<(Registered, HeaderMap), Refusal> {
    // The application is not asked about a client for which there is no room.
    if !server.sessions.has_room() {
        return Err(Refusal::Full);
    }
    let peer = sender(parts);
    admit(server, parts)?;
    let Admission { extensions, heartbeat, headers } = allow(server, parts).await?;
    let revision = match query.is_eio4 {
        true => Revision::V4,
        false if server.http.eio3 => Revision::V3,
        false => return Err(Refusal::UnsupportedProtocolVersion),
    };
    // Without random numbers no session can be named.
    let id = SessionId::random(server.sessions.config.node).map_err(|error| {
        tracing::error!(
            target: targets::REQUEST,
            %error,
            "no session can be named: the system has no random bytes"
        );
        Refusal::Internal
    })?;
    let context = ServerContext {
        id,
        revision,
        base64_only: query.base64_only,
        peer,
        extensions,
        server: Arc::clone(server),
    };
    let session = Registered::new(context.start(heartbeat, transport)).ok_or(Refusal::Full)?;
    Ok((session, headers))
}

/// Counts a handshake of the sender, and refuses it above the limit.
pub(super) fn admit(server: &ServerShared, parts: &Parts) -> Result<(), Refusal> {
    let Some(limiter) = &server.http.handshakes else { return Ok(()) };
    limiter
        .admit(server.sessions.clock.now(), sender(parts).map(|peer| peer.ip()))
        .map_err(|retry_after| Refusal::TooManyHandshakes { retry_after })
}

struct AllowRequest;

impl Named for AllowRequest {
    const NAME: &'static str = "allow_request";
}

struct Extract;

impl Named for Extract {
    const NAME: &'static str = "extractor";
}

/// Asks the application whether the session may open. Each of its functions may take as long as a request.
async fn allow(server: &ServerShared, parts: &mut Parts) -> Result<Admission, Refusal> {
    let mut admission = Admission::new();
    let (allow_request, extract) = (&server.http.allow_request, &server.http.extract);
    if allow_request.is_none() && extract.is_none() {
        return Ok(admission);
    }
    let limit = server.http.request_timeout;
    if let Some(allow_request) = allow_request {
        decide::<AllowRequest>(allow_request, limit, parts, &mut admission).await?;
    }
    if let Some(extract) = extract {
        decide::<Extract>(extract, limit, parts, &mut admission).await?;
    }
    Ok(admission)
}

/// Runs one of the application's functions that decide about a session.
async fn decide<N: Named>(
    decide: &Decide,
    limit: Duration,
    parts: &mut Parts,
    admission: &mut Admission,
) -> Result<(), Refusal> {
    let mut deciding = Guarded::<_, N>::new(callback(N::NAME, || decide(parts, admission))?);
    match tokio::time::timeout(limit, poll_fn(|cx| deciding.poll(cx))).await {
        Ok(Ok(decision)) => decision.map_err(|rejection| Refusal::Rejected(rejection.checked())),
        Ok(Err(panicked)) => {
            panicked.report(N::NAME, "-");
            Err(Refusal::Internal)
        }
        Err(_) => Err(Refusal::NoDecision(N::NAME)),
    }
}

/// Returns the data of the `open` packet.
pub(super) fn open_text(server: &ServerShared, session: &Session) -> Result<String, Refusal> {
    let inner = session.lock();
    let is_polling = inner.view.transport == Transport::Polling;
    let heartbeat = inner.view.session.heartbeat();
    drop(inner);
    let upgrades = if is_polling && server.http.allow_upgrades && server.http.websocket {
        Transports::NONE.with(Transport::WebSocket)
    } else {
        Transports::NONE
    };
    let mut out = [0; Handshake::MAX_LEN];
    Sid::new(session.context.id.as_str())
        .ok()
        .zip(heartbeat)
        .map(|(sid, heartbeat)| {
            Handshake::new(sid, heartbeat)
                .with_upgrades(upgrades)
                .with_max_payload(server.sessions.config.settings.max_payload())
        })
        .and_then(|handshake| handshake.encode(&mut out).map(str::to_owned).ok())
        .ok_or_else(|| Refusal::impossible("the open packet"))
}

/// Runs a callback of the application that a request waits for.
pub(super) fn callback<T>(name: &'static str, code: impl FnOnce() -> T) -> Result<T, Refusal> {
    reported(name, "-", code).ok_or(Refusal::Internal)
}

/// Returns the address that a request came from, if it is known.
pub(super) fn sender(parts: &Parts) -> Option<SocketAddr> {
    parts.extensions.get::<PeerAddr>().map(|peer| peer.0)
}
