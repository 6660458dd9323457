//! Plays a recorded client to our server, at the recorded times, on a clock that does not run.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eio_core::packet::{Data, PacketType, WebSocketMessage, v3, v4};
use eio_core::payload;
use eio_tokio::{Disconnect, Message, Server};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::client::{self, Order, Seen};
use crate::recording::{Answer, Body, Closer, Micros, Outcome, Recording, parameter, sid_in};
use crate::setup::{self, Sessions};

/// How long after its end a recording is watched, for answers that were under way.
const AFTERMATH: Micros = 30_000;

/// A poll that was answered this soon found its messages waiting.
const AT_ONCE: Micros = 15_000;

/// What our server did.
#[derive(Default)]
pub(crate) struct Performance {
    pub(crate) exchanges: HashMap<u64, (Micros, Option<Answer>)>,
    pub(crate) sockets: HashMap<u64, SocketSeen>,
    /// Our session identifiers by the recorded ones.
    pub(crate) sids: HashMap<String, String>,
    /// How sessions ended, by the recorded identifiers.
    pub(crate) ends: HashMap<String, Disconnect>,
    /// What could not be played.
    pub(crate) notes: Vec<String>,
}

/// What a WebSocket saw.
#[derive(Default)]
pub(crate) struct SocketSeen {
    pub(crate) opened: bool,
    pub(crate) rejected: Option<Answer>,
    pub(crate) frames: Vec<(Micros, Body)>,
    pub(crate) closed: Option<(Micros, u16)>,
}

/// One thing that the client, or the server's application, does.
enum Step {
    Request(usize),
    Abort(u64),
    /// The rest of a request that was held open.
    Finish(u64),
    Connect(usize),
    Send(u64, Body),
    CloseSocket(u64, u16),
    /// The application sends to the session with this recorded identifier.
    AppSend(String, Message),
    /// The application closes the session that opened last, or all.
    AppClose {
        all: bool,
    },
}

/// Plays a whole recording.
pub(crate) fn play(recording: &Arc<Recording>) -> Result<Performance, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let sessions = Arc::new(Mutex::new(Sessions::default()));
        let mut player = Player {
            server: setup::server(recording, &sessions)?,
            recording: Arc::clone(recording),
            sessions,
            seen: Arc::new(Mutex::new(Performance::default())),
            start: Instant::now(),
            requests: HashMap::new(),
            rests: HashMap::new(),
            orders: HashMap::new(),
        };
        for (at, step) in steps(recording) {
            tokio::time::sleep_until(player.start + Duration::from_micros(at)).await;
            player.perform(step);
            settle().await;
        }
        tokio::time::sleep_until(player.start + Duration::from_micros(recording.ends + AFTERMATH)).await;
        settle().await;
        Ok(player.finish())
    })
}

/// Lets everybody do what there is to do now.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Everything that is done, in order.
fn steps(recording: &Recording) -> Vec<(Micros, Step)> {
    // The number orders what happens at one time: messages before the request that finds them waiting.
    let mut steps: Vec<(Micros, u8, Step)> = Vec::new();
    for (index, exchange) in recording.exchanges.iter().enumerate() {
        steps.push((exchange.at, 1, Step::Request(index)));
        if let Some(at) = exchange.aborted {
            steps.push((at, 1, Step::Abort(exchange.id)));
        }
        match exchange.outcome {
            Some((at, Outcome::Reset)) => steps.push((at + 2_000, 1, Step::Finish(exchange.id))),
            Some((_, Outcome::Answer(_))) => steps.push((exchange.at, 2, Step::Finish(exchange.id))),
            None => {}
        }
    }
    for (index, socket) in recording.sockets.iter().enumerate() {
        steps.push((socket.at, 1, Step::Connect(index)));
        for (at, body) in &socket.sent {
            steps.push((*at, 1, Step::Send(socket.conn, body.clone())));
        }
        if let Some((at, Closer::Client, code)) = socket.closed {
            steps.push((at, 1, Step::CloseSocket(socket.conn, code)));
        }
    }
    let closes = if recording.closes.is_empty() { &recording.forced } else { &recording.closes };
    let latest = closes.first().copied().unwrap_or(Micros::MAX);
    for &at in closes {
        steps.push((at, 3, Step::AppClose { all: recording.closes.is_empty() }));
    }
    for (at, sid, message) in messages(recording) {
        steps.push((at.min(latest), 0, Step::AppSend(sid, message)));
    }
    steps.sort_by_key(|(at, order, _)| (*at, *order));
    steps.into_iter().map(|(at, _, step)| (at, step)).collect()
}

