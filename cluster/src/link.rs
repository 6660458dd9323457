//! How frames leave a program: what a node and an emitter have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bus::{NotPublished, Sending, Subject, Subjects};
use crate::channel::To;
use crate::frame::{Body, Frame, MAX_TOPICS, Publisher};

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

    fn encode(&self, body: Body<'_>, payload: &[u8]) -> bytes::Bytes {
        let from = Publisher { node: &self.node, incarnation: self.incarnation };
        Frame { from, body }.encode(payload)
    }

    /// Publishes a message of a service.
    pub(crate) fn publish(&self, service: &str, to: To<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        let message = |topics: &[&str]| {
            self.encode(Body::Message { service, number, topics: topics.to_vec() }, payload)
        };
        match to {
            To::All => self.sending.publish(self.subjects.all(), message(&[])),
            To::Node(name) => self.sending.publish(self.node_subject(name)?, message(&[])),
            To::Topics(topics) if topics.len() > MAX_TOPICS => {
                self.sending.publish(self.subjects.all(), message(&[]))
            }
            To::Topics(topics) => {
                let frame = message(topics);
                let each = topics.iter().map(|topic| self.subjects.topic(service, topic));
                each.map(|subject| self.sending.publish(subject, frame.clone())).fold(Ok(()), Result::and)
            }
        }
    }

    /// Publishes something to every node.
    pub(crate) fn to_all(&self, body: Body<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        self.sending.publish(self.subjects.all(), self.encode(body, payload))
    }

    /// Publishes something to one node.
    pub(crate) fn to_node(&self, node: &str, body: Body<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        self.sending.publish(self.node_subject(node)?, self.encode(body, payload))
    }

    fn node_subject(&self, name: &str) -> Result<Subject, NotPublished> {
        self.subjects.node(name).ok_or(NotPublished::InvalidNode)
    }

    /// Publishes a sign of life to every node, before everything that waits.
    pub(crate) fn sign_to_all(&self, body: Body<'_>) {
        self.sending.publish_first(self.subjects.all(), self.encode(body, b""));
    }

    /// Publishes a sign of life to one node, before everything that waits.
    pub(crate) fn sign_to_node(&self, node: &str, body: Body<'_>) {
        if let Some(subject) = self.subjects.node(node) {
            self.sending.publish_first(subject, self.encode(body, b""));
        }
    }
}
