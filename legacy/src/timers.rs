//! When to send a heartbeat, when to answer a poll, and when a silent peer is gone.
//!
//! Both sides repeat `2::`. The timers of one side are the whole state of its session: no session type wraps them.
//!
//! The four periods are Hi (heartbeat interval), Ht (heartbeat timeout), Ct (close timeout) and Pd (polling duration).
//! `now` is the time at which the input is handled. Old configurations give the periods in *seconds*; here each is a
//! [`Duration`](core::time::Duration).
//!
//! # [`ServerTimers`] on WebSocket
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
//! # [`PollingServerTimers`] on xhr-polling
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
//! # [`ClientTimers`]
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

mod client;
mod periods;
mod polling;
mod server;

pub use client::ClientTimers;
pub use periods::{PeriodError, ServerPeriods};
pub use polling::PollingServerTimers;
pub use server::ServerTimers;

/// An action or an end that has become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TimerEvent {
    /// Write `2::`.
    Heartbeat,
    /// Answer the held poll with `8::`.
    Noop,
    /// The peer was silent for too long. The session has ended. The reference calls this `heartbeat timeout`.
    HeartbeatTimeout,
    /// The client did not come back, or the server fell silent. The session has ended. The reference calls this `close
    /// timeout`.
    CloseTimeout,
}
