//! Differences that are meant, keyed by what happened, never by the recording.
//!
//! | id | what the recorded server did | what ours does, and why |
//! |---|---|---|
//! | `12.2`, `B1`, `B2` | forgot its deadline in an upgrade | notices the silence: the protocol's description, 12.2 |
//! | `12.4` | took, or ignored, a heartbeat in the wrong direction (before 4.1) | ends the session |
//! | `12.6` | ignored a close packet over WebSocket | ends the session |
//! | `12.9` | answered a post of garbage with `ok`; switched protocols for a version that it does not speak | status 400, before anything is switched |
//! | `12.11`, `B4` | let late pongs, or pongs that no ping awaited, put off its pings; took such a pong for the answer to the next ping | pings when it is time, and awaits what comes after its ping (rule 11) |
//! | `B3` | judged silence before it read what was there | reads first |
//! | `B6` | let in requests of another revision than their session's, and died of one (before 6.6.10) | status 400 |
//! | `B26` | reset a post that was in flight during an upgrade, and lost its messages | takes it, and answers |
//! | `B27` | upgraded although upgrades were off; switched protocols for a request that names polling, to close at once | status 400 before the switch |
//! | `11 overlap` | reset the first of two posts at once (all), answered the second with 500 (3.x) | both get status 400, as the document wants |
//! | `CVE-2026-59725` | never answered a post of `application/octet-stream` in revision 4 (before 6.6.10) | status 400 |
//! | `abort` | sent a close frame to a silent peer | resets the connection, so that the kernel keeps nothing for it |
//! | `unread body` | went on with the connection behind a refused post | closes it, and says so: who refuses a body may leave it unread (RFC 9112 section 9.3) |
//! | `overtake` | sent a heartbeat behind the messages that waited | sends it in front |
//!
//! And what 3.x did otherwise than 6.x, which ours follows for both revisions:
//!
//! | id | 3.x, and sometimes early 6.x |
//! |---|---|
//! | `6.x cache-control` | did not forbid caches to keep answers |
//! | `6.x cors` | sent CORS headers unasked, and answered every `OPTIONS` of a session |
//! | `6.x cookie` | set its cookie on every answer |
//! | `6.x max-payload` | did not tell its limit in the handshake (before 6.2) |
//! | `6.x EIO` | spoke revision 3 whatever `EIO` said |
//! | `6.x 413` | reset a post above the limit, and ended its session |

mod pongs;

use eio_core::DisconnectReason;
use eio_core::packet::PacketType;
use eio_core::session::Violation;

use crate::judge::{Case, Difference, LATE, Packet, Place, packets, time};
use crate::play::is_revision_4;
use crate::recording::{Body, Exchange, Micros, Opening, Outcome, Socket, parameter};

/// Why a difference is meant.
pub(crate) struct Exception {
    pub(crate) id: &'static str,
    /// The session goes another way from here, and is not compared any more.
    pub(crate) parts: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "always the answer to whether there is one")]
fn same_way(id: &'static str) -> Option<Exception> {
    Some(Exception { id, parts: false })
}

#[expect(clippy::unnecessary_wraps, reason = "always the answer to whether there is one")]
fn parts(id: &'static str) -> Option<Exception> {
    Some(Exception { id, parts: true })
}

/// The reason of a difference, if it has one.
pub(crate) fn explain(case: &Case<'_>, place: Place<'_>, difference: &Difference) -> Option<Exception> {
    let special = case.of_3x(place, difference).or_else(|| case.of_blocked(difference));
    let special = special.or_else(|| case.of_unasked_pongs(place, difference));
    special.or_else(|| match place {
        Place::Exchange(exchange) => case.of_exchange(exchange, difference),
        Place::Socket(socket) => case.of_socket(socket, difference),
    })
}

