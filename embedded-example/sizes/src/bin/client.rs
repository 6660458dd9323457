//! Holds one session after another over a TCP socket: Engine.IO 4 over WebSocket.
#![no_std]
#![no_main]

use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::{Buffers, Client, ClientSettings, Endpoint, IncomingMessage};
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use qemu_mps2::random::Random;
use sizes::{LENT, TCP};
use static_cell::ConstStaticCell;

const SERVER: Endpoint<'static> = Endpoint::engineio("server.example:3000");
#[cfg(not(feature = "small"))]
const SETTINGS: ClientSettings = ClientSettings::DEFAULT;
#[cfg(feature = "small")]
const SETTINGS: ClientSettings = ClientSettings {
    protocol: eio_embassy::Protocol::V4_WITHOUT_BASE64,
    long_messages: eio_embassy::LongMessages::REFUSED_WITH_LATE_TEXT_CHECK,
    ..ClientSettings::DEFAULT
};

#[cortex_m_rt::entry]
fn main() -> ! {
    sizes::start(|spawner, stack| spawner.spawn(talk(stack).expect("spawned once")))
}

#[embassy_executor::task]
async fn talk(stack: Stack<'static>) {
    static RX: ConstStaticCell<[u8; TCP]> = ConstStaticCell::new([0; TCP]);
    static TX: ConstStaticCell<[u8; TCP]> = ConstStaticCell::new([0; TCP]);
    static LENDING: ConstStaticCell<[u8; LENT]> = ConstStaticCell::new([0; LENT]);
    let mut socket = TcpSocket::new(stack, RX.take(), TX.take());
    socket.set_nagle_enabled(false);
    let lending = LENDING.take();
    let mut random = Random::new(1);
    loop {
        stack.wait_config_up().await;
        let _ = exchange(stack, &mut socket, lending, &mut || random.next_u32()).await;
        socket.close();
        let _ = with_timeout(Duration::from_secs(2), socket.flush()).await;
        socket.abort();
        Timer::after_secs(1).await;
    }
}

async fn exchange(
    stack: Stack<'static>,
    socket: &mut TcpSocket<'static>,
    lending: &mut [u8; LENT],
    random: &mut dyn FnMut() -> u32,
) -> Option<()> {
    let addresses = stack.dns_query("server.example", DnsQueryType::A).await.ok()?;
    socket.connect(IpEndpoint::new(*addresses.first()?, 3000)).await.ok()?;
    let (reader, writer) = socket.split();
    let (rx, tx) = lending.split_at_mut(LENT / 2);
    let buffers = Buffers { rx, tx };
    let mut client = Client::new(reader, writer, buffers, random, &SETTINGS).ok()?;
    client.connect(&SERVER).await.ok()?;
    loop {
        let byte = match client.recv().await {
            Ok(IncomingMessage::Whole(Data::Binary(bytes))) => *bytes.first()?,
            Ok(_) => continue,
            Err(end) => {
                #[cfg(feature = "defmt")]
                defmt::info!("{}", end);
                let _ = end;
                break;
            }
        };
        defmt::info!("received {=u8}", byte);
        client.send(WebSocketMessage::Binary(&[byte])).await.ok()?;
    }
    client.close().await;
    Some(())
}
