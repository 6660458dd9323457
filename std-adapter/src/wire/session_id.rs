//! Session identifiers: 120 random bits, written as the reference server writes them. A node's name takes the place of some.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;
use std::io;

use crate::wire::node::{Node, is_of_alphabet};
use crate::wire::random;

/// How many characters of an identifier logs may show, behind the name of the node.
pub(crate) const SHOWN_OF_SID: usize = 4;

/// The identifier of a session. Anybody who knows it can act as the client, so keep it out of logs: use
/// [`short`](Self::short) there. `Debug` writes the same short form. `Display` writes the whole identifier, as the
/// protocol carries it and as [`Server::get`](crate::Server::get) expects it.
///
/// ```
/// # use eio_tokio::Socket;
/// async fn application(mut socket: Socket) {
///     println!("{} opened", socket.id().short()); // Xm3k… opened
///     while socket.recv().await.is_ok() {}
/// }
/// ```
///
/// It begins with the name of the node that has opened the session, if the server [has one](crate::ServerBuilder::node).
#[derive(Clone, Copy)]
pub struct SessionId {
    text: [u8; Self::LEN],
    /// The length of the node's name, if it is known that the identifier begins with one.
    node_len: u8,
}

impl SessionId {
    /// The length of an identifier: 20 characters of the URL alphabet of base64, as in engine.io.
    pub(crate) const LEN: usize = 20;

    /// Returns a new identifier, which begins with the name of this node.
    pub(crate) fn random(node: Option<Node>) -> io::Result<Self> {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bytes: [u8; Self::LEN] = random::bytes()?;
        // Uses six bits of each random byte, so every character is equally likely.
        let mut id = Self { text: bytes.map(|byte| ALPHABET[usize::from(byte & 63)]), node_len: 0 };
        if let Some(node) = node {
            id.text[..node.as_bytes().len()].copy_from_slice(node.as_bytes());
        }
        Ok(id.among_nodes(node))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self { text: text.as_bytes().try_into().ok()?, node_len: 0 })
    }

    /// Returns the identifier as one of the nodes of this server knows it: the names of all nodes have the same length.
    pub(crate) fn among_nodes(self, node: Option<Node>) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the name of a node has at most four characters")]
        Self { node_len: node.map_or(0, |node| node.as_bytes().len() as u8), ..self }
    }

    /// Returns the name of the node that has opened the session, or `None` if the server has [no such
    /// name](crate::ServerBuilder::node) or the identifier was parsed from text. In an identifier that a client has sent
    /// ([`RefusedRequest::sid`](crate::RefusedRequest::sid)), it can be any text.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        let name = self.text.get(..self.node_len.into()).filter(|name| !name.is_empty())?;
        core::str::from_utf8(name).ok()
    }

    /// Returns the whole identifier, as the protocol carries it. Keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Returns the name of the node, the first four characters behind it and an ellipsis: enough to follow a session
    /// through a log, too little to take the session over.
    #[must_use]
    pub fn short(&self) -> impl fmt::Display + use<> {
        let (mut start, len) = ([0; Short::MAX_LEN], usize::from(self.node_len) + SHOWN_OF_SID);
        start[..len].copy_from_slice(&self.text[..len]);
        Short { start, len }
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SessionId {}

impl Hash for SessionId {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.text.hash(hasher);
    }
}

/// The error for a text that is not a session's identifier. It does not contain the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the identifier of a session: expected 20 characters of the URL alphabet of base64")]
#[non_exhaustive]
pub struct InvalidSessionId;

/// Reads what `Display` has written. The session need not exist.
impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        Self::parse(text).filter(|_| is_of_alphabet(text)).ok_or(InvalidSessionId)
    }
}

/// Displays the beginning of an identifier.
struct Short {
    start: [u8; Self::MAX_LEN],
    len: usize,
}

impl Short {
    const MAX_LEN: usize = Node::MAX_LEN + SHOWN_OF_SID;
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", core::str::from_utf8(&self.start[..self.len]).unwrap_or_default())
    }
}

/// Writes the [`short`](SessionId::short) form, because debugging output ends up in logs.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

/// Writes the whole identifier. Use [`short`](SessionId::short) for logs.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_printed_for_machines_is_whole() {
        let id = SessionId::random(None).unwrap();
        assert_eq!(id.to_string(), id.as_str());
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        let short = id.short().to_string();
        assert_eq!(short, format!("{}…", &id.as_str()[..4]));
        assert_eq!((format!("{id:?}"), id.node()), (short, None));
    }

    #[test]
    fn a_node_opens_identifiers_with_its_name_and_shows_four_characters_behind_it() {
        for name in ["a", "a7", "a7b", "node"] {
            let node = Node::parse(name);
            let id = SessionId::random(node).unwrap();
            assert_eq!((id.as_str().len(), id.node()), (20, Some(name)));
            assert_eq!(id.short().to_string(), format!("{}…", &id.as_str()[..name.len() + 4]));
            // A request names it without saying where the name ends.
            let named = SessionId::parse(id.as_str()).unwrap();
            assert_eq!((named, named.node()), (id, None));
            assert_eq!(named.among_nodes(node).node(), Some(name));
            assert_ne!(id, SessionId::random(node).unwrap());
        }
    }

    #[test]
    fn another_node_reads_what_was_written_and_nothing_else() {
        let id = SessionId::random(None).unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "short",
            "twenty characters !!",
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        ] {
            assert_eq!(wrong.parse::<SessionId>(), Err(InvalidSessionId), "{wrong}");
        }
        assert!(!InvalidSessionId.to_string().contains("short"));
    }
}
