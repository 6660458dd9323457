//! What nodes say to each other on the bus.
//!
//! A frame is a version byte, a header in postcard's format, and the payload, which is the rest. Everything else than that
//! is unreadable: whoever may publish on the bus is trusted with what is said, but garbage must not harm.

use core::fmt;

use bytes::Bytes;
use eio_core::Heartbeat;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bus::is_node;

/// The format of all frames. Nodes with another one do not understand each other.
const VERSION: u8 = 1;
/// How many topics a message may name.
pub(crate) const MAX_TOPICS: usize = 1_000;
/// The longest address of a node, in bytes.
pub(crate) const MAX_ADDRESS: usize = 255;

/// The head of a frame.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame<'a> {
    pub(crate) from: Publisher<'a>,
    #[serde(borrow)]
    pub(crate) body: Body<'a>,
}

/// Who has published a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Publisher<'a> {
    /// The name of the node, or nothing for a program without sessions.
    pub(crate) node: &'a str,
    /// A random number for each start of a program.
    pub(crate) incarnation: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Body<'a> {
    /// A node lives.
    #[serde(borrow)]
    Beacon(Beacon<'a>),
    /// What a node sends to itself, to learn that it has heard everything that was published before. In microseconds of its
    /// own clock.
    Echo { sent: u64 },
    /// For a service, with a payload.
    Message {
        service: &'a str,
        /// Counts the messages of the publisher that come several times, once for each topic and each node that they name.
        number: Option<u64>,
        /// For those that listen to any of these; for all if there are none.
        #[serde(borrow, deserialize_with = "at_most_max_topics")]
        topics: Vec<&'a str>,
    },
    /// As a message, and answers are expected at the publisher's node.
    Request { service: &'a str, id: u64 },
    /// A part of an answer, with a payload.
    Part { to: u64, id: u64, index: u32 },
    /// An answer is complete.
    End { to: u64, id: u64, parts: u32, outcome: Outcome },
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beacon<'a> {
    pub(crate) phase: Phase,
    /// The node has just come, and wants to know who is there.
    pub(crate) is_new: bool,
    /// The node is silent for this time, in milliseconds, before the next beacon is due.
    interval: u32,
    /// How much later a beacon may come.
    timeout: u32,
    pub(crate) sessions: u64,
    pub(crate) address: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Up,
    Draining,
    Leaving,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Answered,
    /// The handler panicked.
    Panicked,
    /// The node has no such service.
    NoService,
}

/// Reads topics. Their number is in front of them and may be a lie, so it reserves nothing.
fn at_most_max_topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'de str>, D::Error> {
    struct Topics;

    impl<'de> Visitor<'de> for Topics {
        type Value = Vec<&'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX_TOPICS} topics")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut each: A) -> Result<Self::Value, A::Error> {
            let mut topics = Vec::new();
            while let Some(topic) = each.next_element()? {
                if topics.len() == MAX_TOPICS {
                    return Err(A::Error::invalid_length(topics.len() + 1, &self));
                }
                topics.push(topic);
            }
            Ok(topics)
        }
    }

    deserializer.deserialize_seq(Topics)
}

impl<'a> Beacon<'a> {
    pub(crate) fn new(
        phase: Phase,
        is_new: bool,
        heartbeat: Heartbeat,
        sessions: usize,
        address: Option<&'a str>,
    ) -> Self {
        let millis = |period: core::time::Duration| u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        Self {
            phase,
            is_new,
            interval: millis(heartbeat.ping_interval()),
            timeout: millis(heartbeat.ping_timeout()),
            sessions: sessions as u64,
            address,
        }
    }

    /// Returns how long the node may be silent.
    pub(crate) fn heartbeat(&self) -> Option<Heartbeat> {
        Heartbeat::from_millis(self.interval, self.timeout).ok()
    }
}

impl<'a> Frame<'a> {
    /// Writes the frame with its payload.
    pub(crate) fn encode(&self, payload: &[u8]) -> Bytes {
        // Writing into memory cannot fail: the format has room for whatever the types have.
        let mut bytes = postcard::to_extend(self, vec![VERSION]).unwrap_or_default();
        bytes.extend_from_slice(payload);
        bytes.into()
    }

    /// Reads a frame. Returns it with its payload, or `None` if it is unreadable.
    pub(crate) fn decode(bytes: &'a Bytes) -> Option<(Self, Bytes)> {
        let (&VERSION, rest) = bytes.split_first()? else { return None };
        let (frame, payload) = postcard::take_from_bytes::<Self>(rest).ok()?;
        let payload = bytes.slice(bytes.len() - payload.len()..);
        frame.is_fit(&payload).then_some((frame, payload))
    }

