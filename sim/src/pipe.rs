//! One direction of a connection by itself, for worlds of your own.

use eio_core::Instant;

use crate::kernel::KernelClock;
use crate::link::Link;
use crate::random::Random;
use crate::side::Side;
use crate::stream::{Carried, Stream, Wire};
use crate::time::{Micros, NEVER};
use crate::traffic::Direction;

/// One direction of a TCP connection over a [`Link`]: what is lost is sent again, the order is kept, and what follows
/// waits. It is the part of this crate for a world of your own, in which something else than sessions talks.
///
/// It has no clock: pass in the true time, and call it again at [`poll_timeout`](Self::poll_timeout). It leads towards
/// [`Side::Client`] as far as cuts of its link are concerned; acknowledgements take the other way.
///
/// ```
/// use core::time::Duration;
/// use eio_core::Instant;
/// use eio_sim::{Link, Pipe, Side, Spells};
///
/// let at = |millis: u64| Instant::from_micros(millis * 1_000);
/// let cut = Spells::once(Duration::ZERO, Duration::from_millis(100));
/// let mut pipe = Pipe::new(Link::new(Duration::from_millis(20)).cut_to_client(cut), 1);
/// pipe.send(at(50), 5, "hello"); // lost, and sent again after 242 ms
/// let mut now = at(50);
/// while let Some(wake) = pipe.poll_timeout() {
///     now = wake;
///     pipe.handle_timeout(now);
///     if let Some(heard) = pipe.receive() {
///         assert_eq!((heard, now), ("hello", at(312)));
///         break;
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Pipe<T> {
    link: Link,
    stream: Stream<T>,
    random: Random,
    traffic: Direction,
}

impl<T> Pipe<T> {
    /// Creates a pipe whose sender knows the round trip of the link. Jitter and losses follow from `seed`.
    #[must_use]
    pub fn new(link: Link, seed: u64) -> Self {
        let stream = Stream::established(2 * link.one_way());
        Self { link, stream, random: Random::new(seed), traffic: Direction::default() }
    }

    /// Returns its link, to change it. What is under way arrives as it would have before.
    pub const fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Takes another source of jitter and losses.
    pub const fn set_seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// Sends something of so many bytes. Returns false if it is lost at first, or waits behind something that was.
    pub fn send(&mut self, now: Instant, bytes: u32, what: T) -> bool {
        let Self { link, stream, random, traffic, .. } = self;
        let mut wire =
            Wire { link, towards: Side::Client, clock: KernelClock::AWAKE, random, counts: traffic };
        stream.send(now.as_micros(), bytes, what, &mut wire) == Carried::Arrives
    }

    /// Returns when anything happens next, if nothing else is sent: something arrives, or is sent again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let wake = Self::wake(&self.stream);
        (wake != NEVER).then(|| Instant::from_micros(wake))
    }

    /// When anything happens next. It does not depend on the present: what was due before is not to be taken for calm.
    fn wake(stream: &Stream<T>) -> Micros {
        stream.next_arrival().min(stream.next_timer(0, KernelClock::AWAKE))
    }

    /// Lets happen what happens by `now`. Afterwards its deadline is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = now.as_micros();
        let Self { link, stream, random, traffic, .. } = self;
        // A round on a link without delay brings an acknowledgement at once, which frees what waits.
        while Self::wake(stream) <= now {
            let mut wire =
                Wire { link, towards: Side::Client, clock: KernelClock::AWAKE, random, counts: traffic };
            if !stream.expire(now, &mut wire) {
                stream.clear();
            }
            stream.arrive(now, link, Side::Server, KernelClock::AWAKE, random);
        }
    }

    /// Takes the next thing that has arrived.
    pub fn receive(&mut self) -> Option<T> {
        self.stream.read()
    }

    /// Returns what it has carried. Packets are not counted.
    #[must_use]
    pub const fn traffic(&self) -> Direction {
        self.traffic
    }
}
