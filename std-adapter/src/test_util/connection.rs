//! A connection over a link: both directions, the state of both ends, and the tasks that wait at them.

use core::mem;
use core::task::Waker;
use core::time::Duration;
use std::io::{self, IoSlice};
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use tokio::time::Instant;

use crate::test_util::pipe::{Content, Found, Pipe};

/// Which end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Client,
    Server,
}

/// What came of a read or a write.
#[derive(Debug)]
pub(super) enum Progress {
    /// How many bytes were read or written.
    Made(usize),
    Failed(io::ErrorKind),
    /// Nothing is possible now, nor before this time unless the task is woken.
    Wait(Option<Instant>),
}

/// How a stream leaves its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    InOrder,
    WithReset,
}

/// Both ends of a connection.
#[derive(Debug)]
pub(super) struct Connection(Mutex<State>);

#[derive(Debug)]
struct State {
    delay: Duration,
    is_cut: bool,
    client: End,
    server: End,
}

#[derive(Debug)]
struct End {
    incoming: Pipe,
    presence: Presence,
    /// The task that waits for bytes, and the one that waits for room.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Open,
    /// It sends nothing more, and still reads.
    Silent,
    /// The stream has been dropped.
    Closed,
    /// The stream has been dropped with a reset. Nothing that it sent is sent again.
    Reset,
}

/// The wakers to use or to drop once the lock is free: both may drop a task, and its streams with it.
#[derive(Default)]
#[must_use]
struct Woken {
    tasks: [Option<Waker>; 4],
    /// A waker in whose place another one waits. Nobody is woken by it.
    replaced: Option<Waker>,
}

impl Woken {
    fn tasks(tasks: [Option<Waker>; 4]) -> Self {
        Self { tasks, replaced: None }
    }

    fn wake(self) {
        let Self { tasks, replaced } = self;
        tasks.into_iter().flatten().for_each(Waker::wake);
        drop(replaced);
    }
}

impl Connection {
    pub(super) fn new(delay: Duration, is_cut: bool, buffer: usize) -> Self {
        Self(Mutex::new(State { delay, is_cut, client: End::new(buffer), server: End::new(buffer) }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> (T, Woken)) -> T {
        let (result, woken) = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut state)
        };
        woken.wake();
        result
    }

    /// Reads what has arrived at this end. Otherwise, `waker` waits.
    pub(super) fn read(&self, side: Side, room: &mut [u8], waker: Option<&Waker>) -> Progress {
        self.with(|state| state.read(side, room, waker))
    }

    /// Writes the first bytes of `parts`. Without room, `waker` waits.
    pub(super) fn write(&self, side: Side, parts: &[IoSlice<'_>], waker: &Waker) -> Progress {
        self.with(|state| state.write(side, parts, waker))
    }

    /// Sends the end of this end's bytes.
    pub(super) fn shut_down(&self, side: Side) {
        self.with(|state| ((), state.shut_down(side)));
    }

    /// Closes one end.
    pub(super) fn leave(&self, side: Side, leave: Leave) {
        self.with(|state| ((), state.leave(side, leave)));
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        self.with(|state| (state.delay = delay, Woken::default()));
    }

    pub(super) fn cut(&self) {
        self.with(|state| {
            state.cut();
            // Whoever waits for an arrival has a timer, which finds nothing.
            ((), Woken::default())
        });
    }

    pub(super) fn mend(&self) {
        self.with(|state| ((), state.mend()));
    }

    /// Resets both ends at once.
    pub(super) fn reset(&self) {
        self.with(|state| ((), state.reset()));
    }
}

impl State {
    /// This end and the other one.
    fn ends(&mut self, side: Side) -> (&mut End, &mut End) {
        match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        }
    }

    /// Returns when something arrives that makes this many trips, from now on.
    fn after(&self, trips: u32) -> Option<Instant> {
        let on_the_way = self.delay.checked_mul(trips)?;
        if self.is_cut { None } else { Instant::now().checked_add(on_the_way) }
    }

    fn read(&mut self, side: Side, room: &mut [u8], waker: Option<&Waker>) -> (Progress, Woken) {
        let (own, other) = self.ends(side);
        match own.incoming.read(Instant::now(), room) {
            Found::Bytes(len) => (Progress::Made(len), Woken::tasks([other.writer.take(), None, None, None])),
            Found::End => (Progress::Made(0), Woken::default()),
            Found::Reset => (Progress::Failed(io::ErrorKind::ConnectionReset), Woken::default()),
            Found::Nothing(arrives) => {
                let woken = waker.map(|waker| wait(&mut own.reader, waker));
                (Progress::Wait(arrives), woken.unwrap_or_default())
            }
        }
    }

