//! Sessions as streams and sinks of messages.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use futures_sink::Sink;

use crate::session::end::Disconnect;
use crate::session::kind::Kind;
use crate::session::send::{SendError, TrySendError};
use crate::session::shared::Shared;
use crate::session::waiting::poll_until;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

/// A [`Sink`] that sends messages to a session of either role, as [`Socket::send`](crate::Socket::send) does. It does not
/// keep the session alive.
///
/// | method | ready when |
/// |---|---|
/// | `poll_ready` | the outbox has room, or the session accepts no message any more, so that `start_send` returns the message |
/// | `start_send` | at once: puts the message into the outbox |
/// | `poll_flush` | the messages that this sink sent have been passed on, as [`Socket::flush`](crate::Socket::flush) says |
/// | `poll_close` | the session, which it closes, has ended, as `closed` of its socket says |
///
/// Each sink that is ready may put one message into the outbox beyond its limit, because others may have taken the room
/// in the meantime.
///
/// Dropping a future of this sink at any point loses no message that the sink has taken. As with every sink, a message
/// that waits in a future for room is dropped together with that future.
///
/// # Errors
/// See [`SinkError`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use eio_tokio::{Client, Message, Server, Socket};
/// use futures_util::{SinkExt as _, StreamExt as _};
///
/// // Sends every message back.
/// let echo = |socket: Socket| async move {
///     let (sink, socket) = socket.split();
///     let _ = socket.map(Ok).forward(sink).await;
/// };
/// let server = Server::builder(echo).build()?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}", listener.local_addr()?);
/// # tokio::spawn(async move { server.serve(listener).await });
///
/// let (mut sink, mut socket) = Client::builder(url).build()?.connect().await?.split();
/// sink.feed("one".into()).await?;
/// sink.feed("two".into()).await?;
/// sink.flush().await?;
/// assert_eq!(socket.next().await, Some(Message::from("one")));
/// assert_eq!(socket.next().await, Some(Message::from("two")));
/// sink.close().await?;
/// assert_eq!(socket.next().await, None);
/// println!("{}", socket.closed().await);
/// # Ok(())
/// # }
/// ```
pub struct MessageSink {
    session: Arc<dyn Outlet>,
    /// The number of the last message that this sink sent, unless it is known to have been passed on.
    sent: Option<u32>,
    /// Whether `poll_ready` has found room for one message.
    is_ready: bool,
    is_closing: bool,
    /// The sink's place among those that wait for the session, if it waits.
    change: Option<Change>,
}

/// The error of a [`MessageSink`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The session does not accept the message, which is returned. The sink can be used again: another message may be
    /// accepted.
    #[error(transparent)]
    Refused(SendError),
    /// The outbox is full, and `start_send` was called without `poll_ready` before it. Returns the message.
    #[error("the outbox is full: expected poll_ready before start_send")]
    Full(Message),
    /// The session ended before the messages had been passed on.
    /// [`Socket::take_unsent`](crate::Socket::take_unsent) returns those that were never written.
    #[error("the session ended before its messages were passed on: {0}")]
    Ended(Disconnect),
}

impl SinkError {
    /// Returns the message, if the error is about one.
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Refused(error) => Some(error.message),
            Self::Full(message) => Some(message),
            Self::Ended(_) => None,
        }
    }
}

impl From<TrySendError> for SinkError {
    fn from(error: TrySendError) -> Self {
        match error {
            TrySendError::Full(message) => Self::Full(message),
            TrySendError::Refused(error) => Self::Refused(error),
        }
    }
}

/// Ready once something about the session has changed.
type Change = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A session of either role, as a sink needs it.
trait Outlet: Send + Sync {
    /// Waits for the next change.
    fn changed(self: Arc<Self>) -> Change;
    /// Returns whether the outbox has room, or the session accepts no message any more.
    fn is_ready(&self) -> bool;
    /// Puts a message into the outbox, and returns its number. `has_room` says that there is room for it.
    fn send(&self, message: Message, has_room: bool) -> Result<u32, TrySendError>;
    /// Returns whether the message with this number has been passed on, once that is known.
    fn passed(&self, number: u32) -> Option<Result<(), Disconnect>>;
    fn close(&self);
    fn is_over(&self) -> bool;
}

