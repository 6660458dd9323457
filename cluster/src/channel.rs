//! Services: what uses the bus beside the cluster itself.

use core::fmt;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;

use crate::bus::NotPublished;
use crate::node::Node;
use crate::reply::Reply;
use crate::request::Responses;
use crate::sync::{Mutex, MutexGuard, RwLock};
use crate::targets;

/// To whom a message goes. The node that publishes it does not get it: it serves its own sessions by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are the subjects of a bus")]
pub enum To<'a> {
    /// Every other node.
    All,
    /// The node of this name.
    Node(&'a str),
    /// The nodes that listen to any of these topics. Each gets the message once; one that listens to none of them gets
    /// nothing and does nothing. It is published once for each topic; on a Redis Cluster, it may overtake earlier messages to
    /// some of these topics only, or to others. With more than 1,000 topics, or if the copies would take an eighth of the
    /// [queue](crate::ClusterBuilder::max_queued), it goes to every node, once.
    Topics(&'a [&'a str]),
    /// The nodes of these names, and those that listen to any of these topics. Each gets the message once.
    Any {
        /// The names of the nodes.
        nodes: &'a [&'a str],
        /// The topics, as in [`Topics`](Self::Topics).
        topics: &'a [&'a str],
    },
}

/// What takes the messages of a service. Closures of the same form are handlers, too.
///
/// It runs in the task of the bus, so it must not block: what takes long belongs into a task. If it panics, the panic is
/// caught, logged and counted, and the next message comes. It may publish, ask, listen, and anything else.
pub trait Handler: Send + Sync + 'static {
    /// Takes a message.
    fn handle(&self, message: Incoming<'_>);
}

impl<F: Fn(Incoming<'_>) + Send + Sync + 'static> Handler for F {
    fn handle(&self, message: Incoming<'_>) {
        self(message);
    }
}

/// A message from another node.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming<'a> {
    /// The name of the node, or nothing if it comes from an [`Emitter`](crate::Emitter).
    pub from: &'a str,
    /// What was published.
    pub payload: Bytes,
    /// How to answer, if it is a question.
    pub reply: Option<Reply>,
}

