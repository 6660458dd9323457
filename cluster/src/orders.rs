//! What the nodes are told to do with their sessions.

use bytes::Bytes;
use eio_tokio::bytestring::ByteString;
use eio_tokio::{Audience, Message, SessionId};
use serde::{Deserialize, Serialize};

use crate::bus::NotPublished;
use crate::channel::To;
use crate::link::Link;

/// The service under which nodes tell each other what to do with their sessions. Its topics are groups.
pub(crate) const SERVICE: &str = "engine";

/// An order to the other nodes. The bytes of its messages are behind it, one after the other.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Order<'a> {
    /// Sends messages to an audience as one unit.
    SendTo {
        #[serde(borrow)]
        groups: Option<Vec<&'a str>>,
        except: Vec<&'a str>,
        except_groups: Vec<&'a str>,
        pieces: Vec<Piece>,
    },
    /// Sends messages to one session as one unit.
    Send { sid: &'a str, pieces: Vec<Piece> },
    /// Closes a session.
    Close { sid: &'a str },
}

/// The kind and the length of a message.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Piece {
    is_text: bool,
    len: u32,
}

impl<'a> Order<'a> {
    /// Writes the order and its messages.
    fn encode(&self, messages: &[Message]) -> Vec<u8> {
        // Writing into memory cannot fail: the format has room for whatever the types have.
        let mut bytes = postcard::to_extend(self, Vec::new()).unwrap_or_default();
        for message in messages {
            bytes.extend_from_slice(message.as_bytes());
        }
        bytes
    }

    /// Reads an order. Returns it with its messages, which share its memory, or `None` if it is unreadable.
    pub(crate) fn decode(bytes: &'a Bytes) -> Option<(Self, Vec<Message>)> {
        let (order, rest) = postcard::take_from_bytes::<Self>(bytes).ok()?;
        let mut rest = bytes.slice(bytes.len() - rest.len()..);
        let pieces: &[Piece] = match &order {
            Self::SendTo { pieces, .. } | Self::Send { pieces, .. } => pieces,
            Self::Close { .. } => &[],
        };
        let mut messages = Vec::new();
        for piece in pieces {
            let len = usize::try_from(piece.len).ok().filter(|len| *len <= rest.len())?;
            let bytes = rest.split_to(len);
            messages.push(if piece.is_text {
                Message::Text(ByteString::try_from(bytes).ok()?)
            } else {
                Message::Binary(bytes)
            });
        }
        rest.is_empty().then_some((order, messages))
    }
}

fn pieces(messages: &[Message]) -> Vec<Piece> {
    let piece = |message: &Message| Piece {
        is_text: message.as_text().is_some(),
        // A longer one is refused, because no frame has room for it.
        len: u32::try_from(message.len()).unwrap_or(u32::MAX),
    };
    messages.iter().map(piece).collect()
}

/// Tells the other nodes to send messages to an audience. Only those that have members of a group hear of it.
pub(crate) fn send_to(link: &Link, audience: &Audience, messages: &[Message]) -> Result<(), NotPublished> {
    let groups: Option<Vec<&str>> = audience.groups().map(Iterator::collect);
    let excepted: Vec<SessionId> = audience.excepted().collect();
    let order = Order::SendTo {
        groups: groups.clone(),
        except: excepted.iter().map(SessionId::as_str).collect(),
        except_groups: audience.excepted_groups().collect(),
        pieces: pieces(messages),
    };
    let to = groups.as_ref().map_or(To::All, |groups| To::Topics(groups));
    link.publish(SERVICE, to, &order.encode(messages))
}

/// Tells a node to send messages to one of its sessions.
pub(crate) fn send(link: &Link, node: &str, sid: &str, messages: &[Message]) -> Result<(), NotPublished> {
    let order = Order::Send { sid, pieces: pieces(messages) };
    link.publish(SERVICE, To::Node(node), &order.encode(messages))
}

/// Tells a node to close one of its sessions.
pub(crate) fn close(link: &Link, node: &str, sid: &str) -> Result<(), NotPublished> {
    link.publish(SERVICE, To::Node(node), &Order::Close { sid }.encode(&[]))
}

/// Returns the audience that an order means, or `None` if it is nobody. What is no sid of a session excepts nobody.
pub(crate) fn audience(groups: Option<&[&str]>, except: &[&str], except_groups: &[&str]) -> Option<Audience> {
    let mut audience = match groups {
        None => Audience::all(),
        Some(groups) => {
            let (first, others) = groups.split_first()?;
            others.iter().fold(Audience::group(*first), |audience, group| audience.and_group(*group))
        }
    };
    for sid in except.iter().filter_map(|sid| sid.parse().ok()) {
        audience = audience.except(sid);
    }
    Some(except_groups.iter().fold(audience, |audience, group| audience.except_group(*group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "a7XxXxXxXxXxXxXxXxXx";

    #[test]
    fn orders_come_back_as_they_were_and_garbage_is_refused() {
        let messages = [Message::text("hé"), Message::binary(vec![0, 255]), Message::text("")];
        let orders = [
            Order::SendTo {
                groups: Some(vec!["lobby", "bar"]),
                except: vec![SID],
                except_groups: vec!["muted"],
                pieces: pieces(&messages),
            },
            Order::Send { sid: SID, pieces: pieces(&messages) },
            Order::Close { sid: SID },
        ];
        for order in orders {
            let messages = if matches!(order, Order::Close { .. }) { &[][..] } else { &messages };
            let bytes = Bytes::from(order.encode(messages));
            let (read, carried) = Order::decode(&bytes).unwrap();
            assert_eq!((&read, &carried[..]), (&order, messages));
            for len in 0..bytes.len() {
                assert_eq!(Order::decode(&bytes.slice(..len)), None);
                for bit in 0..8 {
                    let mut flipped = bytes.to_vec();
                    flipped[len] ^= 1 << bit;
                    let flipped = Bytes::from(flipped);
                    if let Some((Order::SendTo { groups, except, except_groups, .. }, _)) =
                        Order::decode(&flipped)
                    {
                        let _ = audience(groups.as_deref(), &except, &except_groups);
                    }
                }
            }
            let longer = [&bytes, &b"x"[..]].concat().into();
            assert_eq!(Order::decode(&longer), None);
        }
    }

    #[test]
    fn the_audience_of_an_order_is_that_of_the_sender() {
        let sid: SessionId = SID.parse().unwrap();
        let sent = Audience::group("a").and_group("b").except(sid).except_group("c");
        assert_eq!(audience(Some(&["a", "b"]), &[SID, "no sid"], &["c"]), Some(sent));
        assert_eq!(audience(None, &[], &[]), Some(Audience::all()));
        assert_eq!(audience(Some(&[]), &[], &[]), None);
    }
}
