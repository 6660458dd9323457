//! A program without sessions that speaks to the nodes.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::bus::{Bus, BusStatus, Limits, NotPublished, Receive, Sending, Subjects};
use crate::channel::To;
use crate::cluster::JoinError;
use crate::link::Link;

/// How long [`Emitter::close`] waits for the bus.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends to the sessions of all nodes from a program that has none, such as a job that runs at night. Cloning returns
/// another handle; when the last is dropped, what waits is published, and the connection to the bus ends.
///
/// ```
/// use eio_cluster::bus::Memory;
/// use eio_cluster::{Emitter, To};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = Memory::new(); // the bus of the nodes, in truth
/// let emitter = Emitter::connect(bus.end("emitter"), "eio")?;
/// emitter.connected().await;
/// emitter.publish("greetings", To::All, b"good night")?;
/// emitter.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Emitter {
    pub(crate) link: Arc<Link>,
}

/// Nothing is sent to an emitter.
struct Deaf;

impl Receive for Deaf {
    fn receive(&self, _payload: Bytes) {}
}

impl Emitter {
    /// Connects to the bus of a cluster, with the [prefix](crate::ClusterBuilder::prefix) of its nodes, which is `eio` by
    /// default. It does not wait for the bus: see [`connected`](Self::connected).
    ///
    /// # Errors
    /// Returns an error if the prefix is invalid.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn connect(bus: impl Bus, prefix: &str) -> Result<Self, JoinError> {
        let subjects = Subjects::new(prefix)?;
        let incarnation = getrandom::u64().map_err(|_| JoinError::NoRandomness)?;
        let sending = Sending::start(Box::new(bus), Limits::default(), Arc::new(Deaf));
        Ok(Self { link: Arc::new(Link::new("".into(), incarnation, subjects, sending)) })
    }

    /// Waits until the bus is connected. If it stops, waits for ever.
    pub async fn connected(&self) {
        let mut watcher = self.link.sending.watcher();
        if !watcher.up().await {
            core::future::pending::<()>().await;
        }
    }

    /// Publishes a message of a service, as [`Channel::publish`](crate::Channel::publish) does. It comes
    /// [from](crate::Incoming::from) nobody.
    ///
    /// # Errors
    /// Returns an error if the message, or one of its copies, is not published. That is counted as lost.
    pub fn publish(&self, service: &str, to: To<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        self.link.publish(service, to, payload)
    }

    /// Returns the state of the bus.
    #[must_use]
    pub fn status(&self) -> BusStatus {
        self.link.sending.status()
    }

    /// Publishes what waits, and ends the connection to the bus, also for other handles. Waits for 5 s at most.
    pub async fn close(&self) {
        let stopped = self.link.sending.watcher().stopped();
        self.link.sending.close();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, stopped).await;
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").finish_non_exhaustive()
    }
}
