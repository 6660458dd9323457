//! One direction of a TCP connection: what is lost is sent again, the order is kept, and what follows waits.
//!
//! Both of its ends are here. The receiver's acknowledgement is not an event of its own: when a segment arrives, it is
//! known when the sender will hear of it. The sender looks at that time when it next does anything.
//!
//! What is under way arrives at a true time. The sender's timers go by the clock of its kernel, which stands still in sleep.

mod wire;

pub use wire::Carried;
pub(crate) use wire::Wire;

use crate::kernel::KernelClock;
use crate::link::{Lane, Link};
use crate::queue::Queue;
use crate::random::Random;
use crate::side::Side;
use crate::tcp::RoundTrips;
use crate::time::{Micros, NEVER};

/// One direction of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Stream<T> {
    /// What was sent and is not acknowledged, or not read.
    queue: Queue<Segment<T>>,
    lane: Lane,
    trips: RoundTrips,
    /// How many entries of the queue the sender knows to have arrived.
    acknowledged: usize,
    /// How many have arrived without a gap, and how many of those are read.
    received: usize,
    read: usize,
    /// When the sender repeats something, by its clock; [`NEVER`] while it waits for nothing.
    timer: Micros,
    /// Whether something overtook a lost segment, and when that was sent, by the sender's clock.
    overtaken: Overtaken,
    overtaken_by: Micros,
    /// When the sender first repeated what is still unacknowledged, by its clock.
    repeating_since: Micros,
    backoff: u8,
    phase: Phase,
    /// Something was lost or repeated, so segments may arrive in another order than they stand in the queue.
    irregular: bool,
    /// The sender's kernel knows the connection no more.
    is_abandoned: bool,
}

#[derive(Clone, Debug)]
struct Segment<T> {
    payload: Option<T>,
    bytes: u32,
    times: u16,
    arrived: bool,
    /// When it was handed to the sender.
    since: Micros,
    /// When its last copy was sent, by the sender's clock.
    sent_at: Micros,
    /// When the copy under way arrives.
    arrives: Micros,
    /// When the sender hears of its arrival.
    acknowledged: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is known to be lost.
    Calm,
    /// The last segment was repeated, to find out.
    Probing,
    /// The timeout has passed: only the first segment is repeated until it is acknowledged.
    Recovering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overtaken {
    No,
    /// The sender hears of it at this time.
    Reported(Micros),
    /// The sender repeats the lost segment when its clock shows this.
    Known(Micros),
}

impl<T> Stream<T> {
    /// A stream whose sender knows no round trip yet.
    pub(crate) const fn new() -> Self {
        Self {
            queue: Queue::new(),
            lane: Lane::NEW,
            trips: RoundTrips::NONE,
            acknowledged: 0,
            received: 0,
            read: 0,
            timer: NEVER,
            overtaken: Overtaken::No,
            overtaken_by: 0,
            repeating_since: NEVER,
            backoff: 0,
            phase: Phase::Calm,
            irregular: false,
            is_abandoned: false,
        }
    }

    /// A stream whose sender has measured this round trip.
    pub(crate) fn established(round_trip: Micros) -> Self {
        let mut stream = Self::new();
        for _ in 0..8 {
            stream.trips.add(round_trip);
        }
        stream
    }

    /// Hands something to the sender. It leaves at once, unless the sender waits for an acknowledgement after a loss.
    pub(crate) fn send(&mut self, now: Micros, bytes: u32, payload: T, wire: &mut Wire<'_>) -> Carried {
        self.settle(now, wire);
        self.queue.push_back(Segment {
            payload: Some(payload),
            bytes,
            times: 0,
            arrived: false,
            since: now,
            sent_at: NEVER,
            arrives: NEVER,
            acknowledged: NEVER,
        });
        let carried = if self.phase == Phase::Recovering {
            Carried::Waits
        } else if self.transmit(self.queue.len() - 1, now, wire) {
            Carried::Arrives
        } else {
            Carried::Lost
        };
        if self.timer == NEVER {
            self.arm(now, wire);
        }
        carried
    }

    /// Takes the next thing that has arrived.
    pub(crate) fn read(&mut self) -> Option<T> {
        if self.read == self.received {
            return None;
        }
        let payload = self.queue.get_mut(self.read)?.payload.take();
        self.read += 1;
        self.trim();
        payload
    }

    /// What [`read`](Self::read) takes next.
    pub(crate) fn unread(&self) -> Option<&T> {
        if self.read == self.received { None } else { self.queue.get(self.read)?.payload.as_ref() }
    }

    /// The sender's kernel forgets the connection: it repeats nothing, and hears nothing. What is under way arrives, and what
    /// has arrived can be read, as far as nothing is missing before it.
    pub(crate) fn abandon(&mut self) {
        let is_missing = |index: &usize| {
            self.queue.get(*index).is_some_and(|segment| segment.arrives == NEVER && !segment.arrived)
        };
        if let Some(gap) = (self.received..self.queue.len()).find(is_missing) {
            self.queue.truncate(gap);
        }
        (self.is_abandoned, self.phase) = (true, Phase::Calm);
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Whether the sender has nothing left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.is_abandoned || self.acknowledged == self.queue.len()
    }

