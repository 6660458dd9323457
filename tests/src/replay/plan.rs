//! One side of one recorded session: the inputs for the machine that takes its place, and what the recording shows
//! that it did.

use eio_core::handshake::Handshake;
use eio_core::packet::PacketType;
use eio_core::session::Violation;
use eio_core::{Heartbeat, Liveness, Revision};

use super::transcript::{Body, Micros};

/// Which side the machine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// Everything about one side of one session.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) role: Role,
    pub(crate) revision: Revision,
    pub(crate) liveness: Liveness,
    /// The server's periods; the client learns them from the open packet.
    pub(crate) heartbeat: Heartbeat,
    /// When the session opened (server), or began to open (client).
    pub(crate) begins: Micros,
    /// When the recording ends.
    pub(crate) ends: Micros,
    /// The WebSocket that carries the session from the start.
    pub(crate) direct: Option<u64>,
    /// The server offered an upgrade.
    pub(crate) offers_upgrade: bool,
    pub(crate) upgrade_timeout: Micros,
    pub(crate) inputs: Vec<Input>,
    /// When the event loop of this side was blocked, from and to.
    pub(crate) blocked: Vec<(Micros, Micros)>,
    pub(crate) recorded: Recorded,
}

/// Something that the machine is told, and when.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) at: Micros,
    pub(crate) fact: Fact,
}

/// What the machine is told.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// A WebSocket message of the peer.
    Frame { conn: u64, data: Body },
    /// A polling payload of the peer.
    Payload { content_type: String, body: Body },
    /// A packet of which only the type is known.
    Packet(PacketType),
    /// Server: a poll came in.
    Poll,
    /// A candidate for an upgrade; `matches` when its query names the session's revision.
    Candidate { conn: u64, matches: bool },
    /// A WebSocket ended, or could not be opened.
    SocketClosed { conn: u64, failed: bool },
    /// A polling request failed.
    PollingFailed,
    /// The peer broke a rule of polling; void once the session has left it.
    PollingViolation(Violation),
    /// A WebSocket message above the limit.
    TooLarge { conn: u64 },
    /// This side closes; `at_once` when nothing is waited for.
    Close { at_once: bool },
    /// Client: no polling request is in flight any more.
    PollingPaused,
    /// The machine's clock moves on without the recording's.
    ClockStep(Micros),
}

/// What one side did, as far as the protocol's machines decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Ping,
    Pong,
    /// The close packet, or the end of the session's WebSocket.
    Close,
    /// Server: releases a poll during an upgrade.
    Noop,
    /// Client: `2probe` on this WebSocket.
    Probe(u64),
    /// Server: `3probe` on this WebSocket.
    ProbeAnswer(u64),
    /// Client: `5` on this WebSocket.
    Upgrade(u64),
    /// Server: gives up this candidate.
    CandidateClosed(u64),
}

/// What the recording shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) emissions: Vec<Emission>,
    /// When this side could write to the peer.
    pub(crate) windows: Vec<Window>,
    pub(crate) end: Option<End>,
    /// The traffic was not recorded, only what the library under test said.
    pub(crate) deaf: bool,
    /// The client's library said that its session opened.
    pub(crate) opened: bool,
}

/// Something that the recorded side sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emission {
    pub(crate) at: Micros,
    pub(crate) what: What,
    /// Somebody else may have done it: nothing is missing if the machine did not.
    pub(crate) optional: bool,
}

/// How the recorded side's session ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: Micros,
    /// In the words of Engine.IO, if it was recorded in them.
    pub(crate) reason: Option<String>,
}

/// When a side could write: a poll was pending, no post was in flight, a WebSocket was open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: Micros,
    pub(crate) to: Micros,
    pub(crate) kind: WindowKind,
}

/// What could be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowKind {
    /// A request: a poll that is pending, whose answer closes the window, or the next post, which closes it too.
    Request,
    /// A poll that was never answered because its connection died.
    Lost,
    /// A WebSocket.
    Socket,
}

/// How late the recording's timers and sockets may be.
pub(crate) const JITTER: Micros = 25_000;

/// How long a packet may take from its sender to the reader.
pub(crate) const SETTLING: Micros = 5_000;

/// How early: the recording's timers count whole milliseconds of a clock that is rounded down.
pub(crate) const GRAIN: Micros = 1_000;

impl Recorded {
    /// When something that was due at `due` could have reached the wire, and in which window: then, if this side could
    /// write; otherwise when it next could. Shortly before a window closes, the next one is possible too.
    pub(crate) fn writable(&self, due: Micros) -> impl Iterator<Item = (Micros, Window)> {
        let mut settled = false;
        let open = self.windows.iter().filter(move |window| window.to.saturating_add(GRAIN) >= due);
        open.copied().map_while(move |window| {
            if settled {
                return None;
            }
            let at = due.max(window.from);
            settled = window.to.saturating_sub(at) > JITTER || window.kind == WindowKind::Socket;
            Some((at, window))
        })
    }

    /// Whether an emission that was due at `due` may have been recorded at `at`.
    pub(crate) fn agrees(&self, due: Micros, at: Micros) -> bool {
        self.writable(due).any(|(wire, _)| at + GRAIN >= wire && at <= wire + JITTER)
    }

    /// Whether what was due at `due` need not be in a recording that ends at `ends`: nothing could carry it, or not
    /// until the very end.
    pub(crate) fn may_be_missing(&self, due: Micros, ends: Micros) -> bool {
        let windows = self.writable(due).filter(|(_, window)| match window.kind {
            WindowKind::Request => window.to > due,
            WindowKind::Lost => false,
            WindowKind::Socket => true,
        });
        let mut windows = windows.peekable();
        self.deaf
            || windows.peek().is_none()
            || windows.any(|(wire, window)| {
                wire + SETTLING >= ends && (window.to > ends || window.kind == WindowKind::Socket)
            })
    }
}

/// The periods in an open packet.
pub(crate) fn heartbeat_of(json: &str) -> Result<Heartbeat, String> {
    Handshake::parse(json).map(|handshake| handshake.heartbeat).map_err(|error| error.to_string())
}
