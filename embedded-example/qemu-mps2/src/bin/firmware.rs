//! The example application on the emulated board.
//!
//! | argument | meaning | default |
//! |---|---|---|
//! | `server` | name or address of the server; 10.0.2.2 is the host that runs QEMU | 10.0.2.2 |
//! | `port` | TCP port of the server | 3000 |
//! | `namespace` | speak Socket.IO and join this namespace | speak Engine.IO |
//! | `token` | token to authenticate with in the namespace | none |
//! | `seed` | seed of the random numbers | 1 |
//! | `backoff` | minimum delay before reconnecting, in milliseconds; the maximum is eight times as long | 250 |
//! | `limit` | seconds after which the firmware ends by itself | never |
#![no_std]
#![no_main]

use core::fmt::Write as _;
use core::pin::pin;
use core::time::Duration;

use app::client::{Memory, Server, Speaks};
use app::lamp::Mode;
use app::{StandIn, client, lamp};
use eio_core::backoff::Backoff;
use eio_embassy::State;
use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::Watch;
use embassy_time::Timer;
use heapless::String;
use qemu_mps2::arguments::Arguments;
use qemu_mps2::random::Random;
use qemu_mps2::wakes::Wakes;
use qemu_mps2::{Led, clock, executor, fault, judge, network};
use static_cell::StaticCell;

static STATE: Watch<CriticalSectionRawMutex, State, 2> = Watch::new();
static MODES: Signal<CriticalSectionRawMutex, Mode> = Signal::new();
/// Counts the wake-ups of the session's task.
static WAKES: Wakes = Wakes::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    clock::start();
    let arguments = Arguments::read();
    let seed = arguments.number("seed").unwrap_or(1);
    let (stack, runner) = network::start(seed);
    executor::run(|spawner| {
        if spawn(spawner, stack, runner, arguments, seed).is_err() {
            defmt::error!("a task was spawned twice");
            fault::exit(fault::FAILED);
        }
    })
}

fn spawn(
    spawner: Spawner,
    stack: Stack<'static>,
    runner: embassy_net::Runner<'static, qemu_mps2::lan9118::Lan9118>,
    arguments: &'static Arguments,
    seed: u64,
) -> Result<(), embassy_executor::SpawnError> {
    spawner.spawn(network::run(runner)?);
    spawner.spawn(network::keep_qemu_awake()?);
    spawner.spawn(session(stack, arguments, seed)?);
    spawner.spawn(lamp()?);
    spawner.spawn(judge()?);
    spawner.spawn(limit(arguments.number("limit"))?);
    Ok(())
}

#[embassy_executor::task]
async fn session(stack: Stack<'static>, arguments: &'static Arguments, seed: u64) {
    static MEMORY: StaticCell<Memory> = StaticCell::new();
    let name = arguments.text("server").unwrap_or("10.0.2.2");
    let port = arguments.number("port").unwrap_or(3000);
    let (mut host, mut auth) = (String::<64>::new(), String::<64>::new());
    let _ = write!(host, "{name}:{port}");
    if let Some(token) = arguments.text("token") {
        let _ = write!(auth, "{{\"token\":\"{token}\"}}");
    }
    let speaks = arguments
        .text("namespace")
        .map_or(Speaks::EngineIo, |namespace| Speaks::SocketIo { namespace, auth: &auth });
    let server = Server { name, port, host: &host, speaks };
    let least = arguments.number("backoff").unwrap_or(250);
    let backoff = Backoff::new(Duration::from_millis(least), Duration::from_millis(least * 8));
    let backoff = backoff.unwrap_or(Backoff::DEFAULT);
    let mut random = Random::new(seed);
    let memory = MEMORY.init_with(Memory::new);
    let (state, mut sensor) = (STATE.dyn_sender(), StandIn::default());
    let run =
        client::run(stack, server, memory, backoff, move || random.next_u32(), state, &MODES, &mut sensor);
    WAKES.counting(pin!(run)).await;
    defmt::info!("stopped by the server");
    // Let the judge log the end first.
    Timer::after_millis(10).await;
    fault::exit(if judge::was_on_time() { 0 } else { fault::FAILED });
}

#[embassy_executor::task]
async fn lamp() -> ! {
    let Some(state) = STATE.dyn_receiver() else { fault::exit(fault::FAILED) };
    lamp::run(&mut Led::default(), state, &MODES).await
}

#[embassy_executor::task]
async fn judge() -> ! {
    let Some(states) = STATE.dyn_receiver() else { fault::exit(fault::FAILED) };
    judge::watch(states, &WAKES).await
}

/// Ends QEMU after a while, even if the host's test has failed.
#[embassy_executor::task]
async fn limit(seconds: Option<u64>) {
    let Some(seconds) = seconds else { return };
    Timer::after_secs(seconds).await;
    defmt::error!("not stopped within {} s", seconds);
    fault::exit(fault::TOO_LONG);
}
