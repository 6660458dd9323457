//! Socket.IO 0.9 (protocol 1): both sides repeat `2::`. These machines are complete: no session type wraps them.
//!
//! The four periods are Hi (heartbeat interval), Ht (heartbeat timeout), Ct (close timeout) and Pd (polling duration).
//! `now` is the time at which the input is handled. Old configurations give the periods in *seconds*; here they are
//! [`Duration`]s.
//!
//! # [`Server`] on WebSocket
//!
//! | input | next heartbeat | deadline | outcome |
//! |---|---|---|---|
//! | connected | now + Hi | off | |
//! | next heartbeat due | off | now + Ht | `2::` |
//! | `2::` came in | now + Hi, unless already armed | off | |
//! | any other packet | unchanged | unchanged | |
//! | deadline due | off | off | heartbeat timeout |
//!
//! At most one heartbeat is outstanding. An early echo does not postpone the next heartbeat.
//!
//! # [`PollingServer`] on xhr-polling
//!
//! There are no heartbeats on polling. A poll is held for at most Pd. A client that does not poll again within Ct
//! counts as gone.
//!
//! | input | deadline | outcome |
//! |---|---|---|
//! | a poll came in | now + Pd | |
//! | the poll was answered | now + Ct | |
//! | deadline due while a poll is held | now + Ct | answer it with a noop, `8::` |
//! | deadline due while none is held | off | close timeout |
//!
//! # [`Client`]
//!
//! | input | heartbeat deadline | close deadline | outcome |
//! |---|---|---|---|
//! | connected | now + Ht (none without heartbeats) | off (without heartbeats: now + Ct) | |
//! | `2::` came in | now + Ht | now + Ct | `2::` |
//! | any other packet | now + Ht | now + Ct | |
//! | heartbeat deadline due | off | off | heartbeat timeout |
//! | close deadline due | off | off | close timeout |
//!
//! The handshake's heartbeat timeout is the longest allowed silence: the interval is neither transmitted nor added. An
//! empty heartbeat field in the handshake means that heartbeats are off. Then only the close timeout counts.

use core::time::Duration;

use crate::settings::{Unfit, whole_millis};
use crate::time::{Clock, Instant};

/// The four periods of a Socket.IO 0.9 server. A value of this type is always valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Settings {
    heartbeat_interval: u32,
    heartbeat_timeout: u32,
    close_timeout: u32,
    polling_duration: u32,
}

impl Settings {
    /// 25 s, 60 s, 60 s and 20 s: the defaults of Socket.IO 0.9.
    pub const DEFAULT: Self = Self {
        heartbeat_interval: 25_000,
        heartbeat_timeout: 60_000,
        close_timeout: 60_000,
        polling_duration: 20_000,
    };

    /// Creates settings from four periods. Each must be whole milliseconds, above zero, and at most 2^32 − 1 ms.
    ///
    /// # Errors
    /// Returns a [`PeriodError`] that names the invalid period.
    pub const fn new(
        heartbeat_interval: Duration,
        heartbeat_timeout: Duration,
        close_timeout: Duration,
        polling_duration: Duration,
    ) -> Result<Self, PeriodError> {
        let heartbeat_interval = match period(heartbeat_interval, "heartbeat interval") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let heartbeat_timeout = match period(heartbeat_timeout, "heartbeat timeout") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let close_timeout = match period(close_timeout, "close timeout") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let polling_duration = match period(polling_duration, "polling duration") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        Ok(Self { heartbeat_interval, heartbeat_timeout, close_timeout, polling_duration })
    }

    /// Returns Hi: how long after an echo the server's next heartbeat is due. It is not part of the handshake.
    #[must_use]
    pub const fn heartbeat_interval(self) -> Duration {
        Duration::from_millis(self.heartbeat_interval as u64)
    }

    /// Returns Ht: how long the echo may take.
    #[must_use]
    pub const fn heartbeat_timeout(self) -> Duration {
        Duration::from_millis(self.heartbeat_timeout as u64)
    }

    /// Returns Ct: how long a polling client may stay away between two polls.
    #[must_use]
    pub const fn close_timeout(self) -> Duration {
        Duration::from_millis(self.close_timeout as u64)
    }

