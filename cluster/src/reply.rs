//! How a node answers questions of others.

use std::sync::{Arc, Weak};

use crate::bus::NotPublished;
use crate::frame::{Body, Outcome};
use crate::link::Link;

/// The longest head of a frame with a part: the version, the publisher (5 + 10), the kind, and the numbers (10 + 10 + 5).
const PART_HEAD: usize = 42;

/// How a node answers a question: with any number of parts. Dropping it completes the answer, so keep it for as long as
/// there is something to say; it may be sent to a task.
#[derive(Debug)]
#[must_use = "dropping it completes the answer"]
pub struct Reply {
    link: Weak<Link>,
    node: Arc<str>,
    to: u64,
    id: u64,
    parts: u32,
    outcome: Outcome,
}

impl Reply {
    pub(crate) fn new(link: &Arc<Link>, node: &str, to: u64, id: u64) -> Self {
        let link = Arc::downgrade(link);
        Self { link, node: node.into(), to, id, parts: 0, outcome: Outcome::Answered }
    }

    /// Completes the answer with the error [`NoAnswer::NoService`](crate::NoAnswer::NoService), for a question that this node
    /// cannot read, such as that of another version. An answer without parts would say that there is nothing to tell.
    pub fn refuse(mut self) {
        self.outcome = Outcome::NoService;
    }

    /// Returns how many bytes a part may have: [`max_message`](crate::ClusterBuilder::max_message) without what the cluster
    /// adds. A longer part is not published, and the node that asks gets [`NoAnswer::Incomplete`](crate::NoAnswer::Incomplete).
    #[must_use]
    pub fn max_part(&self) -> usize {
        self.link.upgrade().map_or(0, |link| link.sending.limits().message.saturating_sub(PART_HEAD))
    }

    /// Sends a part of the answer. It never waits. An answer that may be long uses [`send`](Self::send).
    ///
    /// # Errors
    /// Returns an error if the part was not published. The node that asks then gets
    /// [`NoAnswer::Incomplete`](crate::NoAnswer::Incomplete).
    pub fn part(&mut self, payload: &[u8]) -> Result<(), NotPublished> {
        let body = self.next_part();
        self.parts += 1;
        self.publish(body, payload)
    }

    /// Sends a part of the answer, as [`part`](Self::part) does, but waits while more than a quarter of the
    /// [queue](crate::ClusterBuilder::max_queued) is taken. So an answer may be longer than the queue, and other messages still
    /// have room. Send it from a task: the handler of a message must not wait.
    ///
    /// # Errors
    /// Returns an error if the part was not published. The node that asks then gets
    /// [`NoAnswer::Incomplete`](crate::NoAnswer::Incomplete).
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, nothing was sent, and the next part takes the place of this one.
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), NotPublished> {
        let link = self.link.upgrade().ok_or(NotPublished::Down)?;
        let sending = link.to_node_in_turn(&self.node, self.next_part(), payload);
        drop(link);
        let sent = sending.await;
        self.parts += 1;
        sent
    }

    fn next_part(&self) -> Body<'static> {
        Body::Part { to: self.to, id: self.id, index: self.parts }
    }

    /// Sends the last part of the answer, as [`part`](Self::part) does, and completes it.
    ///
    /// # Errors
    /// The same as those of [`part`](Self::part).
    pub fn finish(mut self, payload: &[u8]) -> Result<(), NotPublished> {
        self.part(payload)
    }

    fn publish(&self, body: Body<'_>, payload: &[u8]) -> Result<(), NotPublished> {
        let link = self.link.upgrade().ok_or(NotPublished::Down)?;
        link.to_node(&self.node, body, payload)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.outcome = Outcome::Panicked;
        }
        let (to, id, parts, outcome) = (self.to, self.id, self.parts, self.outcome);
        // What does not get through is counted as lost, and the other node has a timeout.
        let _ = self.publish(Body::End { to, id, parts, outcome }, b"");
    }
}
