//! Which ping interval and timeout suit a train that enters a tunnel of 30 s every five minutes? A false disconnect is a
//! session that a tunnel ends; a dead train must be noticed within a minute. At the root:
//!
//! ```sh
//! cargo run --profile dist --package eio-sim --example train
//! ```
//!
//! It prints, for some round trips and some pairs of interval and timeout, how many of a thousand tunnels end a session.

use core::time::Duration;
use eio_core::Heartbeat;
use eio_sim::{Link, Plan, Side, Spells, Tcp, World};

/// Intervals and timeouts in seconds. Each sum is below 60, so a dead train is noticed within a minute.
const PAIRS: [(u64, u64); 5] = [(15, 35), (10, 40), (10, 45), (5, 50), (2, 57)];

/// Round trips in milliseconds. A segment takes up to a quarter of one longer.
const ROUND_TRIPS: [u64; 8] = [5, 10, 20, 40, 60, 80, 100, 200];

const TRAINS: u64 = 20;
const HOURS: u64 = 12;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns how many of a thousand tunnels end a session.
fn ended(heartbeat: Heartbeat, round_trip: u64, tcp: Tcp) -> u64 {
    let mut ends = 0;
    for seed in 0..TRAINS {
        let mut world = World::new(seed);
        let first = secs(1) + world.random().up_to(secs(299));
        let tunnels = Spells::every(secs(300), secs(30)).starting_at(first);
        let one_way = Duration::from_micros(round_trip * 500);
        let link = world.add_link(Link::new(one_way).jitter(one_way / 2).cut(tunnels).tcp(tcp));
        let plan = world.add_plan(Plan::new(heartbeat).link(link));
        let mut train = world.open(plan);
        for tunnel in 0..HOURS * 12 {
            // To the middle between two tunnels.
            world.run_until(first + secs(300 * tunnel + 165));
            if !Side::BOTH.into_iter().all(|side| world.is_open(train, side)) {
                ends += 1;
                world.remove(train);
                // Somewhere on the way to the next tunnel, so that heartbeats do not fall into step with the tunnels.
                let pause = world.random().up_to(secs(60));
                world.run_for(pause);
                train = world.open(plan);
            }
        }
    }
    ends * 1_000 / (TRAINS * HOURS * 12)
}

fn main() {
    for (name, tcp) in [
        ("Linux", Tcp::LINUX),
        ("Linux with timeouts of at most 5 s (TCP_RTO_MAX_MS)", Tcp::LINUX.with_longest_timeout(secs(5))),
    ] {
        println!("{name}: tunnels of a thousand that end a session\n");
        print!("round trip");
        for (interval, timeout) in PAIRS {
            print!("  {:>9}", format!("{interval} s/{timeout} s"));
        }
        println!();
        for round_trip in ROUND_TRIPS {
            print!("{round_trip:>7} ms");
            for (interval, timeout) in PAIRS {
                let heartbeat = Heartbeat::new(secs(interval), secs(timeout)).expect("valid periods");
                print!("  {:>9}", ended(heartbeat, round_trip, tcp));
            }
            println!();
        }
        println!();
    }
}
