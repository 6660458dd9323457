//! A session from an ST Nucleo-H743ZI, by the chip's Ethernet controller and a LAN8742A as its PHY.
//!
//! Set [`SERVER`] and [`MAC`] below. `cargo run --release` in this folder flashes the board with probe-rs.
#![no_std]
#![no_main]

mod panic;
mod session;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_stm32::eth::{self, Ethernet, GenericPhy, PacketQueue, Sma};
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::peripherals::{ETH, ETH_SMA, RNG};
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::{bind_interrupts, rcc};
use session::Server;
use static_cell::StaticCell;

/// The server. For Socket.IO or NestJS: `Server::socketio("http://..", "/namespace", r#"{"token":".."}"#)`. Over TLS:
/// `Server::engineio("https://..").pinned(include_bytes!("../server-public.der"))`.
const SERVER: Server = Server::engineio("http://192.168.1.2:3000");
/// A locally administered address. Give each board its own.
const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 2];

bind_interrupts!(struct Interrupts {
    ETH => eth::InterruptHandler;
    RNG => rng::InterruptHandler<RNG>;
});

type Device = Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let mut config = embassy_stm32::Config::default();
    // The clock of the random number generator.
    config.rcc.hsi48 = Some(rcc::Hsi48Config::default());
    let pins = embassy_stm32::init(config);
    let mut random = Rng::new(pins.RNG, Interrupts);

    static PACKETS: StaticCell<PacketQueue<4, 4>> = StaticCell::new();
    let device = Ethernet::new(
        PACKETS.init(PacketQueue::new()),
        pins.ETH,
        Interrupts,
        pins.PA1,
        pins.PA7,
        pins.PC4,
        pins.PC5,
        pins.PG13,
        pins.PB13,
        pins.PG11,
        MAC,
        pins.ETH_SMA,
        pins.PA2,
        pins.PC1,
    );

    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let seed = u64::from(random.next_u32()) << 32 | u64::from(random.next_u32());
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) = embassy_net::new(device, Config::dhcpv4(DhcpConfig::default()), resources, seed);
    let lamp = Output::new(pins.PB0, Level::Low, Speed::Low);
    spawner.spawn(run_stack(runner).expect("spawned once"));
    spawner.spawn(run_session(stack, random).expect("spawned once"));
    spawner.spawn(run_lamp(lamp).expect("spawned once"));
}

#[embassy_executor::task]
async fn run_stack(mut runner: embassy_net::Runner<'static, Device>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_session(stack: Stack<'static>, mut random: Rng<'static, RNG>) -> ! {
    session::run(stack, move || random.next_u32()).await
}

#[embassy_executor::task]
async fn run_lamp(mut lamp: Output<'static>) -> ! {
    session::watch(async |on| lamp.set_level(on.into())).await
}
