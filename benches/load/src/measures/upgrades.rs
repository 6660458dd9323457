//! Sessions that begin on long-polling and move to a WebSocket, as those of the JavaScript client do.
//!
//! Each asks for a session, polls, opens a WebSocket beside it, sends the probe, waits for the answer and for the end of
//! the poll, completes the upgrade, sends a message and gets it back, and closes the WebSocket. Then the next one begins.

use std::time::Duration;

use eio_core::packet::{Packet, WebSocketMessage};
use eio_core::ws::{ControlFrame, Decoder, Item};
use mio::net::TcpStream;

use super::polling::for_time;
use crate::failure::{Failure, Result};
use crate::frames::{self, CLOSE};
use crate::polling::{Answer, PollingSession};
use crate::reactor::{self, Input, READ, Reactor};
use crate::report::{Moment, Report};
use crate::target::Target;
use crate::websocket;

/// What is sent over the upgraded WebSocket, to see that it is in use.
const MESSAGE: &str = "upgraded";

/// Upgrades `connections` sessions at once, one after the other, for `time` after `warm_up`.
///
/// # Errors
/// Fails if an upgrade does.
pub fn measure(target: &Target, connections: usize, warm_up: Duration, time: Duration) -> Result<Report> {
    let mut upgrades = Upgrades {
        target,
        reactor: Reactor::new()?,
        sessions: Vec::with_capacity(connections),
        buffer: vec![0; READ],
        frames: Frames {
            probe: frames::from_client(&Packet::PING_PROBE),
            complete: [
                frames::from_client(&Packet::UPGRADE),
                frames::from_client(&Packet::message(WebSocketMessage::Text(MESSAGE))),
            ]
            .concat(),
        },
        done: 0,
    };
    for index in 0..connections {
        let polling = PollingSession::open(target, &upgrades.reactor, 2 * index)?;
        upgrades.sessions.push(Upgrading { polling, polls: true, websocket: None });
    }
    upgrades.run(warm_up)?;
    let (start, before) = (Moment::now(target.process)?, upgrades.done);
    upgrades.run(time)?;
    let (end, done) = (Moment::now(target.process)?, upgrades.done - before);
    Ok(end.since(start).rate(done))
}

struct Upgrades<'t> {
    target: &'t Target,
    reactor: Reactor,
    sessions: Vec<Upgrading>,
    buffer: Vec<u8>,
    frames: Frames,
    /// How many upgrades are complete.
    done: u64,
}

/// What is sent over the WebSocket.
struct Frames {
    probe: Vec<u8>,
    /// The packet that completes the upgrade, and a message.
    complete: Vec<u8>,
}

/// A session that is upgraded.
struct Upgrading {
    polling: PollingSession,
    /// Whether a request of the old transport is under way.
    polls: bool,
    websocket: Option<WebSocket>,
}

/// The new transport.
struct WebSocket {
    stream: TcpStream,
    step: Step,
    received: Vec<u8>,
    decoder: Decoder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Waits for the head of the answer.
    Opening,
    /// Waits for the answer to the probe.
    Probing,
    /// Waits for the end of the poll.
    Pausing,
    /// Waits for the message to come back.
    Upgraded,
    /// Waits for the server's close frame.
    Closing,
    /// Waits for the end of the connection.
    Closed,
}

