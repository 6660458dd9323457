//! From a recording's traffic to plans: which machines take part, what they are told, and what they should do.

mod client;
mod server;

use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Liveness, Revision};

use super::plan::{Emission, Fact, Input, JITTER, Plan, Recorded, Role, What, Window, WindowKind};
use super::says::Says;
use super::transcript::{Micros, Transcript, Who};
use super::unheard;
use super::versions::{self, Library};
use super::wire::{Exchange, Outcome, Socket, Wire, decode_frame};

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
        if !nothing_recorded && says.connections.len() > wires.len() {
            let (said, found) = (says.connections.len(), wires.len());
            return Err(format!("the server opened {said} sessions, of which {found} show an open packet"));
        }
        let ends = says.server_ends(&wires);
        for (wire, end) in wires.iter().zip(ends) {
            let plan =
                Builder::new(transcript, wire, &says, Role::Server, Some(library)).server(library, end)?;
            let closing = while_closing(&plan);
            plans.push(plan);
            plans.extend(closing);
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

/// A polling client that never came back: whether the server's application had called `close()` meanwhile is not
/// recorded, and must make no difference to when the silence is noticed.
fn while_closing(plan: &Plan) -> Option<Plan> {
    let end = plan.recorded.end.as_ref()?;
    let silent =
        plan.direct.is_none() && plan.inputs.is_empty() && end.reason.as_deref() == Some("ping timeout");
    silent.then(|| {
        let inputs = vec![Input { at: plan.begins, fact: Fact::Close { at_once: false } }];
        Plan { inputs, ..plan.clone() }
    })
}

/// What a plan is put together with.
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

    /// Which WebSocket carries the session in the end, and from when.
    fn carrier(&self, begins: Micros) -> Option<(Micros, &'t Socket)> {
        let direct = self.wire.sockets.iter().find(|socket| socket.direct);
        direct.map(|socket| (begins, socket)).or_else(|| {
            let (at, conn) = self.upgraded()?;
            self.wire.sockets.iter().find(|socket| socket.conn == conn).map(|socket| (at, socket))
        })
    }

    /// The peer ended a WebSocket. What is recorded is the end of the closing handshake, which the reference may have
    /// reported before. If the reference names another cause for its end, it had not noticed.
    fn socket_end(&mut self, socket: &Socket) {
        let Some((at, who)) = socket.closed else { return };
        let reason = self.recorded.end.as_ref().and_then(|end| end.reason.as_deref());
        let noticed = !matches!(reason, Some("ping timeout" | "forced close" | "parse error"));
        let died = self.died(at);
        if (who == self.me() && died.is_none()) || !noticed || self.says.is_cut(who, at) {
            return;
        }
        let at = died.map_or(at, |reported| reported.min(at));
        self.tell(at, Fact::SocketClosed { conn: socket.conn, failed: false });
    }

    /// When a request failed without this server's doing. What is recorded is when its connection was seen to die, which
    /// the library may have reported before; where nothing was recorded, only the library's report tells of it.
    fn failed(&self, exchange: &Exchange) -> Option<Micros> {
        let end = self.recorded.end.as_ref();
        let reported = end.filter(|end| end.reason.as_deref() == Some("transport error")).map(|end| end.at);
        let reported = reported.filter(|reported| *reported >= exchange.at);
        match exchange.outcome {
            None => reported,
            Some((_, Outcome::Response { .. })) => None,
            Some((_, Outcome::Failed(Who::Server))) if self.role == Role::Server => None,
            Some((seen, Outcome::Failed(_))) => {
                let mut destroyed =
                    self.says.destroyed.iter().filter(|(_, who, id)| *who != self.me() && *id == exchange.id);
                let at = destroyed.next().map_or(seen, |(destroyed, ..)| *destroyed);
                let before = reported.filter(|reported| *reported < at && at - reported <= JITTER);
                Some(before.unwrap_or(at))
            }
        }
    }

    /// If a WebSocket that ended at `at` did so by itself, whoever is said to have ended it: when that was reported.
    fn died(&self, at: Micros) -> Option<Micros> {
        let end = self.recorded.end.as_ref()?;
        let died = end.reason.as_deref() == Some("transport close") && end.at.abs_diff(at) <= JITTER;
        died.then_some(end.at)
    }

    /// The session's WebSocket ended, which may stand for its close packet.
    fn show_socket_end(&mut self, socket: &Socket) {
        if let Some((at, who)) = socket.closed {
            let optional = who != self.me() || self.died(at).is_some();
            self.recorded.emissions.push(Emission { at, what: What::Close, optional });
        }
    }

    fn add_carrier(&mut self, carrier: Option<(Micros, &Socket)>) {
        if let Some((from, socket)) = carrier {
            let to = socket.closed.map_or(Micros::MAX, |(at, _)| at);
            self.recorded.windows.push(Window { from, to, kind: WindowKind::Socket });
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
