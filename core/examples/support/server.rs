//! The connections and sessions of a server, without I/O: what is the same on every runtime.
//!
//! A runtime passes on what it has read, writes what [`Server::transmit`] returns, and sleeps until the next deadline.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::mem::{replace, take};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use eio_core::polling::{PostFailure, Refusal::PayloadTooLarge};
use eio_core::request::{Action, Refusal, Request};
use eio_core::transports::SocketEnd;
use eio_core::upgrade::UPGRADE_TIMEOUT;
use eio_core::ws::opening::{HeadEnd, Opening, RequestHead, write_response};
use eio_core::{DisconnectReason, Heartbeat, Instant, Revision};

use super::session::{MAX_PAYLOAD, Session};

pub(crate) const MAX_PEERS: usize = 4_000;
const MAX_SESSIONS: usize = 10_000;
const MAX_HEAD: usize = 8 * 1024; // bytes of the head of a request
const IDLE: Duration = Duration::from_mins(2); // until a request has arrived, or an answer has been written
const POST: Duration = Duration::from_secs(30); // until the body of a post has arrived
const LINGER: Duration = Duration::from_secs(5); // until the client closes the connection as well

#[expect(clippy::disallowed_methods, reason = "the one clock of the program")]
pub(crate) fn now() -> Instant {
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    Instant::from_micros(START.elapsed().as_micros().try_into().unwrap_or(u64::MAX))
}

/// The arguments of a program: an address, and the ping interval and the ping timeout in milliseconds.
pub(crate) fn arguments() -> Result<(String, Heartbeat), Box<dyn Error>> {
    let argument = |at, default: &str| std::env::args().nth(at).unwrap_or_else(|| default.to_owned());
    let millis = |at, default| argument(at, default).parse().map(Duration::from_millis);
    Ok((argument(1, "127.0.0.1:3000"), Heartbeat::new(millis(2, "25000")?, millis(3, "20000")?)?))
}

/// The runtime's side of a connection.
pub(crate) trait Io {
    /// There may be something to write, and reading may go on.
    fn wake(&self);
    /// Closes the connection now.
    fn cut(&self);
}

pub(crate) struct Server<C> {
    heartbeat: Heartbeat,
    sessions: HashMap<Arc<str>, Session>,
    peers: HashMap<usize, Peer<C>>,
    last_peer: usize,
    timers: Timers,
}

/// The deadlines of connections, which have numbers, and of sessions.
type Timers = BTreeSet<(Instant, usize, Option<Arc<str>>)>;

/// A connection.
struct Peer<C> {
    io: C,
    role: Role,
    sid: Arc<str>,
    input: Vec<u8>,
    output: Vec<u8>,
    until: Option<Instant>,
    is_ended: bool, // the client sends nothing more
    closes: bool,   // behind the answer
}

enum Role {
    Request(HeadEnd),
    Poll,
    Post(usize), // until this many bytes have arrived
    Posted,
    Answered, // until the answer has been written
    Refused,  // until the refusal has been written
    WebSocket,
    Closing, // nothing more is read
}

impl Role {
    fn is_answer(&self) -> bool {
        matches!(self, Self::Answered | Self::Refused)
    }
}

impl<C: Io> Server<C> {
    pub(crate) fn new(heartbeat: Heartbeat) -> Self {
        let (sessions, peers, timers) = Default::default();
        Self { heartbeat, sessions, peers, last_peer: 0, timers }
    }

    /// Takes a new connection, if there is room. Returns its number.
    pub(crate) fn accept(&mut self, now: Instant, io: impl FnOnce(usize) -> C) -> Option<usize> {
        if self.peers.len() >= MAX_PEERS {
            return None;
        }
        self.last_peer += 1;
        let io = io(self.last_peer);
        let (role, sid, input, output) = (Role::Request(HeadEnd::new()), "".into(), Vec::new(), Vec::new());
        let peer = Peer { io, role, sid, input, output, until: None, is_ended: false, closes: false };
        self.peers.insert(self.last_peer, peer);
        self.limit(self.last_peer, now, Some(IDLE));
        Some(self.last_peer)
    }

