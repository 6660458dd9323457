//! The table of all metrics. What is recorded and what is described both come from it.

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Unit, with_recorder};

/// The upper bounds of buckets for `eio_rtt_seconds`, in seconds: from a network in one building to the default ping
/// timeout, above which a session has ended.
pub const RTT_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// The upper bounds of buckets for `eio_silence_seconds`, in seconds.
///
/// With the default periods, silence ends a session after 45 s, or up to 65 s if a ping had to wait for the client, such as for
/// its next poll. A client that also sends messages is ended 20 to 45 s after its last one (see [`Liveness`](crate::Liveness)).
/// The bounds above these lie one second higher, so that an end on time counts below them. With other periods, choose bounds of
/// your own.
pub const SILENCE_BUCKETS: [f64; 12] = [0.1, 1.0, 5.0, 10.0, 15.0, 20.0, 26.0, 36.0, 46.0, 56.0, 66.0, 90.0];

/// Each histogram with its buckets. An exporter whose buckets you set by name needs only this list, also when a later
/// version brings another histogram.
pub const BUCKETS: &[(&str, &[f64])] =
    &[("eio_rtt_seconds", &RTT_BUCKETS), ("eio_silence_seconds", &SILENCE_BUCKETS)];

/// What a metric counts or measures with.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
pub(super) struct Metric {
    kind: Kind,
    key: Key,
    unit: Unit,
    about: &'static str,
}

/// Makes each metric, and the list of all: a metric that is not described cannot be recorded.
macro_rules! table {
    ($($name:ident: $kind:ident, $key:literal, $unit:ident, $about:literal;)+) => {
        $(
            pub(super) static $name: Metric = Metric {
                kind: Kind::$kind,
                key: Key::from_static_name($key),
                unit: Unit::$unit,
                about: $about,
            };
        )+

        static ALL: &[&Metric] = &[$(&$name),+];
    };
}

table! {
    SESSIONS_OPEN: Gauge, "eio_sessions_open", Count, "Sessions that are open now.";
    SESSIONS_OPENED: Counter, "eio_sessions_opened_total", Count, "Sessions that have opened, by transport.";
    SESSIONS_ENDED: Counter, "eio_sessions_ended_total", Count,
        "Sessions that have ended, by reason and by the transport that carried them at their end.";
    SILENCE: Histogram, "eio_silence_seconds", Seconds,
        "The time from the client's last sign of life to the end of its session, by reason.";
    PINGS_SENT: Counter, "eio_pings_sent_total", Count, "Pings that were passed to a transport.";
    HEARTBEATS_RECEIVED: Counter, "eio_heartbeats_received_total", Count,
        "Clients' pongs, and the pings of clients of revision 3.";
    RTT: Histogram, "eio_rtt_seconds", Seconds, "The time from a ping to its pong.";
    MESSAGES_RECEIVED: Counter, "eio_messages_received_total", Count, "Messages from clients.";
    MESSAGES_SENT: Counter, "eio_messages_sent_total", Count, "Messages that were passed to a transport.";
    BYTES_RECEIVED: Counter, "eio_bytes_received_total", Bytes, "Payloads of messages from clients.";
    BYTES_SENT: Counter, "eio_bytes_sent_total", Bytes, "Payloads of messages that were passed to a transport.";
    UPGRADES: Counter, "eio_upgrades_total", Count, "Upgrades from polling to WebSocket, by outcome.";
    REFUSALS: Counter, "eio_refusals_total", Count,
        "Requests that were refused, by the protocol's error code and by the requested transport.";
    UNKNOWN_SESSIONS: Counter, "eio_unknown_sessions_total", Count,
        "Requests for a session that this server does not have, by cause.";
    PANICS: Counter, "eio_panics_total", Count, "Panics that were caught, by the callback that panicked.";
    ACCEPT_FAILURES: Counter, "eio_accept_failures_total", Count,
        "Checks that found that no connection can be accepted, ten a second while it lasts, by cause.";
    CONNECTIONS_REFUSED: Counter, "eio_connections_refused_total", Count,
        "Connections that were closed unanswered, above the limit of their address or of all.";
}

static METADATA: Metadata<'static> = Metadata::new("eio_tokio", Level::INFO, None);

impl Metric {
    pub(super) fn counter(&self) -> Counter {
        with_recorder(|recorder| recorder.register_counter(&self.key, &METADATA))
    }

    pub(super) fn counter_of<const LEN: usize>(&self, labels: [Label; LEN]) -> Counter {
        let key = self.key_of(labels);
        with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    pub(super) fn gauge(&self) -> Gauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key, &METADATA))
    }

    pub(super) fn histogram(&self) -> Histogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key, &METADATA))
    }

    pub(super) fn histogram_of<const LEN: usize>(&self, labels: [Label; LEN]) -> Histogram {
        let key = self.key_of(labels);
        with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
    }

    fn key_of<const LEN: usize>(&self, labels: [Label; LEN]) -> Key {
        Key::from_parts(self.key.name_shared(), Vec::from(labels))
    }
}

/// Describes every metric to the recorder, with its unit. Exporters show the descriptions beside the values.
///
/// Call it once, after the recorder is installed. Without a recorder it does nothing.
///
/// ```
/// use eio_tokio::metrics;
/// use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
///
/// let mut exporter = PrometheusBuilder::new();
/// for (histogram, buckets) in metrics::BUCKETS {
///     exporter = exporter.set_buckets_for_metric(Matcher::Full((*histogram).to_owned()), buckets)?;
/// }
/// let exporter = exporter.install_recorder()?;
/// metrics::describe();
/// // In the handler of `/metrics`:
/// let body = exporter.render();
/// # let _ = body;
/// # Ok::<(), metrics_exporter_prometheus::BuildError>(())
/// ```
pub fn describe() {
    for Metric { kind, key, unit, about } in ALL {
        let (name, unit, about) = (key.name_shared(), Some(*unit), (*about).into());
        with_recorder(|recorder| match kind {
            Kind::Counter => recorder.describe_counter(name, unit, about),
            Kind::Gauge => recorder.describe_gauge(name, unit, about),
            Kind::Histogram => recorder.describe_histogram(name, unit, about),
        });
    }
}
