//! Does the same as the image before over TLS, with a server whose public key is pinned.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_embassy::tls::{PinnedKeys, PublicKey, RecordBuffers, TlsConnector};
use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Reconnect, State, TcpConnector};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::Watch;
use qemu_mps2::random::Random;
use sizes::{LENT, TCP};
use static_cell::ConstStaticCell;

const SERVER: Endpoint<'static> = Endpoint { secure: true, ..Endpoint::socketio("server.example:3000") };

static STATE: Watch<CriticalSectionRawMutex, State, 1> = Watch::new();

/// The generator of the curve: a public key whose private half is 1.
const KEY: PublicKey = match PublicKey::from_der(
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\
      \x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
      \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5",
) {
    Ok(key) => key,
    Err(_) => panic!("a key on P-256"),
};

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
    static RECEIVED: ConstStaticCell<[u8; 1285]> = ConstStaticCell::new([0; 1285]);
    static SENT: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
    let (rx, tx) = LENDING.take().split_at_mut(LENT / 2);
    let random = RefCell::new(Random::new(1));
    let (mut for_tls, mut for_sessions) =
        (|| random.borrow_mut().next_u32(), || random.borrow_mut().next_u32());
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut for_sessions, STATE.dyn_sender());
    let tcp = TcpConnector::new(stack, "server.example", 3000, RX.take(), TX.take());
    let (keys, records) = ([KEY], RecordBuffers { received: RECEIVED.take(), sent: SENT.take() });
    let mut connector =
        TlsConnector::new(tcp, "server.example", PinnedKeys::new(&keys), records, &mut for_tls);
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
