//! The subjects of messages.

use core::fmt::{self, Write as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// What a message is published to, and what nodes subscribe to: words of ASCII letters, digits, `-` and `_`, separated by
/// dots. So it is valid as a channel of Redis and as a subject of NATS. Cloning is cheap.
///
/// | subject | who subscribes |
/// |---|---|
/// | `<prefix>.all` | every node |
/// | `<prefix>.node.<name>` | the node of this name |
/// | `<prefix>.topic.<service>.<hash>` | the nodes that listen to the topic: 128 bits of the SHA-256 of its name |
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Returns the subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A prefix of subjects is not one that every bus can carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the prefix {0:?} has other than 1 to 32 characters, or others than ASCII letters, digits, `-` and `_`"
)]
pub struct InvalidPrefix(String);

/// The subjects of one cluster: those with its prefix.
#[derive(Clone, Debug)]
pub(crate) struct Subjects {
    prefix: Arc<str>,
}

/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 32;

impl Subjects {
    pub(crate) fn new(prefix: &str) -> Result<Self, InvalidPrefix> {
        let is_fit = (1..=MAX_PREFIX).contains(&prefix.len()) && prefix.chars().all(is_of_a_word);
        if is_fit { Ok(Self { prefix: prefix.into() }) } else { Err(InvalidPrefix(prefix.to_owned())) }
    }

    /// To every node.
    pub(crate) fn all(&self) -> Subject {
        Subject(format!("{}.all", self.prefix).into())
    }

    /// To one node, if its name is one. Where it is taken from a sid, it may be any text.
    pub(crate) fn node(&self, name: &str) -> Option<Subject> {
        is_node(name).then(|| Subject(format!("{}.node.{name}", self.prefix).into()))
    }

    /// To the nodes that listen to a topic of a service. The topic's name may be any text, and as long as it likes.
    pub(crate) fn topic(&self, service: &str, topic: &str) -> Subject {
        let mut subject = format!("{}.topic.", self.prefix);
        subject.extend(service.chars().map(|sign| if is_of_a_word(sign) { sign } else { '_' }));
        subject.push('.');
        // The service is part of it: two whose names are written alike still have subjects of their own.
        let hash = Sha256::new().chain_update(service).chain_update([0]).chain_update(topic).finalize();
        for byte in hash.iter().take(16) {
            let _ = write!(subject, "{byte:02x}");
        }
        Subject(subject.into())
    }
}

/// The longest name of a node, in bytes.
const MAX_NODE: usize = 4;

/// Returns whether a text can be the name of a node, as [`ServerBuilder::node`](eio_tokio::ServerBuilder::node) takes it.
pub(crate) fn is_node(name: &str) -> bool {
    (1..=MAX_NODE).contains(&name.len()) && name.chars().all(is_of_a_word)
}

fn is_of_a_word(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '-' || sign == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_words_whatever_a_topic_is_called() {
        let subjects = Subjects::new("eio").unwrap();
        assert_eq!(subjects.all().as_str(), "eio.all");
        assert_eq!(subjects.node("a7").unwrap().as_str(), "eio.node.a7");
        for name in ["", "a.b", "*", ">", "a b", "nodes", "ä"] {
            assert_eq!(subjects.node(name), None, "{name:?}");
        }
        for topic in ["", "lobby", "a b.*>", "ä\n\0", &"x".repeat(10_000)] {
            let subject = subjects.topic("socket io", topic);
            let words: Vec<_> = subject.as_str().split('.').collect();
            assert_eq!(words[..3], ["eio", "topic", "socket_io"]);
            assert_eq!((words.len(), words[3].len()), (4, 32), "{subject}");
            assert!(words[3].bytes().all(|sign| sign.is_ascii_hexdigit()));
        }
        // As `printf 'engine\0lobby' | sha256sum` prints it: nodes of all versions have to agree.
        let lobby = subjects.topic("engine", "lobby");
        assert_eq!(lobby.as_str(), "eio.topic.engine.62b84cfd3b85ef7de317bc697b975462");
        assert_ne!(subjects.topic("a b", "c"), subjects.topic("a_b", "c"));
    }

    #[test]
    fn a_prefix_that_a_bus_could_misread_is_refused() {
        for prefix in ["", "a.b", "a b", "ä", "a*", &"x".repeat(33)] {
            let refused = Subjects::new(prefix).unwrap_err();
            assert!(refused.to_string().starts_with(&format!("the prefix {prefix:?} has ")), "{refused}");
        }
        assert!(Subjects::new(&"x".repeat(32)).is_ok());
    }
}
