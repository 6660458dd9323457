//! The application over Socket.IO: sends readings and answers as events, and receives and acknowledges commands as
//! events.

use core::ops::ControlFlow;
use core::time::Duration;

use eio_embassy::Client;
use eio_embassy::socketio::{Incoming, Recovery, Socket, SocketError};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embedded_io_async::{Read, Write};
use heapless::String;

use crate::Sensor;
use crate::client::{AGAIN, Application, STOP};
use crate::command::Command;
use crate::pattern::Pattern;

/// How long the server may take to accept the board into the namespace.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest JSON that is sent back.
const LONGEST_ECHO: usize = 256;
/// The longest attachment that is sent. It is longer than the send buffer.
const LONGEST_UPLOAD: usize = 600;

/// The request in an event. It borrows nothing, because the answer needs the socket, which the event borrows.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the text on")]
enum Request {
    Nothing,
    Execute(Command),
    Echo(String<LONGEST_ECHO>),
}

/// Uses a session until it ends or the server disconnects the board from the namespace. Another session follows in both
/// cases. If the server recovers connections, it then sends the commands that the board has missed.
pub(crate) async fn talk<R: Read, W: Write, S: Sensor, M: RawMutex>(
    client: &mut Client<'_, R, W>,
    namespace: &str,
    auth: &str,
    recovery: &mut Recovery,
    application: &mut Application<'_, S, M>,
) -> ControlFlow<()> {
    let joined = Socket::join_with_recovery(client, namespace, auth, recovery, JOIN_TIMEOUT);
    let Ok(mut socket) = joined.await else { return AGAIN };
    // Announces the commands. The server's acknowledgement is ignored.
    let _ = socket.emit_with_ack("hello", r#"{"commands":["lamp","every","say","upload","stop"]}"#).await;
    loop {
        // The reading comes first, as over Engine.IO.
        let (request, ack) = match select(application.reading(), socket.recv()).await {
            Either::Second(Ok(incoming)) => interpret(incoming),
            // An event that is too long for the board is passed over, unless it has attachments.
            Either::Second(Err(SocketError::TooLong)) => continue,
            Either::Second(Err(_)) => return AGAIN,
            Either::First(reading) => {
                #[cfg(feature = "defmt")]
                defmt::info!("reports {=str}", reading.as_str());
                let _ = socket.emit("reading", &reading).await;
                (Request::Nothing, None)
            }
        };
        #[cfg(feature = "defmt")]
        if let Request::Execute(command) = &request {
            defmt::info!("executes {}", command);
        }
        let done: Result<(), SocketError> = match request {
            Request::Nothing => Ok(()),
            Request::Execute(Command::Upload { len, .. }) => {
                let mut bytes = [0; LONGEST_UPLOAD];
                let mut pattern = Pattern::new(len);
                bytes.fill_with(|| pattern.next());
                let len = usize::try_from(len).unwrap_or(LONGEST_UPLOAD).min(LONGEST_UPLOAD);
                socket.emit_binary("uploaded", "", &[&bytes[..len]]).await
            }
            Request::Execute(Command::Stop) => return STOP,
            Request::Execute(Command::Lamp(mode)) => {
                application.modes.signal(mode);
                Ok(())
            }
            Request::Execute(Command::Every(period)) => {
                application.set_every(period);
                Ok(())
            }
            Request::Echo(json) => socket.emit("said", &json).await,
        };
        if let Some(id) = ack {
            let _ = socket.ack(id, if done.is_ok() { "\"done\"" } else { "\"failed\"" }).await;
        }
    }
}

fn interpret(incoming: Incoming<'_>) -> (Request, Option<u64>) {
    #[cfg(feature = "defmt")]
    if let Incoming::Connected { recovered } = incoming {
        defmt::info!("joined recovered={=bool}", recovered);
    }
    let Incoming::Event { event, ack, .. } = incoming else { return (Request::Nothing, None) };
    let request = if event.is("say") {
        String::try_from(event.args().as_str()).map_or(Request::Nothing, Request::Echo)
    } else {
        let object = event.args().iter().next().unwrap_or_default();
        let known = ["lamp", "every", "upload", "stop"].into_iter().find(|verb| event.is(verb));
        known.and_then(|verb| Command::read(verb, object)).map_or(Request::Nothing, Request::Execute)
    };
    (request, ack)
}
