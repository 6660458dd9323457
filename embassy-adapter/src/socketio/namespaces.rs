//! Several namespaces on one client.

use core::fmt;

use eio_core::socketio::{Body, Packet, Received};
use embedded_io_async::{Read, Write};

use super::incoming::{Receiving, frame};
use super::state::Gate;
use super::{Among, Incoming, NoRecovery, Recover, Recovery, Socket, SocketError};
use crate::Client;

/// A client that joins up to `N` namespaces over one session.
///
/// [`recv`](Self::recv) is the only place where something arrives, for all of them: also the server's answer to a
/// request to join. So nothing that arrives on one namespace is lost while another is joined or left.
/// [`socket`](Self::socket) sends.
///
/// ```no_run
/// use eio_embassy::Client;
/// use eio_embassy::socketio::{Incoming, Namespaces, SocketError};
/// # use embedded_io_async::{Read, Write};
///
/// # async fn example<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> Result<(), SocketError> {
/// let mut namespaces = Namespaces::<_, _, 2>::new(client);
/// namespaces.join("/devices", r#"{"token":"t0k3n"}"#).await?;
/// namespaces.join("/updates", "").await?;
/// loop {
///     match namespaces.recv().await? {
///         ("/devices", Incoming::Connected { .. }) => {
///             namespaces.socket("/devices")?.emit("hello", "").await?;
///         }
///         ("/devices", Incoming::Event { event, .. }) if event.is("led") => { /* switch it */ }
///         ("/updates", Incoming::Event { event, .. }) if event.is("none") => {
///             namespaces.leave("/updates").await?;
///         }
///         ("/updates", Incoming::Refused { data }) => { /* go on without updates */ }
///         ("/devices", Incoming::Refused { .. } | Incoming::Disconnected) => return Ok(()),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// Each place takes 12 bytes of RAM on a 32-bit machine. A client that uses one namespace needs no `Namespaces`, but a
/// [`Socket`], which is smaller.
///
/// In revision 3 the server joins every client to `/` without a request. There, join `/` before the other namespaces, and
/// before the first [`recv`](Self::recv).
///
/// `M` says what the namespaces keep for the next session: nothing, or `&mut Recovery` each.
pub struct Namespaces<'c, 'b, R, W, const N: usize, M = NoRecovery> {
    client: &'c mut Client<'b, R, W>,
    places: [Option<Place<'c, M>>; N],
    receiving: Receiving,
    /// The place of the last packet's namespace, or a number without a place if the packet is ignored.
    current: usize,
    gate: Gate,
    last_id: u64,
}

/// A namespace that the client has joined, or has asked to join.
struct Place<'c, M> {
    namespace: &'c str,
    joined: bool,
    recovery: M,
}

impl<'c, R: Read, W: Write, const N: usize> Namespaces<'c, '_, R, W, N> {
    /// Asks to join a namespace (`/` is the main one). `auth` is the text of a JSON object, or empty.
    ///
    /// [`recv`](Self::recv) returns the answer: [`Incoming::Connected`] or [`Incoming::Refused`]. A server that does not
    /// answer keeps the place; `embassy_time::with_timeout` around `recv` notices it, and [`leave`](Self::leave) gives
    /// the place up. If the future is dropped, nothing has been sent.
    ///
    /// # Errors
    /// [`SocketError::AlreadyJoined`], [`SocketError::TooManyNamespaces`], and the errors of [`Socket::join`] about what
    /// is sent.
    pub async fn join(&mut self, namespace: &'c str, auth: &str) -> Result<(), SocketError> {
        self.request(namespace, auth, NoRecovery).await
    }
}

impl<'c, R: Read, W: Write, const N: usize> Namespaces<'c, '_, R, W, N, &'c mut Recovery> {
    /// Asks to join a namespace as [`join`](Namespaces::join) does, and asks the server to recover the socket of the
    /// session before. Each namespace needs a [`Recovery`] of its own.
    ///
    /// Events that were missed arrive before or after [`Incoming::Connected`], as the server sends them.
    ///
    /// # Errors
    /// The same as [`join`](Namespaces::join).
    pub async fn join_with_recovery(
        &mut self,
        namespace: &'c str,
        auth: &str,
        recovery: &'c mut Recovery,
    ) -> Result<(), SocketError> {
        recovery.begin();
        self.request(namespace, auth, recovery).await
    }
}

impl<'c, 'b, R: Read, W: Write, const N: usize, M: Recover> Namespaces<'c, 'b, R, W, N, M> {
    /// Creates a value without namespaces.
    pub const fn new(client: &'c mut Client<'b, R, W>) -> Self {
        let places = [const { None }; N];
        Self { client, places, receiving: Receiving::new(), current: N, gate: Gate::Open, last_id: 0 }
    }

    async fn request(&mut self, namespace: &'c str, auth: &str, recovery: M) -> Result<(), SocketError> {
        // Only the request carries a query; later packets name the namespace without it.
        let name = namespace.split('?').next().unwrap_or(namespace);
        if position(&self.places, name).is_some() {
            return Err(SocketError::AlreadyJoined);
        }
        self.gate.check()?;
        let free = self.places.iter_mut().find(|place| place.is_none());
        let free = free.ok_or(SocketError::TooManyNamespaces { max: N })?;
        let packet = Packet::connect(auth)?.in_namespace(namespace)?;
        if name != "/" || !self.client.server_joins_root() {
            self.client.send_text_with(recovery.request(&packet)).await?;
        }
        *free = Some(Place { namespace: name, joined: false, recovery });
        Ok(())
    }

