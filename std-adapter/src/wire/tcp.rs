//! Connects to a host that may have several addresses: to the one that answers first (RFC 8305).
//!
//! An address whose packets are dropped on the way answers nothing for minutes. So it gets a head start, and no time limit:
//! the next address is tried beside it, and a slow one is not cut short.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
#[cfg(feature = "client")]
use tokio::net::lookup_host;
use tokio::time::timeout;

/// The time between the beginnings of two attempts (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);
/// The time in which all attempts begin, if there are many addresses: shorter than any limit on opening a connection.
const ALL_BEGIN: Duration = Duration::from_secs(2);
/// How many addresses of a host are tried.
const MOST: usize = 64;

/// Connects to a host.
#[cfg(feature = "client")]
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    connect_to(lookup_host((host, port)).await?.collect()).await
}

/// Connects to a host with these addresses, in the order of the resolver. At most 64 of them are tried.
///
/// # Errors
/// Returns why no address takes the connection: that it is refused, if any refuses it, or the last other error.
pub async fn connect_to(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let stream = race(alternating(addresses), TcpStream::connect).await?;
    // Otherwise a heartbeat that follows a message would wait for an acknowledgement.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns addresses of both families in turn, so that a family that does not work at all delays the other by one head start
/// (RFC 8305 section 4). The resolver's first address stays the first.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = addresses.first().map(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| Some(address.is_ipv6()) == preferred);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    core::iter::from_fn(|| {
        let next = one.next().or_else(|| other.next());
        core::mem::swap(&mut one, &mut other);
        next
    })
    .take(MOST)
    .collect()
}

/// Returns the first connection that opens. An attempt begins when the one before it has failed or has had its head start.
async fn race<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let head_start = HEAD_START.min(ALL_BEGIN / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1));
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    let mut attempts = Vec::new();
    let mut addresses = addresses.into_iter();
    loop {
        attempts.extend(addresses.next().map(|address| Box::pin(connect(address))));
        if attempts.is_empty() {
            return Err(failure);
        }
        let ended = first_to_end(&mut attempts);
        let result = if addresses.len() > 0 {
            let Ok(result) = timeout(head_start, ended).await else { continue };
            result
        } else {
            ended.await
        };
        match result {
            Ok(stream) => return Ok(stream),
            // A refusal says the most: the host is there.
            Err(_) if failure.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => failure = error,
        }
    }
}

/// Returns the result of the first attempt that ends, and drops the attempt. There must be one.
async fn first_to_end<T, F: Future<Output = T>>(attempts: &mut Vec<Pin<Box<F>>>) -> T {
    poll_fn(|cx| {
        let mut ended = attempts.iter_mut().enumerate().filter_map(|(at, attempt)| {
            let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return None };
            Some((at, result))
        });
        let Some((at, result)) = ended.next() else { return Poll::Pending };
        drop(attempts.remove(at));
        Poll::Ready(result)
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Races addresses with these ports. A port is the outcome, and when it comes: an answer after so many milliseconds below
    /// 1,000, a refusal below 2,000, another error below 3,000, and nothing above. Returns the outcome, and when it came.
    async fn raced(ports: &[u16]) -> (Result<u16, io::ErrorKind>, u128) {
        let begin = Instant::now();
        let addresses = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        let result = race(addresses, async |address| {
            let port = address.port();
            tokio::time::sleep(Duration::from_millis(u64::from(port % 1_000))).await;
            match port / 1_000 {
                0 => Ok(port),
                1 => Err(io::ErrorKind::ConnectionRefused.into()),
                2 => Err(io::ErrorKind::NetworkUnreachable.into()),
                _ => core::future::pending().await,
            }
        });
        let result = result.await.map_err(|error| error.kind());
        (result, begin.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_costs_a_head_start_and_one_that_fails_costs_nothing() {
        use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, NetworkUnreachable};
        for (ports, result, at) in [
            (&[20][..], Ok(20), 20),
            (&[3_000, 20], Ok(20), 270),
            (&[3_000, 3_000, 3_000, 20], Ok(20), 770),
            (&[1_010, 2_010, 20], Ok(20), 40),
            // The one before it goes on.
            (&[300, 100], Ok(300), 300),
            (&[300, 20], Ok(20), 270),
            (&[900], Ok(900), 900),
            // A refusal in the meantime lets the next one begin.
            (&[3_000, 1_010, 20], Ok(20), 280),
            (&[1_010, 2_010], Err(ConnectionRefused), 20),
            (&[2_010, 1_010], Err(ConnectionRefused), 20),
            (&[2_010], Err(NetworkUnreachable), 10),
            (&[], Err(AddrNotAvailable), 0),
        ] {
            assert_eq!(raced(ports).await, (result, at), "{ports:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_addresses_each_has_its_turn_within_two_seconds() {
        let mut ports = [3_000; MOST];
        ports[MOST - 1] = 20;
        let (result, at) = raced(&ports).await;
        assert_eq!(result, Ok(20));
        assert!((1_900..2_100).contains(&at), "{at}");
        let addresses = vec![address("127.0.0.1:80"); 1_000];
        assert_eq!(alternating(addresses).len(), MOST);
    }

    #[test]
    fn families_take_turns_and_the_first_address_stays_the_first() {
        let order = |texts: &[&str]| {
            let ordered = alternating(texts.iter().map(|text| address(text)).collect());
            ordered.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let [four, other_four, six, other_six] = ["1.0.0.1:80", "1.0.0.2:80", "[::1]:80", "[::2]:80"];
        assert_eq!(order(&[six, other_six, four, other_four]), [six, four, other_six, other_four]);
        assert_eq!(order(&[four, other_four, six]), [four, six, other_four]);
        assert_eq!(order(&[four, six, other_six]), [four, six, other_six]);
        assert_eq!(order(&[four, other_four]), [four, other_four]);
        assert!(order(&[]).is_empty());
    }

    /// A full listener drops what asks for a connection, as a firewall does.
    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn a_host_whose_first_address_drops_packets_is_reached_by_its_second() {
        use socket2::{Domain, Socket, Type};

        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&address("127.0.0.2:0").into()).unwrap();
        full.listen(0).unwrap();
        let first = full.local_addr().unwrap().as_socket().unwrap();
        let ask = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&first.into());
            socket
        };
        let _asking = [ask(), ask(), ask()];

        let second = address(&format!("127.0.0.1:{}", first.port()));
        let _listener = tokio::net::TcpListener::bind(second).await.unwrap();
        let begin = Instant::now();
        let stream = race(vec![first, second], TcpStream::connect).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), second);
        assert_eq!(begin.elapsed(), HEAD_START);
    }

    #[cfg(feature = "client")]
    #[tokio::test]
    async fn a_name_and_a_literal_of_either_family_are_connected_to() {
        for (bound, host) in [("127.0.0.1:0", "localhost"), ("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")]
        {
            // Not every machine has IPv6.
            let Ok(listener) = tokio::net::TcpListener::bind(bound).await else { continue };
            let bound = listener.local_addr().unwrap();
            let stream = connect(host, bound.port()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), bound);
            assert!(stream.nodelay().unwrap());
        }
    }
}
