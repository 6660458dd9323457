//! The server ends, or is full, while clients come.

use core::future::pending;
use core::time::Duration;

use eio_schedules::{Clock, explore};
use eio_tokio::{Server, Socket};
use shuttle::future;

use crate::running::{Running, WAYS};

async fn read(mut socket: Socket) {
    while socket.recv().await.is_ok() {}
}

#[test]
fn a_client_that_comes_during_a_shutdown_is_served_or_refused_and_nobody_waits() {
    for (way, transports, clock) in WAYS {
        let name = "a_client_that_comes_during_a_shutdown_is_served_or_refused_and_nobody_waits";
        explore(name, way, clock, || async {
            let running = Running::start(Server::builder(read));
            let closing = running.server.closing();
            let client = running.client(transports);
            let coming = future::spawn(async move {
                if let Ok(mut socket) = client.connect().await {
                    while socket.recv().await.is_ok() {}
                }
            });
            let told = future::spawn(closing);
            running.end().await;
            told.await.unwrap();
            coming.await.unwrap();
        });
    }
}

#[test]
fn a_full_server_takes_the_next_connection_as_soon_as_one_ends() {
    explore("a_full_server_takes_the_next_connection_as_soon_as_one_ends", "", Clock::Stands, || async {
        let running = Running::start(Server::builder(read).max_connections(1));
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let client = running.client(WAYS[0].1);
                future::spawn(async move {
                    let socket = client.connect().await.unwrap();
                    socket.close();
                    socket.closed().await;
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        running.end().await;
    });
}

#[test]
fn a_shutdown_cuts_an_application_off_that_never_returns_and_cleans_up_after_it() {
    for (way, transports, _) in WAYS {
        let name = "a_shutdown_cuts_an_application_off_that_never_returns_and_cleans_up_after_it";
        explore(name, way, Clock::Moves, || async {
            let running = Running::start(Server::builder(|socket: Socket| async move {
                let _socket = socket;
                pending::<()>().await;
            }));
            let mut socket = running.connect(transports).await;
            let reading = future::spawn(async move { while socket.recv().await.is_ok() {} });
            let cut_off = running.end_within(Duration::from_secs(1)).await;
            assert_eq!((cut_off.sessions, cut_off.applications, cut_off.connections), (0, 1, 0));
            reading.await.unwrap();
        });
    }
}
