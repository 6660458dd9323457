//! Socket.IO on top of a session: one namespace, events and acknowledgements.
//!
//! It works with stock Socket.IO 3 and 4 servers and with NestJS gateways. JSON stays text: the application writes and
//! reads it as it likes, for example with `serde-json-core`, or with `write!` and `str::parse` for a number. An image
//! that does not use this module contains none of its code.
//!
//! ```no_run
//! use core::time::Duration;
//! use eio_embassy::{Client, socketio::{Incoming, Socket}};
//! # use embedded_io_async::{Read, Write};
//!
//! # async fn example<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> Result<(), Box<dyn std::error::Error>> {
//! let mut socket = Socket::join(client, "/", r#"{"token":"t0k3n"}"#, Duration::from_secs(10)).await?;
//! socket.emit("reading", "21.5").await?;
//! loop {
//!     match socket.recv().await? {
//!         Incoming::Event { event, ack, .. } if event.is("led") => {
//!             let on = event.args().iter().next() == Some("true");
//!             if let Some(id) = ack {
//!                 socket.ack(id, if on { "\"on\"" } else { "\"off\"" }).await?;
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! # }
//! ```

use core::fmt;
use core::time::Duration;

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::session::SessionEnd;
use eio_core::socketio::{Args, Body, Decoder, Event, Packet, PacketError, Received};
use embassy_time::with_deadline;
use embedded_io_async::{Read, Write};

use crate::{Client, IncomingMessage, SendError, clock};

/// An event, an answer or an attachment that arrived on the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(
    clippy::exhaustive_enums,
    reason = "a joined namespace brings events, answers and their attachments"
)]
pub enum Incoming<'a> {
    /// The server emitted an event.
    Event {
        /// Its name and arguments.
        event: Event<'a>,
        /// The number to answer with [`Socket::ack`], if the server wants an answer.
        ack: Option<u64>,
        /// How many [`Attachment`](Self::Attachment)s follow before anything else.
        attachments: u32,
    },
    /// The server answered an event.
    Ack {
        /// The number that [`Socket::emit_with_ack`] returned for that event.
        id: u64,
        /// The answer.
        args: Args<'a>,
        /// How many [`Attachment`](Self::Attachment)s follow before anything else.
        attachments: u32,
    },
    /// Binary data that belongs to the last event or answer.
    Attachment {
        /// The number in the placeholder that this attachment replaces.
        num: u32,
        /// The attachment's bytes.
        data: &'a [u8],
        /// Whether this is the last attachment of the event or answer.
        last: bool,
    },
}

/// Errors from a [`Socket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketError {
    /// The session ended.
    #[error(transparent)]
    Session(SessionEnd),
    /// The server refused the namespace. [`refusal`] returns the server's explanation.
    #[error("the server refused the namespace")]
    Refused,
    /// The server did not answer the request to join in time.
    #[error("the server did not answer the request to join the namespace in time")]
    Timeout,
    /// The server disconnected the client from the namespace. The reference client then does not reconnect by itself,
    /// because the server removed it on purpose.
    #[error("the server disconnected the client from the namespace")]
    Disconnected,
    /// A packet is invalid: one from the server, or the one to be sent. The reference client ends the session if the
    /// server sends one.
    #[error("parse error: {0}")]
    Packet(#[from] PacketError),
    /// A packet longer than the receive buffer arrived in pieces
    /// ([`ClientSettings::long_messages`](crate::ClientSettings::long_messages)), so it cannot be decoded.
    #[error("the packet is longer than the receive buffer")]
    TooLong,
    /// Sending failed.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<SessionEnd> for SocketError {
    fn from(end: SessionEnd) -> Self {
        Self::Session(end)
    }
}

/// A client that has joined a namespace.
///
/// Its futures may be dropped at any await point, like those of the [`Client`] that it borrows, except where a method
/// says otherwise. Dropping the socket keeps the session open and the namespace joined. [`leave`](Self::leave) leaves the
/// namespace.
pub struct Socket<'c, 'b, R, W> {
    client: &'c mut Client<'b, R, W>,
    namespace: &'c str,
    decoder: Decoder,
    /// How many attachments the last packet announced, and whether they are for this namespace.
    attachments: u32,
    ours: bool,
    /// Whether the server has disconnected the client from the namespace.
    disconnected: bool,
    /// The number of the last event that asked for an acknowledgement.
    last_id: u64,
}

impl<R: Read, W: Write> fmt::Debug for Socket<'_, '_, R, W> {
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
    /// The message is for another namespace and is ignored.
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
    /// # Errors
    /// A [`SocketError`].
    pub async fn join(
        client: &'c mut Client<'b, R, W>,
        namespace: &'c str,
        auth: &str,
        timeout: Duration,
    ) -> Result<Self, SocketError> {
        let deadline = clock::not_before(clock::now().saturating_add(timeout));
        // Only the request carries a query; later packets name the namespace without it.
        let name = namespace.split('?').next().unwrap_or(namespace);
        let mut socket = Self {
            client,
            namespace: name,
            decoder: Decoder::new(),
            attachments: 0,
            ours: true,
            disconnected: false,
            last_id: 0,
        };
        let joined = with_deadline(deadline, async {
            if name != "/" || !socket.client.server_joins_root() {
                let packet = Packet::connect(auth)?.in_namespace(namespace)?;
                socket.client.send_text_with(|out| packet.encode(out).map(str::len)).await?;
            }
            loop {
                socket.client.ready().await?;
                if let Verdict::Joined = socket.judge()? {
                    return Ok(());
                }
            }
        });
        joined.await.unwrap_or(Err(SocketError::Timeout))?;
        Ok(socket)
    }

