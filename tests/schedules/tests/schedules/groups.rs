//! Groups, from several threads, while their sessions end.

use std::collections::BTreeSet;
use std::sync::Arc;

use eio_schedules::{Clock, explore};
use eio_tokio::{Audience, Message, Server, Socket, Transport};
use shuttle::{future, thread};

use crate::running::{Running, WAYS};

#[test]
fn a_session_that_ends_is_in_no_group_and_whoever_watches_is_told() {
    explore("a_session_that_ends_is_in_no_group_and_whoever_watches_is_told", "", Clock::Stands, || async {
        let running = Running::start(Server::builder(|mut socket: Socket| {
            let [joining, leaving] = [socket.sender(), socket.sender()];
            let threads = (socket.transport() == Transport::WebSocket).then(|| {
                let joining = thread::spawn(move || joining.join("group"));
                [joining, thread::spawn(move || leaving.leave("group"))]
            });
            async move {
                while socket.recv().await.is_ok() {}
                for thread in threads.into_iter().flatten() {
                    thread.join().unwrap();
                }
            }
        }));
        let mut changes = running.server.group_changes();
        let socket = running.connect(WAYS[0].1).await;
        let watching = future::spawn(async move {
            let mut groups = BTreeSet::new();
            while !groups.iter().map(|name: &Arc<str>| &**name).eq(["last"]) {
                for change in changes.next().await {
                    let name = Arc::clone(&change.name);
                    let is_news = if change.exists { groups.insert(name) } else { groups.remove(&name) };
                    assert!(is_news, "{change:?} is known already");
                }
            }
        });
        socket.close();
        socket.closed().await;
        let last = running.connect(&[Transport::Polling]).await;
        running.server.get(last.handshake().sid()).unwrap().join("last");
        watching.await.unwrap();
        last.close();
        last.closed().await;
        running.end().await;
    });
}

#[test]
fn a_broadcast_reaches_each_member_once_and_in_order() {
    explore("a_broadcast_reaches_each_member_once_and_in_order", "", Clock::Stands, || async {
        let running = Running::start(Server::builder(|mut socket: Socket| async move {
            socket.join("group");
            socket.send("joined").await.unwrap();
            while socket.recv().await.is_ok() {}
        }));
        let mut sockets = [running.connect(WAYS[0].1).await, running.connect(WAYS[1].1).await];
        for socket in &mut sockets {
            assert_eq!(socket.recv().await.unwrap(), Message::from("joined"));
        }
        let server = running.server.clone();
        let sending = thread::spawn(move || {
            for number in 0..3 {
                server.send_to(&Audience::group("group"), Message::binary(vec![number]));
            }
        });
        for socket in &mut sockets {
            for number in 0..3 {
                assert_eq!(socket.recv().await.unwrap(), Message::binary(vec![number]));
            }
        }
        sending.join().unwrap();
        for socket in sockets {
            socket.close();
            socket.closed().await;
        }
        running.end().await;
    });
}
