//! Losses, cuts and what comes after them, to the tick of the kernel's clock.

use core::time::Duration;

use super::*;
use crate::host::Host;
use crate::ids::HostId;
use crate::peer::Peer;
use crate::spells::Spells;
use crate::tcp::Tcp;
use crate::traffic::Direction;

/// A stream over a link, and its world.
struct Line {
    link: Link,
    /// The sender.
    host: Host,
    peer: Peer,
    stream: Stream<u64>,
    random: Random,
    counts: Direction,
    now: Micros,
    /// What was read, and when.
    read: Vec<(u64, Micros)>,
}

impl Line {
    fn new(link: Link) -> Self {
        let stream = Stream::established(2 * link.one_way());
        Self {
            link,
            host: Host::new(),
            peer: Peer::new(HostId::PERFECT),
            stream,
            random: Random::new(1),
            counts: Direction::default(),
            now: 0,
            read: Vec::new(),
        }
    }

    /// The sender's clock.
    fn clock(&self) -> KernelClock<'_> {
        KernelClock::of(&self.host, &self.peer)
    }

    /// The stream, and what its sender needs.
    fn sending(&mut self) -> (&mut Stream<u64>, Wire<'_>) {
        let Self { link, host, peer, stream, random, counts, .. } = self;
        let clock = KernelClock::of(host, peer);
        (stream, Wire { link, towards: Side::Client, clock, random, counts })
    }

    fn cut(from: u64, lasting: u64, round_trip: u64) -> Self {
        let cut = Spells::once(Duration::from_millis(from), Duration::from_millis(lasting));
        Self::new(Link::new(Duration::from_millis(round_trip / 2)).cut(cut))
    }

    fn send(&mut self, what: u64) -> Carried {
        let now = self.now;
        let (stream, mut wire) = self.sending();
        stream.send(now, 10, what, &mut wire)
    }

    /// What happens to the stream next, and whether its sender goes on.
    fn step(&mut self, next: Micros) -> bool {
        assert!(next >= self.now, "it is woken for what is past: {next} at {}", self.now);
        self.now = next;
        let (stream, mut wire) = self.sending();
        let goes_on = wire.clock.is_asleep(next) || stream.expire(next, &mut wire);
        let Self { link, host, peer, stream, random, .. } = self;
        stream.arrive(next, link, Side::Server, KernelClock::of(host, peer), random);
        while let Some(what) = stream.read() {
            self.read.push((what, next));
        }
        goes_on
    }

    fn next(&self) -> Micros {
        self.stream.next_arrival().min(self.stream.next_timer(self.now, self.clock()))
    }

    /// Lets everything happen up to `millis`.
    fn run_until(&mut self, millis: u64) {
        let until = millis * 1_000;
        loop {
            let next = self.next();
            if next > until {
                break;
            }
            assert!(self.step(next), "the sender gave up");
        }
        self.now = until;
    }

    fn read_at(&self, what: u64) -> u64 {
        self.read.iter().find(|(read, _)| *read == what).expect("it arrived").1 / 1_000
    }
}

#[test]
fn on_a_good_link_everything_takes_its_delay_and_nothing_is_repeated() {
    let mut line = Line::cut(u64::MAX / 2_000, 1, 60);
    for what in 0..100 {
        line.run_until(what * 1_000);
        assert_eq!(line.send(what), Carried::Arrives);
    }
    line.run_until(200_000);
    for what in 0..100 {
        assert_eq!(line.read_at(what), what * 1_000 + 30);
    }
    assert_eq!((line.counts.segments, line.counts.repeated), (100, 0));
    assert!(line.stream.is_done() || line.next() == NEVER);
}

/// Measured on Linux 6.18 with a round trip of 0.1 ms: a cut of 30 s, and data sent during it. The test in
/// `tests/tests/faults` repeats the measurement.
#[test]
fn after_a_cut_data_arrives_when_it_does_on_linux() {
    for (sent, earliest, latest) in [
        (11, 52_950, 55_010),
        (5_000, 26_570, 26_850),
        (20_000, 13_260, 13_540),
        (25_000, 6_600, 6_880),
        (29_000, 1_650, 1_700),
    ] {
        let mut line = Line::cut(0, 30_000, 0);
        line.run_until(sent);
        assert_eq!(line.send(1), Carried::Lost);
        line.run_until(200_000);
        let late = line.read_at(1) - sent;
        assert!((earliest..=latest).contains(&late), "sent at {sent} ms: {late} ms late");
    }
}

