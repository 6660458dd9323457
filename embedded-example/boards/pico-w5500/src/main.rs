//! A session from a Raspberry Pi Pico with a W5500 Ethernet module, wired like the W5500-EVB-Pico.
//!
//! | W5500 | Pico |
//! |---|---|
//! | SCK, MOSI, MISO, CS | GPIO 18, 19, 16, 17 (SPI 0) |
//! | INT, RST | GPIO 21, 20 |
//!
//! Set [`SERVER`] and [`MAC`] below. `cargo run --release` in this folder flashes the board with probe-rs.
#![no_std]
#![no_main]

mod panic;
mod session;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_net_wiznet::chip::W5500;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, SPI0};
use embassy_rp::spi::{self, Async, Spi};
use embassy_rp::{bind_interrupts, dma, pac};
use embassy_time::{Delay, Duration, Timer, block_for};
use embedded_hal_bus::spi::ExclusiveDevice;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use session::Server;
use sha2::{Digest as _, Sha256};
use static_cell::StaticCell;

/// The server. For Socket.IO or NestJS: `Server::socketio("http://..", "/namespace", r#"{"token":".."}"#)`. Over TLS:
/// `Server::engineio("https://..").pinned(include_bytes!("../server-public.der"))`.
const SERVER: Server = Server::engineio("http://192.168.1.2:3000");
/// A locally administered address. Give each board its own.
const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// The delay before the board looks again for a W5500 that does not answer.
const LOOK_AGAIN_SECONDS: u64 = 5;

bind_interrupts!(struct Interrupts {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
});

type EthernetSpi = ExclusiveDevice<Spi<'static, SPI0, Async>, Output<'static>, Delay>;
type EthernetRunner =
    embassy_net_wiznet::Runner<'static, W5500, EthernetSpi, Input<'static>, Output<'static>>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let pins = embassy_rp::init(embassy_rp::config::Config::default());
    let mut random = seeded_generator();

    let mut config = spi::Config::default();
    config.frequency = 30_000_000;
    let bus = Spi::new(
        pins.SPI0,
        pins.PIN_18,
        pins.PIN_19,
        pins.PIN_16,
        pins.DMA_CH0,
        pins.DMA_CH1,
        Interrupts,
        config,
    );
    let select = Output::new(pins.PIN_17, Level::High);
    let spi = ExclusiveDevice::new(bus, select, Delay).expect("the pin goes high");
    static ETHERNET: StaticCell<embassy_net_wiznet::State<4, 4>> = StaticCell::new();
    let ethernet = embassy_net_wiznet::new(
        MAC,
        ETHERNET.init(embassy_net_wiznet::State::new()),
        spi,
        Input::new(pins.PIN_21, Pull::Up),
        Output::new(pins.PIN_20, Level::High),
    )
    .await;
    let Ok((device, ethernet)) = ethernet else {
        defmt::error!("the W5500 does not answer");
        Timer::after_secs(LOOK_AGAIN_SECONDS).await;
        // The driver has taken the pins, which come back with a new start.
        panic::start_again();
    };

    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let (stack, runner) = embassy_net::new(
        device,
        Config::dhcpv4(DhcpConfig::default()),
        RESOURCES.init(StackResources::new()),
        random.next_u64(),
    );
    spawner.spawn(run_ethernet(ethernet).expect("spawned once"));
    spawner.spawn(run_stack(runner).expect("spawned once"));
    spawner.spawn(run_session(stack, random).expect("spawned once"));
    spawner.spawn(run_lamp(Output::new(pins.PIN_25, Level::Low)).expect("spawned once"));
}

#[embassy_executor::task]
async fn run_ethernet(runner: EthernetRunner) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_stack(mut runner: embassy_net::Runner<'static, embassy_net_wiznet::Device<'static>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_session(stack: Stack<'static>, mut random: ChaCha20Rng) -> ! {
    session::run(stack, move || random.next_u32()).await
}

#[embassy_executor::task]
async fn run_lamp(mut lamp: Output<'static>) -> ! {
    session::watch(async |on| lamp.set_level(on.into())).await
}

/// Returns a generator for cryptography. Its seed is made of 2,048 samples of the ring oscillator, taken 10 µs apart as
/// Raspberry Pi's SDK takes them, because two that follow each other closely are alike.
fn seeded_generator() -> ChaCha20Rng {
    let mut samples = [0_u8; 256];
    for byte in &mut samples {
        for _ in 0..u8::BITS {
            block_for(Duration::from_micros(10));
            *byte = *byte << 1 | u8::from(pac::ROSC.randombit().read().randombit());
        }
    }
    ChaCha20Rng::from_seed(Sha256::digest(samples).into())
}
