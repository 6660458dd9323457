//! A world with many places, each of which has one session after the other, and what happens to them.

use core::any::Any;
use core::cmp::Reverse;
use core::fmt;
use core::time::Duration;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::ToString;
use std::sync::atomic::{AtomicBool, Ordering};

use eio_sim::{Message, Random, SessionId, Side, World};

use crate::fleet::{Fleet, pick};
use crate::options::Options;
use crate::report::{Lives, Progress, Share};

/// How many lines of its timetable a place that runs alone shows.
const SHOWN: usize = 60;

/// How often something happens to a place in the time of its world, on average, and how often at least.
const EVENTS: u32 = 6;
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How soon something happens in every other upgrade. An upgrade takes at most 5 s on a client.
const IN_UPGRADE: Duration = Duration::from_secs(5);

/// A place, and what was done to its session.
struct Place {
    number: u32,
    random: Random,
    session: SessionId,
    /// Which sides are dead or killed.
    gone: [bool; 2],
    /// Nobody dies here, is killed or closes a session.
    is_gentle: bool,
    /// Its session has begun an upgrade, in which something happens to it.
    upgrades: bool,
    began: Duration,
}

/// A session that did not keep its bounds, or a panic of another kind.
pub(crate) struct Failure {
    what: String,
    /// The options that run it again.
    options: String,
    story: String,
}

impl Failure {
    /// A panic that belongs to no place.
    pub(crate) fn whole(options: &Options, panic: &dyn Any) -> Self {
        Self { what: words(panic).to_owned(), options: options.to_string(), story: String::new() }
    }

    /// What runs the same failure again, and shows what led to it.
    pub(crate) fn command(&self) -> String {
        format!("cargo run --profile dist --package eio-sim --example scale -- {}", self.options)
    }

    #[cfg(test)]
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}scale: failed: {}\nscale: again: {}", self.story, self.what, self.command())
    }
}

/// Runs the places of one of the worlds. It stops when another one has failed, and the others when this one does.
pub(crate) fn run(options: &Options, number: u32, failed: &AtomicBool) -> Result<Share, Failure> {
    let mut world = World::new(options.seed);
    world.shorten_bounds(options.shorten);
    world.keep_lines(if options.place.is_some() { 4_096 } else { 0 });
    let fleet = Fleet::new(&mut world, options.seed, options.time);
    let mut places = Vec::new();
    let mut agenda = BinaryHeap::new();
    for number in options.places(number) {
        let mut random = Random::new(Random::new(options.seed ^ (u64::from(number) << 32)).next());
        let began = random.up_to(usual_pause(options));
        let is_gentle = random.one_in(4);
        *world.random() = random;
        let session = fleet.connect(&mut world, began);
        let random = world.random().clone();
        let mut place =
            Place { number, random, session, gone: [false; 2], is_gentle, upgrades: false, began };
        agenda.push(Reverse((began + place.pause(options), places.len())));
        places.push(place);
    }
    let mut lives = Lives::default();
    let mut progress = Progress::begin(options, number);
    loop {
        let next = agenda.pop().filter(|Reverse((at, _))| *at < options.time);
        let until = next.map_or(options.time, |Reverse((at, _))| at);
        // The place that something is done to, once the world has run so far.
        let mut touched = None;
        let step = catch_unwind(AssertUnwindSafe(|| {
            world.run_until(until);
            let Reverse((at, index)) = next.filter(|_| !failed.load(Ordering::Relaxed))?;
            touched = Some(index);
            let place = places.get_mut(index)?;
            if place.is_over(&world) {
                lives.add(place.lived(&world));
                place.begin(&fleet, &mut world);
            } else {
                place.meet(&mut world);
            }
            agenda.push(Reverse((at + place.pause(options), index)));
            Some(())
        }));
        match step {
            Ok(Some(())) => progress.show(&world),
            Ok(None) => break,
            Err(panic) => {
                failed.store(true, Ordering::Relaxed);
                return Err(failure_of(options, &world, &places, touched, &*panic));
            }
        }
    }
    for place in &places {
        lives.add(place.lived(&world));
    }
    Ok(Share::of(&world, lives))
}

impl Place {
    /// How long nothing happens to it.
    fn pause(&mut self, options: &Options) -> Duration {
        let longest = if self.upgrades { IN_UPGRADE } else { 2 * usual_pause(options) };
        Duration::from_micros(1) + self.random.up_to(longest)
    }

