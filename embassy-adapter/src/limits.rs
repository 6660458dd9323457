//! How long a connector may take.

use core::time::Duration;

/// Time limits for the steps before and after a session. Every field has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from DEFAULT")]
pub struct Limits {
    /// The time to resolve the server's name. Default: 10 s.
    ///
    /// embassy-net waits for its first name server for 10 s as well. It asks one by default; if it is built for several,
    /// it reaches the second only with a longer limit.
    pub dns_timeout: Duration,
    /// The time to establish the TCP connection. Default: 10 s.
    ///
    /// A name can have several addresses, which are tried one after another. All but the last get half of the time that
    /// is left: with two, the second is tried after 5 s, or as soon as the first refuses.
    pub connect_timeout: Duration,
    /// The time to shut the connection down after a session: to deliver what was written and close in order, or to send
    /// a reset. Default: 2 s.
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// The defaults that each field's documentation states.
    pub const DEFAULT: Self = Self {
        dns_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        shutdown_timeout: Duration::from_secs(2),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
