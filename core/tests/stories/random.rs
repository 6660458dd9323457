//! Ten thousand random worlds. In each the rules hold at every step; a live peer is never declared dead, and a dead one
//! always is, in time.
//!
//! A peer counts as live while twice the longest delay of a packet and twice the longest stall of either end are
//! together at most half of the ping timeout: then no bound of either revision can be missed.

use core::time::Duration;

use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};
use eio_tests::world::{Random, World, ms};

const WORLDS: u64 = 10_000;

/// The limits within which a world is random.
struct Weather {
    heartbeat: Heartbeat,
    liveness: Liveness,
    revision: Revision,
    latency: Duration,
    jitter: Duration,
    burst: Duration,
    stall: Duration,
}

impl Weather {
    /// A fair one: its delays and stalls leave every live peer alive.
    fn fair(random: &mut Random) -> Self {
        let heartbeat =
            Heartbeat::new(ms(20 + random.below(400)), ms(20 + random.below(400))).expect("short periods");
        let mut budget = heartbeat.ping_timeout() / 4;
        let mut take = |random: &mut Random| {
            let part = random.up_to(budget);
            budget -= part;
            part
        };
        Self {
            latency: take(random),
            jitter: take(random),
            burst: take(random),
            stall: take(random),
            revision: if random.one_in(2) { Revision::V4 } else { Revision::V3 },
            liveness: match random.below(3) {
                0 => Liveness::PongOnly,
                1 => Liveness::ExtendOnce,
                _ => Liveness::AnyPacket,
            },
            heartbeat,
        }
    }

    fn world(&self, random: &mut Random) -> World {
        let world = World::connected(self.heartbeat)
            .revision(self.revision)
            .liveness(self.liveness)
            .latency(self.latency)
            .jitter(self.jitter, random.next());
        world.to_server.set_bursts(self.burst);
        world.to_client.set_bursts(self.burst);
        world
    }

    fn period(&self) -> Duration {
        self.heartbeat.ping_interval() + self.heartbeat.ping_timeout()
    }

    /// The latest that an end notices that its peer is gone: after the last packet that was on its way, a last pong
    /// brings one more ping, a last message one more timeout, and a stall makes each wake-up late.
    fn noticed_within(&self) -> Duration {
        let delay = self.latency + self.jitter + self.burst;
        self.period() + self.heartbeat.ping_timeout() + delay + 3 * self.stall
    }
}

/// Something happens to either end, within the weather.
fn happen(world: &mut World, weather: &Weather, random: &mut Random) {
    let stall = random.up_to(weather.stall);
    match random.below(4) {
        0 => world.server.stall(stall),
        1 => world.client.stall(stall),
        2 => {
            let _ = world.server.send("from the server");
        }
        _ => {
            let _ = world.client.send("from the client");
        }
    }
}

fn run(world: &mut World, weather: &Weather, random: &mut Random, until: Duration) {
    while world.now() < until {
        happen(world, weather, random);
        // Stalls of one end do not follow each other without a pause, or they would be a longer one.
        let pause = weather.stall + random.up_to(weather.period() / 2);
        world.run_until((world.now() + pause).min(until));
    }
}

#[test]
fn in_ten_thousand_worlds_the_living_stay_and_the_dead_are_noticed() {
    for seed in 0..WORLDS {
        let random = &mut Random::new(seed);
        let weather = Weather::fair(random);
        let world = &mut weather.world(random);
        world.set_title(format!("seed {seed}"));
        let death = random.up_to(3 * weather.period());

        run(world, &weather, random, death);
        assert!(world.server.ending().is_none(), "seed {seed}: {:?}", world.server.ending());
        assert!(world.client.ending().is_none(), "seed {seed}: {:?}", world.client.ending());

        world.cut();
        run(world, &weather, random, death + weather.noticed_within());
        for end in [&world.server, &world.client] {
            let reason = end.ending().map(|(reason, _)| reason);
            assert_eq!(reason, Some(DisconnectReason::PingTimeout), "seed {seed}");
        }
    }
}

#[test]
fn in_foul_weather_the_rules_hold_whatever_happens() {
    for seed in 0..1_000 {
        let random = &mut Random::new(!seed);
        let fair = Weather::fair(random);
        let weather =
            Weather { latency: fair.latency * 4, jitter: fair.jitter * 8, stall: fair.period() * 2, ..fair };
        let world = &mut weather.world(random);
        world.set_title(format!("seed {seed}"));
        let until = 6 * weather.period();
        while world.now() < until {
            happen(world, &weather, random);
            match random.below(16) {
                0 => world.cut(),
                1 => world.to_server.mend(),
                2 => world.to_client.mend(),
                3 => world.to_server.hold(),
                4 => world.to_client.hold(),
                5 | 6 => world.to_server.release(),
                7 | 8 => world.to_client.release(),
                9 => world.begin_upgrade(random.up_to(weather.period())),
                10 => world.server.pause_reading(random.up_to(weather.period())),
                11 => world.server.resume_reading(),
                12 => world.client.step_clock_back(random.up_to(weather.period())),
                13 => world.server.step_clock_forward(random.up_to(weather.period())),
                14 if random.one_in(8) => world.client.close_within(random.up_to(weather.period())),
                _ => {}
            }
            world.run_for(random.up_to(weather.period() / 2));
        }
    }
}