impl<K: Kind + 'static> Outlet for Shared<K> {
    fn changed(self: Arc<Self>) -> Change {
        Box::pin(async move { self.changed.notified().await })
    }

    fn is_ready(&self) -> bool {
        let mut inner = self.lock();
        let now = inner.now(&self.context);
        inner.refuses_all(now).is_some() || inner.mail.finds_room(K::limits(&self.context))
    }

    fn send(&self, message: Message, has_room: bool) -> Result<u32, TrySendError> {
        let limits = K::limits(&self.context);
        self.send_if(Outgoing::Message(message), |inner| has_room || inner.mail.outbox.has_room(limits))
    }

    fn passed(&self, number: u32) -> Option<Result<(), Disconnect>> {
        self.lock().passed(number)
    }

    fn close(&self) {
        self.close(None);
    }

    fn is_over(&self) -> bool {
        self.lock().over().is_some()
    }
}

impl MessageSink {
    pub(crate) fn new<K: Kind + 'static>(session: Arc<Shared<K>>) -> Self {
        Self { session, sent: None, is_ready: false, is_closing: false, change: None }
    }

    /// Calls `look` now and after every change, until it returns a value.
    fn poll_until<T>(&mut self, cx: &mut Context<'_>, look: impl Fn(&dyn Outlet) -> Option<T>) -> Poll<T> {
        let Self { session, change, .. } = self;
        poll_until(change, cx, || look(&**session), || Arc::clone(session).changed())
    }
}

impl Sink<Message> for MessageSink {
    type Error = SinkError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let sink = self.get_mut();
        ready!(sink.poll_until(cx, |session| session.is_ready().then_some(())));
        sink.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SinkError> {
        let sink = self.get_mut();
        let has_room = core::mem::take(&mut sink.is_ready);
        sink.sent = Some(sink.session.send(message, has_room)?);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let sink = self.get_mut();
        let Some(last) = sink.sent else { return Poll::Ready(Ok(())) };
        let flushed = ready!(sink.poll_until(cx, |session| session.passed(last)));
        if flushed.is_ok() {
            // Numbers wrap around: after as many messages of other handles, this one would not be reached any more.
            sink.sent = None;
        }
        Poll::Ready(flushed.map_err(SinkError::Ended))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        if !core::mem::replace(&mut self.is_closing, true) {
            self.session.close();
        }
        ready!(self.poll_until(cx, |session| session.is_over().then_some(())));
        self.poll_flush(cx)
    }
}

impl fmt::Debug for MessageSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSink").finish_non_exhaustive()
    }
}

/// Returns a socket's own sink, which is made when it is first used.
pub(crate) fn own<'a, K: Kind + 'static>(
    sink: &'a mut Option<Box<MessageSink>>,
    session: &Arc<Shared<K>>,
) -> Pin<&'a mut MessageSink> {
    Pin::new(&mut **sink.get_or_insert_with(|| Box::new(MessageSink::new(Arc::clone(session)))))
}

