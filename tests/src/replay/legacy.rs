//! Socket.IO 0.9: its machines stand alone, without a session around them, so their driver is here.
//!
//! What ends a session from outside (a disconnect packet, the connection, the application) ends the machine too; only
//! heartbeats, their echoes, the answers to polls that waited in vain, and timeouts are the machine's own.

mod namespaces;

use core::time::Duration;

use eio_core::Instant;
use eio_legacy::handshake::LegacyHandshake;
use eio_legacy::packet::{LegacyPacket, PacketBody};
use eio_legacy::payload;
use eio_legacy::timers::{ClientTimers, PollingServerTimers, ServerPeriods, ServerTimers, TimerEvent};

use super::judge::{Performed, compare};
use super::plan::{Emission, End, GRAIN, JITTER, Recorded, What, Window, WindowKind};
use super::transcript::{Body, Kind, Micros, Transcript, Who};
use super::{Report, Verdict, describe, unreadable};

/// One side of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    inputs: Vec<(Micros, Fact)>,
    recorded: Recorded,
    begins: Micros,
    ends: Micros,
    /// A client whose handshake said that there are no heartbeats.
    without_heartbeats: bool,
}

/// What a machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Heartbeat,
    OtherPacket,
    Poll,
    Answered,
    /// Something outside the machine ended the session.
    End,
}

/// Any of the machines.
enum Machine {
    Socket(ServerTimers),
    Polling(PollingServerTimers),
    Client(ClientTimers),
}

/// Replays a recording of this generation.
pub(super) fn replay(name: String, transcript: &Transcript) -> Report {
    let sides = match sides(transcript) {
        Ok(sides) => sides,
        Err(error) => return unreadable(name, error),
    };
    let mut report = unreadable(name, String::new());
    report.verdict = Verdict::Agrees;
    report.sides = sides.len();
    if sides.is_empty() {
        report.notes.push("no session began: nothing was to be sent, and nothing was".into());
    }
    for (machine, side) in sides {
        let performed = drive(machine, &side);
        let (spread, difference) = compare(&side.recorded, side.ends, &performed);
        report.spread.absorb(spread);
        match difference {
            None => {}
            // Without heartbeats the reference client sets a timer of zero; ours has its close timeout.
            Some(_)
                if side.gave_up_at_once()
                    && performed.end.is_none_or(|(at, _)| at >= side.begins + JITTER) =>
            {
                report.verdict = Verdict::Excepted(vec!["rule 2"]);
            }
            Some(difference) => {
                report.verdict = Verdict::Differs(describe(&difference.kind));
                break;
            }
        }
    }
    report
}

impl Side {
    /// A client without heartbeats ended as soon as it was connected.
    fn gave_up_at_once(&self) -> bool {
        let connected = self.recorded.windows.first().map_or(self.begins, |window| window.from);
        let end = self.recorded.end.as_ref().map(|end| end.at);
        self.without_heartbeats && end.is_some_and(|end| end <= connected.max(self.begins) + JITTER)
    }
}

fn drive(mut machine: Machine, side: &Side) -> Performed {
    let mut ours = Performed::default();
    for (at, fact) in side.inputs.iter().copied() {
        wake_until(&mut machine, side, at, &mut ours);
        if ours.end.is_some() {
            break;
        }
        let now = Instant::from_micros(at);
        match (&mut machine, fact) {
            (Machine::Socket(server), Fact::Heartbeat) => server.handle_heartbeat(now),
            (Machine::Polling(server), Fact::Poll) => server.handle_poll(now),
            (Machine::Polling(server), Fact::Answered) => server.handle_answered(now),
            (Machine::Client(client), Fact::Heartbeat) => {
                client.handle_packet(now);
                ours.emissions.push((at, What::Pong));
            }
            (Machine::Client(client), Fact::OtherPacket) => client.handle_packet(now),
            (machine, Fact::End) => {
                match machine {
                    Machine::Socket(server) => server.end(),
                    Machine::Polling(server) => server.end(),
                    Machine::Client(client) => client.end(),
                }
                ours.end = Some((at, "outside"));
                break;
            }
            _ => {}
        }
    }
    wake_until(&mut machine, side, side.ends + GRAIN, &mut ours);
    ours
}

/// Lets everything happen that is due before `limit`; a heartbeat that the recording sent a little late is sent then.
fn wake_until(machine: &mut Machine, side: &Side, limit: Micros, ours: &mut Performed) {
    loop {
        let deadline = match machine {
            Machine::Socket(server) => server.poll_timeout(),
            Machine::Polling(server) => server.poll_timeout(),
            Machine::Client(client) => client.poll_timeout(),
        };
        let Some(due) = deadline.map(Instant::as_micros) else { return };
        let nth = ours.emissions.len();
        let recorded =
            side.recorded.emissions.iter().filter(|e| matches!(e.what, What::Ping | What::Noop)).nth(nth);
        let sent = recorded.map(|emission| emission.at).filter(|at| at + GRAIN >= due && *at <= due + JITTER);
        let wake = sent.unwrap_or(due);
        if wake > limit || (wake == limit && sent.is_none()) {
            return;
        }
        let now = Instant::from_micros(wake.max(due));
        let happened = match machine {
            Machine::Socket(server) => server.handle_timeout(now),
            Machine::Polling(server) => server.handle_timeout(now),
            Machine::Client(client) => client.handle_timeout(now),
        };
        match happened {
            Some(TimerEvent::Heartbeat) => ours.emissions.push((due, What::Ping)),
            Some(TimerEvent::Noop) => ours.emissions.push((due, What::Noop)),
            Some(TimerEvent::HeartbeatTimeout) => ours.end = Some((due, "heartbeat timeout")),
            Some(TimerEvent::CloseTimeout) => ours.end = Some((due, "close timeout")),
            _ => return,
        }
    }
}

