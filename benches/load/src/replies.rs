//! Counts the replies of a connection, and checks each of their bytes.

use crate::failure::{Failure, Result};

/// An Engine.IO ping, as a server sends it.
pub(crate) const PING: &[u8] = b"\x81\x012";

/// What arrived in some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrived {
    /// Whole replies.
    pub replies: u32,
    /// Whole pings.
    pub pings: u32,
}

/// The place of a connection in the stream of replies that it must receive: the same frame again and again, with pings
/// between any two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replies {
    /// How much of the current frame has arrived.
    at: usize,
    /// Whether that frame is a ping.
    in_ping: bool,
}

impl Replies {
    /// Takes the next bytes of the stream. `expected` is the frame of a reply.
    ///
    /// # Errors
    /// Fails if a byte is another than it must be.
    pub fn take(&mut self, mut input: &[u8], expected: &[u8]) -> Result<Arrived> {
        let mut arrived = Arrived::default();
        while !input.is_empty() {
            let frame = if self.in_ping { PING } else { expected };
            let missing = &frame[self.at..];
            let len = missing.len().min(input.len());
            let (now, later) = input.split_at(len);
            if *now != missing[..len] {
                self.expect_ping(input, expected)?;
                continue;
            }
            input = later;
            self.at += len;
            if self.at == frame.len() {
                if self.in_ping {
                    arrived.pings += 1;
                } else {
                    arrived.replies += 1;
                }
                *self = Self::default();
            }
        }
        Ok(arrived)
    }

    /// Goes on as in a ping, if what has arrived of the frame fits the beginning of one.
    fn expect_ping(&mut self, input: &[u8], expected: &[u8]) -> Result<()> {
        if self.in_ping || PING.get(..self.at) != Some(&expected[..self.at]) {
            let shown = input[..input.len().min(16)].escape_ascii();
            return Err(Failure::server(format!("sent \"{shown}\" {} bytes into a reply", self.at)));
        }
        self.in_ping = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{Kind, Message};

    fn arrived(replies: u32, pings: u32) -> Arrived {
        Arrived { replies, pings }
    }

    #[test]
    fn replies_and_pings_are_counted_however_the_stream_is_cut() {
        for kind in [Kind::Text, Kind::Binary, Kind::Event, Kind::AskingEvent] {
            let reply = Message::new(kind, 20).reply;
            let stream = [&reply[..], PING, PING, &reply, &reply, PING, &reply].concat();
            for first in 0..stream.len() {
                for second in first..stream.len() {
                    let mut replies = Replies::default();
                    let mut all = Arrived::default();
                    for part in [&stream[..first], &stream[first..second], &stream[second..]] {
                        let some = replies.take(part, &reply).unwrap();
                        all = arrived(all.replies + some.replies, all.pings + some.pings);
                    }
                    assert_eq!(all, arrived(4, 3), "{kind:?}, cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn a_reply_counts_once_its_last_byte_is_there() {
        let reply = Message::new(Kind::Text, 20).reply;
        let mut replies = Replies::default();
        assert_eq!(replies.take(&reply[..reply.len() - 1], &reply).unwrap(), arrived(0, 0));
        assert_eq!(replies.take(&reply[reply.len() - 1..], &reply).unwrap(), arrived(1, 0));
    }

    #[test]
    fn a_wrong_byte_anywhere_is_an_error() {
        let reply = Message::new(Kind::Text, 20).reply;
        for at in 0..reply.len() {
            let mut stream = [&reply[..], &reply].concat();
            stream[reply.len() + at] ^= 1;
            assert!(Replies::default().take(&stream, &reply).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_ping_within_a_reply_is_an_error() {
        let reply = Message::new(Kind::Text, 20).reply;
        let stream = [&reply[..7], PING, &reply[7..]].concat();
        assert!(Replies::default().take(&stream, &reply).is_err());
    }

    #[test]
    fn other_frames_are_errors_that_show_what_came() {
        let reply = Message::new(Kind::Text, 20).reply;
        let error = Replies::default().take(b"\x88\x02\x03\xe8", &reply).unwrap_err();
        assert_eq!(error.to_string(), r#"the server sent "\x88\x02\x03\xe8" 0 bytes into a reply"#);
    }
}
