//! The client's side: what its server did, and what it did itself.

use eio_core::Liveness;
use eio_core::packet::PacketType;

use super::Builder;
use crate::replay::plan::{End, Fact, JITTER, Plan, What, Window, WindowKind, heartbeat_of};
use crate::replay::transcript::{Body, Micros, Who};
use crate::replay::wire::{Outcome, decode_frame, each_packet, posted_payload, unwrap_jsonp};

impl Builder<'_> {
    /// The plan of the client's side, for the session that is the last to begin before `until`.
    pub(super) fn client(mut self, until: Micros) -> Plan {
        let wire = self.wire;
        let recording_ends = self.transcript.end();
        let mut ends = self.says.client_ends.iter().filter(|end| (wire.started..until).contains(&end.at));
        self.recorded.end = ends.find(|end| !self.left_a_namespace(end)).cloned();
        self.recorded.opened = self.says.client_opens.iter().any(|at| (wire.started..until).contains(at));
        let begins = wire.started;
        let upgraded = self.upgraded();
        for exchange in wire.polls.iter().chain(&wire.posts) {
            let refused = match &exchange.outcome {
                Some((at, Outcome::Response { status, .. })) if *status != 200 => Some(*at),
                _ => None,
            };
            if let Some(at) = refused.or_else(|| self.failed(exchange)) {
                self.tell(at, Fact::PollingFailed);
            }
        }
        for poll in &wire.polls {
            if let Some((at, Outcome::Response { status: 200, content_type, body })) = &poll.outcome
                && let Some(body) = unwrap_jsonp(body)
            {
                self.tell(*at, Fact::Payload { content_type: content_type.clone(), body });
            }
        }
        for socket in &wire.sockets {
            if let Some(opened) = socket.opened.filter(|_| !socket.direct) {
                self.tell(opened, Fact::Candidate { conn: socket.conn, matches: true });
            }
            if let Some(at) = socket.rejected {
                self.tell(at, Fact::SocketClosed { conn: socket.conn, failed: true });
            }
            for frame in socket.frames.iter().filter(|frame| frame.from == Who::Server && !frame.dropped) {
                self.tell(frame.at, Fact::Frame { conn: socket.conn, data: frame.data.clone() });
            }
            self.socket_end(socket);
        }
        self.paused(upgraded, recording_ends);
        for (at, by) in self.says.clock_steps.clone() {
            if (wire.started..until).contains(&at) {
                self.tell(at, Fact::ClockStep(by));
            }
        }
        self.said_by_client(begins, upgraded);
        self.closed_by_client();
        let (_, json) = wire.open_packet(self.revision).unwrap_or_default();
        let heartbeat = heartbeat_of(&json).unwrap_or_default();
        self.finish(Liveness::default(), heartbeat, begins, true, 10_000_000)
    }

    /// Socket.IO's client reports a session's end and the leaving of one namespace by the same word; after the latter the
    /// session's traffic goes on.
    fn left_a_namespace(&self, end: &End) -> bool {
        if !matches!(end.reason.as_deref(), Some("io client disconnect" | "io server disconnect")) {
            return false;
        }
        let requests = self.wire.polls.iter().chain(&self.wire.posts).map(|exchange| exchange.at);
        let frames = self.wire.sockets.iter().flat_map(|socket| &socket.frames).map(|frame| frame.at);
        requests.chain(frames).any(|at| at > end.at + JITTER)
    }

    /// Polling is paused when the last request before the recorded `5` was answered; without a `5`, as soon as no
    /// request is in flight.
    fn paused(&mut self, upgraded: Option<(Micros, u64)>, recording_ends: Micros) {
        let answers = self.server_probes();
        let Some(answered) = answers else { return };
        let requests = self.wire.polls.iter().chain(&self.wire.posts);
        let spans: Vec<_> = requests.map(|exchange| exchange.span(recording_ends + 1)).collect();
        let by = upgraded.map_or(answered, |(at, _)| at);
        let last = spans.iter().filter(|(from, _)| *from <= by).map(|(_, to)| *to).max();
        let paused = last.map_or(answered, |last| last.max(answered));
        if paused <= recording_ends {
            self.tell(paused, Fact::PollingPaused);
        }
    }

    /// When the server's `3probe` came in on a candidate.
    fn server_probes(&self) -> Option<Micros> {
        let candidates = self.wire.sockets.iter().filter(|socket| !socket.direct);
        let frames = candidates.flat_map(|socket| &socket.frames);
        frames.filter(|frame| frame.data == Body::Text("3probe".into())).map(|frame| frame.at).min()
    }

    /// What the client sent.
    fn said_by_client(&mut self, begins: Micros, upgraded: Option<(Micros, u64)>) {
        let wire = self.wire;
        for post in &wire.posts {
            let Some(body) = posted_payload(post) else { continue };
            let mut found = Vec::new();
            each_packet(self.revision, &post.content_type, &body, |packet| {
                found.extend(packet.map(|packet| packet.packet_type));
            });
            for packet_type in found {
                match packet_type {
                    PacketType::Ping => self.show(post.at, What::Ping),
                    PacketType::Pong => self.show(post.at, What::Pong),
                    PacketType::Close => self.show(post.at, What::Close),
                    _ => {}
                }
            }
        }
        let carrier = self.carrier(begins);
        for socket in &wire.sockets {
            let carries_from =
                carrier.filter(|(_, carrier)| carrier.conn == socket.conn).map(|(from, _)| from);
            for frame in socket.frames.iter().filter(|frame| frame.from == Who::Client) {
                let Some(Ok(packet)) = decode_frame(self.revision, &frame.data) else { continue };
                let is_candidate = carries_from.is_none_or(|from| from > frame.at);
                match packet.packet_type {
                    PacketType::Ping if is_candidate => self.show(frame.at, What::Probe(socket.conn)),
                    PacketType::Upgrade => self.show(frame.at, What::Upgrade(socket.conn)),
                    PacketType::Ping => self.show(frame.at, What::Ping),
                    PacketType::Pong => self.show(frame.at, What::Pong),
                    _ => {}
                }
            }
            if carries_from.is_some() {
                self.show_socket_end(socket);
            }
        }
        if !wire.polls.is_empty() {
            self.post_windows(upgraded);
        }
        self.add_carrier(carrier);
    }

    /// A client on polling can write while it has no post in flight, until an upgrade holds its packets back.
    fn post_windows(&mut self, upgraded: Option<(Micros, u64)>) {
        let recording_ends = self.transcript.end();
        let held = self.server_probes().filter(|_| self.wire.sockets.iter().any(|socket| !socket.direct));
        let given_up = self.wire.sockets.iter().filter(|socket| !socket.direct);
        let failed_before_answer = given_up.clone().any(|socket| {
            let first = socket.frames.iter().find(|frame| frame.from == Who::Server);
            first.is_some_and(|frame| frame.data != Body::Text("3probe".into()))
        });
        let until = match (held, upgraded) {
            (Some(held), _) if !failed_before_answer => held,
            _ => Micros::MAX,
        };
        let mut from = self.wire.started;
        for post in &self.wire.posts {
            if post.at <= until {
                self.recorded.windows.push(Window { from, to: post.at, kind: WindowKind::Request });
            }
            from = post.span(recording_ends).1;
        }
        if from <= until {
            self.recorded.windows.push(Window { from, to: until, kind: WindowKind::Request });
        }
    }

    /// The application's `close()`, to be seen from what the library said.
    fn closed_by_client(&mut self) {
        let Some(End { at, reason }) = self.recorded.end.clone() else { return };
        match reason.as_deref() {
            Some("forced close") => self.tell(at, Fact::Close { at_once: true }),
            Some("transport close" | "transport error" | "ping timeout") => {}
            // Socket.IO's own reasons: it closes the engine, on its own or because its namespace was left.
            _ => {
                let closed =
                    self.wire.sockets.iter().filter_map(|socket| socket.closed).map(|(closed, _)| closed);
                let at = closed.filter(|closed| (at..=at + JITTER).contains(closed)).min().unwrap_or(at);
                self.tell(at, Fact::Close { at_once: true });
                self.recorded.end = Some(End { at, reason: None });
            }
        }
    }
}
