//! Options that several commands share.

use core::time::Duration;

use clap::{Args, ValueEnum};
use eio_core::{Heartbeat, Liveness};
use eio_tokio::Transport;

use crate::duration;

/// The periods of the heartbeat, and which packets count as signs of life.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// How long after a heartbeat the server sends its next ping
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration::parse)]
    ping_interval: Duration,

    /// How long the peer has to answer a ping before its session ends
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration::parse)]
    ping_timeout: Duration,

    /// Which packets from a client show the server that the client is alive
    #[arg(long, value_name = "RULE", default_value = "extend-once")]
    liveness: Rule,
}

impl Timing {
    /// Returns the periods, or a sentence that says what is wrong with them.
    pub(crate) fn heartbeat(&self) -> Result<Heartbeat, String> {
        Heartbeat::new(self.ping_interval, self.ping_timeout).map_err(|error| {
            // The error names the periods as the handshake does.
            error
                .to_string()
                .replace("pingInterval", "--ping-interval")
                .replace("pingTimeout", "--ping-timeout")
        })
    }

    pub(crate) fn liveness(&self) -> Liveness {
        match self.liveness {
            Rule::ExtendOnce => Liveness::ExtendOnce,
            Rule::PongOnly => Liveness::PongOnly,
            Rule::AnyPacket => Liveness::AnyPacket,
        }
    }
}

/// [`Liveness`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rule {
    /// The pong. The first other packet after a ping restarts the ping timeout, once (engine.io 6.6.11 and later)
    ExtendOnce,
    /// Only the pong or, from a client of revision 3, the ping (engine.io 6.6.0 to 6.6.10)
    PongOnly,
    /// Any packet, so that messages alone keep a session open (engine.io up to 6.5)
    AnyPacket,
}

/// [`Transport`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportName {
    Polling,
    Websocket,
}

impl From<TransportName> for Transport {
    fn from(name: TransportName) -> Self {
        match name {
            TransportName::Polling => Self::Polling,
            TransportName::Websocket => Self::WebSocket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_periods_are_named_by_their_options() {
        let timing =
            |ping_interval, ping_timeout| Timing { ping_interval, ping_timeout, liveness: Rule::ExtendOnce };
        let second = Duration::from_secs(1);
        assert!(timing(second, second).heartbeat().is_ok());
        for (wrong, named) in [
            (timing(Duration::ZERO, second), "--ping-interval is zero"),
            (timing(second, Duration::from_micros(1_500)), "--ping-timeout is not a whole number"),
            (
                timing(Duration::from_secs(2_000_000), Duration::from_secs(2_000_000)),
                "--ping-interval + --ping-timeout is above",
            ),
        ] {
            let sentence = wrong.heartbeat().unwrap_err();
            assert!(sentence.starts_with(named), "{sentence}");
        }
    }

    #[test]
    fn rules_have_the_same_name_everywhere() {
        for rule in Rule::value_variants() {
            let liveness =
                Timing { ping_interval: Duration::ZERO, ping_timeout: Duration::ZERO, liveness: *rule }
                    .liveness();
            let name = rule.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(liveness.as_str()));
        }
    }
}
