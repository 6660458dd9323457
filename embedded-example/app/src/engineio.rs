//! The application over plain Engine.IO: readings as JSON, commands as words.

use core::fmt::Write as _;
use core::ops::ControlFlow;

use eio_core::packet::{Data, Frame};
use eio_core::ws::{MessageKind, Piece};
use eio_embassy::{Event, SendError, TcpClient};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;

use crate::Sensor;
use crate::client::{AGAIN, Desk, STOP};
use crate::command::Command;
use crate::pattern::{Digest, Pattern};

/// The longest text that is sent back.
const LONGEST_SAYING: usize = 256;

/// What a message asks for. It borrows nothing, because the answer needs the client that the message is in.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the text on")]
enum Wish {
    Nothing,
    Obey(Command),
    SayAgain(String<LONGEST_SAYING>),
    /// A long message is here.
    Confirm(&'static str, Digest),
}

/// Uses a session until it ends.
pub(crate) async fn talk<S: Sensor, M: RawMutex>(
    client: &mut TcpClient<'_>,
    desk: &mut Desk<'_, S, M>,
) -> ControlFlow<()> {
    let mut incoming = Digest::new();
    loop {
        let wish = match select(client.recv(), desk.reading()).await {
            Either::First(Ok(event)) => understand(event, &mut incoming),
            Either::First(Err(_)) => return AGAIN,
            Either::Second(reading) => {
                #[cfg(feature = "defmt")]
                defmt::info!("reports {=str}", reading.as_str());
                // What cannot be sent is not kept: the next reading is newer. If the session has ended, `recv` says so.
                let _ = client.send(Frame::Text(&reading)).await;
                Wish::Nothing
            }
        };
        #[cfg(feature = "defmt")]
        if let Wish::Obey(command) = &wish {
            defmt::info!("obeys {}", command);
        }
        let _ = match wish {
            Wish::Nothing => Ok(()),
            Wish::Obey(Command::Stop) => return STOP,
            Wish::Obey(Command::Lamp(mode)) => {
                desk.modes.signal(mode);
                Ok(())
            }
            Wish::Obey(Command::Every(period)) => {
                desk.set_every(period);
                Ok(())
            }
            Wish::Obey(Command::Upload { len, text }) => upload(client, len, text).await,
            Wish::SayAgain(text) => client.send(Frame::Text(&text)).await,
            Wish::Confirm(kind, digest) => {
                let mut text = String::<64>::new();
                let _ = write!(text, "got {kind} {} {:08x}", digest.len, digest.hash);
                client.send(Frame::Text(&text)).await
            }
        };
    }
}

fn understand(event: Event<'_>, incoming: &mut Digest) -> Wish {
    match event {
        Event::Message(Data::Text(text)) => {
            if let Some(saying) = text.strip_prefix("say ") {
                return String::try_from(saying).map_or(Wish::Nothing, Wish::SayAgain);
            }
            Command::parse(text).map_or_else(|| confirm("text", text.as_bytes()), Wish::Obey)
        }
        Event::Message(Data::Binary(bytes)) => confirm("binary", bytes),
        Event::Piece(piece) => {
            if piece.first {
                *incoming = Digest::new();
            }
            incoming.add(piece.bytes);
            let kind = match piece.kind {
                MessageKind::Text => "text",
                MessageKind::Binary => "binary",
            };
            if piece.last { Wish::Confirm(kind, *incoming) } else { Wish::Nothing }
        }
        _ => Wish::Nothing,
    }
}

fn confirm(kind: &'static str, bytes: &[u8]) -> Wish {
    let mut digest = Digest::new();
    digest.add(bytes);
    Wish::Confirm(kind, digest)
}

/// Sends a long message that is nowhere in memory.
async fn upload(client: &mut TcpClient<'_>, len: u32, text: bool) -> Result<(), SendError> {
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
