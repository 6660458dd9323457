//! HTTP requests: which are ours, which are refused, and who answers the rest.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::handshake::{Handshake, Sid, Transport as Upgrade, Transports};
use eio_core::packet::{Packet, PacketType};
use eio_core::ws::Key;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tower_service::Service;

use crate::hub::Hub;
use crate::polling;
use crate::request::{Query, has_token, is_websocket_upgrade};
use crate::respond::{Body, Refusal, empty};
use crate::session_id::SessionId;
use crate::socket::Transport;
use crate::state::{Revision, State};
use crate::task;

/// The address of the connection that a request came in on: put it into the request's extensions, as
/// [`Server::serve`](crate::Server::serve) does, and sockets know their peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address")]
pub struct PeerAddr(pub SocketAddr);

/// Answers Engine.IO requests: a [`tower_service::Service`] for axum, tower and hyper.
#[derive(Clone)]
pub struct EngineService {
    hub: Arc<Hub>,
}

impl EngineService {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
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
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let hub = Arc::clone(&self.hub);
        Box::pin(async move { Ok(answer(hub, request).await) })
    }
}

async fn answer<B>(hub: Arc<Hub>, mut request: Request<B>) -> Response<Body>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !request.uri().path().starts_with(&hub.config.path) {
        return empty(StatusCode::NOT_FOUND);
    }
    let upgrade = is_websocket_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let query = Query::parse(&parts);
    if let Some(upgrade) = upgrade {
        return websocket(hub, parts, &query, upgrade)
            .await
            .unwrap_or_else(|refusal| refusal.upgrade_response());
    }
    plain(hub, parts, &query, body).await.unwrap_or_else(|refusal| refusal.response())
}

/// A request without an upgrade.
async fn plain<B>(hub: Arc<Hub>, parts: Parts, query: &Query, body: B) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let transport = transport(&hub, query)?;
    check_origin(&parts)?;
    if let Some(sid) = &query.sid {
        let state = known(&hub, sid, query)?;
        if transport != Transport::Polling || state.lock().transport != Transport::Polling {
            return Err(Refusal::BadRequest);
        }
        return Ok(match parts.method {
            Method::GET => {
                let mut response = polling::get(Arc::clone(&state), query).await;
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Method::POST => polling::post(state, query, &parts, body).await,
            _ => empty(StatusCode::INTERNAL_SERVER_ERROR),
        });
    }
    if parts.method != Method::GET {
        return Err(Refusal::BadHandshakeMethod);
    }
    if transport != Transport::Polling {
        return Err(Refusal::BadRequest);
    }
    allow(&hub, &parts).await?;
    let state = open(&hub, &parts, query, transport)?;
    let open = open_text(&state);
    let mut packets = vec![Packet::text(PacketType::Open, &open)];
    packets.extend(hub.config.initial_packet.as_ref().map(|message| Packet::message(message.as_frame())));
    let mut response = polling::payload_response(&state, query, &packets);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(name) = &hub.config.cookie {
        let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax", state.id.as_str());
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
    }
    tokio::spawn(task::run_polling(state, parts));
    Ok(response)
}

/// A WebSocket request: a new session, or a candidate for an old one.
async fn websocket(
    hub: Arc<Hub>,
    parts: Parts,
    query: &Query,
    upgrade: hyper::upgrade::OnUpgrade,
) -> Result<Response<Body>, Refusal> {
    let transport = transport(&hub, query)?;
    check_origin(&parts)?;
    if transport != Transport::WebSocket || parts.method != Method::GET {
        return Err(Refusal::BadRequest);
    }
    let key = parts
        .headers
        .get(header::SEC_WEBSOCKET_KEY)
        .and_then(|key| Key::parse(key.as_bytes()).ok())
        .ok_or(Refusal::BadRequest)?;
    if !has_token(&parts.headers, header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Refusal::BadRequest);
    }
    if let Some(sid) = &query.sid {
        let state = known(&hub, sid, query)?;
        if !hub.config.allow_upgrades || !state.update(|inner, _| inner.offer_candidate(upgrade)) {
            return Err(Refusal::BadRequest);
        }
        return Ok(switching_protocols(&key));
    }
    allow(&hub, &parts).await?;
    let state = open(&hub, &parts, query, transport)?;
    let packet = format!("0{}", open_text(&state));
    tokio::spawn(task::run_websocket(state, upgrade, packet, parts));
    Ok(switching_protocols(&key))
}

fn switching_protocols(key: &Key) -> Response<Body> {
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_bytes(&key.accept()) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn transport(hub: &Hub, query: &Query) -> Result<Transport, Refusal> {
    match query.transport.as_deref() {
        Some("polling") if hub.config.polling => Ok(Transport::Polling),
        Some("websocket") if hub.config.websocket => Ok(Transport::WebSocket),
        _ => Err(Refusal::TransportUnknown),
    }
}

/// An `Origin` with characters that no header may carry is refused, as by the reference.
fn check_origin(parts: &Parts) -> Result<(), Refusal> {
    match parts.headers.get(header::ORIGIN) {
        Some(origin) if origin.to_str().is_err() => Err(Refusal::BadRequest),
        _ => Ok(()),
    }
}

/// The session that a request names, if its revision fits.
fn known(hub: &Hub, sid: &str, query: &Query) -> Result<Arc<State>, Refusal> {
    let state = hub.find(sid).ok_or(Refusal::SessionUnknown)?;
    let revision = if query.eio.as_deref() == Some("4") { Revision::V4 } else { Revision::V3 };
    if state.revision == revision { Ok(state) } else { Err(Refusal::BadRequest) }
}

async fn allow(hub: &Hub, parts: &Parts) -> Result<(), Refusal> {
    let Some(allow_request) = &hub.config.allow_request else { return Ok(()) };
    allow_request(parts).await.map_err(|message| {
        Refusal::Forbidden(if message.is_empty() { "Forbidden".to_owned() } else { message })
    })
}

/// A new session, registered.
fn open(hub: &Arc<Hub>, parts: &Parts, query: &Query, transport: Transport) -> Result<Arc<State>, Refusal> {
    let revision = match query.eio.as_deref() {
        Some("4") => Revision::V4,
        _ if hub.config.eio3 => Revision::V3,
        _ => return Err(Refusal::UnsupportedProtocolVersion),
    };
    let heartbeat = hub.config.choose_heartbeat.as_ref().and_then(|choose| choose(parts));
    let id = SessionId::random().map_err(|_| Refusal::BadRequest)?;
    let peer = parts.extensions.get::<PeerAddr>().map(|peer| peer.0);
    let state = State::new(id, revision, query.base64_only, peer, Arc::clone(hub), heartbeat, transport);
    let state = Arc::new(state);
    if hub.insert(&state) { Ok(state) } else { Err(Refusal::BadRequest) }
}

/// The data of the `open` packet.
fn open_text(state: &State) -> String {
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
            Handshake::new(sid, heartbeat).with_upgrades(upgrades).with_max_payload(hub.config.max_payload)
        })
        .and_then(|handshake| handshake.encode(&mut out).map(str::to_owned).ok())
        .unwrap_or_default()
}
