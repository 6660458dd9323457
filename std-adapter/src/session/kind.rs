//! What [`Shared`](crate::session::shared::Shared) needs to know of a session: whether it is a server's or a client's.

use std::task::Waker;

use eio_core::Revision;
use eio_core::handshake::Transport;

use crate::session::end::Disconnect;
use crate::session::limits::Limits;
use crate::session::machine::Machine;
use crate::session::mailbox::Mailbox;
use crate::session::send::SendErrorKind;
use crate::wire::clock::Clock;
use crate::wire::message::Message;

/// A server's sessions, or a client's.
pub(crate) trait Kind: Sized {
    /// The core's session.
    type Session: Machine;
    /// The values that do not change while a session lives.
    type Context: Send + Sync;
    /// What HTTP requests and handles share with the session's task, besides the mailbox.
    type Slots: Send;

    fn clock(context: &Self::Context) -> Clock;
    fn limits(context: &Self::Context) -> &Limits;
    fn revision(context: &Self::Context) -> Revision;

    /// Returns whether there are HTTP requests to wake once the lock is released.
    fn has_woken(_: &Self::Slots) -> bool {
        false
    }

    /// Takes the wakers of the HTTP requests to wake once the lock is released.
    fn take_woken(_: &mut Self::Slots) -> [Option<Waker>; 2] {
        [None, None]
    }

    /// Marks the HTTP requests to be woken, because the inbox has room again or the session has ended.
    fn wake_requests(_: &mut Self::Slots) {}

    /// Returns why the peer would refuse a message, or `None` if it would not.
    fn why_not(_: &Self::Context, _: &Self::Slots, _: Transport, _: &Message) -> Option<SendErrorKind> {
        None
    }

    /// Returns whether the transport would take one more message at once, as far as HTTP requests decide that.
    fn carries_now(
        context: &Self::Context,
        slots: &Self::Slots,
        mail: &Mailbox,
        transport: Transport,
    ) -> bool;

    /// Returns whether nothing of a session that ended so is left to wait for.
    fn is_over(_: &Self::Slots, _: &Disconnect) -> bool {
        true
    }

    /// Returns whether messages are on their way in the answer to an HTTP request, which may outlive the session.
    fn is_answering(_: &Self::Slots) -> bool {
        false
    }
}