/// What the recorded application sent: to be seen from what the server delivered.
fn messages(recording: &Recording) -> Vec<(Micros, String, Message)> {
    let mut messages = Vec::new();
    for exchange in &recording.exchanges {
        let (Some((at, Outcome::Answer(answer))), Some(sid)) =
            (&exchange.outcome, parameter(&exchange.url, "sid"))
        else {
            continue;
        };
        if exchange.method == "GET" && answer.status == 200 {
            let at = if at - exchange.at <= AT_ONCE { exchange.at } else { *at };
            let revision_4 = is_revision_4(recording, &exchange.url);
            let found = crate::judge::packets(revision_4, answer, &answer.body.bytes());
            let sent = found.into_iter().flatten().filter_map(crate::judge::Packet::into_message);
            messages.extend(sent.map(|message| (at, sid.to_owned(), message)));
        }
    }
    for socket in &recording.sockets {
        let initial = recording.options["initialPacket"].as_str();
        let direct = parameter(&socket.url, "sid").is_none();
        let sid = match parameter(&socket.url, "sid") {
            Some(sid) => Some(sid.to_owned()),
            None => socket.received.first().and_then(|(_, body)| sid_in(&body.bytes())),
        };
        let Some(sid) = sid else { continue };
        let skip = if direct && initial.is_some() { 2 } else { 0 };
        for (at, body) in socket.received.iter().skip(skip) {
            let bytes = body.bytes();
            let frame = match body {
                Body::Binary(_) => WebSocketMessage::Binary(&bytes),
                _ => WebSocketMessage::Text(core::str::from_utf8(&bytes).unwrap_or_default()),
            };
            let packet =
                if is_revision_4(recording, &socket.url) { v4::decode(frame) } else { v3::decode(frame) };
            if let Ok(packet) = packet
                && packet.packet_type == PacketType::Message
            {
                messages.push((*at, sid.clone(), message(packet.data)));
            }
        }
    }
    messages
}

/// The message in a packet.
pub(crate) fn message(data: Data<'_>) -> Message {
    match data {
        Data::Text(text) => Message::text(text),
        Data::Binary(bytes) => Message::binary(bytes.to_vec()),
        Data::Base64(base64) => {
            let mut bytes = vec![0; base64.decoded_len()];
            let len = base64.decode(&mut bytes).map_or(0, <[u8]>::len);
            bytes.truncate(len);
            Message::binary(bytes)
        }
    }
}

/// Whether a recorded session that was opened by this URL speaks revision 4.
pub(crate) fn is_revision_4(recording: &Recording, url: &str) -> bool {
    recording.engine >= (4, 0, 0) && parameter(url, "EIO") == Some("4")
}

struct Player {
    server: Server,
    recording: Arc<Recording>,
    sessions: Arc<Mutex<Sessions>>,
    seen: Arc<Mutex<Performance>>,
    start: Instant,
    requests: HashMap<u64, AbortHandle>,
    rests: HashMap<u64, UnboundedSender<()>>,
    orders: HashMap<u64, UnboundedSender<Order>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn since(start: Instant) -> Micros {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(Micros::MAX)
}

impl Player {
    fn perform(&mut self, step: Step) {
        match step {
            Step::Request(index) => self.request(index),
            Step::Abort(id) => self.requests.remove(&id).into_iter().for_each(|request| request.abort()),
            Step::Finish(id) => drop(self.rests.remove(&id)),
            Step::Connect(index) => self.connect(index),
            Step::Send(conn, body) => self.order(conn, Order::Send(body)),
            Step::CloseSocket(conn, 1006) => self.order(conn, Order::Destroy),
            Step::CloseSocket(conn, code) => self.order(conn, Order::Close(code)),
            Step::AppSend(sid, message) => {
                let ours = lock(&self.seen).sids.get(&sid).cloned();
                let sessions = lock(&self.sessions);
                let session = ours.and_then(|sid| sessions.by_sid.get(&sid));
                let sent = session
                    .map(|session| session.sender.try_send(message).map_err(|error| error.to_string()));
                match sent {
                    Some(Ok(())) => {}
                    Some(Err(error)) => lock(&self.seen).notes.push(format!("not sent: {error}")),
                    None => lock(&self.seen).notes.push(format!("not sent: no session {sid}")),
                }
            }
            Step::AppClose { all } => {
                let sessions = lock(&self.sessions);
                let closed =
                    sessions.by_sid.iter().filter(|(sid, _)| all || Some(*sid) == sessions.last.as_ref());
                closed.for_each(|(_, session)| session.sender.close());
            }
        }
    }

