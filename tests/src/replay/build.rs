//! From a recording's traffic to plans: which machines take part, what they are told, and what they should do.

use eio_core::handshake::{Handshake, Transport};
use eio_core::packet::{Packet, PacketType};
use eio_core::session::Violation;
use eio_core::{Heartbeat, Liveness};

use super::plan::{
    Emission, End, Fact, Input, JITTER, Plan, Recorded, Role, What, Window, WindowKind, heartbeat_of,
};
use super::transcript::{Body, Kind, Micros, Transcript, Who};
use super::unheard;
use super::versions::{self, Library};
use super::wire::{
    Exchange, Outcome, Revision, Socket, Wire, decode_frame, each_packet, posted_payload, unwrap_jsonp,
};

/// How long a reference server waits for a poll before it gives a `close()` up.
const CLOSE_TIMEOUT: Micros = 30_000_000;

/// The plans of every session that opened, or began to, for each side that was a library.
pub(crate) fn plans(transcript: &Transcript) -> Result<Vec<Plan>, String> {
    let server = versions::library(&transcript.server);
    let client = versions::library(&transcript.client);
    let mut plans = Vec::new();
    let mut wires = Wire::of(transcript);
    let says = Says::of(transcript);
    let nothing_recorded = wires.is_empty();
    if let Some(library) = server {
        wires.retain(|wire| wire.open_packet(versions::revision(server, &wire.eio)).is_some());
        let ends = says.server_ends(&wires);
        for (wire, end) in wires.iter().zip(ends) {
            plans.push(
                Builder::new(transcript, wire, &says, Role::Server, Some(library)).server(library, end)?,
            );
        }
        if nothing_recorded {
            plans.extend(unheard::server(transcript, &says, library)?);
        }
    }
    if client.is_some() {
        if nothing_recorded {
            plans.extend(unheard::client(transcript, &says));
        }
        for (index, wire) in wires.iter().enumerate() {
            let until = wires.get(index + 1).map_or(Micros::MAX, |next| next.started);
            plans.push(Builder::new(transcript, wire, &says, Role::Client, server).client(until));
        }
    }
    Ok(plans)
}

/// What the libraries and the script said about the sessions, without naming them.
pub(crate) struct Says {
    pub(crate) connections: Vec<Micros>,
    pub(crate) server_ends: Vec<(Micros, Option<String>)>,
    pub(crate) client_ends: Vec<(Micros, Option<String>)>,
    client_opens: Vec<Micros>,
    /// When the server's application called `close`.
    server_closes: Vec<Micros>,
    clock_steps: Vec<(Micros, Micros)>,
    pub(crate) blocked: Vec<(Micros, Micros)>,
    /// From when on what somebody sends is lost.
    cut: Vec<(Micros, Who)>,
    /// When a request's connection was destroyed, and by whom.
    destroyed: Vec<(Micros, Who, u64)>,
}

impl Says {
    fn of(transcript: &Transcript) -> Self {
        let mut says = Self {
            connections: Vec::new(),
            server_ends: Vec::new(),
            client_ends: Vec::new(),
            client_opens: Vec::new(),
            server_closes: Vec::new(),
            clock_steps: Vec::new(),
            blocked: Vec::new(),
            cut: Vec::new(),
            destroyed: Vec::new(),
        };
        let socket_io = versions::is_socket_io(&transcript.server);
        for event in &transcript.events {
            match (&event.kind, event.who) {
                (Kind::Api { event: name, args }, who) => {
                    let reason = args["reason"].as_str().map(str::to_owned);
                    match (name.as_str(), who) {
                        ("connection", Who::Server) if !socket_io => says.connections.push(event.at),
                        ("engine connection", Who::Server) => says.connections.push(event.at),
                        ("close", Who::Server) if !socket_io => says.server_ends.push((event.at, reason)),
                        ("engine close", Who::Server) => says.server_ends.push((event.at, reason)),
                        ("close" | "disconnect", Who::Client) => says.client_ends.push((event.at, reason)),
                        ("open" | "connect", Who::Client) => says.client_opens.push(event.at),
                        _ => {}
                    }
                }
                (Kind::Said(text), who) => says.hear(event.at, who, text),
                _ => {}
            }
        }
        says
    }