    /// Returns Pd: how long a poll is held.
    #[must_use]
    pub const fn polling_duration(self) -> Duration {
        Duration::from_millis(self.polling_duration as u64)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The error for a period that Socket.IO 0.9 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{period} must be a whole number of milliseconds from 1 to 4294967295")]
#[non_exhaustive]
pub struct PeriodError {
    /// The setting's name, as Socket.IO 0.9 spells it.
    pub period: &'static str,
}

const fn period(value: Duration, name: &'static str) -> Result<u32, PeriodError> {
    match whole_millis(value) {
        Ok(millis @ 1..) => Ok(millis),
        Ok(0) | Err(Unfit::Fraction | Unfit::TooLong) => Err(PeriodError { period: name }),
    }
}

/// An action or an end that has become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Due {
    /// Write `2::`.
    Heartbeat,
    /// Answer the held poll with `8::`.
    Noop,
    /// The peer was silent for too long. The machine has ended. The reference calls this `heartbeat timeout`.
    HeartbeatTimeout,
    /// The client did not come back, or the server fell silent. The machine has ended. The reference calls this `close
    /// timeout`.
    CloseTimeout,
}

/// The event that a server on WebSocket waits for.
#[derive(Clone, Copy, Debug)]
enum Wait {
    NextHeartbeat,
    Echo,
    Ended,
}

/// The server side on WebSocket.
///
/// ```
/// use eio_core::Instant;
/// use eio_core::heartbeat::sio09::{Due, Server, Settings};
///
/// let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
/// let mut server = Server::new(Settings::DEFAULT, at(0));
/// assert_eq!(server.handle_timeout(at(25)), Some(Due::Heartbeat));
/// server.handle_heartbeat(at(26));
/// assert_eq!(server.handle_timeout(at(51)), Some(Due::Heartbeat));
/// assert_eq!(server.handle_timeout(at(110)), None);
/// assert_eq!(server.handle_timeout(at(111)), Some(Due::HeartbeatTimeout));
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    clock: Clock,
    settings: Settings,
    wait: Wait,
    deadline: Instant,
}

impl Server {
    /// Creates the server side. `now` is the time at which the WebSocket connected.
    #[must_use]
    pub const fn new(settings: Settings, now: Instant) -> Self {
        let deadline = now.add_millis(settings.heartbeat_interval);
        Self { clock: Clock::new(now), settings, wait: Wait::NextHeartbeat, deadline }
    }

    /// Handles a `2::` from the client. Other packets need not be reported: they change nothing.
    pub fn handle_heartbeat(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Wait::Echo = self.wait {
            self.wait = Wait::NextHeartbeat;
            self.deadline = now.add_millis(self.settings.heartbeat_interval);
        }
    }

    /// Reports that the clock has moved, and returns what is due. Early and repeated calls do nothing.
    #[must_use = "a heartbeat may be due"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        let now = self.clock.advance(now);
        match self.wait {
            Wait::NextHeartbeat if self.deadline <= now => {
                self.wait = Wait::Echo;
                self.deadline = now.add_millis(self.settings.heartbeat_timeout);
                Some(Due::Heartbeat)
            }
            Wait::Echo if self.deadline <= now => {
                self.wait = Wait::Ended;
                Some(Due::HeartbeatTimeout)
            }
            Wait::NextHeartbeat | Wait::Echo | Wait::Ended => None,
        }
    }

    /// Ends the machine, because the connection ended or this side ends it.
    pub fn end(&mut self) {
        self.wait = Wait::Ended;
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the machine
    /// has ended.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.wait {
            Wait::NextHeartbeat | Wait::Echo => Some(self.deadline),
            Wait::Ended => None,
        }
    }
}

/// The event that a polling server waits for.
#[derive(Clone, Copy, Debug)]
enum Poll {
    Held,
    Away,
    Ended,
}

/// The server side on xhr-polling.
///
/// ```
/// use eio_core::Instant;
/// use eio_core::heartbeat::sio09::{Due, PollingServer, Settings};
///
/// let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
/// let mut server = PollingServer::new(Settings::DEFAULT, at(0));
/// server.handle_poll(at(1));
/// assert_eq!(server.handle_timeout(at(21)), Some(Due::Noop)); // held for 20 s
/// assert_eq!(server.handle_timeout(at(81)), Some(Due::CloseTimeout)); // and no poll for 60 s
/// ```
#[derive(Clone, Debug)]
pub struct PollingServer {
    clock: Clock,
    settings: Settings,
    poll: Poll,
    deadline: Instant,
}

impl PollingServer {
    /// Creates the server side. `now` is the time at which the first poll was answered with `1::`.
    #[must_use]
    pub const fn new(settings: Settings, now: Instant) -> Self {
        let deadline = now.add_millis(settings.close_timeout);
        Self { clock: Clock::new(now), settings, poll: Poll::Away, deadline }
    }

