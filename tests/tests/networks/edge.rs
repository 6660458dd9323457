//! The sockets of the standard library, by edge-nal's traits.

use core::net::{IpAddr, Ipv4Addr};
use core::ops::ControlFlow;
use core::time::Duration;
use std::net::TcpListener;

use edge_nal_std::Stack;
use eio_core::DisconnectReason;
use eio_core::backoff::Backoff;
use eio_embassy::edge_nal::{AddrType, Dns};
use eio_embassy::{
    Buffers, ClientSettings, Connector, EdgeConnector, Endpoint, Limits, Loss, Reconnect, State,
};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;

use crate::ppp::{block_on, host_random};
use crate::server::Echo;
use crate::{States, clock, greet, live, lost, open};

static STACK: Stack = Stack::new();

/// A name server that knows one name, which is this machine's, and never answers for another.
struct OneName;

const NAME: &str = "server.example";

impl Dns for OneName {
    type Error = std::io::Error;

    async fn get_host_by_name(&self, name: &str, kind: AddrType) -> std::io::Result<IpAddr> {
        assert_eq!(kind, AddrType::Either);
        match name {
            NAME => Ok(Ipv4Addr::LOCALHOST.into()),
            "nobody.example" => Err(std::io::ErrorKind::NotFound.into()),
            _ => core::future::pending().await,
        }
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> std::io::Result<usize> {
        unreachable!("no address is looked up")
    }
}

/// A board that connects to this name, while this story runs.
fn run(name: &str, port: u16, story: impl AsyncFnOnce(&mut States<'_>)) {
    let _clock = clock();
    let watch: Watch<NoopRawMutex, State, 1> = Watch::new();
    let mut states = watch.receiver().expect("a receiver");
    let mut random = host_random;
    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1)).expect("valid");
    let mut reconnect = Reconnect::new(backoff, &mut random, watch.dyn_sender());
    let (mut rx, mut tx) = ([0; 512], [0; 512]);
    let (buffers, endpoint) = (Buffers { rx: &mut rx, tx: &mut tx }, Endpoint::engineio(NAME));
    let limits = Limits { dns_timeout: Duration::from_millis(200), ..Limits::DEFAULT };
    let mut connector = EdgeConnector::new(&STACK, &OneName, name, port).with_limits(limits);
    let board = connector.run(
        &mut reconnect,
        &endpoint,
        buffers,
        &ClientSettings::DEFAULT,
        async |client| -> ControlFlow<()> { greet(client).await },
    );
    match block_on(select(board, story(&mut states))) {
        Either::First(()) => panic!("the board has stopped"),
        Either::Second(()) => {}
    }
}

#[test]
fn a_session_by_edge_nal_lives_and_comes_back_after_its_server() {
    let first = Echo::start(0);
    let port = first.address.port();
    run(NAME, port, async |states| {
        let opened = open(states).await;
        live(states, opened).await;
        drop(first);
        let Loss::Session(end) = lost(states).await else { panic!("a session was open") };
        assert!(
            matches!(end.reason, DisconnectReason::TransportClosed | DisconnectReason::TransportReset),
            "{end:?}"
        );
        assert_eq!(lost(states).await, Loss::Refused);
        let _second = Echo::start(port);
        open(states).await;
    });
}

#[test]
fn edge_nal_says_why_there_is_no_connection() {
    let port = Echo::start(0).address.port();
    for (name, loss) in [
        ("127.0.0.1", Loss::Refused),
        (NAME, Loss::Refused),
        ("nobody.example", Loss::Unresolved),
        ("silent.example", Loss::Unresolved),
    ] {
        run(name, port, async |states| assert_eq!(lost(states).await, loss, "{name}"));
    }
}

#[test]
fn an_address_in_brackets_is_one_for_edge_nal_too() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        // Without IPv6, the machine has no route: not the answer of a name server, which would never come.
        return run("[::1]", 9, async |states| assert_ne!(lost(states).await, Loss::Unresolved));
    };
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    run("[::1]", port, async |states| assert_eq!(lost(states).await, Loss::Refused));
}
