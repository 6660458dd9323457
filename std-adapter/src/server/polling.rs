//! Requests without an upgrade: handshakes, polls, and POSTs.

use core::future::poll_fn;
use core::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use eio_core::Revision;
use eio_core::handshake::Transport;
use eio_core::packet::{Packet, PacketType};
use eio_core::payload::v3::Framing;
use eio_core::payload::v4::EncodeError;
use eio_core::payload::{Format, jsonp};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::LengthLimitError;

use crate::server::admission::{callback, check_origin, known, open, open_text, transport, unknown};
use crate::server::session::{run_polling, span};
use crate::server::sessions::{ServerContext, ServerShared, Session};
use crate::server::slots::{Payload, PollAnswer};
use crate::web::activity::CameOn;
#[cfg(feature = "compression")]
use crate::web::compression::{Encoding, compress_large};
use crate::web::request::{Query, is_internet_explorer, take};
use crate::web::respond::{BadRequest, Body, Refusal, append_all, empty, respond};
use crate::web::whole_body::read_whole;
use crate::wire::outgoing::Outgoing;
use crate::wire::sync;
use crate::wire::targets;

const HTML: &str = "text/html";

/// Answers a request without an upgrade.
pub(super) async fn answer<B>(
    server: &Arc<ServerShared>,
    head: &mut Parts,
    query: Query,
    body: B,
    came_on: Option<CameOn>,
) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let transport = transport(server, &query)?;
    check_origin(server, head, &query)?;
    let old_browser = is_internet_explorer(&head.headers);
    let mut response = if let Some(sid) = query.sid {
        let session = known(server, sid, &query)?;
        if transport != Transport::Polling {
            return Err(Refusal::BadRequest(BadRequest::NoUpgrade));
        }
        if session.transport() != Transport::Polling {
            return Err(Refusal::BadRequest(BadRequest::Moved));
        }
        carries(came_on.as_ref(), &session);
        let (is_get, is_post) = (head.method == Method::GET, head.method == Method::POST);
        let wanted = Wanted::read(head, query.jsonp);
        if is_get && !session.catch_up().await {
            return Err(unknown(server, sid));
        }
        if is_get {
            drop_head(head);
            // An error, which should be impossible, is in the log. It is not told as a refused request: its head is gone.
            let got = get(server, &session, wanted, came_on.as_ref()).await;
            got.unwrap_or_else(|error| error.response(Transport::Polling))
        } else if is_post {
            post(server, &session, &wanted, head, body).await?
        } else {
            // The session continues.
            return Err(Refusal::BadMethod);
        }
    } else {
        if head.method != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        if transport != Transport::Polling {
            return Err(Refusal::BadRequest(BadRequest::NoUpgrade));
        }
        handshake(server, head, &query, came_on).await?
    };
    if old_browser {
        response.headers_mut().insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
    Ok(response)
}

/// Drops the head of a request. While the request waits, its head would keep the buffer that hyper has read it into.
fn drop_head(head: &mut Parts) {
    drop(take(head));
}

/// What a request of a session says about its payload and its answer.
struct Wanted {
    /// The framing of the payload of a POST.
    framing: Framing,
    /// The function that gets the answer as a script.
    jsonp: Option<String>,
    /// The encoding that the answer to a poll may have.
    #[cfg(feature = "compression")]
    encoding: Option<Encoding>,
}

impl Wanted {
    fn read(head: &Parts, jsonp: Option<String>) -> Self {
        let (is_post, headers) = (head.method == Method::POST, &head.headers);
        let content_type = if is_post { headers.get(header::CONTENT_TYPE) } else { None };
        Self {
            framing: Framing::of_content_type(content_type.map_or(b"", HeaderValue::as_bytes)),
            jsonp,
            #[cfg(feature = "compression")]
            encoding: if is_post { None } else { Encoding::accepted(headers) },
        }
    }
}

