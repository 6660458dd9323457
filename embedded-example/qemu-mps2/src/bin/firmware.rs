//! The example application on the emulated board.
//!
//! | argument | meaning | default |
//! |---|---|---|
//! | `server` | name or address of the server; 10.0.2.2 is the host that runs QEMU | 10.0.2.2 |
//! | `port` | TCP port of the server | 3000 |
//! | `namespace` | speak Socket.IO and join this namespace | speak Engine.IO |
//! | `token` | token to authenticate with in the namespace | none |
//! | `key` | the server's public key on P-256: its two coordinates as 128 hexadecimal digits. Speak TLS, and only with a server that has it | no TLS |
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
use app::{StandIn, client, lamp, tls};
use eio_core::backoff::Backoff;
use eio_embassy::State;
use eio_embassy::tls::PublicKey;
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
    static TLS_MEMORY: StaticCell<tls::Memory> = StaticCell::new();
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
    let random = move || random.next_u32();
    let (state, mut sensor) = (STATE.dyn_sender(), StandIn::default());
    if let Some(key) = arguments.text("key") {
        let Some(key) = public_key(key) else {
            defmt::error!("the key is not one on P-256");
            fault::exit(fault::FAILED)
        };
        let (keys, memory) = ([key], TLS_MEMORY.init_with(tls::Memory::new));
        let run = tls::run(stack, server, &keys, memory, backoff, random, state, &MODES, &mut sensor);
        WAKES.counting(pin!(run)).await;
    } else {
        let memory = MEMORY.init_with(Memory::new);
        let run = client::run(stack, server, memory, backoff, random, state, &MODES, &mut sensor);
        WAKES.counting(pin!(run)).await;
    }
    defmt::info!("stopped by the server");
    // Let the judge log the end first.
    Timer::after_millis(10).await;
    fault::exit(if judge::was_on_time() { 0 } else { fault::FAILED });
}

/// Reads a public key from its two coordinates. A board for a product contains the file instead.
fn public_key(digits: &str) -> Option<PublicKey> {
    const ALGORITHM: [u8; 27] = *b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    let mut der = [0; ALGORITHM.len() + 64];
    let (head, point) = der.split_at_mut(ALGORITHM.len());
    head.copy_from_slice(&ALGORITHM);
    if digits.len() != 2 * point.len() {
        return None;
    }
    for (index, byte) in point.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    PublicKey::from_der(&der).ok()
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
