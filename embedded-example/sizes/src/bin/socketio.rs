//! Holds sessions by the connector and joins a namespace of a Socket.IO server, with events in place of messages.
#![no_std]
#![no_main]

use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Reconnect, State, TcpConnector};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::Watch;
use qemu_mps2::random::Random;
use sizes::{LENT, TCP};
use static_cell::ConstStaticCell;

static STATE: Watch<CriticalSectionRawMutex, State, 1> = Watch::new();

const SERVER: Endpoint<'static> = Endpoint::socketio("server.example:3000");

#[cortex_m_rt::entry]
fn main() -> ! {
    sizes::start(|spawner, stack| {
        spawner.spawn(talk(stack).expect("spawned once"));
        spawner.spawn(tell().expect("spawned once"));
    })
}

#[embassy_executor::task]
async fn talk(stack: Stack<'static>) {
    static RX: ConstStaticCell<[u8; TCP]> = ConstStaticCell::new([0; TCP]);
    static TX: ConstStaticCell<[u8; TCP]> = ConstStaticCell::new([0; TCP]);
    static LENDING: ConstStaticCell<[u8; LENT]> = ConstStaticCell::new([0; LENT]);
    let (rx, tx) = LENDING.take().split_at_mut(LENT / 2);
    let mut random = Random::new(1);
    let mut next = || random.next_u32();
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut next, STATE.dyn_sender());
    let mut connector = TcpConnector::new(stack, "server.example", 3000, RX.take(), TX.take());
    connector
        .run(&mut reconnect, &SERVER, Buffers { rx, tx }, &ClientSettings::DEFAULT, async |client| {
            let _ = sizes::exchange_events(client).await;
            ControlFlow::<()>::Continue(())
        })
        .await;
}

#[embassy_executor::task]
async fn tell() {
    let Some(mut states) = STATE.dyn_receiver() else { return };
    loop {
        let state = states.changed().await;
        #[cfg(feature = "defmt")]
        defmt::info!("{}", state);
        core::hint::black_box(&state);
    }
}