/// A session's name and transport in a request's path: `/socket.io/1/<transport>/<sid>`.
fn session_of(url: &str) -> Option<(&str, &str)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parts = path.strip_prefix("/socket.io/1/")?.split('/');
    let (transport, sid) = (parts.next()?, parts.next()?);
    (!sid.is_empty() && !query.contains("disconnect=1")).then_some((transport, sid))
}

/// The sides that libraries took, with their machines.
fn sides(transcript: &Transcript) -> Result<Vec<(Machine, Side)>, String> {
    let tests_server = transcript.server.starts_with("socket.io");
    let mut sides = Vec::new();
    let handshakes = handshakes(transcript);
    for (index, (at, body)) in handshakes.iter().enumerate() {
        let Ok(handshake) = LegacyHandshake::decode(body) else { continue };
        let until = handshakes.get(index + 1).map_or(Micros::MAX, |(next, _)| *next);
        let reader = Reader { transcript, sid: handshake.sid(), until, is_server: tests_server };
        let side = if tests_server { reader.server(&handshake)? } else { reader.client(*at, &handshake)? };
        sides.extend(side);
    }
    Ok(sides)
}

/// The answers to requests for a handshake.
fn handshakes(transcript: &Transcript) -> Vec<(Micros, String)> {
    let mut asked = Vec::new();
    let mut found = Vec::new();
    for event in &transcript.events {
        match &event.kind {
            Kind::Request { id, url, .. } => {
                let path = url.split('?').next().unwrap_or_default();
                if matches!(path, "/socket.io/1/" | "/socket.io/1") {
                    asked.push(*id);
                }
            }
            Kind::Response { id, status: 200, body: Body::Text(text), .. } if asked.contains(id) => {
                let jsonp = text.split_once("](").and_then(|(_, call)| call.strip_suffix(");"));
                let text =
                    jsonp.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_else(|| text.clone());
                found.push((event.at, text));
            }
            _ => {}
        }
    }
    found
}

struct Reader<'r> {
    transcript: &'r Transcript,
    sid: &'r str,
    /// When the next session of the recording begins.
    until: Micros,
    is_server: bool,
}

