//! Several messages that are sent as one unit: all of them, one behind the other, or none.

use core::mem::take;

use crate::session::kind::Kind;
use crate::session::send::{SendBatchError, SendErrorKind, TrySendBatchError};
use crate::session::shared::{Inner, Shared};
use crate::session::waiting::until;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

/// The reason why a batch does not go into the outbox.
pub(crate) enum NotPosted {
    /// The outbox is full.
    Full,
    /// The session refuses the message at this position.
    Refused { index: usize, kind: SendErrorKind },
}

/// Takes the messages of a batch from the application. Its code runs here, without a lock.
pub(crate) fn collect(messages: impl IntoIterator<Item = impl Into<Message>>) -> Vec<Outgoing> {
    messages.into_iter().map(|message| Outgoing::Message(message.into())).collect()
}

impl<K: Kind> Shared<K> {
    /// Sends a batch as soon as the outbox has room.
    pub(crate) fn send_batch(
        &self,
        mut batch: Vec<Outgoing>,
    ) -> impl Future<Output = Result<(), SendBatchError>> {
        until(&self.changed, move || match self.post_batch(&mut batch) {
            Ok(()) => Some(Ok(())),
            Err(NotPosted::Full) => None,
            Err(NotPosted::Refused { index, kind }) => {
                Some(Err(SendBatchError { messages: into_messages(take(&mut batch)), index, kind }))
            }
        })
    }

    /// Sends a batch if the outbox has room.
    pub(crate) fn try_send_batch(&self, mut batch: Vec<Outgoing>) -> Result<(), TrySendBatchError> {
        let posted = self.post_batch(&mut batch);
        posted.map_err(|not_posted| {
            let messages = into_messages(batch);
            match not_posted {
                NotPosted::Full => TrySendBatchError::Full(messages),
                NotPosted::Refused { index, kind } => {
                    TrySendBatchError::Refused(SendBatchError { messages, index, kind })
                }
            }
        })
    }

    /// Sends a batch if the transport takes its first message at once. Returns whether it was sent.
    pub(crate) fn send_batch_volatile(&self, mut batch: Vec<Outgoing>) -> bool {
        self.post_batch_if(&mut batch, |inner| inner.takes_now(&self.context)).is_ok()
    }

    /// Moves all messages of `batch` into the outbox, or none, as the outbox has room.
    pub(crate) fn post_batch(&self, batch: &mut Vec<Outgoing>) -> Result<(), NotPosted> {
        self.post_batch_if(batch, |inner| inner.mail.finds_room(K::limits(&self.context)))
    }

    /// Moves all messages of `batch` into the outbox if the session accepts every one and `has_room` is true for the first.
    /// Otherwise all of them stay in `batch`.
    ///
    /// There is no room to compare with the batch's length: a batch that is longer than the outbox could never be sent,
    /// and one that is shorter would wait while single messages take each place that becomes free.
    fn post_batch_if(
        &self,
        batch: &mut Vec<Outgoing>,
        has_room: impl FnOnce(&mut Inner<K>) -> bool,
    ) -> Result<(), NotPosted> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        let now = inner.now(&self.context);
        if let Some(kind) = inner.refuses_all(now) {
            return Err(NotPosted::Refused { index: 0, kind });
        }
        for (index, outgoing) in batch.iter().enumerate() {
            if let Some(kind) = inner.why_not_this(outgoing.message(), &self.context) {
                return Err(NotPosted::Refused { index, kind });
            }
        }
        if !has_room(&mut inner) {
            return Err(NotPosted::Full);
        }
        inner.mail.post_all(batch.drain(..));
        Ok(())
    }
}

fn into_messages(batch: Vec<Outgoing>) -> Vec<Message> {
    batch.into_iter().map(Outgoing::into_message).collect()
}

