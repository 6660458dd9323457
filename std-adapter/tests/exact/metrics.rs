//! The metrics of a server: all of them are described, documented and in the dashboard, and Prometheus gets them.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use eio_tokio::{Listener, Server, Socket, metrics};
use tokio::io::DuplexStream;
use tower_service::Service as _;

use crate::support::{Harness, ms, settle};

#[path = "../../examples/metrics.rs"]
#[expect(dead_code, reason = "`main` installs the exporter for the whole program")]
mod example;

/// The kind of a metric, and its labels.
type Form = (&'static str, BTreeSet<String>);

/// Notes which metrics were described, and which were recorded.
#[derive(Clone, Default)]
struct Ledger {
    described: Arc<Mutex<BTreeMap<String, &'static str>>>,
    recorded: Arc<Mutex<BTreeMap<String, Form>>>,
}

impl Ledger {
    fn describe(&self, name: &KeyName, kind: &'static str, unit: Option<Unit>, about: &str) {
        let name = name.as_str().to_owned();
        assert!(about.ends_with('.') && unit.is_some(), "{name}");
        assert_eq!(name.contains("_seconds"), unit == Some(Unit::Seconds), "{name}");
        assert_eq!(name.contains("_bytes"), unit == Some(Unit::Bytes), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert!(self.described.lock().unwrap().insert(name, kind).is_none());
    }

    fn record(&self, key: &Key, kind: &'static str) {
        let labels = key.labels().map(|label| label.key().to_owned()).collect();
        let form = (kind, labels);
        let mut recorded = self.recorded.lock().unwrap();
        let known = recorded.entry(key.name().to_owned()).or_insert_with(|| form.clone());
        assert_eq!(*known, form, "{} has two forms", key.name());
    }
}

impl Recorder for Ledger {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, about: SharedString) {
        self.describe(&name, "counter", unit, &about);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, about: SharedString) {
        self.describe(&name, "gauge", unit, &about);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, about: SharedString) {
        self.describe(&name, "histogram", unit, &about);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.record(key, "counter");
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.record(key, "gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.record(key, "histogram");
        Histogram::noop()
    }
}

/// Fails once, and then accepts two connections from the same address. Holds their other ends.
#[derive(Default)]
struct Crowded {
    calls: usize,
    clients: Vec<DuplexStream>,
}

impl Listener for Crowded {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        self.calls += 1;
        match self.calls {
            1 => Err(io::Error::other("out of descriptors")),
            2 | 3 => {
                let (client, connection) = tokio::io::duplex(1024);
                self.clients.push(client);
                Ok((connection, Some(([203, 0, 113, 7], 1000).into())))
            }
            _ => core::future::pending().await,
        }
    }
}

/// Lets everything happen that a server counts.
async fn everything_happens() {
    let harness = Harness::unobserved(
        Server::builder(|mut socket: Socket| async move {
            while let Ok(message) = socket.recv().await {
                assert_ne!(message.as_text(), Some("panic"), "as the test wants it");
                let _ = socket.send(message).await;
            }
        })
        .max_connections_per_address(1),
    );
    // A session moves to a WebSocket, echoes there, answers a ping, and ends by its application's panic.
    let polling = harness.polling(4).await;
    let mut websocket = harness.probed(&polling).await;
    websocket.send("5").await;
    websocket.send("4hello").await;
    assert_eq!(websocket.text().await, "4hello");
    assert_eq!(websocket.text().await, "2");
    websocket.send("3").await;
    websocket.send("4panic").await;
    settle().await;
    // And what goes on beside sessions.
    assert_eq!(harness.connect().request("GET", "EIO=4&transport=pigeon", b"").await.0, 400);
    let lost = "EIO=4&transport=polling&sid=xxxxxxxxxxxxxxxxxxxx";
    assert_eq!(harness.connect().request("GET", lost, b"").await.0, 400);
    let serving = harness.server.serve(Crowded::default());
    assert!(tokio::time::timeout(ms(500), serving).await.is_err(), "it serves until it is shut down");
}

/// What was recorded of everything.
async fn recorded() -> BTreeMap<String, Form> {
    let ledger = Ledger::default();
    let _recorder = set_default_local_recorder(&ledger);
    everything_happens().await;
    ledger.recorded.lock().unwrap().clone()
}

/// The words of a text that may be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
}

