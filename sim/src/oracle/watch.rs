//! What the oracle remembers of one side of a session, and when that session may and must end.

use core::time::Duration;

use eio_core::packet::PacketType;

use super::{Bounds, Counts, Margins, Wrong};
use crate::time::{Micros, NEVER};

/// A moment in true time, and by the clock of this side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Micros,
    pub(crate) reading: Micros,
}

impl Moment {
    const NEVER: Self = Self { at: NEVER, reading: NEVER };
}

/// Why a session may end later than the bounds say, by the clock of its side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excuse {
    /// How long the program has not run since the last heartbeat.
    pub(crate) away: Micros,
    /// By how much the clock steps over the moment of a ping, and of the end after it.
    pub(crate) steps: Micros,
}

/// What one side of a session has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// The peer's last heartbeat, or the opening, or when the application read again; before the opening, when the client
    /// connected.
    beat: Moment,
    /// Its last packet.
    heard: Micros,
    /// The ping that is not answered yet.
    asked: Moment,
    /// The last packet that counts, since the heartbeat or the ping; [`NEVER`] if there was none.
    counted: Micros,
    /// How long a test kept the program from running since the heartbeat.
    kept: Micros,
    /// When anything of the peer was last read, also what is no packet of the session, in true time.
    read: Micros,
    /// When the opening, the closing or a pause of reading must be over; [`NEVER`] while silence is judged.
    until: Micros,
    /// When the session must have ended.
    latest: Micros,
}

impl Watch {
    /// A side that is not open.
    pub(crate) const CLOSED: Self = Self {
        beat: Moment::NEVER,
        heard: NEVER,
        asked: Moment::NEVER,
        counted: NEVER,
        kept: 0,
        read: NEVER,
        until: NEVER,
        latest: NEVER,
    };

    /// The client connects, and waits for its handshake for at most so long.
    pub(crate) const fn connect(&mut self, now: Moment, open_timeout: Micros) {
        let until = now.reading.saturating_add(open_timeout);
        *self = Self { beat: now, until, latest: until, ..Self::CLOSED };
    }

    /// The session closes, which takes at most so long.
    pub(crate) fn close(&mut self, now: Moment, close_timeout: Micros) {
        self.until = self.until.min(now.reading.saturating_add(close_timeout));
        self.latest = self.until;
    }

    /// The application does not read, for at most so long.
    pub(crate) fn pause(&mut self, now: Moment, stall_timeout: Micros) {
        self.close(now, stall_timeout);
    }

    /// The application reads again: silence counts from now.
    pub(crate) fn resume(&mut self, now: Moment, bounds: &Bounds) {
        (self.beat, self.heard, self.until) = (now, now.reading, NEVER);
        self.kept = 0;
        if self.asked.at != NEVER {
            self.asked = now;
        }
        if self.counted != NEVER {
            self.counted = now.reading;
        }
        self.latest = self.bound(bounds);
    }

    pub(crate) fn open(&mut self, now: Moment, bounds: &Bounds) {
        *self = Self { beat: now, heard: now.reading, ..Self::CLOSED };
        self.latest = self.bound(bounds);
    }

    pub(crate) fn hear(&mut self, now: Moment, packet: PacketType, bounds: &Bounds) {
        self.heard = now.reading;
        let is_asked = self.asked.at != NEVER;
        let is_heartbeat = match packet {
            PacketType::Pong => bounds.pings && is_asked,
            PacketType::Ping => !bounds.pings,
            _ => false,
        };
        if is_heartbeat {
            (self.beat, self.asked) = (now, Moment::NEVER);
            (self.counted, self.kept) = (NEVER, 0);
        } else {
            let counts = match bounds.counts {
                Counts::None => false,
                Counts::First => is_asked && self.counted == NEVER,
                Counts::All => is_asked || !bounds.pings,
            };
            if counts {
                self.counted = now.reading;
            }
        }
        self.latest = self.bound(bounds);
    }

    pub(crate) const fn ask(&mut self, now: Moment) {
        (self.asked, self.counted) = (now, NEVER);
    }

    /// The program reads something of the peer.
    pub(crate) const fn read(&mut self, now: Micros) {
        self.read = now;
    }

