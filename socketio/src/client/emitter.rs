//! Sending on a namespace.

use core::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::args::{EncodeError, FromArgs, IntoArgs, RawArgs};
use crate::client::ack::AckFuture;
use crate::client::joining::Handle;
use crate::client::namespace::Phase;
use crate::client::retries::Parcel;
use crate::client::sending::NotPosted;
use crate::errors::EmitError;

/// Emits events on a namespace from anywhere. Cloning is cheap.
///
/// The namespace stays joined until its [`Socket`](crate::client::Socket) and all of its emitters are dropped. Without a
/// socket, events of the server are dropped; answers still arrive.
#[derive(Clone)]
pub struct Emitter {
    pub(super) handle: Arc<Handle>,
}

impl Emitter {
    /// Emits an event. It is sent at once, or, while the client is away, when it is back.
    ///
    /// Events arrive in the order in which they were emitted. One that was on its way when the connection ended may be
    /// lost: use [`emit_with_ack`](Self::emit_with_ack), or [retries](crate::client::ClientBuilder::retries), if that
    /// matters.
    ///
    /// # Errors
    /// Returns an [`EmitError`]. Nothing is sent then.
    pub fn emit(&self, name: &str, args: impl IntoArgs) -> Result<(), EmitError> {
        let args = args.into_args()?;
        let Handle { shared, key, .. } = &*self.handle;
        if shared.settings.retries.is_some() {
            return Ok(shared.post_parcel(key, &mut Some(self.parcel(name, args, None)?))?);
        }
        let mut packet = Some(shared.event(key, name, args, None)?);
        Ok(shared.post(key, &mut packet)?)
    }

    /// Emits an event as soon as there is room for it.
    ///
    /// This method is cancel safe: if you drop the future before it is ready, the event is not sent.
    ///
    /// # Errors
    /// Returns an [`EmitError`], but not [`EmitError::Full`].
    pub async fn send(&self, name: &str, args: impl IntoArgs) -> Result<(), EmitError> {
        let args = args.into_args()?;
        let Handle { shared, key, .. } = &*self.handle;
        if shared.settings.retries.is_some() {
            return shared.post_parcel_when_room(key, self.parcel(name, args, None)?).await;
        }
        let packet = shared.event(key, name, args, None)?;
        shared.post_when_room(key, packet).await
    }

    /// Emits an event only if the transport takes it at once. Returns whether it was sent.
    ///
    /// This is for values of which only the latest matters: see
    /// [`ClientSocket::send_volatile`](eio_tokio::ClientSocket::send_volatile). It is not sent either while the client is
    /// away.
    ///
    /// # Errors
    /// Returns an [`EncodeError`] if the event cannot be written.
    pub fn emit_volatile(&self, name: &str, args: impl IntoArgs) -> Result<bool, EncodeError> {
        let Handle { shared, key, .. } = &*self.handle;
        match shared.event(key, name, args.into_args()?, None) {
            Ok(packet) => Ok(shared.post_volatile(key, packet)),
            Err(EmitError::Encode(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Emits an event, and returns the server's answer to it as a future. The event is sent as by [`emit`](Self::emit), at
    /// once. If there is no room, it is sent once there is, while the future is awaited.
    ///
    /// ```
    /// # #[cfg(not(feature = "server"))]
    /// # fn main() {}
    /// # #[cfg(feature = "server")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use eio_socketio::{Namespace, Reply};
    /// # let namespace = Namespace::new().on("sum", async |Args((a, b)): Args<(i64, i64)>| Reply(a + b));
    /// # let server = eio_socketio::Server::builder().namespace("/", namespace).build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("http://{}", listener.local_addr()?);
    /// # tokio::spawn(async move { server.serve(listener).await });
    /// # let socket = eio_socketio::client::Client::builder(url).build()?.join("/").await?;
    /// use std::time::Duration;
    ///
    /// use eio_socketio::Args;
    ///
    /// let sum: i64 = socket.emit_with_ack("sum", Args((1, 2))).timeout(Duration::from_secs(5)).await?;
    /// assert_eq!(sum, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<T: FromArgs>(&self, name: &str, args: impl IntoArgs) -> AckFuture<T> {
        let future = match args.into_args() {
            Ok(args) => self.ask(name, args).unwrap_or_else(AckFuture::not_sent),
            Err(error) => AckFuture::not_sent(error.into()),
        };
        match self.handle.shared.settings.ack_timeout {
            Some(timeout) => future.timeout(timeout),
            None => future,
        }
    }

    fn ask<T: FromArgs>(&self, name: &str, args: RawArgs) -> Result<AckFuture<T>, EmitError> {
        let Handle { shared, key, .. } = &*self.handle;
        if shared.settings.retries.is_some() {
            let (sender, answer) = oneshot::channel();
            let mut parcel = Some(self.parcel(name, args, Some(sender))?);
            return match (shared.post_parcel(key, &mut parcel), parcel) {
                (Err(NotPosted::Yet(_)), Some(parcel)) => Ok(AckFuture::posting(shared, key, parcel, answer)),
                (posted, _) => {
                    posted?;
                    Ok(AckFuture::parcel(answer))
                }
            };
        }
        match shared.ask(key, name, args.clone()) {
            Ok((id, answer)) => Ok(AckFuture::asked(shared, key, id, answer)),
            Err(NotPosted::Yet(EmitError::Full)) => Ok(AckFuture::asking(shared, key, name, args)),
            Err(not_posted) => Err(not_posted.into()),
        }
    }

    /// Returns an event that is sent until it is answered. One that cannot be written is refused now, not later.
    fn parcel(
        &self,
        name: &str,
        args: RawArgs,
        answer: Option<oneshot::Sender<crate::client::namespace::Answer>>,
    ) -> Result<Parcel, EmitError> {
        let Handle { shared, key, .. } = &*self.handle;
        shared.event(key, name, args.clone(), None)?;
        Ok(Parcel { name: name.to_owned(), args, answer })
    }

    /// Waits until everything that was sent on this connection before has been passed on: to the kernel, or in a request
    /// that the server has answered. With [retries](crate::client::ClientBuilder::retries), also until every event has been
    /// answered or given up, but for those of namespaces that are out. Returns `false` if the connection ended before, or is not
    /// open.
    pub async fn flush(&self) -> bool {
        let Handle { shared, .. } = &*self.handle;
        let mark = {
            let state = shared.lock();
            state.mark().map(|mark| mark.and(state.unanswered(None)))
        };
        match mark {
            Some(mark) => shared.passed(mark).await,
            None => false,
        }
    }

    /// Returns the namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.handle.key.name
    }

    /// Returns whether the client is connected to the namespace.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let Handle { shared, key, .. } = &*self.handle;
        shared.lock().get(key).is_some_and(|namespace| matches!(namespace.phase, Phase::Connected))
    }

    /// Returns the id by which the server knows this socket, or `None` while the client is not connected to the
    /// namespace. Unless the server recovers it, it is another one after each reconnect.
    #[must_use]
    pub fn id(&self) -> Option<ByteString> {
        let Handle { shared, key, .. } = &*self.handle;
        shared.lock().get(key).and_then(|namespace| namespace.id.clone())
    }

    /// Returns whether the server has [recovered](crate::client::Incoming::Connected) the socket at the last connect.
    #[must_use]
    pub fn recovered(&self) -> bool {
        let Handle { shared, key, .. } = &*self.handle;
        shared.lock().get(key).is_some_and(|namespace| namespace.recovered)
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("namespace", &self.handle.key.name).finish_non_exhaustive()
    }
}
