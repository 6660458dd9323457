//! One direction of the connection between two ends. It keeps the order, as TCP does.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use super::letter::Letter;
use super::micros;
use super::random::Random;
use super::scene::{Note, Scene};

/// One direction of the connection. Clones are the same link.
#[derive(Clone, Debug)]
pub struct Link(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    scene: Scene,
    /// Who writes into it.
    from: &'static str,
    latency: u64,
    jitter: Option<(u64, Random)>,
    /// What is under way arrives together at multiples of this.
    burst: u64,
    /// Microseconds that one byte occupies the link.
    per_byte: u64,
    cut: bool,
    held: bool,
    /// When the last byte left the sender, and when it arrives.
    busy_until: u64,
    last_arrival: u64,
    under_way: VecDeque<(u64, Letter)>,
}

impl Link {
    pub(crate) fn new(scene: &Scene, from: &'static str) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            scene: scene.clone(),
            from,
            latency: 0,
            jitter: None,
            burst: 0,
            per_byte: 0,
            cut: false,
            held: false,
            busy_until: 0,
            last_arrival: 0,
            under_way: VecDeque::new(),
        })))
    }

    /// From now on a packet takes so long.
    pub fn set_latency(&self, latency: Duration) {
        self.0.borrow_mut().latency = micros(latency);
    }

    /// From now on a packet takes up to `most` longer than the latency, as `seed` has it.
    pub fn set_jitter(&self, most: Duration, seed: u64) {
        self.0.borrow_mut().jitter = Some((micros(most), Random::new(seed)));
    }

    /// From now on packets arrive together, at multiples of `period`, as over a radio that sleeps in between.
    pub fn set_bursts(&self, period: Duration) {
        self.0.borrow_mut().burst = micros(period);
    }

    /// From now on a byte occupies the link for so long, and packets queue behind each other.
    pub fn set_time_per_byte(&self, time: Duration) {
        self.0.borrow_mut().per_byte = micros(time);
    }

    /// From now on everything written is lost, and nobody is told: a cable is pulled, a firewall forgets. What is
    /// under way already arrives.
    pub fn cut(&self) {
        let mut link = self.0.borrow_mut();
        link.cut = true;
        link.scene.say(link.from, "has its way out cut");
    }

    /// Undoes [`cut`](Self::cut), for what is written from now on.
    pub fn mend(&self) {
        let mut link = self.0.borrow_mut();
        link.cut = false;
        link.scene.say(link.from, "has its way out mended");
    }

    /// From now on nothing arrives, but nothing is lost: TCP repeats what a bad network drops.
    pub fn hold(&self) {
        let mut link = self.0.borrow_mut();
        link.held = true;
        link.scene.say(link.from, "has its packets held up");
    }

    /// Everything held up arrives now, together.
    pub fn release(&self) {
        let mut link = self.0.borrow_mut();
        link.held = false;
        link.scene.say(link.from, "has its packets released");
        let now = link.scene.now();
        for (arrival, _) in &mut link.under_way {
            *arrival = now.max(*arrival);
        }
    }

    pub(crate) fn send(&self, letter: Letter) {
        let link = &mut *self.0.borrow_mut();
        if link.cut {
            link.scene.note(link.from, Note::Loses(letter));
            return;
        }
        let now = link.scene.now();
        link.busy_until = now.max(link.busy_until) + link.per_byte * letter.len();
        let jitter = link.jitter.as_mut().map_or(0, |(most, random)| random.below(*most + 1));
        let mut arrival = (link.busy_until + link.latency + jitter).max(link.last_arrival);
        if link.burst > 0 {
            arrival = arrival.next_multiple_of(link.burst);
        }
        link.last_arrival = arrival;
        link.scene.note(link.from, Note::Writes(letter.clone()));
        link.under_way.push_back((arrival, letter));
    }

    /// When the next letter arrives.
    pub(crate) fn next_arrival(&self) -> Option<u64> {
        let link = self.0.borrow();
        if link.held { None } else { link.under_way.front().map(|(arrival, _)| *arrival) }
    }

    /// The next letter that has arrived.
    pub(crate) fn receive(&self) -> Option<Letter> {
        let arrived = self.next_arrival()? <= self.0.borrow().scene.now();
        if arrived { self.0.borrow_mut().under_way.pop_front().map(|(_, letter)| letter) } else { None }
    }
}
