//! Compares what our server did with what the recorded one did, in the order of time.

use std::io::Read as _;

use eio_core::packet::PacketType;
use eio_tokio::Message;

use crate::exceptions::{self, Exception};
use crate::play::{Performance, SocketSeen, decode_payload, is_revision_4};
use crate::recording::{
    Answer, Body, Closer, Exchange, Micros, Opening, Outcome, Recording, Socket, parameter,
};

/// The headers whose values are compared: what the protocol's description names.
const HEADERS: [&str; 13] = [
    "content-type",
    "content-encoding",
    "cache-control",
    "connection",
    "set-cookie",
    "vary",
    "x-xss-protection",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// How much later than ours the recorded server may be: its event loop was busy, and timers fire late.
pub(crate) const LATE: Micros = 50_000;

/// How much earlier: our clock goes in whole milliseconds here.
pub(crate) const EARLY: Micros = 3_000;

/// A packet, to compare and to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) packet_type: PacketType,
    pub(crate) data: Message,
}

impl Packet {
    pub(crate) fn into_message(self) -> Option<Message> {
        (self.packet_type == PacketType::Message).then_some(self.data)
    }
}

/// One difference. What no exception asks for is there to be printed.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "the text of a failure")]
pub(crate) enum Difference {
    /// Recorded an answer with this status; ours had another.
    Status {
        recorded: u16,
        ours: u16,
    },
    Header {
        name: &'static str,
        recorded: Option<String>,
        ours: Option<String>,
    },
    Body {
        recorded: String,
        ours: String,
    },
    /// Recorded a reset; ours answered.
    Answered {
        ours: u16,
    },
    /// Recorded an answer; ours gave none.
    Unanswered {
        recorded: u16,
    },
    /// Ours answered what the recorded server left open.
    Early {
        ours: u16,
    },
    /// Recorded a WebSocket; ours was refused.
    Refused {
        ours: u16,
        text: String,
    },
    /// Recorded a refusal; ours opened.
    Opened {
        recorded: u16,
    },
    /// The first frame that is not the same.
    Frame {
        at: Micros,
        recorded: Option<Body>,
        ours: Option<Body>,
    },
    /// How the WebSocket was closed by the server: when, and with which code; none if it was not.
    Close {
        recorded: Option<(Micros, u16)>,
        ours: Option<(Micros, u16)>,
    },
    /// The same thing, at another time.
    Time {
        recorded: Micros,
        ours: Micros,
    },
}

/// What a difference was found in.
#[derive(Clone, Copy)]
pub(crate) enum Place<'r> {
    Exchange(&'r Exchange),
    Socket(&'r Socket),
}

impl Place<'_> {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Exchange(exchange) => &exchange.url,
            Self::Socket(socket) => &socket.url,
        }
    }

    fn at(&self) -> Micros {
        match self {
            Self::Exchange(exchange) => exchange.at,
            Self::Socket(socket) => socket.at,
        }
    }

    /// The recorded identifier of its session.
    pub(crate) fn sid(&self) -> Option<String> {
        if let Some(sid) = parameter(self.url(), "sid") {
            return Some(sid.to_owned());
        }
        match self {
            Self::Exchange(Exchange { outcome: Some((_, Outcome::Answer(answer))), .. }) => {
                crate::recording::sid_in(&answer.body.bytes())
            }
            Self::Exchange(_) => None,
            Self::Socket(socket) => {
                socket.received.first().and_then(|(_, body)| crate::recording::sid_in(&body.bytes()))
            }
        }
    }
}

impl core::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Exchange(exchange) => {
                write!(f, "request {} ({} {})", exchange.id, exchange.method, exchange.url)
            }
            Self::Socket(socket) => write!(f, "websocket {} ({})", socket.conn, socket.url),
        }
    }
}

/// Both sides of a recording.
pub(crate) struct Case<'r> {
    pub(crate) recording: &'r Recording,
    pub(crate) ours: &'r Performance,
}