    /// The other end of a new connection to our server.
    fn pipe(&self) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let server = self.server.clone();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        tokio::spawn(async move { server.serve_connection(theirs, Some(peer)).await });
        ours
    }

    /// A recorded URL with our session's identifier in it.
    fn url(&self, recorded: &str) -> String {
        match parameter(recorded, "sid")
            .and_then(|sid| lock(&self.seen).sids.get(sid).cloned().map(|o| (sid, o)))
        {
            Some((sid, ours)) => recorded.replace(&format!("sid={sid}"), &format!("sid={ours}")),
            None => recorded.to_owned(),
        }
    }

    fn request(&mut self, index: usize) {
        let (recording, seen, start) = (Arc::clone(&self.recording), Arc::clone(&self.seen), self.start);
        let Some(exchange) = recording.exchanges.get(index) else { return };
        let id = exchange.id;
        let (pipe, url) = (self.pipe(), self.url(&exchange.url));
        let (rest, finish) = unbounded_channel();
        self.rests.insert(id, rest);
        let task = tokio::spawn({
            let recording = Arc::clone(&recording);
            async move {
                let Some(exchange) = recording.exchanges.get(index) else { return };
                let answer = client::request(pipe, exchange, &url, finish).await;
                let mut seen = lock(&seen);
                if let (Some((_, Outcome::Answer(recorded))), Some(answer)) = (&exchange.outcome, &answer)
                    && let (Some(theirs), Some(ours)) =
                        (sid_in(&recorded.body.bytes()), sid_in(&answer.body.bytes()))
                {
                    seen.sids.insert(theirs, ours);
                }
                seen.exchanges.insert(id, (since(start), answer));
            }
        });
        self.requests.insert(id, task.abort_handle());
    }

    fn connect(&mut self, index: usize) {
        let (recording, seen, start) = (Arc::clone(&self.recording), Arc::clone(&self.seen), self.start);
        let Some(socket) = recording.sockets.get(index) else { return };
        let (pipe, url) = (self.pipe(), self.url(&socket.url));
        let (orders, received) = unbounded_channel();
        self.orders.insert(socket.conn, orders);
        let conn = socket.conn;
        let first = socket.received.first().and_then(|(_, body)| sid_in(&body.bytes()));
        tokio::spawn(async move {
            client::websocket(pipe, &url, received, |told| {
                let mut seen = lock(&seen);
                if let (Seen::Frame(body), Some(theirs)) = (&told, &first)
                    && let Some(ours) = sid_in(&body.bytes())
                {
                    seen.sids.insert(theirs.clone(), ours);
                }
                let socket = seen.sockets.entry(conn).or_default();
                match told {
                    Seen::Opened => socket.opened = true,
                    Seen::Rejected(answer) => socket.rejected = Some(answer),
                    Seen::Frame(body) => socket.frames.push((since(start), body)),
                    Seen::Closed(code) => socket.closed = Some((since(start), code)),
                }
            })
            .await;
        });
    }

    fn order(&self, conn: u64, order: Order) {
        // Nobody takes it where the WebSocket was refused.
        let _ = self.orders.get(&conn).map(|orders| orders.send(order));
    }

    fn finish(self) -> Performance {
        let mut seen = core::mem::take(&mut *lock(&self.seen));
        let mut sessions = lock(&self.sessions);
        let ends = seen.sids.iter().filter_map(|(theirs, ours)| {
            let end = sessions.by_sid.get_mut(ours)?.end.take()?;
            Some((theirs.clone(), end))
        });
        seen.ends = ends.collect();
        seen
    }
}

/// The packets of the payload in a body; none if it is not a payload.
pub(crate) fn decode_payload(
    revision_4: bool,
    binary: bool,
    body: &[u8],
) -> Option<Vec<(PacketType, Message)>> {
    let mut packets = Vec::new();
    if revision_4 {
        for packet in payload::v4::decode(body, usize::MAX) {
            let packet = packet.ok()?;
            packets.push((packet.packet_type, message(packet.data)));
        }
    } else {
        let framing = if binary { payload::v3::Framing::Binary } else { payload::v3::Framing::Text };
        for packet in payload::v3::decode(framing, body, usize::MAX) {
            let packet = packet.ok()?;
            packets.push((packet.packet_type, message(packet.data)));
        }
    }
    Some(packets)
}