    fn is_fit(&self, payload: &Bytes) -> bool {
        let is_named = !self.from.node.is_empty();
        if is_named && !is_node(self.from.node) {
            return false;
        }
        match &self.body {
            Body::Beacon(beacon) => {
                let address = beacon.address.is_none_or(|address| address.len() <= MAX_ADDRESS);
                is_named && payload.is_empty() && address && beacon.heartbeat().is_some()
            }
            Body::Echo { .. } | Body::End { .. } => is_named && payload.is_empty(),
            Body::Request { .. } | Body::Part { .. } => is_named,
            Body::Message { .. } => true,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const A7: Publisher<'_> = Publisher { node: "a7", incarnation: u64::MAX };

    /// One frame of each kind, with a payload where it may have one.
    pub(crate) fn samples() -> Vec<Bytes> {
        let heartbeat = Heartbeat::from_millis(5_000, 5_000).unwrap();
        let beacon = Beacon::new(Phase::Draining, true, heartbeat, 12_345, Some("http://10.0.0.7:3000"));
        let bodies = [
            (Body::Beacon(beacon), ""),
            (Body::Echo { sent: 300 }, ""),
            (Body::Message { service: "test", number: Some(7), topics: vec!["lobby", "ä"] }, "hello"),
            (Body::Request { service: "test", id: 1 << 40 }, "who?"),
            (Body::Part { to: 1, id: 2, index: 3 }, "I"),
            (Body::End { to: 1, id: 2, parts: 4, outcome: Outcome::Panicked }, ""),
        ];
        bodies.map(|(body, payload)| Frame { from: A7, body }.encode(payload.as_bytes())).into()
    }

    #[test]
    fn frames_come_back_as_they_were_and_share_their_payload() {
        for bytes in samples() {
            let (frame, payload) = Frame::decode(&bytes).unwrap();
            assert_eq!(frame.from, A7);
            assert_eq!(frame.encode(&payload), bytes);
        }
        // The format is what nodes of several versions have to agree on.
        let echo = Frame { from: Publisher { node: "a", incarnation: 1 }, body: Body::Echo { sent: 2 } };
        assert_eq!(&echo.encode(b"")[..], [1, 1, b'a', 1, 1, 2]);
    }

    #[test]
    fn garbage_is_refused_or_read_and_never_more_than_that() {
        for bytes in samples() {
            for len in 0..bytes.len() {
                let _ = Frame::decode(&bytes.slice(..len));
                for bit in 0..8 {
                    let mut flipped = bytes.to_vec();
                    flipped[len] ^= 1 << bit;
                    let flipped = Bytes::from(flipped);
                    if let Some((frame, payload)) = Frame::decode(&flipped) {
                        assert!(frame.from.node.len() <= 4 && payload.len() < flipped.len());
                    }
                }
            }
        }
        assert_eq!(Frame::decode(&Bytes::new()), None);
        let other_version = [&[2], &samples()[0][1..]].concat();
        assert_eq!(Frame::decode(&other_version.into()), None);
    }

    #[test]
    fn what_a_frame_may_not_say_is_refused() {
        let heartbeat = Heartbeat::DEFAULT;
        let refused = |node, body, payload: &[u8]| {
            let bytes = Frame { from: Publisher { node, incarnation: 0 }, body }.encode(payload);
            Frame::decode(&bytes).is_none()
        };
        let beacon = || Beacon::new(Phase::Up, false, heartbeat, 0, None);
        let long = "x".repeat(MAX_ADDRESS + 1);
        assert!(!refused("a", Body::Beacon(beacon()), b""));
        assert!(refused("", Body::Beacon(beacon()), b""));
        assert!(refused("a", Body::Beacon(beacon()), b"more"));
        assert!(refused("a", Body::Beacon(Beacon { address: Some(&long), ..beacon() }), b""));
        assert!(refused("a", Body::Beacon(Beacon { interval: 0, ..beacon() }), b""));
        assert!(refused("nodes", Body::Echo { sent: 1 }, b"") && refused("a.", Body::Echo { sent: 1 }, b""));
        let message = |topics| Body::Message { service: "engine", number: None, topics };
        assert!(!refused("", message(vec![""; MAX_TOPICS]), b""));
        assert!(refused("", message(vec![""; MAX_TOPICS + 1]), b""));
    }
}
