//! What a world counts.

use eio_core::DisconnectReason;

use crate::side::Side;

/// What travelled in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Direction {
    /// Packets of Engine.IO that an end read: pings, pongs, messages, handshakes.
    pub packets: u64,
    /// Segments of TCP with data that were sent, repeated ones included. Acknowledgements are not counted.
    pub segments: u64,
    /// Their bytes: packets in their WebSocket frames, without the headers of TCP and IP.
    pub bytes: u64,
    /// Segments that were sent because an earlier copy was not acknowledged in time.
    pub repeated: u64,
    /// Segments that were lost on the way.
    pub lost: u64,
}

/// What travelled in both directions of one session, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// What clients sent.
    pub to_server: Direction,
    /// What servers sent.
    pub to_client: Direction,
}

impl Traffic {
    pub(crate) const fn towards(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Server => &mut self.to_server,
            Side::Client => &mut self.to_client,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for side in Side::BOTH {
            let (sum, more) = (self.towards(side), other.of(side));
            sum.packets += more.packets;
            sum.segments += more.segments;
            sum.bytes += more.bytes;
            sum.repeated += more.repeated;
            sum.lost += more.lost;
        }
    }

    const fn of(&self, towards: Side) -> &Direction {
        match towards {
            Side::Server => &self.to_server,
            Side::Client => &self.to_client,
        }
    }

    /// Returns the packets that either end read.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.to_server.packets + self.to_client.packets
    }
}

/// What was counted for all sessions since the world began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// What travelled.
    pub traffic: Traffic,
    /// Connections that clients began, and sessions that were added open.
    pub connected: u64,
    /// Round trips that were measured: pings that were answered.
    pub heartbeats: u64,
    /// Sessions that have moved from long-polling to a WebSocket.
    pub upgraded: u64,
    ends: Vec<(Side, DisconnectReason, u64)>,
}

impl Totals {
    /// Returns how often sessions ended on this side for this reason.
    #[must_use]
    pub fn ended(&self, side: Side, reason: DisconnectReason) -> u64 {
        self.ends.iter().find(|(s, r, _)| (*s, *r) == (side, reason)).map_or(0, |(_, _, count)| *count)
    }

    /// Returns each side and reason for which sessions ended, and how often.
    pub fn ends(&self) -> impl Iterator<Item = (Side, DisconnectReason, u64)> {
        self.ends.iter().copied()
    }

    pub(crate) fn count_end(&mut self, side: Side, reason: DisconnectReason) {
        match self.ends.iter_mut().find(|(s, r, _)| (*s, *r) == (side, reason)) {
            Some((_, _, count)) => *count += 1,
            None => self.ends.push((side, reason, 1)),
        }
    }
}
