//! Recovery of the state of a connection: a client that was away for a short time gets its socket back, with what it has
//! missed.
//!
//! Each packet that a client may miss carries an [offset] as its last argument. The client hands the last one that
//! it has seen back when it returns, with the identifier of its session, which only it knows. The [history] of the
//! namespace then tells what was sent to it since. It claims a recovery only if that is complete.

mod before;
mod history;
mod log;
mod offset;
mod recipients;
mod sessions;
mod trail;

use core::time::Duration;

pub(crate) use {
    before::Before,
    history::{History, Restored},
    offset::{Offset, Offsets},
    recipients::Recipients,
    trail::Trail,
};

/// How a server recovers the connections of clients that were away for a short time.
///
/// A client whose connection broke gets its socket back: the same identifier, rooms and data, and the events that were
/// sent to it in the meantime. It is recovered only if nothing is missing; otherwise it connects anew, which its handlers
/// see.
///
/// Handlers see a recovered client leave and come back: `on_disconnect` runs when the connection breaks, and `on_connect`
/// when the client returns, with [`Socket::is_recovered`](crate::Socket::is_recovered). The second always starts after the
/// first: a client that returns earlier waits until `on_disconnect` has started. If that takes 5 seconds, because
/// `on_disconnecting` does not end, the client connects anew.
///
/// What is kept for it is bounded. Each namespace has bounds of its own. The oldest goes first, and clients that would
/// need it are not recovered.
///
/// Kept are events that ask for no acknowledgement and are not volatile, also those that are sent to the
/// [`Socket`](crate::Socket) that has ended. Values that are [stored](crate::Socket::insert) with that socket are those of the
/// new one, too. A client may get an event twice, if the connection broke after its arrival and before the client took note
/// of it.
///
/// A client reads its position from the last argument of an event, if that is a string; clients of this crate do so if it is
/// one word. A [volatile](crate::Socket::emit_volatile) event carries no position. If its own last argument is such a string, the
/// client returns that one, and is not recovered unless another event has come since. Of an event without arguments,
/// socket.io-client returns the name in the same way. So let a volatile event have arguments, the last of which is a number or an
/// object.
///
/// A client that has missed more than its outbox holds gets it as it reads. Until then, events that are sent to it wait
/// behind what it has missed, within the bounds of a namespace, and [`WhenFull`](crate::WhenFull) holds beyond them.
///
/// If the outbox of a client was full when an event was sent to many, the client is recovered only if it gets that event when it
/// comes back: if it has seen nothing that was sent later. One that [`WhenFull::Close`](crate::WhenFull::Close) has disconnected is
/// not recovered. An event to one socket that was refused is not sent later either: its sender knows.
///
/// A client says who it is with two members that its library adds to the data of the request to join, `pid` and `offset`.
/// [`Auth`](crate::Auth) and [`Socket::auth`](crate::Socket::auth) do not have them: who knows the first can take the socket over. A
/// server without recovery takes both for data of the application.
///
/// In a cluster, a client is recovered by the node that it was on, and not by another one.
///
/// All clients get the events of a namespace in one order, so several threads that send in the same namespace wait for each
/// other.
///
/// ```
/// use std::time::Duration;
///
/// use eio_socketio::Recovery;
///
/// let recovery = Recovery::new().max_disconnection(Duration::from_secs(30)).max_bytes(1_000_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    max_disconnection: Duration,
    skip_middlewares: bool,
    max_sessions: usize,
    max_packets: usize,
    max_bytes: usize,
}

impl Recovery {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_disconnection: Duration::from_mins(2),
            skip_middlewares: true,
            max_sessions: 10_000,
            max_packets: 10_000,
            max_bytes: 10_000_000,
        }
    }

    /// Sets how long after its disconnect a client may return. Default: 2 minutes, as `maxDisconnectionDuration` of the
    /// reference server.
    ///
    /// Events are kept for twice that time, so that those are there that were sent before the server noticed the silence
    /// of the client.
    #[must_use]
    pub fn max_disconnection(mut self, time: Duration) -> Self {
        self.max_disconnection = time;
        self
    }

    /// Sets whether a client that is recovered passes by the middlewares of the namespace, which have admitted it before.
    /// Default: `true`, as `skipMiddlewares` of the reference server.
    ///
    /// Then the data with which the client joins now is ignored, because nobody has checked it: [`Auth`](crate::Auth) is that of the
    /// first time, in which a token may have expired meanwhile. With `false`, it is the new data.
    ///
    /// With `false`, the socket that the middlewares see has the identifier and the [values](crate::Socket::get) of the one before, and
    /// [`is_recovered`](crate::Socket::is_recovered). It is in its rooms when it has joined. What they store is kept even if they refuse
    /// the client. If the session is recovered elsewhere meanwhile, or has been away for too long, the connection is closed, and the
    /// client joins anew on its next one.
    #[must_use]
    pub fn skip_middlewares(mut self, skip: bool) -> Self {
        self.skip_middlewares = skip;
        self
    }

    /// Sets how many disconnected sockets are kept in a namespace. Default: 10,000.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// Sets how many events are kept in a namespace. Default: 10,000.
    #[must_use]
    pub fn max_packets(mut self, packets: usize) -> Self {
        self.max_packets = packets;
        self
    }

    /// Sets how many bytes the events that are kept in a namespace may take, with what is noted of each: whom it is for,
    /// and when it was sent. Disconnected sockets may take as many again, with the names of their rooms and the data with
    /// which their clients joined. Values that the application has stored with them do not count. Default: 10 MB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Returns the name of a limit that is zero, with which nobody would be recovered.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        let limits = [
            ("recovery: max_disconnection", self.max_disconnection.is_zero()),
            ("recovery: max_sessions", self.max_sessions == 0),
            ("recovery: max_packets", self.max_packets == 0),
            ("recovery: max_bytes", self.max_bytes == 0),
        ];
        limits.into_iter().find_map(|(name, is_zero)| is_zero.then_some(name))
    }

    /// Returns whether so many events of so many bytes may be kept.
    pub(crate) fn allows(&self, packets: usize, bytes: usize) -> bool {
        packets <= self.max_packets && bytes <= self.max_bytes
    }

    /// Returns whether a client that is recovered passes by the middlewares.
    pub(crate) fn skips_middlewares(&self) -> bool {
        self.skip_middlewares
    }
}

/// The same as [`Recovery::new`].
impl Default for Recovery {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
