//! Several namespaces on one client.

use core::fmt;

use eio_core::session::SessionEnd;
use eio_core::socketio::{Body, Packet, Received};
use eio_core::ws::{MessageKind, Piece};
use embedded_io_async::{Read, Write};

use super::incoming::{Receiving, frame};
use super::state::Gate;
use super::{Among, Incoming, NoRecovery, Recover, Recovery, Socket, SocketError};
use crate::Client;
use crate::clock;
use crate::link::Link;

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
    /// The place of the namespace that a binary event is being sent on, or a number without a place if the server has closed
    /// that namespace.
    sending: usize,
    last_id: u64,
}

/// A namespace that the client has joined, or has asked to join.
struct Place<'c, M> {
    namespace: &'c str,
    membership: Membership,
    recovery: M,
}

/// How far a namespace is joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Membership {
    /// The client has asked, and the server has not answered.
    Asked,
    /// The same, but the client no longer wants it. The reference server ends the session if it is told to leave a
    /// namespace that it has not joined the client to, so the client waits for the answer.
    TakenBack,
    /// The server has accepted a request that was taken back, and is to be told.
    Unwanted,
    /// The server has accepted the client.
    Joined,
}

impl<'c, R: Read, W: Write, const N: usize> Namespaces<'c, '_, R, W, N> {
    /// Asks to join a namespace (`/` is the main one). `auth` is the text of a JSON object, or empty.
    ///
    /// [`recv`](Self::recv) returns the answer: [`Incoming::Connected`] or [`Incoming::Refused`].
    /// `embassy_time::with_timeout` around `recv` notices a server that does not answer, and [`leave`](Self::leave) takes
    /// the request back. If the future is dropped, nothing has been sent.
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
        Self {
            client,
            places,
            receiving: Receiving::new(),
            current: N,
            gate: Gate::Open,
            sending: N,
            last_id: 0,
        }
    }

    async fn request(&mut self, namespace: &'c str, auth: &str, recovery: M) -> Result<(), SocketError> {
        // Only the request carries a query; later packets name the namespace without it.
        let name = namespace.split('?').next().unwrap_or(namespace);
        if position(&self.places, name).is_some() {
            return Err(SocketError::AlreadyJoined);
        }
        self.gate.check()?;
        let free = self.places.iter_mut().enumerate().find(|(_, place)| place.is_none());
        let (at, free) = free.ok_or(SocketError::TooManyNamespaces { max: N })?;
        let packet = Packet::connect(auth)?.in_namespace(namespace)?;
        if name != "/" || !self.client.server_joins_root() {
            self.client.send_text_with(recovery.request(&packet)).await?;
        }
        *free = Some(Place { namespace: name, membership: Membership::Asked, recovery });
        if self.current == at {
            // Attachments that still arrive belong to the namespace that had the place before.
            self.current = N;
        }
        Ok(())
    }

    /// Waits for what arrives next, and keeps the session alive meanwhile. Returns it with its namespace, without a query.
    /// What is returned borrows the receive buffer until the next call.
    ///
    /// [`Incoming::Refused`] and [`Incoming::Disconnected`] free the place of their namespace: it can be joined again. If a
    /// binary event had been sent on it only in part, the next calls complete it with empty attachments: the server waits
    /// for them, and until then every call that sends returns [`SendError::Unfinished`](crate::SendError::Unfinished).
    /// What arrives is returned meanwhile, also while the server takes nothing.
    ///
    /// # Errors
    /// A [`SocketError`] about the session, which concerns all namespaces: [`SocketError::Session`],
    /// [`SocketError::Packet`] or [`SocketError::TooLong`].
    pub async fn recv(&mut self) -> Result<(&'c str, Incoming<'_>), SocketError> {
        let (namespace, recovered) = loop {
            let Self { client, places, gate, sending, .. } = &mut *self;
            let ready = client.ready_while(|link| put_owed(link, places, gate, *sending == N)).await;
            if let Some(delivered) = self.judge(ready)? {
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
        let mut places = self.places.iter().enumerate();
        let joined = places.find_map(|(at, place)| {
            Some((at, place.as_ref().filter(|place| place.is_joined_as(namespace))?))
        });
        let (at, place) = joined.ok_or(SocketError::NotJoined)?;
        let namespace = place.namespace;
        if self.gate == Gate::Open {
            self.sending = at;
        }
        let owes_rest = self.sending == at;
        Ok(self.socket_of(namespace, owes_rest))
    }

    /// Leaves a namespace. What still arrives on it is ignored, and the session stays open.
    ///
    /// Before the server has answered the request to join, this takes the request back: the namespace keeps its place until
    /// the server answers, and [`recv`](Self::recv) then leaves it. If the namespace is joined again, events that were on
    /// their way may still arrive before [`Incoming::Connected`], and answers to events from before at any time: their
    /// numbers are those of no other event.
    ///
    /// If the future is dropped, the namespace was not left.
    ///
    /// # Errors
    /// [`SocketError::NotJoined`], also if the request was taken back already. [`SocketError::Send`] if sending fails.
    pub async fn leave(&mut self, namespace: &str) -> Result<(), SocketError> {
        let at = position(&self.places, namespace).ok_or(SocketError::NotJoined)?;
        match self.places.get_mut(at) {
            Some(Some(place)) if place.membership == Membership::Asked => {
                place.membership = Membership::TakenBack;
                Ok(())
            }
            Some(Some(Place { membership: Membership::Joined, .. })) => self.give_up(at).await,
            _ => Err(SocketError::NotJoined),
        }
    }

    /// Returns whether the server has accepted the client into a namespace.
    #[must_use]
    pub fn is_joined(&self, namespace: &str) -> bool {
        self.places.iter().flatten().any(|place| place.is_joined_as(namespace))
    }

    /// Returns the client that holds the session.
    pub fn client(&mut self) -> &mut Client<'b, R, W> {
        self.client
    }

    fn socket_of<'s>(&'s mut self, namespace: &'s str, owes_rest: bool) -> Socket<'s, 'b, R, W, Among<'s>> {
        let state = Among { gate: &mut self.gate, last_id: &mut self.last_id, owes_rest };
        Socket { client: self.client, namespace, state }
    }

    /// Tells the server that the client leaves the namespace at this place, and frees the place.
    async fn give_up(&mut self, at: usize) -> Result<(), SocketError> {
        let Some(Some(place)) = self.places.get(at) else { return Ok(()) };
        let namespace = place.namespace;
        self.socket_of(namespace, false).send(Packet::disconnect()).await?;
        if let Some(place) = self.places.get_mut(at) {
            *place = None;
        }
        Ok(())
    }

    /// Decides what to do with the message that is `ready`. Tells the recoveries of one that can never be taken: whose it
    /// is, nobody knows.
    fn judge(&mut self, ready: Result<(), SessionEnd>) -> Result<Option<(&'c str, bool)>, SocketError> {
        let judged = ready.map_err(SocketError::Session).and_then(|()| self.decode());
        if let Err(error) = judged {
            for place in self.places.iter_mut().flatten() {
                if let Some(recovery) = place.recovery.recovery() {
                    recovery.handle_error(error);
                }
            }
        }
        judged
    }

    /// Decodes the last message. Returns its namespace and whether that was recovered, unless the message is ignored.
    fn decode(&mut self) -> Result<Option<(&'c str, bool)>, SocketError> {
        let received = match self.receiving.decoder.decode(frame(self.client.last_event())?) {
            Ok(received) => received,
            Err(error) => {
                self.client.give_up();
                return Err(error.into());
            }
        };
        if let Received::Packet(packet) = received {
            self.receiving.note(&packet);
            self.current = position(&self.places, packet.namespace()).unwrap_or(N);
        }
        let Some(slot) = self.places.get_mut(self.current) else { return Ok(None) };
        let Some(place) = slot else { return Ok(None) };
        let namespace = place.namespace;
        if matches!(place.membership, Membership::TakenBack | Membership::Unwanted) {
            if let Received::Packet(packet) = received {
                match packet.body() {
                    Body::Connect(_) => place.membership = Membership::Unwanted,
                    Body::ConnectError(_) | Body::Disconnect => *slot = None,
                    Body::Event(_) | Body::Ack(_) => {}
                }
            }
            return Ok(None);
        }
        let mut recovered = false;
        match received {
            Received::Attachment { last, .. } => {
                if last && let Some(recovery) = place.recovery.recovery() {
                    recovery.handle_complete();
                }
            }
            Received::Packet(packet) => match packet.body() {
                Body::Connect(answer) => {
                    place.membership = Membership::Joined;
                    if let Some(recovery) = place.recovery.recovery() {
                        recovery.handle_connected(answer);
                        recovered = recovery.recovered;
                    }
                }
                Body::ConnectError(_) | Body::Disconnect => {
                    *slot = None;
                    if self.sending == self.current {
                        self.sending = N;
                    }
                }
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

impl<M> Place<'_, M> {
    fn is_joined_as(&self, namespace: &str) -> bool {
        self.membership == Membership::Joined && self.namespace == namespace
    }
}

/// Puts the next frame that no call sends, if there is room for one: an attachment of a binary event whose namespace the
/// server has closed (`is_abandoned`), or the packet that leaves a namespace that the server has accepted too late.
fn put_owed<M>(
    link: &mut Link<'_>,
    places: &mut [Option<Place<'_, M>>],
    gate: &mut Gate,
    is_abandoned: bool,
) {
    if !link.has_room() || link.check_send(clock::now()).is_err() {
        return;
    }
    if let Gate::Owing { announced, owed } = *gate {
        // The server waits for the attachments that were announced before it reads anything else. Nobody sends them any
        // more, so they are empty; one may have been sent in part.
        let first = !link.state.has_unfinished_message();
        let rest = Piece { kind: MessageKind::Binary, bytes: &[], first, last: true };
        if is_abandoned && link.check_piece(rest).is_ok() {
            link.put(rest, None);
            *gate = match owed {
                0 | 1 => Gate::Open,
                _ => Gate::Owing { announced, owed: owed.saturating_sub(1) },
            };
        }
        return;
    }
    let unwanted = places
        .iter_mut()
        .find(|place| place.as_ref().is_some_and(|place| place.membership == Membership::Unwanted));
    if let Some(slot) = unwanted
        && let Some(place) = slot
        && let Ok(packet) = Packet::disconnect().in_namespace(place.namespace)
        && link.put_text_with(&|out| packet.encode(out).map(str::len)).is_ok()
    {
        *slot = None;
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
