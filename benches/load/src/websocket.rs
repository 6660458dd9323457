//! Opening WebSockets, one after the other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::str;
use std::time::{Duration, Instant};

use eio_core::handshake::Handshake;
use eio_core::packet::WebSocketMessage;
use eio_core::ws::opening::HeadEnd;
use eio_core::ws::{Decoder, Item};

use crate::clock;
use crate::failure::{Failure, Result};
use crate::frames::JOIN;
use crate::replies::PING;
use crate::target::Target;

/// The longest answer to the opening of a WebSocket: its head, the open packet, and a ping.
const LONGEST_OPENING: usize = 4096;

/// A WebSocket whose open packet has arrived.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The connection. It blocks.
    pub stream: TcpStream,
    /// When the open packet arrived.
    pub at: Instant,
    /// What the open packet says.
    pub session: Session,
    /// The bytes that arrived behind the open packet.
    pub rest: Vec<u8>,
}

/// What an open packet says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Session {
    /// The session's identifier.
    pub sid: String,
    /// How long the server waits before a ping.
    pub ping_interval: Duration,
    /// How long it waits for a pong.
    pub ping_timeout: Duration,
}

/// Opens a WebSocket, waits for its open packet, and joins a namespace if the [target](Target::joins) wants it.
///
/// # Errors
/// Fails if the server refuses it or keeps silent.
pub fn open(target: &Target) -> Result<Opened> {
    let mut stream = target.connect()?;
    let (session, rest) = open_on(target, &mut stream)?;
    Ok(Opened { stream, at: clock::now(), session, rest })
}

/// Opens a WebSocket on a connection, waits for its open packet, and joins a namespace if the [target](Target::joins)
/// wants it. Returns what the open packet says, and what has arrived behind all this.
///
/// # Errors
/// Fails if the server refuses it or keeps silent.
pub fn open_on(target: &Target, stream: &mut (impl Read + Write)) -> Result<(Session, Vec<u8>)> {
    let request = target.websocket_request(None);
    stream.write_all(&request).map_err(Failure::system("a request cannot be sent"))?;
    let mut received = Vec::with_capacity(512);
    let (session, len) = loop {
        read_some(stream, &mut received)?;
        if let Some(opened) = opening(&received)? {
            break opened;
        }
    };
    let mut rest = received.split_off(len);
    if target.joins {
        stream.write_all(&JOIN).map_err(Failure::system("a packet cannot be sent"))?;
        let answer = loop {
            if let Some(answer) = joined(&rest)? {
                break answer;
            }
            read_some(stream, &mut rest)?;
        };
        // A ping stays, to be answered.
        rest.drain(answer);
    }
    Ok((session, rest))
}

/// Opens `count` WebSockets.
///
/// # Errors
/// Fails if one of them cannot be opened.
pub fn open_all(target: &Target, count: usize) -> Result<Vec<Opened>> {
    (0..count).map(|_| open(target)).collect()
}

/// Reads the answer that opens a WebSocket: a head that agrees to it, and the open packet. Returns what the packet says
/// and the length of both, or `None` if the answer is not complete.
///
/// # Errors
/// Fails if the server refuses, or sends something else.
pub fn opening(received: &[u8]) -> Result<Option<(Session, usize)>> {
    let Some(head_len) = agreed(received)? else { return Ok(None) };
    let mut frames = received[head_len..].to_vec();
    let wrong = || Failure::server("sent no open packet on a WebSocket that it opened");
    let decoded = Decoder::client(4096).decode(&mut frames).map_err(|_| wrong())?;
    match decoded.item {
        Some(Item::Message(WebSocketMessage::Text(text))) => {
            let json = text.strip_prefix('0').ok_or_else(wrong)?;
            Ok(Some((Session::parse(json)?, head_len + decoded.consumed)))
        }
        // More of it comes.
        Some(Item::Piece(_)) | None => Ok(None),
        Some(_) => Err(wrong()),
    }
}

