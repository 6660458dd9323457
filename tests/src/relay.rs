//! A link between two programs of one machine: a relay in user space that delays bytes, loses some and is slow.
//!
//! ```text
//!   client ──▶ relay ──▶ server      each direction by itself: what comes first arrives first
//!          ◀──       ◀──
//! ```
//!
//! TCP hides loss behind time: what was lost is sent again, and what came behind it waits. So a lost segment arrives
//! late here, too, and holds up those behind it. Ends and resets travel like bytes, which is what lets an end cross a
//! request on its way.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::world::Random;

/// The most bytes that travel together.
const SEGMENT: usize = 16 * 1024;

/// How many segments are under way in one direction before the relay stops reading.
const SEGMENTS: usize = 64;

/// How many connections a relay carries. Further ones wait to be accepted.
const CONNECTIONS: usize = 4_096;

/// What a link does to what crosses it, in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    delay: Duration,
    loss: Option<Loss>,
    bytes_per_second: Option<u32>,
}

/// One segment out of this number is lost: it arrives later, by the time that it takes to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loss {
    one_in: u32,
    repeated_after: Duration,
}

impl Link {
    /// A link that takes this long one way.
    #[must_use]
    pub const fn delayed(delay: Duration) -> Self {
        Self { delay, loss: None, bytes_per_second: None }
    }

    /// Loses one segment in `one_in`, which is sent again after that time.
    #[must_use]
    pub const fn losing(self, one_in: u32, repeated_after: Duration) -> Self {
        Self { loss: Some(Loss { one_in, repeated_after }), ..self }
    }

    /// Carries no more than that many bytes a second.
    #[must_use]
    pub const fn slow(self, bytes_per_second: u32) -> Self {
        Self { bytes_per_second: Some(bytes_per_second), ..self }
    }

    /// How long it takes to send this number of bytes.
    fn busy(&self, bytes: usize) -> Duration {
        self.bytes_per_second.map_or(Duration::ZERO, |rate| {
            Duration::from_secs(bytes as u64).checked_div(rate).unwrap_or(Duration::MAX)
        })
    }
}

/// A running relay. Dropping it cuts every connection that it carries.
#[derive(Debug)]
pub struct Relay {
    /// Where clients connect to.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Carries every connection over such a link to `target`.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(target: SocketAddr, link: Link) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, target, link)) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Dropped with its task, which takes the connections with it.
async fn accept(listener: TcpListener, target: SocketAddr, link: Link) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    for seed in 0.. {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((client, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            // What goes wrong is what a client sees: its connection is reset.
            let _ = connect(client, target, link, seed).await;
            drop(place);
        });
    }
}

async fn connect(mut client: TcpStream, target: SocketAddr, link: Link, seed: u64) -> io::Result<()> {
    let mut server = match TcpStream::connect(target).await {
        Ok(server) => server,
        Err(error) => {
            client.set_zero_linger()?;
            return Err(error);
        }
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let carried = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = carry(from_client, to_server, link, Random::new(seed << 1));
        let down = carry(from_server, to_client, link, Random::new(seed << 1 | 1));
        tokio::try_join!(up, down)
    };
    if carried.is_err() {
        // Closed, not shut down: the kernel then sends a reset.
        client.set_zero_linger()?;
        server.set_zero_linger()?;
    }
    carried.map(drop)
}

/// What is under way.
enum Segment {
    Bytes(Vec<u8>),
    End,
    Reset(io::Error),
}

/// Carries one direction to its end.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    link: Link,
    mut random: Random,
) -> io::Result<()> {
    let (depart, mut arrive) = mpsc::channel::<(Instant, Segment)>(SEGMENTS);
    let departing = async move {
        let mut free = Instant::now();
        let mut due = free;
        loop {
            let mut bytes = vec![0; SEGMENT];
            let segment = match from.read(&mut bytes).await {
                Ok(0) => Segment::End,
                Ok(len) => {
                    bytes.truncate(len);
                    free = free.max(Instant::now()) + link.busy(len);
                    Segment::Bytes(bytes)
                }
                Err(error) => Segment::Reset(error),
            };
            let lost = link.loss.filter(|loss| random.one_in(loss.one_in.into()));
            let late = lost.map_or(Duration::ZERO, |loss| loss.repeated_after);
            due = due.max(free.max(Instant::now()) + link.delay + late);
            let is_last = !matches!(segment, Segment::Bytes(_));
            if depart.send((due, segment)).await.is_err() || is_last {
                return;
            }
        }
    };
    let arriving = async move {
        while let Some((due, segment)) = arrive.recv().await {
            sleep_until(due).await;
            let arrived = match segment {
                Segment::Bytes(bytes) => to.write_all(&bytes).await,
                Segment::End => return to.shutdown().await,
                Segment::Reset(error) => return Err(error),
            };
            if let Err(error) = arrived {
                // The news of it travels back over the link.
                sleep(link.delay).await;
                return Err(error);
            }
        }
        Ok(())
    };
    let (arrived, ()) = tokio::join!(arriving, departing);
    arrived
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const DELAY: Duration = Duration::from_millis(20);

    /// Both ends of a link.
    fn link(link: Link) -> (DuplexStream, DuplexStream) {
        let (near, from) = duplex(1 << 20);
        let (to, far) = duplex(1 << 20);
        tokio::spawn(carry(from, to, link, Random::new(1)));
        (near, far)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_arrive_after_the_delay_and_the_end_behind_them() {
        let (mut near, mut far) = link(Link::delayed(DELAY));
        let start = Instant::now();
        near.write_all(b"one").await.unwrap();
        near.shutdown().await.unwrap();
        let mut read = [0; 3];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!((&read, start.elapsed()), (b"one", DELAY));
        assert_eq!(far.read(&mut read).await.unwrap(), 0);
        assert_eq!(start.elapsed(), DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_a_lost_segment_waits_for_it() {
        let again = Duration::from_millis(200);
        let (mut near, mut far) = link(Link::delayed(DELAY).losing(1, again));
        let start = Instant::now();
        near.write_all(b"lost").await.unwrap();
        sleep(Duration::from_millis(5)).await;
        near.write_all(b"behind").await.unwrap();
        let mut read = [0; 10];
        far.read_exact(&mut read[..4]).await.unwrap();
        assert_eq!(start.elapsed(), DELAY + again);
        far.read_exact(&mut read[4..]).await.unwrap();
        assert_eq!(&read, b"lostbehind");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_takes_the_time_of_its_bytes() {
        let (mut near, mut far) = link(Link::delayed(DELAY).slow(10_000));
        let start = Instant::now();
        near.write_all(&vec![0; 50_000]).await.unwrap();
        let mut read = vec![0; 50_000];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(5) + DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stands_still_holds_the_writer_up() {
        let (near, from) = duplex(1);
        let (to, far) = duplex(1);
        tokio::spawn(carry(from, to, Link::delayed(DELAY), Random::new(1)));
        let mut near = near;
        let written = tokio::time::timeout(Duration::from_mins(1), near.write_all(&[0; 10 * SEGMENTS])).await;
        assert!(written.is_err(), "everything was taken, although nobody reads");
        drop(far);
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_a_reset_at_the_client() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::start(nobody.local_addr().unwrap(), Link::delayed(Duration::ZERO)).await.unwrap();
        let mut client = TcpStream::connect(relay.address).await.unwrap();
        let (server, _) = nobody.accept().await.unwrap();
        server.set_zero_linger().unwrap();
        drop(server);
        let error = client.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
