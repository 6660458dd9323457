//! Socket.IO on top of a session: one namespace, events and acknowledgements.
//!
//! For stock Socket.IO 3 and 4 servers and NestJS gateways. JSON stays text: the application writes and reads it with
//! what it has, say `serde-json-core`, or `write!` and `str::parse` for a number. Nothing of this module is in an
//! image that does not use it.
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

use eio_core::packet::{Data, Frame};
use eio_core::session::Disconnect;
use eio_core::socketio::{Args, Body, Decoder, Event, Packet, PacketError, Received};
use embassy_time::with_deadline;
use embedded_io_async::{Read, Write};

use crate::{Client, Event as ClientEvent, SendError, clock};

/// What came in on the namespace.
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
        /// What [`Socket::emit_with_ack`] returned for that event.
        id: u64,
        /// The answer.
        args: Args<'a>,
        /// How many [`Attachment`](Self::Attachment)s follow before anything else.
        attachments: u32,
    },
    /// Binary data of the event or answer before.
    Attachment {
        /// Its number: the one that its placeholder carries.
        num: u32,
        /// Its bytes.
        data: &'a [u8],
        /// Whether the event or answer is complete now.
        last: bool,
    },
}

/// Why nothing more comes in on the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketError {
    /// The session ended.
    #[error(transparent)]
    Session(Disconnect),
    /// The server refuses the namespace; [`refusal`] has its words.
    #[error("the server refused the namespace")]
    Refused,
    /// The server did not answer in time.
    #[error("the server did not answer the request to join in time")]
    Timeout,
    /// The server disconnected the client from the namespace. The reference client does not connect again by itself
    /// then: the server wanted it to go.
    #[error("disconnected by the server")]
    Disconnected,
    /// The server sent something that is no packet. The reference client ends the session then.
    #[error("parse error: {0}")]
    Packet(#[from] PacketError),
    /// A packet longer than the receive buffer came in pieces
    /// ([`Settings::long_messages`](crate::Settings::long_messages)): nobody can read it.
    #[error("a packet longer than the receive buffer")]
    TooLong,
    /// What was to be sent was not.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<Disconnect> for SocketError {
    fn from(end: Disconnect) -> Self {
        Self::Session(end)
    }
}

/// A client that has joined a namespace.
///
/// Its futures may be dropped as those of the [`Client`] that it borrows. Dropping the socket leaves the session open,
/// and the namespace joined; [`leave`](Self::leave) leaves it.
pub struct Socket<'c, 'b, R, W> {
    client: &'c mut Client<'b, R, W>,
    namespace: &'c str,
    decoder: Decoder,
    /// How many attachments the last packet announced, and whether they are for this namespace.
    attachments: u32,
    ours: bool,
    /// Whether the server has thrown the client out of the namespace.
    expelled: bool,
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

/// What a message means to a socket.
enum Verdict {
    /// It is for the application.
    Deliver,
    /// The server has accepted the client.
    Joined,
    /// For another namespace.
    Skip,
}

impl<'c, 'b, R: Read, W: Write> Socket<'c, 'b, R, W> {
    /// Joins a namespace (`/` is the main one), with `auth`: the text of a JSON object, or empty. Waits for the answer
    /// for at most `timeout`.
    ///
    /// A client may join a namespace once: a second request for it makes the server end the session. If the future is
    /// dropped, the request may have been sent: close the session.
    ///
    /// In revision 3 the server joins clients to `/` by itself; `auth` does not reach it.
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn join(
        client: &'c mut Client<'b, R, W>,
        namespace: &'c str,
        auth: &str,
        timeout: Duration,
    ) -> Result<Self, SocketError> {
        let deadline = clock::not_before(clock::now().saturating_add(timeout));
        // A query belongs to the request alone.
        let name = namespace.split('?').next().unwrap_or(namespace);
        let mut socket = Self {
            client,
            namespace: name,
            decoder: Decoder::new(),
            attachments: 0,
            ours: true,
            expelled: false,
            last_id: 0,
        };
        let joined = with_deadline(deadline, async {
            if name != "/" || !socket.client.joins_by_itself() {
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

    /// Waits for the next event, answer or attachment, and keeps the session alive meanwhile. What it returns borrows
    /// the receive buffer until the next call.
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn recv(&mut self) -> Result<Incoming<'_>, SocketError> {
        loop {
            self.client.ready().await?;
            if let Verdict::Deliver = self.judge()? {
                break;
            }
        }
        // It was judged a moment ago: nothing of this fails now.
        self.incoming().ok_or(SocketError::TooLong)
    }

    /// Emits an event: `args` holds JSON values with commas between them, or nothing.
    ///
    /// # Errors
    /// [`SocketError::Packet`] if the name is reserved or `args` is no JSON, [`SocketError::Send`].
    pub async fn emit(&mut self, name: &str, args: &str) -> Result<(), SocketError> {
        self.send(Packet::event(name, args)?).await
    }

    /// Emits an event that asks for an answer, and returns the number that [`Incoming::Ack`] will carry.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub async fn emit_with_ack(&mut self, name: &str, args: &str) -> Result<u64, SocketError> {
        let id = self.last_id.saturating_add(1);
        self.send(Packet::event(name, args)?.with_id(id)?).await?;
        self.last_id = id;
        Ok(id)
    }

    /// Answers the event with this number.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub async fn ack(&mut self, id: u64, args: &str) -> Result<(), SocketError> {
        self.send(Packet::ack(id, args)?).await
    }

    /// Sends a packet on this namespace. One with attachments is to be followed by as many binary messages of
    /// [`client`](Self::client), and nothing between them.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub async fn send(&mut self, packet: Packet<'_>) -> Result<(), SocketError> {
        if self.expelled {
            return Err(SocketError::Disconnected);
        }
        let packet = packet.in_namespace(self.namespace)?;
        self.client.send_text_with(|out| packet.encode(out).map(str::len)).await?;
        Ok(())
    }