/// Implements [`Stream`](futures_core::Stream) and [`Sink`] for a socket, and splits it. Its fields `ahead` and `sink` are
/// the messages that were received ahead, and its own sink; the last argument is the path to its session. Each item names
/// its feature, because the documentation does not see the one at the macro's call.
macro_rules! stream_and_sink {
    ($socket:ident: $( $session:tt ).+) => {
        #[cfg(feature = "stream")]
        impl $socket {
            /// Splits the socket into a sink, which sends, and the socket itself, which is the stream of received
            /// messages. Different tasks may use the two at the same time.
            ///
            /// Dropping the socket still closes the session. Dropping the sink has no effect on it. See
            /// [`MessageSink`](crate::MessageSink) for an example.
            #[must_use]
            pub fn split(self) -> (crate::session::sink::MessageSink, Self) {
                (crate::session::sink::MessageSink::new(Arc::clone(&self.$( $session ).+)), self)
            }

            fn own_sink(&mut self) -> core::pin::Pin<&mut crate::session::sink::MessageSink> {
                crate::session::sink::own(&mut self.sink, &self.$( $session ).+)
            }
        }

        /// The received messages, up to the last one. Then [`end`](Self::end) and [`closed`](Self::closed) say how the
        /// session ended.
        #[cfg(feature = "stream")]
        impl futures_core::Stream for $socket {
            type Item = Message;

            fn poll_next(
                self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<Option<Message>> {
                let socket = self.get_mut();
                socket.$( $session ).+.poll_recv(&mut socket.ahead, cx).map(Result::ok)
            }
        }

        #[cfg(feature = "stream")]
        impl futures_core::FusedStream for $socket {
            fn is_terminated(&self) -> bool {
                self.ahead.is_empty() && self.$( $session ).+.is_exhausted()
            }
        }

        /// Sends messages, as [`MessageSink`](crate::MessageSink) does. The socket's own `send`, `flush` and `close`
        /// come before those of `SinkExt`.
        #[cfg(feature = "stream")]
        impl futures_sink::Sink<Message> for $socket {
            type Error = crate::session::sink::SinkError;

            fn poll_ready(
                mut self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<Result<(), crate::session::sink::SinkError>> {
                self.own_sink().poll_ready(cx)
            }

            fn start_send(
                mut self: core::pin::Pin<&mut Self>,
                message: Message,
            ) -> Result<(), crate::session::sink::SinkError> {
                self.own_sink().start_send(message)
            }

            fn poll_flush(
                mut self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<Result<(), crate::session::sink::SinkError>> {
                self.own_sink().poll_flush(cx)
            }

            fn poll_close(
                mut self: core::pin::Pin<&mut Self>,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<Result<(), crate::session::sink::SinkError>> {
                self.own_sink().poll_close(cx)
            }
        }
    };
}

pub(crate) use stream_and_sink;

#[cfg(test)]
mod tests {
    use core::future::pending;
    use core::sync::atomic::{AtomicU32, Ordering};

    use futures_util::{FutureExt as _, SinkExt as _};

    use super::*;
    use crate::session::progress::is_reached;

    /// A session with room, and how many of its messages have been passed on.
    #[derive(Default)]
    struct Passed(AtomicU32);

    impl Outlet for Passed {
        fn changed(self: Arc<Self>) -> Change {
            Box::pin(pending())
        }

        fn is_ready(&self) -> bool {
            true
        }

        fn send(&self, _: Message, _: bool) -> Result<u32, TrySendError> {
            Ok(self.0.load(Ordering::Relaxed) + 1)
        }

        fn passed(&self, number: u32) -> Option<Result<(), Disconnect>> {
            is_reached(number, self.0.load(Ordering::Relaxed)).then_some(Ok(()))
        }

        fn close(&self) {}

        fn is_over(&self) -> bool {
            true
        }
    }

    #[test]
    fn what_was_flushed_once_stays_flushed_however_many_messages_others_send() {
        let session = Arc::new(Passed::default());
        let mut sink = MessageSink {
            session: Arc::clone(&session) as _,
            sent: None,
            is_ready: false,
            is_closing: false,
            change: None,
        };
        sink.feed("of this sink".into()).now_or_never().unwrap().unwrap();
        assert!(sink.flush().now_or_never().is_none());
        session.0.store(1, Ordering::Relaxed);
        assert!(sink.flush().now_or_never().unwrap().is_ok());
        session.0.store(2 + u32::MAX / 2, Ordering::Relaxed);
        assert!(sink.flush().now_or_never().unwrap().is_ok());
        assert!(sink.close().now_or_never().unwrap().is_ok());
    }
}
