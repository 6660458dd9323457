//! A session from an nRF9160 over LTE-M or NB-IoT, by its own modem. The lamp is LED 1 of the nRF9160 DK.
//!
//! Set [`APN`] and [`SERVER`] below. `cargo run --release` in this folder flashes the board with probe-rs. The modem's firmware
//! is Nordic's, and is flashed by their tools: the driver talks to it without a library in C.
#![no_std]
#![no_main]

mod panic;
mod session;

use core::mem::MaybeUninit;
use core::net::IpAddr;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Config, ConfigV4, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_net_nrf91::context::{self, AuthProt, Status};
use embassy_net_nrf91::{Control, NetDriver};
use embassy_nrf::cryptocell_rng::CcRng;
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::interrupt;
use embassy_nrf::mode::Blocking;
use embassy_time::Timer;
use session::Server;
use static_cell::{ConstStaticCell, StaticCell};

/// The name of the operator's access point.
const APN: &str = "iot.example";
/// The server. For Socket.IO or NestJS: `Server::socketio("http://..", "/namespace", r#"{"token":".."}"#)`. Over TLS:
/// `Server::engineio("https://..").pinned(include_bytes!("../server-public.der"))`.
const SERVER: Server = Server::engineio("http://server.example:3000");
/// The delay before the modem is set up again after it has failed.
const SET_UP_AGAIN_SECONDS: u64 = 10;

/// What the modem and this processor share. Memory is given to the modem in regions of 8 KiB, so nothing else may be in them.
#[repr(align(8192))]
struct Shared([MaybeUninit<u8>; 5 * 8192]);

#[interrupt]
fn IPC() {
    embassy_net_nrf91::on_ipc_irq();
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let pins = embassy_nrf::init(embassy_nrf::config::Config::default());
    let mut random = CcRng::new_blocking(pins.CC_RNG);

    static MODEM: StaticCell<embassy_net_nrf91::State> = StaticCell::new();
    static SHARED: ConstStaticCell<Shared> = ConstStaticCell::new(Shared([MaybeUninit::uninit(); 5 * 8192]));
    let modem = MODEM.init_with(embassy_net_nrf91::State::new);
    let (device, control, runner) = embassy_net_nrf91::new(modem, &mut SHARED.take().0).await;
    spawner.spawn(run_modem(runner).expect("spawned once"));

    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let resources = RESOURCES.init(StackResources::new());
    // The network gives the address.
    let (stack, runner) = embassy_net::new(device, Config::default(), resources, random.blocking_next_u64());
    let lamp = Output::new(pins.P0_02, Level::Low, OutputDrive::Standard);
    spawner.spawn(run_stack(runner).expect("spawned once"));
    spawner.spawn(run_network(control, stack).expect("spawned once"));
    spawner.spawn(run_session(stack, random).expect("spawned once"));
    spawner.spawn(run_lamp(lamp).expect("spawned once"));
}

#[embassy_executor::task]
async fn run_modem(runner: embassy_net_nrf91::Runner<'static>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_stack(mut runner: embassy_net::Runner<'static, NetDriver<'static>>) -> ! {
    runner.run().await
}

/// Joins the network, and joins it again after each loss.
#[embassy_executor::task]
async fn run_network(control: Control<'static>, stack: Stack<'static>) -> ! {
    let control = context::Control::new(control, 0).await;
    let config = context::Config { apn: APN.as_bytes(), auth_prot: AuthProt::None, auth: None, pin: None };
    loop {
        let ended = match control.configure(&config).await {
            Ok(()) => control.run(|status| stack.set_config_v4(addresses(status))).await,
            Err(error) => Err(error),
        };
        defmt::warn!("the modem: {}", ended);
        // The modem may have told nothing of the loss. Without its address, the board is offline.
        stack.set_config_v4(ConfigV4::None);
        Timer::after_secs(SET_UP_AGAIN_SECONDS).await;
    }
}

/// The address and the name servers that the network gives to the board.
fn addresses(status: &Status) -> ConfigV4 {
    let ipv4 = |address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let Some(address) = status.ip.and_then(ipv4) else { return ConfigV4::None };
    ConfigV4::Static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 32),
        gateway: status.gateway.and_then(ipv4),
        dns_servers: status.dns.iter().copied().filter_map(ipv4).collect(),
    })
}

#[embassy_executor::task]
async fn run_session(stack: Stack<'static>, mut random: CcRng<'static, Blocking>) -> ! {
    session::run(stack, move || random.blocking_next_u32()).await
}

#[embassy_executor::task]
async fn run_lamp(mut lamp: Output<'static>) -> ! {
    session::watch(async |on| lamp.set_level(on.into())).await
}
