//! The sessions of all nodes: messages to groups, to one session, and who is where.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use eio_tokio::{Audience, Broadcast, GroupChanges, Message, Sender, Server, SessionId, TrySendBatchError};
use serde::{Deserialize, Serialize};

use crate::bus::NotPublished;
use crate::channel::{Channel, Incoming};
use crate::cluster::Cluster;
use crate::node::Node;
use crate::orders::{self, Order, SERVICE};
use crate::reply::Reply;
use crate::request::NoAnswer;
use crate::sync::{Mutex, spawn};

/// How many bytes one part of an answer about members has, more or less.
const PART: usize = 32 * 1024;

/// The result of sending a message to the sessions of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterBroadcast {
    /// How many sessions of this node get the message, and how many do not.
    pub local: Broadcast,
    /// Whether the message was published to the other nodes. How many of their sessions get it is not known.
    pub published: Result<(), NotPublished>,
}

/// Why something was not sent to a session, or a session not closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// This is not the sid of a session, or of one of this node that has ended.
    #[error("there is no such session")]
    NoSession,
    /// A session of this node does not take it.
    #[error(transparent)]
    Refused(#[from] TrySendBatchError),
    /// The session is one of another node, and it was not published.
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
}

/// A session that is a member of a group, on any node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// The name of the session's node.
    pub node: Arc<str>,
    /// The session.
    pub sid: SessionId,
    /// All groups of the session, in order.
    pub groups: Vec<String>,
}

/// The members of a group, on all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// The sessions: those of this node, then those of the others as their answers came.
    pub found: Vec<Member>,
    /// The nodes that have not answered to the end, and why. If it is empty, all members are found. This node is among them
    /// if it does not know the others: it is not connected to the bus, for example.
    pub missing: Vec<(Arc<str>, NoAnswer)>,
}

impl Cluster {
    /// Sends a message to every session of every node, as [`send_to`](Self::send_to) does.
    pub fn broadcast(&self, message: impl Into<Message>) -> ClusterBroadcast {
        self.send_to(&Audience::all(), message)
    }

    /// Sends a message to an audience on all nodes, and publishes it once for each group. Sessions of this node get it
    /// first. A session gets it once, however many of the groups it is in. It never waits.
    ///
    /// Delivery to other nodes is at most once, in the order in which this node sends. On a Redis Cluster, this order holds
    /// among messages to the same groups: one to other groups, to all or to one session may overtake them. A node that has no
    /// member of the groups gets nothing. A group that has just got its first member on a node is heard there after a round trip to the
    /// bus: see [`heard`](Self::heard).
    ///
    /// ```
    /// use eio_cluster::Cluster;
    /// use eio_tokio::Audience;
    ///
    /// /// Tells those who read the news, on whichever node they are.
    /// fn tell(cluster: &Cluster, news: &str) {
    ///     let audience = Audience::group("news").except_group("muted");
    ///     let sent = cluster.send_to(&audience, news);
    ///     println!("to {} here; to the other nodes: {:?}", sent.local.sent, sent.published);
    /// }
    /// # let _ = tell;
    /// ```
    pub fn send_to(&self, audience: &Audience, message: impl Into<Message>) -> ClusterBroadcast {
        self.send_batch_to(audience, [message])
    }

    /// Sends several messages as one unit to an audience on all nodes, as
    /// [`Server::send_batch_to`](eio_tokio::Server::send_batch_to) does on one. In all else it does as
    /// [`send_to`](Self::send_to) does.
    pub fn send_batch_to(
        &self,
        audience: &Audience,
        messages: impl IntoIterator<Item = impl Into<Message>>,
    ) -> ClusterBroadcast {
        let messages: Vec<Message> = messages.into_iter().map(Into::into).collect();
        let local = self.server().send_batch_to(audience, messages.iter().cloned());
        ClusterBroadcast { local, published: orders::send_to(&self.node.link, audience, &messages) }
    }