    fn write(&mut self, side: Side, parts: &[IoSlice<'_>], waker: &Waker) -> (Progress, Woken) {
        let (arrives, answered) = (self.after(1), self.after(2));
        let (own, other) = self.ends(side);
        let failed = |kind| (Progress::Failed(kind), Woken::default());
        let reset = own.incoming.reset_arrives();
        if reset.is_some_and(|reset| reset <= Instant::now()) {
            return failed(io::ErrorKind::ConnectionReset);
        }
        if own.presence != Presence::Open {
            return failed(io::ErrorKind::BrokenPipe);
        }
        let wanted = parts.iter().map(|part| part.len()).sum::<usize>();
        let len = wanted.min(other.incoming.free());
        if len < wanted.min(1) {
            return (Progress::Wait(reset), wait(&mut own.writer, waker));
        }
        let mut bytes = BytesMut::with_capacity(len);
        for part in parts {
            let missing = len - bytes.len();
            bytes.extend_from_slice(&part[..part.len().min(missing)]);
        }
        let mut woken = Woken::default();
        if len > 0 {
            other.incoming.push(Content::Bytes(bytes.freeze()), arrives);
            woken.tasks[0] = other.reader.take();
            if other.is_gone() {
                own.incoming.push(Content::Rejection, answered);
                woken.tasks[1] = own.reader.take();
            }
        }
        (Progress::Made(len), woken)
    }

    fn shut_down(&mut self, side: Side) -> Woken {
        let arrives = self.after(1);
        let (own, other) = self.ends(side);
        if own.presence != Presence::Open {
            return Woken::default();
        }
        own.presence = Presence::Silent;
        other.incoming.push(Content::End, arrives);
        other.wakers()
    }

    fn leave(&mut self, side: Side, leave: Leave) -> Woken {
        let now = Instant::now();
        let (arrives, is_cut, delay) = (self.after(1), self.is_cut, self.delay);
        let (own, other) = self.ends(side);
        let before = mem::replace(&mut own.presence, Presence::Closed);
        if own.incoming.reset_arrives().is_some_and(|reset| reset <= now) {
            // The connection has ended already.
            return Woken::default();
        }
        // As in the kernel: an end that has not read everything tells that by a reset.
        if leave == Leave::WithReset || own.incoming.has_unread(now) {
            own.presence = Presence::Reset;
            if is_cut {
                other.incoming.lose(now);
            } else {
                other.incoming.push(Content::Reset, arrives);
            }
        } else {
            if before == Presence::Open {
                other.incoming.push(Content::End, arrives);
            }
            if own.incoming.has_arriving(now) {
                let last = own.incoming.last_arrives();
                other.incoming.push(Content::Rejection, last.and_then(|last| last.checked_add(delay)));
            }
        }
        self.all_wakers()
    }

    fn cut(&mut self) {
        if mem::replace(&mut self.is_cut, true) {
            return;
        }
        let now = Instant::now();
        for side in [Side::Client, Side::Server] {
            let (own, other) = self.ends(side);
            other.incoming.cut(now);
            if own.presence == Presence::Reset {
                other.incoming.lose(now);
            }
        }
    }

    fn mend(&mut self) -> Woken {
        if !mem::replace(&mut self.is_cut, false) {
            return Woken::default();
        }
        let (arrives, answered) = (self.after(1), self.after(2));
        for side in [Side::Client, Side::Server] {
            let (own, other) = self.ends(side);
            let is_rejected = own.is_gone() && own.incoming.has_arriving(Instant::now());
            own.incoming.mend(arrives, answered);
            if is_rejected {
                other.incoming.push(Content::Rejection, answered);
            }
        }
        self.all_wakers()
    }

    fn reset(&mut self) -> Woken {
        let now = Instant::now();
        for end in [&mut self.client, &mut self.server] {
            end.incoming.lose(now);
            end.incoming.push(Content::Reset, Some(now));
        }
        self.all_wakers()
    }

    fn all_wakers(&mut self) -> Woken {
        let Self { client, server, .. } = self;
        Woken::tasks([client.reader.take(), client.writer.take(), server.reader.take(), server.writer.take()])
    }
}

impl End {
    fn new(buffer: usize) -> Self {
        Self { incoming: Pipe::new(buffer), presence: Presence::Open, reader: None, writer: None }
    }

    fn is_gone(&self) -> bool {
        matches!(self.presence, Presence::Closed | Presence::Reset)
    }

    fn wakers(&mut self) -> Woken {
        Woken::tasks([self.reader.take(), self.writer.take(), None, None])
    }
}

/// Lets `waker` wait in this place.
fn wait(place: &mut Option<Waker>, waker: &Waker) -> Woken {
    match place {
        Some(waiting) if waiting.will_wake(waker) => Woken::default(),
        _ => Woken { replaced: place.replace(waker.clone()), ..Woken::default() },
    }
}
