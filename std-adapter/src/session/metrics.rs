//! Server metrics, through the [`metrics`](https://docs.rs/metrics) facade. The application chooses the exporter.
//! Without the feature `metrics`, a server records nothing.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `eio_sessions_open` | gauge | |
//! | `eio_sessions_opened_total` | counter | `transport` |
//! | `eio_sessions_ended_total` | counter | `reason`, in the reference's words; `transport` |
//! | `eio_pings_sent_total` | counter | |
//! | `eio_heartbeats_received_total` | counter | |
//! | `eio_rtt_seconds` | histogram | |
//! | `eio_messages_received_total`, `eio_messages_sent_total` | counter | |
//! | `eio_bytes_received_total`, `eio_bytes_sent_total` | counter, payloads of messages | |
//! | `eio_upgrades_total` | counter | `outcome`: `upgraded`, or the reason of the failure |
//! | `eio_refusals_total` | counter | `code`: the protocol's error code; `transport`: the requested one |
//! | `eio_panics_total` | counter | `callback`: the code that panicked, such as `application`, `observer` or `allow_request` |
//! | `eio_accept_failures_total` | counter, failed attempts to accept a connection | `why`: `error`, or `max_connections` |
//! | `eio_connections_refused_total` | counter, connections above the limit of their address | |

use core::time::Duration;

use eio_core::handshake::Transport;
use eio_core::upgrade::UpgradeOutcome;

use crate::session::end::Disconnect;

#[cfg(feature = "metrics")]
use ::metrics::{counter, gauge, histogram};

/// Does nothing without the feature. Its arguments count as used.
#[cfg(not(feature = "metrics"))]
macro_rules! nothing {
    ($($argument:expr),*) => {{ $( let _ = $argument; )* }};
}

pub(crate) fn session_opened(transport: Transport) {
    #[cfg(feature = "metrics")]
    {
        gauge!("eio_sessions_open").increment(1.0);
        counter!("eio_sessions_opened_total", "transport" => transport.as_str()).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(transport);
}

pub(crate) fn session_ended(end: &Disconnect) {
    #[cfg(feature = "metrics")]
    {
        gauge!("eio_sessions_open").decrement(1.0);
        let (reason, transport) = (end.reason.as_str(), end.transport.as_str());
        counter!("eio_sessions_ended_total", "reason" => reason, "transport" => transport).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(end);
}

pub(crate) fn ping_sent() {
    #[cfg(feature = "metrics")]
    counter!("eio_pings_sent_total").increment(1);
}

pub(crate) fn heartbeat_received(rtt: Option<Duration>) {
    #[cfg(feature = "metrics")]
    {
        counter!("eio_heartbeats_received_total").increment(1);
        if let Some(rtt) = rtt {
            histogram!("eio_rtt_seconds").record(rtt.as_secs_f64());
        }
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(rtt);
}

pub(crate) fn message_received(bytes: usize) {
    #[cfg(feature = "metrics")]
    {
        counter!("eio_messages_received_total").increment(1);
        counter!("eio_bytes_received_total").increment(bytes as u64);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(bytes);
}

pub(crate) fn messages_sent(messages: usize, bytes: usize) {
    #[cfg(feature = "metrics")]
    {
        counter!("eio_messages_sent_total").increment(messages as u64);
        counter!("eio_bytes_sent_total").increment(bytes as u64);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(messages, bytes);
}

pub(crate) fn upgrade_ended(outcome: UpgradeOutcome) {
    #[cfg(feature = "metrics")]
    {
        let outcome = match outcome {
            UpgradeOutcome::Upgraded => "upgraded".to_owned(),
            UpgradeOutcome::Failed(failure) => failure.to_string(),
        };
        counter!("eio_upgrades_total", "outcome" => outcome).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(outcome);
}

pub(crate) fn panicked(callback: &'static str) {
    #[cfg(feature = "metrics")]
    counter!("eio_panics_total", "callback" => callback).increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(callback);
}

pub(crate) fn cannot_accept(why: &'static str) {
    #[cfg(feature = "metrics")]
    counter!("eio_accept_failures_total", "why" => why).increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(why);
}

pub(crate) fn connection_refused() {
    #[cfg(feature = "metrics")]
    counter!("eio_connections_refused_total").increment(1);
}

pub(crate) fn refused(code: u8, transport: Transport) {
    #[cfg(feature = "metrics")]
    counter!("eio_refusals_total", "code" => code.to_string(), "transport" => transport.as_str())
        .increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(code, transport);
}
