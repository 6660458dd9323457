//! Connections to hosts, whose names may have several addresses.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long an address has for itself: the "Connection Attempt Delay" of RFC 8305, section 5.
const DELAY: Duration = Duration::from_millis(250);

/// Connects to that address of a host which first takes the connection. `limit` is what the caller waits.
///
/// # Errors
/// Returns an error if there is no address, or the last one if all of them have failed.
pub(crate) async fn connect(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let stream = connect_to_one(addresses, limit, TcpStream::connect).await?;
    // Otherwise a heartbeat that follows a message would wait for an acknowledgement.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Tries addresses in their order, each after [`DELAY`] or as soon as all before it have failed. Those before it go on: one that
/// takes no packets hides no other, and a slow one is not cut short. With very many addresses, the delay is shorter, so that each
/// is tried within `limit`.
async fn connect_to_one<S, F>(
    addresses: &[SocketAddr],
    limit: Duration,
    dial: impl Fn(SocketAddr) -> F,
) -> io::Result<S>
where
    S: Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
{
    let delay = DELAY.min(limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1));
    let mut untried = addresses.iter().copied();
    let mut dials = JoinSet::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = untried.next() {
            dials.spawn(dial(address));
        }
        let dialled = tokio::select! {
            biased;
            dialled = dials.join_next() => dialled,
            () = sleep(delay), if untried.len() > 0 => continue,
        };
        match dialled {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => failed = error,
            Some(Err(error)) => failed = error.into(),
            None => return Err(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::future::pending;

    use tokio::time::{Instant, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    /// Dials addresses of which these ports take no packets. The others take the connection, or, below 10, refuse it.
    async fn dial(ports: &[u16], dead: &'static [u16]) -> (io::Result<u16>, Duration) {
        let addresses: Vec<_> = ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect();
        let began = Instant::now();
        let dialled = connect_to_one(&addresses, LIMIT, |address: SocketAddr| async move {
            match address.port() {
                port if dead.contains(&port) => pending().await,
                port @ 10.. => Ok(port),
                port => Err(io::Error::other(port.to_string())),
            }
        });
        (timeout(LIMIT, dialled).await.expect("an answer in time"), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_takes_no_packets_hides_no_other() {
        for (ports, port, took) in [
            ([10, 11, 12], 10, Duration::ZERO),
            ([20, 10, 11], 10, DELAY),
            ([20, 1, 10], 10, DELAY),
            ([1, 20, 10], 10, DELAY),
            ([20, 21, 10], 10, 2 * DELAY),
            ([1, 2, 10], 10, Duration::ZERO),
        ] {
            let (dialled, elapsed) = dial(&ports, &[20, 21]).await;
            assert_eq!((dialled.unwrap(), elapsed), (port, took), "{ports:?}");
        }
        // However many there are, each has its turn.
        let mut ports = [20; 200];
        ports[199] = 10;
        assert_eq!(dial(&ports, &[20]).await.0.unwrap(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_is_not_cut_short() {
        let addresses = [20, 21].map(|port| ([127, 0, 0, 1], port).into());
        let dialled = connect_to_one(&addresses, LIMIT, |address| async move {
            let wait = if address.port() == 20 { LIMIT * 9 / 10 } else { 2 * LIMIT };
            sleep(wait).await;
            Ok(address.port())
        });
        assert_eq!(timeout(LIMIT, dialled).await.unwrap().unwrap(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_address_that_takes_the_connection_there_is_an_error_at_once() {
        let (dialled, elapsed) = dial(&[1, 2], &[]).await;
        assert_eq!((dialled.unwrap_err().to_string().as_str(), elapsed), ("2", Duration::ZERO));
        let (dialled, elapsed) = dial(&[], &[]).await;
        assert_eq!((dialled.unwrap_err().kind(), elapsed), (io::ErrorKind::NotFound, Duration::ZERO));
    }
}
