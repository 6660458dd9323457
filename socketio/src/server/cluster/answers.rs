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
    /// Whether it has said whom it has asked, all of them.
    is_complete: bool,
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
                self.end_all();
                continue;
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
        let Ok(part) = read(part) else { return self.end(name, NoAnswer::Incomplete) };
        match part {
            Acks::Asked(ids) => node.awaited.extend(ids.into_iter().map(SocketId::from)),
            // They come behind the names of all that were asked.
            Acks::Answers(answers) => {
                node.is_complete = true;
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

    /// Notes that no node says anything more.
    fn end_all(&mut self) {
        self.nodes.retain(|_, node| !(node.is_complete && node.awaited.is_empty()));
        for node in self.nodes.keys().cloned().collect::<Vec<_>>() {
            self.end(&node, NoAnswer::Incomplete);
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
        let all_are_known = node.is_complete && reason == NoAnswer::Late;
        if !(is_known || all_are_known) {
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
    // So the other node knows that these are all, also if there is none.
    if reply.send(&write(&Acks::Answers(Vec::new()))).await.is_err() {
        return;
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use eio_cluster::bus::Memory;
    use eio_cluster::{Channel, Cluster, Incoming};
    use tokio::sync::mpsc;
    use tokio::time::sleep;

    use super::*;

    /// A node that has asked another one, which has not ended its answer.
    struct Asked {
        far: FarAnswers,
        reply: Reply,
        _nodes: [(Cluster, Channel); 2],
    }

    impl Asked {
        /// The other node, `b`, says this.
        async fn that_says(parts: &[Acks<'_>]) -> Self {
            let (bus, (sender, mut replies)) = (Memory::new(), mpsc::unbounded_channel());
            let nodes = ["a", "b"].map(|name| {
                let server = eio_tokio::Server::builder(|_socket| async {}).node(name).build().unwrap();
                let cluster = Cluster::builder(&server, bus.end(name)).join().unwrap();
                let sender = sender.clone();
                let keep = move |message: Incoming<'_>| sender.send(message.reply.unwrap()).unwrap();
                let channel = cluster.channel("test", keep).unwrap();
                (cluster, channel)
            });
            // Until each knows that these are all.
            sleep(Duration::from_secs(10)).await;
            let responses = nodes[0].1.request(b"", Duration::from_mins(1));
            let mut reply = replies.recv().await.unwrap();
            for part in parts {
                reply.part(&write(part)).unwrap();
            }
            sleep(Duration::from_millis(1)).await;
            let mut far = FarAnswers::new(responses, core::iter::once("b".into()));
            assert!(far.next().now_or_never().is_none());
            Self { far, reply, _nodes: nodes }
        }
    }

    fn late() -> MissingNode {
        MissingNode { node: "b".to_owned(), reason: NoAnswer::Late }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_missing_when_the_time_is_over_until_it_has_named_all_of_its_sockets() {
        let named = || Acks::Asked(vec!["1"]);
        for (parts, sockets, missing) in [
            (vec![], 0, vec![late()]),
            (vec![named()], 1, vec![late()]),
            (vec![named(), Acks::Answers(vec![])], 1, vec![]),
            (vec![Acks::Answers(vec![])], 0, vec![]),
        ] {
            let mut asked = Asked::that_says(&parts).await;
            asked.far.give_up();
            let answers: Vec<_> = core::iter::from_fn(|| asked.far.pop()).collect();
            assert_eq!((answers.len(), asked.far.missing()), (sockets, &missing[..]), "{parts:?}");
            assert!(answers.iter().all(|(_, answer)| *answer == Err(AckError::Timeout)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_of_which_its_node_says_nothing_more_is_among_the_answers() {
        let Asked { mut far, reply, _nodes } =
            Asked::that_says(&[Acks::Asked(vec!["1"]), Acks::Answers(vec![])]).await;
        drop(reply);
        let (responder, answer) = far.next().await.unwrap();
        let reason = NoAnswer::Incomplete;
        assert_eq!(responder.id().as_str(), "1");
        assert_eq!(answer, Err(AckError::Node { node: "b".to_owned(), reason }));
        assert!(far.next().await.is_none());
        assert_eq!(far.missing(), [MissingNode { node: "b".to_owned(), reason }]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_ends_before_it_has_named_its_sockets_is_missing() {
        let Asked { mut far, reply, _nodes } = Asked::that_says(&[]).await;
        drop(reply);
        assert!(far.next().await.is_none());
        let reason = NoAnswer::Incomplete;
        assert_eq!(far.missing(), [MissingNode { node: "b".to_owned(), reason }]);
    }
}
