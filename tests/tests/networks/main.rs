//! The client for boards over other networks than Ethernet, with our server: a serial line that speaks PPP, and the sockets
//! of the standard library by edge-nal's traits.

mod edge;
mod serial;
mod server;

#[allow(dead_code, reason = "its main function")]
#[path = "../../../embassy-adapter/examples/ppp.rs"]
mod ppp;

use core::ops::ControlFlow;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::{Client, IncomingMessage, Loss, State};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Receiver;
use embassy_time::{Timer, with_timeout};
use embedded_io_async::{Read, Write};

/// Much longer than anything takes here.
const PATIENCE: embassy_time::Duration = embassy_time::Duration::from_secs(60);

/// What a test sees of a board's connection.
type States<'w> = Receiver<'w, NoopRawMutex, State, 1>;

/// The clock of the boards is one for the whole program, so one test runs at a time.
fn clock() -> MutexGuard<'static, ()> {
    static CLOCK: Mutex<()> = Mutex::new(());
    CLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every session of a board does: it says hello and takes the echo, and then whatever comes.
async fn greet<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> ControlFlow<()> {
    let said = client.send(WebSocketMessage::Text("hello")).await;
    if said.is_ok() && matches!(client.recv().await, Ok(message) if message == text("hello")) {
        while client.recv().await.is_ok() {}
    }
    ControlFlow::Continue(())
}

fn text(text: &str) -> IncomingMessage<'_> {
    IncomingMessage::Whole(Data::Text(text))
}

/// Waits until a session is open, and returns when that was, in milliseconds.
async fn open(states: &mut States<'_>) -> u64 {
    let open = states.changed_and(|state| matches!(state, State::Open { .. }));
    match with_timeout(PATIENCE, open).await {
        Ok(State::Open { since, .. }) => since.as_millis(),
        other => panic!("no session: {other:?}, but {:?}", states.try_get()),
    }
}

/// Waits until the board waits for the next attempt, and returns why.
async fn lost(states: &mut States<'_>) -> Loss {
    let waiting = states.changed_and(|state| matches!(state, State::Waiting { .. }));
    match with_timeout(PATIENCE, waiting).await {
        Ok(State::Waiting { after, .. }) => after,
        other => panic!("nothing is lost: {other:?}, but {:?}", states.try_get()),
    }
}

/// Lets several heartbeats pass. The session stays the same.
async fn live(states: &mut States<'_>, opened: u64) {
    Timer::after(embassy_time::Duration::from_millis(u64::try_from(LIFE.as_millis()).unwrap())).await;
    match states.try_get() {
        Some(State::Open { since, .. }) => assert_eq!(since.as_millis(), opened),
        other => panic!("the session has not lived: {other:?}"),
    }
}

/// How long a session lives before something happens to it: three heartbeats.
const LIFE: Duration = Duration::from_millis(2_500);
