//! The server's handshake.

use core::fmt;
use std::sync::Arc;

use eio_core::Heartbeat;
use eio_core::handshake::{Handshake, Transports};

/// The server's handshake. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeInfo {
    sid: Arc<str>,
    upgrades: Transports,
    heartbeat: Heartbeat,
    max_payload: Option<u32>,
}

impl HandshakeInfo {
    pub(crate) fn new(handshake: &Handshake<'_>) -> Self {
        Self {
            sid: handshake.sid.as_str().into(),
            upgrades: handshake.upgrades,
            heartbeat: handshake.heartbeat,
            max_payload: handshake.max_payload,
        }
    }

    /// Returns the session's identifier. Anybody who knows it can act as this client: keep it out of logs.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Returns the transports that the session may move to.
    #[must_use]
    pub fn upgrades(&self) -> Transports {
        self.upgrades
    }

    /// Returns the server's periods. A stricter client uses a shorter timeout.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat
    }

    /// Returns the size of the largest request body, and WebSocket message, that the server accepts, in bytes; `None`
    /// if it has not said.
    #[must_use]
    pub fn max_payload(&self) -> Option<u32> {
        self.max_payload
    }
}

/// Shows only the first four characters of the sid: enough to follow a session through a log, too little to take it over.
impl fmt::Debug for HandshakeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeInfo")
            .field("sid", &format_args!("{}", ShortSid(&self.sid)))
            .field("upgrades", &self.upgrades)
            .field("heartbeat", &self.heartbeat)
            .field("max_payload", &self.max_payload)
            .finish()
    }
}

/// Displays the part of a sid that logs may show.
pub(crate) struct ShortSid<'a>(pub(crate) &'a str);

impl fmt::Display for ShortSid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At most half of a short sid.
        let shown = self.0.chars().count().min(8) / 2;
        self.0.chars().take(shown).try_for_each(|character| write!(f, "{character}"))?;
        f.write_str("…")
    }
}