    /// How long the first thing that has not arrived has been on its way, or has waited for the sender.
    pub(crate) fn longest_wait(&self, now: Micros) -> Micros {
        self.queue.get(self.received).map_or(0, |segment| now - segment.since)
    }

    /// When the next copy of a segment arrives.
    pub(crate) fn next_arrival(&self) -> Micros {
        if !self.irregular {
            return self.queue.get(self.received).map_or(NEVER, |segment| segment.arrives);
        }
        self.outstanding().map(|segment| segment.arrives).min().unwrap_or(NEVER)
    }

    /// When the sender does something by itself, at `now` or later. If it falls asleep before, it has to be asked again then.
    pub(crate) fn next_timer(&self, now: Micros, clock: KernelClock<'_>) -> Micros {
        let heard = |index: usize| self.queue.get(index).map_or(NEVER, |segment| segment.acknowledged);
        let Some(last) = self.queue.len().checked_sub(1).filter(|_| !self.is_done()) else {
            return NEVER;
        };
        let first = heard(self.acknowledged);
        let timer = clock.shows_at(now, self.timer);
        let overtaken = match self.overtaken {
            Overtaken::No => NEVER,
            Overtaken::Reported(at) => at,
            Overtaken::Known(due) => clock.shows_at(now, due),
        };
        // Where nothing is lost, acknowledgements stop the timer each time before it fires, and nobody has to look.
        let in_time = timer.min(first.saturating_add(2 * self.trips.mean()));
        let is_calm = self.phase == Phase::Calm && self.backoff == 0 && heard(last) <= in_time;
        let next = if is_calm { overtaken } else { timer.min(first).min(overtaken) };
        next.max(clock.wakes(now))
    }

    /// The sender's machine falls asleep until then: acknowledgements that arrive meanwhile are lost. What has arrived before
    /// is [settled](Self::settle).
    pub(crate) fn sleep(&mut self, until: Micros) {
        // Each acknowledgement is one of everything before, too.
        let mut heard = NEVER;
        for index in (self.acknowledged..self.received).rev() {
            if let Some(segment) = self.queue.get_mut(index) {
                heard = heard.min(if segment.acknowledged < until { NEVER } else { segment.acknowledged });
                segment.acknowledged = heard;
            }
        }
        if matches!(self.overtaken, Overtaken::Reported(at) if at < until) {
            self.overtaken = Overtaken::No;
        }
    }

    /// Lets arrive what arrives by `now`; `back` leads to the sender, whose clock is `clock`. Returns whether anything did.
    pub(crate) fn arrive(
        &mut self,
        now: Micros,
        back: &Link,
        to_sender: Side,
        clock: KernelClock<'_>,
        random: &mut Random,
    ) -> bool {
        let Some(latest) = self.mark_arrived(now, true) else { return false };
        while self.queue.get(self.received).is_some_and(|segment| segment.arrived) {
            self.received += 1;
        }
        if self.is_abandoned {
            return true;
        }
        let heard = back.carry_empty(to_sender, now, random);
        if heard == NEVER || clock.is_asleep(heard) {
            return true;
        }
        for index in (0..self.received).rev() {
            match self.queue.get_mut(index) {
                Some(segment) if segment.acknowledged > heard => segment.acknowledged = heard,
                _ => break,
            }
        }
        if latest >= self.received {
            self.overtaken = match self.overtaken {
                Overtaken::No => Overtaken::Reported(heard),
                Overtaken::Reported(before) => Overtaken::Reported(before.min(heard)),
                known @ Overtaken::Known(_) => known,
            };
            self.overtaken_by = self.queue.get(latest).map_or(0, |segment| segment.sent_at);
        }
        true
    }

    /// Loses what arrives by `now`: nobody is there to receive it. Returns whether anything did arrive.
    pub(crate) fn lose(&mut self, now: Micros) -> bool {
        let lost = self.mark_arrived(now, false).is_some();
        self.irregular |= lost;
        lost
    }

    /// Takes the copies that arrive by `now` off the link. Returns the place of the last one.
    fn mark_arrived(&mut self, now: Micros, received: bool) -> Option<usize> {
        let mut latest = None;
        let mut under_way = false;
        let first = if self.irregular { self.acknowledged } else { self.received };
        for index in first..self.queue.len() {
            let Some(segment) = self.queue.get_mut(index) else { break };
            if segment.arrives <= now {
                segment.arrives = NEVER;
                segment.arrived |= received;
                latest = Some(index);
            } else if !self.irregular {
                return latest;
            }
            under_way |= segment.arrives != NEVER || !segment.arrived;
        }
        self.irregular &= under_way;
        latest
    }

