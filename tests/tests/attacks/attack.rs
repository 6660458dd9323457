//! One attack: large, small, and large again, with everything that has to hold meanwhile and afterwards.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_tests::interop::{Case, Log};
use tokio::time::Instant;

use crate::bystander::Bystanders;
use crate::server::{Attacked, State};

/// How long a well-behaved session's message may be on its way there and back.
pub(crate) const PATIENT: Duration = Duration::from_secs(3);

/// How far above what was allocated before the attack that after it may be, in bytes. Less than one for each byte
/// that the attacks send, or a kilobyte for each connection; enough for tables that have grown.
pub(crate) const HEAP: u64 = 512 * 1024;

/// The same for resident memory. glibc keeps what lies scattered, for later: up to what thousands of connections
/// needed at their height. What is still in use is told by [`HEAP`].
pub(crate) const RESIDENT: u64 = 96 * 1024 * 1024;

/// Four times the attack may cost this many times the processor.
pub(crate) const LINEAR: u32 = 6;

/// The clock of processor time is coarse, and other tests share the machine. The growth of an attack that costs less than
/// this when it is large is not judged here: the part `linear` counts the instructions of each decoder.
pub(crate) const SLACK: Duration = Duration::from_millis(100);

/// How long the server may take to be as it was.
const RECOVERY: Duration = Duration::from_secs(12);

/// The attacker's view.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) server: Arc<Attacked>,
    pub(crate) address: SocketAddr,
}

/// A case for an attack whose size is `size`, and then four times that. It panics, or fails, when an answer is not
/// as documented.
pub(crate) fn case<R>(name: &str, size: usize, attack: fn(Target, usize) -> R) -> Case
where
    R: Future<Output = io::Result<()>> + Send + 'static,
{
    Case::new(name, move |log| run(log, size, attack))
}

async fn run<R>(log: Log, size: usize, attack: fn(Target, usize) -> R)
where
    R: Future<Output = io::Result<()>> + Send + 'static,
{
    let server = Arc::new(Attacked::start(&log).await);
    let target = Target { address: server.address, server: Arc::clone(&server) };
    let mut bystanders = Bystanders::join(server.address).await.expect("the server serves before the attack");
    let (heap_at_first, resident_at_first) = (server.state().await.heap, server.usage().resident);
    let mut costs = Vec::new();
    for size in [4 * size, size, 4 * size] {
        let before = server.usage();
        let start = Instant::now();
        attack(target.clone(), size).await.expect("the attack is answered");
        let took = start.elapsed();
        bystanders.are_there();
        let state = recovered(&server, heap_at_first).await;
        let after = server.usage();
        let processor = after.processor.saturating_sub(before.processor);
        log.line(
            "attack",
            &format!(
                "size {size}: {took:?}, recovered after {:?}, processor {processor:?}, allocated {} KiB (first {}), \
                 resident {} KiB (first {})",
                start.elapsed(),
                state.heap / 1024,
                heap_at_first / 1024,
                after.resident / 1024,
                resident_at_first / 1024,
            ),
        );
        assert_eq!(state.sessions, Bystanders::COUNT, "sessions left behind by the attack");
        assert!(state.heap < heap_at_first + HEAP, "bytes left behind by the attack: {state:?}");
        costs.push((processor, after.resident));
    }
    let seen = bystanders.leave().await.expect("the well-behaved sessions live");
    log.line("attack", &format!("the well-behaved sessions: {seen:?}"));
    for seen in seen {
        assert!(seen.slowest < PATIENT, "a message was on its way for {:?}", seen.slowest);
    }
    let [_, (small, _), (large, resident)] = costs[..] else { panic!("it ran three times") };
    assert!(large < small * LINEAR + SLACK, "four times the attack cost {large:?} instead of {small:?}");
    assert!(
        resident < resident_at_first + RESIDENT,
        "resident memory grew from {resident_at_first} to {resident}"
    );
    if std::env::var_os("EIO_ATTACKS_VERBOSE").is_some() {
        println!(
            "{}",
            log.text().lines().filter(|line| line.contains(" attack ")).collect::<Vec<_>>().join("\n")
        );
    }
}

/// Waits until only the well-behaved sessions are left, and what the others held is free again.
async fn recovered(server: &Attacked, heap: u64) -> State {
    let start = Instant::now();
    loop {
        let state = server.state().await;
        let is_as_before = state.sessions == Bystanders::COUNT && state.heap < heap + HEAP;
        if is_as_before || start.elapsed() > RECOVERY {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
