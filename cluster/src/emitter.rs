//! A program without sessions that speaks to the nodes.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eio_tokio::{Audience, Message, SessionId};

use crate::bus::{Bus, BusStatus, Limits, NotPublished, Receive, Sending, Subjects};
use crate::channel::To;
use crate::cluster::JoinError;
use crate::link::Link;
use crate::orders;
use crate::sessions::NotSent;

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

    /// Sends a message to every session of every node, as [`send_to`](Self::send_to) does.
    ///
    /// # Errors
    /// Returns an error if the message is not published.
    pub fn broadcast(&self, message: impl Into<Message>) -> Result<(), NotPublished> {
        self.send_to(&Audience::all(), message)
    }

    /// Sends a message to an audience on all nodes, as [`Cluster::send_to`](crate::Cluster::send_to) does.
    ///
    /// # Errors
    /// Returns an error if the message, or one of its copies, is not published.
    pub fn send_to(&self, audience: &Audience, message: impl Into<Message>) -> Result<(), NotPublished> {
        self.send_batch_to(audience, [message])
    }

    /// Sends several messages as one unit to an audience on all nodes, as
    /// [`Cluster::send_batch_to`](crate::Cluster::send_batch_to) does.
    ///
    /// # Errors
    /// Returns an error if the messages, or one of their copies, are not published.
    pub fn send_batch_to(
        &self,
        audience: &Audience,
        messages: impl IntoIterator<Item = impl Into<Message>>,
    ) -> Result<(), NotPublished> {
        let messages: Vec<Message> = messages.into_iter().map(Into::into).collect();
        orders::send_to(&self.link, audience, &messages)
    }

    /// Sends a message to one session of any node. Whether there is such a session is not known here.
    ///
    /// # Errors
    /// Returns an error if the message is not published, or if this is not a sid.
    pub fn send(&self, sid: &str, message: impl Into<Message>) -> Result<(), NotSent> {
        let messages = [message.into()];
        on_its_node(sid, |node| orders::send(&self.link, node, sid, &messages))
    }

    /// Closes one session of any node. Whether there is such a session is not known here.
    ///
    /// # Errors
    /// Returns an error if this is not published, or if this is not a sid.
    pub fn close_session(&self, sid: &str) -> Result<(), NotSent> {
        on_its_node(sid, |node| orders::close(&self.link, node, sid))
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

/// Publishes to the node whose name a sid begins with. How long the names are is not known here: they have up to four
/// characters, all the same number of them. So it goes to four names, of which nobody has three.
fn on_its_node(sid: &str, publish: impl Fn(&str) -> Result<(), NotPublished>) -> Result<(), NotSent> {
    let _: SessionId = sid.parse().map_err(|_| NotSent::NoSession)?;
    let names = (1..=4).filter_map(|len| sid.get(..len));
    Ok(names.map(publish).fold(Ok(()), Result::and)?)
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").finish_non_exhaustive()
    }
}