#[test]
fn what_follows_a_lost_segment_waits_behind_it() {
    let mut line = Line::cut(0, 30_000, 60);
    for what in 0..60 {
        line.run_until(what * 1_000);
        let sent = line.send(what);
        assert_eq!(sent == Carried::Lost, what == 0, "{what}: {sent:?}");
    }
    line.run_until(100_000);
    let first = line.read_at(0);
    assert!((33_792..35_000).contains(&first), "{first}");
    // Released by the first one's acknowledgement.
    let waiting = first / 1_000 + 1;
    for what in 1..waiting {
        assert_eq!(line.read_at(what), first + 60, "{what}");
    }
    assert!(line.read.is_sorted_by_key(|(what, _)| *what));
    assert_eq!(line.read.len(), 60);
}

#[test]
fn a_lost_acknowledgement_repeats_a_segment_that_is_read_once() {
    let mut line = Line::cut(0, 2_000, 60);
    // The data comes through, its acknowledgement does not.
    line.link.clear_cuts(Side::Client);
    assert_eq!(line.send(7), Carried::Arrives);
    line.run_until(10_000);
    assert_eq!(line.read, [(7, 30_000)]);
    assert!(line.counts.repeated >= 3, "{:?}", line.counts);
    assert_eq!(line.next(), NEVER);
}

#[test]
fn a_segment_that_others_overtake_is_repeated_before_the_timeout() {
    let mut line = Line::cut(0, 1, 100);
    assert_eq!(line.send(0), Carried::Lost);
    line.run_until(10);
    assert_eq!(line.send(1), Carried::Arrives);
    line.run_until(1_000);
    // 10 ms, 50 ms there, 50 ms back, a quarter of a round trip, 50 ms there.
    assert_eq!((line.read_at(0), line.read_at(1)), (185, 185));
}

#[test]
fn timeouts_start_over_once_something_is_acknowledged() {
    let mut line = Line::cut(1_000, 5_000, 60);
    line.link = line.link.cut(Spells::once(Duration::from_mins(1), Duration::from_millis(100)));
    line.run_until(1_500);
    line.send(0);
    line.run_until(60_000);
    assert!((line.read_at(0)) < 12_000);
    line.send(1);
    line.run_until(70_000);
    let late = line.read_at(1) - 60_000;
    assert!((290..330).contains(&late), "{late}");
}

