//! How far a session's messages have come. Each message has a number, in the order of sending; numbers wrap around.
//!
//! A message is sent, then a transport takes it, and then it is passed on: to the kernel, or by an HTTP request that is
//! over. Those who flush wait for the last step.

use crate::session::end::Disconnect;
use crate::session::kind::Kind;
use crate::session::outbox::narrow;
use crate::session::shared::{Inner, Shared};
use crate::wire::outgoing::Outgoing;

/// What a pass of the session's task has written to a WebSocket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    /// The number of messages that were written completely.
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// How many of them the kernel had when the stream was last flushed, if it was. Before, a stream above the kernel, such as
    /// TLS, may have kept some in its buffer.
    pub(crate) flushed: Option<usize>,
    /// Whether messages have to wait, because the transport takes no more for now.
    pub(crate) is_stuck: bool,
}

impl<K: Kind> Shared<K> {
    /// Waits until every message that was sent before this call has been passed on.
    pub(crate) fn flush(&self) -> impl Future<Output = Result<(), Disconnect>> {
        let last = self.lock().mail.outbox.sent();
        self.until(move |inner| inner.passed(last))
    }

    /// Sends a message if the transport takes it at once. Returns whether it was sent.
    pub(crate) fn send_volatile(&self, outgoing: Outgoing) -> bool {
        self.send_if(outgoing, |inner| inner.takes_now(&self.context)).is_ok()
    }
}

impl<K: Kind> Inner<K> {
    /// Returns whether the transport would take one more message at once.
    pub(crate) fn takes_now(&self, context: &K::Context) -> bool {
        let Self { mail, view, slots } = self;
        !view.is_stuck
            && mail.outbox.has_room(K::limits(context))
            && K::carries_now(context, slots, mail, view.transport)
    }

    /// Notes what a pass of the session's task has written.
    pub(crate) fn note_written(&mut self, written: Written) {
        self.view.is_stuck = written.is_stuck;
        self.mail.outbox.note_taken(written.messages, written.bytes);
        let before = self.view.passed;
        if let Some(flushed) = written.flushed {
            self.view.passed = self.mail.outbox.taken().wrapping_sub(narrow(written.messages - flushed));
        }
        // A pass without progress wakes nobody: an application in the session's task would make it the next pass. A stream
        // above the kernel may also have flushed earlier messages.
        if written.messages > 0 || self.view.passed != before {
            self.mail.note_progress();
        }
    }

    /// Notes that everything that was taken has been passed on.
    pub(crate) fn pass_on(&mut self) {
        self.view.passed = self.mail.outbox.taken();
        self.mail.note_progress();
    }

    /// Puts a message before all others.
    pub(crate) fn post_first(&mut self, outgoing: Outgoing) {
        self.mail.outbox.push_first(outgoing);
        self.view.passed = self.view.passed.wrapping_sub(1);
    }

    /// Returns `Ok` once the message with this number has been passed on, and the end once that will not happen any more.
    /// Otherwise the caller is woken when one of them may be so.
    pub(crate) fn passed(&mut self, number: u32) -> Option<Result<(), Disconnect>> {
        if is_reached(number, self.view.passed) {
            return Some(Ok(()));
        }
        // An HTTP request that is being answered may outlive the session.
        let is_on_its_way = K::is_answering(&self.slots) && is_reached(number, self.mail.outbox.taken());
        if let Some(end) = self.view.end.as_deref().filter(|_| !is_on_its_way) {
            return Some(Err(end.clone()));
        }
        self.mail.await_progress();
        None
    }
}

/// Returns whether `count` messages include the one with this number.
pub(super) fn is_reached(number: u32, count: u32) -> bool {
    count.wrapping_sub(number) <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use eio_core::handshake::Transport;
    use eio_core::{Heartbeat, Liveness, Revision, ServerSession};

    use super::*;
    use crate::session::limits::Limits;
    use crate::session::mailbox::Mailbox;
    use crate::wire::clock::Clock;
    use crate::wire::message::Message;

    /// A session without a task.
    struct Alone;

    impl Kind for Alone {
        type Session = ServerSession;
        type Context = (Clock, Limits);
        type Slots = ();

        fn clock((clock, _): &(Clock, Limits)) -> Clock {
            *clock
        }

        fn limits((_, limits): &(Clock, Limits)) -> &Limits {
            limits
        }

        fn revision(_: &(Clock, Limits)) -> Revision {
            Revision::V4
        }

        fn carries_now(_: &(Clock, Limits), (): &(), _: &Mailbox, _: Transport) -> bool {
            true
        }
    }

    #[test]
    fn who_waits_is_woken_when_messages_are_written_and_when_they_are_flushed_later() {
        let clock = Clock::start();
        let session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), clock.now());
        let shared = Shared::<Alone>::new((clock, Limits::DEFAULT), session, Transport::WebSocket, ());
        let mut inner = shared.lock();
        inner.mail.post(Outgoing::Message(Message::text("x")));
        let mut wakes = |written| {
            inner.mail.await_progress();
            inner.note_written(written);
            (inner.mail.take_woken_waiters(), inner.view.passed)
        };
        // TLS keeps it in its buffer.
        assert_eq!(wakes(Written { messages: 1, bytes: 1, ..Written::default() }), (true, 0));
        assert_eq!(wakes(Written::default()), (false, 0));
        assert_eq!(wakes(Written { flushed: Some(0), ..Written::default() }), (true, 1));
    }

    #[test]
    fn a_number_is_reached_by_its_count_and_later_ones_also_where_numbers_wrap_around() {
        for number in [0, 1, 7, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
            for ahead in [0, 1, 2, 1_000_000, u32::MAX / 2] {
                assert!(is_reached(number, number.wrapping_add(ahead)), "{number}, {ahead} ahead");
            }
            for behind in [1, 2, 1_000_000, u32::MAX / 2] {
                assert!(!is_reached(number, number.wrapping_sub(behind)), "{number}, {behind} behind");
            }
        }
    }
}
