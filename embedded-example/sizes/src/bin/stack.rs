//! Resolves the server's name, and sends and receives bytes over TCP: an application without a session.
#![no_std]
#![no_main]

use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use sizes::TCP;
use static_cell::ConstStaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    sizes::start(|spawner, stack| spawner.spawn(talk(stack).expect("spawned once")))
}

#[embassy_executor::task]
async fn talk(stack: Stack<'static>) {
    static RX: ConstStaticCell<[u8; TCP]> = ConstStaticCell::new([0; TCP]);
    static TX: ConstStaticCell<[u8; TCP]> = ConstStaticCell::new([0; TCP]);
    let mut socket = TcpSocket::new(stack, RX.take(), TX.take());
    socket.set_nagle_enabled(false);
    loop {
        stack.wait_config_up().await;
        let _ = exchange(stack, &mut socket).await;
        socket.close();
        let _ = with_timeout(Duration::from_secs(2), socket.flush()).await;
        socket.abort();
        Timer::after_secs(1).await;
    }
}

async fn exchange(stack: Stack<'static>, socket: &mut TcpSocket<'static>) -> Option<()> {
    let addresses = stack.dns_query("server.example", DnsQueryType::A).await.ok()?;
    socket.connect(IpEndpoint::new(*addresses.first()?, 3000)).await.ok()?;
    let (mut reader, mut writer) = socket.split();
    let mut byte = [0];
    while let Ok(1..) = with_timeout(Duration::from_secs(45), reader.read(&mut byte)).await.ok()? {
        defmt::info!("received {=u8}", byte[0]);
        writer.write(&byte).await.ok()?;
    }
    Some(())
}