/// The reasons of all differences, or the first one that has none.
pub(crate) fn judge(recording: &Recording, ours: &Performance) -> Result<Vec<&'static str>, String> {
    let case = Case { recording, ours };
    let exchanges = recording.exchanges.iter().map(Place::Exchange);
    let mut places: Vec<Place<'_>> = exchanges.chain(recording.sockets.iter().map(Place::Socket)).collect();
    places.sort_by_key(Place::at);
    let mut ids = Vec::new();
    // From when on a session is not compared any more, because a meant difference changed its course.
    let mut parted: Vec<(Option<String>, Micros)> = Vec::new();
    for place in places {
        let sid = place.sid();
        for (at, difference) in case.differences(place) {
            let is_parted = parted.iter().any(|(other, from)| *other == sid && sid.is_some() && *from <= at);
            if is_parted {
                continue;
            }
            let Some(Exception { id, parts }) = exceptions::explain(&case, place, &difference) else {
                return Err(format!("{place}: {difference:?}; notes {:?}", ours.notes));
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
            if parts {
                parted.push((sid.clone(), at));
            }
        }
    }
    Ok(ids)
}

impl Case<'_> {
    fn differences(&self, place: Place<'_>) -> Vec<(Micros, Difference)> {
        match place {
            Place::Exchange(exchange) => {
                self.exchange(exchange).into_iter().map(|difference| (exchange.at, difference)).collect()
            }
            Place::Socket(socket) => self.socket(socket),
        }
    }

    fn exchange(&self, exchange: &Exchange) -> Vec<Difference> {
        let ours = self.ours.exchanges.get(&exchange.id).map(|(_, answer)| answer.as_ref());
        match (&exchange.outcome, ours) {
            _ if exchange.aborted.is_some() => Vec::new(),
            (None, Some(Some(ours))) => vec![Difference::Early { ours: ours.status }],
            (None | Some((_, Outcome::Reset)), None | Some(None)) => Vec::new(),
            (Some((_, Outcome::Reset)), Some(Some(ours))) => vec![Difference::Answered { ours: ours.status }],
            (Some((_, Outcome::Answer(recorded))), None | Some(None)) => {
                vec![Difference::Unanswered { recorded: recorded.status }]
            }
            (Some((at, Outcome::Answer(recorded))), Some(Some(ours))) => {
                let mut differences =
                    self.answers(recorded, ours, is_revision_4(self.recording, &exchange.url));
                let our_at = self.ours.exchanges.get(&exchange.id).map_or(0, |(at, _)| *at);
                // When the pieces of a body without a length were sent was not recorded.
                if exchange.body.is_none()
                    || exchange.headers.iter().any(|(name, _)| name == "content-length")
                {
                    differences.extend(time(*at, our_at));
                }
                differences
            }
        }
    }

    fn answers(&self, recorded: &Answer, ours: &Answer, revision_4: bool) -> Vec<Difference> {
        let mut differences = Vec::new();
        if recorded.status != ours.status {
            differences.push(Difference::Status { recorded: recorded.status, ours: ours.status });
        }
        for name in HEADERS {
            // HTTP/1.1 keeps connections by default: saying so makes no difference.
            let is_default = |value: &&str| name == "connection" && value.eq_ignore_ascii_case("keep-alive");
            let recorded = recorded.header(name).filter(|value| !is_default(value)).map(str::to_owned);
            let ours = ours.header(name).filter(|value| !is_default(value));
            let ours = ours.map(|value| self.with_their_sid(value));
            if recorded != ours {
                differences.push(Difference::Header { name, recorded, ours });
            }
        }
        let their_bytes = unpacked(recorded);
        let our_bytes = unpacked(ours);
        let our_text = self.with_their_sid(&String::from_utf8_lossy(&our_bytes));
        if recorded.status == ours.status && their_bytes != our_bytes && their_bytes != our_text.as_bytes() {
            let packets = |answer: &Answer, bytes: &[u8]| packets(revision_4, answer, bytes);
            let (recorded, ours) = match (packets(recorded, &their_bytes), packets(ours, our_text.as_bytes()))
            {
                (Some(recorded), Some(ours)) => (format!("{recorded:?}"), format!("{ours:?}")),
                _ => (String::from_utf8_lossy(&their_bytes).into_owned(), our_text),
            };
            differences.push(Difference::Body { recorded, ours });
        }
        differences
    }

    /// Text in which our session identifiers are replaced by the recorded ones.
    pub(crate) fn with_their_sid(&self, text: &str) -> String {
        let sids = self.ours.sids.iter();
        sids.fold(text.to_owned(), |text, (theirs, ours)| text.replace(ours.as_str(), theirs))
    }

    fn socket(&self, socket: &Socket) -> Vec<(Micros, Difference)> {
        let Some(ours) = self.ours.sockets.get(&socket.conn) else { return Vec::new() };
        match (&socket.opening, &ours.rejected) {
            (Some(Opening::Rejected(recorded)), Some(ours)) => {
                let differences = self.answers(recorded, ours, true);
                differences.into_iter().map(|difference| (socket.at, difference)).collect()
            }
            (Some(Opening::Rejected(recorded)), None) => {
                vec![(socket.at, Difference::Opened { recorded: recorded.status })]
            }
            (_, Some(ours)) => {
                let text = String::from_utf8_lossy(&unpacked(ours)).into_owned();
                vec![(socket.at, Difference::Refused { ours: ours.status, text })]
            }
            (_, None) if !ours.opened => vec![(socket.at, Difference::Unanswered { recorded: 101 })],
            (_, None) => self.frames(socket, ours),
        }
    }

    fn frames(&self, socket: &Socket, ours: &SocketSeen) -> Vec<(Micros, Difference)> {
        let mut differences = Vec::new();
        for index in 0..socket.received.len().max(ours.frames.len()) {
            let recorded = socket.received.get(index);
            let ours = ours.frames.get(index).map(|(at, body)| {
                let text = body.text().map(|text| Body::Text(self.with_their_sid(text)));
                (*at, text.unwrap_or_else(|| body.clone()))
            });
            let at =
                [recorded.map(|(at, _)| *at), ours.as_ref().map(|(at, _)| *at)].into_iter().flatten().min();
            let at = at.unwrap_or_default();
            if let (Some((theirs, _)), Some((ours, _))) = (recorded, &ours) {
                differences.extend(time(*theirs, *ours).map(|difference| (at, difference)));
            }
            let (recorded, ours) = (recorded.map(|(_, body)| body.clone()), ours.map(|(_, body)| body));
            if recorded != ours {
                differences.push((at, Difference::Frame { at, recorded, ours }));
            }
        }
        let recorded = socket.closed.filter(|(_, closer, _)| *closer == Closer::Server);
        let client_closed =
            socket.closed.filter(|(_, closer, _)| *closer == Closer::Client).map(|(at, ..)| at);
        let closed = ours.closed.filter(|(at, _)| client_closed.is_none_or(|client| *at < client));
        let recorded = recorded.map(|(at, _, code)| (at, code));
        let (code, our_code) = (recorded.map(|(_, code)| code), closed.map(|(_, code)| code));
        let at = recorded.into_iter().chain(closed).map(|(at, _)| at).min().unwrap_or_default();
        if code != our_code {
            differences.push((at, Difference::Close { recorded, ours: closed }));
        } else if let (Some((theirs, _)), Some((ours, _))) = (recorded, closed) {
            differences.extend(time(theirs, ours).map(|difference| (at, difference)));
        }
        differences.sort_by_key(|(at, _)| *at);
        differences
    }
}