/// Reads the packet with which the server lets a socket join the namespace `/`. Returns its place, or `None` if it is not
/// complete. Pings may come before it.
///
/// # Errors
/// Fails if the server refuses, or sends something else.
pub fn joined(received: &[u8]) -> Result<Option<Range<usize>>> {
    let mut start = 0;
    while received[start..].starts_with(PING) {
        start += PING.len();
    }
    let mut frames = received[start..].to_vec();
    let wrong = || Failure::server("answered the request to join `/` with something else");
    let decoded = Decoder::client(4096).decode(&mut frames).map_err(|_| wrong())?;
    match decoded.item {
        Some(Item::Message(WebSocketMessage::Text(text))) if text.starts_with(r#"40{"sid":""#) => {
            Ok(Some(start..start + decoded.consumed))
        }
        // More of it comes.
        Some(Item::Piece(_)) | None => Ok(None),
        Some(_) => Err(wrong()),
    }
}

/// Returns the length of the head that agrees to a WebSocket, or `None` if it is not complete.
///
/// # Errors
/// Fails if the server refuses.
pub fn agreed(received: &[u8]) -> Result<Option<usize>> {
    if let Some(head_len) = HeadEnd::new().find(received) {
        if received.starts_with(b"HTTP/1.1 101 ") {
            return Ok(Some(head_len));
        }
    } else if received.len() < LONGEST_OPENING {
        return Ok(None);
    }
    let line = received.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Err(Failure::server(format!("answered \"{}\" to a WebSocket's request", line.escape_ascii())))
}

impl Session {
    /// Reads the JSON of an open packet.
    ///
    /// # Errors
    /// Fails if it is none.
    pub fn parse(json: &str) -> Result<Self> {
        let handshake = Handshake::parse(json)
            .map_err(|error| Failure::server(format!("sent an open packet that is wrong: {error}")))?;
        Ok(Self {
            sid: handshake.sid.as_str().to_owned(),
            ping_interval: handshake.heartbeat.ping_interval(),
            ping_timeout: handshake.heartbeat.ping_timeout(),
        })
    }
}

/// Appends what has arrived, and waits if nothing has.
pub(crate) fn read_some(stream: &mut impl Read, received: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => Err(Failure::server("closed a connection")),
        Ok(len) => {
            received.extend_from_slice(&buffer[..len]);
            Ok(())
        }
        Err(source) => Err(Failure::System { what: "the server did not answer", source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const OPEN: &[u8] =
        br#"0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

    fn answer() -> Vec<u8> {
        let len = u8::try_from(OPEN.len()).unwrap();
        [HEAD, &[0x81, len], OPEN, b"\x81\x012"].concat()
    }

    #[test]
    fn an_opening_is_complete_with_the_last_byte_of_the_open_packet() {
        let answer = answer();
        let len = answer.len() - 3;
        for short in 0..len {
            assert!(opening(&answer[..short]).unwrap().is_none(), "{short} of {len} bytes");
        }
        let (session, consumed) = opening(&answer).unwrap().unwrap();
        assert_eq!((session.sid.as_str(), consumed), ("abc", len));
        assert_eq!(session.ping_interval, Duration::from_secs(25));
        assert_eq!(session.ping_timeout, Duration::from_secs(20));
    }

    #[test]
    fn a_socket_has_joined_with_the_last_byte_of_the_answer() {
        let answer = b"\x81\x1040{\"sid\":\"abcd\"}\x81\x012";
        let len = answer.len() - 3;
        for short in 0..len {
            assert_eq!(joined(&answer[..short]).unwrap(), None, "{short} of {len} bytes");
        }
        assert_eq!(joined(answer).unwrap(), Some(0..len));
        let behind_a_ping = [PING, answer].concat();
        assert_eq!(joined(&behind_a_ping).unwrap(), Some(3..3 + len));
        let refused = joined(b"\x81\x1244{\"message\":\"no\"}").unwrap_err();
        assert_eq!(refused.to_string(), "the server answered the request to join `/` with something else");
    }

    #[test]
    fn a_refusal_is_an_error_with_the_servers_own_line() {
        let error = opening(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the server answered "HTTP/1.1 400 Bad Request" to a WebSocket's request"#
        );
    }
}
