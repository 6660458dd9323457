//! `ServerTransports` of the core: requests, frames and the time, in any order.

mod seeds;

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use eio_core::packet::{Packet, PacketType, WebSocketMessage};
use eio_core::payload::v3::Framing;
use eio_core::polling::{Limits, PostFailure};
use eio_core::session::{CLOSE_TIMEOUT, SessionEnd};
use eio_core::transports::{ServerTransports, SocketEnd};
use eio_core::ws::ControlFrame;
use eio_core::{DisconnectReason, Heartbeat, Instant, Liveness, Revision, ServerSession};

use crate::reached;

pub(crate) use seeds::seeds;

/// What changed copies of the seeds reach.
pub(crate) const MILESTONES: &[&str] = &[
    "an upgrade behind a probe",
    "an upgrade without a probe",
    "a session that goes on after a failed upgrade",
    "a close during an upgrade",
    "silence during an upgrade",
    "silence on the WebSocket",
    "a client that waits for the application",
];

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
    let (interval, timeout) = *bytes.choose(&HEARTBEATS)?;
    let heartbeat = Heartbeat::from_millis(interval, timeout).expect("a valid pair");
    let upgrade_timeout = *bytes.choose(&UPGRADE_TIMEOUTS)?;
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
    let mut life = Life {
        transports,
        heartbeat,
        upgrade_timeout,
        now: start,
        input: Vec::new(),
        queue: Vec::new(),
        end: None,
        upgrade: Upgrade::None,
    };
    while !bytes.is_empty() {
        life.step(bytes)?;
        life.check();
    }
    Ok(())
}

const MAX_LEN: u32 = 300;

/// Intervals and timeouts, in milliseconds.
const HEARTBEATS: [(u32, u32); 4] = [(300, 200), (25_000, 20_000), (1, 1), (50, 2_000)];

const UPGRADE_TIMEOUTS: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_millis(250), Duration::from_millis(1), Duration::from_mins(5)];

const STALL_TIMEOUT: Duration = Duration::from_millis(100);

/// How far the session's upgrade has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upgrade {
    None,
    Started,
    Probed,
    Failed,
}

struct Life {
    transports: ServerTransports,
    heartbeat: Heartbeat,
    upgrade_timeout: Duration,
    now: Instant,
    /// What came on the WebSocket and is not handled.
    input: Vec<u8>,
    /// Messages to send.
    queue: Vec<&'static str>,
    end: Option<SessionEnd>,
    upgrade: Upgrade,
}

