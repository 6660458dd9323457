//! The acknowledgements of sockets of other nodes.

use core::fmt;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use eio_cluster::{NoAnswer, Reply, Response, Responses};
use futures_util::FutureExt as _;

use crate::args::RawArgs;
use crate::errors::AckError;
use crate::server::answers::{Answers, Responder};
use crate::server::cluster::fetch::MissingNode;
use crate::server::cluster::message::{Acks, Arguments, Failure, read, write};
use crate::server::cluster::parts;
use crate::server::socket::Socket;
use crate::server::socket_id::SocketId;

/// How many sockets one part of an answer names at most.
const PART: usize = 1_000;
/// About how many bytes one part of an answer has at most.
const PART_BYTES: usize = 256 * 1024;

type Answer = (Responder, Result<RawArgs, AckError>);

/// The answers that are to come from other nodes.
pub(crate) struct FarAnswers {
    /// `None` once the time is over.
    responses: Option<Responses>,
    nodes: HashMap<Arc<str>, Node>,
    ready: VecDeque<Answer>,
    missing: Vec<MissingNode>,
}

/// What is known of a node that was asked.
#[derive(Default)]
struct Node {
    /// Its sockets that have not answered.
    awaited: HashSet<SocketId>,
    /// Whether it has said anything.
    is_heard: bool,
}

impl FarAnswers {
    /// Waits for the answers of these nodes.
    pub(crate) fn new(responses: Responses, nodes: impl Iterator<Item = Arc<str>>) -> Self {
        let nodes = nodes.map(|node| (node, Node::default())).collect();
        Self { responses: Some(responses), nodes, ready: VecDeque::new(), missing: Vec::new() }
    }

    /// Returns the next answer, or `None` after the last one. It is cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = self.ready.pop_front() {
                return Some(answer);
            }
            let Some(Response { node, part, .. }) = self.responses.as_mut()?.next().await else {
                self.responses = None;
                return None;
            };
            match part {
                Ok(part) => self.take(&node, &part),
                Err(reason) => self.end(&node, reason),
            }
        }
    }

    /// Gives up what has not come: the time is over.
    pub(crate) fn give_up(&mut self) {
        self.responses = None;
        for node in self.nodes.keys().cloned().collect::<Vec<_>>() {
            self.end(&node, NoAnswer::Late);
        }
    }

    /// Returns the next answer that is there.
    pub(crate) fn pop(&mut self) -> Option<Answer> {
        self.ready.pop_front()
    }

    pub(crate) fn missing(&self) -> &[MissingNode] {
        &self.missing
    }

    fn take(&mut self, name: &Arc<str>, part: &[u8]) {
        let node = self.nodes.entry(Arc::clone(name)).or_default();
        node.is_heard = true;
        let Ok(part) = read(part) else { return self.end(name, NoAnswer::Incomplete) };
        match part {
            Acks::Asked(ids) => node.awaited.extend(ids.into_iter().map(SocketId::from)),
            Acks::Answers(answers) => {
                for (id, answer) in answers {
                    let id = SocketId::from(id);
                    // What was given up has its answer.
                    if node.awaited.remove(&id) {
                        let responder = Responder::far(id, Arc::clone(name));
                        let answer = answer.map(Arguments::args).map_err(|why| why.at(name));
                        self.ready.push_back((responder, answer));
                    }
                }
            }
            Acks::OtherParser => self.end(name, NoAnswer::NoService),
        }
    }

    /// Notes that a node says nothing more, and why. It may be one that was not known when the question was asked, or this
    /// node, if it does not know all others.
    fn end(&mut self, name: &Arc<str>, reason: NoAnswer) {
        let node = self.nodes.remove(name).unwrap_or_default();
        for id in node.awaited {
            let error = match reason {
                NoAnswer::Late => AckError::Timeout,
                reason => AckError::Node { node: String::from(&**name), reason },
            };
            self.ready.push_back((Responder::far(id, Arc::clone(name)), Err(error)));
        }
        let is_known = self.missing.iter().any(|missing| *missing.node == **name);
        let has_answered = node.is_heard && reason == NoAnswer::Late;
        if !(is_known || has_answered) {
            self.missing.push(MissingNode { node: String::from(&**name), reason });
        }
    }
}

impl fmt::Debug for FarAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarAnswers").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

/// Tells another node what sockets of this one answer.
pub(super) async fn tell(sockets: Vec<Socket>, mut answers: Answers<RawArgs>, mut reply: Reply) {
    for sockets in sockets.chunks(PART) {
        let mut ids: Vec<_> = sockets.iter().map(|socket| socket.id().as_str()).collect();
        let asked = |ids: &[&str]| write(&Acks::Asked(ids.to_vec()));
        if parts::tell(&mut reply, &mut ids, &asked, &|_| {}).await.is_err() {
            return;
        }
    }
    drop(sockets);
    while let Some(first) = answers.next().await {
        let mut bytes = size(&first);
        let mut part = vec![first];
        while part.len() < PART
            && bytes < PART_BYTES
            && let Some(Some(next)) = answers.next().now_or_never()
        {
            bytes += size(&next);
            part.push(next);
        }
        let told = part.iter().map(|(responder, answer)| {
            let answer = match answer {
                Ok(args) => Arguments::new(args).map_err(|_| Failure::Ended),
                Err(error) => Err(Failure::from(error)),
            };
            (responder.id().as_str(), answer)
        });
        let mut told: Vec<_> = told.collect();
        let answered = |told: &[_]| write(&Acks::Answers(told.to_vec()));
        let shorten = |(_, answer): &mut _| *answer = Err(Failure::TooLong);
        if parts::tell(&mut reply, &mut told, &answered, &shorten).await.is_err() {
            return;
        }
    }
}

/// Tells another node that its packet is of another parser than this node's.
pub(super) fn tell_refused(mut reply: Reply) {
    // The other node sees that something is missing.
    let _ = reply.part(&write(&Acks::OtherParser));
}

fn size((responder, answer): &Answer) -> usize {
    responder.id().as_str().len() + answer.as_ref().map_or(0, RawArgs::byte_len)
}
