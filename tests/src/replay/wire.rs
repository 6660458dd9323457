//! What travelled, sorted by session: requests with their answers, and what each WebSocket carried.

use eio_core::Revision;
use eio_core::packet::{Data, DecodeError, Packet, PacketType, WebSocketMessage};
use eio_core::payload::{self, DEFAULT_MAX_PACKETS, jsonp};

use super::transcript::{Body, Kind, Micros, Transcript, Who};

/// The traffic of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    pub(crate) sids: Vec<String>,
    /// The value of `EIO` in the first request.
    pub(crate) eio: String,
    /// When the first request was made.
    pub(crate) started: Micros,
    pub(crate) polls: Vec<Exchange>,
    pub(crate) posts: Vec<Exchange>,
    pub(crate) sockets: Vec<Socket>,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) id: u64,
    pub(crate) at: Micros,
    pub(crate) url: String,
    pub(crate) content_type: String,
    pub(crate) body: Body,
    pub(crate) outcome: Option<(Micros, Outcome)>,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Response {
        status: u64,
        content_type: String,
        body: Body,
    },
    /// Its connection died; `Who` killed it.
    Failed(Who),
}

/// A WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub(crate) conn: u64,
    pub(crate) at: Micros,
    pub(crate) eio: String,
    /// It carries its session from the start, instead of being a candidate for an upgrade.
    pub(crate) direct: bool,
    pub(crate) opened: Option<Micros>,
    pub(crate) rejected: Option<Micros>,
    pub(crate) frames: Vec<SocketFrame>,
    pub(crate) closed: Option<(Micros, Who)>,
}

/// One WebSocket message.
#[derive(Clone, Debug)]
pub(crate) struct SocketFrame {
    pub(crate) at: Micros,
    pub(crate) from: Who,
    pub(crate) data: Body,
    pub(crate) dropped: bool,
}

impl Exchange {
    /// From the request to its end, or to `end`.
    pub(crate) fn span(&self, end: Micros) -> (Micros, Micros) {
        (self.at, self.outcome.as_ref().map_or(end, |(at, _)| *at))
    }

    /// The status of its response.
    pub(crate) fn status(&self) -> Option<u64> {
        match self.outcome {
            Some((_, Outcome::Response { status, .. })) => Some(status),
            _ => None,
        }
    }
}

impl Wire {
    /// The traffic of each session of `transcript` whose requests go to Engine.IO, in the order of their first
    /// requests. A request that opened no session is a session of its own here, without an open packet.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    pub(crate) fn of(transcript: &Transcript) -> Vec<Self> {
        let mut wires: Vec<Self> = Vec::new();
        for event in &transcript.events {
            match &event.kind {
                Kind::Request { id, method, url, content_type, body } => {
                    let exchange = Exchange {
                        id: *id,
                        at: event.at,
                        url: url.clone(),
                        content_type: content_type.clone(),
                        body: body.clone(),
                        outcome: None,
                    };
                    let sid = query(url, "sid");
                    if method == "GET" && sid.is_none() {
                        let mut wire = Self::begin(event.at, url);
                        wire.polls.push(exchange);
                        wires.push(wire);
                    } else if let Some(wire) = sid.and_then(|sid| find(&mut wires, sid)) {
                        match method.as_str() {
                            "GET" => wire.polls.push(exchange),
                            "POST" => wire.posts.push(exchange),
                            _ => {}
                        }
                    }
                }
                Kind::Response { id, status, content_type, body } => {
                    let outcome = Outcome::Response {
                        status: *status,
                        content_type: content_type.clone(),
                        body: body.clone(),
                    };
                    end_exchange(&mut wires, *id, event.at, outcome);
                }
                Kind::RequestFailed { id } => {
                    end_exchange(&mut wires, *id, event.at, Outcome::Failed(event.who));
                }
                Kind::Connect { conn, url } => {
                    let sid = query(url, "sid");
                    let eio = query(url, "EIO").unwrap_or_default().to_owned();
                    let socket = Socket {
                        conn: *conn,
                        at: event.at,
                        eio,
                        direct: sid.is_none(),
                        opened: None,
                        rejected: None,
                        frames: Vec::new(),
                        closed: None,
                    };
                    match sid {
                        None => {
                            let mut wire = Self::begin(event.at, url);
                            wire.sockets.push(socket);
                            wires.push(wire);
                        }
                        Some(sid) => {
                            if let Some(wire) = find(&mut wires, sid) {
                                wire.sockets.push(socket);
                            }
                        }
                    }
                }
                Kind::Opened { conn } => {
                    with_socket(&mut wires, *conn, |socket| socket.opened = Some(event.at));
                }
                Kind::Rejected { conn } => {
                    with_socket(&mut wires, *conn, |socket| socket.rejected = Some(event.at));
                }
                Kind::Frame { conn, data, dropped } => {
                    let frame =
                        SocketFrame { at: event.at, from: event.who, data: data.clone(), dropped: *dropped };
                    with_socket(&mut wires, *conn, |socket| socket.frames.push(frame));
                }
                Kind::Closed { conn } => {
                    with_socket(&mut wires, *conn, |socket| {
                        socket.closed.get_or_insert((event.at, event.who));
                    });
                }
                Kind::Api { .. } | Kind::Said(_) | Kind::Other => {}
            }
            for wire in &mut wires {
                wire.learn_sid();
            }
        }
        wires
    }

    fn begin(at: Micros, url: &str) -> Self {
        Self { started: at, eio: query(url, "EIO").unwrap_or_default().to_owned(), ..Self::default() }
    }

    /// The server's open packet, and when it was sent: the JSON behind the `0`.
    pub(crate) fn open_packet(&self, revision: Revision) -> Option<(Micros, String)> {
        let json = |packet: Result<Packet<'_>, DecodeError>| match packet {
            Ok(Packet { packet_type: PacketType::Open, data: Data::Text(json) }) => Some(json.to_owned()),
            _ => None,
        };
        if let Some(poll) = self.polls.first().filter(|poll| query(&poll.url, "sid").is_none()) {
            let (at, Outcome::Response { status: 200, content_type, body }) = poll.outcome.as_ref()? else {
                return None;
            };
            let body = unwrap_jsonp(body)?;
            let mut found = None;
            each_packet(revision, content_type, &body, |packet| {
                if found.is_none() {
                    found = json(packet);
                }
            });
            found.map(|json| (*at, json))
        } else {
            let frames = self.sockets.iter().filter(|socket| socket.direct).flat_map(|socket| &socket.frames);
            frames
                .filter(|frame| frame.from == Who::Server)
                .find_map(|frame| json(decode_frame(revision, &frame.data)?).map(|json| (frame.at, json)))
        }
    }

    /// Notes every sid that an open packet announced, however broken the rest of it is.
    fn learn_sid(&mut self) {
        let mut texts: Vec<&Body> = Vec::new();
        texts.extend(self.polls.first().and_then(|poll| match &poll.outcome {
            Some((_, Outcome::Response { status: 200, body, .. })) => Some(body),
            _ => None,
        }));
        for socket in &self.sockets {
            texts.extend(
                socket.frames.iter().filter(|frame| frame.from == Who::Server).map(|frame| &frame.data),
            );
        }
        let sids = texts.into_iter().filter_map(|body| match body {
            Body::Text(text) => sid_in(text),
            _ => None,
        });
        self.sids = sids.collect();
    }
}

