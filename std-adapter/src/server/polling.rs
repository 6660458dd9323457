//! Polls and requests with data of a session that exists.

use core::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use eio_core::Revision;
use eio_core::packet::Packet;
use eio_core::payload::v4::{EncodeError, find_separator};
use eio_core::payload::{self, jsonp, v3::Framing};
use eio_core::session::Violation;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::http::compression::{Encoding, compress};
use crate::http::request::Query;
use crate::http::respond::{Body, BodyRead, Refusal, empty, respond};
use crate::session::metrics;
use crate::session::state::{PollAnswer, State};
use crate::wire::message::Message;

const TEXT: &str = "text/plain; charset=UTF-8";
const BINARY: &str = "application/octet-stream";
const HTML: &str = "text/html";

/// Answers a poll as soon as there is something to say.
pub(crate) async fn get(
    state: Arc<State>,
    query: &Query,
    request: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let Some(mut pending) = state.begin_poll() else {
        return Ok(empty(StatusCode::BAD_REQUEST));
    };
    let PollAnswer { controls: mut packets, messages } = poll_fn(|cx| state.poll_answer(cx)).await;
    let bytes = messages.iter().map(|outgoing| outgoing.message().len()).sum();
    metrics::messages_sent(messages.len(), bytes);
    // A close packet, and the noop before it, stay behind the messages.
    let close = packets.iter().position(|packet| *packet == Packet::CLOSE).unwrap_or(packets.len());
    let messages = messages.iter().map(|outgoing| Packet::message(outgoing.message().as_websocket_message()));
    packets.splice(close..close, messages);
    let response = payload_response(&state, query, &packets)?;
    drop(packets);
    let len = response.body().size_hint().lower();
    let worth_it = |threshold: usize| len >= u64::try_from(threshold).unwrap_or(u64::MAX);
    let response = match Encoding::accepted(request) {
        Some(encoding) if state.hub.config.http.compression_threshold.is_some_and(worth_it) => {
            compress(response, encoding).await
        }
        _ => response,
    };
    pending.answered = true;
    Ok(response)
}

