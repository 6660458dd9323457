//! Which nodes get a message.

use core::fmt;
use std::collections::BTreeSet;

use eio_cluster::bus::NotPublished;
use eio_cluster::{Channel, Emitter, To};

use crate::parser::Encoded;
use crate::server::change::Change;
use crate::server::cluster::SERVICE;
use crate::server::cluster::fresh::{Fresh, Route};
use crate::server::cluster::message::{Address, Arguments, Message, Packet, write};
use crate::server::random_id;
use crate::server::rooms::Target;

/// Sends messages to the nodes whose sockets they are for.
pub(crate) struct Publisher {
    way: Way,
    fresh: Fresh,
}

/// How messages leave a program.
pub(super) enum Way {
    Node {
        channel: Channel,
        name: String,
    },
    /// A program without sessions.
    Emitter(Emitter),
}

/// How many characters the name of a node may have.
const MAX_NODE: usize = 4;

impl Publisher {
    pub(super) fn new(way: Way) -> Self {
        Self { way, fresh: Fresh::default() }
    }

    /// Sends an event, which the parser of this name has encoded.
    pub(crate) fn emit(
        &self,
        namespace: &str,
        target: &Target,
        parser: &str,
        encoded: &Encoded,
        is_volatile: bool,
    ) -> Result<(), NotPublished> {
        let to = Address::new(namespace, target);
        let packet = Packet::new(parser, encoded);
        self.send(&self.route(namespace, target), &Message::Emit { to, packet, is_volatile })
    }

    /// Lets sockets join a room, leave one, or end.
    pub(crate) fn change(
        &self,
        namespace: &str,
        target: &Target,
        change: Change<'_>,
    ) -> Result<(), NotPublished> {
        let to = Address::new(namespace, target);
        let route = self.route(namespace, target);
        self.send(&route, &Message::Change { to, change })?;
        if let Change::Join(room) = change {
            self.fresh.note(topic(namespace, room), &route);
        }
        Ok(())
    }

    /// Sends an event to the applications of all other nodes.
    pub(super) fn server_side(&self, name: &str, args: Arguments) -> Result<(), NotPublished> {
        self.publish(To::All, &Message::ServerSide { name, args })
    }

    fn send(&self, route: &Route, message: &Message<'_>) -> Result<(), NotPublished> {
        let nodes: Vec<_> = route.nodes.iter().map(String::as_str).collect();
        let topics: Vec<_> = route.topics.iter().map(String::as_str).collect();
        self.publish(To::Any { nodes: &nodes, topics: &topics }, message)
    }

    fn publish(&self, to: To<'_>, message: &Message<'_>) -> Result<(), NotPublished> {
        let payload = write(message);
        match &self.way {
            Way::Node { channel, .. } => channel.publish(to, &payload),
            Way::Emitter(emitter) => emitter.publish(SERVICE, to, &payload),
        }
    }

    fn route(&self, namespace: &str, target: &Target) -> Route {
        if target.rooms.is_empty() {
            return Route { nodes: Vec::new(), topics: vec![namespace.to_owned()] };
        }
        let own = match &self.way {
            Way::Node { name, .. } => Some(&**name),
            Way::Emitter(_) => None,
        };
        // Many sockets are of one node.
        let nodes: BTreeSet<_> = target.rooms.iter().flat_map(|room| nodes_of(room, own)).collect();
        let topics = target.rooms.iter().map(|room| topic(namespace, room));
        let nodes = nodes.into_iter().map(str::to_owned);
        let mut route = Route { nodes: nodes.collect(), topics: topics.collect() };
        self.fresh.widen(namespace, &mut route);
        route
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

/// Returns the topic of a room. The nodes that have sockets in the room listen to it. That of a whole namespace is its name.
pub(super) fn topic(namespace: &str, room: &str) -> String {
    format!("{namespace},{room}")
}

/// Returns the other nodes that may have the socket whose identifier this is, if it is one. A node knows how long the names
/// of nodes are, because they are as long as its own.
fn nodes_of<'a>(room: &'a str, own: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    // Clients of Socket.IO 2 have their namespace in front.
    let id = room.rsplit_once('#').map_or(room, |(_, id)| id);
    let id = if random_id::is_id(id) { id } else { "" };
    let lengths = match own {
        Some(own) => own.len()..=own.len(),
        None => 1..=MAX_NODE,
    };
    lengths.filter_map(|length| id.get(..length)).filter(move |node| Some(*node) != own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes<'a>(room: &'a str, own: Option<&'a str>) -> Vec<&'a str> {
        nodes_of(room, own).collect()
    }

    #[test]
    fn an_identifier_of_a_socket_names_its_node_and_other_rooms_name_none() {
        let id = "b2Xm3kAAAAAAAAAAAAAA";
        assert_eq!(nodes(id, Some("a7")), ["b2"]);
        assert_eq!(nodes(id, Some("b2")), [""; 0]);
        assert_eq!(nodes(id, None), ["b", "b2", "b2X", "b2Xm"]);
        assert_eq!(nodes(&format!("/chat#{id}"), Some("a7")), ["b2"]);
        for room in ["", "lobby", "#", "ä2Xm3kAAAAAAAAAAAAA", "b2Xm3kAAAAAAAAAAAAAAA", "b2 m3kAAAAAAAAAAAAAA"]
        {
            assert_eq!(nodes(room, Some("a7")), [""; 0], "{room}");
            assert_eq!(nodes(room, None), [""; 0], "{room}");
        }
    }
}