    /// Reports that a poll arrived and is held. It replaces a poll that is already held.
    pub fn handle_poll(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Poll::Held | Poll::Away = self.poll {
            self.poll = Poll::Held;
            self.deadline = now.add_millis(self.settings.polling_duration);
        }
    }

    /// Reports that the held poll was answered with something other than the noop of [`Due::Noop`].
    pub fn handle_answered(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Poll::Held = self.poll {
            self.poll = Poll::Away;
            self.deadline = now.add_millis(self.settings.close_timeout);
        }
    }

    /// Reports that the clock has moved, and returns what is due. Early and repeated calls do nothing.
    #[must_use = "a noop may be due"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        let now = self.clock.advance(now);
        match self.poll {
            Poll::Held if self.deadline <= now => {
                self.handle_answered(now);
                Some(Due::Noop)
            }
            Poll::Away if self.deadline <= now => {
                self.poll = Poll::Ended;
                Some(Due::CloseTimeout)
            }
            Poll::Held | Poll::Away | Poll::Ended => None,
        }
    }

    /// Ends the machine, because the session ended or this side ends it.
    pub fn end(&mut self) {
        self.poll = Poll::Ended;
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the machine
    /// has ended.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.poll {
            Poll::Held | Poll::Away => Some(self.deadline),
            Poll::Ended => None,
        }
    }
}

/// The client side.
///
/// ```
/// use eio_core::Instant;
/// use eio_core::heartbeat::sio09::{Client, Due, Settings};
///
/// let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
/// let timeout = Settings::DEFAULT.heartbeat_timeout();
/// let mut client = Client::new(Some(timeout), Settings::DEFAULT.close_timeout(), at(0))?;
/// client.handle_packet(at(25)); // any packet; a heartbeat is answered with `2::`
/// assert_eq!(client.handle_timeout(at(84)), None);
/// assert_eq!(client.handle_timeout(at(85)), Some(Due::HeartbeatTimeout));
/// # Ok::<(), eio_core::heartbeat::sio09::PeriodError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    clock: Clock,
    /// Zero without heartbeats.
    heartbeat_timeout: u32,
    close_timeout: u32,
    heartbeat_by: Option<Instant>,
    close_by: Option<Instant>,
}

impl Client {
    /// Creates the client side with the timeouts of the handshake. `heartbeat_timeout` is `None` if its field was
    /// empty, and on xhr-polling, where only the close timeout counts. `now` is the time at which the handshake
    /// arrived.
    ///
    /// # Errors
    /// Returns a [`PeriodError`] if a timeout is zero, not whole milliseconds, or above 2^32 − 1 ms.
    pub const fn new(
        heartbeat_timeout: Option<Duration>,
        close_timeout: Duration,
        now: Instant,
    ) -> Result<Self, PeriodError> {
        let close_timeout = match period(close_timeout, "close timeout") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let (heartbeat_timeout, heartbeat_by, close_by) = match heartbeat_timeout {
            None => (0, None, Some(now.add_millis(close_timeout))),
            Some(timeout) => match period(timeout, "heartbeat timeout") {
                Ok(millis) => (millis, Some(now.add_millis(millis)), None),
                Err(error) => return Err(error),
            },
        };
        Ok(Self { clock: Clock::new(now), heartbeat_timeout, close_timeout, heartbeat_by, close_by })
    }

    /// Handles a packet from the server. If it is a heartbeat, the caller must also write `2::`.
    pub fn handle_packet(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.poll_timeout().is_some() {
            self.heartbeat_by = self.heartbeat_by.map(|_| now.add_millis(self.heartbeat_timeout));
            self.close_by = Some(now.add_millis(self.close_timeout));
        }
    }

    /// Reports that the clock has moved, and returns what is due. Early and repeated calls do nothing.
    #[must_use = "the session may have ended"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        let now = self.clock.advance(now);
        if self.poll_timeout()? > now {
            return None;
        }
        let due =
            if self.heartbeat_by == self.poll_timeout() { Due::HeartbeatTimeout } else { Due::CloseTimeout };
        self.end();
        Some(due)
    }

    /// Ends the machine, because the connection ended or this side ends it.
    pub fn end(&mut self) {
        self.heartbeat_by = None;
        self.close_by = None;
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the machine
    /// has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.heartbeat_by, self.close_by) {
            (Some(heartbeat), Some(close)) => Some(heartbeat.min(close)),
            (deadline, None) | (None, deadline) => deadline,
        }
    }
}