impl Case<'_> {
    fn is_3x(&self) -> bool {
        self.recording.engine < (4, 0, 0)
    }

    /// How our session ended, if it did.
    fn end(&self, place: Place<'_>) -> Option<DisconnectReason> {
        self.ours.ends.get(&place.sid()?).map(|end| end.reason)
    }

    /// What ours does as 6.x does, for both revisions.
    fn of_3x(&self, place: Place<'_>, difference: &Difference) -> Option<Exception> {
        let engine = self.recording.engine;
        match difference {
            Difference::Status { .. }
            | Difference::Header { name: "content-type", .. }
            | Difference::Body { .. }
                if self.is_3x() && parameter(place.url(), "EIO") != Some("3") =>
            {
                parts("6.x EIO")
            }
            Difference::Header { name: "cache-control", recorded: None, ours: Some(ours) }
                if engine < (6, 0, 0) && ours == "no-store" =>
            {
                same_way("6.x cache-control")
            }
            Difference::Header { name, recorded: Some(_), ours: None }
                if self.is_3x() && name.starts_with("access-control-") =>
            {
                same_way("6.x cors")
            }
            Difference::Status { recorded: 200, ours: 500 }
                if self.is_3x()
                    && matches!(place, Place::Exchange(exchange) if exchange.method == "OPTIONS") =>
            {
                same_way("6.x cors")
            }
            Difference::Header { name: "set-cookie", recorded: Some(_), ours: None }
                if self.is_3x() && parameter(place.url(), "sid").is_some() =>
            {
                same_way("6.x cookie")
            }
            Difference::Frame {
                recorded: Some(Body::Text(recorded)), ours: Some(Body::Text(ours)), ..
            } if engine < (6, 2, 0) && without_max_payload(ours) == *recorded => same_way("6.x max-payload"),
            _ => None,
        }
    }

    /// The recorded server could not look while it was blocked, and then judged before it looked.
    fn of_blocked(&self, difference: &Difference) -> Option<Exception> {
        let in_block =
            |at: Micros| self.recording.blocked.iter().any(|(from, to)| (*from..=*to + LATE).contains(&at));
        match difference {
            Difference::Time { recorded, ours } if ours < recorded && in_block(*recorded) => same_way("B3"),
            Difference::Close { recorded: Some((recorded, _)), ours } if in_block(*recorded) => {
                let outlived = ours.is_none_or(|(ours, _)| ours > *recorded);
                if outlived { parts("B3") } else { None }
            }
            _ => None,
        }
    }

    fn of_exchange(&self, exchange: &Exchange, difference: &Difference) -> Option<Exception> {
        let place = Place::Exchange(exchange);
        let is_post = exchange.method == "POST";
        match difference {
            Difference::Status { ours: 400, .. } if self.names_another_revision(place) => parts("B6"),
            Difference::Answered { .. } | Difference::Early { .. } if self.died_before(exchange) => {
                parts("B6")
            }
            Difference::Early { ours: 400 }
                if is_post && self.recording.engine < (6, 6, 10) && self.ended_by_content_type(place) =>
            {
                parts("CVE-2026-59725")
            }
            Difference::Body { .. } => self.of_body(exchange),
            // And what goes with the status.
            Difference::Status { recorded: 200, ours: 400 }
            | Difference::Header { name: "content-type" | "cache-control", recorded: Some(_), ours: None }
                if is_post && self.ended_by_garbage(place) =>
            {
                same_way("12.9")
            }
            Difference::Status { recorded: 500, ours: 400 } if self.is_3x() && self.overlaps(exchange) => {
                same_way("11 overlap")
            }
            Difference::Answered { ours: 400 } if is_post && self.overlaps(exchange) => {
                same_way("11 overlap")
            }
            Difference::Answered { ours: 200 } if is_post && self.upgraded_during(exchange) => {
                same_way("B26")
            }
            Difference::Header { name: "connection", recorded: None, ours: Some(ours) }
                if is_post && ours == "close" =>
            {
                same_way("unread body")
            }
            Difference::Answered { ours: 413 } if is_post && self.is_3x() => parts("6.x 413"),
            _ => None,
        }
    }

    /// The request's `EIO` is not that of the request that opened its session.
    fn names_another_revision(&self, place: Place<'_>) -> bool {
        let sid = place.sid();
        let places = self.recording.exchanges.iter().map(Place::Exchange);
        let mut opened = places.filter(|other| parameter(other.url(), "sid").is_none() && other.sid() == sid);
        sid.is_some()
            && opened
                .next()
                .is_some_and(|opened| parameter(opened.url(), "EIO") != parameter(place.url(), "EIO"))
    }

    /// The recorded server had let in a WebSocket of another revision before.
    fn died_before(&self, exchange: &Exchange) -> bool {
        self.recording.sockets.iter().any(|socket| {
            let opened = matches!(socket.opening, Some(Opening::Opened));
            opened && socket.at < exchange.at && self.names_another_revision(Place::Socket(socket))
        })
    }

    fn ended_by_content_type(&self, place: Place<'_>) -> bool {
        self.end(place) == Some(DisconnectReason::Violation(Violation::ContentType))
    }

    fn ended_by_garbage(&self, place: Place<'_>) -> bool {
        self.end(place).is_some_and(|reason| reason.as_str() == "parse error")
    }

    /// Payloads with the same packets, differently told.
    fn of_body(&self, exchange: &Exchange) -> Option<Exception> {
        let (_, Outcome::Answer(recorded)) = exchange.outcome.as_ref()? else { return None };
        let (_, ours) = self.ours.exchanges.get(&exchange.id)?;
        let ours = ours.as_ref()?;
        let revision_4 = is_revision_4(self.recording, &exchange.url);
        let read = |answer: &crate::recording::Answer| packets(revision_4, answer, &answer.body.bytes());
        let (mut recorded, mut ours) = (read(recorded)?, read(ours)?);
        if self.recording.engine < (6, 2, 0)
            && let (Some(Packet { packet_type: PacketType::Open, data }), Some(first)) =
                (ours.first().cloned(), recorded.first())
            && let (Some(text), Some(theirs)) = (data.as_text(), first.data.as_text())
        {
            let ours = self.with_their_sid(&without_max_payload(text));
            return if ours == theirs { same_way("6.x max-payload") } else { None };
        }
        let is_heartbeat =
            |packet: &Packet| matches!(packet.packet_type, PacketType::Ping | PacketType::Pong);
        let heartbeats_first =
            ours.iter().skip_while(|packet| is_heartbeat(packet)).all(|packet| !is_heartbeat(packet));
        recorded.sort_by_key(|packet| !is_heartbeat(packet));
        ours.sort_by_key(|packet| !is_heartbeat(packet));
        if heartbeats_first && recorded == ours { same_way("overtake") } else { None }
    }

    /// Another request of the same method and session was under way at the same time.
    fn overlaps(&self, exchange: &Exchange) -> bool {
        let span = |exchange: &Exchange| {
            let end = exchange.outcome.as_ref().map_or(Micros::MAX, |(at, _)| *at);
            (exchange.at, end)
        };
        let (from, to) = span(exchange);
        self.recording.exchanges.iter().any(|other| {
            let (other_from, other_to) = span(other);
            other.id != exchange.id
                && other.method == exchange.method
                && parameter(&other.url, "sid") == parameter(&exchange.url, "sid")
                && other_from <= to
                && from <= other_to
        })
    }

    fn upgraded_during(&self, exchange: &Exchange) -> bool {
        let to = exchange.outcome.as_ref().map_or(Micros::MAX, |(at, _)| *at);
        let mut sockets = self.recording.sockets.iter();
        sockets.any(|socket| {
            parameter(&socket.url, "sid") == parameter(&exchange.url, "sid")
                && socket
                    .sent
                    .iter()
                    .any(|(at, body)| body.text() == Some("5") && (exchange.at..=to).contains(at))
        })
    }

    fn of_socket(&self, socket: &Socket, difference: &Difference) -> Option<Exception> {
        let end = self.end(Place::Socket(socket));
        match difference {
            Difference::Refused { ours: 400, text } => self.refused(socket, text),
            Difference::Close { recorded, ours: Some((ours, 1006)) }
                if end == Some(DisconnectReason::PingTimeout) =>
            {
                match recorded {
                    Some((recorded, 1005)) if time(*recorded, *ours).is_none() => same_way("abort"),
                    _ => self.noticed_silence(socket),
                }
            }
            _ => match end? {
                DisconnectReason::PeerClose if said_close_by(socket, difference) => parts("12.6"),
                DisconnectReason::WrongDirection if self.recording.engine < (4, 1, 0) => parts("12.4"),
                _ => self.of_pings(socket, difference),
            },
        }
        .or_else(|| self.of_pings(socket, difference))
    }

    /// Ours ended a silent session that the recorded server forgot in an upgrade.
    fn noticed_silence(&self, socket: &Socket) -> Option<Exception> {
        let upgraded = socket.sent.iter().any(|(_, body)| body.text() == Some("5"));
        if !upgraded {
            return None;
        }
        parts(match (is_revision_4(self.recording, &socket.url), self.recording.engine >= (6, 6, 0)) {
            (true, _) => "B1",
            (false, true) => "B2",
            (false, false) => "12.2",
        })
    }

    /// Ours pings where the recorded server let late pongs put it off.
    fn of_pings(&self, socket: &Socket, difference: &Difference) -> Option<Exception> {
        let Difference::Time { recorded, ours } = difference else { return None };
        if ours < recorded && self.was_answered_late(socket, *recorded) { parts("12.11") } else { None }
    }

    /// The ping at this time is behind one that was answered later than half the timeout.
    fn was_answered_late(&self, socket: &Socket, ping: Micros) -> bool {
        let half = self.period("pingTimeout", 20_000) / 2;
        let is_ping = |body: &Body| body.text() == Some("2");
        let pings = || socket.received.iter().filter(|(_, body)| is_ping(body)).map(|(at, _)| *at);
        let answer = |after| {
            let mut answers =
                socket.sent.iter().filter(|(_, body)| body.text() == Some("3")).map(|(at, _)| *at);
            answers.find(|at| *at > after)
        };
        pings().any(|at| at == ping)
            && pings().any(|at| at < ping && answer(at).is_some_and(|answer| answer - at > half))
    }

    /// A WebSocket that the recorded server opened, if only to close it.
    fn refused(&self, socket: &Socket, text: &str) -> Option<Exception> {
        let sid = parameter(&socket.url, "sid");
        if text == "Unsupported protocol version" && sid.is_none() {
            return same_way("12.9");
        }
        if text != "Bad request" {
            return None;
        }
        if parameter(&socket.url, "transport") == Some("polling") {
            return same_way("B27");
        }
        if self.recording.options["allowUpgrades"] == false {
            return parts("B27");
        }
        if self.names_another_revision(Place::Socket(socket)) {
            return parts("B6");
        }
        None
    }
}

/// The client had sent a close packet when the difference arose.
fn said_close_by(socket: &Socket, difference: &Difference) -> bool {
    let at = match difference {
        Difference::Frame { at, .. } => *at,
        Difference::Time { recorded, ours } => *recorded.min(ours),
        Difference::Close { recorded, ours } => {
            recorded.iter().chain(ours).map(|(at, _)| *at).min().unwrap_or_default()
        }
        _ => return false,
    };
    socket.sent.iter().any(|(sent, body)| *sent <= at && body.text() == Some("1"))
}

/// An open packet as it was before 6.2.
fn without_max_payload(text: &str) -> String {
    match text.split_once(",\"maxPayload\":") {
        Some((before, _)) => format!("{before}}}"),
        None => text.to_owned(),
    }
}
