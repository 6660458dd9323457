//! A session from a Raspberry Pi Pico 2 W, over its own radio. The lamp is the board's, which the radio switches.
//!
//! Set [`NETWORK`] and [`SERVER`] below. `cargo run --release` in this folder flashes the board with probe-rs. The firmware of
//! the radio has a licence of its own: see the crate `cyw43-firmware`.
#![no_std]
#![no_main]

mod panic;
mod session;

use core::cell::Cell;

use cyw43::{Control, JoinOptions, PowerManagementMode};
use cyw43_pio::{DEFAULT_CLOCK_DIVIDER, PioSpi};
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::select::select;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIO0, TRNG};
use embassy_rp::pio::{self, Pio};
use embassy_rp::trng::{self, Trng};
use embassy_time::{Duration, Instant, Timer};
use session::Server;
use static_cell::StaticCell;

/// The wireless network's name and password.
const NETWORK: (&str, &str) = ("network", "password");
/// The server. For Socket.IO or NestJS: `Server::socketio("http://..", "/namespace", r#"{"token":".."}"#)`. Over TLS:
/// `Server::engineio("https://..").pinned(include_bytes!("../server-public.der"))`.
const SERVER: Server = Server::engineio("http://192.168.1.2:3000");
/// The delay between attempts to join the network.
const JOIN_AGAIN_SECONDS: u64 = 5;
/// Without a session for that long, the board joins the network again.
const LONGEST_WITHOUT_SESSION: Duration = Duration::from_secs(120);
/// The radio's pin of the lamp.
const LAMP: u8 = 0;

bind_interrupts!(struct Interrupts {
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    TRNG_IRQ => trng::InterruptHandler<TRNG>;
});

type Radio = cyw43::Runner<'static, Output<'static>, PioSpi<'static, PIO0, 0, DMA_CH0>>;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let pins = embassy_rp::init(embassy_rp::config::Config::default());
    let mut random = Trng::new(pins.TRNG, Interrupts, trng::Config::default());

    let power = Output::new(pins.PIN_23, Level::Low);
    let select = Output::new(pins.PIN_25, Level::High);
    let mut pio = Pio::new(pins.PIO0, Interrupts);
    let spi = PioSpi::new(
        &mut pio.common,
        pio.sm0,
        DEFAULT_CLOCK_DIVIDER,
        pio.irq0,
        select,
        pins.PIN_24,
        pins.PIN_29,
        pins.DMA_CH0,
    );
    static RADIO: StaticCell<cyw43::State> = StaticCell::new();
    let radio = RADIO.init_with(cyw43::State::new);
    let (device, mut control, runner) = cyw43::new(radio, power, spi, cyw43_firmware::CYW43_43439A0).await;
    spawner.spawn(run_radio(runner).expect("spawned once"));
    control.init(cyw43_firmware::CYW43_43439A0_CLM).await;
    control.set_power_management(PowerManagementMode::PowerSave).await;

    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let (stack, runner) = embassy_net::new(
        device,
        Config::dhcpv4(DhcpConfig::default()),
        RESOURCES.init(StackResources::new()),
        random.blocking_next_u64(),
    );
    spawner.spawn(run_stack(runner).expect("spawned once"));
    spawner.spawn(run_session(stack, random).expect("spawned once"));
    spawner.spawn(run_network(control).expect("spawned once"));
}

#[embassy_executor::task]
async fn run_radio(runner: Radio) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_stack(mut runner: embassy_net::Runner<'static, cyw43::NetDriver<'static>>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_session(stack: Stack<'static>, mut random: Trng<'static, TRNG>) -> ! {
    session::run(stack, move || random.blocking_next_u32()).await
}

/// Joins the network, and joins it again if there has been no session for long: cyw43 0.6 does not report that the network
/// is lost. Meanwhile, switches the lamp, which the radio has too.
#[embassy_executor::task]
async fn run_network(mut control: Control<'static>) -> ! {
    loop {
        while control.join(NETWORK.0, JoinOptions::new(NETWORK.1.as_bytes())).await.is_err() {
            Timer::after_secs(JOIN_AGAIN_SECONDS).await;
        }
        let without_session = Cell::new(Some(Instant::now()));
        let lamp = session::watch(async |on| {
            let since = without_session.get().unwrap_or_else(Instant::now);
            without_session.set((!on).then_some(since));
            control.gpio_set(LAMP, on).await;
        });
        let too_long = async {
            while without_session.get().is_none_or(|since| since.elapsed() < LONGEST_WITHOUT_SESSION) {
                Timer::after_secs(JOIN_AGAIN_SECONDS).await;
            }
        };
        select(lamp, too_long).await;
        control.gpio_set(LAMP, false).await;
    }
}