/// A payload of these packets, in the form that this client takes. No cache may keep it.
///
/// # Errors
/// When the packets make no payload, which is logged. The session ends with its request: half of them, or forged ones,
/// are worse.
pub(crate) fn payload_response(
    state: &State,
    query: &Query,
    packets: &[Packet<'_>],
) -> Result<Response<Body>, Refusal> {
    // A script holds text only.
    let text_only = state.base64_only || query.jsonp.is_some();
    let encoded = encode(state.revision, text_only, packets);
    let (framing, payload) = encoded.map_err(|error| {
        tracing::error!(sid = %state.id.short(), %error, "a payload cannot be encoded: its session ends");
        Refusal::Internal
    })?;
    let content_type = if framing == Framing::Binary { BINARY } else { TEXT };
    Ok(match &query.jsonp {
        None => uncached(content_type, payload),
        Some(j) => uncached(TEXT, script(j, &payload)?),
    })
}

/// The script that hands `payload` to the function numbered `j`.
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

/// A payload of these packets, and its form.
///
/// # Errors
/// When a message holds what separates packets, which is refused where it is sent, or when a packet is longer than its
/// bound. Neither can be.
pub(crate) fn encode(
    revision: Revision,
    base64_only: bool,
    packets: &[Packet<'_>],
) -> Result<(Framing, Vec<u8>), EncodeError> {
    let framing = match revision {
        Revision::V4 => Framing::Text,
        Revision::V3 => Framing::of(packets, !base64_only),
    };
    let mut out = vec![0; packets.iter().map(|packet| packet_bound(revision, packet)).sum()];
    let len = match revision {
        Revision::V4 => {
            let mut encoder = payload::v4::Encoder::new(&mut out);
            packets.iter().try_for_each(|packet| encoder.push(packet))?;
            encoder.finish().len()
        }
        Revision::V3 => {
            let mut encoder = payload::v3::Encoder::new(framing, &mut out);
            packets.iter().try_for_each(|packet| encoder.push(packet))?;
            encoder.finish().len()
        }
    };
    out.truncate(len);
    Ok((framing, out))
}

/// Where in a message U+001E stands, which separates packets on polling in revision 4: it cannot be sent there.
pub(crate) fn separator(revision: Revision, message: &Message) -> Option<usize> {
    match revision {
        Revision::V4 => find_separator(&Packet::message(message.as_websocket_message())),
        Revision::V3 => None,
    }
}

/// At least what a packet takes in a payload: its longest form, and a separator or a length prefix.
pub(crate) fn packet_bound(revision: Revision, packet: &Packet<'_>) -> usize {
    let overhead = match revision {
        Revision::V4 => 1,
        Revision::V3 => 24,
    };
    revision.encoded_len(packet, false).max(revision.encoded_len(packet, true)) + overhead
}

/// Takes a payload from the client.
pub(crate) async fn post<B>(state: Arc<State>, query: &Query, request: &HeaderMap, body: B) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let Some(mut in_flight) = state.begin_post() else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let is_binary = request.get(header::CONTENT_TYPE).is_some_and(|value| value == BINARY);
    if is_binary && state.revision == Revision::V4 {
        in_flight.received = true;
        state.update(|inner, now| inner.session.handle_violation(now, Violation::ContentType));
        return empty(StatusCode::BAD_REQUEST);
    }
    // Whatever is read is kept, so nothing is read before there is room: a client that gives up its requests one after
    // the other fills no memory.
    poll_fn(|cx| state.poll_room_to_receive(cx)).await;
    let payload = match receive(&state, body).await {
        Ok(payload) => payload,
        Err(status) => {
            // The session outlives a payload that is too large: its client may send a smaller one.
            in_flight.received = status == StatusCode::PAYLOAD_TOO_LARGE;
            return empty(status);
        }
    };
    in_flight.received = true;
    let accepted = accept(&state, query, &payload, is_binary);
    state.expire();
    if !accepted {
        let mut response = empty(StatusCode::BAD_REQUEST);
        response.extensions_mut().insert(BodyRead);
        return response;
    }
    poll_fn(|cx| state.poll_room_to_answer(cx)).await;
    uncached(HTML, "ok")
}

/// The body of a request, or the status to refuse it with. One that announces too much is refused unread.
async fn receive<B>(state: &State, body: B) -> Result<Bytes, StatusCode>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let config = &state.hub.config;
    if body.size_hint().lower() > u64::from(config.settings.max_payload()) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let limit = usize::try_from(config.settings.max_payload()).unwrap_or(usize::MAX);
    let received = tokio::select! {
        biased;
        received = Limited::new(body, limit).collect() => received,
        // Nobody waits for the rest.
        _ = state.closed() => return Err(StatusCode::BAD_REQUEST),
        () = tokio::time::sleep(config.request_timeout) => return Err(StatusCode::REQUEST_TIMEOUT),
    };
    match received {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

/// Hands the packets of a payload to the session; `false` when it holds something that is no packet.
fn accept(state: &State, query: &Query, body: &[u8], is_binary: bool) -> bool {
    let mut form;
    let payload: &[u8] = if query.jsonp.is_some() {
        form = body.to_vec();
        // Without a payload it is as much of an error as with an empty one.
        jsonp::decode(&mut form).unwrap_or_default()
    } else {
        body
    };
    let max_packets = usize::try_from(state.hub.config.settings.max_packets()).unwrap_or(usize::MAX);
    state.update(|inner, now| {
        match state.revision {
            Revision::V4 => {
                for packet in payload::v4::decode(payload, max_packets) {
                    inner.handle_packet(now, packet, state);
                }
            }
            Revision::V3 => {
                let framing = if is_binary { Framing::Binary } else { Framing::Text };
                for packet in payload::v3::decode(framing, payload, max_packets) {
                    inner.handle_packet(now, packet, state);
                }
            }
        }
        inner.wake_answers();
        let reason = inner.session.end().map(|end| end.reason);
        reason.is_none_or(|reason| reason.as_str() != "parse error")
    })
}

#[cfg(test)]
mod tests {
    use eio_core::packet::WebSocketMessage;

    use super::*;

    #[test]
    fn a_text_that_would_forge_packets_is_in_no_payload_of_revision_4() {
        let packets = [
            Packet::PING,
            Packet::message(WebSocketMessage::Text("hi\u{1e}1")),
            Packet::message(WebSocketMessage::Text("ho")),
        ];
        assert_eq!(encode(Revision::V4, false, &packets), Err(EncodeError::Separator { at: 2 }));
        let (framing, payload) = encode(Revision::V3, false, &packets).unwrap();
        assert_eq!((framing, &*payload), (Framing::Text, &b"1:25:4hi\x1e13:4ho"[..]));
        let bytes = [Packet::message(WebSocketMessage::Binary(b"hi\x1e1"))];
        assert_eq!(encode(Revision::V4, false, &bytes).unwrap().1, b"baGkeMQ==");
    }
}