impl Life {
    fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let Self { transports, now, input, queue, .. } = self;
        let now = *now;
        match bytes.int_in_range(0..=19_u8)? {
            0 => self.now = now.saturating_add(Duration::from_micros(1 << bytes.int_in_range(0..=25)?)),
            1 => {
                // The deadline, or the microsecond before or after it.
                let offset = bytes.int_in_range(0..=2_u64)?;
                let deadline = transports.poll_timeout().unwrap_or(now).as_micros();
                self.now = Instant::from_micros((deadline + offset).saturating_sub(1)).max(now);
            }
            2 => self.wake(),
            3 => _ = transports.handle_poll(now, bytes.arbitrary()?),
            4 => transports.handle_poll_aborted(now),
            5 => transports.handle_poll_answered(),
            6 => self.answer(bytes.arbitrary()?),
            7 => self.post(bytes)?,
            8 => transports.handle_post_received(),
            9 => {
                let failures = [PostFailure::Aborted, PostFailure::TimedOut, PostFailure::TooLarge];
                let _ = transports.handle_post_failed(now, *bytes.choose(&failures)?);
            }
            10 => _ = transports.post_answer(bytes.arbitrary()?),
            11 => self.add_websocket(),
            12 => {
                input.extend(short(bytes)?);
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
                let end = *bytes.choose(&ends)?;
                self.beside_the_heartbeat(|life| life.transports.handle_websocket_end(now, end));
            }
            15 => self.write(),
            16 => self.close(),
            17 => queue.push(bytes.choose(&["a", "a longer one", "\u{1f600}"])?),
            18 => transports.session.handle_reading_paused(now, STALL_TIMEOUT),
            _ => transports.session.handle_reading_resumed(now),
        }
        Ok(())
    }

    /// A post, whose packets are handled.
    fn post(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let framing = *bytes.choose(&[Framing::Text, Framing::Binary])?;
        let transports = &mut self.transports;
        if transports.handle_post(self.now, framing).is_ok() && transports.may_receive(true) {
            for packet in transports.format().decode(framing, short(bytes)?, 16) {
                let _ = transports.session.handle_packet(self.now, packet);
            }
        }
        Ok(())
    }

    fn add_websocket(&mut self) {
        let before = self.transports.session.poll_timeout();
        if self.transports.add_websocket(self.now, self.upgrade_timeout, MAX_LEN).is_ok() {
            assert_eq!(self.transports.session.poll_timeout(), before, "rule 12");
            self.input.clear();
            self.upgrade = Upgrade::Started;
        }
    }

    fn close(&mut self) {
        if self.is_upgrading() {
            reached::note("a close during an upgrade");
        }
        self.transports.session.close(self.now, CLOSE_TIMEOUT);
    }

    fn is_upgrading(&self) -> bool {
        matches!(self.upgrade, Upgrade::Started | Upgrade::Probed)
    }

    /// Rules 3 and 12. The heartbeat is what it would be without the upgrade, and a session that hears nothing any more ends.
    fn wake(&mut self) {
        let mut alone = self.transports.session.clone();
        alone.handle_timeout(self.now);
        self.transports.handle_timeout(self.now);
        assert_eq!(self.transports.session.poll_timeout(), alone.poll_timeout(), "rule 12");
        let deadline = self.transports.poll_timeout();
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "woken in vain: {:?}", self.transports);
        self.await_end();
    }

    /// Wakes a copy of the session whenever it wants, and nothing else happens.
    fn await_end(&self) {
        let mut silent = self.transports.clone();
        let most =
            [self.heartbeat.max_silence(), self.heartbeat.ping_timeout(), STALL_TIMEOUT, CLOSE_TIMEOUT];
        let latest = most.into_iter().fold(self.now, Instant::saturating_add);
        while let Some(deadline) = silent.session.poll_timeout() {
            assert!(deadline <= latest, "no end at {latest:?}: {silent:?}");
            silent.handle_timeout(deadline);
        }
    }

    /// What happens to a WebSocket that does not carry the session does not put off the session's deadline.
    fn beside_the_heartbeat(&mut self, step: impl FnOnce(&mut Self)) {
        let before = self.transports.session.poll_timeout();
        let was_on_polling = !self.transports.is_on_websocket();
        step(self);
        let after = self.transports.session.poll_timeout();
        if was_on_polling && !self.transports.is_on_websocket() {
            assert_eq!(after, before, "rule 12");
        }
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
        assert!(
            messages == 0 || !self.transports.is_on_websocket(),
            "a message on the transport that was left"
        );
        if self.upgrade == Upgrade::Failed && messages > 0 {
            reached::note("a session that goes on after a failed upgrade");
        }
        self.queue.drain(..batch.messages());
    }

    fn receive(&mut self) {
        self.beside_the_heartbeat(Self::receive_all);
    }

    fn receive_all(&mut self) {
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
            let written = frame.encode(&mut out).expect("a control packet is short");
            if written.ends_with(b"3probe") && self.upgrade == Upgrade::Started {
                self.upgrade = Upgrade::Probed;
            }
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
        if let Some(deadline) = session.poll_timeout() {
            let first = self.transports.poll_timeout();
            assert!(first.is_some_and(|first| first <= deadline), "an upgrade puts nothing off");
        }
        if self.end.is_some() {
            assert_eq!(end, self.end, "the first cause wins");
        } else if let Some(end) = end {
            self.note_end(end.reason);
        }
        self.end = end;
        self.follow_upgrade();
    }

    fn note_end(&self, reason: DisconnectReason) {
        match reason {
            DisconnectReason::PingTimeout if self.is_upgrading() => {
                reached::note("silence during an upgrade");
            }
            DisconnectReason::PingTimeout if self.transports.is_on_websocket() => {
                reached::note("silence on the WebSocket");
            }
            DisconnectReason::ApplicationStalled => reached::note("a client that waits for the application"),
            _ => {}
        }
    }

    fn follow_upgrade(&mut self) {
        if !self.is_upgrading() {
            return;
        }
        if self.transports.is_on_websocket() {
            let is_probed = self.upgrade == Upgrade::Probed;
            self.upgrade = Upgrade::None;
            reached::note(if is_probed { "an upgrade behind a probe" } else { "an upgrade without a probe" });
        } else if !self.transports.has_websocket() {
            self.upgrade = Upgrade::Failed;
        }
    }
}

/// At most twelve bytes. `Unstructured` reads the length of a slice from the end of the input, so that it would take half of
/// the steps.
fn short<'d>(bytes: &mut Unstructured<'d>) -> Result<&'d [u8]> {
    let len = usize::from(bytes.int_in_range(0..=12_u8)?).min(bytes.len());
    bytes.bytes(len)
}
