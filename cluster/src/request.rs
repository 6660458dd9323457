//! Questions to other nodes, and their answers.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError, Weak};

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::bus::NotPublished;
use crate::frame::Outcome;
use crate::members::MAX_NODES;
use crate::sync::{Mutex, MutexGuard, Notify};

/// How many bytes of answers to one question wait to be taken.
const MAX_WAITING: usize = 16 * 1024 * 1024;
/// What an answer that waits takes beside its payload.
const OVERHEAD: usize = 64;

/// What a node has to say to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The name of the node.
    pub node: Arc<str>,
    /// A part of its answer, or why there is none, or no more.
    pub part: Result<Bytes, NoAnswer>,
}

/// Why a node does not answer, or not to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// There is no such node, or it has gone since.
    #[error("the node is gone")]
    Gone,
    /// The answer was not complete in time.
    #[error("the node has not answered in time")]
    Late,
    /// This node is not connected to the bus, or its connection was lost before the answer was complete. If it is the answer
    /// of the node that asks, nodes may be missing that it does not know.
    #[error("this node is not connected to the bus")]
    Disconnected,
    /// The question was not published.
    #[error("the question was not sent: {0}")]
    NotPublished(NotPublished),
    /// A part of the answer was lost on its way.
    #[error("a part of the answer was lost")]
    Incomplete,
    /// The handler of the node panicked.
    #[error("the node's handler panicked")]
    Panicked,
    /// The node does not know the service, or cannot read the question.
    #[error("the node does not know the service, or cannot read the question")]
    NoService,
    /// The parts that wait for [`Responses::next`] have reached the limit of their bytes.
    #[error("the answers that wait have reached their limit")]
    TooMuch,
}

/// The answers to a question, as they come. Dropping it forgets the question.
///
/// ```
/// use eio_cluster::Responses;
///
/// /// Counts the bytes of all answers, and reports who has not answered to the end.
/// async fn count(mut responses: Responses) -> usize {
///     let mut bytes = 0;
///     while let Some(response) = responses.next().await {
///         match response.part {
///             Ok(part) => bytes += part.len(),
///             Err(why) => println!("{}: {why}", response.node),
///         }
///     }
///     bytes
/// }
/// # let _ = count;
/// ```
#[derive(Debug)]
#[must_use = "the answers come to it"]
pub struct Responses {
    question: Arc<Question>,
    deadline: Instant,
    id: u64,
    requests: Weak<Requests>,
}

impl Responses {
    /// Waits for the next part of an answer. A node that does not answer to the end gives an error, which is its last
    /// response. Returns `None` when every node has answered, or has given an error. After the question's timeout, what has
    /// come until then is returned, and nothing else is waited for.
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, no response is lost.
    pub async fn next(&mut self) -> Option<Response> {
        loop {
            // It keeps a signal that comes before it waits.
            let changed = self.question.changed.notified();
            {
                let mut waiting = self.question.lock();
                if Instant::now() >= self.deadline {
                    waiting.end_all(NoAnswer::Late);
                }
                if let Some(response) = waiting.take() {
                    return Some(response);
                }
                if waiting.awaited.is_empty() {
                    return None;
                }
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(self.deadline) => {}
            }
        }
    }

    /// Waits for the first part of the first answer. This is for questions to one node whose answer has one part.
    ///
    /// # Errors
    /// Returns why there is no answer. An answer without parts is [`NoAnswer::Incomplete`].
    pub async fn first(mut self) -> Result<Bytes, NoAnswer> {
        self.next().await.map_or(Err(NoAnswer::Incomplete), |response| response.part)
    }
}

impl Responses {
    /// Adds the error of a node that was not asked.
    pub(crate) fn fail(&self, node: &str, why: NoAnswer) {
        self.question.lock().responses.push_back(Response { node: node.into(), part: Err(why) });
    }

    /// Ends what is expected of all nodes.
    pub(crate) fn end_all(&self, why: NoAnswer) {
        self.question.lock().end_all(why);
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        if let Some(requests) = self.requests.upgrade() {
            requests.lock().open.remove(&self.id);
        }
    }
}

/// The questions of this node that wait for answers.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    open: HashMap<u64, Arc<Question>>,
}

