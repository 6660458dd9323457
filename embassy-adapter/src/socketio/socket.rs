//! A client that has joined one namespace.

use core::fmt;
use core::time::Duration;

use eio_core::session::SessionEnd;
use eio_core::socketio::{Body, Packet, Received};
use embassy_time::with_deadline;
use embedded_io_async::{Read, Write};

use super::incoming::{Receiving, frame};
use super::state::Gate;
use super::{Alone, Incoming, NoRecovery, Recover, Recovery, SocketError};
use crate::{Client, clock};

/// A client that has joined a namespace.
///
/// Its futures may be dropped at any await point, like those of the [`Client`] that it borrows, except where a method
/// says otherwise. Dropping the socket keeps the session open and the namespace joined. [`leave`](Self::leave) leaves the
/// namespace.
///
/// `S` says whether it has the client for itself ([`Alone`], the default) or shares it ([`Among`](super::Among) the [`Namespaces`](super::Namespaces)), and
/// whether it keeps anything for the next session.
pub struct Socket<'c, 'b, R, W, S = Alone> {
    pub(super) client: &'c mut Client<'b, R, W>,
    pub(super) namespace: &'c str,
    pub(super) state: S,
}

impl<R: Read, W: Write, S> fmt::Debug for Socket<'_, '_, R, W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("namespace", &self.namespace)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// How a socket handles a message.
enum Verdict {
    /// The message is for the application.
    Deliver,
    /// The server has accepted the client into the namespace.
    Joined,
    /// The message is ignored: it is for another namespace.
    Skip,
}

impl<'c, 'b, R: Read, W: Write> Socket<'c, 'b, R, W> {
    /// Joins a namespace (`/` is the main one). Waits at most `timeout` for the server's answer. `auth` is the text of a
    /// JSON object, or empty.
    ///
    /// Join each namespace only once: a second request makes the server end the session. If the future is dropped, the
    /// request may already have been sent, so close the session.
    ///
    /// In revision 3 the server joins every client to `/` without a request, so `auth` is not sent for `/`.
    ///
    /// Events that the server sends before it accepts the client are ignored: only a middleware sends some, and a server
    /// that recovers the socket. A message in pieces counts as such an event, even if it is the answer: then the error is
    /// [`SocketError::Timeout`].
    ///
    /// # Errors
    /// A [`SocketError`].
    pub fn join(
        client: &'c mut Client<'b, R, W>,
        namespace: &'c str,
        auth: &str,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self, SocketError>> {
        Self::open(client, namespace, auth, NoRecovery, timeout)
    }
}

impl<'c, 'b, R: Read, W: Write> Socket<'c, 'b, R, W, Alone<&'c mut Recovery>> {
    /// Joins a namespace as [`join`](Socket::join) does, and asks the server to recover the socket of the session before.
    ///
    /// Call it for every session with the same [`Recovery`], which also takes note of what arrives. It returns at the
    /// server's first message on the namespace. [`recv`](Self::recv) then returns the events that were missed, and
    /// [`Incoming::Connected`] at the place where the server accepted the client: a server in Node sends the missed events
    /// before it, `eio-socketio` after it.
    ///
    /// `auth` is sent together with what the server needs for the recovery.
    ///
    /// # Errors
    /// A [`SocketError`].
    pub fn join_with_recovery(
        client: &'c mut Client<'b, R, W>,
        namespace: &'c str,
        auth: &str,
        recovery: &'c mut Recovery,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self, SocketError>> {
        Self::open(client, namespace, auth, recovery, timeout)
    }
}

impl<'c, 'b, R: Read, W: Write, M: Recover> Socket<'c, 'b, R, W, Alone<M>> {
    async fn open(
        client: &'c mut Client<'b, R, W>,
        namespace: &'c str,
        auth: &str,
        recovery: M,
        timeout: Duration,
    ) -> Result<Self, SocketError> {
        let deadline = clock::after(timeout);
        // Only the request carries a query; later packets name the namespace without it.
        let name = namespace.split('?').next().unwrap_or(namespace);
        let mut socket = Self { client, namespace: name, state: Alone::new(recovery) };
        if let Some(recovery) = socket.state.recovery.recovery() {
            recovery.begin();
        }
        let joined = with_deadline(deadline, async {
            if name != "/" || !socket.client.server_joins_root() {
                let packet = Packet::connect(auth)?.in_namespace(namespace)?;
                socket.client.send_text_with(socket.state.recovery.request(&packet)).await?;
            }
            loop {
                let ready = socket.client.ready().await;
                match (socket.judge(ready, false)?, socket.state.recovery.recovery()) {
                    (Verdict::Skip, _) | (Verdict::Deliver, None) => {}
                    (Verdict::Joined, None) => return Ok(()),
                    (_, Some(_)) => {
                        // The application has not got it yet, so `recv` judges it as if it had just arrived.
                        socket.state.receiving = Receiving::new();
                        socket.client.link.state.put_back();
                        return Ok(());
                    }
                }
            }
        });
        joined.await.unwrap_or(Err(SocketError::Timeout))?;
        Ok(socket)
    }