#[test]
fn through_any_losses_everything_arrives_once_and_in_order() {
    let step = if cfg!(miri) { 50 } else { 1 };
    for seed in (0..200).step_by(step) {
        let loss = 50_000 + 2_000 * u32::try_from(seed).unwrap();
        let jittery = Link::new(Duration::from_millis(seed % 90)).jitter(Duration::from_millis(seed % 40));
        let patient = Tcp::LINUX.with_user_timeout(Duration::MAX);
        let mut line = Line::new(jittery.loss_per_million(loss).tcp(patient));
        line.random = Random::new(seed);
        for what in 0..200 {
            let pause = Random::new(seed + what).below(300);
            line.run_until(line.now / 1_000 + pause);
            line.send(what);
        }
        line.run_until(100_000_000);
        let read: Vec<_> = line.read.iter().map(|(what, _)| *what).collect();
        assert_eq!(read, (0..200).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(line.next(), NEVER, "seed {seed}");
    }
}

#[test]
fn a_sender_gives_up_after_a_quarter_of_an_hour() {
    let mut line = Line::cut(0, 10_000_000, 60);
    line.send(0);
    let gave_up = loop {
        let next = line.next();
        if !line.step(next) {
            break line.now / 1_000_000;
        }
    };
    assert!((924..1_100).contains(&gave_up), "{gave_up} s");
}

#[test]
fn what_an_abandoned_stream_carries_arrives_up_to_the_first_gap_and_nothing_is_repeated() {
    let mut line = Line::cut(20, 1, 60);
    for what in 0..4 {
        line.run_until(what * 10);
        let sent = line.send(what);
        assert_eq!(sent == Carried::Lost, what == 2, "{what}: {sent:?}");
    }
    line.run_until(35);
    assert_eq!(line.read.len(), 1, "the others are under way");
    line.stream.abandon();
    line.run_until(10_000);
    assert_eq!(line.read, [(0, 30_000), (1, 40_000)]);
    assert_eq!((line.counts.segments, line.next()), (4, NEVER));
}

/// When, by its clock, the sender repeats what it sent at 5 s on a link that is cut, until it gives up.
fn repeats(host: Host) -> Vec<Micros> {
    let mut line = Line::cut(0, 100_000_000, 60);
    line.host = host;
    line.run_until(5_000);
    line.send(0);
    let mut repeats = Vec::new();
    loop {
        let (next, repeated) = (line.next(), line.counts.repeated);
        let goes_on = line.step(next);
        if line.counts.repeated > repeated || !goes_on {
            repeats.push(line.clock().reading(line.now));
        }
        if !goes_on {
            return repeats;
        }
    }
}

#[test]
fn the_timers_of_a_sender_stand_still_in_every_sleep() {
    let awake = repeats(Host::new());
    assert!(awake.len() > 10, "{awake:?}");
    // From shorter than most of its timeouts to longer than all of them together.
    for (period, lasting) in [(3_000, 1_000), (60_000, 50_000), (60_000, 1), (7_200_000, 3_600_000)] {
        let sleeps = Spells::every(Duration::from_millis(period), Duration::from_millis(lasting));
        let sleeps = sleeps.starting_at(Duration::from_millis(5_010));
        assert_eq!(repeats(Host::new().sleeps(sleeps)), awake, "{lasting} ms of {period} ms");
    }
}

#[test]
fn an_acknowledgement_that_arrives_in_a_sleep_is_lost() {
    // The acknowledgement arrives after 60 ms.
    for (asleep_from, repeated) in [(20, 1), (59, 1), (60, 1), (61, 0)] {
        let mut line = Line::cut(u64::MAX / 2_000, 1, 60);
        line.host =
            Host::new().sleeps(Spells::once(Duration::from_millis(asleep_from), Duration::from_secs(8)));
        line.send(0);
        line.run_until(20_000);
        assert_eq!(line.read, [(0, 30_000)]);
        assert_eq!(line.counts.repeated, repeated, "asleep from {asleep_from} ms on");
    }
}

#[test]
fn a_sender_that_is_put_to_sleep_loses_what_would_have_told_it_of_a_loss() {
    // Where it is lost, the timer of 320 ms fires after the sleep, and its probe overtakes the lost segment again.
    for (asleep_at, lasting, repeated_at) in
        [(70, 0, 185), (70, 20, 185), (70, 100, 595), (120, 1_000, 1_185)]
    {
        let mut line = Line::cut(0, 1, 100);
        assert_eq!(line.send(0), Carried::Lost);
        line.run_until(10);
        // Overtakes the first one. The sender hears of that at 110 ms, and repeats 25 ms later.
        assert_eq!(line.send(1), Carried::Arrives);
        line.run_until(asleep_at);
        let (from, until) = (asleep_at * 1_000, (asleep_at + lasting) * 1_000);
        let (stream, mut wire) = line.sending();
        stream.settle(from, &mut wire);
        line.peer.sleep(&line.host, from, until);
        line.stream.sleep(until);
        line.run_until(5_000);
        assert_eq!(line.read_at(0), repeated_at, "asleep at {asleep_at} ms for {lasting} ms");
    }
}

#[test]
fn an_acknowledgement_after_a_sleep_is_one_of_everything_before() {
    let mut line = Line::cut(u64::MAX / 2_000, 1, 100);
    line.send(0);
    line.run_until(20);
    line.send(1);
    line.run_until(80);
    // The one of 100 ms is lost, the one of 120 ms is not.
    line.peer.sleep(&line.host, 80_000, 110_000);
    line.stream.sleep(110_000);
    line.run_until(5_000);
    assert_eq!((line.read.len(), line.counts.repeated), (2, 0));
}

#[test]
fn a_round_trip_is_measured_without_the_sleep_in_it() {
    let mut line = Line::cut(u64::MAX / 2_000, 1, 100);
    let second = Duration::from_secs(1);
    line.host = Host::new().sleeps(Spells::once(Duration::from_millis(50), 100 * second));
    line.send(0);
    line.run_until(100_060);
    // Its acknowledgement is the first one of the other, too.
    line.send(1);
    line.run_until(110_000);
    assert_eq!(line.counts.repeated, 0);
    assert!((100_000..110_000).contains(&line.stream.trips.mean()), "{:?}", line.stream.trips);
}
