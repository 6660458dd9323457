//! Well-behaved sessions, which have to go on as if nothing happened.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use core::time::Duration;

use eio_tests::raw::text;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::connection::Connection;

/// A message this often.
const PAUSE: Duration = Duration::from_millis(50);

/// One session on WebSocket and one on polling.
pub(crate) struct Bystanders {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<io::Result<Seen>>,
}

/// What a session saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) echoes: u32,
    pub(crate) pings: u32,
    /// The longest that a message was on its way there and back.
    pub(crate) slowest: Duration,
}

impl Bystanders {
    pub(crate) const COUNT: u64 = 2;

    pub(crate) async fn join(address: SocketAddr) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (websocket, _) = Connection::open_websocket(address).await?;
        let mut polls = Connection::open(address).await?;
        let posts = Connection::open(address).await?;
        let sid = polls.open_polling(4).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(talk_on_websocket(websocket, Arc::clone(&stop)));
        tasks.spawn(talk_on_polling(polls, posts, sid, Arc::clone(&stop)));
        Ok(Self { stop, tasks })
    }

    /// Panics when one was ended before its time, and says what by.
    pub(crate) fn are_there(&mut self) {
        if let Some(ended) = self.tasks.try_join_next() {
            panic!("a well-behaved session ended: {ended:?}");
        }
    }

    /// Ends both sessions once they have been pinged, and says what they saw. An error is what ended one before its
    /// time.
    pub(crate) async fn leave(mut self) -> io::Result<Vec<Seen>> {
        self.stop.store(true, Ordering::SeqCst);
        let mut seen = Vec::new();
        while let Some(task) = self.tasks.join_next().await {
            seen.push(task.map_err(io::Error::other)??);
        }
        Ok(seen)
    }
}

async fn talk_on_websocket(mut connection: Connection, stop: Arc<AtomicBool>) -> io::Result<Seen> {
    let mut seen = Seen::default();
    while seen.pings == 0 || !stop.load(Ordering::SeqCst) {
        let message = format!("4message {}", seen.echoes);
        let sent = Instant::now();
        connection.send(&text(&message)).await?;
        loop {
            let frame = connection.frame().await?;
            if frame.payload == b"2" {
                seen.pings += 1;
                connection.send(&text("3")).await?;
            } else if frame.payload == message.as_bytes() {
                break;
            } else {
                return Err(io::Error::other(format!("not what was sent: {frame:?}")));
            }
        }
        seen.echoes += 1;
        seen.slowest = seen.slowest.max(sent.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seen)
}

async fn talk_on_polling(
    mut polls: Connection,
    mut posts: Connection,
    sid: String,
    stop: Arc<AtomicBool>,
) -> io::Result<Seen> {
    let query = format!("EIO=4&transport=polling&sid={sid}");
    let mut seen = Seen::default();
    while seen.pings == 0 || !stop.load(Ordering::SeqCst) {
        let message = format!("4message {}", seen.echoes);
        let sent = Instant::now();
        post(&mut posts, &query, &message).await?;
        let mut is_back = false;
        while !is_back {
            let answer = polls.get(&query).await?;
            if answer.status != 200 {
                return Err(io::Error::other(format!("{answer:?}")));
            }
            for packet in answer.body.split('\x1e') {
                if packet == "2" {
                    seen.pings += 1;
                    post(&mut posts, &query, "3").await?;
                } else if packet == message {
                    is_back = true;
                } else {
                    return Err(io::Error::other(format!("not what was sent: {packet}")));
                }
            }
        }
        seen.echoes += 1;
        seen.slowest = seen.slowest.max(sent.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seen)
}

async fn post(posts: &mut Connection, query: &str, packet: &str) -> io::Result<()> {
    let answer = posts.post(query, "text/plain;charset=UTF-8", packet.as_bytes()).await?;
    if answer.status == 200 { Ok(()) } else { Err(io::Error::other(format!("{answer:?}"))) }
}