#[derive(Debug)]
struct Question {
    waiting: Mutex<Waiting>,
    changed: Notify,
    /// Nodes that were not known when it was asked may answer, too.
    is_to_all: bool,
}

/// What has come of the answers.
#[derive(Debug, Default)]
struct Waiting {
    /// The nodes whose answers are not complete, by incarnation.
    awaited: BTreeMap<u64, Awaited>,
    /// The nodes from which nothing more is taken.
    ended: HashSet<u64>,
    responses: VecDeque<Response>,
    bytes: usize,
}

#[derive(Debug)]
struct Awaited {
    node: Arc<str>,
    parts: u32,
}

impl Requests {
    /// Opens a question to these nodes. Returns its number, and where the answers come.
    pub(crate) fn open(
        self: &Arc<Self>,
        nodes: impl Iterator<Item = (u64, Arc<str>)>,
        is_to_all: bool,
        deadline: Instant,
    ) -> (u64, Responses) {
        let awaited = nodes.map(|(incarnation, node)| (incarnation, Awaited { node, parts: 0 })).collect();
        let waiting = Mutex::new(Waiting { awaited, ..Waiting::default() });
        let question = Arc::new(Question { waiting, changed: Notify::new(), is_to_all });
        let mut requests = self.lock();
        requests.last_id += 1;
        let id = requests.last_id;
        requests.open.insert(id, Arc::clone(&question));
        drop(requests);
        (id, Responses { question, deadline, id, requests: Arc::downgrade(self) })
    }

    /// Takes a part of an answer.
    pub(crate) fn part(&self, id: u64, incarnation: u64, node: &str, index: u32, payload: Bytes) {
        self.with(id, |waiting, is_to_all| {
            let Some(awaited) = waiting.expect(incarnation, node, is_to_all) else { return };
            // One that comes twice has been taken.
            if index < awaited.parts {
                return;
            }
            if index > awaited.parts {
                return waiting.end(incarnation, Some(NoAnswer::Incomplete));
            }
            awaited.parts += 1;
            let cost = payload.len().saturating_add(OVERHEAD);
            if waiting.bytes.saturating_add(cost) > MAX_WAITING {
                return waiting.end(incarnation, Some(NoAnswer::TooMuch));
            }
            waiting.bytes += cost;
            waiting.responses.push_back(Response { node: node.into(), part: Ok(payload) });
        });
    }

    /// Takes the end of an answer.
    pub(crate) fn end(&self, id: u64, incarnation: u64, node: &str, parts: u32, outcome: Outcome) {
        self.with(id, |waiting, is_to_all| {
            let Some(awaited) = waiting.expect(incarnation, node, is_to_all) else { return };
            let why = match outcome {
                Outcome::Panicked => Some(NoAnswer::Panicked),
                Outcome::NoService => Some(NoAnswer::NoService),
                Outcome::Answered => (parts != awaited.parts).then_some(NoAnswer::Incomplete),
            };
            waiting.end(incarnation, why);
        });
    }

    /// Expects the answer of a node that was not known, to the questions that wait until this node, `own`, knows the others.
    pub(crate) fn expect_node(&self, own: u64, incarnation: u64, node: &str) {
        for question in self.all() {
            let mut waiting = question.lock();
            if waiting.awaited.contains_key(&own) {
                waiting.expect(incarnation, node, question.is_to_all);
            }
        }
    }

    /// Ends what is expected of a node: it is gone, or it is this node, which now knows the others.
    pub(crate) fn end_node(&self, incarnation: u64, why: Option<NoAnswer>) {
        for question in self.all() {
            question.lock().end(incarnation, why);
            question.changed.notify_one();
        }
    }

    /// Ends what is expected of all nodes.
    pub(crate) fn end_all(&self, why: NoAnswer) {
        for question in self.all() {
            question.lock().end_all(why);
            question.changed.notify_one();
        }
    }

    fn with(&self, id: u64, act: impl FnOnce(&mut Waiting, bool)) {
        let Some(question) = self.lock().open.get(&id).cloned() else { return };
        act(&mut question.lock(), question.is_to_all);
        question.changed.notify_one();
    }

