//! What applications store with sockets, whose code runs when it is cloned or dropped.

use std::time::Duration;

use eio_socketio::{Namespace, Recovery, Server, Socket};

use crate::support::{Diary, build, join, lose, settle};

/// Uses the server when it is dropped, as something that tells others who has gone does.
#[derive(Clone)]
struct Presence(Server, Diary);

impl Drop for Presence {
    fn drop(&mut self) {
        let told = self.0.emit("gone", ()).unwrap();
        self.1.note(format!("{} are told", told.sent));
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_application_has_stored_may_use_the_server_when_it_is_forgotten() {
    let diary = Diary::default();
    let notes = diary.clone();
    let namespace = Namespace::new().on_connect(move |socket: Socket| {
        let presence = Presence(socket.server(), notes.clone());
        async move {
            socket.insert(presence);
        }
    });
    let recovery = Recovery::new().max_sessions(1);
    let server = build(Server::builder().namespace("/", namespace).recovery(recovery));
    let mut pids = Vec::new();
    for _ in 0..3 {
        let (client, pid) = join(&server, "", "").await;
        settle().await;
        lose(client).await;
        pids.push(pid);
    }
    // Those of two sessions that there was no room for.
    assert_eq!(diary.lines().len(), 2, "{:?}", diary.lines());
    let (_client, same) = join(&server, "", &format!("{{\"pid\":\"{}\"}}", pids[2])).await;
    assert_eq!(same, pids[2]);
}

/// Cannot be cloned.
struct Unique;

impl Clone for Unique {
    fn clone(&self) -> Self {
        panic!("there is only one")
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_whose_data_cannot_be_cloned_leaves_and_comes_back_all_the_same() {
    let diary = Diary::default();
    let namespace = diary.of_ends().on_connect(|socket: Socket| async move {
        socket.insert(Unique);
    });
    let server = build(Server::builder().namespace("/", namespace).recovery(Recovery::new()));
    let (client, pid) = join(&server, "", "").await;
    settle().await;
    lose(client).await;
    assert_eq!(diary.lines(), ["transport close in []", "transport close in []"]);
    assert!(server.of("/").sockets().is_empty());
    let (_client, same) = join(&server, "", &format!("{{\"pid\":\"{pid}\"}}")).await;
    assert_eq!(same, pid);
    let socket = server.of("/").sockets().pop().unwrap();
    assert!(socket.remove::<Unique>().is_some());
}

/// Panics when it is dropped.
#[derive(Clone)]
struct Grenade(Diary);

impl Drop for Grenade {
    fn drop(&mut self) {
        self.0.note("bang");
        panic!("on purpose");
    }
}

/// Data of one client, which is forgotten when another one leaves, or when its time is over.
#[tokio::test(start_paused = true)]
async fn data_that_panics_when_it_is_forgotten_harms_nobody_else() {
    let diary = Diary::default();
    let notes = diary.clone();
    let namespace = diary.of_ends().on_connect(move |socket: Socket| {
        socket.insert(Grenade(notes.clone()));
        core::future::ready(())
    });
    let recovery = Recovery::new().max_sessions(2);
    let server = build(Server::builder().namespace("/", namespace).recovery(recovery));
    let mut pids = Vec::new();
    for _ in 0..3 {
        let (client, pid) = join(&server, "", "").await;
        settle().await;
        lose(client).await;
        pids.push(pid);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let left = ["transport close in []"; 2];
    assert_eq!(diary.lines(), [&left[..], &left, &["bang"], &left].concat());
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(diary.lines()[7..], ["bang"]);
    let (client, same) = join(&server, "", &format!("{{\"pid\":\"{}\"}}", pids[2])).await;
    assert_eq!(same, pids[2]);
    settle().await;
    lose(client).await;
    tokio::time::sleep(Duration::from_secs(123)).await;
    // One was replaced when the client came back, and one is forgotten.
    assert_eq!(diary.lines()[8..], [&["bang"][..], &left, &["bang"]].concat());
}