    /// A ping leaves that had to wait. It is a heartbeat of the peer if the peer has let it go, which shows in something of the
    /// peer that is read at this moment. A ping that this side lets go by itself gets no more time.
    pub(crate) fn release(&mut self, now: Moment, bounds: &Bounds) {
        if self.asked.at == NEVER || self.read != now.at {
            return;
        }
        // A packet that counts may allow more time than the ping.
        if self.earliest(bounds) <= now.reading.saturating_add(bounds.after_death_min) {
            self.counted = NEVER;
        }
        (self.beat, self.heard, self.asked) = (now, now.reading, now);
        self.kept = 0;
        self.latest = self.bound(bounds);
    }

    /// The program will not run for so long.
    pub(crate) const fn keep(&mut self, time: Micros) {
        self.kept = self.kept.saturating_add(time);
    }

    /// By when the session must have ended.
    pub(crate) const fn latest(&self) -> Micros {
        self.latest
    }

    /// The peer's last heartbeat, or the opening, or when the application read again; before the opening, when the client
    /// connected.
    pub(crate) const fn beat(&self) -> Moment {
        self.beat
    }

    /// How long a test has kept the program from running since then.
    pub(crate) const fn kept(&self) -> Micros {
        self.kept
    }

    /// Since when the peer owes something.
    pub(crate) const fn owed_since(&self, bounds: &Bounds) -> Micros {
        if bounds.pings { self.asked.at } else { self.beat.at }
    }

    /// The session has not ended at `reading`. Returns by how much the bound is passed.
    pub(crate) fn check_alive(&mut self, reading: Micros, excuse: Excuse, bounds: &Bounds) -> Option<Micros> {
        self.latest = self.latest_with(excuse, bounds);
        reading.checked_sub(self.latest)
    }

    /// The session has ended for silence at `reading`.
    pub(crate) fn check_end(
        &self,
        reading: Micros,
        excuse: Excuse,
        bounds: &Bounds,
        margins: &mut Margins,
    ) -> Option<Wrong> {
        let latest = self.latest_with(excuse, bounds);
        if reading > latest {
            return Some(Wrong::Late { by: Duration::from_micros(reading - latest) });
        }
        let earliest = self.earliest(bounds);
        if reading < earliest {
            let missing = if earliest == NEVER { bounds.after_death_min } else { earliest - reading };
            return Some(Wrong::Early { by: Duration::from_micros(missing) });
        }
        margins.add(reading - earliest, latest - reading, excuse.away == 0);
        None
    }

    /// The client has given up waiting for its handshake at `reading`, or the session waiting for its application.
    pub(crate) fn check_limit(&self, reading: Micros, excuse: Excuse, bounds: &Bounds) -> Option<Wrong> {
        let latest = self.latest_with(excuse, bounds);
        if reading > latest {
            return Some(Wrong::Late { by: Duration::from_micros(reading - latest) });
        }
        let by = Duration::from_micros(self.until.checked_sub(reading).filter(|missing| *missing > 0)?);
        Some(Wrong::Early { by })
    }

    fn latest_with(&self, excuse: Excuse, bounds: &Bounds) -> Micros {
        self.bound(bounds).saturating_add(excuse.away).saturating_add(excuse.steps)
    }

    /// By when the session of a program that runs all the time must have ended.
    fn bound(&self, bounds: &Bounds) -> Micros {
        if self.until != NEVER {
            return self.until;
        }
        let by_packet = self.heard.saturating_add(bounds.after_packet);
        by_packet.min(self.beat.reading.saturating_add(bounds.after_heartbeat))
    }

    /// When the session may end for silence; [`NEVER`] while its peer owes nothing, or silence is not judged.
    fn earliest(&self, bounds: &Bounds) -> Micros {
        if self.until != NEVER {
            return NEVER;
        }
        match (bounds.counts, self.counted) {
            (_, NEVER) if bounds.pings => self.asked.reading.saturating_add(bounds.after_death_min),
            (_, NEVER) => self.beat.reading.saturating_add(bounds.after_packet),
            (Counts::First, counted) => counted.saturating_add(bounds.after_death_min),
            (_, counted) => counted.saturating_add(bounds.after_packet),
        }
    }
}
