//! A session from this chip over Wi-Fi. The lamp is on GPIO 8.
//!
//! Set [`NETWORK`] and [`SERVER`] below. `cargo run --release` in this folder flashes the board with espflash. The radio's
//! own tasks need a heap; the session does not use it.
#![no_std]
#![no_main]

mod session;

use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Stack, StackResources};
use embassy_time::Timer;
use esp_backtrace as _;
use esp_hal::delay::Delay;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::ram;
use esp_hal::rng::Trng;
use esp_hal::system::software_reset;
use esp_hal::timer::timg::TimerGroup;
use esp_println as _;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    self, AuthenticationMethodConfig, ControllerConfig, Interface, PowerSaveMode, WifiController,
};
use session::Server;
use static_cell::StaticCell;

/// The wireless network's name and password.
const NETWORK: (&str, &str) = ("network", "password");
/// The server. For Socket.IO or NestJS: `Server::socketio("http://..", "/namespace", r#"{"token":".."}"#)`. Over TLS:
/// `Server::engineio("https://..").pinned(include_bytes!("../server-public.der"))`.
const SERVER: Server = Server::engineio("http://192.168.1.2:3000");
/// The delay between attempts to join the network.
const JOIN_AGAIN_SECONDS: u64 = 5;
/// The time to send the last lines of the log, before a new start.
const FOR_THE_LOG_MILLIS: u32 = 200;

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let chip = esp_hal::init(esp_hal::Config::default());
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    let timers = TimerGroup::new(chip.TIMG0);
    esp_rtos::start(timers.timer0, chip.FROM_CPU_INTR0);

    let station = StationConfig::default()
        .with_ssid(NETWORK.0.try_into().expect("at most 32 bytes"))
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(
            NETWORK.1.try_into().expect("at most 64 bytes"),
        ));
    let mut controller =
        WifiController::new(chip.WIFI, ControllerConfig::default()).expect("the radio starts");
    controller.set_config(&wifi::Config::Station(station)).expect("a valid configuration");
    // The radio sleeps from one DTIM beacon to the next, so a ping can wait for some 100 ms in the access point.
    controller.set_power_saving(PowerSaveMode::Minimum).expect("the radio can sleep");

    let random = Trng::try_new().expect("the radio is on, whose noise makes the numbers random");
    let seed = u64::from(random.random()) << 32 | u64::from(random.random());
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) =
        embassy_net::new(Interface::station(), Config::dhcpv4(DhcpConfig::default()), resources, seed);
    let lamp = Output::new(chip.GPIO8, Level::Low, OutputConfig::default());
    spawner.spawn(run_radio(controller).expect("spawned once"));
    spawner.spawn(run_stack(runner).expect("spawned once"));
    spawner.spawn(run_session(stack, random).expect("spawned once"));
    spawner.spawn(run_lamp(lamp).expect("spawned once"));
}

/// What comes after a panic or an exception and its backtrace: a new start.
#[unsafe(no_mangle)]
fn custom_halt() -> ! {
    Delay::new().delay_millis(FOR_THE_LOG_MILLIS);
    software_reset()
}

/// Joins the network, and joins it again after each loss.
#[embassy_executor::task]
async fn run_radio(mut controller: WifiController<'static>) -> ! {
    loop {
        if controller.connect_async().await.is_ok() {
            let _ = controller.wait_for_disconnect_async().await;
        }
        Timer::after_secs(JOIN_AGAIN_SECONDS).await;
    }
}

#[embassy_executor::task]
async fn run_stack(mut runner: embassy_net::Runner<'static, Interface>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_session(stack: Stack<'static>, random: Trng) -> ! {
    session::run(stack, move || random.random()).await
}

#[embassy_executor::task]
async fn run_lamp(mut lamp: Output<'static>) -> ! {
    session::watch(async |on| lamp.set_level(on.into())).await
}