    /// Waits for the next event, answer or attachment, and keeps the session alive meanwhile. The returned value borrows
    /// the receive buffer until the next call.
    ///
    /// # Errors
    /// A [`SocketError`].
    pub async fn recv(&mut self) -> Result<Incoming<'_>, SocketError> {
        loop {
            self.client.ready().await?;
            if let Verdict::Deliver = self.judge()? {
                break;
            }
        }
        // Cannot fail: `judge` has just decoded the same message.
        self.incoming().ok_or(SocketError::TooLong)
    }

    /// Emits an event. `args` is a list of JSON values separated by commas, or empty.
    ///
    /// # Errors
    /// [`SocketError::Packet`] if the name is reserved or `args` is not valid JSON. [`SocketError::Send`] if sending
    /// fails. [`SocketError::Disconnected`] if the server has disconnected the client from the namespace.
    pub async fn emit(&mut self, name: &str, args: &str) -> Result<(), SocketError> {
        self.send(Packet::event(name, args)?).await
    }

    /// Emits an event that asks for an answer, and returns the number that [`Incoming::Ack`] will carry.
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn emit_with_ack(&mut self, name: &str, args: &str) -> Result<u64, SocketError> {
        let id = self.last_id.saturating_add(1);
        self.send(Packet::event(name, args)?.with_id(id)?).await?;
        self.last_id = id;
        Ok(id)
    }

    /// Answers the event with the number `id`. `args` is as for [`emit`](Self::emit).
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn ack(&mut self, id: u64, args: &str) -> Result<(), SocketError> {
        self.send(Packet::ack(id, args)?).await
    }

    /// Sends a packet on this namespace. If the packet announces attachments, send each of them next as a binary message
    /// of [`client`](Self::client), with nothing in between.
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn send(&mut self, packet: Packet<'_>) -> Result<(), SocketError> {
        if self.disconnected {
            return Err(SocketError::Disconnected);
        }
        let packet = packet.in_namespace(self.namespace)?;
        self.client.send_text_with(|out| packet.encode(out).map(str::len)).await?;
        Ok(())
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

    /// Decodes the last message and decides what to do with it.
    fn judge(&mut self) -> Result<Verdict, SocketError> {
        let packet = match self.decoder.decode(frame(self.client.last_event())?)? {
            Received::Packet(packet) => packet,
            Received::Attachment { .. } if self.ours => return Ok(Verdict::Deliver),
            Received::Attachment { .. } => return Ok(Verdict::Skip),
        };
        self.attachments = packet.attachments();
        self.ours = packet.namespace() == self.namespace;
        if !self.ours {
            return Ok(Verdict::Skip);
        }
        match packet.body() {
            Body::Connect(_) => Ok(Verdict::Joined),
            Body::ConnectError(_) => Err(SocketError::Refused),
            Body::Disconnect => {
                self.disconnected = true;
                Err(SocketError::Disconnected)
            }
            Body::Event(_) | Body::Ack(_) => Ok(Verdict::Deliver),
        }
    }

    /// Returns the last message as the application receives it.
    fn incoming(&self) -> Option<Incoming<'_>> {
        match frame(self.client.last_event()).ok()? {
            WebSocketMessage::Text(text) => {
                let packet = Packet::decode(text).ok()?;
                let attachments = packet.attachments();
                match packet.body() {
                    Body::Event(event) => Some(Incoming::Event { event, ack: packet.id(), attachments }),
                    Body::Ack(args) => Some(Incoming::Ack { id: packet.id()?, args, attachments }),
                    _ => None,
                }
            }
            WebSocketMessage::Binary(data) => {
                let missing = self.decoder.missing();
                let num = self.attachments.saturating_sub(missing).saturating_sub(1);
                Some(Incoming::Attachment { num, data, last: missing == 0 })
            }
        }
    }
}

/// Returns the server's explanation after [`SocketError::Refused`]: the text of a JSON object with a `message`, the text
/// of a JSON string, or an empty string.
#[must_use]
pub fn refusal<'c, R: Read, W: Write>(client: &'c Client<'_, R, W>) -> &'c str {
    let packet = match frame(client.last_event()) {
        Ok(WebSocketMessage::Text(text)) => Packet::decode(text).ok(),
        _ => None,
    };
    match packet.map(|packet| packet.body()) {
        Some(Body::ConnectError(text)) => text,
        _ => "",
    }
}

fn frame(event: Option<IncomingMessage<'_>>) -> Result<WebSocketMessage<'_>, SocketError> {
    match event {
        Some(IncomingMessage::Whole(Data::Text(text))) => Ok(WebSocketMessage::Text(text)),
        Some(IncomingMessage::Whole(Data::Binary(bytes))) => Ok(WebSocketMessage::Binary(bytes)),
        // Base64 is for peers that cannot do binary, which a WebSocket can.
        _ => Err(SocketError::TooLong),
    }
}