    /// The sender's timers: repeats what is due. Returns false if the sender gives up.
    pub(crate) fn expire(&mut self, now: Micros, wire: &mut Wire<'_>) -> bool {
        self.settle(now, wire);
        let reading = wire.clock.reading(now);
        if matches!(self.overtaken, Overtaken::Known(due) if due <= reading) {
            self.overtaken = Overtaken::No;
            self.repeat_overtaken(now, wire);
        }
        if self.timer > reading {
            return true;
        }
        if self.is_done() {
            self.timer = NEVER;
            return true;
        }
        if self.phase == Phase::Calm && self.trips.mean() > 0 {
            self.phase = Phase::Probing;
            self.transmit(self.queue.len() - 1, now, wire);
        } else {
            self.phase = Phase::Recovering;
            self.repeating_since = self.repeating_since.min(reading);
            if reading - self.repeating_since >= wire.link.senders().gives_up() {
                return false;
            }
            self.transmit(self.acknowledged, now, wire);
            self.backoff = self.backoff.saturating_add(1);
        }
        self.arm(now, wire);
        true
    }

    /// Lets the sender know what it has heard by `now`.
    pub(crate) fn settle(&mut self, now: Micros, wire: &mut Wire<'_>) {
        if let Overtaken::Reported(at) = self.overtaken
            && at <= now
        {
            // A quarter of a round trip is left for segments that only changed their order (RFC 8985).
            self.overtaken = Overtaken::Known(wire.clock.reading(at) + self.trips.mean() / 4);
        }
        let Some(heard) = self.hear(now, wire.clock) else { return };
        self.backoff = 0;
        self.repeating_since = NEVER;
        self.timer = NEVER;
        if core::mem::replace(&mut self.phase, Phase::Calm) == Phase::Recovering {
            for index in self.acknowledged..self.queue.len() {
                let is_lost = |segment: &Segment<T>| segment.arrives == NEVER && !segment.arrived;
                if self.queue.get(index).is_some_and(is_lost) {
                    self.transmit(index, now, wire);
                }
            }
        }
        self.trim();
        if self.is_done() {
            self.overtaken = Overtaken::No;
        } else {
            self.arm(heard, wire);
        }
    }

    /// Takes the acknowledgements that arrive by `now`. Returns when the last one did.
    fn hear(&mut self, now: Micros, clock: KernelClock<'_>) -> Option<Micros> {
        let mut heard = None;
        while let Some(segment) = self.queue.get(self.acknowledged)
            && segment.acknowledged <= now
        {
            heard = Some(segment.acknowledged);
            // Of a repeated segment, nobody knows which copy was answered.
            if segment.times == 1 {
                self.trips.add(clock.reading(segment.acknowledged).saturating_sub(segment.sent_at));
            }
            self.acknowledged += 1;
        }
        heard
    }

    fn repeat_overtaken(&mut self, now: Micros, wire: &mut Wire<'_>) {
        for index in self.received..self.queue.len() {
            let by = self.overtaken_by;
            let is_lost = |segment: &Segment<T>| !segment.arrived && segment.sent_at <= by;
            if self.queue.get(index).is_some_and(is_lost) {
                self.transmit(index, now, wire);
            }
        }
        self.arm(now, wire);
    }

    fn transmit(&mut self, index: usize, now: Micros, wire: &mut Wire<'_>) -> bool {
        let Some(segment) = self.queue.get_mut(index) else { return false };
        let arrives = wire.link.carry(wire.towards, now, segment.bytes, &mut self.lane, wire.random);
        wire.counts.segments += 1;
        wire.counts.bytes += u64::from(segment.bytes);
        wire.counts.repeated += u64::from(segment.times > 0);
        wire.counts.lost += u64::from(arrives == NEVER);
        self.irregular |= segment.times > 0 || arrives == NEVER;
        segment.times = segment.times.saturating_add(1);
        segment.sent_at = wire.clock.reading(now.max(self.lane.busy_until()));
        segment.arrives = segment.arrives.min(arrives);
        arrives != NEVER
    }

    fn arm(&mut self, from: Micros, wire: &Wire<'_>) {
        let tcp = wire.link.senders();
        let time = match self.phase {
            Phase::Calm => {
                self.trips.probe(tcp, self.queue.len() - self.acknowledged).min(self.trips.timeout(tcp))
            }
            Phase::Probing | Phase::Recovering => self.trips.timeout(tcp),
        };
        // What still waits for the link to be free is not late.
        let from = wire.clock.reading(from.max(self.lane.busy_until()));
        self.timer = tcp.fires(from, time, self.backoff);
    }

    fn outstanding(&self) -> impl Iterator<Item = &Segment<T>> {
        (self.acknowledged..self.queue.len()).filter_map(|index| self.queue.get(index))
    }

    /// Forgets what is read and acknowledged.
    fn trim(&mut self) {
        for _ in 0..self.read.min(self.acknowledged) {
            self.queue.pop_front();
            self.acknowledged -= 1;
            self.received -= 1;
            self.read -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