    fn hear(&mut self, at: Micros, who: Who, text: &str) {
        if who == Who::Server && text.contains("close()") {
            self.server_closes.push(at);
        } else if text.contains("advanced by") {
            self.clock_steps.extend(duration_in(text).map(|by| (at, by)));
        } else if text.contains("unblocked") {
            if let Some(last) = self.blocked.last_mut() {
                last.1 = at;
            }
        } else if text.contains("block") {
            self.blocked.extend(duration_in(text).map(|by| (at, at + by)));
        } else if text.contains("dropped from here") {
            let one_way = [("client to server", Who::Client), ("server to client", Who::Server)];
            let one_way = one_way.into_iter().find(|(words, _)| text.contains(words)).map(|(_, who)| who);
            let lost =
                [Who::Client, Who::Server].into_iter().filter(|who| one_way.is_none_or(|only| only == *who));
            self.cut.extend(lost.map(|who| (at, who)));
        } else if let Some((_, id)) = text.split_once("destroys TCP connection of request ") {
            self.destroyed.extend(id.trim().parse().ok().map(|id| (at, who, id)));
        }
    }

    /// Whether what `who` sends at `at` is lost.
    fn is_cut(&self, who: Who, at: Micros) -> bool {
        self.cut.iter().any(|(from, sender)| *sender == who && *from <= at)
    }

    /// Whose end each recorded end is: that of the session with traffic nearest to it. Of those that ended already,
    /// none.
    fn server_ends(&self, wires: &[Wire]) -> Vec<Option<(Micros, Option<String>)>> {
        let mut ends = vec![None; wires.len()];
        for (at, reason) in &self.server_ends {
            let open = wires
                .iter()
                .enumerate()
                .filter(|(index, wire)| ends.get(*index).is_some_and(Option::is_none) && wire.started <= *at);
            if let Some((index, _)) = open.min_by_key(|(_, wire)| wire.distance(*at))
                && let Some(end) = ends.get_mut(index)
            {
                *end = Some((*at, reason.clone()));
            }
        }
        ends
    }
}

impl Wire {
    /// From `at` to this session's nearest event.
    fn distance(&self, at: Micros) -> Micros {
        let exchanges = self.polls.iter().chain(&self.posts);
        let requests =
            exchanges.flat_map(|exchange| [Some(exchange.at), exchange.outcome.as_ref().map(|(at, _)| *at)]);
        let sockets = self.sockets.iter().flat_map(|socket| {
            let frames = socket.frames.iter().map(|frame| Some(frame.at));
            frames.chain([Some(socket.at), socket.closed.map(|(at, _)| at)])
        });
        requests.chain(sockets).flatten().map(|event| event.abs_diff(at)).min().unwrap_or(Micros::MAX)
    }
}

/// A number and its unit in what a script said: `1000 ms`, `10 s`, `1 h`.
fn duration_in(text: &str) -> Option<Micros> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let [number, unit] = pair else { return None };
        let number: u64 = number.parse().ok()?;
        let unit = match unit.trim_end_matches(['s', '.', ',', ';']) {
            "m" | "ms" if unit.starts_with("ms") => 1_000,
            "" | "sec" | "second" => 1_000_000,
            "min" | "minute" => 60_000_000,
            "h" | "hour" => 3_600_000_000,
            _ => return None,
        };
        number.checked_mul(unit)
    })
}

struct Builder<'t> {
    transcript: &'t Transcript,
    wire: &'t Wire,
    says: &'t Says,
    role: Role,
    revision: Revision,
    inputs: Vec<Input>,
    recorded: Recorded,
}

impl<'t> Builder<'t> {
    fn new(
        transcript: &'t Transcript,
        wire: &'t Wire,
        says: &'t Says,
        role: Role,
        server: Option<Library>,
    ) -> Self {
        Self {
            transcript,
            wire,
            says,
            role,
            revision: versions::revision(server, &wire.eio),
            inputs: Vec::new(),
            recorded: Recorded::default(),
        }
    }

    fn tell(&mut self, at: Micros, fact: Fact) {
        self.inputs.push(Input { at, fact });
    }

