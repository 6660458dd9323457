//! The transports that a session can move between, and sets of them.

use core::fmt;
use core::str::FromStr;

/// A way to carry packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket (RFC 6455).
    WebSocket,
    /// WebTransport, which newer reference servers offer.
    WebTransport,
}

impl Transport {
    /// Every transport that has a name in the protocol, in the order the reference server lists them.
    pub const ALL: [Self; 3] = [Self::Polling, Self::WebSocket, Self::WebTransport];

    /// Returns the name that queries (`transport=websocket`) and the open packet's `upgrades` use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
            Self::WebTransport => "webtransport",
        }
    }
}

/// Displays the name in queries and in the open packet.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads the name in queries and in the open packet. Names are compared byte by byte.
///
/// ```
/// use eio_core::handshake::Transport;
///
/// assert_eq!("websocket".parse(), Ok(Transport::WebSocket));
/// let error = "WebSocket".parse::<Transport>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown transport: expected polling, websocket or webtransport");
/// ```
impl FromStr for Transport {
    type Err = ParseTransportError;

    fn from_str(name: &str) -> Result<Self, ParseTransportError> {
        Self::ALL.iter().copied().find(|transport| transport.as_str() == name).ok_or(ParseTransportError)
    }
}

/// The error for text that does not name a [`Transport`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("unknown transport: expected polling, websocket or webtransport")]
#[non_exhaustive]
pub struct ParseTransportError;

/// A set of transports.
///
/// ```
/// use eio_core::handshake::{Transport, Transports};
///
/// let upgrades = Transports::NONE.with(Transport::WebSocket);
/// assert!(upgrades.contains(Transport::WebSocket));
/// assert!(!upgrades.contains(Transport::WebTransport));
/// assert!(upgrades.iter().eq([Transport::WebSocket]));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Transports(u8);

impl Transports {
    /// The empty set: a session that stays on its transport.
    pub const NONE: Self = Self(0);

    /// Returns this set with `transport` added.
    #[must_use]
    pub const fn with(self, transport: Transport) -> Self {
        Self(self.0 | Self::bit(transport))
    }

    /// Returns whether `transport` is in the set.
    #[must_use]
    pub const fn contains(self, transport: Transport) -> bool {
        self.0 & Self::bit(transport) != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the members, in the order of [`Transport::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Transport> {
        Transport::ALL.into_iter().filter(move |transport| self.contains(*transport))
    }

    const fn bit(transport: Transport) -> u8 {
        match transport {
            Transport::Polling => 1,
            Transport::WebSocket => 2,
            Transport::WebTransport => 4,
        }
    }
}

impl FromIterator<Transport> for Transports {
    fn from_iter<I: IntoIterator<Item = Transport>>(transports: I) -> Self {
        transports.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Transports {
    fn format(&self, f: defmt::Formatter<'_>) {
        let mut separator = "";
        defmt::write!(f, "{{");
        for transport in self.iter() {
            defmt::write!(f, "{=str}{=str}", separator, transport.as_str());
            separator = ", ";
        }
        defmt::write!(f, "}}");
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    #[test]
    fn a_set_is_empty_until_a_transport_is_added_and_shows_its_members() {
        assert!(Transports::NONE.is_empty());
        let upgrades = Transports::NONE.with(Transport::WebTransport).with(Transport::WebSocket);
        assert!(!upgrades.is_empty());
        assert_eq!(format!("{upgrades:?}"), "{WebSocket, WebTransport}");
    }
}
