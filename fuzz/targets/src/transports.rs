//! `ServerTransports` of the core: requests, frames and the time, in any order.

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use eio_core::packet::{Packet, PacketType, WebSocketMessage};
use eio_core::payload::v3::Framing;
use eio_core::polling::{Limits, PostFailure};
use eio_core::session::{CLOSE_TIMEOUT, SessionEnd};
use eio_core::transports::{ServerTransports, SocketEnd};
use eio_core::upgrade::UPGRADE_TIMEOUT;
use eio_core::ws::ControlFrame;
use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession};

/// A session of the core, and everything that may happen to it, each step chosen by a byte. The rules that every session
/// keeps hold after each step.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    // It ends where the bytes do.
    let _ = live(&mut bytes);
}

fn live(bytes: &mut Unstructured<'_>) -> Result<()> {
    let revision = *bytes.choose(&Revision::ALL)?;
    let liveness = *bytes.choose(&Liveness::ALL)?;
    let base64_only = bytes.arbitrary()?;
    let heartbeat = Heartbeat::from_millis(300, 200).expect("a valid pair");
    let start = Instant::from_micros(0);
    let session = match revision {
        Revision::V4 => ServerSession::eio4(heartbeat, liveness, start),
        Revision::V3 => ServerSession::eio3(heartbeat, liveness, start),
    };
    let transports = if bytes.arbitrary()? {
        ServerTransports::on_websocket(session, revision, base64_only, MAX_LEN)
    } else {
        ServerTransports::on_polling(session, revision, base64_only)
    };
    let mut life = Life { transports, now: start, input: Vec::new(), queue: Vec::new(), end: None };
    while !bytes.is_empty() {
        life.step(bytes)?;
        life.check();
    }
    Ok(())
}

const MAX_LEN: u32 = 300;

struct Life {
    transports: ServerTransports,
    now: Instant,
    /// What came on the WebSocket and is not handled.
    input: Vec<u8>,
    /// Messages to send.
    queue: Vec<&'static str>,
    end: Option<SessionEnd>,
}

impl Life {
    fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let Self { transports, now, input, queue, .. } = self;
        let now = *now;
        match bytes.int_in_range(0..=19_u8)? {
            0 => self.now = now.saturating_add(Duration::from_micros(1 << bytes.int_in_range(0..=25)?)),
            1 => self.now = transports.poll_timeout().unwrap_or(now).max(now),
            2 => self.wake(),
            3 => _ = transports.handle_poll(now, bytes.arbitrary()?),
            4 => transports.handle_poll_aborted(now),
            5 => transports.handle_poll_answered(),
            6 => self.answer(bytes.arbitrary()?),
            7 => {
                let framing = *bytes.choose(&[Framing::Text, Framing::Binary])?;
                if transports.handle_post(now, framing).is_ok() && transports.may_receive(true) {
                    let body = bytes.arbitrary::<&[u8]>()?;
                    for packet in transports.format().decode(framing, body, 16) {
                        let _ = transports.session.handle_packet(now, packet);
                    }
                }
            }
            8 => transports.handle_post_received(),
            9 => {
                let failures = [PostFailure::Aborted, PostFailure::TimedOut, PostFailure::TooLarge];
                let _ = transports.handle_post_failed(now, *bytes.choose(&failures)?);
            }
            10 => _ = transports.post_answer(bytes.arbitrary()?),
            11 => {
                if transports.add_websocket(now, UPGRADE_TIMEOUT, MAX_LEN).is_ok() {
                    input.clear();
                }
            }
            12 => {
                input.extend(bytes.arbitrary::<&[u8]>()?);
                self.receive();
            }
            13 => {
                // A client that keeps to the rules masks: here, with zeros.
                let texts = ["2probe", "5", "3", "2", "4hello", "1", "6", "3probe"];
                let text = *bytes.choose(&texts)?;
                input.extend([0x81, 0x80 | u8::try_from(text.len()).expect("short"), 0, 0, 0, 0]);
                input.extend(text.as_bytes());
                self.receive();
            }
            14 => {
                let ends = [SocketEnd::Closed, SocketEnd::Failed, SocketEnd::Reset];
                transports.handle_websocket_end(now, *bytes.choose(&ends)?);
            }
            15 => self.write(),
            16 => transports.session.close(now, CLOSE_TIMEOUT),
            17 => queue.push(bytes.choose(&["a", "a longer one", "\u{1f600}"])?),
            18 => transports.session.handle_reading_paused(now, Duration::from_millis(100)),
            _ => transports.session.handle_reading_resumed(now),
        }
        Ok(())
    }

    /// Rule 3.
    fn wake(&mut self) {
        self.transports.handle_timeout(self.now);
        let deadline = self.transports.poll_timeout();
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "woken in vain: {:?}", self.transports);
    }

    /// What answers the poll has the length that it announces, and consists of packets.
    fn answer(&mut self, small: bool) {
        let packets = self.queue.iter().map(|text| Packet::message(WebSocketMessage::Text(text)));
        let limits =
            if small { Limits::DEFAULT.with_max_len(6).with_max_packets(2) } else { Limits::DEFAULT };
        let Some(batch) = self.transports.poll_answer(self.now, packets.clone(), &limits) else { return };
        let mut out = vec![0; batch.len()];
        let body = batch.encode(packets, &mut out).expect("what was counted").to_vec();
        assert_eq!(body.len(), batch.len());
        let decoded = self.transports.format().decode(batch.framing(), &body, usize::MAX);
        let mut messages = 0;
        for packet in decoded {
            messages +=
                usize::from(packet.expect("a packet that was encoded").packet_type == PacketType::Message);
        }
        assert_eq!(messages, batch.messages());
        self.queue.drain(..batch.messages());
    }

    fn receive(&mut self) {
        let mut done = 0;
        while let Some(received) = self.transports.receive(self.now, &mut self.input[done..]) {
            assert!(received.consumed > 0, "nothing is taken for ever");
            done += received.consumed;
        }
        self.input.drain(..done);
    }

    /// What goes out on the WebSocket. Nothing follows the close frame.
    fn write(&mut self) {
        let mut out = [0; 256];
        while let Some(frame) = self.transports.poll_frame(self.now) {
            frame.encode(&mut out).expect("a control packet is short");
        }
        if self.transports.is_on_websocket() {
            for text in self.queue.drain(..) {
                let packet = Packet::message(WebSocketMessage::Text(text));
                if let Ok(frame) = self.transports.frame(&packet) {
                    assert_eq!(frame.encode(&mut out).expect("a short message").len(), frame.len());
                }
            }
        }
        if let Some(written) = self.transports.close_frame(self.now, None, &mut out) {
            assert!(written.expect("room") <= ControlFrame::MAX_LEN);
            assert!(self.transports.close_frame(self.now, None, &mut out).is_none(), "one close frame");
            assert!(self.transports.frame(&Packet::PING).is_err(), "nothing behind the close frame");
        }
    }

    /// Rules 2 and 7.
    fn check(&mut self) {
        let session = &self.transports.session;
        let end = session.end();
        assert_eq!(session.poll_timeout().is_none(), end.is_some(), "only an ended session has no deadline");
        assert!(end.is_some() || self.transports.poll_timeout().is_some(), "there is always a deadline");
        if self.end.is_some() {
            assert_eq!(end, self.end, "the first cause wins");
        }
        self.end = end;
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    crate::life::seeds()
}
