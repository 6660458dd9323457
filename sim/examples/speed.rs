//! How fast a world runs, and how much memory a session takes. At the root:
//!
//! ```sh
//! cargo run --profile dist --package eio-sim --example speed -- 1000 86400
//! ```
//!
//! runs 1,000 sessions for 86,400 s. A third number is the count of threads, each of which runs its share in a world of
//! its own.

#![expect(clippy::disallowed_methods, reason = "it measures the machine's time")]

use std::time::Instant;

use core::time::Duration;
use eio_core::{DisconnectReason, Heartbeat};
use eio_sim::{Link, Plan, Side, Totals, World};

/// A fleet on a mobile network: some jitter, some losses, and a message a minute from each client.
fn run(sessions: u32, time: Duration, seed: u64) -> (Totals, usize) {
    let mut world = World::new(seed);
    world.keep_lines(0);
    let link = Link::new(Duration::from_millis(40)).jitter(Duration::from_millis(20)).loss_per_million(1_000);
    let link = world.add_link(link);
    let plan = Plan::new(Heartbeat::DEFAULT).link(link).sends(Side::Client, Duration::from_mins(1), 100);
    let plan = world.add_plan(plan);
    for _ in 0..sessions {
        // The fleet comes within one interval.
        let at = world.random().up_to(Duration::from_secs(25));
        world.connect_at(at, plan);
    }
    world.run_until(time);
    (world.totals(), world.memory())
}

fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let [sessions, seconds, threads] = [(0, 1_000), (1, 86_400), (2, 1)]
        .map(|(index, usual)| arguments.get(index).copied().unwrap_or(usual));
    let share = u32::try_from(sessions / threads).expect("below 2^32 sessions");
    let time = Duration::from_secs(seconds);

    let began = Instant::now();
    let worlds: Vec<_> =
        (0..threads).map(|seed| std::thread::spawn(move || run(share, time, seed))).collect();
    let worlds: Vec<_> = worlds.into_iter().map(|world| world.join().expect("a world")).collect();
    let took = began.elapsed().as_secs_f64();

    let packets: u64 = worlds.iter().map(|(totals, _)| totals.traffic.packets()).sum();
    let timeouts: u64 =
        worlds.iter().map(|(totals, _)| totals.ended(Side::Server, DisconnectReason::PingTimeout)).sum();
    let memory: usize = worlds.iter().map(|(_, memory)| memory).sum();
    let count = u64::from(share) * threads;
    #[expect(clippy::cast_precision_loss, reason = "a rate, shown with three digits")]
    let rate = packets as f64 / took / 1e6;
    println!(
        "{count} sessions for {seconds} s: {packets} packets in {took:.2} s, {rate:.2} million a second"
    );
    println!("{} bytes for each session; {timeouts} ping timeouts", memory as u64 / count);
}
