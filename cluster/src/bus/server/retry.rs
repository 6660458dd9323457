//! Connecting, again and again.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::io;

use eio_core::Instant;
use eio_core::backoff::Backoff;
use tokio::time;

use crate::bus::Port;
use crate::bus::server::{ServerUrl, Settings};

/// A kind of server.
pub(crate) trait Protocol: Send + Sync {
    /// A connection on which the server has accepted us.
    type Connection: Send;

    fn settings(&self) -> &Settings;

    /// Connects to a server.
    fn open(&self, url: &ServerUrl) -> impl Future<Output = Result<Self::Connection, Broken>> + Send;

    /// Moves messages between the server and the port, until one of them ends.
    fn serve(&self, connection: Self::Connection, port: &mut Port) -> impl Future<Output = Ended> + Send;
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The node needs it no more.
    Closed,
    Broken(Broken),
}

/// Why a connection is lost, or could not be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    cause: String,
    /// The server does not want us: to ask again at once is of no use, and looks like guessing passwords.
    is_refusal: bool,
}

impl Broken {
    pub(crate) fn new(cause: impl fmt::Display) -> Self {
        Self { cause: cause.to_string(), is_refusal: false }
    }

    pub(crate) fn refused(cause: impl fmt::Display) -> Self {
        Self { cause: cause.to_string(), is_refusal: true }
    }

    /// Says where in the connection it happened.
    #[cfg(any(feature = "redis", feature = "tls"))]
    pub(crate) fn within(self, place: &str) -> Self {
        Self { cause: format!("{place}: {}", self.cause), ..self }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

/// Keeps the port connected until it ends: to one of the servers, which are tried in turn.
pub(crate) async fn keep(protocol: impl Protocol, mut port: Port) {
    let settings = protocol.settings();
    let start = time::Instant::now();
    let now = || Instant::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut backoff = backoff();
    // Each node begins with another one.
    let first = usize::try_from(random()).unwrap_or(0);
    let turns = settings.urls.iter().cycle().skip(first % settings.urls.len().max(1));
    for url in turns {
        let opened = tokio::select! {
            opened = time::timeout(settings.patience(), protocol.open(url)) => opened,
            () = closed(&mut port) => return,
        };
        let broken = match opened {
            Ok(Ok(connection)) => {
                backoff.handle_connected(now());
                match protocol.serve(connection, &mut port).await {
                    Ended::Closed => return,
                    Ended::Broken(broken) => broken,
                }
            }
            Ok(Err(broken)) => broken,
            Err(_) => Broken::new(format_args!("no answer within {:?}", settings.patience())),
        };
        port.down(format_args!("{url}: {}", broken.cause));
        backoff.handle_disconnected(now());
        let delay = backoff.next_delay(random());
        let delay = if broken.is_refusal { delay + REFUSED } else { delay };
        tokio::select! {
            () = time::sleep(delay) => {}
            () = closed(&mut port) => return,
        }
    }
}

/// How much longer to wait where the server does not want us.
const REFUSED: Duration = Duration::from_secs(10);

/// At first 100 to 200 ms, so that a server that restarts is soon found, and at most 5 s.
fn backoff() -> Backoff {
    let (min, max) = (Duration::from_millis(100), Duration::from_secs(5));
    Backoff::new(min, max).unwrap_or(Backoff::DEFAULT)
}

/// Waits until the node needs the bus no more. Nothing else comes from a port that is down.
async fn closed(port: &mut Port) {
    while port.next().await.is_some() {}
}

/// Spreads nodes. Where the system has no random numbers, they are not spread.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;

    use super::*;
    use crate::bus::server::Scheme;
    use crate::bus::{Bus, BusState, Direct};

    /// Servers that do not want us, or break each connection at once.
    struct Never {
        settings: Settings,
        attempts: Arc<AtomicU32>,
        answer: fn() -> Result<(), Broken>,
    }

    impl Protocol for Never {
        type Connection = ();

        fn settings(&self) -> &Settings {
            &self.settings
        }

        async fn open(&self, _: &ServerUrl) -> Result<(), Broken> {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            (self.answer)()
        }

        async fn serve(&self, (): (), port: &mut Port) -> Ended {
            port.up();
            Ended::Broken(Broken::new("it breaks"))
        }
    }

    impl Bus for Never {
        fn run(self: Box<Self>, port: Port) -> core::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(keep(*self, port))
        }
    }

    const SCHEME: Scheme = Scheme { plain: "redis", tls: "rediss", port: 1, has_database: false };

    async fn attempts_in_a_minute(answer: fn() -> Result<(), Broken>) -> (u32, String) {
        let settings = Settings::new(["redis://ann:secret@a", "redis://ann:secret@b"], &SCHEME).unwrap();
        let attempts = Arc::new(AtomicU32::new(0));
        let bus = Never { settings, attempts: Arc::clone(&attempts), answer };
        let node = Direct::start("eio", bus, |_| {}).unwrap();
        time::sleep(Duration::from_mins(1)).await;
        let status = node.status();
        assert_eq!(status.state, BusState::Down);
        drop(node);
        time::sleep(Duration::from_millis(1)).await;
        let count = attempts.load(Ordering::Relaxed);
        time::sleep(Duration::from_mins(10)).await;
        assert_eq!(attempts.load(Ordering::Relaxed), count, "it ends when the node needs it no more");
        (count, status.cause.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_gone_is_looked_for_often_and_one_that_refuses_us_is_not() {
        let (attempts, cause) = attempts_in_a_minute(|| Err(Broken::new("gone"))).await;
        assert!((15..60).contains(&attempts), "{attempts}");
        assert!(cause == "redis://a:1: gone" || cause == "redis://b:1: gone", "{cause}");
        let (attempts, cause) = attempts_in_a_minute(|| Err(Broken::refused("wrong password"))).await;
        assert!((4..8).contains(&attempts), "{attempts}");
        assert!(!cause.contains("secret"), "{cause}");
        // One that accepts us and breaks at once is not healthy either.
        let (attempts, _) = attempts_in_a_minute(|| Ok(())).await;
        assert!((15..60).contains(&attempts), "{attempts}");
    }
}