    fn all(&self) -> Vec<Arc<Question>> {
        self.lock().open.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Option<Response> {
        let response = self.responses.pop_front()?;
        if let Ok(part) = &response.part {
            self.bytes -= part.len() + OVERHEAD;
        }
        Some(response)
    }

    /// Returns the node from which a part comes, if it is awaited.
    fn expect(&mut self, incarnation: u64, node: &str, is_to_all: bool) -> Option<&mut Awaited> {
        let is_late_comer = is_to_all
            && !self.ended.contains(&incarnation)
            && self.awaited.len() + self.ended.len() < MAX_NODES
            // When nobody is awaited any more, the caller was told that this is all.
            && !self.awaited.is_empty();
        if is_late_comer {
            let new = Awaited { node: node.into(), parts: 0 };
            return Some(self.awaited.entry(incarnation).or_insert(new));
        }
        self.awaited.get_mut(&incarnation)
    }

    fn end(&mut self, incarnation: u64, why: Option<NoAnswer>) {
        let Some(Awaited { node, .. }) = self.awaited.remove(&incarnation) else { return };
        self.ended.insert(incarnation);
        if let Some(why) = why {
            self.responses.push_back(Response { node, part: Err(why) });
        }
    }

    fn end_all(&mut self, why: NoAnswer) {
        for incarnation in self.awaited.keys().copied().collect::<Vec<_>>() {
            self.end(incarnation, Some(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question to the nodes 1 and 2, and whether others may answer as well.
    fn asked(is_to_all: bool) -> (Arc<Requests>, u64, Responses) {
        let requests = Arc::<Requests>::default();
        let nodes = [(1, "a".into()), (2, "b".into())].into_iter();
        let (id, responses) = requests.open(nodes, is_to_all, Instant::now());
        (requests, id, responses)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what may fail")]
    fn part(text: &'static str) -> Result<Bytes, NoAnswer> {
        Ok(text.into())
    }

    async fn parts(mut responses: Responses) -> Vec<Result<Bytes, NoAnswer>> {
        let mut parts = Vec::new();
        while let Some(response) = responses.next().await {
            parts.push(response.part);
        }
        parts
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_twice_or_after_the_end_is_taken_once() {
        let (requests, id, responses) = asked(true);
        for (index, text) in [(0, "0"), (0, "0"), (1, "1"), (0, "0")] {
            requests.part(id, 1, "a", index, text.into());
        }
        for _ in 0..2 {
            requests.end(id, 1, "a", 2, Outcome::Answered);
            requests.part(id, 1, "a", 0, "again".into());
            requests.end_node(1, Some(NoAnswer::Gone));
        }
        requests.end(id, 2, "b", 0, Outcome::Answered);
        requests.part(id, 3, "c", 0, "all were told that it is over".into());
        requests.part(id + 1, 1, "a", 0, "nobody has asked this".into());
        assert_eq!(parts(responses).await, [part("0"), part("1")]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_with_a_gap_is_incomplete() {
        let (requests, id, responses) = asked(false);
        requests.part(id, 1, "a", 0, "0".into());
        requests.part(id, 1, "a", 2, "2".into());
        requests.part(id, 1, "a", 1, "1".into());
        requests.part(id, 2, "b", 0, "0".into());
        requests.end(id, 2, "b", 2, Outcome::Answered);
        requests.part(id, 3, "c", 0, "not asked".into());
        let incomplete = || Err(NoAnswer::Incomplete);
        assert_eq!(parts(responses).await, [part("0"), incomplete(), part("0"), incomplete()]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_timeout_what_has_come_is_told_and_nothing_more_is_taken() {
        let (requests, id, mut responses) = asked(false);
        requests.part(id, 1, "a", 0, "0".into());
        assert_eq!(responses.next().await.unwrap().part, part("0"));
        requests.part(id, 1, "a", 1, "1".into());
        requests.end(id, 1, "a", 2, Outcome::Answered);
        assert_eq!(parts(responses).await, [Err(NoAnswer::Late), Err(NoAnswer::Late)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_dropped_leaves_nothing() {
        let (requests, id, responses) = asked(false);
        drop(responses);
        assert!(requests.lock().open.is_empty());
        requests.part(id, 1, "a", 0, "0".into());
    }
}