impl Reader<'_> {
    /// The traffic of one session, sorted into what its machine is told and what the recording shows.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn read(&self) -> Side {
        let mut side = Side { ends: self.transcript.end(), begins: Micros::MAX, ..Side::default() };
        let mut conns = Vec::new();
        let mut requests: Vec<(u64, bool, Micros)> = Vec::new();
        let mut first_poll = None;
        for event in &self.transcript.events {
            let at = event.at;
            match &event.kind {
                Kind::Connect { conn, url } if self.owns(url) => {
                    conns.push(*conn);
                    side.begins = side.begins.min(at);
                    side.recorded.windows.push(Window {
                        from: at,
                        to: Micros::MAX,
                        kind: WindowKind::Socket,
                    });
                }
                Kind::Frame { conn, data: Body::Text(text), dropped } if conns.contains(conn) => {
                    self.packet(&mut side, at, event.who, text, *dropped);
                }
                Kind::Frame { conn, .. } if conns.contains(conn) => {}
                Kind::Closed { conn }
                    if conns.contains(conn) && (event.who == Who::Server) != self.is_server =>
                {
                    side.inputs.push((at, Fact::End));
                }
                Kind::Request { id, method, url, body, .. } if self.owns(url) => {
                    let is_poll = method == "GET";
                    requests.push((*id, is_poll, at));
                    if is_poll && self.is_server && first_poll.is_some() {
                        side.inputs.push((at, Fact::Poll));
                    }
                    if let (false, true, Body::Text(text)) = (is_poll, self.is_server, body) {
                        self.payload(&mut side, at, Who::Client, text);
                    }
                }
                Kind::Response { id, body, .. } => {
                    let Some((_, true, from)) = requests.iter().find(|(known, ..)| known == id).copied()
                    else {
                        continue;
                    };
                    let Body::Text(text) = body else { continue };
                    if self.is_server && first_poll.is_none() {
                        first_poll = Some(at);
                        side.begins = at;
                        continue;
                    }
                    side.recorded.windows.push(Window { from, to: at, kind: WindowKind::Request });
                    if self.is_server && text == "8::" {
                        side.recorded.emissions.push(Emission { at, what: What::Noop, optional: false });
                    } else if self.is_server {
                        side.inputs.push((at, Fact::Answered));
                    } else {
                        self.payload(&mut side, at, Who::Server, text);
                    }
                }
                _ => {}
            }
        }
        self.end(&mut side);
        side.inputs.sort_by_key(|(at, _)| *at);
        side
    }

    /// Whose side the machine takes.
    fn me(&self) -> Who {
        if self.is_server { Who::Server } else { Who::Client }
    }

    fn owns(&self, url: &str) -> bool {
        session_of(url).is_some_and(|(_, sid)| sid == self.sid)
    }

    fn payload(&self, side: &mut Side, at: Micros, who: Who, text: &str) {
        for packet in payload::decode(text, 1_024).flatten() {
            self.packet(side, at, who, packet, false);
        }
    }

    fn packet(&self, side: &mut Side, at: Micros, who: Who, text: &str, dropped: bool) {
        // Malformed packets are ignored.
        let Ok(packet) = LegacyPacket::decode(text) else { return };
        let mine = (who == Who::Server) == self.is_server;
        match (packet.body(), mine) {
            (PacketBody::Heartbeat, true) => {
                let what = if self.is_server { What::Ping } else { What::Pong };
                side.recorded.emissions.push(Emission { at, what, optional: false });
            }
            (_, false) if dropped => {}
            (PacketBody::Heartbeat, false) => side.inputs.push((at, Fact::Heartbeat)),
            (PacketBody::Disconnect, false) if packet.endpoint().is_empty() => {
                side.inputs.push((at, Fact::End));
            }
            (_, false) => side.inputs.push((at, Fact::OtherPacket)),
            (_, true) => {}
        }
    }

    /// How the library says that the session ended. Timeouts have names on a server, but none on a client, where every
    /// end that nothing else explains is one.
    fn end(&self, side: &mut Side) {
        let window = side.begins..self.until;
        let Some(event) = namespaces::end_of_session(self, side, window) else { return };
        let Kind::Api { args, .. } = &event.kind else { return };
        let word = args["reason"].as_str();
        let is_timeout = word.is_some_and(|word| word.ends_with(" timeout"));
        let peer_ended =
            side.inputs.iter().any(|(at, fact)| *fact == Fact::End && at.abs_diff(event.at) <= JITTER);
        let reason = word.filter(|_| is_timeout).map(str::to_owned);
        let unexplained = word.is_none() && !peer_ended && !self.is_server;
        if !is_timeout && !unexplained {
            side.inputs.retain(|(at, fact)| *fact != Fact::End || *at <= event.at);
            side.inputs.push((event.at, Fact::End));
        }
        side.recorded.end = Some(End { at: event.at, reason });
    }

    fn server(&self, handshake: &LegacyHandshake<'_>) -> Result<Option<(Machine, Side)>, String> {
        let Some(transport) = self.transport() else { return Ok(None) };
        let socket = transport == "websocket";
        if socket && handshake.heartbeat_timeout().is_none() {
            // Heartbeats are off: there is nothing for a machine to do.
            return Ok(None);
        }
        let side = self.read();
        let seconds = |option: &str, default: f64| {
            Duration::try_from_secs_f64(self.transcript.number(option).unwrap_or(default))
                .map_err(|error| format!("{option}: {error}"))
        };
        let periods = ServerPeriods::new(
            seconds("heartbeat interval", 25.0)?,
            handshake.heartbeat_timeout().unwrap_or(ServerPeriods::DEFAULT.heartbeat_timeout()),
            handshake.close_timeout(),
            seconds("polling duration", 20.0)?,
        );
        let periods = periods.map_err(|error| error.to_string())?;
        let now = Instant::from_micros(side.begins);
        let machine = if socket {
            Machine::Socket(ServerTimers::new(periods, now))
        } else {
            Machine::Polling(PollingServerTimers::new(periods, now))
        };
        Ok((side.begins != Micros::MAX).then_some((machine, side)))
    }

    fn client(&self, at: Micros, handshake: &LegacyHandshake<'_>) -> Result<Option<(Machine, Side)>, String> {
        let Some(transport) = self.transport() else { return Ok(None) };
        let socket = transport == "websocket";
        let mut side = self.read();
        side.begins = at;
        side.without_heartbeats = handshake.heartbeat_timeout().is_none();
        let heartbeat = handshake.heartbeat_timeout().filter(|_| socket);
        let client = ClientTimers::new(heartbeat, handshake.close_timeout(), Instant::from_micros(at));
        Ok(Some((Machine::Client(client.map_err(|error| error.to_string())?), side)))
    }

    /// The transport that the session uses, if any.
    fn transport(&self) -> Option<&str> {
        self.transcript.events.iter().find_map(|event| match &event.kind {
            Kind::Connect { url, .. } | Kind::Request { url, .. } if self.owns(url) => {
                session_of(url).map(|(transport, _)| transport)
            }
            _ => None,
        })
    }
}