/// Whether two times that should be one are too far apart.
pub(crate) fn time(recorded: Micros, ours: Micros) -> Option<Difference> {
    let agree = recorded + EARLY >= ours && recorded <= ours + LATE;
    (!agree).then_some(Difference::Time { recorded, ours })
}

/// The packets that an answer carries; none if it is not a payload.
pub(crate) fn packets(revision_4: bool, answer: &Answer, bytes: &[u8]) -> Option<Vec<Packet>> {
    let bytes = if answer.header("content-encoding").is_some() { &unpacked(answer) } else { bytes };
    let script = core::str::from_utf8(bytes).ok().and_then(unwrap_script);
    let bytes = script.as_ref().map_or(bytes, String::as_bytes);
    let binary = answer.header("content-type") == Some("application/octet-stream");
    let packets = decode_payload(revision_4, binary, bytes)?;
    Some(packets.into_iter().map(|(packet_type, data)| Packet { packet_type, data }).collect())
}

/// The payload in a JSONP script.
fn unwrap_script(text: &str) -> Option<String> {
    let (_, json) = text.strip_prefix("___eio[")?.split_once("](")?;
    serde_json::from_str(json.strip_suffix(");")?).ok()
}

/// The body of an answer as it was before it was compressed.
fn unpacked(answer: &Answer) -> Vec<u8> {
    let packed = answer.body.bytes();
    let mut bytes = Vec::new();
    let unpacked = match answer.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes),
        Some("deflate") => flate2::read::ZlibDecoder::new(&*packed).read_to_end(&mut bytes),
        _ => return packed,
    };
    if unpacked.is_ok() { bytes } else { packed }
}
