//! A connection in memory whose bytes take their time, so that what both ends say at once crosses on the way.

use core::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

const ROOM: usize = 1 << 16;

/// Both ends of a connection on which everything, its end included, arrives `latency` after it was said.
pub(crate) fn link(latency: Duration) -> (DuplexStream, DuplexStream) {
    let (ours, near) = tokio::io::duplex(ROOM);
    let (far, theirs) = tokio::io::duplex(ROOM);
    let (near_reader, near_writer) = tokio::io::split(near);
    let (far_reader, far_writer) = tokio::io::split(far);
    carry(near_reader, far_writer, latency);
    carry(far_reader, near_writer, latency);
    (ours, theirs)
}

fn carry(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, latency: Duration) {
    let (sender, mut on_the_way) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut chunk = vec![0; ROOM];
        loop {
            let len = from.read(&mut chunk).await.unwrap_or(0);
            let arrives = Instant::now() + latency;
            // An empty chunk is the end. Nobody takes what comes after the other side has gone.
            if sender.send((arrives, chunk[..len].to_vec())).is_err() || len == 0 {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((arrives, chunk)) = on_the_way.recv().await {
            tokio::time::sleep_until(arrives).await;
            if chunk.is_empty() || to.write_all(&chunk).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    });
}