    /// Returns whether the connection may be read, or `None` once the server does not need it any more.
    pub(crate) fn wants_read(&self, id: usize) -> Option<bool> {
        let Peer { role, sid, input, .. } = self.peers.get(&id)?;
        Some(match role {
            Role::WebSocket => self.sessions.get(sid).is_none_or(Session::has_room),
            Role::Post(_) | Role::Refused | Role::Closing => true,
            _ => input.len() <= MAX_HEAD,
        })
    }

    /// Handles bytes that were read.
    pub(crate) fn receive(&mut self, id: usize, now: Instant, bytes: &[u8]) {
        let is_needed = |peer: &&mut Peer<C>| !matches!(peer.role, Role::Refused | Role::Closing);
        if let Some(peer) = self.peers.get_mut(&id).filter(is_needed) {
            peer.input.extend_from_slice(bytes);
            self.advance(id, now);
        }
    }

    /// Handles the requests, the body or the frames in the input, as far as they are complete.
    fn advance(&mut self, id: usize, now: Instant) -> Option<()> {
        loop {
            let peer = self.peers.get_mut(&id)?;
            match &mut peer.role {
                Role::Request(end) => {
                    let len = end.find(&peer.input).or((peer.input.len() > MAX_HEAD).then_some(MAX_HEAD))?;
                    let head: Vec<u8> = peer.input.drain(..len).collect();
                    if let Err(refusal) = self.request(id, now, &head) {
                        self.refuse(id, now, &head, refusal);
                    }
                    self.changed(id, now);
                }
                Role::Post(len) => {
                    let body = peer.input.get(..*len)?.to_vec();
                    peer.input.drain(..body.len());
                    peer.role = Role::Posted;
                    self.sessions.get_mut(&peer.sid)?.handle_body(now, &body);
                    self.limit(id, now, None);
                    self.changed(id, now);
                }
                Role::WebSocket => {
                    self.sessions.get_mut(&peer.sid)?.handle_bytes(now, &mut peer.input);
                    return self.changed(id, now);
                }
                Role::Poll | Role::Posted | Role::Answered | Role::Refused | Role::Closing => return None,
            }
        }
    }

    fn request(&mut self, id: usize, now: Instant, head: &[u8]) -> Result<(), Refusal> {
        let head = RequestHead::parse(head)?;
        if !head.path().starts_with("/engine.io/") {
            return Err(Refusal::PathUnknown);
        }
        let request = Request::read(&head, &[Revision::V4])?;
        let (sid, open) = match request.action {
            Action::Post { len, .. } if len > MAX_PAYLOAD as usize => return Err(PayloadTooLarge.into()),
            Action::Upgrade { sid, .. } | Action::Poll { sid } | Action::Post { sid, .. } => {
                (sid.into(), Vec::new())
            }
            Action::Open(_) if self.sessions.len() >= MAX_SESSIONS => return Err(Refusal::Full),
            Action::Open(_) => {
                let (sid, session, open) = Session::open(now, self.heartbeat, &request);
                self.sessions.insert(Arc::clone(&sid), session);
                (sid, open)
            }
        };
        let session = self.sessions.get_mut(&sid).ok_or(Refusal::SessionUnknown)?;
        let peer = self.peers.get_mut(&id).ok_or(Refusal::BadRequest)?;
        session.peers.push(id);
        peer.sid = sid;
        peer.closes = !head.is_http_1_1() || head.lists("connection", "close");
        let transports = &mut session.transports;
        let limit = match request.action {
            Action::Open(None) => {
                (peer.role, peer.output) = (Role::Answered, respond("text/plain; charset=UTF-8", &open));
                Some(IDLE)
            }
            Action::Open(Some(opening)) => {
                (peer.role, peer.output) = (Role::WebSocket, switch(&opening));
                None
            }
            Action::Upgrade { opening, .. } => {
                transports.add_websocket(now, UPGRADE_TIMEOUT, MAX_PAYLOAD)?;
                (peer.role, peer.output) = (Role::WebSocket, switch(&opening));
                None
            }
            Action::Poll { .. } => {
                transports.handle_poll(now, false)?;
                peer.role = Role::Poll;
                None
            }
            Action::Post { framing, len, .. } => {
                transports.handle_post(now, framing)?;
                peer.role = Role::Post(len);
                Some(POST)
            }
        };
        self.limit(id, now, limit);
        Ok(())
    }

