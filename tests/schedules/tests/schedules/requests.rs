//! Polling requests that a client sends beside each other.

use eio_schedules::{Clock, explore};
use eio_tokio::core::session::Violation;
use eio_tokio::test_util::{Link, NetworkStream};
use eio_tokio::{DisconnectReason, Server, Socket};
use shuttle::future;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::running::Running;

/// Sends a request over a connection of its own.
async fn send(link: &Link, method: &str, query: &str, body: &str) -> NetworkStream {
    let mut stream = link.connect().await.unwrap();
    let head = format!(
        "{method} /engine.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nhost: host.test\r\nconnection: close\r\n\
         content-type: text/plain\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream
}

/// Sends a request, and returns the status and the body of its answer.
async fn request(link: &Link, method: &str, query: &str, body: &str) -> (u16, String) {
    let mut stream = send(link, method, query, body).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Opens a session, and returns the query that names it.
async fn open(link: &Link) -> String {
    let (status, body) = request(link, "GET", "", "").await;
    assert_eq!(status, 200, "{body}");
    let (_, rest) = body.split_once("\"sid\":\"").unwrap();
    format!("&sid={}", rest.split('"').next().unwrap())
}

#[test]
fn a_poll_and_a_post_beside_each_other_both_end() {
    explore("a_poll_and_a_post_beside_each_other_both_end", "", Clock::Stands, || async {
        let running = Running::start(Server::builder(|mut socket: Socket| async move {
            while let Ok(message) = socket.recv().await {
                socket.send(message).await.unwrap();
            }
        }));
        let link = running.network.link();
        let sid = open(&link).await;
        let polling = future::spawn({
            let (link, sid) = (link.clone(), sid.clone());
            async move { request(&link, "GET", &sid, "").await }
        });
        assert_eq!(request(&link, "POST", &sid, "4one").await, (200, "ok".to_owned()));
        assert_eq!(polling.await.unwrap(), (200, "4one".to_owned()));
        let polling = future::spawn({
            let (link, sid) = (link.clone(), sid.clone());
            async move { request(&link, "GET", &sid, "").await }
        });
        assert_eq!(request(&link, "POST", &sid, "1").await.0, 200);
        // It comes before the end or after it.
        let (status, body) = polling.await.unwrap();
        assert!(
            status == 400 || (status, &*body) == (200, "6") || (status, &*body) == (200, "1"),
            "{status} {body}"
        );
        running.end().await;
    });
}

#[test]
fn two_polls_beside_each_other_end_the_session_and_both_are_answered() {
    explore(
        "two_polls_beside_each_other_end_the_session_and_both_are_answered",
        "",
        Clock::Stands,
        || async {
            let running = Running::start(Server::builder(|mut socket: Socket| async move {
                let end = socket.recv().await.unwrap_err();
                assert_eq!(end.reason, DisconnectReason::Violation(Violation::OverlappingRequests));
            }));
            let link = running.network.link();
            let sid = open(&link).await;
            let polls = [0, 1].map(|_| {
                let (link, sid) = (link.clone(), sid.clone());
                future::spawn(async move { request(&link, "GET", &sid, "").await })
            });
            for poll in polls {
                poll.await.unwrap();
            }
            running.end().await;
        },
    );
}

#[test]
fn a_client_that_leaves_its_poll_keeps_nobody_waiting() {
    explore("a_client_that_leaves_its_poll_keeps_nobody_waiting", "", Clock::Stands, || async {
        let running = Running::start(Server::builder(|mut socket: Socket| async move {
            while let Ok(message) = socket.recv().await {
                if socket.send(message).await.is_ok() {
                    let _ = socket.flush().await;
                }
            }
        }));
        let link = running.network.link();
        let sid = open(&link).await;
        let poll = send(&link, "GET", &sid, "").await;
        let leaving = future::spawn(async move { drop(poll) });
        // Before the session's end or after it.
        for packet in ["4one", "1"] {
            let (status, body) = request(&link, "POST", &sid, packet).await;
            assert!(status == 200 || status == 400, "{status} {body}");
        }
        leaving.await.unwrap();
        running.end().await;
    });
}