    /// Sends a message to one session of any node. For one of another node, `Ok` says that it was published, and not that
    /// the session lives. It never waits.
    ///
    /// # Errors
    /// Returns an error if there is no such session on this node, or its outbox is full, or it is closing; or if the
    /// message was not published to the other node.
    pub fn send(&self, sid: &str, message: impl Into<Message>) -> Result<(), NotSent> {
        self.send_batch(sid, [message])
    }

    /// Sends several messages as one unit to one session of any node, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// The same as those of [`send`](Self::send).
    pub fn send_batch(
        &self,
        sid: &str,
        messages: impl IntoIterator<Item = impl Into<Message>>,
    ) -> Result<(), NotSent> {
        let messages: Vec<Message> = messages.into_iter().map(Into::into).collect();
        match self.find(sid)? {
            Place::Here(session) => Ok(session.try_send_batch(messages)?),
            Place::On(node) => Ok(orders::send(&self.node.link, node, sid, &messages)?),
        }
    }

    /// Closes one session of any node. For one of another node, `Ok` says that this was published. It never waits.
    ///
    /// # Errors
    /// Returns an error if there is no such session on this node, or this was not published to the other node.
    pub fn close(&self, sid: &str) -> Result<(), NotSent> {
        match self.find(sid)? {
            Place::Here(session) => session.close(),
            Place::On(node) => orders::close(&self.node.link, node, sid)?,
        }
        Ok(())
    }

    /// Returns where a session is: its sid begins with the name of its node, and all names have the same length.
    fn find<'s>(&self, sid: &'s str) -> Result<Place<'s>, NotSent> {
        let _: SessionId = sid.parse().map_err(|_| NotSent::NoSession)?;
        match sid.get(..self.name().len()) {
            Some(node) if node != self.name() => Ok(Place::On(node)),
            _ => self.server().get(sid).map(Place::Here).ok_or(NotSent::NoSession),
        }
    }

    /// Finds the members of a group on all nodes. The timeout is for the other nodes together. A node that is not
    /// [connected](Self::connected) yet, or only for a moment, waits for the others at first.
    pub async fn members(&self, group: &str, timeout: Duration) -> Members {
        let mut members = Members::default();
        let asked = postcard::to_extend(&Question::Members { group }, Vec::new()).unwrap_or_default();
        let mut responses = self.sessions.channel.request(&asked, timeout);
        members.found.extend(self.server().members(group).iter().map(|session| Member {
            node: Arc::clone(&self.node.link.node),
            sid: session.id(),
            groups: session.groups(),
        }));
        while let Some(response) = responses.next().await {
            let node = response.node;
            let part = response.part.and_then(|part| {
                postcard::from_bytes::<Vec<(String, Vec<String>)>>(&part).map_err(|_| NoAnswer::Incomplete)
            });
            match part {
                Ok(found) => members.found.extend(found.into_iter().filter_map(|(sid, groups)| {
                    Some(Member { node: Arc::clone(&node), sid: sid.parse().ok()?, groups })
                })),
                Err(why) => members.missing.push((node, why)),
            }
        }
        members
    }

    /// Waits until this node hears what other nodes send to a group that has members here: the bus has confirmed it. Waits
    /// for the bus if it is not connected. Returns at once if the group has no members here.
    pub async fn heard(&self, group: &str) {
        self.sessions.look_at(group);
        self.sessions.channel.listening(group).await;
    }
}

enum Place<'s> {
    Here(Sender),
    On(&'s str),
}

/// What a node asks the others.
#[derive(Serialize, Deserialize)]
enum Question<'a> {
    /// The sids of the members of a group, and all groups of each.
    Members { group: &'a str },
}

/// The service by which nodes tell each other what to do with their sessions.
pub(crate) struct Sessions {
    channel: Channel,
    server: Server,
    /// Held from a look at a group to the listening that follows from it, so that what was seen last counts.
    looking: Mutex<()>,
}

