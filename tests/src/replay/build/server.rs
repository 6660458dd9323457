//! The server's side: what its client did, and what it did itself.

use eio_core::Revision;
use eio_core::handshake::{Handshake, Transport};
use eio_core::packet::{Packet, PacketType};
use eio_core::session::Violation;

use super::Builder;
use crate::replay::plan::{End, Fact, JITTER, Plan, What, Window, WindowKind};
use crate::replay::transcript::{Body, Micros, Who};
use crate::replay::versions::Library;
use crate::replay::wire::{Exchange, Outcome, decode_frame, each_packet, posted_payload, unwrap_jsonp};

/// How long a reference server waits for a poll before it gives a `close()` up.
const CLOSE_TIMEOUT: Micros = 30_000_000;

impl Builder<'_> {
    /// The plan of the server's side, for a session that ended so.
    pub(super) fn server(mut self, library: Library, end: Option<End>) -> Result<Plan, String> {
        let (open_at, json) = self.wire.open_packet(self.revision).ok_or("no open packet")?;
        let handshake =
            Handshake::parse(&json).map_err(|error| format!("the server's open packet: {error}"))?;
        let connection =
            self.says.connections.iter().filter(|at| **at <= open_at && **at >= self.wire.started).max();
        let begins = connection.copied().unwrap_or(open_at);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of bytes or milliseconds"
        )]
        let option = |name: &str| self.transcript.number(name).map(|value| value as u64);
        let limit = option("maxHttpBufferSize")
            .or(handshake.max_payload.map(u64::from))
            .unwrap_or(library.max_payload());
        let upgrade_timeout = option("upgradeTimeout").unwrap_or(10_000) * 1_000;
        let offers_upgrade = handshake.upgrades.contains(Transport::WebSocket);

        self.recorded.end = end;
        self.polled(begins, limit);
        self.sockets_of_client(limit);
        self.said_by_server(begins);
        self.closed_by_server(begins, open_at);
        Ok(self.finish(library.liveness(), handshake.heartbeat, begins, offers_upgrade, upgrade_timeout))
    }

    /// The client's requests, as the server gets to know them.
    fn polled(&mut self, begins: Micros, limit: u64) {
        let wire = self.wire;
        let recording_ends = self.transcript.end();
        for (index, poll) in wire.polls.iter().enumerate() {
            let (from, to) = poll.span(recording_ends);
            let failed = self.failed_request(poll);
            if poll.at <= begins || poll.status().is_some_and(|status| status != 200 && status < 400) {
                continue;
            }
            let earlier = wire.polls.get(..index).unwrap_or_default();
            if earlier.iter().any(|earlier| earlier.span(recording_ends).1 > from) {
                self.tell(from, Fact::PollingViolation(Violation::OverlappingRequests));
            } else if poll.status().is_none_or(|status| status == 200) {
                self.tell(from, Fact::Poll);
                let (to, kind) = match (&poll.outcome, failed) {
                    (_, Some(failed)) => (failed, WindowKind::Lost),
                    (None, None) => (Micros::MAX, WindowKind::Request),
                    (Some((_, Outcome::Failed(_))), None) => (to, WindowKind::Lost),
                    (Some(_), None) => (to, WindowKind::Request),
                };
                self.recorded.windows.push(Window { from, to, kind });
            }
        }
        for (index, upload) in wire.posts.iter().enumerate() {
            let (from, to) = upload.span(recording_ends);
            self.failed_request(upload);
            let earlier = wire.posts.get(..index).unwrap_or_default();
            if earlier.iter().any(|earlier| earlier.span(recording_ends).1 > from) {
                self.tell(from, Fact::PollingViolation(Violation::OverlappingRequests));
            } else if self.revision == Revision::V4 && upload.content_type == "application/octet-stream" {
                self.tell(from, Fact::PollingViolation(Violation::ContentType));
            } else if upload.body.len() as u64 > limit {
                // With status 413 the session goes on as if nothing had come.
                if upload.status().is_none() {
                    self.tell(from, Fact::PollingViolation(Violation::PayloadTooLarge));
                }
            } else if upload.status() == Some(200)
                && let Some(body) = posted_payload(upload)
            {
                let at = if to - from > JITTER { to } else { from };
                self.tell(at, Fact::Payload { content_type: upload.content_type.clone(), body });
            }
        }
    }

    /// The client gave a request up, or its connection died.
    fn failed_request(&mut self, exchange: &Exchange) -> Option<Micros> {
        let failed = self.failed(exchange)?;
        self.tell(failed, Fact::PollingFailed);
        Some(failed)
    }

    fn sockets_of_client(&mut self, limit: u64) {
        let wire = self.wire;
        for socket in &wire.sockets {
            if let Some(opened) = socket.opened.filter(|_| !socket.direct) {
                let matches = socket.eio == wire.eio;
                self.tell(opened, Fact::Candidate { conn: socket.conn, matches });
            }
            for frame in socket.frames.iter().filter(|frame| frame.from == Who::Client && !frame.dropped) {
                if frame.data.len() as u64 > limit {
                    self.tell(frame.at, Fact::TooLarge { conn: socket.conn });
                } else {
                    self.tell(frame.at, Fact::Frame { conn: socket.conn, data: frame.data.clone() });
                }
            }
            self.socket_end(socket);
        }
    }

    /// What the server sent.
    fn said_by_server(&mut self, begins: Micros) {
        let wire = self.wire;
        let upgraded = self.upgraded();
        let carrier = self.carrier(begins);
        let probed: Vec<Micros> = self.probe_frames().collect();
        for poll in &wire.polls {
            let Some((at, Outcome::Response { status: 200, content_type, body })) = &poll.outcome else {
                continue;
            };
            let Some(body) = unwrap_jsonp(body) else { continue };
            let mut found = Vec::new();
            each_packet(self.revision, content_type, &body, |packet| {
                found.extend(packet.map(|p| p.packet_type));
            });
            for packet_type in found {
                let moved = upgraded.is_some_and(|(moved, _)| *at >= moved);
                match packet_type {
                    PacketType::Ping => self.show(*at, What::Ping),
                    PacketType::Pong => self.show(*at, What::Pong),
                    // The answer to a poll that an upgrade leaves behind is the transport's end, not the session's.
                    PacketType::Close if !moved => self.show(*at, What::Close),
                    // Outside an upgrade a noop is HTTP's way to answer a poll.
                    PacketType::Noop if probed.iter().any(|probe| probe < at) && !moved => {
                        self.show(*at, What::Noop);
                    }
                    _ => {}
                }
            }
        }
        for socket in &wire.sockets {
            for frame in socket.frames.iter().filter(|frame| frame.from == Who::Server) {
                let Some(Ok(packet)) = decode_frame(self.revision, &frame.data) else { continue };
                match packet.packet_type {
                    PacketType::Pong if packet == Packet::PONG_PROBE && !socket.direct => {
                        self.show(frame.at, What::ProbeAnswer(socket.conn));
                    }
                    PacketType::Ping => self.show(frame.at, What::Ping),
                    PacketType::Pong => self.show(frame.at, What::Pong),
                    _ => {}
                }
            }
            if carrier.is_some_and(|(_, carrier)| carrier.conn == socket.conn) {
                self.show_socket_end(socket);
            } else if let Some((at, Who::Server)) = socket.closed {
                self.show(at, What::CandidateClosed(socket.conn));
            }
        }
        self.add_carrier(carrier);
    }

    /// When a client's `2probe` came in on a candidate.
    fn probe_frames(&self) -> impl Iterator<Item = Micros> {
        let candidates = self.wire.sockets.iter().filter(|socket| !socket.direct);
        candidates.flat_map(|socket| {
            let probes = socket.frames.iter().filter(|frame| frame.data == Body::Text("2probe".into()));
            probes.map(|frame| frame.at)
        })
    }

    /// The application's `close()`: recorded as such, or to be seen from its effect.
    fn closed_by_server(&mut self, begins: Micros, open_at: Micros) {
        let Some(End { at: ended, reason: Some(reason) }) = self.recorded.end.clone() else { return };
        if !reason.starts_with("forced") {
            return;
        }
        if let Some(called) = self.says.server_closes.iter().find(|called| (begins..=ended).contains(called))
        {
            self.tell(*called, Fact::Close { at_once: false });
            return;
        }
        let timed_out = [open_at, ended.saturating_sub(CLOSE_TIMEOUT)]
            .into_iter()
            .find(|called| *called >= begins && ended.abs_diff(called + CLOSE_TIMEOUT) <= JITTER);
        match timed_out {
            // It waited for a poll in vain.
            Some(called) => self.tell(called, Fact::Close { at_once: false }),
            None => self.tell(ended, Fact::Close { at_once: true }),
        }
    }
}