    fn show(&mut self, at: Micros, what: What) {
        self.recorded.emissions.push(Emission { at, what, optional: false });
    }

    fn me(&self) -> Who {
        match self.role {
            Role::Server => Who::Server,
            Role::Client => Who::Client,
        }
    }

    /// When the session moved to a candidate in the recording: the client's `5`.
    fn upgraded(&self) -> Option<(Micros, u64)> {
        let candidates = self.wire.sockets.iter().filter(|socket| !socket.direct && socket.opened.is_some());
        let fives = candidates.flat_map(|socket| {
            let fives = socket.frames.iter().filter(|frame| {
                let packet = decode_frame(self.revision, &frame.data).and_then(Result::ok);
                frame.from == Who::Client
                    && packet.is_some_and(|packet| packet.packet_type == PacketType::Upgrade)
            });
            fives.map(|frame| (frame.at, socket.conn))
        });
        fives.min()
    }

    /// The WebSockets that carry the session at some time: from when, and which.
    fn carriers(&self, begins: Micros) -> Option<(Micros, &'t Socket)> {
        let direct = self.wire.sockets.iter().find(|socket| socket.direct);
        direct.map(|socket| (begins, socket)).or_else(|| {
            let (at, conn) = self.upgraded()?;
            self.wire.sockets.iter().find(|socket| socket.conn == conn).map(|socket| (at, socket))
        })
    }

    fn server(mut self, library: Library, end: Option<(Micros, Option<String>)>) -> Result<Plan, String> {
        let (open_at, json) = self.wire.open_packet(self.revision).ok_or("no open packet")?;
        let heartbeat = heartbeat_of(&json).map_err(|error| format!("the server's open packet: {error}"))?;
        let handshake = Handshake::parse(&json).map_err(|error| error.to_string())?;
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

        self.polled(begins, limit);
        self.sockets_of_client(limit, end.as_ref());
        self.said_by_server(begins, end.as_ref());
        self.closed_by_server(begins, open_at, end.as_ref());
        self.recorded.end = end.map(|(at, reason)| End { at, reason });
        Ok(self.finish(library.liveness(), heartbeat, begins, offers_upgrade, upgrade_timeout))
    }

    /// The client's requests, as the server gets to know them.
    fn polled(&mut self, begins: Micros, limit: u64) {
        let wire = self.wire;
        let recording_ends = self.transcript.end();
        for (index, poll) in wire.polls.iter().enumerate() {
            let (from, to) = poll.span(recording_ends);
            self.failed_request(poll);
            if poll.at <= begins || poll.status().is_some_and(|status| status != 200 && status < 400) {
                continue;
            }
            let earlier = wire.polls.get(..index).unwrap_or_default();
            if earlier.iter().any(|earlier| earlier.span(recording_ends).1 > from) {
                self.tell(from, Fact::PollingViolation(Violation::OverlappingRequests));
            } else if poll.status().is_none_or(|status| status == 200) {
                self.tell(from, Fact::Poll);
                let (to, kind) = match poll.outcome {
                    None => (Micros::MAX, WindowKind::Request),
                    Some((_, Outcome::Failed(_))) => (to, WindowKind::Lost),
                    Some(_) => (to, WindowKind::Request),
                };
                self.recorded.windows.push(Window { from, to, kind });
            }
        }
        for (index, post) in wire.posts.iter().enumerate() {
            let (from, to) = post.span(recording_ends);
            self.failed_request(post);
            let earlier = wire.posts.get(..index).unwrap_or_default();
            if earlier.iter().any(|earlier| earlier.span(recording_ends).1 > from) {
                self.tell(from, Fact::PollingViolation(Violation::OverlappingRequests));
            } else if self.revision == Revision::V4 && post.content_type == "application/octet-stream" {
                self.tell(from, Fact::PollingViolation(Violation::ContentType));
            } else if post.body.len() as u64 > limit {
                // With status 413 the session goes on as if nothing had come.
                if post.status().is_none() {
                    self.tell(from, Fact::PollingViolation(Violation::PayloadTooLarge));
                }
            } else if post.status() == Some(200)
                && let Some(body) = posted_payload(post)
            {
                let at = if to - from > JITTER { to } else { from };
                self.tell(at, Fact::Payload { content_type: post.content_type.clone(), body });
            }
        }
    }

