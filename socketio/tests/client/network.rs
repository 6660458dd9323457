//! Applications over the engine's in-memory network: who loses the connection, and when, is exact to the millisecond.

use core::time::Duration;

use eio_socketio::client::{Incoming, Socket};
use eio_socketio::engine::Backoff;
use eio_socketio::engine::test_util::{Link, Network};
use eio_socketio::{Data, Disconnect, Namespace, Recovery, Server, Value};
use tokio::time::{Instant, sleep};

use crate::support::Way;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A chat on a network. It tells a room who has left it.
fn chat() -> (Network, Server) {
    let namespace = Namespace::new()
        .on("enter", async |socket: eio_socketio::Socket, Data(room): Data<String>| {
            socket.join(room).map(drop)
        })
        .on_disconnecting(async |socket: eio_socketio::Socket, end: Disconnect| {
            for room in socket.rooms() {
                let _ = socket.to(room).emit("left", end.reason.as_str());
            }
        });
    let server = Server::builder().namespace("/", namespace).recovery(Recovery::new()).build().unwrap();
    let network = Network::new();
    let (serving, listener) = (server.clone(), network.listen());
    tokio::spawn(async move { serving.serve(listener).await });
    (network, server)
}

/// A client that has entered the room, and comes back a second after it has lost its connection.
async fn entered(way: Way, link: &Link) -> Socket {
    let link = link.clone();
    let client = way.client("http://chat.test").engine(move |engine| engine.link(&link));
    let client = client.backoff(Backoff::new(ms(1_000), ms(1_000)).unwrap()).build().unwrap();
    let socket = client.join("/").await.unwrap();
    socket.emit("enter", "room").unwrap();
    sleep(ms(1_000)).await;
    socket
}

/// Returns the event that arrives next, and its only argument.
async fn event(socket: &mut Socket) -> (String, Value) {
    match socket.recv().await.unwrap() {
        Incoming::Event { name, args, .. } => (name.to_string(), args.values().unwrap().remove(0)),
        other => panic!("expected an event, got {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_is_told_of_a_client_whose_cable_is_cut_when_its_timeout_is_over() {
    for way in Way::ALL {
        let (network, server) = chat();
        let (near, far) = (network.link(), network.link());
        let mut ann = entered(way, &near).await;
        let opened = Instant::now();
        let _bob = entered(way, &far).await;
        far.cut();
        assert_eq!(event(&mut ann).await, ("left".to_owned(), "ping timeout".into()));
        // The first ping comes 25 s after the opening, and its answer has 20 s.
        assert_eq!(opened.elapsed(), ms(45_000), "{way:?}");
        assert_eq!(server.engine().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn close_waits_until_the_server_has_everything_unless_somebody_joins() {
    for (joins, took) in [(false, 600), (true, 100)] {
        let (network, server) = chat();
        let link = network.link();
        let way = Way::WebSocket.client("http://chat.test");
        let client = way.engine({
            let link = link.clone();
            move |engine| engine.link(&link)
        });
        let client = client.build().unwrap();
        let _socket = client.join("/").await.unwrap();
        link.set_delay(ms(300));
        let start = Instant::now();
        let closed = async {
            client.close().await;
            assert_eq!(start.elapsed(), ms(took), "somebody joins: {joins}");
        };
        let joined = async {
            sleep(ms(100)).await;
            if joins {
                client.join("/other").await.unwrap_err();
                // Three round trips: of the connection, of its WebSocket and of the namespace.
                assert_eq!(start.elapsed(), ms(100 + 3 * 600), "a new connection, at once");
            }
        };
        tokio::join!(closed, joined);
        assert_eq!(server.engine().len(), usize::from(joins));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_away_comes_back_and_gets_what_it_missed() {
    for way in Way::ALL {
        let (network, server) = chat();
        let link = network.link();
        let mut socket = entered(way, &link).await;
        let id = socket.id();
        server.to("room").emit("position", 0).unwrap();
        assert_eq!(event(&mut socket).await, ("position".to_owned(), 0.into()));
        link.cut();
        let Incoming::Disconnected(end) = socket.recv().await.unwrap() else { panic!("it is disconnected") };
        assert_eq!((end.as_str(), end.reconnects), ("ping timeout", true), "{way:?}");
        server.to("room").emit("missed", 1).unwrap();
        sleep(ms(10_000)).await;
        link.mend();
        let back = socket.recv().await.unwrap();
        assert!(matches!(back, Incoming::Connected { recovered: true }), "{way:?}: {back:?}");
        assert_eq!(event(&mut socket).await, ("missed".to_owned(), 1.into()));
        assert_eq!(socket.id(), id);
    }
}
