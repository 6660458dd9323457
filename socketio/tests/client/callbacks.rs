//! The application's code that a client runs: its parser, what it makes of log lines, and what its tasks are woken by. All of it
//! may use the client.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::Wake;

use eio_socketio::client::{Client, Emitter, Incoming, JoinError};
use eio_socketio::{
    AckError, Decoder, DefaultParser, EncodeError, Encoded, Namespace, Packet, Parser, Reply, Server,
};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{next, runtime, serve, soon};

thread_local! {
    static EMITTER: RefCell<Option<Emitter>> = const { RefCell::new(None) };
    static LOOKS: Cell<[usize; 3]> = const { Cell::new([0; 3]) };
}

/// Uses the client, and counts who does.
fn look(who: usize) {
    EMITTER.with_borrow(|emitter| {
        if let Some(emitter) = emitter {
            let _ = emitter.is_connected();
            let mut looks = LOOKS.get();
            looks[who] += 1;
            LOOKS.set(looks);
        }
    });
}

struct LookingParser;

impl Parser for LookingParser {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        look(0);
        DefaultParser.encode(packet)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        DefaultParser.decoder()
    }
}

struct LookingLog;

impl Subscriber for LookingLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "eio_socketio::client"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        look(1);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct LookingWaker(Waker);

impl Wake for LookingWaker {
    fn wake(self: Arc<Self>) {
        look(2);
        self.0.wake_by_ref();
    }
}

/// Awaits a future with a waker that uses the client.
async fn woken<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(LookingWaker(cx.waker().clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

async fn use_everything() {
    let namespace = || {
        Namespace::new()
            .on("kick", async |socket: eio_socketio::Socket| socket.disconnect())
            .on("close", async |socket: eio_socketio::Socket| socket.engine().close())
            .on("answer", async || Reply(7))
            .on("silent", async || {})
    };
    let server =
        Server::builder().namespace("/", namespace()).namespace("/other", namespace()).build().unwrap();
    let client = Client::builder(serve(&server).await)
        .parser(LookingParser)
        .inbox(1, 1_000)
        .reconnection(false)
        .build()
        .unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    EMITTER.set(Some(socket.emitter()));
    let other = soon(client.join("/other")).await.unwrap();
    soon(other.leave()).await;
    assert!(matches!(soon(client.join("/none")).await, Err(JoinError::Refused(_))));
    assert_eq!(soon(woken(socket.emit_with_ack::<u8>("answer", ()))).await, Ok(7));
    let late = socket.emit_with_ack::<u8>("silent", ()).timeout(Duration::from_millis(10));
    assert_eq!(soon(woken(late)).await, Err(AckError::Timeout));
    for end in ["kick", "close"] {
        let unanswered = woken(socket.emit_with_ack::<u8>("silent", ()));
        socket.emit(end, ()).unwrap();
        assert_eq!(soon(unanswered).await, Err(AckError::Disconnected));
        assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
        soon(socket.rejoin()).await.unwrap();
    }
    let unanswered = woken(socket.emit_with_ack::<u8>("silent", ()));
    let (unanswered, ()) = Box::pin(soon(async { tokio::join!(biased; unanswered, client.close()) })).await;
    assert_eq!(unanswered, Err(AckError::Disconnected));
    let looks = LOOKS.get();
    // On a slow machine, what waits for a short time only may be over before it is polled.
    assert!(looks.iter().all(|looks| *looks >= 4), "{looks:?}");
    EMITTER.take();
}

#[test]
fn the_code_of_the_application_may_use_the_client_whenever_it_runs() {
    // Of all threads: what one without a subscriber learns about an event counts for the others.
    tracing::subscriber::set_global_default(LookingLog).unwrap();
    let (tell, told) = mpsc::channel();
    // What waits for itself cannot be timed out in its own thread.
    std::thread::spawn(move || {
        let runtime = runtime();
        runtime.block_on(use_everything());
        tell.send(())
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(()));
}