impl Sessions {
    pub(crate) fn open(node: &Arc<Node>) -> Arc<Self> {
        let (server, this) = (node.server.clone(), Arc::downgrade(node));
        let channel = node.services.open_first(node, SERVICE, move |message: Incoming<'_>| {
            let is_read = match message.reply {
                Some(reply) => answer(&server, &message.payload, reply),
                None => obey(&server, &message.payload),
            };
            if let (false, Some(node)) = (is_read, this.upgrade()) {
                node.count_unreadable(message.payload.len());
            }
        });
        let sessions = Arc::new(Self { channel, server: node.server.clone(), looking: Mutex::default() });
        spawn(follow_groups(Arc::downgrade(&sessions), node.server.group_changes(), node.ended()));
        sessions
    }

    /// Listens to a group if it has members here, and else does not.
    fn look_at(&self, group: &str) {
        let looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if self.server.member_count(group) > 0 {
            self.channel.listen(group);
        } else {
            self.channel.unlisten(group);
        }
        drop(looking);
    }
}

/// Listens to the groups that have members on this node.
async fn follow_groups(
    sessions: Weak<Sessions>,
    mut changes: GroupChanges,
    node_ends: impl Future<Output = ()>,
) {
    tokio::pin!(node_ends);
    loop {
        let groups = tokio::select! {
            groups = changes.next() => groups,
            () = &mut node_ends => return,
        };
        let Some(sessions) = sessions.upgrade() else { return };
        for change in groups {
            sessions.look_at(&change.name);
        }
    }
}

/// Does what another node says. Returns `false` if it cannot be read.
fn obey(server: &Server, payload: &bytes::Bytes) -> bool {
    let Some((order, messages)) = Order::decode(payload) else { return false };
    match order {
        Order::SendTo { groups, except, except_groups, .. } => {
            if let Some(audience) = orders::audience(groups.as_deref(), &except, &except_groups) {
                server.send_batch_to(&audience, messages);
            }
        }
        Order::Send { sid, .. } => {
            // The sender was told that this is not known.
            let _ = server.get(sid).map(|session| session.try_send_batch(messages));
        }
        Order::Close { sid } => {
            if let Some(session) = server.get(sid) {
                session.close();
            }
        }
    }
    true
}

/// Answers another node. Returns `false` if the question cannot be read.
fn answer(server: &Server, payload: &[u8], mut reply: Reply) -> bool {
    let Ok(Question::Members { group }) = postcard::from_bytes(payload) else {
        reply.refuse();
        return false;
    };
    let members = server.members(group);
    if members.is_empty() {
        return true;
    }
    // There may be many, and the bus does not wait.
    spawn(async move {
        let mut members = members.iter().peekable();
        while members.peek().is_some() {
            let mut part: Vec<(String, Vec<String>)> = Vec::new();
            let mut len = 0;
            while len < PART
                && let Some(session) = members.next()
            {
                let (sid, groups) = (session.id().to_string(), session.groups());
                len += sid.len() + groups.iter().map(|group| group.len() + 1).sum::<usize>();
                part.push((sid, groups));
            }
            let encoded = postcard::to_extend(&part, Vec::new()).unwrap_or_default();
            if reply.send(&encoded).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Memory;

    #[tokio::test(start_paused = true)]
    async fn a_question_of_another_version_is_refused_and_counted() {
        let bus = Memory::new();
        let [a, b] = ["a", "b"].map(|name| {
            let server = Server::builder(|_socket| async {}).node(name).build().unwrap();
            Cluster::builder(&server, bus.end(name)).join().unwrap()
        });
        a.connected().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut responses = a.sessions.channel.request(b"\x07", Duration::from_secs(1));
        assert_eq!(responses.next().await.unwrap().part, Err(NoAnswer::NoService));
        assert_eq!((responses.next().await, b.status().unreadable), (None, 1));
    }
}
