//! Options that several commands share.

use core::time::Duration;

use clap::{Args, ValueEnum};
use eio_core::{Heartbeat, Liveness};
use eio_tokio::Transport;

use crate::duration;

/// The periods of the heartbeat, and which packets count as signs of life. An option that is not given is `None`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timing {
    /// How long after a heartbeat the server sends its next ping [default: 25s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    ping_interval: Option<Duration>,

    /// How long the peer has to answer a ping before its session ends [default: 20s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    ping_timeout: Option<Duration>,

    /// Which packets from a client show the server that the client is alive [default: extend-once]
    #[arg(long, value_name = "RULE")]
    liveness: Option<Rule>,
}

impl Timing {
    /// Returns the periods that are given, and those of `otherwise`; or a sentence that says what is wrong with them.
    pub(crate) fn heartbeat(&self, otherwise: Heartbeat) -> Result<Heartbeat, String> {
        Heartbeat::new(
            self.ping_interval.unwrap_or(otherwise.ping_interval()),
            self.ping_timeout.unwrap_or(otherwise.ping_timeout()),
        )
        .map_err(|error| {
            // The error names the periods as the handshake does.
            error
                .to_string()
                .replace("pingInterval", "--ping-interval")
                .replace("pingTimeout", "--ping-timeout")
        })
    }

    /// Returns the rule that is given, or `otherwise`.
    pub(crate) fn liveness(&self, otherwise: Liveness) -> Liveness {
        match self.liveness {
            None => otherwise,
            Some(Rule::ExtendOnce) => Liveness::ExtendOnce,
            Some(Rule::PongOnly) => Liveness::PongOnly,
            Some(Rule::AnyPacket) => Liveness::AnyPacket,
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
        let timing = |ping_interval, ping_timeout| Timing {
            ping_interval: Some(ping_interval),
            ping_timeout: Some(ping_timeout),
            liveness: None,
        };
        let second = Duration::from_secs(1);
        let heartbeat = |timing: Timing| timing.heartbeat(Heartbeat::DEFAULT);
        assert!(heartbeat(timing(second, second)).is_ok());
        for (wrong, named) in [
            (timing(Duration::ZERO, second), "--ping-interval is zero"),
            (timing(second, Duration::from_micros(1_500)), "--ping-timeout is not a whole number"),
            (
                timing(Duration::from_secs(2_000_000), Duration::from_secs(2_000_000)),
                "--ping-interval + --ping-timeout is above",
            ),
        ] {
            let sentence = heartbeat(wrong).unwrap_err();
            assert!(sentence.starts_with(named), "{sentence}");
        }
    }

    #[test]
    fn what_is_not_given_is_as_it_would_be_otherwise() {
        let otherwise = Heartbeat::from_millis(1_000, 2_000).unwrap();
        let timing = Timing { ping_timeout: Some(Duration::from_secs(5)), ..Timing::default() };
        assert_eq!(timing.heartbeat(otherwise), Ok(Heartbeat::from_millis(1_000, 5_000).unwrap()));
        assert_eq!(timing.liveness(Liveness::AnyPacket), Liveness::AnyPacket);
    }

    #[test]
    fn rules_have_the_same_name_everywhere() {
        for rule in Rule::value_variants() {
            let timing = Timing { liveness: Some(*rule), ..Timing::default() };
            let liveness = timing.liveness(Liveness::default());
            let name = rule.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(liveness.as_str()));
        }
    }
}