    /// Waits for what arrives next, and keeps the session alive meanwhile. Returns it with its namespace, without a query.
    /// What is returned borrows the receive buffer until the next call.
    ///
    /// [`Incoming::Refused`] and [`Incoming::Disconnected`] free the place of their namespace: it can be joined again.
    ///
    /// # Errors
    /// A [`SocketError`] about the session, which concerns all namespaces: [`SocketError::Session`],
    /// [`SocketError::Packet`] or [`SocketError::TooLong`].
    pub async fn recv(&mut self) -> Result<(&'c str, Incoming<'_>), SocketError> {
        let (namespace, recovered) = loop {
            self.client.ready().await?;
            if let Some(delivered) = self.judge()? {
                break delivered;
            }
        };
        let incoming = self.receiving.incoming(self.client.last_event(), |body| match body {
            Body::Connect(_) => Some(Incoming::Connected { recovered }),
            Body::ConnectError(data) => Some(Incoming::Refused { data }),
            Body::Disconnect => Some(Incoming::Disconnected),
            _ => None,
        });
        // Cannot fail: `judge` has just decoded the same message.
        Ok((namespace, incoming.ok_or(SocketError::TooLong)?))
    }

    /// Returns the socket that sends on a namespace.
    ///
    /// # Errors
    /// [`SocketError::NotJoined`] until the server has accepted the client, and after the namespace was left.
    pub fn socket(&mut self, namespace: &str) -> Result<Socket<'_, 'b, R, W, Among<'_>>, SocketError> {
        let place = self.places.iter().flatten().find(|place| place.joined && place.namespace == namespace);
        let namespace = place.ok_or(SocketError::NotJoined)?.namespace;
        let state = Among { gate: &mut self.gate, last_id: &mut self.last_id };
        Ok(Socket { client: self.client, namespace, state })
    }

    /// Leaves a namespace, or takes back the request to join it. What still arrives on it is ignored. The session stays
    /// open.
    ///
    /// If the future is dropped, the namespace was not left.
    ///
    /// # Errors
    /// [`SocketError::NotJoined`]. [`SocketError::Send`] if sending fails.
    pub async fn leave(&mut self, namespace: &str) -> Result<(), SocketError> {
        let at = position(&self.places, namespace).ok_or(SocketError::NotJoined)?;
        let state = Among { gate: &mut self.gate, last_id: &mut self.last_id };
        Socket { client: self.client, namespace, state }.send(Packet::disconnect()).await?;
        if let Some(place) = self.places.get_mut(at) {
            *place = None;
        }
        Ok(())
    }

    /// Returns whether the server has accepted the client into a namespace.
    #[must_use]
    pub fn is_joined(&self, namespace: &str) -> bool {
        self.places.iter().flatten().any(|place| place.joined && place.namespace == namespace)
    }

    /// Returns the client that holds the session.
    pub fn client(&mut self) -> &mut Client<'b, R, W> {
        self.client
    }

    /// Decodes the last message. Returns its namespace and whether that was recovered, unless the message is ignored.
    fn judge(&mut self) -> Result<Option<(&'c str, bool)>, SocketError> {
        let received = self.receiving.decoder.decode(frame(self.client.last_event())?)?;
        if let Received::Packet(packet) = received {
            self.receiving.note(&packet);
            self.current = position(&self.places, packet.namespace()).unwrap_or(N);
        }
        let Some(slot) = self.places.get_mut(self.current) else { return Ok(None) };
        let Some(place) = slot else { return Ok(None) };
        let namespace = place.namespace;
        let mut recovered = false;
        match received {
            Received::Attachment { last, .. } => {
                if last && let Some(recovery) = place.recovery.recovery() {
                    recovery.handle_complete();
                }
            }
            Received::Packet(packet) => match packet.body() {
                Body::Connect(answer) => {
                    place.joined = true;
                    if let Some(recovery) = place.recovery.recovery() {
                        recovery.handle_connected(answer);
                        recovered = recovery.recovered;
                    }
                }
                Body::ConnectError(_) | Body::Disconnect => *slot = None,
                Body::Event(event) => {
                    if packet.id().is_none()
                        && let Some(recovery) = place.recovery.recovery()
                    {
                        recovery.handle_event(event.args(), packet.attachments() == 0);
                    }
                }
                // The reference ignores an answer without a number as well.
                Body::Ack(_) if packet.id().is_none() => return Ok(None),
                Body::Ack(_) => {}
            },
        }
        Ok(Some((namespace, recovered)))
    }
}

/// Returns the place of a namespace.
fn position<M>(places: &[Option<Place<'_, M>>], namespace: &str) -> Option<usize> {
    places.iter().position(|place| place.as_ref().is_some_and(|place| place.namespace == namespace))
}

impl<R: Read, W: Write, const N: usize, M> fmt::Debug for Namespaces<'_, '_, R, W, N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = self.places.iter().flatten().map(|place| place.namespace);
        f.write_str("Namespaces ")?;
        f.debug_list().entries(joined).finish()
    }
}