    /// Leaves the namespace. The session stays open; a server closes one that joins nothing again.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub async fn leave(mut self) -> Result<(), SocketError> {
        self.send(Packet::disconnect()).await
    }

    /// The session.
    pub fn client(&mut self) -> &mut Client<'b, R, W> {
        self.client
    }

    /// Looks at the message that has come.
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
                self.expelled = true;
                Err(SocketError::Disconnected)
            }
            Body::Event(_) | Body::Ack(_) => Ok(Verdict::Deliver),
        }
    }

    /// The message that was judged.
    fn incoming(&self) -> Option<Incoming<'_>> {
        match frame(self.client.last_event()).ok()? {
            Frame::Text(text) => {
                let packet = Packet::decode(text).ok()?;
                let attachments = packet.attachments();
                match packet.body() {
                    Body::Event(event) => Some(Incoming::Event { event, ack: packet.id(), attachments }),
                    Body::Ack(args) => Some(Incoming::Ack { id: packet.id()?, args, attachments }),
                    _ => None,
                }
            }
            Frame::Binary(data) => {
                let missing = self.decoder.missing();
                let num = self.attachments.saturating_sub(missing).saturating_sub(1);
                Some(Incoming::Attachment { num, data, last: missing == 0 })
            }
        }
    }
}

/// Why the server refused the namespace, after [`SocketError::Refused`]: the text of a JSON object with a `message`, or
/// of a string, or nothing.
#[must_use]
pub fn refusal<'c, R: Read, W: Write>(client: &'c Client<'_, R, W>) -> &'c str {
    let packet = match frame(client.last_event()) {
        Ok(Frame::Text(text)) => Packet::decode(text).ok(),
        _ => None,
    };
    match packet.map(|packet| packet.body()) {
        Some(Body::ConnectError(text)) => text,
        _ => "",
    }
}

fn frame(event: Option<ClientEvent<'_>>) -> Result<Frame<'_>, SocketError> {
    match event {
        Some(ClientEvent::Message(Data::Text(text))) => Ok(Frame::Text(text)),
        Some(ClientEvent::Message(Data::Binary(bytes))) => Ok(Frame::Binary(bytes)),
        // Base64 is for peers that cannot do binary, which a WebSocket can.
        _ => Err(SocketError::TooLong),
    }
}
