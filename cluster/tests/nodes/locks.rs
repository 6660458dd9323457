//! No lock is held while anything of the application runs: what logs, handles and records may use the cluster.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eio_cluster::bus::Memory;
use eio_cluster::{Channel, Cluster, Incoming, To};
use eio_tokio::Server;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::logs::Log;
use crate::support::{settle, sleep, start};

thread_local! {
    static CLUSTER: RefCell<Option<(Cluster, Channel)>> = const { RefCell::new(None) };
    static IS_BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Uses everything of the cluster that takes a lock.
fn use_it_all() {
    if IS_BUSY.replace(true) {
        return;
    }
    CLUSTER.with_borrow(|using| {
        let Some((cluster, channel)) = using else { return };
        assert!(!cluster.nodes().is_empty());
        assert!(cluster.status().names_twice.len() < 2);
        cluster.broadcast("logged");
        channel.listen("lobby");
        let _ = channel.publish(To::Topics(&["lobby"]), b"logged");
        drop(channel.request(b"logged", Duration::from_secs(1)));
        channel.unlisten("lobby");
        drop(cluster.channel("other", |_: Incoming<'_>| {}));
        cluster.drain();
    });
    IS_BUSY.set(false);
}

static EVENTS: AtomicUsize = AtomicUsize::new(0);

struct Using;

impl Subscriber for Using {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("eio_cluster")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        EVENTS.fetch_add(1, Ordering::Relaxed);
        use_it_all();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_log_and_a_handler_may_use_the_cluster() {
    Log::listen();
    let _logging = tracing::subscriber::set_default(Using);
    let bus = Memory::new();
    let a = start(&bus, "a");
    let channel = a.channel("test", |_: Incoming<'_>| {
        use_it_all();
        panic!("as the test wants it");
    });
    CLUSTER.set(Some((a.clone(), channel.unwrap())));
    let b = start(&bus, "b");
    settle().await;
    let theirs = b.channel("test", |_: Incoming<'_>| {}).unwrap();
    theirs.publish(To::All, b"hello").unwrap();
    settle().await;
    for name in ["a", "b"] {
        bus.cut(name);
        sleep(Duration::from_secs(20)).await;
        bus.mend(name);
        sleep(Duration::from_secs(20)).await;
    }
    let server = Server::builder(|_socket| async {}).node("b").build().unwrap();
    let twin = Cluster::builder(&server, bus.end("twin")).join().unwrap();
    sleep(Duration::from_secs(20)).await;
    b.leave().await;
    twin.leave().await;
    settle().await;
    assert!(EVENTS.load(Ordering::Relaxed) > 20, "{EVENTS:?}");
    assert!(a.status().panics > 0);
    CLUSTER.set(None);
}