#[tokio::test(start_paused = true)]
async fn every_metric_that_is_recorded_is_described_and_every_described_one_is_recorded() {
    let ledger = Ledger::default();
    let _recorder = set_default_local_recorder(&ledger);
    metrics::describe();
    everything_happens().await;
    let described = ledger.described.lock().unwrap();
    let recorded = ledger.recorded.lock().unwrap();
    let recorded: BTreeMap<_, _> = recorded.iter().map(|(name, (kind, _))| (name.clone(), *kind)).collect();
    assert_eq!(*described, recorded);
    // Each histogram has buckets, in their order.
    let histograms =
        described.iter().filter(|(_, kind)| **kind == "histogram").map(|(name, _)| name.as_str());
    assert!(histograms.eq(metrics::BUCKETS.iter().map(|(name, _)| *name)));
    assert!(metrics::BUCKETS.iter().all(|(_, buckets)| buckets.is_sorted_by(|a, b| a < b)));
}

#[tokio::test(start_paused = true)]
async fn the_documented_metrics_are_those_that_are_recorded_with_their_kinds_and_labels() {
    let documentation = include_str!("../../src/session/metrics.rs");
    let rows = documentation.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            let kind = words(cells[1].trim()).next().unwrap().to_owned();
            let labels = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
            (cells[0].trim().trim_end_matches('`').to_owned(), (kind, labels))
        })
        .collect();
    let recorded = recorded().await;
    let recorded: BTreeMap<_, _> =
        recorded.into_iter().map(|(name, (kind, labels))| (name, (kind.to_owned(), labels))).collect();
    assert_eq!(documented, recorded);
}

#[tokio::test(start_paused = true)]
async fn the_dashboard_asks_only_for_metrics_and_labels_that_exist_and_shows_every_metric() {
    let dashboard = std::fs::read_to_string("../docs/grafana.json").unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let recorded = recorded().await;
    let mut shown = BTreeSet::new();
    for target in targets {
        let query = target["expr"].as_str().unwrap();
        if query.contains("eio_cluster_") {
            // A test of eio-cluster compares these.
            continue;
        }
        let mut labels = BTreeSet::from(["instance"]);
        let metrics: Vec<_> = words(query).filter(|word| word.starts_with("eio_")).collect();
        assert!(!metrics.is_empty(), "{query}");
        for metric in metrics {
            let name = metric.strip_suffix("_bucket").unwrap_or(metric);
            let (kind, its_labels) = recorded.get(name).unwrap_or_else(|| panic!("{metric} of {query}"));
            assert_eq!(*kind == "histogram", name != metric, "{query}");
            assert_eq!(*kind == "gauge", !query.contains("rate("), "{query}");
            if *kind == "histogram" {
                labels.insert("le");
            }
            labels.extend(its_labels.iter().map(String::as_str));
            shown.insert(name.to_owned());
        }
        let grouped = query.split(" by (").skip(1).flat_map(|rest| words(rest.split(')').next().unwrap()));
        let selected = query.split('{').skip(1).flat_map(|rest| {
            rest.split('}').next().unwrap().split(',').map(|matcher| words(matcher).next().unwrap())
        });
        let legend = target["legendFormat"].as_str().unwrap_or_default();
        let named = legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap());
        for label in grouped.chain(selected).chain(named).filter(|label| !label.is_empty()) {
            assert!(labels.contains(label), "{label} of {query} {legend}");
        }
    }
    assert!(shown.iter().eq(recorded.keys()), "shown: {shown:?}");
}

#[tokio::test(start_paused = true)]
async fn the_example_for_prometheus_exports_what_happened() {
    let recorder = example::exporter().unwrap().build_recorder();
    let exporter = recorder.handle();
    let _recorder = set_default_local_recorder(&recorder);
    metrics::describe();
    let harness = Harness::unobserved(Server::builder(example::echo));
    let mut websocket = harness.websocket(4).await;
    websocket.send("4hello").await;
    assert_eq!(websocket.text().await, "4hello");
    assert_eq!(websocket.text().await, "2");
    tokio::time::sleep(ms(30)).await;
    websocket.send("3").await;
    settle().await;
    let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
    let answer = example::router(&harness.server, exporter).call(request).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let text = core::str::from_utf8(&body).unwrap();
    for line in [
        "# HELP eio_sessions_open Sessions that are open now.",
        "# TYPE eio_sessions_open gauge",
        "eio_sessions_open 1",
        "eio_sessions_opened_total{transport=\"websocket\"} 1",
        "eio_bytes_sent_total 5",
        "eio_rtt_seconds_bucket{le=\"0.025\"} 0",
        "eio_rtt_seconds_bucket{le=\"0.05\"} 1",
        "eio_rtt_seconds_count 1",
    ] {
        assert!(text.lines().any(|other| other == line), "no {line:?} in {text}");
    }
}