    /// Waits for the next event, answer or attachment, and keeps the session alive meanwhile. The returned value borrows
    /// the receive buffer until the next call.
    ///
    /// After [`SocketError::Disconnected`] nothing more arrives on the namespace: the next call waits for the end of the
    /// session.
    ///
    /// # Errors
    /// A [`SocketError`].
    pub async fn recv(&mut self) -> Result<Incoming<'_>, SocketError> {
        loop {
            let ready = self.client.ready().await;
            match (self.judge(ready, true)?, self.state.recovery.recovery()) {
                (Verdict::Skip, _) | (Verdict::Joined, None) => {}
                _ => break,
            }
        }
        // Cannot fail: `judge` has just decoded the same message.
        self.incoming().ok_or(SocketError::TooLong)
    }

    /// Leaves the namespace. The session stays open, but a server closes it if the client does not join a namespace
    /// again.
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn leave(mut self) -> Result<(), SocketError> {
        self.send(Packet::disconnect()).await
    }

    /// Returns the client that holds the session.
    pub fn client(&mut self) -> &mut Client<'b, R, W> {
        self.client
    }

    /// Decides what to do with the message that is `ready`. Tells the recovery of one that can never be taken.
    fn judge(&mut self, ready: Result<(), SessionEnd>, delivers: bool) -> Result<Verdict, SocketError> {
        let verdict = ready.map_err(SocketError::Session).and_then(|()| self.decode(delivers));
        if let Some(recovery) = self.state.recovery.recovery()
            && let Err(error) = verdict
        {
            recovery.handle_error(error);
        }
        verdict
    }

    /// Decodes the last message and decides what to do with it. `delivers` says whether the application gets it next. Only
    /// then the recovery takes note of it: what the application did not get is still missed.
    fn decode(&mut self, delivers: bool) -> Result<Verdict, SocketError> {
        let Alone { receiving, ours, gate, recovery, .. } = &mut self.state;
        let recovery = recovery.recovery().filter(|_| delivers);
        let message = match frame(self.client.last_event()) {
            // It is too long to be read. It may be an event, and before the answer an event needs no reading.
            Err(_) if !delivers => return Ok(Verdict::Deliver),
            message => message?,
        };
        let packet = match receiving.decoder.decode(message) {
            Err(error) => {
                self.client.give_up();
                return Err(error.into());
            }
            Ok(Received::Packet(packet)) => packet,
            Ok(Received::Attachment { .. }) if !*ours => return Ok(Verdict::Skip),
            Ok(Received::Attachment { last, .. }) => {
                if last && let Some(recovery) = recovery {
                    recovery.handle_complete();
                }
                return Ok(Verdict::Deliver);
            }
        };
        receiving.note(&packet);
        *ours = packet.namespace() == self.namespace && *gate != Gate::Disconnected;
        if !*ours {
            return Ok(Verdict::Skip);
        }
        match packet.body() {
            Body::Connect(answer) => {
                if let Some(recovery) = recovery {
                    recovery.handle_connected(answer);
                }
                Ok(Verdict::Joined)
            }
            Body::ConnectError(_) => Err(SocketError::Refused),
            Body::Disconnect => {
                *gate = Gate::Disconnected;
                Err(SocketError::Disconnected)
            }
            Body::Event(event) => {
                if let Some(recovery) = recovery
                    && packet.id().is_none()
                {
                    recovery.handle_event(event.args(), packet.attachments() == 0);
                }
                Ok(Verdict::Deliver)
            }
            // The reference ignores an answer without a number as well.
            Body::Ack(_) if packet.id().is_none() => Ok(Verdict::Skip),
            Body::Ack(_) => Ok(Verdict::Deliver),
        }
    }

    /// Returns the last message as the application receives it.
    pub(super) fn incoming(&mut self) -> Option<Incoming<'_>> {
        let recovered = self.state.recovery.recovery().map(|recovery| recovery.recovered);
        self.state.receiving.incoming(self.client.last_event(), |body| match (body, recovered) {
            (Body::Connect(_), Some(recovered)) => Some(Incoming::Connected { recovered }),
            _ => None,
        })
    }
}
