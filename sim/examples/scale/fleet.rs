//! What sessions of these worlds are made of: the same links, machines and plans for the same seed.

use core::time::Duration;

use eio_core::{Heartbeat, Liveness, Revision};
use eio_sim::{Host, HostId, Link, LinkId, Plan, PlanId, Random, SessionId, Side, Spells, Tcp, World};

/// How many there are of each.
const CHOICE: usize = 96;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) struct Fleet {
    links: Vec<LinkId>,
    servers: Vec<HostId>,
    clients: Vec<HostId>,
    plans: Vec<PlanId>,
}

impl Fleet {
    pub(crate) fn new(world: &mut World, seed: u64, time: Duration) -> Self {
        let mut draw = Draw { random: Random::new(!seed), time };
        Self {
            links: (0..CHOICE).map(|_| world.add_link(draw.link())).collect(),
            servers: (0..CHOICE).map(|_| world.add_host(draw.server())).collect(),
            clients: (0..CHOICE).map(|_| world.add_host(draw.client())).collect(),
            plans: (0..CHOICE).map(|_| world.add_plan(draw.plan())).collect(),
        }
    }

    /// Lets a client connect at `at`. What it is made of follows from the random numbers of the world.
    pub(crate) fn connect(&self, world: &mut World, at: Duration) -> SessionId {
        let random = world.random();
        let plan = pick(random, &self.plans);
        let link = pick(random, &self.links);
        let (server, client) = (pick(random, &self.servers), pick(random, &self.clients));
        world.connect_over(at, plan, link, server, client)
    }
}

pub(crate) fn pick<T: Copy>(random: &mut Random, all: &[T]) -> T {
    #[expect(clippy::cast_possible_truncation, reason = "below a length")]
    let index = random.below(all.len() as u64) as usize;
    all[index]
}

/// Draws what a fleet is made of.
struct Draw {
    random: Random,
    time: Duration,
}

impl Draw {
    fn link(&mut self) -> Link {
        let delay = pick(&mut self.random, &[0, 1, 5, 10, 20, 40, 40, 80, 150, 300, 700]);
        let jitter = self.random.below(delay + 1);
        let loss = pick(&mut self.random, &[0, 0, 0, 1_000, 10_000, 50_000, 150_000]);
        let mut link = Link::new(ms(delay)).jitter(ms(jitter)).loss_per_million(loss);
        if self.random.one_in(8) {
            link = link.bytes_per_second(pick(&mut self.random, &[960, 8_000, 125_000]));
        }
        if self.random.one_in(8) {
            link = link.bursts(ms(pick(&mut self.random, &[100, 320, 1_280])));
        }
        if self.random.one_in(4) {
            link = link.tcp(match self.random.below(3) {
                0 => Tcp::LINUX.with_longest_timeout(ms(5_000)),
                1 => Tcp::LINUX.with_user_timeout(ms(30_000)),
                _ => Tcp::LINUX.with_ticks_per_second(100),
            });
        }
        // Tunnels, and cables that are pulled for a while.
        let cut = self.spells(&[1, 5, 14, 30, 90, 600, 3_600]);
        match self.random.below(8) {
            0..4 => link,
            4 => link.cut_to_server(cut),
            5 => link.cut_to_client(cut),
            _ => link.cut(cut),
        }
    }

    fn server(&mut self) -> Host {
        let host = self.clock(100);
        // Those that sleep are virtual machines that are moved or suspended.
        self.interrupted(host, (3, &[1, 2, 5, 15, 40]), (6, &[1, 3, 10, 30, 600]))
    }

    fn client(&mut self) -> Host {
        let ppm = pick(&mut self.random, &[100, 100, 20_000]);
        let host = self.clock(ppm);
        self.interrupted(host, (4, &[1, 5, 20, 60]), (4, &[2, 20, 50, 600, 28_800]))
    }

    /// This machine. One of a number of machines stalls, and one of another number sleeps, for one of these lengths in
    /// seconds.
    fn interrupted(&mut self, mut host: Host, stalls: (u64, &[u64]), sleeps: (u64, &[u64])) -> Host {
        if self.random.one_in(stalls.0) {
            host = host.stalls(self.spells(stalls.1));
        }
        if self.random.one_in(sleeps.0) {
            host = host.sleeps(self.spells(sleeps.1)).clock_runs_in_sleep(self.random.one_in(2));
        }
        host
    }

    /// A machine whose clock is ahead by anything, and wrong by up to `ppm`.
    fn clock(&mut self, ppm: u64) -> Host {
        let ahead = Duration::from_micros(self.random.next() >> (5 + self.random.below(59)));
        let drift =
            i64::try_from(self.random.below(2 * ppm + 1)).unwrap_or(0) - i64::try_from(ppm).unwrap_or(0);
        Host::new().clock_ahead(ahead).drift_ppm(i32::try_from(drift).unwrap_or(0))
    }

    /// Spells of one of these lengths in seconds, and more time between them than they last. In a long world, some come many
    /// times a day, and some leave sessions that live for weeks.
    fn spells(&mut self, lengths: &[u64]) -> Spells {
        let lasting = Duration::from_secs(pick(&mut self.random, lengths)).min(self.time / 8);
        let between =
            pick(&mut self.random, &[Duration::from_mins(30), Duration::from_hours(12), Duration::MAX]);
        let period = 3 * lasting + ms(10_000) + self.random.up_to(between.min(self.time / 2));
        let first = self.random.up_to(period);
        Spells::every(period, lasting).starting_at(first)
    }

    fn plan(&mut self) -> Plan {
        let periods = [
            (25, 20),
            (25, 20),
            (25, 20),
            (10, 45),
            (25, 60),
            (30, 10),
            (60, 30),
            (120, 90),
            (300, 20),
            (5, 5),
        ];
        let (interval, timeout) = pick(&mut self.random, &periods);
        let heartbeat = Heartbeat::new(ms(interval * 1_000), ms(timeout * 1_000)).expect("valid periods");
        let liveness =
            pick(&mut self.random, &[Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket]);
        let revision = pick(&mut self.random, &[Revision::V4, Revision::V4, Revision::V3]);
        let mut plan = Plan::new(heartbeat).liveness(liveness).revision(revision);
        if self.random.one_in(2) {
            plan = plan.polling();
        }
        if self.random.one_in(8) {
            plan = plan.first_ping_after(self.random.up_to(heartbeat.ping_interval()));
        }
        if self.random.one_in(8) {
            plan = plan.client_timeout_at_most(ms(1_500) + self.random.up_to(heartbeat.ping_timeout()));
        }
        for side in Side::BOTH {
            if self.random.one_in(2) {
                let every = ms(20_000) + self.random.up_to(ms(600_000));
                plan = plan.sends(side, every, pick(&mut self.random, &[1, 100, 1_500, 40_000]));
            }
        }
        plan
    }
}