/// Opens a session. The answer contains its `open` packet.
async fn handshake(
    server: &Arc<ServerShared>,
    head: &mut Parts,
    query: &Query,
    came_on: Option<CameOn>,
) -> Result<Response<Body>, Refusal> {
    let (session, headers) = open(server, head, query, Transport::Polling).await?;
    carries(came_on.as_ref(), &session);
    let open = open_text(server, &session)?;
    let initial = session.context.sessions().config.initial_packet.as_ref();
    let mut packets = vec![Packet::text(PacketType::Open, &open)];
    packets.extend(initial.map(|message| Packet::message(message.as_websocket_message())));
    let mut response = packets_response(&session, query.jsonp.as_deref(), &packets)?;
    if let Some(cookie) = &server.http.cookie {
        let cookie = cookie.header(session.context.id).ok_or_else(|| Refusal::impossible("the cookie"))?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    append_all(response.headers_mut(), &headers);
    callback("on_initial_headers", || server.http.add_initial_headers(head, response.headers_mut()))?;
    let span = span(&session);
    if let Some(engine) = session.hand_over() {
        sync::spawn(run_polling(engine, span, take(head)));
    }
    Ok(response)
}

/// Notes that a session needs the connection of its polling request.
fn carries(came_on: Option<&CameOn>, session: &Session) {
    let heartbeat = session.lock().view.session.heartbeat();
    if let Some((CameOn(activity), heartbeat)) = came_on.zip(heartbeat) {
        activity.carries(session.context.id, heartbeat.max_silence());
    }
}

/// Answers a poll as soon as there is something to send.
async fn get(
    server: &ServerShared,
    session: &Session,
    wanted: Wanted,
    came_on: Option<&CameOn>,
) -> Result<Response<Body>, Refusal> {
    let jsonp = wanted.jsonp.as_deref();
    let Some(mut pending) = session.begin_poll(jsonp.is_some(), came_on) else {
        return Ok(empty(StatusCode::BAD_REQUEST));
    };
    let response = match poll_fn(|cx| pending.poll_answer(cx)).await {
        PollAnswer::Last(packet) => packets_response(session, jsonp, &[packet])?,
        PollAnswer::Batch(batch, messages) => {
            let mut payload = vec![0; batch.len()];
            let encoded = batch.encode(messages.iter().map(Outgoing::packet), &mut payload);
            encoded.map_err(|error| unencodable(session, &error))?;
            payload_response(jsonp, batch.framing(), payload)?
        }
    };
    #[cfg(feature = "compression")]
    let response = compress_large(response, wanted.encoding, server.http.compression_threshold).await;
    #[cfg(not(feature = "compression"))]
    let _ = server;
    pending.is_answered = true;
    Ok(response)
}

/// An answer with these packets, in the form that this client reads.
fn packets_response(
    session: &Session,
    jsonp: Option<&str>,
    packets: &[Packet<'_>],
) -> Result<Response<Body>, Refusal> {
    let ServerContext { revision, base64_only, .. } = session.context;
    // A script holds text only.
    let layout = Format::new(revision, base64_only || jsonp.is_some()).layout(packets.iter().copied());
    let mut payload = vec![0; layout.len()];
    let encoded = layout.encode(packets.iter().copied(), &mut payload);
    encoded.map_err(|error| unencodable(session, &error))?;
    payload_response(jsonp, layout.framing(), payload)
}

/// The packets make no payload, which is logged. The session ends with its request: half of them, or forged ones, are
/// worse.
fn unencodable(session: &Session, error: &EncodeError) -> Refusal {
    let sid = session.context.id.short();
    tracing::error!(target: targets::SESSION, %sid, %error, "a payload cannot be encoded: its session ends");
    Refusal::Internal
}

/// An answer with this payload. No cache may keep it.
fn payload_response(
    jsonp: Option<&str>,
    framing: Framing,
    payload: Vec<u8>,
) -> Result<Response<Body>, Refusal> {
    Ok(match jsonp {
        None => uncached(framing.content_type(), payload),
        Some(j) => uncached(Framing::Text.content_type(), script(j, &payload)?),
    })
}

/// Returns the script that passes `payload` to the function number `j`.
fn script(j: &str, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut script = Vec::new();
    if let Err(too_small) = jsonp::encode(j, payload, &mut script) {
        script.resize(too_small.needed, 0);
    }
    let len = jsonp::encode(j, payload, &mut script).map_err(|_| Refusal::impossible("the script"))?.len();
    script.truncate(len);
    Ok(script)
}

fn uncached(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = respond(StatusCode::OK, content_type, body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Handles a POST with a payload from the client. Its session continues after a payload that is too large: the client may send
/// a smaller one.
async fn post<B>(
    server: &ServerShared,
    session: &Session,
    wanted: &Wanted,
    head: &mut Parts,
    body: B,
) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let Some(mut in_flight) = session.begin_post() else {
        return Ok(empty(StatusCode::BAD_REQUEST));
    };
    let framing = wanted.framing;
    if framing == Framing::Binary && session.context.revision == Revision::V4 {
        in_flight.refuse_content_type();
        return Ok(empty(StatusCode::BAD_REQUEST));
    }
    let max_payload = session.context.sessions().config.settings.max_payload();
    let len = body.size_hint();
    if len.lower() > u64::from(max_payload) {
        in_flight.is_received = true;
        return Err(Refusal::PayloadTooLarge { announced: true });
    }
    // A refusal tells of the head. A payload that has announced its length cannot become too large.
    if len.exact().is_some() {
        drop_head(head);
    }
    // Everything that is read is kept, so reading waits for room. A client that abandons its requests one after the other
    // thus cannot fill the memory.
    poll_fn(|cx| in_flight.poll_room_to_receive(cx)).await;
    let limit = usize::try_from(max_payload).unwrap_or(usize::MAX);
    let bytes = match receive(server, session, read_whole(body, limit)).await {
        Ok(bytes) => bytes,
        Err(StatusCode::PAYLOAD_TOO_LARGE) => {
            in_flight.is_received = true;
            return Err(Refusal::PayloadTooLarge { announced: false });
        }
        Err(status) => return Ok(empty(status)),
    };
    drop_head(head);
    let bytes = if wanted.jsonp.is_some() { form_payload(&bytes) } else { bytes };
    if !in_flight.handled(Payload { bytes, framing }).await {
        return Ok(empty(StatusCode::BAD_REQUEST));
    }
    poll_fn(|cx| in_flight.poll_room_to_answer(cx)).await;
    Ok(uncached(HTML, "ok"))
}

/// Returns the payload in a form, as JSONP sends it. A form without a payload counts as an empty payload, which is an
/// error.
fn form_payload(form: &[u8]) -> Bytes {
    let mut form = form.to_vec();
    let payload = jsonp::decode(&mut form).unwrap_or_default();
    Bytes::copy_from_slice(payload)
}

/// Reads the body of a request. Returns the status to refuse it with if it is too large or too slow.
async fn receive(
    server: &ServerShared,
    session: &Session,
    body: impl Future<Output = Result<Bytes, Box<dyn core::error::Error + Send + Sync>>>,
) -> Result<Bytes, StatusCode> {
    let mut late = pin!(tokio::time::sleep(server.http.request_timeout));
    let received = tokio::select! {
        biased;
        received = body => received,
        // The session has ended, so the rest is not needed.
        _ = session.closed() => return Err(StatusCode::BAD_REQUEST),
        () = &mut late => return Err(StatusCode::REQUEST_TIMEOUT),
    };
    match received {
        Ok(body) => Ok(body),
        Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        // In `serve_with`, the body itself may say first that it is late.
        Err(_) if late.is_elapsed() => Err(StatusCode::REQUEST_TIMEOUT),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}
