//! Holds one session over a stream that logs every byte, so that the host can replay it. It is also the shortest program
//! that holds a session: it works with any stream, and does not reconnect.
//!
//! Argument: `port`, the TCP port of a server on the host that runs QEMU.
#![no_std]
#![no_main]

use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::{Buffers, Client, ClientSettings, Endpoint, IncomingMessage};
use embassy_net::tcp::TcpSocket;
use embassy_net::{Ipv4Address, Stack};
use embassy_time::Timer;
use heapless::String;
use qemu_mps2::arguments::Arguments;
use qemu_mps2::random::Random;
use qemu_mps2::recorder::Recorder;
use qemu_mps2::{clock, executor, fault, network};
use static_cell::ConstStaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    clock::start();
    let port = Arguments::read().number("port").unwrap_or(3000);
    let (stack, runner) = network::start(1);
    executor::run(|spawner| match (network::run(runner), network::keep_qemu_awake(), session(stack, port)) {
        (Ok(run), Ok(awake), Ok(session)) => {
            spawner.spawn(run);
            spawner.spawn(awake);
            spawner.spawn(session);
        }
        _ => fault::exit(fault::FAILED),
    })
}

#[embassy_executor::task]
async fn session(stack: Stack<'static>, port: u16) {
    static TCP: ConstStaticCell<[[u8; 1024]; 2]> = ConstStaticCell::new([[0; 1024]; 2]);
    static LENT: ConstStaticCell<[[u8; 512]; 2]> = ConstStaticCell::new([[0; 512]; 2]);
    let [tcp_rx, tcp_tx] = TCP.take();
    let [rx, tx] = LENT.take();
    stack.wait_config_up().await;
    let mut socket = TcpSocket::new(stack, tcp_rx, tcp_tx);
    socket.set_nagle_enabled(false);
    if socket.connect((Ipv4Address::new(10, 0, 2, 2), port)).await.is_err() {
        defmt::error!("no connection");
        fault::exit(fault::FAILED);
    }
    let (reader, writer) = socket.split();
    let mut random = Random::new(1);
    let mut next = || random.next_u32();
    let endpoint = Endpoint::engineio("10.0.2.2");
    defmt::info!("begin");
    let buffers = Buffers { rx, tx };
    let client =
        Client::new(Recorder(reader), Recorder(writer), buffers, &mut next, &ClientSettings::DEFAULT);
    let mut client = client.expect("buffers of a length that does");
    if client.connect(&endpoint).await.is_err() {
        defmt::error!("no session");
        fault::exit(fault::FAILED)
    }
    let end = loop {
        let mut answer = String::<64>::new();
        match client.recv().await {
            Ok(IncomingMessage::Whole(Data::Text(text))) => _ = answer.push_str(text),
            Ok(_) => continue,
            Err(end) => break end,
        }
        let _ = client.send(WebSocketMessage::Text(&answer)).await;
    };
    defmt::info!(
        "end silent_us={} reason={=str}",
        qemu_mps2::judge::micros(end.silent_for),
        end.reason.as_str()
    );
    Timer::after_millis(10).await;
    fault::exit(0);
}
