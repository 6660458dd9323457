//! HTTP requests: routing, refusals and answers.

use core::convert::Infallible;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::sync::Arc;

use eio_core::Revision;
use eio_core::handshake::{Handshake, Sid, Transport as Upgrade, Transports};
use eio_core::packet::{Packet, PacketType};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use tower_service::Service;

use crate::http::opening_handshake::OpeningHandshake;
use crate::http::request::{Query, is_at, is_internet_explorer, is_websocket_upgrade, names_its_host};
use crate::http::respond::{Body, BodyRead, Refusal, empty};
use crate::server::config::ChooseHeartbeat;
use crate::server::connection::CameOn;
use crate::server::hub::{Hub, Registered};
use crate::server::polling;
use crate::server::surplus::turn_away;
use crate::session::guard::{Guarded, guarded};
use crate::session::socket::Transport;
use crate::session::state::State;
use crate::session::task;
use crate::wire::session_id::SessionId;

/// The address of the connection that a request came in on. Put it into the request's extensions, as
/// [`Server::serve`](crate::Server::serve) does, so that sockets know their peer.
///
/// Without it, the limit on handshakes per address counts all clients as one. The server then also ignores the headers
/// of proxies, unless [those without an address](crate::TrustedProxies::and_without_address) are trusted.
///
/// In the head that [`allow_request`](crate::ServerBuilder::allow_request) and
/// [`Socket::request`](crate::Socket::request) see, it holds the address of the client behind [trusted
/// proxies](crate::ServerBuilder::trusted_proxies).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address")]
pub struct PeerAddr(pub SocketAddr);

/// A service that answers Engine.IO requests: a [`tower_service::Service`] for axum, tower and hyper.
#[derive(Clone)]
pub struct EngineService {
    hub: Arc<Hub>,
}

impl EngineService {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Returns whether the service answers requests for this path; it refuses others with status 404. It answers those
    /// at the server's [path](crate::ServerBuilder::path), with or without a slash at its end, and below it. A router
    /// can ask this method, or pass on all of these requests.
    ///
    /// ```
    /// let server = eio_tokio::Server::builder(|_socket| async {}).build()?;
    /// let service = server.service();
    /// assert!(service.serves("/engine.io/") && service.serves("/engine.io"));
    /// assert!(!service.serves("/engine.iox"));
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        is_at(&self.hub.config.path, path)
    }
}

impl core::fmt::Debug for EngineService {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EngineService").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for EngineService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let hub = Arc::clone(&self.hub);
        Box::pin(async move {
            let mut answer = pin!(answer(hub, request));
            // Callbacks are caught one by one. This is for the rest: subscribers of the log, recorders of the metrics.
            let answered = poll_fn(|cx| match guarded(|| answer.as_mut().poll(cx)) {
                Ok(poll) => poll.map(Ok),
                Err(panicked) => Poll::Ready(Err(panicked)),
            });
            Ok(answered.await.unwrap_or_else(|panicked| {
                panicked.report("request", "-");
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }))
        })
    }
}

async fn answer<B>(hub: Arc<Hub>, mut request: Request<B>) -> Response<Body>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    if !is_at(&hub.config.path, request.uri().path()) {
        let may_leave_body = request.version() < Version::HTTP_2 && !request.body().is_end_stream();
        return closing_if(may_leave_body, empty(StatusCode::NOT_FOUND));
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let came_on = request.extensions_mut().remove::<CameOn>();
    let (mut parts, body) = request.into_parts();
    let may_leave_body = parts.version < Version::HTTP_2 && !body.is_end_stream();
    name_sender(&hub, &mut parts);
    let Ok(mut headers) = callback("on_headers", || hub.config.http.common_headers(&parts)) else {
        return headers_panicked(&hub, &parts);
    };
    let mut response = match &hub.config.http.cors {
        Some(cors) if parts.method == Method::OPTIONS => cors.preflight(&parts, &mut headers),
        _ => {
            let query = Query::parse(&parts);
            let asked = if is_websocket_upgrade(&parts) { Transport::WebSocket } else { Transport::Polling };
            let peer = sender(&parts);
            let answered = if !names_its_host(&parts) {
                Err(Refusal::Header("Missing, repeated or invalid Host header"))
            } else if asked == Transport::WebSocket {
                websocket(&hub, parts, &query, upgrade).await
            } else {
                drop(upgrade);
                plain(&hub, parts, &query, body, came_on).await
            };
            answered.unwrap_or_else(|refusal| {
                hub.refused(&refusal, asked, peer);
                refusal.response(asked)
            })
        }
    };
    put_all(response.headers_mut(), headers);
    closing_if(may_leave_body, response)
}

