//! Server metrics, through the [`metrics`](https://docs.rs/metrics) facade. The application chooses the exporter.
//! Without the feature `metrics`, a server records nothing.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `eio_sessions_open` | gauge | |
//! | `eio_sessions_opened_total` | counter | `transport` |
//! | `eio_sessions_ended_total` | counter | `reason`, in the reference's words; `transport` at the end |
//! | `eio_silence_seconds` | histogram: from a client's last sign of life to the end | `reason` |
//! | `eio_pings_sent_total` | counter | |
//! | `eio_heartbeats_received_total` | counter | |
//! | `eio_rtt_seconds` | histogram: from a ping to its pong | |
//! | `eio_messages_received_total` | counter | |
//! | `eio_messages_sent_total` | counter | |
//! | `eio_bytes_received_total` | counter, payloads of messages | |
//! | `eio_bytes_sent_total` | counter, payloads of messages | |
//! | `eio_upgrades_total` | counter | `outcome`: upgraded, or why it failed |
//! | `eio_refusals_total` | counter | `code`: the protocol's error code; `transport`: the requested one |
//! | `eio_unknown_sessions_total` | counter, requests that were refused with code 1 | `cause`: ended, of another node, or no trace |
//! | `eio_panics_total` | counter | `callback`: the code that panicked, such as application, observer or <code>allow_request</code> |
//! | `eio_accept_failures_total` | counter, checks that found that no connection can be accepted: ten a second while it lasts | `why`: error, or <code>max_connections</code> |
//! | `eio_connections_refused_total` | counter, connections that were closed unanswered: above the limit of their address, or in <code>serve_connection</code> above <code>max_connections</code> | |
//!
//! `describe` tells the recorder what each of them is, and `BUCKETS` are buckets for the histograms. [The
//! guide](crate::guide) leads to an exporter for Prometheus and a dashboard in Grafana.

#[cfg(feature = "metrics")]
mod table;

use core::time::Duration;

use eio_core::handshake::Transport;
use eio_core::upgrade::UpgradeOutcome;

use crate::session::end::Disconnect;

#[cfg(feature = "metrics")]
use ::metrics::Label;

#[cfg(feature = "metrics")]
pub use self::table::{BUCKETS, RTT_BUCKETS, SILENCE_BUCKETS, describe};

/// A label whose value is one of the words that this crate knows.
#[cfg(feature = "metrics")]
fn label(name: &'static str, value: &'static str) -> Label {
    Label::from_static_parts(name, value)
}

/// Does nothing without the feature. Its arguments count as used.
#[cfg(not(feature = "metrics"))]
macro_rules! nothing {
    ($($argument:expr),*) => {{ $( let _ = $argument; )* }};
}

pub(crate) fn session_opened(transport: Transport) {
    #[cfg(feature = "metrics")]
    {
        table::SESSIONS_OPEN.gauge().increment(1.0);
        table::SESSIONS_OPENED.counter_of([label("transport", transport.as_str())]).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(transport);
}

pub(crate) fn session_ended(end: &Disconnect) {
    #[cfg(feature = "metrics")]
    {
        table::SESSIONS_OPEN.gauge().decrement(1.0);
        let reason = label("reason", end.reason.as_str());
        let transport = label("transport", end.transport.as_str());
        table::SILENCE.histogram_of([reason.clone()]).record(end.silent_for.as_secs_f64());
        table::SESSIONS_ENDED.counter_of([reason, transport]).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(end);
}

pub(crate) fn ping_sent() {
    #[cfg(feature = "metrics")]
    table::PINGS_SENT.counter().increment(1);
}

pub(crate) fn heartbeat_received(rtt: Option<Duration>) {
    #[cfg(feature = "metrics")]
    {
        table::HEARTBEATS_RECEIVED.counter().increment(1);
        if let Some(rtt) = rtt {
            table::RTT.histogram().record(rtt.as_secs_f64());
        }
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(rtt);
}

pub(crate) fn message_received(bytes: usize) {
    #[cfg(feature = "metrics")]
    {
        table::MESSAGES_RECEIVED.counter().increment(1);
        table::BYTES_RECEIVED.counter().increment(bytes as u64);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(bytes);
}

pub(crate) fn messages_sent(messages: usize, bytes: usize) {
    #[cfg(feature = "metrics")]
    {
        table::MESSAGES_SENT.counter().increment(messages as u64);
        table::BYTES_SENT.counter().increment(bytes as u64);
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
        table::UPGRADES.counter_of([Label::new("outcome", outcome)]).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    nothing!(outcome);
}

pub(crate) fn panicked(callback: &'static str) {
    #[cfg(feature = "metrics")]
    table::PANICS.counter_of([label("callback", callback)]).increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(callback);
}

pub(crate) fn cannot_accept(why: &'static str) {
    #[cfg(feature = "metrics")]
    table::ACCEPT_FAILURES.counter_of([label("why", why)]).increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(why);
}

pub(crate) fn connection_refused() {
    #[cfg(feature = "metrics")]
    table::CONNECTIONS_REFUSED.counter().increment(1);
}

pub(crate) fn refused(code: u8, transport: Transport) {
    #[cfg(feature = "metrics")]
    table::REFUSALS
        .counter_of([Label::new("code", code.to_string()), label("transport", transport.as_str())])
        .increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(code, transport);
}

pub(crate) fn unknown_session(cause: &'static str) {
    #[cfg(feature = "metrics")]
    table::UNKNOWN_SESSIONS.counter_of([label("cause", cause)]).increment(1);
    #[cfg(not(feature = "metrics"))]
    nothing!(cause);
}
