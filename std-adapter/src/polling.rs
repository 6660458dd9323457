//! Polls and requests with data of a session that exists.

use core::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use eio_core::packet::Packet;
use eio_core::payload::{self, jsonp, v3::Framing};
use eio_core::session::Violation;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::request::Query;
use crate::respond::{Body, empty, respond};
use crate::state::{PollAnswer, Revision, State};

const TEXT: &str = "text/plain; charset=UTF-8";
const BINARY: &str = "application/octet-stream";
const HTML: &str = "text/html";

/// Answers a poll as soon as there is something to say.
pub(crate) async fn get(state: Arc<State>, query: &Query) -> Response<Body> {
    if !state.begin_poll() {
        return empty(StatusCode::BAD_REQUEST);
    }
    let mut pending = PendingPoll { state: &state, answered: false };
    let PollAnswer { controls, messages } = poll_fn(|cx| state.poll_answer(cx)).await;
    pending.answered = true;
    let mut packets = controls;
    // A close packet, and the noop before it, stay behind the messages.
    let close = packets.iter().position(|packet| *packet == Packet::CLOSE).unwrap_or(packets.len());
    let messages = messages.iter().map(|outgoing| Packet::message(outgoing.message().as_frame()));
    packets.splice(close..close, messages);
    payload_response(&state, query, &packets)
}

/// A payload of these packets, in the form that this client takes.
pub(crate) fn payload_response(state: &State, query: &Query, packets: &[Packet<'_>]) -> Response<Body> {
    let (framing, payload) = encode(state.revision, state.base64_only, packets);
    let content_type = if framing == Framing::Binary { BINARY } else { TEXT };
    let Some(j) = &query.jsonp else { return respond(StatusCode::OK, content_type, payload) };
    let mut body = vec![0; payload.len()];
    let needed = match jsonp::encode(j, &payload, &mut body) {
        Ok(body) => return respond(StatusCode::OK, TEXT, body.to_vec()),
        Err(too_small) => too_small.needed,
    };
    body.resize(needed, 0);
    let body = jsonp::encode(j, &payload, &mut body).map(<[u8]>::to_vec).unwrap_or_default();
    respond(StatusCode::OK, TEXT, body)
}

/// A payload of these packets, and its form.
pub(crate) fn encode(revision: Revision, base64_only: bool, packets: &[Packet<'_>]) -> (Framing, Vec<u8>) {
    let framing = match revision {
        Revision::V4 => Framing::Text,
        Revision::V3 => Framing::of(packets, !base64_only),
    };
    let mut out = vec![0; packets.iter().map(|packet| packet_bound(revision, packet)).sum()];
    let len = match revision {
        Revision::V4 => {
            let mut encoder = payload::v4::Encoder::new(&mut out);
            let fits = packets.iter().all(|packet| encoder.push(packet).is_ok());
            debug_assert!(fits, "the buffer was measured");
            encoder.finish().len()
        }
        Revision::V3 => {
            let mut encoder = payload::v3::Encoder::new(framing, &mut out);
            let fits = packets.iter().all(|packet| encoder.push(packet).is_ok());
            debug_assert!(fits, "the buffer was measured");
            encoder.finish().len()
        }
    };
    out.truncate(len);
    (framing, out)
}

/// At least what a packet takes in a payload: its longest form, and a separator or a length prefix.
pub(crate) fn packet_bound(revision: Revision, packet: &Packet<'_>) -> usize {
    let overhead = match revision {
        Revision::V4 => 1,
        Revision::V3 => 24,
    };
    revision.encoded_len(packet, false).max(revision.encoded_len(packet, true)) + overhead
}

/// A client that goes away with its poll unanswered has lost what the answer would have held.
struct PendingPoll<'a> {
    state: &'a State,
    answered: bool,
}

impl Drop for PendingPoll<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.state.abort_poll();
        }
    }
}

/// Takes a payload from the client.
pub(crate) async fn post<B>(state: Arc<State>, query: &Query, parts: &Parts, body: B) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !state.begin_post() {
        return empty(StatusCode::BAD_REQUEST);
    }
    let mut in_flight = PostInFlight { state: &state, received: false };
    let is_binary = parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| value == BINARY);
    if is_binary && state.revision == Revision::V4 {
        in_flight.received = true;
        state.update(|inner, now| inner.session.handle_violation(now, Violation::ContentType));
        return empty(StatusCode::BAD_REQUEST);
    }
    let limit = usize::try_from(state.hub.config.max_payload).unwrap_or(usize::MAX);
    let collected = Limited::new(body, limit).collect();
    let body = match tokio::time::timeout(state.hub.config.request_timeout, collected).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            in_flight.received = true;
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Ok(Err(_)) => return empty(StatusCode::BAD_REQUEST),
        Err(_) => return empty(StatusCode::REQUEST_TIMEOUT),
    };
    in_flight.received = true;
    if !accept(&state, query, body, is_binary) {
        return empty(StatusCode::BAD_REQUEST);
    }
    poll_fn(|cx| state.poll_room_for_post(cx)).await;
    let mut response = respond(StatusCode::OK, HTML, "ok");
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Hands the packets of a payload to the session; `false` when it holds something that ended the session.
fn accept(state: &State, query: &Query, body: Bytes, is_binary: bool) -> bool {
    let mut form;
    let payload: &[u8] = if query.jsonp.is_some() {
        form = body.to_vec();
        jsonp::decode(&mut form).unwrap_or_default()
    } else {
        &body
    };
    let max_packets = state.hub.config.max_packets;
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
        let reason = inner.session.disconnect().map(|end| end.reason);
        !reason.is_some_and(|reason| reason.as_str() == "parse error" || reason.as_str() == "transport error")
    })
}

/// A client that goes away in the middle of its payload has lost a part of it.
struct PostInFlight<'a> {
    state: &'a State,
    received: bool,
}

impl Drop for PostInFlight<'_> {
    fn drop(&mut self) {
        self.state.end_post(!self.received);
    }
}