/// The error for a service that has a channel in this cluster already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service {0:?} has a channel already")]
pub struct ServiceTaken(pub(crate) &'static str);

/// The messages of one service to the other nodes. [`Cluster::channel`](crate::Cluster::channel) makes one. Cloning returns
/// another handle; when the last is dropped, the service ends.
#[derive(Clone)]
pub struct Channel {
    service: Arc<Service>,
}

impl Channel {
    /// Publishes a message. It never waits, and what is published may be lost: see [`bus`](crate::bus).
    ///
    /// # Errors
    /// Returns an error if the message, or one of its copies, is not published. That is counted as lost.
    pub fn publish(&self, to: To<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        self.service.node.link.publish(self.service.name, to, payload)
    }

    /// Listens to a topic. To do it twice is to do it once.
    pub fn listen(&self, topic: &str) {
        let mut topics = self.service.topics();
        if !topics.contains(topic) {
            topics.insert(topic.to_owned());
            // Beneath the lock, so that the bus hears of it in the same order.
            self.service.node.link.sending.subscribe(self.service.subject(topic));
        }
    }

    /// No longer listens to a topic.
    pub fn unlisten(&self, topic: &str) {
        let mut topics = self.service.topics();
        if topics.remove(topic) {
            self.service.node.link.sending.unsubscribe(self.service.subject(topic));
        }
    }

    /// Waits until the bus has confirmed that this node hears a topic that it listens to. Messages that are published to it
    /// from now on come, while the connection lives. Waits for the bus if it is not connected. Returns at once if the node does not
    /// listen to the topic, or the bus has stopped.
    pub async fn listening(&self, topic: &str) {
        let subject = self.service.subject(topic);
        self.service.node.link.sending.subscribed(&subject).await;
    }

    /// Asks every other node that is there now. The timeout is for all answers together.
    ///
    /// While this node does not know the others, because it is not [connected](crate::Cluster::connected) or has not been for
    /// 250 ms and a round trip to the bus, the question is open for whoever answers, and one of the responses is an error under
    /// this node's own name if it does not get to know them. So without an error, the answers are all, but for those of nodes that
    /// were too busy to say within these 250 ms that they are there: they are unknown until their next sign of life.
    pub fn request(&self, payload: &[u8], timeout: Duration) -> Responses {
        self.service.node.ask(self.service.name, None, payload, timeout)
    }

    /// Asks one node. If there is none of this name, the answer is an error at once, and nothing is sent.
    pub fn ask(&self, node: &str, payload: &[u8], timeout: Duration) -> Responses {
        self.service.node.ask(self.service.name, Some(node), payload, timeout)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("service", &self.service.name).finish_non_exhaustive()
    }
}

/// One service of this node.
struct Service {
    name: &'static str,
    node: Arc<Node>,
    handler: Arc<dyn Handler>,
    topics: Mutex<HashSet<String>>,
}

impl Service {
    fn topics(&self) -> MutexGuard<'_, HashSet<String>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subject(&self, topic: &str) -> crate::bus::Subject {
        self.node.link.subjects.topic(self.name, topic)
    }

    /// Returns whether a message is for this node: names of topics with one subject differ here.
    fn hears(&self, topics: &[&str]) -> bool {
        let own = self.topics();
        topics.is_empty() || topics.iter().any(|topic| own.contains(*topic))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for topic in self.topics().drain() {
            self.node.link.sending.unsubscribe(self.node.link.subjects.topic(self.name, &topic));
        }
        // Whoever has the name next may listen to the same topics.
        self.node.services.remove(self.name);
    }
}

/// The services of a node.
#[derive(Default)]
pub(crate) struct Services {
    by_name: RwLock<ByName>,
}

type ByName = HashMap<&'static str, Weak<Service>>;

fn insert(by_name: &mut ByName, node: &Arc<Node>, name: &'static str, handler: Arc<dyn Handler>) -> Channel {
    let service = Arc::new(Service { name, node: Arc::clone(node), handler, topics: Mutex::default() });
    by_name.insert(name, Arc::downgrade(&service));
    Channel { service }
}

impl Services {
    pub(crate) fn open(
        &self,
        node: &Arc<Node>,
        name: &'static str,
        handler: impl Handler,
    ) -> Result<Channel, ServiceTaken> {
        let handler: Arc<dyn Handler> = Arc::new(handler);
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name.contains_key(name) {
            return Err(ServiceTaken(name));
        }
        Ok(insert(&mut by_name, node, name, handler))
    }

    /// Opens the channel of a service before any other can have its name.
    pub(crate) fn open_first(&self, node: &Arc<Node>, name: &'static str, handler: impl Handler) -> Channel {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        insert(&mut by_name, node, name, Arc::new(handler))
    }

    fn remove(&self, name: &'static str) {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn get(&self, name: &str) -> Option<Arc<Service>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).and_then(Weak::upgrade)
    }

    /// Returns whether a message to these topics is for a service of this node.
    pub(crate) fn hears(&self, name: &str, topics: &[&str]) -> bool {
        self.get(name).is_some_and(|service| service.hears(topics))
    }

    /// Hands a message to its handler. Returns `false` if the handler panicked.
    pub(crate) fn handle(&self, name: &str, message: Incoming<'_>) -> bool {
        let Some(service) = self.get(name) else {
            message.reply.into_iter().for_each(Reply::refuse);
            return true;
        };
        let handled = catch_unwind(AssertUnwindSafe(|| service.handler.handle(message)));
        if handled.is_err() {
            tracing::error!(target: targets::CLUSTER, service = name, "the handler of a service panicked");
        }
        handled.is_ok()
    }
}
