//! The bus: how the nodes of a cluster talk to each other.
//!
//! A bus carries messages by subject: each node gets the messages whose subjects it subscribes to. It delivers at most
//! once, and what one node publishes arrives in the order of publishing, or not at all; a bus that divides its subjects
//! among several servers, as a Redis Cluster does, keeps this order within each subject. Redis, Valkey and NATS are such
//! buses; [`Memory`] is one within a process.
//!
//! What all buses have in common is in the [`Port`]: which subjects are wanted, what waits to be published, its bounds, and
//! what is lost. An implementation of [`Bus`] moves bytes between the port and its server, and connects again when the
//! connection is lost:
//!
//! ```
//! use std::future::Future;
//! use std::pin::Pin;
//!
//! use eio_cluster::bus::{Bus, Command, Port};
//!
//! /// A bus on which nobody hears anything.
//! struct Void;
//!
//! impl Bus for Void {
//!     fn run(self: Box<Self>, mut port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
//!         Box::pin(async move {
//!             // Here a bus connects to its server. Afterwards, it is asked for all subscriptions.
//!             port.up();
//!             // Beside this, a bus reads from its server and calls `Port::deliver`.
//!             while let Some(command) = port.next().await {
//!                 match command {
//!                     Command::Publish { subject, payload } => println!("{subject}: {} B", payload.len()),
//!                     Command::Subscribe(subject) => port.subscribed(&subject),
//!                     Command::Unsubscribe(_) => {}
//!                     _ => {} // commands of later versions
//!                 }
//!             }
//!         })
//!     }
//! }
//! ```

mod direct;
mod memory;
#[cfg(feature = "nats")]
mod nats;
mod port;
#[cfg(feature = "redis")]
mod redis;
mod sending;
#[cfg(any(feature = "nats", feature = "redis"))]
mod server;
mod state;
mod subject;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

pub use direct::Direct;
pub use memory::{Memory, MemoryBus};
#[cfg(feature = "nats")]
#[cfg_attr(docsrs, doc(cfg(feature = "nats")))]
pub use nats::Nats;
pub use port::Port;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use redis::Redis;
pub use sending::{BusStatus, NotPublished};
#[cfg(all(feature = "tls", any(feature = "nats", feature = "redis")))]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use server::InvalidRoots;
#[cfg(any(feature = "nats", feature = "redis"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "nats", feature = "redis"))))]
pub use server::{InvalidUrl, UrlProblem};
pub use state::BusState;
pub use subject::{InvalidPrefix, Subject};

pub(crate) use sending::{Receive, Sending};
pub(crate) use state::Limits;
pub(crate) use subject::{Subjects, is_node};

/// A way to reach the other nodes, such as a Redis server.
///
/// A node hears what it publishes itself, if it subscribes to the subject. A node that has heard nothing of another one asks
/// the bus in this way whether it has missed anything, so a bus must not hold these messages back.
pub trait Bus: Send + 'static {
    /// Connects, and moves messages until [`Port::next`] returns `None`. If the connection cannot be made or is lost, the
    /// bus says so by [`Port::down`], and connects again by itself, after delays that grow and differ between nodes.
    ///
    /// The future is spawned as a task of its own.
    fn run(self: Box<Self>, port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A bus whose kind is chosen while the program runs.
impl<B: Bus + ?Sized> Bus for Box<B> {
    fn run(self: Box<Self>, port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        (*self).run(port)
    }
}

/// What a bus has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Sends a message to all that subscribe to the subject.
    Publish {
        /// What the subscribers have subscribed to.
        subject: Subject,
        /// The message.
        payload: Bytes,
    },
    /// Subscribes to a subject. Call [`Port::subscribed`] when the server has confirmed it.
    Subscribe(Subject),
    /// Ends the subscription of a subject.
    Unsubscribe(Subject),
}
