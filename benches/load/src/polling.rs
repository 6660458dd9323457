//! A session on long-polling: its requests, and what their answers carry.

use crate::failure::{Failure, Result};
use crate::http::Client;
use crate::reactor::Reactor;
use crate::target::Target;
use crate::websocket::Session;

/// Separates packets in a body.
const SEPARATOR: u8 = 0x1e;

/// Returns the request that opens a session.
#[must_use]
pub fn handshake_request(target: &Target) -> Vec<u8> {
    get(target, "")
}

/// Reads the body that opens a session.
///
/// # Errors
/// Fails if it is something else.
pub fn handshake(body: &[u8]) -> Result<Session> {
    let json = body.strip_prefix(b"0").and_then(|json| std::str::from_utf8(json).ok());
    Session::parse(json.ok_or_else(|| Failure::server("sent no open packet to a handshake"))?)
}

/// A session on long-polling with one connection, on which it posts and polls in turn.
#[derive(Debug)]
pub struct PollingSession {
    client: Client,
    requests: Requests,
    state: State,
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Posting,
    Polling,
    /// Nothing: it has no request under way.
    Resting,
}

/// The requests of a session.
#[derive(Debug, Default)]
struct Requests {
    /// Posts messages.
    messages: Vec<u8>,
    /// Posts a pong, and then the messages.
    pong_and_messages: Vec<u8>,
    /// Posts a pong.
    pong: Vec<u8>,
    poll: Vec<u8>,
}

/// What the answer to a request was.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The session is open.
    Opened,
    /// What was posted has arrived.
    Posted,
    /// These packets are what a poll got.
    Packets(Packets),
}

/// The packets of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packets {
    /// How many are messages, all of which are the expected one.
    pub messages: usize,
    /// Whether one is a ping.
    pub ping: bool,
    /// Whether one is a noop.
    pub noop: bool,
}

impl PollingSession {
    /// Opens a connection, whose events carry `index`, and asks for a session.
    ///
    /// # Errors
    /// Fails if the server does not accept the connection.
    pub fn open(target: &Target, reactor: &Reactor, index: usize) -> Result<Self> {
        let client = Client::open(target, reactor, index)?;
        let mut session = Self { client, requests: Requests::default(), state: State::Resting };
        session.ask(target)?;
        Ok(session)
    }

    /// Asks for a session, in the place of the one before.
    ///
    /// # Errors
    /// Fails if the server has closed the connection.
    pub fn ask(&mut self, target: &Target) -> Result<()> {
        self.state = State::Opening;
        self.client.send(&handshake_request(target))
    }

    /// Prepares the requests of the session that was opened: each post carries `together` times `message`.
    fn prepare(&mut self, target: &Target, sid: &str, message: &[u8], together: usize) {
        let messages = vec![message; together].join(&SEPARATOR);
        let with_pong = [b"3", &[SEPARATOR][..], &messages].concat();
        self.requests = Requests {
            messages: post_request(target, sid, &messages),
            pong_and_messages: post_request(target, sid, &with_pong),
            pong: post_request(target, sid, b"3"),
            poll: poll_request(target, sid),
        };
    }

    /// Posts the messages, behind a pong if one is due.
    ///
    /// # Errors
    /// Fails if the server has closed the connection.
    pub fn post(&mut self, pong: bool) -> Result<()> {
        self.state = State::Posting;
        self.client.send(if pong { &self.requests.pong_and_messages } else { &self.requests.messages })
    }

    /// Posts a pong alone.
    ///
    /// # Errors
    /// Fails if the server has closed the connection.
    pub fn post_pong(&mut self) -> Result<()> {
        self.state = State::Posting;
        self.client.send(&self.requests.pong)
    }

    /// Polls.
    ///
    /// # Errors
    /// Fails if the server has closed the connection.
    pub fn poll(&mut self) -> Result<()> {
        self.state = State::Polling;
        self.client.send(&self.requests.poll)
    }

    /// Reads the answer to the request that is under way, and returns it once it is complete. A session that has just
    /// been opened will post `together` times `message`, and expects it in answers.
    ///
    /// # Errors
    /// Fails if the answer is not what it must be.
    pub fn receive(
        &mut self,
        target: &Target,
        buffer: &mut [u8],
        message: &[u8],
        together: usize,
    ) -> Result<Option<(Answer, Option<Session>)>> {
        let Some(body) = self.client.receive(buffer)? else { return Ok(None) };
        let before = std::mem::replace(&mut self.state, State::Resting);
        Ok(Some(match before {
            State::Opening => {
                let session = handshake(&body)?;
                self.prepare(target, &session.sid, message, together);
                (Answer::Opened, Some(session))
            }
            State::Posting if body == b"ok" => (Answer::Posted, None),
            State::Posting => {
                let shown = body.escape_ascii();
                return Err(Failure::server(format!("answered \"{shown}\" to a post")));
            }
            State::Polling => (Answer::Packets(packets(&body, message)?), None),
            State::Resting => return Err(Failure::server("sent an answer that nobody asked for")),
        }))
    }
}

/// Reads the body of an answer to a poll. Every message must be the expected one.
///
/// # Errors
/// Fails if a packet is something else.
pub fn packets(body: &[u8], message: &[u8]) -> Result<Packets> {
    let mut packets = Packets::default();
    for packet in body.split(|byte| *byte == SEPARATOR) {
        match packet {
            b"2" => packets.ping = true,
            b"6" => packets.noop = true,
            _ if packet == message => packets.messages += 1,
            _ => {
                let shown = packet[..packet.len().min(32)].escape_ascii();
                return Err(Failure::server(format!("answered a poll with the packet \"{shown}\"")));
            }
        }
    }
    Ok(packets)
}

fn get(target: &Target, sid: &str) -> Vec<u8> {
    let (path, address) = (&target.path, target.address);
    format!("GET {path}?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

/// Returns the request that polls for the packets of a session.
#[must_use]
pub fn poll_request(target: &Target, sid: &str) -> Vec<u8> {
    get(target, &format!("&sid={sid}"))
}

/// Returns the request that posts packets to a session.
#[must_use]
pub fn post_request(target: &Target, sid: &str, body: &[u8]) -> Vec<u8> {
    let (path, address, len) = (&target.path, target.address, body.len());
    let head = format!(
        "POST {path}?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pings_and_noops_of_an_answer_are_counted() {
        let all = packets(b"4abc\x1e2\x1e4abc\x1e6", b"4abc").unwrap();
        assert_eq!(all, Packets { messages: 2, ping: true, noop: true });
    }

    #[test]
    fn another_packet_is_an_error_that_shows_it() {
        let error = packets(b"4abc\x1e4abd", b"4abc").unwrap_err();
        assert_eq!(error.to_string(), r#"the server answered a poll with the packet "4abd""#);
        assert!(packets(b"", b"4abc").is_err());
    }
}
