//! Metrics of a node, through the [`metrics`](https://docs.rs/metrics) facade. The application chooses the exporter. Without
//! the feature `metrics`, a node records nothing.
//!
//! | name | kind | |
//! |---|---|---|
//! | `eio_cluster_bus_up` | gauge | 1 while the bus is connected |
//! | `eio_cluster_nodes` | gauge | the nodes that are there, this one among them |
//! | `eio_cluster_published_total` | counter | messages that were handed to the bus, beacons among them |
//! | `eio_cluster_lost_total` | counter | messages that were not, or that the bus has lost, as far as it knows |
//! | `eio_cluster_received_total` | counter | messages that the bus has brought |
//! | `eio_cluster_unreadable_total` | counter | messages that could not be read |
//! | `eio_cluster_forwarded_total` | counter | requests that another node has answered, those for WebSockets among them |
//! | `eio_cluster_forwarded_websockets` | gauge | WebSockets that are forwarded to other nodes now |
//! | `eio_cluster_forward_failed_total` | counter | requests that could not be forwarded, but for those that their clients have not sent to the end |
//! | `eio_cluster_forward_taken_total` | counter | requests that other nodes have forwarded to this one |
//! | `eio_cluster_forward_refused_total` | counter | requests that claimed to come from a node, and did not show it |
//!
//! `describe` tells the recorder what each of them is. What a server records is in [its own](eio_tokio::metrics).

/// One metric.
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "nothing is recorded without the feature"))]
pub(crate) struct Metric {
    name: &'static str,
    about: &'static str,
}

pub(crate) const BUS_UP: Metric =
    Metric { name: "eio_cluster_bus_up", about: "1 while the bus is connected, 0 otherwise." };
pub(crate) const NODES: Metric =
    Metric { name: "eio_cluster_nodes", about: "Nodes that are there, this one among them." };
pub(crate) const PUBLISHED: Metric =
    Metric { name: "eio_cluster_published_total", about: "Messages that were handed to the bus." };
pub(crate) const LOST: Metric = Metric {
    name: "eio_cluster_lost_total",
    about: "Messages that were not handed to the bus, or that it has lost.",
};
pub(crate) const RECEIVED: Metric =
    Metric { name: "eio_cluster_received_total", about: "Messages that the bus has brought." };
pub(crate) const UNREADABLE: Metric =
    Metric { name: "eio_cluster_unreadable_total", about: "Messages that could not be read." };

/// The metrics of forwarding.
#[cfg(feature = "forward")]
pub(crate) mod forwarding {
    use super::Metric;

    pub(crate) const FORWARDED: Metric =
        Metric { name: "eio_cluster_forwarded_total", about: "Requests that another node has answered." };
    pub(crate) const WEBSOCKETS: Metric = Metric {
        name: "eio_cluster_forwarded_websockets",
        about: "WebSockets that are forwarded to other nodes now.",
    };
    pub(crate) const FAILED: Metric =
        Metric { name: "eio_cluster_forward_failed_total", about: "Requests that could not be forwarded." };
    pub(crate) const TAKEN: Metric = Metric {
        name: "eio_cluster_forward_taken_total",
        about: "Requests that other nodes have forwarded to this one.",
    };
    pub(crate) const REFUSED: Metric = Metric {
        name: "eio_cluster_forward_refused_total",
        about: "Requests that claimed to come from a node, and did not show it.",
    };
}

impl Metric {
    /// Adds to a counter.
    pub(crate) fn add(&self, by: u64) {
        #[cfg(feature = "metrics")]
        ::metrics::counter!(self.name).increment(by);
        #[cfg(not(feature = "metrics"))]
        let _ = (self, by);
    }

    /// Sets a gauge.
    pub(crate) fn set(&self, to: u32) {
        #[cfg(feature = "metrics")]
        ::metrics::gauge!(self.name).set(to);
        #[cfg(not(feature = "metrics"))]
        let _ = (self, to);
    }
}

/// Tells the recorder what each metric is. Call it once, after the recorder is installed.
#[cfg(feature = "metrics")]
pub fn describe() {
    for gauge in [BUS_UP, NODES] {
        ::metrics::describe_gauge!(gauge.name, ::metrics::Unit::Count, gauge.about);
    }
    for counter in [PUBLISHED, LOST, RECEIVED, UNREADABLE] {
        ::metrics::describe_counter!(counter.name, ::metrics::Unit::Count, counter.about);
    }
    #[cfg(feature = "forward")]
    {
        use forwarding::{FAILED, FORWARDED, REFUSED, TAKEN, WEBSOCKETS};
        ::metrics::describe_gauge!(WEBSOCKETS.name, ::metrics::Unit::Count, WEBSOCKETS.about);
        for counter in [FORWARDED, FAILED, TAKEN, REFUSED] {
            ::metrics::describe_counter!(counter.name, ::metrics::Unit::Count, counter.about);
        }
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::collections::BTreeSet;

    use eio_tokio::Server;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use crate::bus::{Memory, NotPublished};
    use crate::{Cluster, To};

    #[tokio::test(start_paused = true)]
    async fn what_is_recorded_is_described_and_what_is_described_is_documented() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let _recording = metrics::set_default_local_recorder(&recorder);
        super::describe();
        let bus = Memory::new();
        let node = |name| {
            let server = Server::builder(|_socket| async {}).node(name).build().unwrap();
            Cluster::builder(&server, bus.end(name)).join().unwrap()
        };
        let a = node("a");
        let alone = handle.render();
        assert!(alone.lines().any(|line| line == "eio_cluster_nodes 1"), "{alone}");
        let b = node("b");
        b.connected().await;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let channel = a.channel("test", |_: crate::Incoming<'_>| {}).unwrap();
        a.node.count_unreadable(0);
        bus.cut("a");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        assert_eq!(channel.publish(To::All, b""), Err(NotPublished::Down));
        let shown = handle.render();
        for line in [
            "eio_cluster_bus_up 0",
            "eio_cluster_nodes 2",
            "eio_cluster_lost_total 1",
            "eio_cluster_unreadable_total 1",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
        }
        let documented = include_str!("metrics.rs");
        for line in shown.lines().filter(|line| line.starts_with("# TYPE")) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(shown.contains(&format!("# HELP {name} ")), "{name} is not described");
            assert!(documented.contains(&format!("//! | `{name}` |")), "{name} is not documented");
        }
        assert_eq!(shown.lines().filter(|line| line.starts_with("# TYPE")).count(), 6, "{shown}");
        a.leave().await;
        let alone = handle.render();
        assert!(alone.lines().any(|line| line == "eio_cluster_nodes 1"), "{alone}");
    }

    #[test]
    fn the_dashboard_shows_every_metric_and_no_other() {
        let names = |text: &str| -> BTreeSet<String> {
            let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            words.filter(|word| word.starts_with("eio_cluster_")).map(str::to_owned).collect()
        };
        let rows = include_str!("metrics.rs").lines().filter(|line| line.starts_with("//! | `"));
        let documented = rows.flat_map(names).collect::<BTreeSet<_>>();
        let dashboard = std::fs::read_to_string("../docs/grafana.json").unwrap();
        assert_eq!(names(&dashboard), documented);
        // A counter is shown as a rate, a gauge as it is.
        for query in dashboard.lines().filter(|line| line.contains("\"expr\"")) {
            for name in names(query) {
                assert_eq!(name.ends_with("_total"), query.contains("rate("), "{query}");
            }
        }
    }
}
