//! One attack: small, small again, and large, with everything that has to hold meanwhile and afterwards.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_tests::interop::{Case, Log};
use tokio::time::Instant;

use crate::bystander::Bystanders;
use crate::server::Attacked;

/// How long a well-behaved session's message may be on its way there and back.
pub(crate) const PATIENT: Duration = Duration::from_millis(1500);

/// How far above the memory before the large attempt that after it may be, in bytes.
pub(crate) const MEMORY: u64 = 16 * 1024 * 1024;

/// Four times the attack may cost this many times the processor.
pub(crate) const LINEAR: u32 = 6;

/// The clock of processor time is coarse, and other tests share the machine.
const SLACK: Duration = Duration::from_millis(250);

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
    let bystanders = Bystanders::join(server.address).await.expect("the server serves before the attack");
    let mut costs = Vec::new();
    for size in [size, size, 4 * size] {
        let before = server.usage();
        let start = Instant::now();
        attack(target.clone(), size).await.expect("the attack is answered");
        recovered(&server, &log, before.memory).await;
        let after = server.usage();
        let processor = after.processor.saturating_sub(before.processor);
        log.line(
            "attack",
            &format!(
                "size {size}: {:?}, processor {processor:?}, memory {} to {} KiB",
                start.elapsed(),
                before.memory / 1024,
                after.memory / 1024
            ),
        );
        costs.push((processor, before.memory, after.memory));
    }
    let seen = bystanders.leave().await.expect("the well-behaved sessions live");
    log.line("attack", &format!("the well-behaved sessions: {seen:?}"));
    for seen in seen {
        assert!(seen.slowest < PATIENT, "a message was on its way for {:?}", seen.slowest);
        assert!(seen.pings > 0, "it was pinged");
    }
    let [_, (small, ..), (large, before, after)] = costs[..] else { panic!("it ran three times") };
    assert!(large < small * LINEAR + SLACK, "four times the attack cost {large:?} instead of {small:?}");
    assert!(after < before + MEMORY, "memory grew from {before} to {after} bytes");
    if std::env::var_os("EIO_ATTACKS_VERBOSE").is_some() {
        println!(
            "{}",
            log.text().lines().filter(|line| line.contains(" attack ")).collect::<Vec<_>>().join("\n")
        );
    }
}

/// Waits until only the well-behaved sessions are left, and the memory is back.
async fn recovered(server: &Attacked, log: &Log, memory: u64) {
    let start = Instant::now();
    loop {
        let sessions = server.sessions().await;
        let is_small = server.usage().memory < memory + MEMORY;
        if sessions == Bystanders::COUNT && is_small {
            return;
        }
        if start.elapsed() > RECOVERY {
            assert_eq!(sessions, Bystanders::COUNT, "sessions left behind by the attack");
            log.line("attack", "the memory is not back");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
