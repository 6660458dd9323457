//! Sending binary packets: the text, and then each attachment.

use eio_core::BufferTooSmall;
use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Packet};
use embedded_io_async::{Read, Write};

use super::spliced::encode_before;
use super::state::Gate;
use super::{Socket, SocketError, State};
use crate::link::whole;
use crate::outbox::fill;

impl<R: Read, W: Write, S: State> Socket<'_, '_, R, W, S> {
    /// Emits an event with binary data. Each attachment becomes one more argument, after those in `args`. No attachments
    /// make an ordinary event.
    ///
    /// The event's text must fit into the send buffer; the attachments need not. Heartbeats can go between the
    /// attachments, but nothing else: until the last attachment is in the send buffer, every other call that sends
    /// returns [`SendError::Unfinished`](crate::SendError::Unfinished).
    ///
    /// If the future is dropped, call the method again with the same event: it continues where it stopped. If nothing had
    /// been sent, it begins.
    ///
    /// ```no_run
    /// use eio_embassy::socketio::{Socket, SocketError};
    /// # use embedded_io_async::{Read, Write};
    ///
    /// # async fn example<R: Read, W: Write>(mut socket: Socket<'_, '_, R, W>) -> Result<(), SocketError> {
    /// let (image, thumbnail) = ([0xff; 4_000], [0xff; 100]);
    /// // In JavaScript: socket.on("photo", (camera, image, thumbnail) => ..)
    /// socket.emit_binary("photo", "\"front\"", &[&image, &thumbnail]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit). [`SocketError::Packet`] also if there are more than
    /// [`MAX_ATTACHMENTS`](eio_core::socketio::MAX_ATTACHMENTS) (10). If an attachment is longer than the server
    /// accepts, [`SendError::TooLarge`](crate::SendError::TooLarge), and nothing is sent.
    pub async fn emit_binary(
        &mut self,
        name: &str,
        args: &str,
        attachments: &[&[u8]],
    ) -> Result<(), SocketError> {
        self.send_binary(Packet::event(name, args)?, attachments).await
    }

    /// Emits an event with binary data that asks for an answer. Returns the number that the answer will carry; so does
    /// the call that continues a dropped one.
    ///
    /// # Errors
    /// The same as [`emit_binary`](Self::emit_binary).
    pub async fn emit_binary_with_ack(
        &mut self,
        name: &str,
        args: &str,
        attachments: &[&[u8]],
    ) -> Result<u64, SocketError> {
        let packet = Packet::event(name, args)?;
        self.send_all(packet, true, attachments).await?;
        Ok(*self.state.last_id())
    }

    /// Answers the event with the number `id`, with binary data. `args` and `attachments` are as for
    /// [`emit_binary`](Self::emit_binary).
    ///
    /// # Errors
    /// The same as [`emit_binary`](Self::emit_binary).
    pub async fn ack_binary(
        &mut self,
        id: u64,
        args: &str,
        attachments: &[&[u8]],
    ) -> Result<(), SocketError> {
        self.send_binary(Packet::ack(id, args)?, attachments).await
    }

    /// Sends a packet with its attachments, as [`emit_binary`](Self::emit_binary) does.
    ///
    /// If the packet announces attachments ([`Packet::with_attachments`]), its own placeholders say where they belong, and
    /// there must be as many as it announces. If it announces none, they become its last arguments.
    ///
    /// # Errors
    /// The same as [`emit_binary`](Self::emit_binary). [`SocketError::WrongAttachments`] if the packet announces another
    /// number.
    pub async fn send_binary(
        &mut self,
        packet: Packet<'_>,
        attachments: &[&[u8]],
    ) -> Result<(), SocketError> {
        self.send_all(packet, false, attachments).await
    }

    /// Sends a packet and its attachments, or the rest of them if an earlier call was dropped. `asks` gives the packet the
    /// next number, so that it is answered.
    async fn send_all(
        &mut self,
        packet: Packet<'_>,
        asks: bool,
        attachments: &[&[u8]],
    ) -> Result<(), SocketError> {
        let count = u8::try_from(attachments.len()).unwrap_or(u8::MAX);
        let gate = *self.state.gate();
        let mut owed = match gate {
            Gate::Owing { announced, owed } if announced == count && self.state.owes_rest() => owed,
            _ => {
                gate.check()?;
                for attachment in attachments {
                    self.client.link.state.check_message(whole(WebSocketMessage::Binary(attachment)))?;
                }
                let (packet, appended) = announce(packet.in_namespace(self.namespace)?, count)?;
                let id = self.state.last_id().saturating_add(1);
                let packet = if asks { packet.with_id(id)? } else { packet };
                self.client.send_text_with(|out| encode(&packet, appended, out)).await?;
                if asks {
                    *self.state.last_id() = id;
                }
                count
            }
        };
        let sent = usize::from(count.saturating_sub(owed));
        for attachment in attachments.iter().skip(sent) {
            *self.state.gate() = Gate::Owing { announced: count, owed };
            self.client.send(WebSocketMessage::Binary(attachment)).await?;
            owed = owed.saturating_sub(1);
        }
        *self.state.gate() = Gate::Open;
        Ok(())
    }
}

/// Returns the packet with its attachments announced, and how many placeholders are to be appended to it.
fn announce(packet: Packet<'_>, count: u8) -> Result<(Packet<'_>, u8), SocketError> {
    match packet.attachments() {
        0 => Ok((packet.with_attachments(count.into())?, count)),
        announced if announced == count.into() => Ok((packet, 0)),
        announced => Err(SocketError::WrongAttachments { announced }),
    }
}

/// Writes the packet's text with placeholders for `appended` attachments as its last arguments.
fn encode(packet: &Packet<'_>, appended: u8, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let bare = matches!(packet.body(), Body::Ack(args) if args.is_empty());
    // The comma before the first argument.
    let skipped = usize::from(bare && appended > 0);
    let added = PLACEHOLDER.saturating_mul(appended.into()).saturating_sub(skipped);
    let len = encode_before(packet, added, out)?;
    // The last bracket moves behind the placeholders.
    let mut slots = out.iter_mut().skip(len.saturating_sub(1));
    let mut before = BEFORE_NUM.get(skipped..).unwrap_or_default();
    for num in b"0123456789".iter().take(appended.into()) {
        fill(&mut slots, before);
        fill(&mut slots, core::slice::from_ref(num));
        fill(&mut slots, AFTER_NUM);
        before = BEFORE_NUM;
    }
    fill(&mut slots, b"]");
    Ok(len.saturating_add(added))
}

const BEFORE_NUM: &[u8] = b",{\"_placeholder\":true,\"num\":";
const AFTER_NUM: &[u8] = b"}";
/// The length of a placeholder and of the comma before it.
const PLACEHOLDER: usize = BEFORE_NUM.len() + 1 + AFTER_NUM.len();
