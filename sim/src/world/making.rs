//! Making a world, and adding sessions to it.

use super::{
    Backoff, Connection, Duration, Host, HostId, Ledger, Link, LinkId, Micros, NEVER, PlanId, Random,
};
use super::{Record, Scenery, SessionId, Side, Socket, Totals, Traffic, Turn, Wheel, World, micros};
use crate::message::open_packet;
use crate::oracle::Margins;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::polling::Polling;
use crate::scenery::Prepared;
use crate::session::Session;
use crate::stream::Stream;

/// Making a world.
impl World {
    /// Creates a world without sessions. Everything random in it follows from `seed`: jitter, losses, when applications
    /// begin to send, and delays before clients connect again.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Random::new(seed),
            scenery: Scenery {
                links: vec![Link::new(Duration::ZERO)],
                hosts: vec![Host::new()],
                plans: Vec::new(),
                shorter: 0,
            },
            ledger: Ledger {
                now: 0,
                record: Record::new(),
                totals: Totals::default(),
                removed: Traffic::default(),
                events: None,
                margins: Margins::default(),
                breach: None,
            },
            wheel: Wheel::new(),
            connections: Vec::new(),
            free: Vec::new(),
            current: None,
        }
    }

    /// Adds a link, which any number of sessions may share.
    ///
    /// # Panics
    /// Panics if there are `u32::MAX` of them; so do the other methods that add something.
    pub fn add_link(&mut self, link: Link) -> LinkId {
        self.scenery.links.push(link);
        LinkId(number(self.scenery.links.len() - 1))
    }

    /// Returns a link, to change it while it is in use. What is under way arrives as it would have before.
    ///
    /// # Panics
    /// Panics if the link is of another world, as all methods do.
    pub fn link_mut(&mut self, link: LinkId) -> &mut Link {
        &mut self.scenery.links[link.0 as usize]
    }

    /// Adds a machine, which any number of sessions may share.
    pub fn add_host(&mut self, host: Host) -> HostId {
        self.scenery.hosts.push(host);
        HostId(number(self.scenery.hosts.len() - 1))
    }

    /// Lets the plans that are added from now on be judged by bounds that are shorter by this than those of
    /// [`eio_core::detect`]. No session keeps them: with this, a test shows that it can fail.
    pub const fn shorten_bounds(&mut self, by: Duration) {
        self.scenery.shorter = micros(by);
    }

    /// Adds a plan, which any number of sessions may share.
    pub fn add_plan(&mut self, plan: Plan) -> PlanId {
        self.scenery.plans.push(Prepared::new(plan, self.scenery.shorter));
        PlanId(number(self.scenery.plans.len() - 1))
    }

    /// Lets a client connect now. The connection is opened, the client asks for a WebSocket or for packets, and the server
    /// answers with the handshake, which takes two round trips. A client that does not run now connects once it runs, and one
    /// whose machine is dead does not.
    pub fn connect(&mut self, plan: PlanId) -> SessionId {
        self.connect_at(self.now(), plan)
    }

    /// Lets a client connect at `at`, or now if that is past.
    pub fn connect_at(&mut self, at: Duration, plan: PlanId) -> SessionId {
        let planned = &self.scenery.plan(plan).plan;
        let (link, [server, client]) = (planned.link, planned.hosts);
        self.connect_over(at, plan, link, server, client)
    }

    /// Lets a client connect at `at` over this link between these machines, instead of those of the plan.
    pub fn connect_over(
        &mut self,
        at: Duration,
        plan: PlanId,
        link: LinkId,
        server: HostId,
        client: HostId,
    ) -> SessionId {
        let seed = self.random.next();
        let backoff = self.scenery.plan(plan).plan.reconnects.clone().map(Box::new);
        self.add(plan, link, [server, client], seed, backoff, micros(at).max(self.ledger.now))
    }

    /// Adds a session that is open on both sides from now on, as if its handshake had just been sent and had just
    /// arrived. A side whose machine is dead already is dead.
    pub fn open(&mut self, plan: PlanId) -> SessionId {
        let planned = &self.scenery.plan(plan).plan;
        let (link, [server, client]) = (planned.link, planned.hosts);
        self.open_over(plan, link, server, client)
    }

    /// Adds an open session over this link between these machines, instead of those of the plan.
    pub fn open_over(&mut self, plan: PlanId, link: LinkId, server: HostId, client: HostId) -> SessionId {
        let session = self.connect_over(self.now(), plan, link, server, client);
        let round_trip = 2 * self.scenery.link(link).one_way();
        self.with(session, |turn| {
            turn.connection.begins_at = NEVER;
            turn.connection.streams = [Stream::established(round_trip), Stream::established(round_trip)];
            turn.ledger.totals.connected += 1;
            if let Some(polling) = &mut turn.connection.polling {
                **polling = Polling::open();
            }
            turn.open_both();
        });
        session
    }

    pub(super) fn add(
        &mut self,
        plan: PlanId,
        link: LinkId,
        hosts: [HostId; 2],
        seed: u64,
        backoff: Option<Box<Backoff>>,
        begins_at: Micros,
    ) -> SessionId {
        assert!((link.0 as usize) < self.scenery.links.len(), "the link is of another world");
        assert!(
            hosts.iter().all(|host| (host.0 as usize) < self.scenery.hosts.len()),
            "a host of another world"
        );
        let polling = self.scenery.plan(plan).plan.polling.then(|| Box::new(Polling::opening()));
        let free = self.free.pop();
        let id = free.map_or(SessionId { index: number(self.connections.len()), generation: 0 }, |index| {
            let generation = self.connections[index as usize].id.generation;
            SessionId { index, generation: generation.wrapping_add(1) }
        });
        let connection = Connection {
            id,
            plan,
            link,
            begins_at,
            again_at: NEVER,
            peers: hosts.map(Peer::new),
            streams: [Stream::new(), Stream::new()],
            random: Random::new(seed),
            traffic: Traffic::default(),
            disturbed_at: 0,
            polling,
            backoff,
        };
        match free {
            Some(index) => self.connections[index as usize] = connection,
            None => self.connections.push(connection),
        }
        self.wheel.set(id.index, begins_at);
        id
    }

    /// Returns how much memory the sessions take, in bytes: their own, and their share of the queue of what happens next.
    /// Messages under way, links, machines and the timetable are not in it.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.connections.capacity() * size_of::<Connection>() + self.wheel.bytes()
    }
}

impl Turn<'_> {
    /// Both sides have done their handshake at this moment.
    fn open_both(&mut self) {
        let prepared = self.scenery.plan(self.connection.plan);
        for side in Side::BOTH {
            let now = self.reading(side);
            let mut session = match side {
                Side::Server => Session::server(&prepared.plan, now),
                Side::Client => Session::client(&prepared.plan, now),
            };
            if side == Side::Client {
                session.handle_packet(now, open_packet(&prepared.handshake));
            }
            let peer = self.peer_mut(side);
            peer.session = Some(session);
            peer.socket = Socket::Open;
            self.opened(side);
        }
        for side in Side::BOTH {
            if self.connection.host(self.scenery, side).death() <= self.ledger.now {
                self.die(side);
            }
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count)
        .ok()
        .filter(|number| *number != u32::MAX)
        .expect("a world has room for 2^32 - 1 of a kind")
}