/// A refusal may leave the body of its request unread, and its connection takes no further request then (RFC 9112 section
/// 9.3).
fn closing_if(may_leave_body: bool, mut response: Response<Body>) -> Response<Body> {
    let may_leave_body = may_leave_body && response.extensions().get::<BodyRead>().is_none();
    if may_leave_body && response.status().is_client_error() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Runs a callback of the application that a request waits for.
fn callback<T>(name: &'static str, code: impl FnOnce() -> T) -> Result<T, Refusal> {
    guarded(code).map_err(|panicked| {
        panicked.report(name, "-");
        Refusal::Internal
    })
}

/// `on_headers` panicked, and the session that the request names ends.
fn headers_panicked(hub: &Hub, parts: &Parts) -> Response<Body> {
    let named = Query::parse(parts).sid.and_then(|sid| hub.find(&sid));
    if let Some(state) = named {
        state.application_panicked();
    }
    let asked = if is_websocket_upgrade(parts) { Transport::WebSocket } else { Transport::Polling };
    hub.refused(&Refusal::Internal, asked, sender(parts));
    Refusal::Internal.response(asked)
}

/// Puts `more` in the place of what is there under the same names.
fn put_all(headers: &mut HeaderMap, more: HeaderMap) {
    let mut name = None;
    for (next, value) in more {
        match (next, &name) {
            (Some(next), _) => {
                headers.insert(&next, value);
                name = Some(next);
            }
            // A further value of the last name.
            (None, Some(name)) => {
                headers.append(name, value);
            }
            (None, None) => {}
        }
    }
}

/// Replaces the connection's address by that of whoever trusted proxies speak for.
fn name_sender(hub: &Hub, parts: &mut Parts) {
    if let Some(proxies) = &hub.config.http.trusted_proxies
        && let Some(sender) = proxies.sender(sender(parts), &parts.headers)
    {
        parts.extensions.insert(PeerAddr(sender));
    }
}

fn sender(parts: &Parts) -> Option<SocketAddr> {
    parts.extensions.get::<PeerAddr>().map(|peer| peer.0)
}

/// A request without an upgrade.
async fn plain<B>(
    hub: &Arc<Hub>,
    parts: Parts,
    query: &Query,
    body: B,
    came_on: Option<CameOn>,
) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let transport = transport(hub, query)?;
    check_origin(hub, &parts, query)?;
    let mut response = if let Some(sid) = &query.sid {
        let state = known(hub, sid, query)?;
        if transport != Transport::Polling || state.lock().transport != Transport::Polling {
            return Err(Refusal::BadRequest);
        }
        carries(came_on.as_ref(), &state);
        match parts.method {
            Method::GET if !state.catch_up().await => return Err(Refusal::SessionUnknown),
            Method::GET => polling::get(state, query, &parts.headers).await?,
            Method::POST => polling::post(state, query, &parts.headers, body).await,
            // The session does not mind.
            _ => return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    } else {
        if parts.method != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        if transport != Transport::Polling {
            return Err(Refusal::BadRequest);
        }
        let session = open(hub, &parts, query, transport).await?;
        carries(came_on.as_ref(), &session);
        let open = open_text(&session)?;
        let mut packets = vec![Packet::text(PacketType::Open, &open)];
        packets.extend(
            hub.config.initial_packet.as_ref().map(|message| Packet::message(message.as_websocket_message())),
        );
        let mut response = polling::payload_response(&session, query, &packets)?;
        if let Some(cookie) = &hub.config.http.cookie {
            let cookie = cookie.header(session.id).ok_or_else(|| Refusal::impossible("the cookie"))?;
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        callback("on_initial_headers", || {
            hub.config.http.add_initial_headers(&parts, response.headers_mut());
        })?;
        protect_old_browsers(&parts.headers, &mut response);
        tokio::spawn(task::run_polling(session, parts));
        return Ok(response);
    };
    protect_old_browsers(&parts.headers, &mut response);
    Ok(response)
}

/// The connection that a polling request came on is one that its session needs.
fn carries(came_on: Option<&CameOn>, state: &State) {
    let heartbeat = state.lock().session.heartbeat();
    if let Some((CameOn(activity), heartbeat)) = came_on.zip(heartbeat) {
        activity.carries(state.id, heartbeat.max_silence());
    }
}

fn protect_old_browsers(request: &HeaderMap, response: &mut Response<Body>) {
    if is_internet_explorer(request) {
        response.headers_mut().insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

/// A WebSocket request: a new session, or a candidate for an old one. All checks come before the answer that switches
/// protocols, after which no refusal can be told; only where a session has no use for one more WebSocket, the protocol
/// wants that one opened and closed.
async fn websocket(
    hub: &Arc<Hub>,
    parts: Parts,
    query: &Query,
    upgrade: hyper::upgrade::OnUpgrade,
) -> Result<Response<Body>, Refusal> {
    let transport = transport(hub, query)?;
    check_origin(hub, &parts, query)?;
    let candidate_of = query.sid.as_ref().map(|sid| known(hub, sid, query)).transpose()?;
    let handshake = OpeningHandshake::read(&parts)?;
    if transport != Transport::WebSocket {
        return Err(Refusal::BadRequest);
    }
    let mut response = handshake.accept(choose_subprotocol(hub, &parts, &handshake)?)?;
    if let Some(state) = candidate_of {
        if !hub.config.allow_upgrades {
            return Err(Refusal::BadRequest);
        }
        if !state.catch_up().await {
            return Err(Refusal::SessionUnknown);
        }
        if !state.lock().expects_upgrade() {
            admit(hub, &parts)?;
        }
        return match state.update(|inner, _| inner.offer_candidate(upgrade)) {
            Ok(()) => Ok(response),
            Err(upgrade) => {
                if turn_away(&state, upgrade) {
                    Ok(response)
                } else {
                    Err(Refusal::BadRequest)
                }
            }
        };
    }
    let session = open(hub, &parts, query, transport).await?;
    let packet = format!("0{}", open_text(&session)?);
    callback("on_initial_headers", || {
        hub.config.http.add_initial_headers(&parts, response.headers_mut());
    })?;
    tokio::spawn(task::run_websocket(session, upgrade, packet, parts));
    Ok(response)
}

/// Which of the subprotocols that a client offers is answered: the application's choice, or the first. A client that
/// gets no answer to its offer, or another one, gives up.
fn choose_subprotocol<'r>(
    hub: &Hub,
    parts: &Parts,
    handshake: &OpeningHandshake<'r>,
) -> Result<Option<&'r str>, Refusal> {
    let offered = &handshake.subprotocols;
    let Some(choose) = &hub.config.http.choose_subprotocol else { return Ok(offered.first().copied()) };
    if offered.is_empty() {
        return Ok(None);
    }
    let chosen = callback("choose_subprotocol", || choose(parts, offered))?;
    if let Some(chosen) = chosen.filter(|chosen| !offered.contains(chosen)) {
        tracing::error!(
            chosen,
            ?offered,
            "the application chose a subprotocol that was not offered: none is answered"
        );
        return Ok(None);
    }
    Ok(chosen)
}

fn transport(hub: &Hub, query: &Query) -> Result<Transport, Refusal> {
    match query.transport.as_deref() {
        Some("polling") if hub.config.polling => Ok(Transport::Polling),
        Some("websocket") if hub.config.websocket => Ok(Transport::WebSocket),
        _ => Err(Refusal::TransportUnknown),
    }
}

/// An `Origin` that is not text is refused, as by the reference; then one that may not connect.
fn check_origin(hub: &Hub, parts: &Parts, query: &Query) -> Result<(), Refusal> {
    if parts.headers.get(header::ORIGIN).is_some_and(|origin| origin.to_str().is_err()) {
        return Err(Refusal::BadRequest);
    }
    if hub.config.http.allowed_origins.allow(parts, query.jsonp.is_some()) {
        return Ok(());
    }
    tracing::debug!(origin = ?parts.headers.get(header::ORIGIN), peer = ?sender(parts), "origin not allowed");
    Err(Refusal::Origin)
}

/// The session that a request names, if its revision fits.
fn known(hub: &Hub, sid: &str, query: &Query) -> Result<Arc<State>, Refusal> {
    let state = hub.find(sid).ok_or(Refusal::SessionUnknown)?;
    let revision = if query.eio.as_deref() == Some("4") { Revision::V4 } else { Revision::V3 };
    if state.revision == revision { Ok(state) } else { Err(Refusal::BadRequest) }
}

/// A new session, registered, if its sender, the application and the protocol allow it.
async fn open(
    hub: &Arc<Hub>,
    parts: &Parts,
    query: &Query,
    transport: Transport,
) -> Result<Registered, Refusal> {
    // Nobody is asked about a client for whom there is no room.
    if !hub.has_room() {
        return Err(Refusal::Full);
    }
    let peer = sender(parts);
    admit(hub, parts)?;
    allow(hub, parts).await?;
    let revision = match query.eio.as_deref() {
        Some("4") => Revision::V4,
        _ if hub.config.eio3 => Revision::V3,
        _ => return Err(Refusal::UnsupportedProtocolVersion),
    };
    let choose = |choose: &ChooseHeartbeat| callback("heartbeat_for", || choose(parts));
    let heartbeat = hub.config.choose_heartbeat.as_ref().map(choose).transpose()?.flatten();
    // Without random numbers no session can be named.
    let id = SessionId::random().map_err(|error| {
        tracing::error!(%error, "no session can be named: the system has no random bytes");
        Refusal::Internal
    })?;
    let state = State::new(id, revision, query.base64_only, peer, Arc::clone(hub), heartbeat, transport);
    hub.register(Arc::new(state)).ok_or(Refusal::Full)
}

/// Counts a handshake of the sender's.
fn admit(hub: &Hub, parts: &Parts) -> Result<(), Refusal> {
    let Some(limiter) = &hub.config.http.handshakes else { return Ok(()) };
    limiter
        .admit(hub.clock.now(), sender(parts).map(|peer| peer.ip()))
        .map_err(|retry_after| Refusal::TooManyHandshakes { retry_after })
}

/// Asks the application, which may think as long as a request may take.
async fn allow(hub: &Hub, parts: &Parts) -> Result<(), Refusal> {
    let Some(allow_request) = &hub.config.allow_request else { return Ok(()) };
    let deciding = callback("allow_request", || allow_request(parts))?;
    let mut deciding = Guarded::new("allow_request", deciding);
    match tokio::time::timeout(hub.config.request_timeout, poll_fn(|cx| deciding.poll(cx))).await {
        Ok(Ok(decision)) => decision.map_err(|message| {
            Refusal::Forbidden(if message.is_empty() { "Forbidden".to_owned() } else { message })
        }),
        Ok(Err(panicked)) => {
            panicked.report("allow_request", "-");
            Err(Refusal::Internal)
        }
        Err(_) => Err(Refusal::NoDecision),
    }
}

/// The data of the `open` packet.
fn open_text(state: &State) -> Result<String, Refusal> {
    let hub = &state.hub;
    let inner = state.lock();
    let upgrades =
        if inner.transport == Transport::Polling && hub.config.allow_upgrades && hub.config.websocket {
            Transports::NONE.with(Upgrade::WebSocket)
        } else {
            Transports::NONE
        };
    let mut out = [0; Handshake::MAX_LEN];
    Sid::new(state.id.as_str())
        .ok()
        .zip(inner.session.heartbeat())
        .map(|(sid, heartbeat)| {
            Handshake::new(sid, heartbeat)
                .with_upgrades(upgrades)
                .with_max_payload(hub.config.settings.max_payload())
        })
        .and_then(|handshake| handshake.encode(&mut out).map(str::to_owned).ok())
        .ok_or_else(|| Refusal::impossible("the open packet"))
}
