//! The names of settings: the current names, and the old names of Socket.IO, which contain spaces.

#[cfg(feature = "serde")]
use core::fmt;

/// A current setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    PingInterval,
    PingTimeout,
    Liveness,
    MaxPayload,
    MaxPackets,
    UpgradeTimeout,
    CloseTimeout,
    AppStallTimeout,
}

impl Key {
    /// Every name of every setting. Messages use the first name of each.
    const NAMES: [(&'static str, Self); 17] = [
        ("pingInterval", Self::PingInterval),
        ("ping_interval", Self::PingInterval),
        ("pingTimeout", Self::PingTimeout),
        ("ping_timeout", Self::PingTimeout),
        ("liveness", Self::Liveness),
        ("maxPayload", Self::MaxPayload),
        ("max_payload", Self::MaxPayload),
        ("maxHttpBufferSize", Self::MaxPayload),
        ("max_http_buffer_size", Self::MaxPayload),
        ("maxPackets", Self::MaxPackets),
        ("max_packets", Self::MaxPackets),
        ("upgradeTimeout", Self::UpgradeTimeout),
        ("upgrade_timeout", Self::UpgradeTimeout),
        ("closeTimeout", Self::CloseTimeout),
        ("close_timeout", Self::CloseTimeout),
        ("appStallTimeout", Self::AppStallTimeout),
        ("app_stall_timeout", Self::AppStallTimeout),
    ];

    /// Returns the setting called `name`, and the name as a `'static` string.
    pub(super) fn named(name: &str) -> Option<(&'static str, Self)> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name)
    }

    /// Returns the name that messages use.
    #[cfg(feature = "serde")]
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }

    /// Returns its name in Socket.IO 0.9 to 2.x, if it existed there.
    pub(super) const fn old(self) -> Option<OldKey> {
        match self {
            Self::PingInterval => Some(OldKey::HeartbeatInterval),
            Self::PingTimeout => Some(OldKey::HeartbeatTimeout),
            Self::MaxPayload => Some(OldKey::BufferSize),
            Self::Liveness
            | Self::MaxPackets
            | Self::UpgradeTimeout
            | Self::CloseTimeout
            | Self::AppStallTimeout => None,
        }
    }
}

/// A setting of Socket.IO 0.9. 1.x and 2.x still accepted the first three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "public for `eio-legacy` alone, through `internal`")]
pub enum OldKey {
    /// `heartbeat interval`
    HeartbeatInterval,
    /// `heartbeat timeout`
    HeartbeatTimeout,
    /// `destroy buffer size`
    BufferSize,
    /// `close timeout`
    CloseTimeout,
    /// `polling duration`
    PollingDuration,
    /// `heartbeats`
    Heartbeats,
}

impl OldKey {
    /// Every setting, in the order of declaration.
    pub(super) const ALL: [Self; 6] = [
        Self::HeartbeatInterval,
        Self::HeartbeatTimeout,
        Self::BufferSize,
        Self::CloseTimeout,
        Self::PollingDuration,
        Self::Heartbeats,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::HeartbeatInterval => "heartbeat interval",
            Self::HeartbeatTimeout => "heartbeat timeout",
            Self::BufferSize => "destroy buffer size",
            Self::CloseTimeout => "close timeout",
            Self::PollingDuration => "polling duration",
            Self::Heartbeats => "heartbeats",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// An old setting that concerns logs, the HTTP server or what it serves, not sessions.
pub(super) struct OtherOldName {
    pub(super) name: &'static str,
    /// Whether 1.x and 2.x refused it.
    pub(super) only_v0_9: bool,
}

impl OtherOldName {
    /// The names that `io.set` of 1.x and 2.x still accepted.
    const KEPT: [&'static str; 4] = ["authorization", "origins", "resource", "transports"];

    const DROPPED: [&'static str; 18] = [
        "blacklist",
        "browser client",
        "browser client cache",
        "browser client etag",
        "browser client expires",
        "browser client gzip",
        "browser client handler",
        "browser client minification",
        "client store expiration",
        "destroy upgrade",
        "flash policy port",
        "flash policy server",
        "log",
        "log colors",
        "log level",
        "logger",
        "match origin protocol",
        "store",
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        let find = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
        let kept = find(&Self::KEPT).map(|name| Self { name, only_v0_9: false });
        kept.or_else(|| find(&Self::DROPPED).map(|name| Self { name, only_v0_9: true }))
    }
}

/// Displays the sentence that refuses an old name among current settings.
#[cfg(feature = "serde")]
pub(super) struct OldNameRefused(pub(super) OldKey);

#[cfg(feature = "serde")]
impl fmt::Display for OldNameRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let today = match self.0 {
            OldKey::HeartbeatInterval => "write `pingInterval`, in milliseconds",
            OldKey::HeartbeatTimeout => "write `pingTimeout`, in milliseconds",
            OldKey::BufferSize => "write `maxPayload` or `maxHttpBufferSize`, in bytes",
            OldKey::CloseTimeout => {
                "it limited the silence of polling clients, as `pingInterval` and `pingTimeout` do now, \
                 and has nothing to do with `closeTimeout`"
            }
            OldKey::PollingDuration => "it limited how long a poll is held, as `pingInterval` does now",
            OldKey::Heartbeats => {
                "sessions always have heartbeats now, timed by `pingInterval` and `pingTimeout`"
            }
        };
        let old = self.0.name();
        write!(
            f,
            "`{old}` is an old setting of Socket.IO: {today}. The units differ: old times are seconds in 0.9, \
             milliseconds in 1.x and 2.x. `settings::v1_v2` reads these, and the crate eio-legacy reads those of 0.9"
        )
    }
}