/// Implements the methods that send batches for a socket, whose method `shared` returns its session.
macro_rules! batches {
    ($socket:ident) => {
        impl $socket {
            /// Sends several messages as one unit: no message of another task comes between them. Waits until the outbox has
            /// room.
            ///
            /// The messages arrive one directly after the other, and in this order, on each transport and across an
            /// upgrade. On polling, they may arrive in several payloads. If the session ends first, the peer may have
            /// received only the first ones of them.
            ///
            /// A batch finds room whenever a single message does, and takes all of its room together. So the outbox may
            /// exceed each of its limits by one batch, and no batch is too large for it. A batch without messages is sent
            /// at once, whatever the state of the session.
            ///
            /// If you drop the future before it is ready, none of the messages is sent.
            ///
            /// # Errors
            /// Returns a [`SendBatchError`](crate::SendBatchError) with all messages if the session refuses any of them, for
            /// the reasons of [`send`](Self::send).
            ///
            /// ```
            /// # #[cfg(all(feature = "client", feature = "server"))]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// use eio_tokio::{Client, Message, Server, Socket};
            ///
            /// /// Passes on each name with the picture behind it.
            /// async fn gallery(mut socket: Socket) {
            ///     while let (Ok(name), Ok(picture)) = (socket.recv().await, socket.recv().await) {
            ///         if socket.send_batch([name, picture]).await.is_err() {
            ///             break;
            ///         }
            ///     }
            /// }
            ///
            /// let server = Server::builder(gallery).build()?;
            /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            /// # let url = format!("ws://{}", listener.local_addr()?);
            /// # tokio::spawn(async move { server.serve(listener).await });
            /// let mut socket = Client::builder(url).build()?.connect().await?;
            /// let picture = Message::binary(vec![0xff, 0xd8, 0xff]);
            /// socket.send_batch([Message::text("sunset"), picture.clone()]).await?;
            /// assert_eq!(socket.recv().await?, Message::from("sunset"));
            /// assert_eq!(socket.recv().await?, picture);
            /// # Ok(())
            /// # }
            /// # #[cfg(not(all(feature = "client", feature = "server")))]
            /// # fn main() {}
            /// ```
            pub fn send_batch(
                &self,
                messages: impl IntoIterator<Item = impl Into<Message>>,
            ) -> impl Future<Output = Result<(), crate::session::send::SendBatchError>> {
                self.shared().send_batch(crate::session::batch::collect(messages))
            }

            /// Sends several messages as one unit, as [`send_batch`](Self::send_batch) does, if the outbox has room now.
            ///
            /// # Errors
            /// Returns a [`TrySendBatchError`](crate::TrySendBatchError) with all messages. None of them is sent then.
            ///
            /// ```
            /// use eio_tokio::TrySendBatchError;
            ///
            #[doc = concat!("fn show(socket: &eio_tokio::", stringify!($socket), ", name: &str, picture: &[u8]) {")]
            ///     match socket.try_send_batch([name.into(), eio_tokio::Message::from(picture)]) {
            ///         Ok(()) => {}
            ///         Err(TrySendBatchError::Full(messages)) => println!("no room for {} messages", messages.len()),
            ///         Err(error) => println!("{error}"),
            ///     }
            /// }
            /// # let _ = show;
            /// ```
            pub fn try_send_batch(
                &self,
                messages: impl IntoIterator<Item = impl Into<Message>>,
            ) -> Result<(), crate::session::send::TrySendBatchError> {
                self.shared().try_send_batch(crate::session::batch::collect(messages))
            }

            /// Sends several messages as one unit, as [`send_batch`](Self::send_batch) does, only if the transport takes the
            /// first of them at once. Returns whether they were sent.
            ///
            /// When that is, [`send_volatile`](Self::send_volatile) says. The other messages follow the first as fast as the
            /// transport takes them.
            ///
            /// ```
            #[doc = concat!("fn show(socket: &eio_tokio::", stringify!($socket), ", frame: &[u8]) {")]
            ///     if !socket.send_batch_volatile([eio_tokio::Message::from("frame"), frame.into()]) {
            ///         println!("skipped a frame");
            ///     }
            /// }
            /// # let _ = show;
            /// ```
            pub fn send_batch_volatile(
                &self,
                messages: impl IntoIterator<Item = impl Into<Message>>,
            ) -> bool {
                self.shared().send_batch_volatile(crate::session::batch::collect(messages))
            }
        }
    };
}

pub(crate) use batches;