    /// Answers a request with a refusal, which ends the connection.
    fn refuse(&mut self, id: usize, now: Instant, head: &[u8], refusal: Refusal) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let is_websocket = RequestHead::parse(head).is_ok_and(|head| head.asks_for_websocket());
        let mut answer = [0; Refusal::MAX_LEN];
        peer.output = refusal.write(is_websocket, &mut answer).expect("it fits").to_vec();
        (peer.role, peer.closes) = (Role::Refused, true);
        self.limit(id, now, Some(LINGER));
    }

    /// Returns what is to be written, once everything before it has been, and whether it is the last of the connection.
    pub(crate) fn transmit(&mut self, id: usize, now: Instant) -> (Vec<u8>, bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return (Vec::new(), true) };
        let mut is_last = false;
        if let Some(session) = self.sessions.get_mut(&peer.sid) {
            match peer.role {
                Role::Poll => {
                    if let Some(body) = session.answer_poll(now) {
                        (peer.role, peer.output) =
                            (Role::Answered, respond("text/plain; charset=UTF-8", &body));
                    }
                }
                Role::Post(_) | Role::Posted => match session.transports.post_answer(session.has_room()) {
                    Some(Ok(())) => (peer.role, peer.output) = (Role::Answered, respond("text/html", b"ok")),
                    Some(Err(refusal)) => self.refuse(id, now, b"", refusal),
                    None => {}
                },
                Role::WebSocket => {
                    let frames;
                    (frames, is_last) = session.frames(now);
                    peer.output.extend(frames);
                }
                _ => {}
            }
        }
        let Some(peer) = self.peers.get_mut(&id) else { return (Vec::new(), true) };
        let output = take(&mut peer.output);
        let is_answer = peer.role.is_answer();
        is_last |= matches!(peer.role, Role::Closing) || (is_answer && peer.closes);
        if is_last || is_answer {
            self.limit(id, now, Some(if is_last { LINGER } else { IDLE }));
        }
        if !output.is_empty() {
            self.changed(id, now);
        }
        (output, is_last)
    }

    /// Reports that what `transmit` returned has been written.
    pub(crate) fn written(&mut self, id: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.role.is_answer()) else { return };
        peer.role = if peer.closes { Role::Closing } else { Role::Request(HeadEnd::new()) };
        peer.io.wake();
        let (is_ended, limit) = (peer.is_ended, if peer.closes { LINGER } else { IDLE });
        self.leave(id);
        self.limit(id, now, Some(limit));
        // Also what the client has sent before it closed its direction.
        self.advance(id, now);
        if is_ended {
            self.end(id, now, SocketEnd::Closed);
        }
    }

    /// Reports that a connection ended.
    pub(crate) fn end(&mut self, id: usize, now: Instant, end: SocketEnd) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if end == SocketEnd::Closed && (peer.role.is_answer() || matches!(peer.role, Role::Posted)) {
            peer.is_ended = true; // The client may still get the answer.
            return;
        }
        if let Some(Session { transports, .. }) = self.sessions.get_mut(&peer.sid) {
            match peer.role {
                Role::WebSocket => transports.handle_websocket_end(now, end),
                Role::Poll => transports.handle_poll_aborted(now),
                Role::Post(_) | Role::Posted => _ = transports.handle_post_failed(now, PostFailure::Aborted),
                Role::Answered if !transports.is_on_websocket() => {
                    transports.session.handle_transport_error(now);
                }
                Role::Request(_) | Role::Answered | Role::Refused | Role::Closing => {}
            }
        }
        self.changed(id, now);
        self.leave(id);
        self.limit(id, now, None);
        self.peers.remove(&id);
    }

    /// Reports the time, once everything that was ready at that time has been handled.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.poll_timeout().is_some_and(|due| due <= now) {
            match self.timers.pop_first().expect("there is a first one") {
                (_, _, Some(sid)) => {
                    if let Some(session) = self.sessions.get_mut(&sid) {
                        session.due = None;
                        session.transports.handle_timeout(now);
                    }
                    self.touch(&sid, now);
                }
                (_, id, None) => self.expire(id, now),
            }
        }
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, ..)| *due)
    }

    fn expire(&mut self, id: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.until = None;
        let session = self.sessions.get_mut(&peer.sid).filter(|_| matches!(peer.role, Role::Post(_)));
        match session.and_then(|session| session.transports.handle_post_failed(now, PostFailure::TimedOut)) {
            Some(refusal) => {
                self.refuse(id, now, b"", refusal);
                self.changed(id, now);
            }
            None => peer.io.cut(),
        }
    }

    /// Limits the time until the next step of a connection.
    fn limit(&mut self, id: usize, now: Instant, limit: Option<Duration>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let until = limit.map(|limit| now.saturating_add(limit));
        set_timer(&mut self.timers, replace(&mut peer.until, until), until, id, None);
    }

    /// The connection no longer has a request of its session.
    fn leave(&mut self, id: usize) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let sid = replace(&mut peer.sid, "".into());
        if let Some(session) = self.sessions.get_mut(&sid) {
            session.peers.retain(|peer| *peer != id);
            if session.peers.is_empty() && session.transports.session.has_ended() {
                self.sessions.remove(&sid);
            }
        }
    }

    fn changed(&mut self, id: usize, now: Instant) -> Option<()> {
        let peer = self.peers.get(&id)?;
        peer.io.wake();
        let sid = Arc::clone(&peer.sid);
        self.touch(&sid, now);
        None
    }

    /// Something has changed in a session: its connections look what is to be written, and its deadline may have moved.
    fn touch(&mut self, sid: &Arc<str>, now: Instant) {
        let Some(session) = self.sessions.get_mut(sid) else { return };
        let due = session.update(now);
        set_timer(&mut self.timers, replace(&mut session.due, due), due, 0, Some(sid));
        session.peers.iter().filter_map(|id| self.peers.get(id)).for_each(|peer| peer.io.wake());
        let Some(end) = session.transports.session.end() else { return };
        if replace(&mut session.is_reported, true) {
            return;
        }
        println!("{}.. ended: {} (after {:?} of silence)", &sid[..8], end.reason, end.silent_for);
        let peers = session.peers.clone();
        if peers.is_empty() {
            self.sessions.remove(sid);
        }
        // What the kernel holds for a client that is silent would keep its connection open.
        let linger = if end.reason == DisconnectReason::PingTimeout { Duration::ZERO } else { LINGER };
        for id in peers {
            if self.peers.get(&id).is_some_and(|peer| matches!(peer.role, Role::WebSocket)) {
                self.limit(id, now, Some(linger));
            }
        }
    }
}

fn set_timer(
    timers: &mut Timers,
    old: Option<Instant>,
    new: Option<Instant>,
    id: usize,
    sid: Option<&Arc<str>>,
) {
    if old != new {
        if let Some(old) = old {
            timers.remove(&(old, id, sid.cloned()));
        }
        timers.extend(new.map(|new| (new, id, sid.cloned())));
    }
}

fn respond(content_type: &str, body: &[u8]) -> Vec<u8> {
    let headers = [("Content-Type", content_type), ("Cache-Control", "no-store")];
    let body = str::from_utf8(body).expect("payloads of revision 4 are text");
    let mut out = vec![0; body.len() + 256];
    write_response(200, &headers, body, &mut out).expect("it fits").to_vec()
}

fn switch(opening: &Opening<'_>) -> Vec<u8> {
    opening.accept(None, &[], &mut [0; 256]).expect("it fits").to_vec()
}
