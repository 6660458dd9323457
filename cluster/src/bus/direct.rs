//! A bus without a cluster around it.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::bus::{Bus, BusStatus, InvalidPrefix, Limits, NotPublished, Receive, Sending, Subject, Subjects};

/// Uses a bus by itself, without a cluster: to test an implementation of [`Bus`], to measure one, or to try a server.
///
/// ```
/// use eio_cluster::bus::{Direct, Memory};
/// use tokio::sync::mpsc;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let memory = Memory::new();
/// let (heard, mut hears) = mpsc::unbounded_channel();
/// let one = Direct::start("eio", memory.end("one"), |_| {})?;
/// let two = Direct::start("eio", memory.end("two"), move |payload| drop(heard.send(payload)))?;
/// two.subscribe("news");
/// two.subscribed("news").await;
/// one.up().await;
/// one.publish("news", "hello".into())?;
/// assert_eq!(hears.recv().await.unwrap(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// When it is dropped, what waits is published, and the bus ends.
pub struct Direct {
    sending: Sending,
    subjects: Subjects,
}

struct Function<F>(F);

impl<F: Fn(Bytes) + Send + Sync> Receive for Function<F> {
    fn receive(&self, payload: Bytes) {
        (self.0)(payload);
    }
}

impl Direct {
    /// Starts a bus in a task of its own. `receive` gets the messages, in that task: it must not block.
    ///
    /// # Errors
    /// Returns an error if the prefix of all subjects is not one that every bus can carry.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn start(
        prefix: &str,
        bus: impl Bus,
        receive: impl Fn(Bytes) + Send + Sync + 'static,
    ) -> Result<Self, InvalidPrefix> {
        let subjects = Subjects::new(prefix)?;
        let sending = Sending::start(Box::new(bus), Limits::default(), Arc::new(Function(receive)));
        Ok(Self { sending, subjects })
    }

    /// Returns the subject of a topic.
    #[must_use]
    pub fn subject(&self, topic: &str) -> Subject {
        self.subjects.topic("direct", topic)
    }

    /// Publishes a message to all that have subscribed to the topic, or refuses it. Never waits.
    ///
    /// # Errors
    /// Returns an error if the bus is not connected, the queue is full, or the message is above 1 MB.
    pub fn publish(&self, topic: &str, payload: Bytes) -> Result<(), NotPublished> {
        self.sending.publish(self.subject(topic), payload)
    }

    /// Subscribes to a topic.
    pub fn subscribe(&self, topic: &str) {
        self.sending.subscribe(self.subject(topic));
    }

    /// Ends the subscription of a topic.
    pub fn unsubscribe(&self, topic: &str) {
        self.sending.unsubscribe(self.subject(topic));
    }

    /// Waits until the server has confirmed or refused the subscription of a topic.
    pub async fn subscribed(&self, topic: &str) {
        self.sending.subscribed(&self.subject(topic)).await;
    }

    /// Waits until the bus is connected. Returns at once if it has stopped.
    pub async fn up(&self) {
        self.sending.watcher().up().await;
    }

    /// Returns the state of the bus, and what it has carried.
    #[must_use]
    pub fn status(&self) -> BusStatus {
        self.sending.status()
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("status", &self.status()).finish_non_exhaustive()
    }
}