    /// The client gave a request up.
    fn failed_request(&mut self, exchange: &Exchange) {
        if let Some((at, Outcome::Failed(Who::Client | Who::Observer))) = exchange.outcome {
            let destroyed =
                self.says.destroyed.iter().find(|(_, who, id)| *who != Who::Server && *id == exchange.id);
            let at = destroyed.map_or(at, |(destroyed, ..)| *destroyed);
            self.tell(at, Fact::PollingFailed);
        }
    }

    fn sockets_of_client(&mut self, limit: u64, end: Option<&(Micros, Option<String>)>) {
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
            self.socket_end(socket, end);
        }
    }

    /// The peer ended a WebSocket. What is recorded is the end of the closing handshake, which the reference may have
    /// reported before. If the reference names another cause for its end, it had not noticed.
    fn socket_end(&mut self, socket: &Socket, end: Option<&(Micros, Option<String>)>) {
        let Some((at, who)) = socket.closed else { return };
        let reason = end.and_then(|(_, reason)| reason.as_deref());
        let noticed = !matches!(reason, Some("ping timeout" | "forced close" | "parse error"));
        if (who == self.me() && !self.died(at, end)) || !noticed || self.says.is_cut(who, at) {
            return;
        }
        let reported = end.filter(|(reported, reason)| {
            reason.as_deref() == Some("transport close") && *reported <= at && *reported + JITTER >= at
        });
        let at = reported.map_or(at, |(reported, _)| *reported);
        self.tell(at, Fact::SocketClosed { conn: socket.conn, failed: false });
    }

    /// Whether a WebSocket that ended at `at` did so by itself, whoever is said to have ended it.
    fn died(&self, at: Micros, end: Option<&(Micros, Option<String>)>) -> bool {
        end.is_some_and(|(reported, reason)| {
            reason.as_deref() == Some("transport close") && reported.abs_diff(at) <= JITTER
        })
    }

    /// What the server sent.
    fn said_by_server(&mut self, begins: Micros, end: Option<&(Micros, Option<String>)>) {
        let wire = self.wire;
        let upgraded = self.upgraded();
        let carrier = self.carriers(begins);
        let probed: Vec<Micros> = self.probe_frames().collect();
        for poll in &wire.polls {
            let Some((at, Outcome::Response { status: 200, content_type, body })) = &poll.outcome else {
                continue;
            };
            let Some(body) = unwrap_jsonp(body) else { continue };
            let mut found = Vec::new();
            each_packet(self.revision, content_type, &body, |packet| {
                found.extend(packet.map(|p| p.packet_type))
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
                        self.recorded.emissions.push(Emission { at: *at, what: What::Noop, optional: false });
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
            let carries = carrier.is_some_and(|(_, carrier)| carrier.conn == socket.conn);
            if let Some((at, who)) = socket.closed {
                if carries {
                    let optional = who != Who::Server || self.died(at, end);
                    self.recorded.emissions.push(Emission { at, what: What::Close, optional });
                } else if who == Who::Server {
                    self.show(at, What::CandidateClosed(socket.conn));
                }
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

    fn add_carrier(&mut self, carrier: Option<(Micros, &Socket)>) {
        if let Some((from, socket)) = carrier {
            let to = socket.closed.map_or(Micros::MAX, |(at, _)| at);
            self.recorded.windows.push(Window { from, to, kind: WindowKind::Socket });
        }
    }

    /// The application's `close()`: recorded as such, or to be seen from its effect.
    fn closed_by_server(&mut self, begins: Micros, open_at: Micros, end: Option<&(Micros, Option<String>)>) {
        let forced =
            end.filter(|(_, reason)| reason.as_deref().is_some_and(|reason| reason.starts_with("forced")));
        let Some((ended, _)) = forced.cloned() else { return };
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

    fn client(mut self, until: Micros) -> Plan {
        let wire = self.wire;
        let recording_ends = self.transcript.end();
        let end = self.says.client_ends.iter().find(|(at, _)| (wire.started..until).contains(at)).cloned();
        self.recorded.opened = self.says.client_opens.iter().any(|at| (wire.started..until).contains(at));
        let begins = wire.started;
        let upgraded = self.upgraded();
        for exchange in wire.polls.iter().chain(&wire.posts) {
            match &exchange.outcome {
                Some((at, Outcome::Failed(_))) => self.tell(*at, Fact::PollingFailed),
                Some((at, Outcome::Response { status, .. })) if *status != 200 => {
                    self.tell(*at, Fact::PollingFailed)
                }
                _ => {}
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
            self.socket_end(socket, end.as_ref());
        }
        self.paused(upgraded, recording_ends);
        for (at, by) in self.says.clock_steps.clone() {
            if (wire.started..until).contains(&at) {
                self.tell(at, Fact::ClockStep(by));
            }
        }
        self.said_by_client(begins, upgraded, end.as_ref());
        self.closed_by_client(end.as_ref());
        let (_, json) = wire.open_packet(self.revision).unwrap_or_default();
        let heartbeat = heartbeat_of(&json).unwrap_or_default();
        self.finish(Liveness::default(), heartbeat, begins, true, 10_000_000)
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
    fn said_by_client(
        &mut self,
        begins: Micros,
        upgraded: Option<(Micros, u64)>,
        end: Option<&(Micros, Option<String>)>,
    ) {
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
        let carrier = self.carriers(begins);
        for socket in &wire.sockets {
            let carries = carrier.filter(|(_, carrier)| carrier.conn == socket.conn);
            for frame in socket.frames.iter().filter(|frame| frame.from == Who::Client) {
                let Some(Ok(packet)) = decode_frame(self.revision, &frame.data) else { continue };
                let carries = carries.is_some_and(|(from, _)| from <= frame.at);
                match packet.packet_type {
                    PacketType::Ping if !carries => self.show(frame.at, What::Probe(socket.conn)),
                    PacketType::Upgrade => self.show(frame.at, What::Upgrade(socket.conn)),
                    PacketType::Ping => self.show(frame.at, What::Ping),
                    PacketType::Pong => self.show(frame.at, What::Pong),
                    _ => {}
                }
            }
            if let (Some(_), Some((at, who))) = (carries, socket.closed) {
                let optional = who != Who::Client || self.died(at, end);
                self.recorded.emissions.push(Emission { at, what: What::Close, optional });
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
    fn closed_by_client(&mut self, end: Option<&(Micros, Option<String>)>) {
        let Some((at, reason)) = end else { return };
        match reason.as_deref() {
            Some("forced close") => {
                self.tell(*at, Fact::Close { at_once: true });
                self.recorded.end = Some(End { at: *at, reason: reason.clone() });
            }
            Some("transport close" | "transport error" | "ping timeout") => {
                self.recorded.end = Some(End { at: *at, reason: reason.clone() });
            }
            // Socket.IO's own reasons: it closes the engine, on its own or because its namespace was left.
            _ => {
                let closed = self.wire.sockets.iter().filter_map(|socket| socket.closed);
                let closed =
                    closed.map(|(closed, _)| closed).find(|closed| closed >= at && *closed <= at + JITTER);
                self.tell(closed.unwrap_or(*at), Fact::Close { at_once: true });
                self.recorded.end = Some(End { at: closed.unwrap_or(*at), reason: None });
            }
        }
    }

    fn finish(
        mut self,
        liveness: Liveness,
        heartbeat: Heartbeat,
        begins: Micros,
        offers_upgrade: bool,
        upgrade_timeout: Micros,
    ) -> Plan {
        self.inputs.sort_by_key(|input| input.at);
        self.recorded.emissions.sort_by_key(|emission| emission.at);
        self.recorded.windows.sort_by_key(|window| window.from);
        Plan {
            role: self.role,
            revision: self.revision,
            liveness,
            heartbeat,
            begins,
            ends: self.transcript.end(),
            direct: self.wire.sockets.iter().find(|socket| socket.direct).map(|socket| socket.conn),
            offers_upgrade,
            upgrade_timeout,
            inputs: self.inputs,
            blocked: self.says.blocked.clone(),
            recorded: self.recorded,
        }
    }
}
