//! Limits of time, which the moving clock reaches while others act.

use core::time::Duration;

use eio_schedules::{Clock, explore};
use eio_tokio::core::Heartbeat;
use eio_tokio::{DisconnectReason, Server, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::running::{Running, Tasks};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_close_in_the_tick_of_the_ping_timeout_changes_no_reason_and_leaves_nobody_waiting() {
    let name = "a_close_in_the_tick_of_the_ping_timeout_changes_no_reason_and_leaves_nobody_waiting";
    explore(name, "", Clock::Moves, || async {
        let tasks = Tasks::default();
        let waiting = tasks.clone();
        let builder = Server::builder(move |mut socket: Socket| {
            let closing = socket.sender();
            waiting.spawn(async move {
                tokio::time::sleep(ms(500)).await;
                closing.close();
            });
            let [one, other] = [socket.sender(), socket.sender()];
            waiting.spawn(async move {
                assert_eq!(one.closed().await.reason, other.closed().await.reason);
            });
            async move {
                // The deadline has passed, whatever comes at the same time.
                assert_eq!(socket.recv().await.unwrap_err().reason, DisconnectReason::PingTimeout);
                assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
            }
        });
        let running = Running::start(builder.heartbeat(Heartbeat::new(ms(300), ms(200)).unwrap()));
        let mut silent = running.network.link().connect().await.unwrap();
        let head = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: host.test\r\nconnection: upgrade\r\n\
                    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        silent.write_all(head.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        while silent.read_buf(&mut received).await.is_ok_and(|bytes| bytes > 0) {}
        running.end().await;
        tasks.end().await;
    });
}
