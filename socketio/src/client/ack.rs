//! The server's answer to an event.

use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use crate::args::{FromArgs, RawArgs};
use crate::client::namespace::{Answer, Key};
use crate::client::retries::Parcel;
use crate::client::shared::Shared;
use crate::errors::{AckError, EmitError};

/// The server's answer to an event. The event was sent when this was made, and not when it is awaited. Only if there was no
/// room for it then, it is sent once there is, while this is awaited.
///
/// Resolves to the answer as a `T`, or to an [`AckError`]. `T` is a type of serde's for the first argument, or
/// [`Args`](crate::Args) of a tuple for all of them: see [`FromArgs`].
///
/// ```
/// # #[cfg(not(feature = "server"))]
/// # fn main() {}
/// # #[cfg(feature = "server")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use eio_socketio::{Ack, Namespace};
/// # let namespace = Namespace::new().on("list", async |ack: Ack| ack.send(Args(("ok", [1, 2]))));
/// # let server = eio_socketio::Server::builder().namespace("/", namespace).build()?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}", listener.local_addr()?);
/// # tokio::spawn(async move { server.serve(listener).await });
/// # let socket = eio_socketio::client::Client::builder(url).build()?.join("/").await?;
/// use eio_socketio::Args;
///
/// let status: String = socket.emit_with_ack("list", ()).await?;
/// assert_eq!(status, "ok");
/// let Args((status, items)): Args<(String, Vec<u64>)> = socket.emit_with_ack("list", ()).await?;
/// assert_eq!((status.as_str(), items), ("ok", vec![1, 2]));
/// # Ok(())
/// # }
/// ```
///
/// Do not await it in the task that receives the events of the namespace without a [`timeout`](Self::timeout): the answer
/// stands in line behind the events that arrived before it, and once the inbox is full the client reads no further.
///
/// Dropping it gives up the answer, and not the event.
#[must_use = "the event is sent, and its answer is given up"]
pub struct AckFuture<T> {
    waiting: Waiting,
    sleep: Option<Pin<Box<Sleep>>>,
    answer: PhantomData<fn() -> T>,
}

enum Waiting {
    /// The event was not sent. Holds nothing after that was told.
    NotSent(Option<EmitError>),
    /// There was no room for the event.
    Asking(Pin<Box<dyn Future<Output = Result<Waiting, EmitError>> + Send>>),
    /// The event was sent, or will be when the client is back.
    Asked { answer: oneshot::Receiver<Answer>, question: Question },
    /// The event is sent until it is answered.
    Parcel(oneshot::Receiver<Answer>),
}

impl Waiting {
    fn asked(shared: &Arc<Shared>, key: &Key, id: u64, answer: oneshot::Receiver<Answer>) -> Self {
        let question = Question { shared: Arc::clone(shared), key: key.clone(), id };
        Self::Asked { answer, question }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            match self {
                Self::NotSent(error) => {
                    let error = error.take().unwrap_or(EmitError::Disconnected);
                    return Poll::Ready(Err(AckError::Emit(error)));
                }
                Self::Asking(asking) => {
                    *self =
                        ready!(asking.as_mut().poll(cx)).unwrap_or_else(|error| Self::NotSent(Some(error)));
                }
                Self::Asked { answer, .. } | Self::Parcel(answer) => {
                    return Pin::new(answer)
                        .poll(cx)
                        .map(|answer| answer.unwrap_or(Err(AckError::Disconnected)));
                }
            }
        }
    }
}

/// Gives up the answer when it is dropped.
struct Question {
    shared: Arc<Shared>,
    key: Key,
    id: u64,
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(namespace) = self.shared.lock().get(&self.key) {
            namespace.acks.forget(self.id);
        }
    }
}

impl<T> AckFuture<T> {
    fn new(waiting: Waiting) -> Self {
        Self { waiting, sleep: None, answer: PhantomData }
    }

    pub(super) fn not_sent(error: EmitError) -> Self {
        Self::new(Waiting::NotSent(Some(error)))
    }

    pub(super) fn asked(shared: &Arc<Shared>, key: &Key, id: u64, answer: oneshot::Receiver<Answer>) -> Self {
        Self::new(Waiting::asked(shared, key, id, answer))
    }

    /// Asks as soon as there is room.
    pub(super) fn asking(shared: &Arc<Shared>, key: &Key, name: &str, args: RawArgs) -> Self {
        let (shared, key, name) = (Arc::clone(shared), key.clone(), name.to_owned());
        Self::new(Waiting::Asking(Box::pin(async move {
            let (id, answer) = shared.ask_when_room(&key, &name, args).await?;
            Ok(Waiting::asked(&shared, &key, id, answer))
        })))
    }

    /// Hands the event over as soon as there is room.
    pub(super) fn posting(
        shared: &Arc<Shared>,
        key: &Key,
        parcel: Parcel,
        answer: oneshot::Receiver<Answer>,
    ) -> Self {
        let (shared, key) = (Arc::clone(shared), key.clone());
        Self::new(Waiting::Asking(Box::pin(async move {
            shared.post_parcel_when_room(&key, parcel).await?;
            Ok(Waiting::Parcel(answer))
        })))
    }

    pub(super) fn parcel(answer: oneshot::Receiver<Answer>) -> Self {
        Self::new(Waiting::Parcel(answer))
    }

    /// Sets how long to wait for the answer, from now on. Default: [`ClientBuilder::ack_timeout`].
    ///
    /// If the event has not been sent by then, because the client is away or there was no room for it, it will not be. With
    /// [retries](crate::client::ClientBuilder::retries), an event that there was room for is sent all the same.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, or if its timer is not enabled.
    ///
    /// [`ClientBuilder::ack_timeout`]: crate::client::ClientBuilder::ack_timeout
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.sleep = Some(Box::pin(tokio::time::sleep(timeout)));
        self
    }
}

impl<T: FromArgs> Future for AckFuture<T> {
    type Output = Result<T, AckError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Poll::Ready(answer) = this.waiting.poll(cx) {
            return Poll::Ready(answer.and_then(|args| Ok(T::from_args(&args)?)));
        }
        let Some(sleep) = &mut this.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        if let Waiting::Asked { question: Question { shared, key, id }, .. } = &this.waiting {
            let given_up = shared.lock().give_up_answer(key, *id);
            // Without the lock: it wakes this task.
            drop(given_up);
        }
        Poll::Ready(Err(AckError::Timeout))
    }
}

impl<T> fmt::Debug for AckFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckFuture").finish_non_exhaustive()
    }
}