    /// Its next session begins.
    fn begin(&mut self, fleet: &Fleet, world: &mut World) {
        world.remove(self.session);
        core::mem::swap(&mut self.random, world.random());
        self.session = fleet.connect(world, world.now());
        core::mem::swap(&mut self.random, world.random());
        (self.gone, self.upgrades, self.began) = ([false; 2], false, world.now());
    }

    /// How long its session has been open on the side where it was open longest.
    fn lived(&self, world: &World) -> Duration {
        let ended = |side: Side| {
            let end = world.end(self.session, side).map(|end| end.at);
            end.or_else(|| world.is_open(self.session, side).then(|| world.now()))
        };
        Side::BOTH.into_iter().filter_map(ended).max().unwrap_or(self.began).saturating_sub(self.began)
    }

    /// Whether neither side has anything left to notice.
    fn is_over(&self, world: &World) -> bool {
        let has_begun = self.gone[1] || world.end(self.session, Side::Client).is_some();
        let is_open = |side: Side| !self.gone[side as usize] && world.is_open(self.session, side);
        has_begun && !Side::BOTH.into_iter().any(is_open)
    }

    /// Something happens to its session.
    fn meet(&mut self, world: &mut World) {
        let session = self.session;
        let side = pick(&mut self.random, &Side::BOTH);
        let lengths: &[u64] = if self.is_gentle { &[1, 4, 12] } else { &[1, 4, 12, 25, 50, 200] };
        let some_time = Duration::from_secs(pick(&mut self.random, lengths));
        let some_time = self.random.up_to(some_time);
        let upgrades = core::mem::take(&mut self.upgrades);
        match self.random.below(if self.is_gentle { 10 } else { 17 }) {
            0 | 1 => world.stall(session, side, some_time),
            2 => world.sleep(session, side, some_time),
            3 => {
                let _ = world.send(session, side, Message::Bytes(200_000));
            }
            4..9 if !upgrades => self.upgrades = world.upgrade(session) && self.random.one_in(2),
            9 => {
                world.pause_reading(session, side, some_time);
            }
            10 => self.die(world, side),
            11 => self.gone[side as usize] |= world.kill(session, side),
            12 => {
                world.close(session, side);
            }
            13 if upgrades => self.die(world, side),
            _ => {}
        }
    }

    fn die(&mut self, world: &mut World, side: Side) {
        self.gone[side as usize] = true;
        world.die(self.session, side);
    }
}

fn usual_pause(options: &Options) -> Duration {
    (options.time / EVENTS).min(LONGEST_PAUSE)
}

/// The failure of the place that was `touched`, or else of that whose session was at work.
fn failure_of(
    options: &Options,
    world: &World,
    places: &[Place],
    touched: Option<usize>,
    panic: &dyn Any,
) -> Failure {
    let at_work = || places.iter().position(|place| Some(place.session) == world.current_session());
    match touched.or_else(at_work).and_then(|index| places.get(index)) {
        Some(place) => failure(options, world, place, panic),
        None => Failure::whole(options, panic),
    }
}

fn failure(options: &Options, world: &World, place: &Place, panic: &dyn Any) -> Failure {
    let mut story = String::new();
    if options.place.is_some() {
        let lines: Vec<_> = world.timetable().of(place.session).lines().map(ToString::to_string).collect();
        story = lines[lines.len().saturating_sub(SHOWN)..].join("\n") + "\n";
    }
    // The name of the session differs where the place is alone.
    let what = words(panic).replacen(&place.session.to_string(), &format!("place {}", place.number), 1);
    Failure { what, options: options.alone(place.number).to_string(), story }
}

/// What a panic says, without the seed, which the options name.
fn words(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
    text.split_once(" in the world").map_or(text, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_that_names_no_session_is_of_the_place_whose_session_was_at_work() {
        let options = Options::read(["small", "--seed", "3"].map(str::to_owned)).expect("options");
        let mut world = World::new(3);
        let fleet = Fleet::new(&mut world, 3, options.time);
        let places: Vec<_> = (5..8)
            .map(|number| Place {
                number,
                random: Random::new(1),
                session: fleet.connect(&mut world, Duration::from_secs(u64::from(number))),
                gone: [false; 2],
                is_gentle: false,
                upgrades: false,
                began: Duration::ZERO,
            })
            .collect();
        world.die(places[1].session, Side::Client);
        let failure = failure_of(&options, &world, &places, None, &"index out of bounds");
        assert_eq!(failure.what(), "index out of bounds");
        assert!(failure.command().ends_with("--seed 3 --hours 1 --place 6"), "{}", failure.command());
        let failure =
            failure_of(&options, &world, &places, Some(2), &format!("{} is wrong", places[2].session));
        assert_eq!(failure.what(), "place 7 is wrong");
    }
}