impl Upgrades<'_> {
    fn run(&mut self, time: Duration) -> Result<()> {
        for_time(time, || {
            let before = self.done;
            let ready: Vec<usize> = self.reactor.wait(Duration::from_millis(100))?.collect();
            for index in ready {
                if index % 2 == 0 {
                    self.polling_is_ready(index / 2)?;
                } else {
                    self.websocket_is_ready(index / 2)?;
                }
            }
            Ok(self.done > before)
        })
    }

    /// Goes on with the old transport.
    fn polling_is_ready(&mut self, index: usize) -> Result<()> {
        let session = &mut self.sessions[index];
        let message = format!("4{MESSAGE}");
        let received = session.polling.receive(self.target, &mut self.buffer, message.as_bytes(), 0)?;
        let Some((answer, opened)) = received else { return Ok(()) };
        if let Some(opened) = opened {
            let mut stream = self.reactor.adopt(self.target.connect()?, 2 * index + 1)?;
            let request = self.target.websocket_request(Some(&opened.sid));
            write_all(&mut stream, &request)?;
            let (received, decoder) = (Vec::with_capacity(512), Decoder::client(4096));
            session.websocket = Some(WebSocket { stream, step: Step::Opening, received, decoder });
        }
        let paused = session.websocket.as_ref().is_some_and(|websocket| websocket.step == Step::Pausing);
        match answer {
            Answer::Packets(packets) if packets.ping => session.polling.post_pong()?,
            _ if paused => {
                session.polls = false;
                if let Some(websocket) = &mut session.websocket {
                    websocket.complete(&self.frames)?;
                }
            }
            // The poll waits until the probe has come.
            Answer::Packets(packets) if packets.noop => session.polls = false,
            _ => session.polling.poll()?,
        }
        Ok(())
    }

    /// Goes on with the new transport.
    fn websocket_is_ready(&mut self, index: usize) -> Result<()> {
        let session = &mut self.sessions[index];
        let Some(websocket) = &mut session.websocket else { return Ok(()) };
        loop {
            match reactor::read(&mut websocket.stream, &mut self.buffer)? {
                Input::All(0) => break,
                Input::Some(len) | Input::All(len) => {
                    websocket.received.extend_from_slice(&self.buffer[..len]);
                }
                Input::End if websocket.step == Step::Closed => return self.begin_again(index),
                Input::End => {
                    let step = websocket.step;
                    return Err(Failure::server(format!(
                        "closed a WebSocket in the step {step:?} of an upgrade"
                    )));
                }
            }
            // The upgrade is complete once no poll is under way.
            if websocket.go_on(&self.frames)? && !session.polls {
                websocket.complete(&self.frames)?;
            }
        }
        Ok(())
    }

    /// Counts an upgrade, and begins the next one.
    fn begin_again(&mut self, index: usize) -> Result<()> {
        self.done += 1;
        let session = &mut self.sessions[index];
        session.websocket = None;
        session.polls = true;
        session.polling.ask(self.target)
    }
}

impl WebSocket {
    /// Takes what has arrived. Returns whether the probe was answered just now.
    fn go_on(&mut self, frames: &Frames) -> Result<bool> {
        if self.step == Step::Opening {
            let Some(head_len) = websocket::agreed(&self.received)? else { return Ok(false) };
            self.received.drain(..head_len);
            self.step = Step::Probing;
            write_all(&mut self.stream, &frames.probe)?;
        }
        let mut received = std::mem::take(&mut self.received);
        let (mut at, mut probed) = (0, false);
        loop {
            let decoded = self.decoder.decode(&mut received[at..]).map_err(|error| {
                Failure::server(format!("sent a frame that is wrong during an upgrade: {error}"))
            })?;
            at += decoded.consumed;
            let Some(item) = decoded.item else { break };
            match (self.step, item) {
                (Step::Probing, Item::Message(WebSocketMessage::Text("3probe"))) => {
                    self.step = Step::Pausing;
                    probed = true;
                }
                (Step::Upgraded, Item::Message(WebSocketMessage::Text(text)))
                    if text.strip_prefix('4') == Some(MESSAGE) =>
                {
                    self.step = Step::Closing;
                    write_all(&mut self.stream, &CLOSE)?;
                }
                (Step::Closing, Item::Control(ControlFrame::Close(_))) => self.step = Step::Closed,
                // The session ends long before its pong is due.
                (Step::Upgraded | Step::Closing, Item::Message(WebSocketMessage::Text("2"))) => {}
                (step, item) => {
                    return Err(Failure::server(format!("sent {item:?} in the step {step:?} of an upgrade")));
                }
            }
        }
        received.drain(..at);
        self.received = received;
        Ok(probed)
    }

    /// Completes the upgrade.
    fn complete(&mut self, frames: &Frames) -> Result<()> {
        self.step = Step::Upgraded;
        write_all(&mut self.stream, &frames.complete)
    }
}

/// Writes a few bytes, which an empty socket takes at once.
fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    let written = reactor::write(stream, bytes)?;
    if written == bytes.len() { Ok(()) } else { Err(Failure::server("takes a few bytes only in parts")) }
}
