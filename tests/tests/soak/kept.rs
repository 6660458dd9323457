//! The life of a client that keeps its sockets.

use core::net::SocketAddr;
use std::io;

use eio_tests::interop::{KeptSockets, PATIENCE};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::fleet::{Pings, until};

const LAST: &str = "4still there?";

pub(crate) async fn open(address: SocketAddr) -> Result<KeptSockets, String> {
    in_time("the session did not open", KeptSockets::open(address)).await
}

/// Answers every ping until the end, then asks for an echo.
pub(crate) async fn live(
    client: KeptSockets,
    stopped: &mut watch::Receiver<bool>,
    pings: &Pings,
) -> Result<(), String> {
    let KeptSockets { mut polls, mut data, query, .. } = client;
    let mut asked = false;
    loop {
        polls.send("GET", &query, "").await.map_err(|error| format!("a poll: {error}"))?;
        let answer = loop {
            tokio::select! {
                answer = polls.answer() => break answer,
                () = until(stopped), if !asked => {
                    asked = true;
                    in_time("the last message", data.request("POST", &query, LAST)).await?;
                }
                () = tokio::time::sleep(PATIENCE), if asked => return Err("no echo came".to_owned()),
            }
        };
        for packet in answer.map_err(|error| format!("the answer to a poll: {error}"))?.split('\u{1e}') {
            match packet {
                "2" => {
                    pings.count();
                    in_time("a pong", data.request("POST", &query, "3")).await?;
                }
                LAST => return in_time("the close", data.request("POST", &query, "1")).await.map(drop),
                other => return Err(format!("expected a ping, but {other:?} came")),
            }
        }
    }
}

async fn in_time<T>(what: &str, exchange: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    let outcome = timeout(PATIENCE, exchange).await.map_err(|late| format!("{what}: {late}"))?;
    outcome.map_err(|error| format!("{what}: {error}"))
}
