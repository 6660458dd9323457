//! A runtime that stands still for twice the ping timeout, with the pongs of thousands of sessions in the kernel.
//! Those clients are alive: not one of them may end.

use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use eio_core::Heartbeat;
use eio_tests::interop::Case;
use eio_tokio::{Server, Socket};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::process::Process;
use crate::witness::Witness;

const WORKERS: usize = 2;

/// Between two pings there is less time than a client has to answer one: at some moment every client owes a pong.
const I: Duration = Duration::from_secs(2);
const T: Duration = Duration::from_secs(5);

pub(crate) fn cases() -> Vec<Case> {
    [("websockets", 9_000), ("polling", 2_000)]
        .into_iter()
        .map(|(transport, count)| {
            let name = format!("a stalled runtime ends none of {count} live sessions ({transport})");
            Case::new(name, move |_| async move {
                let outside = Handle::current();
                tokio::task::spawn_blocking(move || stalled(&outside, transport, count)).await.unwrap();
            })
        })
        .collect()
}

async fn listen(mut socket: Socket) {
    drop(socket.take_request());
    while socket.recv().await.is_ok() {}
}

fn stalled(outside: &Handle, transport: &str, count: usize) {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().unwrap();
    let heartbeat = Heartbeat::new(I, T).unwrap();
    let mut witness = runtime.block_on(Witness::start_with("127.0.0.1", Server::builder(listen), heartbeat));
    let mut clients = Process::start(&format!("{transport} {} {count}", witness.address), &[]);
    outside.block_on(clients.must_say("open"));
    assert_eq!(witness.server.len(), count);

    clients.tell("hold");
    pause(I + I / 4);
    let stalls = stall(&runtime);
    clients.tell("release");
    // Every pong is with the kernel now.
    outside.block_on(clients.must_say("ponged"));
    pause(T * 2);
    drop(stalls);

    // Long enough for any session that was misjudged to end, and for the next pings and pongs.
    pause(I + T + T / 2);
    witness.assert_no_end();
    assert_eq!(witness.server.len(), count);
    clients.assert_quiet();

    clients.signal("KILL");
    for _ in 0..count {
        outside.block_on(witness.end());
    }
    assert!(witness.server.is_empty());
    runtime.shutdown_background();
}

/// Every worker of a runtime is kept busy until all of these are dropped.
fn stall(runtime: &Runtime) -> Vec<mpsc::Sender<()>> {
    let all = Arc::new(Barrier::new(WORKERS + 1));
    let stalls = (0..WORKERS)
        .map(|_| {
            let (sender, end) = mpsc::channel();
            let all = Arc::clone(&all);
            runtime.spawn(async move {
                all.wait();
                let _ = end.recv();
            });
            sender
        })
        .collect();
    all.wait();
    stalls
}

#[expect(clippy::disallowed_methods, reason = "the runtime that could wait is the one that is stalled")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
