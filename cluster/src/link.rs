//! How frames leave a program: what a node and an emitter have in common.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::bus::{NotPublished, Sending, Subject, Subjects};
use crate::channel::To;
use crate::frame::{Body, Frame, MAX_TOPICS, Publisher};
use crate::sync::AtomicU64;

/// The copies of a message take at most this part of the queue.
const SHARE_OF_COPIES: usize = 8;

/// Publishes frames under one name.
#[derive(Debug)]
pub(crate) struct Link {
    /// The name of the node, or nothing for an emitter.
    pub(crate) node: Arc<str>,
    pub(crate) incarnation: u64,
    pub(crate) subjects: Subjects,
    pub(crate) sending: Sending,
    /// Numbers the messages.
    messages: AtomicU64,
}

impl Link {
    pub(crate) fn new(node: Arc<str>, incarnation: u64, subjects: Subjects, sending: Sending) -> Self {
        Self { node, incarnation, subjects, sending, messages: AtomicU64::new(0) }
    }

    fn encode(&self, body: Body<'_>, payload: &[u8]) -> Bytes {
        let from = Publisher { node: &self.node, incarnation: self.incarnation };
        Frame { from, body }.encode(payload)
    }

    /// Publishes a message of a service.
    pub(crate) fn publish(&self, service: &str, to: To<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        match to {
            To::All => self.to_all(Body::Message { service, number: None, topics: Vec::new() }, payload),
            To::Node(name) => self.publish_copies(service, &[name], &[], payload),
            To::Topics(topics) => self.publish_copies(service, &[], topics, payload),
            To::Any { nodes, topics } => self.publish_copies(service, nodes, topics, payload),
        }
    }

    /// Publishes a message once for each node and for each topic, or once for all if that would be too much: each copy names
    /// all topics, so the bytes grow with the square of their number.
    fn publish_copies(
        &self,
        service: &str,
        nodes: &[&str],
        topics: &[&str],
        payload: &[u8],
    ) -> Result<(), NotPublished> {
        if topics.len() > MAX_TOPICS {
            return self.publish(service, To::All, payload);
        }
        let has_copies = nodes.len() + topics.len() > 1;
        let number = has_copies.then(|| self.messages.fetch_add(1, Ordering::Relaxed));
        let message = |topics: &[&str]| {
            self.encode(Body::Message { service, number, topics: topics.to_vec() }, payload)
        };
        let for_nodes = if nodes.is_empty() { Bytes::new() } else { message(&[]) };
        let for_topics = if topics.is_empty() { Bytes::new() } else { message(topics) };
        let bytes = nodes.len() * for_nodes.len() + topics.len() * for_topics.len();
        if has_copies && bytes > self.sending.limits().queued / SHARE_OF_COPIES {
            return self.publish(service, To::All, payload);
        }
        let to_node = |name: &&str| self.sending.publish(self.node_subject(name)?, for_nodes.clone());
        let to_topic =
            |topic: &&str| self.sending.publish(self.subjects.topic(service, topic), for_topics.clone());
        let published = nodes.iter().map(to_node).chain(topics.iter().map(to_topic));
        published.fold(Ok(()), Result::and)
    }

    /// Publishes something to every node.
    pub(crate) fn to_all(&self, body: Body<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        self.sending.publish(self.subjects.all(), self.encode(body, payload))
    }

    /// Publishes something to one node.
    pub(crate) fn to_node(&self, node: &str, body: Body<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        self.sending.publish(self.node_subject(node)?, self.encode(body, payload))
    }

    /// Publishes something to one node when the bus has room for what can wait. It does not keep the bus meanwhile.
    pub(crate) fn to_node_in_turn(
        &self,
        node: &str,
        body: Body<'_>,
        payload: &[u8],
    ) -> impl Future<Output = Result<(), NotPublished>> + Send + use<> {
        let (subject, payload) = (self.node_subject(node), self.encode(body, payload));
        let watcher = self.sending.watcher();
        async move { watcher.publish(subject?, payload).await }
    }

    fn node_subject(&self, name: &str) -> Result<Subject, NotPublished> {
        self.subjects.node(name).ok_or_else(|| self.sending.refuse(NotPublished::InvalidNode))
    }

    /// Publishes something to every node behind everything that waits, and nothing more.
    pub(crate) fn close_with(&self, body: Body<'_>) {
        self.sending.close_with(self.subjects.all(), self.encode(body, b""));
    }

    /// Publishes a sign of life to every node, before everything else that waits.
    pub(crate) fn sign_to_all(&self, body: Body<'_>) {
        self.sending.publish_first(self.subjects.all(), self.encode(body, b""));
    }

    /// Publishes a sign of life to one node, before everything else that waits.
    pub(crate) fn sign_to_node(&self, node: &str, body: Body<'_>) {
        if let Some(subject) = self.subjects.node(node) {
            self.sending.publish_first(subject, self.encode(body, b""));
        }
    }
}
