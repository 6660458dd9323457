//! One direction of the connection between two ends: a pipe of the simulated world, and what a story does to it.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use eio_core::Instant;
use eio_sim::{Pipe, Side, Spells};

use super::letter::Letter;
use super::scene::{Note, Scene};

/// One direction of the connection. Clones are the same link.
#[derive(Clone, Debug)]
pub struct Link(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    scene: Scene,
    /// Who writes into it.
    from: &'static str,
    pipe: Pipe<Letter>,
    held: bool,
}

impl Link {
    pub(crate) fn new(scene: &Scene, from: &'static str) -> Self {
        let pipe = Pipe::new(eio_sim::Link::new(Duration::ZERO), 0);
        Self(Rc::new(RefCell::new(Inner { scene: scene.clone(), from, pipe, held: false })))
    }

    /// From now on a packet takes so long.
    pub fn set_latency(&self, latency: Duration) {
        self.change(|link| link.delay(latency));
    }

    /// From now on a packet takes up to `most` longer than the latency, as `seed` has it.
    pub fn set_jitter(&self, most: Duration, seed: u64) {
        self.0.borrow_mut().pipe.set_seed(seed);
        self.change(|link| link.jitter(most));
    }

    /// From now on packets arrive together, at multiples of `period`, as over a radio that sleeps in between.
    pub fn set_bursts(&self, period: Duration) {
        self.change(|link| link.bursts(period));
    }

    /// From now on the link carries so many bytes in a second, and packets queue behind each other.
    pub fn set_bytes_per_second(&self, bytes: u32) {
        self.change(|link| link.bytes_per_second(bytes));
    }

    /// From now on everything written is lost, and nobody is told: a cable is pulled, a firewall forgets. What is
    /// under way already arrives.
    pub fn cut(&self) {
        let now = Duration::from_micros(self.0.borrow().scene.now());
        self.change(|link| link.cut_to_client(Spells::from(now)));
        self.say("has its way out cut");
    }

    /// Undoes [`cut`](Self::cut). TCP repeats what was lost.
    pub fn mend(&self) {
        self.0.borrow_mut().pipe.link_mut().clear_cuts(Side::Client);
        self.say("has its way out mended");
    }

    /// From now on nothing arrives, but nothing is lost.
    pub fn hold(&self) {
        self.0.borrow_mut().held = true;
        self.say("has its packets held up");
    }

    /// Everything held up arrives now, together.
    pub fn release(&self) {
        self.0.borrow_mut().held = false;
        self.say("has its packets released");
    }

    pub(crate) fn send(&self, letter: Letter) {
        let link = &mut *self.0.borrow_mut();
        let now = Instant::from_micros(link.scene.now());
        let arrives = link.pipe.send(now, letter.len(), letter.clone());
        let note = if arrives { Note::Writes(letter) } else { Note::Loses(letter) };
        link.scene.note(link.from, note);
    }

    /// When anything happens on it next.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        let link = self.0.borrow();
        if link.held { None } else { link.pipe.poll_timeout().map(Instant::as_micros) }
    }

    /// The next letter that has arrived.
    pub(crate) fn receive(&self) -> Option<Letter> {
        let link = &mut *self.0.borrow_mut();
        if link.held {
            return None;
        }
        link.pipe.handle_timeout(Instant::from_micros(link.scene.now()));
        link.pipe.receive()
    }

    fn change(&self, change: impl FnOnce(eio_sim::Link) -> eio_sim::Link) {
        let mut inner = self.0.borrow_mut();
        let link = inner.pipe.link_mut();
        *link = change(link.clone());
    }

    fn say(&self, words: &str) {
        let link = self.0.borrow();
        link.scene.say(link.from, words);
    }
}
