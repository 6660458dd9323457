//! Pongs that no ping awaited (rule 11): the recorded server lets them put off its next ping, or takes one that was sent
//! just before its ping for the answer. Ours pings when it is time, and awaits what comes after the ping.

use eio_core::DisconnectReason;
use eio_core::packet::PacketType;

use super::{Exception, parts};
use crate::judge::{Case, Difference, EARLY, LATE, Place, packets};
use crate::play::{decode_payload, is_revision_4};
use crate::recording::{Body, Micros, Outcome, parameter};

/// A ping of ours.
struct Ping {
    at: Micros,
    /// When it was due: an interval after the session opened, or after the last pong that was awaited.
    due: Micros,
    /// A pong that nothing awaited came since then.
    follows_unasked: bool,
    answered: bool,
}

/// What moves heartbeats. At one time the earlier of these comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Beat {
    Open,
    Pong,
    OurPing,
    TheirPing,
}

/// The pongs that no ping of the recorded server awaited.
fn unasked(beats: &[(Micros, Beat)]) -> Vec<Micros> {
    let mut awaited = false;
    let mut unasked = Vec::new();
    for (at, beat) in beats {
        match beat {
            Beat::TheirPing => awaited = true,
            Beat::Pong if !core::mem::take(&mut awaited) => unasked.push(*at),
            _ => {}
        }
    }
    unasked
}

impl Case<'_> {
    /// Ours differs because of a pong that no ping awaited.
    pub(super) fn of_unasked_pongs(&self, place: Place<'_>, difference: &Difference) -> Option<Exception> {
        if !is_revision_4(self.recording, place.url()) {
            return None;
        }
        let at = self.our_time(place, difference)?;
        let pings = self.pings(&place.sid()?, at);
        let ping = pings.last().filter(|ping| ping.follows_unasked)?;
        // On polling it is written when it is due and a poll is there.
        let asked = match place {
            Place::Exchange(exchange) => exchange.at,
            Place::Socket(_) => 0,
        };
        let pinged = ping.at == at && ping.at.abs_diff(ping.due.max(asked)) <= EARLY;
        let expired = !ping.answered
            && self.end(place) == Some(DisconnectReason::PingTimeout)
            && at + EARLY >= ping.at + self.period("pingTimeout", 20_000);
        if pinged || expired { parts("B4") } else { None }
    }

    /// When ours did what makes the difference, or should have done it.
    fn our_time(&self, place: Place<'_>, difference: &Difference) -> Option<Micros> {
        match (difference, place) {
            (Difference::Time { recorded, ours }, _) => Some(*ours.min(recorded)),
            (Difference::Close { ours: Some((ours, _)), .. }, _) => Some(*ours),
            (Difference::Frame { at, ours: Some(Body::Text(text)), .. }, Place::Socket(socket))
                if text == "2" =>
            {
                let frames = &self.ours.sockets.get(&socket.conn)?.frames;
                frames
                    .iter()
                    .find(|(sent, body)| sent >= at && body.text() == Some("2"))
                    .map(|(sent, _)| *sent)
            }
            (Difference::Frame { at, .. }, _) => Some(*at),
            (_, Place::Exchange(exchange)) => self.ours.exchanges.get(&exchange.id).map(|(at, _)| *at),
            _ => None,
        }
    }

    /// Our pings in a session until then, with what the client's pongs did to each.
    fn pings(&self, sid: &str, until: Micros) -> Vec<Ping> {
        let interval = self.period("pingInterval", 25_000);
        let latest = self.period("pingTimeout", 20_000) / 2;
        let beats = self.beats(sid);
        let unasked = unasked(&beats);
        let mut pings: Vec<Ping> = Vec::new();
        let (mut from, mut due) = (0, 0);
        let mut follows_unasked = false;
        for (at, beat) in beats.into_iter().take_while(|(at, _)| *at <= until) {
            match (beat, pings.last_mut().filter(|ping| !ping.answered)) {
                (Beat::Open, _) => (from, due) = (at, at + interval),
                (Beat::OurPing, _) => {
                    // The recorded server may have opened the session somewhat later, and have been asked in between.
                    let there = unasked.iter().any(|pong| (from..=at + LATE).contains(pong));
                    let follows_unasked = follows_unasked || there;
                    pings.push(Ping { at, due, follows_unasked, answered: false });
                }
                (Beat::Pong, Some(ping)) => {
                    ping.answered = true;
                    (from, due) = (at, at.min(ping.at + latest) + interval);
                    follows_unasked = false;
                }
                (Beat::Pong, None) => follows_unasked = true,
                (Beat::TheirPing, _) => {}
            }
        }
        pings
    }

    /// What a session's heartbeats consist of, in order.
    fn beats(&self, sid: &str) -> Vec<(Micros, Beat)> {
        let mut beats = Vec::new();
        for exchange in &self.recording.exchanges {
            if Place::Exchange(exchange).sid().as_deref() != Some(sid) {
                continue;
            }
            let ours =
                self.ours.exchanges.get(&exchange.id).and_then(|(at, answer)| Some((*at, answer.as_ref()?)));
            let theirs = match &exchange.outcome {
                Some((at, Outcome::Answer(answer))) => Some((*at, answer)),
                _ => None,
            };
            for (answer, ping) in [(ours, Beat::OurPing), (theirs, Beat::TheirPing)] {
                let Some((at, answer)) = answer else { continue };
                let packets = packets(true, answer, &answer.body.bytes()).into_iter().flatten();
                beats.extend(packets.filter_map(|packet| match packet.packet_type {
                    PacketType::Ping => Some((at, ping)),
                    PacketType::Open if ping == Beat::OurPing => Some((at, Beat::Open)),
                    _ => None,
                }));
            }
            if let Some(body) = exchange.body.as_ref().filter(|_| exchange.method == "POST") {
                let packets = decode_payload(true, false, &body.bytes()).into_iter().flatten();
                let pongs = packets.filter(|(packet_type, _)| *packet_type == PacketType::Pong);
                beats.extend(pongs.map(|_| (exchange.at, Beat::Pong)));
            }
        }
        for socket in &self.recording.sockets {
            if Place::Socket(socket).sid().as_deref() != Some(sid) {
                continue;
            }
            let ours = self.ours.sockets.get(&socket.conn).map_or(&[][..], |ours| &ours.frames);
            if parameter(&socket.url, "sid").is_none() {
                beats.extend(ours.first().map(|(at, _)| (*at, Beat::Open)));
            }
            for (frames, text, beat) in [
                (ours, "2", Beat::OurPing),
                (&socket.received[..], "2", Beat::TheirPing),
                (&socket.sent[..], "3", Beat::Pong),
            ] {
                let beating = frames.iter().filter(|(_, body)| body.text() == Some(text));
                beats.extend(beating.map(|(at, _)| (*at, beat)));
            }
        }
        beats.sort();
        beats
    }

    /// One of the recorded server's periods.
    pub(super) fn period(&self, option: &str, default: u64) -> Micros {
        self.recording.options[option].as_u64().unwrap_or(default) * 1_000
    }
}
