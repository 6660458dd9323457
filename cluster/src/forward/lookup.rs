//! The names of nodes in DNS. Clients choose the nodes that they ask for, so they choose names, too.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many names of nodes that were not reached are looked up at once. A lookup takes one of the runtime's threads for blocking
/// work, of which there are 512 by default, and the bus and all other connections by name need them as well.
const UNREACHED: usize = 64;

/// Looks up the names of nodes.
pub(super) struct Lookups {
    places: Arc<Semaphore>,
}

impl Lookups {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(UNREACHED)) }
    }

    /// Returns the addresses of a host. The name of a node that was not reached before may have to wait.
    pub(super) async fn addresses(
        &self,
        host: &str,
        port: u16,
        was_reached: bool,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let host = host.to_owned();
        let look = move || Ok((host.as_str(), port).to_socket_addrs()?.collect());
        self.run(was_reached, look).await
    }

    async fn run<T: Send + 'static>(
        &self,
        was_reached: bool,
        look: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let place = if was_reached {
            None
        } else {
            Some(Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?)
        };
        // It goes on when nobody waits for it any more, and keeps its place until it has ended.
        let looked = spawn_blocking(move || {
            let found = look();
            drop(place);
            found
        });
        looked.await?
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;
    use tokio::sync::mpsc;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn made_up_names_take_so_many_threads_also_when_nobody_waits_for_them_and_known_ones_do_not_wait() {
        let lookups = Arc::new(Lookups::new());
        let gate = Arc::new(Semaphore::new(0));
        let (tell, mut heard) = mpsc::unbounded_channel();
        let begin = |was_reached| {
            let (lookups, gate, tell) = (Arc::clone(&lookups), Arc::clone(&gate), tell.clone());
            tokio::spawn(async move {
                let look = move || {
                    tell.send(was_reached).unwrap();
                    Handle::current().block_on(gate.acquire()).unwrap().forget();
                    Ok(())
                };
                lookups.run(was_reached, look).await.unwrap();
            })
        };
        let waiting: Vec<_> = (0..2 * UNREACHED).map(|_| begin(false)).collect();
        for _ in 0..UNREACHED {
            assert_eq!(heard.recv().await, Some(false));
        }
        begin(true);
        assert_eq!(heard.recv().await, Some(true));
        for waiting in waiting {
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
        }
        let next = begin(false);
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(heard.try_recv().is_err());
        gate.add_permits(UNREACHED + 2);
        assert_eq!(heard.recv().await, Some(false));
        next.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_needs_no_lookup() {
        let lookups = Lookups::new();
        lookups.places.close();
        let found = lookups.addresses("2001:db8::7", 3_000, false).await.unwrap();
        assert_eq!(found, ["[2001:db8::7]:3000".parse().unwrap()]);
    }
}
