//! Why a server does not know the session that a request names.

use core::time::Duration;

use eio_core::DisconnectReason;

/// Why a server does not know the session that a request names: [`RefusedRequest::unknown`](crate::RefusedRequest::unknown).
///
/// Clients are told the same in each case, as by the reference: `Session ID unknown`. They open another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownSession {
    /// The session has ended. A client on polling learns of an end in this way, if the close packet did not reach it. The
    /// server remembers [the sessions that ended last](crate::ServerBuilder::remember_ended).
    Ended {
        /// The first cause of the end.
        reason: DisconnectReason,
        /// The time since the end.
        ago: Duration,
    },
    /// The identifier begins with the name of another node. A balancer must send the requests of a session to the node
    /// that has opened it.
    OfAnotherNode,
    /// The server has no trace of the session: it ended long ago, was opened before the server started or by another server,
    /// or never existed.
    NoTrace,
}

impl UnknownSession {
    /// A name for counters.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ended { .. } => "ended",
            Self::OfAnotherNode => "of another node",
            Self::NoTrace => "no trace",
        }
    }
}
