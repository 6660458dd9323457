//! The application over plain Engine.IO: sends readings as JSON, and receives commands as text.

use core::fmt::Write as _;
use core::ops::ControlFlow;

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::ws::{MessageKind, Piece};
use eio_embassy::{Client, IncomingMessage, SendError};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embedded_io_async::{Read, Write};
use heapless::String;

use crate::Sensor;
use crate::client::{AGAIN, Application, STOP};
use crate::command::Command;
use crate::pattern::{Digest, Pattern};

/// The longest text that is sent back.
const LONGEST_ECHO: usize = 256;

/// The request in a message. It borrows nothing, because the answer needs the client, which the message borrows.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the text on")]
enum Request {
    Nothing,
    Execute(Command),
    Echo(String<LONGEST_ECHO>),
    /// Confirm a message.
    Confirm(&'static str, Digest),
}

/// Uses a session until it ends.
pub(crate) async fn talk<R: Read, W: Write, S: Sensor, M: RawMutex>(
    client: &mut Client<'_, R, W>,
    application: &mut Application<'_, S, M>,
) -> ControlFlow<()> {
    let mut incoming = Digest::new();
    loop {
        // The reading comes first, so that a server that always sends does not keep it back.
        let request = match select(application.reading(), client.recv()).await {
            Either::Second(Ok(event)) => interpret(event, &mut incoming),
            Either::Second(Err(_)) => return AGAIN,
            Either::First(reading) => {
                #[cfg(feature = "defmt")]
                defmt::info!("reports {=str}", reading.as_str());
                // A reading that cannot be sent is dropped: the next one is newer. If the session has ended, `recv`
                // returns the error.
                let _ = client.send(WebSocketMessage::Text(&reading)).await;
                Request::Nothing
            }
        };
        #[cfg(feature = "defmt")]
        if let Request::Execute(command) = &request {
            defmt::info!("executes {}", command);
        }
        let _ = match request {
            Request::Nothing => Ok(()),
            Request::Execute(Command::Stop) => return STOP,
            Request::Execute(Command::Lamp(mode)) => {
                application.modes.signal(mode);
                Ok(())
            }
            Request::Execute(Command::Every(period)) => {
                application.set_every(period);
                Ok(())
            }
            Request::Execute(Command::Upload { len, text }) => upload(client, len, text).await,
            Request::Echo(text) => client.send(WebSocketMessage::Text(&text)).await,
            Request::Confirm(kind, digest) => {
                let mut text = String::<64>::new();
                let _ = write!(text, "got {kind} {} {:08x}", digest.len, digest.hash);
                client.send(WebSocketMessage::Text(&text)).await
            }
        };
    }
}

fn interpret(event: IncomingMessage<'_>, incoming: &mut Digest) -> Request {
    match event {
        IncomingMessage::Whole(Data::Text(text)) => {
            if let Some(text) = text.strip_prefix("say ") {
                return String::try_from(text).map_or(Request::Nothing, Request::Echo);
            }
            Command::parse(text).map_or_else(|| confirm("text", text.as_bytes()), Request::Execute)
        }
        IncomingMessage::Whole(Data::Binary(bytes)) => confirm("binary", bytes),
        IncomingMessage::Piece(piece) => {
            if piece.first {
                *incoming = Digest::new();
            }
            incoming.add(piece.bytes);
            let kind = match piece.kind {
                MessageKind::Text => "text",
                MessageKind::Binary => "binary",
            };
            if piece.last { Request::Confirm(kind, *incoming) } else { Request::Nothing }
        }
        _ => Request::Nothing,
    }
}

fn confirm(kind: &'static str, bytes: &[u8]) -> Request {
    let mut digest = Digest::new();
    digest.add(bytes);
    Request::Confirm(kind, digest)
}

/// Sends a long message piece by piece, without having it in memory as a whole.
async fn upload<R: Read, W: Write>(
    client: &mut Client<'_, R, W>,
    len: u32,
    text: bool,
) -> Result<(), SendError> {
    let kind = if text { MessageKind::Text } else { MessageKind::Binary };
    let (mut pattern, mut left, mut first) = (Pattern::new(len), len, true);
    let mut bytes = [0; 256];
    while left > 0 {
        let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= u32::try_from(count).unwrap_or(left);
        let mut rest = &mut bytes[..count];
        for byte in rest.iter_mut() {
            *byte = if text { pattern.next_letter() } else { pattern.next() };
        }
        while !rest.is_empty() {
            let taken = client.send_piece(Piece { kind, bytes: rest, first, last: left == 0 }).await?;
            first = false;
            rest = &mut rest[taken..];
        }
    }
    Ok(())
}
