//! What a socket has to remember from one call to the next.

use super::incoming::Receiving;
use super::{NoRecovery, SocketError};
use crate::SendError;

/// How a [`Socket`](super::Socket) shares its client: [`Alone`] or [`Among`]. Only this crate implements it.
pub trait State: sealed::Sealed {
    /// Returns which packets may be sent.
    #[doc(hidden)]
    fn gate(&mut self) -> &mut Gate;

    /// Returns the number of the last event that asked for an acknowledgement.
    #[doc(hidden)]
    fn last_id(&mut self) -> &mut u64;

    /// Returns whether a binary packet of which the rest is owed is one of this socket.
    #[doc(hidden)]
    fn owes_rest(&self) -> bool;
}

/// The state of a socket that has its client for itself. `M` is [`NoRecovery`], or `&mut Recovery`.
// In this order, its zeros do not follow one another in memory. Otherwise the compiler calls a function for them that
// images do not contain anyway.
#[repr(C)]
#[derive(Debug)]
pub struct Alone<M = NoRecovery> {
    pub(super) last_id: u64,
    pub(super) gate: Gate,
    /// Whether the attachments of the last packet are for this namespace.
    pub(super) ours: bool,
    pub(super) receiving: Receiving,
    pub(super) recovery: M,
}

impl<M> Alone<M> {
    pub(super) const fn new(recovery: M) -> Self {
        Self { receiving: Receiving::new(), ours: true, gate: Gate::Open, last_id: 0, recovery }
    }
}

/// The state of a socket that shares its client with those of other namespaces. It only sends:
/// [`Namespaces::recv`](super::Namespaces::recv) receives for all.
#[derive(Debug)]
pub struct Among<'n> {
    pub(super) gate: &'n mut Gate,
    pub(super) last_id: &'n mut u64,
    pub(super) owes_rest: bool,
}

impl<M> State for Alone<M> {
    fn gate(&mut self) -> &mut Gate {
        &mut self.gate
    }

    fn last_id(&mut self) -> &mut u64 {
        &mut self.last_id
    }

    fn owes_rest(&self) -> bool {
        true
    }
}

impl State for Among<'_> {
    fn gate(&mut self) -> &mut Gate {
        self.gate
    }

    fn last_id(&mut self) -> &mut u64 {
        self.last_id
    }

    fn owes_rest(&self) -> bool {
        self.owes_rest
    }
}

/// Which packets may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(unnameable_types, reason = "only the sealed trait `State` hands it out")]
pub enum Gate {
    /// Any packet.
    Open,
    /// Only the rest of a binary packet.
    Owing {
        /// How many attachments it has.
        announced: u8,
        /// How many of them, the last ones, have not been sent.
        owed: u8,
    },
    /// None: the server has disconnected the client from the namespace.
    Disconnected,
}

impl Gate {
    /// Checks that a packet may be sent.
    pub(super) const fn check(self) -> Result<(), SocketError> {
        match self {
            Self::Open => Ok(()),
            Self::Owing { .. } => Err(SocketError::Send(SendError::Unfinished)),
            Self::Disconnected => Err(SocketError::Disconnected),
        }
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else implements the trait that needs it")]
    pub trait Sealed {}

    impl<M> Sealed for super::Alone<M> {}
    impl Sealed for super::Among<'_> {}
}