/// The value behind `"sid":` in an open packet, in JSONP too.
fn sid_in(text: &str) -> Option<String> {
    let open = text.get(..20.min(text.len())).unwrap_or(text);
    if !open.contains("0{") {
        return None;
    }
    let (_, rest) = text.split_once("sid")?;
    let value = rest.trim_start_matches(['\\', '"', ':', ' ']);
    let end = value.find(['\\', '"'])?;
    value.get(..end).map(str::to_owned)
}

fn find<'w>(wires: &'w mut [Wire], sid: &str) -> Option<&'w mut Wire> {
    wires.iter_mut().rev().find(|wire| wire.sids.iter().any(|known| known == sid))
}

fn end_exchange(wires: &mut [Wire], id: u64, at: Micros, outcome: Outcome) {
    let mut exchanges = wires.iter_mut().flat_map(|wire| wire.polls.iter_mut().chain(&mut wire.posts));
    if let Some(exchange) = exchanges.find(|exchange| exchange.id == id && exchange.outcome.is_none()) {
        exchange.outcome = Some((at, outcome));
    }
}

fn with_socket(wires: &mut [Wire], conn: u64, change: impl FnOnce(&mut Socket)) {
    if let Some(socket) =
        wires.iter_mut().flat_map(|wire| &mut wire.sockets).find(|socket| socket.conn == conn)
    {
        change(socket);
    }
}

/// The value of a key in a URL's query, as it stands there.
pub(crate) fn query<'u>(url: &'u str, key: &str) -> Option<&'u str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// The payload in the body of a response, whether it is JSONP or not; none if it was not recorded.
pub(crate) fn unwrap_jsonp(body: &Body) -> Option<Body> {
    match body {
        Body::Text(text) if text.starts_with("___eio[") => {
            let (_, call) = text.split_once("](")?;
            serde_json::from_str(call.strip_suffix(");")?).ok().map(Body::Text)
        }
        Body::Elided(_) => None,
        _ => Some(body.clone()),
    }
}

/// The payload in the body of a request, whether it is JSONP or not; none if it was not recorded or has no payload.
pub(crate) fn posted_payload(exchange: &Exchange) -> Option<Body> {
    let bytes = exchange.body.bytes()?;
    if !exchange.content_type.starts_with("application/x-www-form-urlencoded") {
        return Some(exchange.body.clone());
    }
    let mut form = bytes.to_vec();
    jsonp::decode(&mut form).map(|payload| Body::Binary(payload.to_vec()))
}

/// Hands every packet of a polling body to `each`, decoded as the revision and the content type demand.
pub(crate) fn each_packet(
    revision: Revision,
    content_type: &str,
    body: &Body,
    mut each: impl FnMut(Result<Packet<'_>, DecodeError>),
) {
    let Some(bytes) = body.bytes() else { return };
    match revision {
        Revision::V4 => payload::v4::decode(bytes, DEFAULT_MAX_PACKETS).for_each(each),
        Revision::V3 => {
            let framing = if content_type == "application/octet-stream" {
                payload::v3::Framing::Binary
            } else {
                payload::v3::Framing::Text
            };
            for packet in payload::v3::decode(framing, bytes, DEFAULT_MAX_PACKETS) {
                each(packet);
            }
        }
    }
}

/// The packet in a WebSocket message; none if the message was not recorded.
pub(crate) fn decode_frame(revision: Revision, data: &Body) -> Option<Result<Packet<'_>, DecodeError>> {
    let frame = match data {
        Body::None => WebSocketMessage::Text(""),
        Body::Text(text) => WebSocketMessage::Text(text),
        Body::Binary(bytes) => WebSocketMessage::Binary(bytes),
        Body::Elided(_) => return None,
    };
    Some(revision.decode(frame))
}
