//! The application over Socket.IO: readings and answers are events, commands come as events and are acknowledged.

use core::ops::ControlFlow;
use core::time::Duration;

use eio_embassy::TcpClient;
use eio_embassy::socketio::{Incoming, Socket, SocketError};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;

use crate::Sensor;
use crate::client::{AGAIN, Desk, STOP};
use crate::command::Command;

/// How long the server may take to let the board into the namespace.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest JSON that is sent back.
const LONGEST_SAYING: usize = 256;

/// What an event asks for, borrowing nothing.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the text on")]
enum Wish {
    Nothing,
    Obey(Command),
    SayAgain(String<LONGEST_SAYING>),
}

/// Uses a session until it ends, or the server sends the board away: both lead to the next session.
pub(crate) async fn talk<S: Sensor, M: RawMutex>(
    client: &mut TcpClient<'_>,
    namespace: &str,
    auth: &str,
    desk: &mut Desk<'_, S, M>,
) -> ControlFlow<()> {
    let Ok(mut socket) = Socket::join(client, namespace, auth, JOIN_TIMEOUT).await else { return AGAIN };
    // Says what it can do; the answer needs no attention.
    let _ = socket.emit_with_ack("hello", r#"{"commands":["lamp","every","say","stop"]}"#).await;
    loop {
        let (wish, ack) = match select(socket.recv(), desk.reading()).await {
            Either::First(Ok(incoming)) => understand(incoming),
            Either::First(Err(_)) => return AGAIN,
            Either::Second(reading) => {
                #[cfg(feature = "defmt")]
                defmt::info!("reports {=str}", reading.as_str());
                let _ = socket.emit("reading", &reading).await;
                (Wish::Nothing, None)
            }
        };
        #[cfg(feature = "defmt")]
        if let Wish::Obey(command) = &wish {
            defmt::info!("obeys {}", command);
        }
        let done: Result<(), SocketError> = match wish {
            // An upload is for the plain protocol, where a message can be streamed.
            Wish::Nothing | Wish::Obey(Command::Upload { .. }) => Ok(()),
            Wish::Obey(Command::Stop) => return STOP,
            Wish::Obey(Command::Lamp(mode)) => {
                desk.modes.signal(mode);
                Ok(())
            }
            Wish::Obey(Command::Every(period)) => {
                desk.set_every(period);
                Ok(())
            }
            Wish::SayAgain(json) => socket.emit("said", &json).await,
        };
        if let Some(id) = ack {
            let _ = socket.ack(id, if done.is_ok() { "\"done\"" } else { "\"failed\"" }).await;
        }
    }
}

fn understand(incoming: Incoming<'_>) -> (Wish, Option<u64>) {
    let Incoming::Event { event, ack, .. } = incoming else { return (Wish::Nothing, None) };
    let wish = if event.is("say") {
        String::try_from(event.args().as_str()).map_or(Wish::Nothing, Wish::SayAgain)
    } else {
        let object = event.args().iter().next().unwrap_or_default();
        let known = ["lamp", "every", "stop"].into_iter().find(|verb| event.is(verb));
        known.and_then(|verb| Command::read(verb, object)).map_or(Wish::Nothing, Wish::Obey)
    };
    (wish, ack)
}
