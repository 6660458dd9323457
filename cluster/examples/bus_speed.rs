//! Measures a bus: how many messages a second pass from one node to another, and how long one message takes.
//!
//! ```text
//! cargo run --profile dist --package eio-cluster --features nats,redis --example bus_speed -- redis://127.0.0.1:6379
//! ```
//!
//! Both nodes are in this process, each with its own connection and its own thread. URLs of several servers are those of one
//! cluster.

use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use eio_cluster::bus::{Bus, Direct, Memory, Nats, NotPublished, Redis};
use eio_cluster::bytes::Bytes;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// What is measured: the size of a message, and how many.
const ROUNDS: [(u32, u32); 3] = [(100, 300_000), (1_000, 200_000), (100_000, 5_000)];

/// How many bytes the one who publishes is ahead of the one who receives, at most.
const AHEAD: u32 = 4_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let urls: Vec<String> = env::args().skip(1).collect();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(&urls))
}

async fn measure(urls: &[String]) -> Result<(), Box<dyn Error>> {
    let memory = Memory::new();
    let bus = |name: &str| -> Result<Box<dyn Bus>, Box<dyn Error>> {
        Ok(match urls.first() {
            None => Box::new(memory.end(name)),
            Some(url) if url.starts_with("redis") => Box::new(Redis::new(urls)?),
            Some(_) => Box::new(Nats::new(urls)?),
        })
    };
    let (sender, mut heard) = unbounded_channel();
    let received = AtomicU32::new(0);
    let from = Direct::start("speed", bus("from")?, |_| {})?;
    let to = Direct::start("speed", bus("to")?, move |payload| drop(sender.send((Instant::now(), payload))))?;
    to.subscribe("topic");
    to.subscribed("topic").await;
    from.up().await;
    for (size, count) in ROUNDS {
        let payload = Bytes::from(vec![b'x'; size as usize]);
        let start = Instant::now();
        received.store(0, Ordering::Relaxed);
        let ahead = AHEAD / size;
        let sending = async {
            for number in 0..count {
                // A server drops whoever reads too slowly, so the queues in it have to stay short.
                while number - received.load(Ordering::Relaxed) > ahead {
                    yield_now().await;
                }
                while from.publish("topic", payload.clone()) == Err(NotPublished::Full) {
                    yield_now().await;
                }
            }
        };
        let receiving = async {
            for _ in 0..count {
                heard.recv().await;
                received.fetch_add(1, Ordering::Relaxed);
            }
        };
        tokio::join!(sending, receiving);
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        println!("{size} B: {rate:.0} messages/s, {:.1} MB/s", rate * f64::from(size) / 1e6);
    }
    latency(&from, &mut heard).await?;
    println!("{:?}", from.status());
    Ok(())
}

/// One message after the other, a millisecond apart.
async fn latency(
    from: &Direct,
    heard: &mut UnboundedReceiver<(Instant, Bytes)>,
) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..3_000 {
        let start = Instant::now();
        from.publish("topic", Bytes::from_static(&[0; 100]))?;
        let (at, _) = heard.recv().await.ok_or("the bus has ended")?;
        times.push(at - start);
        sleep(Duration::from_millis(1)).await;
    }
    times.sort_unstable();
    let percentile = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("latency: p50 {:?}, p99 {:?}", percentile(50), percentile(99));
    Ok(())
}
