//! What has happened in a session so far, to explain its end.

use core::time::Duration;

use eio_core::{Heartbeat, Revision};
use eio_tokio::{ClientEvent, ConnectError, Transport};

use crate::clock::Clock;

/// The parts of a session's past that can explain its end.
#[derive(Debug)]
pub(crate) struct History {
    pub(super) clock: Clock,
    pub(super) revision: Revision,
    /// The session opens on WebSocket, not on polling.
    pub(super) opens_on_websocket: bool,
    /// The server is taken for one of Socket.IO.
    socketio: bool,
    /// There is, or was, a connection to the server.
    is_connected: bool,
    /// Why the latest attempt to open a session failed.
    connect_error: Option<ConnectError>,
    /// The subprotocol that the server chose.
    protocol: Option<String>,
    /// The transport that the session opened on.
    pub(super) opened_on: Option<Transport>,
    pub(super) opened_at: Option<Duration>,
    pub(super) heartbeat: Option<Heartbeat>,
    /// How many pings came from the server, or pongs in revision 3.
    pub(super) heartbeats: u64,
    pub(super) last_heartbeat_at: Option<Duration>,
    /// The most that a ping was late.
    pub(super) max_lateness: Duration,
    pub(super) request_error: Option<ConnectError>,
}

impl History {
    pub(crate) fn new(clock: Clock, revision: Revision, opens_on_websocket: bool, socketio: bool) -> Self {
        Self {
            clock,
            revision,
            opens_on_websocket,
            socketio,
            is_connected: false,
            connect_error: None,
            protocol: None,
            opened_on: None,
            opened_at: None,
            heartbeat: None,
            heartbeats: 0,
            last_heartbeat_at: None,
            max_lateness: Duration::ZERO,
            request_error: None,
        }
    }

    /// Records an event.
    pub(crate) fn record(&mut self, event: &ClientEvent) {
        let now = self.clock.elapsed();
        match event {
            ClientEvent::Connected => self.is_connected = true,
            ClientEvent::ConnectFailed { error } => self.connect_error = Some(error.clone()),
            ClientEvent::TryingTransport { transport } => {
                self.opens_on_websocket = *transport == Transport::WebSocket;
            }
            ClientEvent::ProtocolChosen { protocol } => self.protocol = Some(protocol.clone()),
            ClientEvent::Opened { handshake, transport } => {
                self.opened_on = Some(*transport);
                self.opened_at = Some(now);
                self.heartbeat = Some(handshake.heartbeat());
            }
            ClientEvent::PingReceived { late, .. } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
                self.max_lateness = self.max_lateness.max(*late);
            }
            ClientEvent::PongReceived { .. } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
            }
            ClientEvent::RequestFailed { error } => self.request_error = Some(error.clone()),
            _ => {}
        }
    }

    /// Returns what to do if the server is of the other kind than it was taken for.
    pub(crate) fn other_kind(&self) -> &'static str {
        if self.socketio {
            "If the server speaks Engine.IO without Socket.IO, leave out --socketio."
        } else {
            "For a Socket.IO server, use --socketio."
        }
    }

    /// Returns where the namespace goes. Clients in JavaScript have it in the place of the URL's path.
    pub(crate) fn namespace_hint(&self) -> &'static str {
        if self.socketio {
            "The URL has the path, and --socketio=/chat joins the namespace /chat."
        } else {
            ""
        }
    }

    /// Returns whether a session has opened.
    pub(crate) fn has_opened(&self) -> bool {
        self.opened_at.is_some()
    }

    /// Returns whether there is, or was, a connection to the server.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Returns why the latest attempt to open a session failed.
    pub(crate) fn connect_error(&self) -> Option<&ConnectError> {
        self.connect_error.as_ref()
    }

    /// Returns the subprotocol that the server chose, if it chose one.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }
}
