//! The rows of the benchmark, in the order in which they run and are printed.
//!
//! A goal is one of ours. It is compared within a round, because a machine is not equally fast all the time.

use crate::bench::row::{Base, Bus, Goal, Metric, Row, With};
use crate::bench::server::{Protocol, Server};

const BARE: Base = Base::Server(Server::Bare);
const ENGINEIOXIDE: Base = Base::Server(Server::Engineioxide);
/// What a row of Socket.IO finds under the same name.
const SOCKETIOXIDE: Base = ENGINEIOXIDE;

/// Seconds of a rate, in a full run. The warm-up comes on top.
const RATE: Option<f64> = Some(0.3);

const NO_POLLING: &[(Server, &str)] = &[(Server::Bare, "the bare loop speaks WebSocket only")];
const NO_SOCKETIO: &[(Server, &str)] = &[(Server::Bare, "the bare loop knows no Socket.IO")];
const ONLY_OURS: &[(Server, &str)] = &[
    (Server::Bare, "the row is about our server alone"),
    (Server::Engineioxide, "the row is about our server alone"),
    (Server::Bun, "the row is about our server alone"),
    (Server::Node, "the row is about our server alone"),
];
const ONLY_OUR_CLIENT: &[(Server, &str)] = &[
    (Server::Bare, "the row is about our client"),
    (Server::Engineioxide, "engineioxide has no client"),
    (Server::Bun, "the row is about our client"),
    (Server::Node, "the row is about our client"),
];
const OURS_AND_BARE: &[(Server, &str)] = &[
    (Server::Engineioxide, "it is measured with 5,000 connections only"),
    (Server::Bun, "it is measured with 5,000 connections only"),
    (Server::Node, "it is measured with 5,000 connections only"),
];

const ONE_NODE_ONLY: &[(Server, &str)] = &[
    (Server::Bare, "the bare loop knows no Socket.IO"),
    (Server::Engineioxide, "it is measured on one node only"),
    (Server::Bun, "it is measured on one node only"),
];

/// A row of which all the measured program's time is wanted.
const RATED: Row = Row { seconds: RATE, busy: Some("server_busy"), ..Row::PLAIN };

/// A row of WebSockets that echo messages.
const ECHO: Row = Row { metrics: &[messages(Goal::Shown)], ..RATED };

/// A row of idle WebSockets with frequent heartbeats.
const HEARTBEATS: Row =
    Row { seconds: Some(1.0), heartbeat: Some((500, 20_000)), warms_up: false, ..Row::PLAIN };

/// A row of sockets that have joined the namespace `/` of a Socket.IO server.
const SOCKETS: Row = Row { protocol: Protocol::SocketIo, absent: NO_SOCKETIO, ..Row::PLAIN };

/// A row of Socket.IO events that come back.
const EVENTS: Row = Row {
    protocol: Protocol::SocketIo,
    absent: NO_SOCKETIO,
    metrics: &[Metric::rate("events a second", "ev/s", Goal::Times(1.0, SOCKETIOXIDE))],
    ..RATED
};

/// A row of a room whose members are on three nodes, which share one core. The bus has the core of the load.
const BROADCASTS: Row = Row {
    protocol: Protocol::SocketIo,
    load: "nodes-broadcast --socketio --connections 300 --in-flight 12",
    metrics: &[Metric::rate("deliveries a second", "/s", Goal::Shown)],
    ..RATED
};

/// A row of one message at a time to two sockets, one of which is on the node that sends it.
const TO_ANOTHER_NODE: Row = Row {
    protocol: Protocol::SocketIo,
    load: "nodes-latency --socketio",
    metrics: &[
        Metric::cost("other_p50_us", "median, to a socket of another node", "µs", Goal::Shown)
            .beside("same_p50_us", "µs to one of the same node"),
        Metric::cost("other_p99_us", "99 %, to a socket of another node", "µs", Goal::Shown)
            .beside("same_p99_us", "µs to one of the same node"),
    ],
    seconds: RATE,
    ..Row::PLAIN
};

/// A row of one message at a time that is echoed by another node than the one that it reaches.
const FORWARDED: Row = Row {
    with: With::Nodes(Bus::Redis),
    metrics: &[
        Metric::cost("forwarded_p50_us", "median", "µs", Goal::Shown).beside("direct_p50_us", "µs directly"),
        Metric::cost("forwarded_p99_us", "99 %", "µs", Goal::Shown).beside("direct_p99_us", "µs directly"),
        Metric::cost("forwarded_cpu_us", "CPU of both nodes", "µs", Goal::Shown)
            .beside("direct_cpu_us", "µs directly"),
    ],
    seconds: RATE,
    absent: ONLY_OURS,
    ..Row::PLAIN
};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "memory-1000",
        about: "1,000 idle WebSockets",
        load: "memory --connections 1000",
        metrics: &[held(Goal::Shown), opened(Goal::Shown)],
        absent: OURS_AND_BARE,
        ..Row::PLAIN
    },
    Row {
        name: "memory-5000",
        about: "5,000 idle WebSockets",
        load: "memory --connections 5000",
        metrics: &[held(Goal::Absolute(1_800.0)), opened(Goal::Shown)],
        ..Row::PLAIN
    },
    Row {
        name: "memory-15000",
        about: "15,000 idle WebSockets",
        load: "memory --connections 15000",
        metrics: &[
            held(Goal::Times(1.1, Base::Row("memory-1000"))),
            opened(Goal::Times(1.1, Base::Row("memory-1000"))),
        ],
        absent: OURS_AND_BARE,
        in_quick: false,
        is_slow: true,
        ..Row::PLAIN
    },
    Row {
        name: "echo-20x1",
        about: "echo of 20 B, 100 connections, 1 in flight",
        load: "echo --connections 100 --size 20 --in-flight 1",
        metrics: &[messages(Goal::Times(0.98, BARE))],
        ..ECHO
    },
    Row {
        name: "echo-20x16",
        about: "echo of 20 B, 100 connections, 16 in flight",
        load: "echo --connections 100 --size 20 --in-flight 16",
        metrics: &[messages(Goal::Times(0.85, BARE))],
        ..ECHO
    },
    Row {
        name: "echo-1k",
        about: "echo of 1 KiB, 100 connections, 4 in flight",
        load: "echo --connections 100 --size 1024 --in-flight 4",
        metrics: &[messages(Goal::Times(1.1, BARE))],
        ..ECHO
    },
    Row {
        name: "echo-64k",
        about: "echo of 64 KiB, 20 connections, 1 in flight",
        load: "echo --connections 20 --size 65536 --in-flight 1",
        metrics: &[messages(Goal::Times(1.2, ENGINEIOXIDE))],
        ..ECHO
    },
    Row {
        name: "binary-20x1",
        about: "binary echo of 20 B, 100 connections, 1 in flight",
        load: "echo --binary --connections 100 --size 20 --in-flight 1",
        in_quick: false,
        ..ECHO
    },
    Row {
        name: "binary-20x16",
        about: "binary echo of 20 B, 100 connections, 16 in flight",
        load: "echo --binary --connections 100 --size 20 --in-flight 16",
        ..ECHO
    },
    Row {
        name: "binary-1k",
        about: "binary echo of 1 KiB, 100 connections, 4 in flight",
        load: "echo --binary --connections 100 --size 1024 --in-flight 4",
        in_quick: false,
        ..ECHO
    },
    Row {
        name: "binary-64k",
        about: "binary echo of 64 KiB, 20 connections, 1 in flight",
        load: "echo --binary --connections 20 --size 65536 --in-flight 1",
        ..ECHO
    },
    Row {
        name: "tls",
        about: "echo of 20 B over TLS, 100 connections, 1 in flight",
        load: "echo --tls --connections 100 --size 20 --in-flight 1",
        server: "--tls",
        ..ECHO
    },
    Row {
        name: "latency",
        about: "echo of 20 B, 100 connections, at half of the rate of echo-20x1",
        load: "latency --connections 100 --size 20",
        seconds: Some(1.0),
        half_of: Some("echo-20x1"),
        metrics: &[
            Metric::cost("p50_us", "median of the latency", "µs", Goal::Shown),
            Metric::cost("p99_us", "99 % of the latency", "µs", Goal::Shown),
            Metric::cost("p999_us", "99.9 % of the latency", "µs", Goal::Shown),
        ],
        is_slow: true,
        ..Row::PLAIN
    },
    Row {
        name: "churn",
        about: "WebSockets opened and closed, 32 at a time",
        load: "churn --connections 32",
        metrics: &[Metric::cost("server_cpu_us", "CPU each", "µs", Goal::Times(1.15, BARE))
            .beside("per_second", "/s")],
        ..RATED
    },
    Row {
        name: "heartbeats-1000",
        about: "heartbeats of 1,000 WebSockets",
        load: "heartbeats --connections 1000",
        metrics: &[heartbeat(Goal::Shown)],
        absent: OURS_AND_BARE,
        in_quick: false,
        ..HEARTBEATS
    },
    Row {
        name: "heartbeats-5000",
        about: "heartbeats of 5,000 WebSockets",
        load: "heartbeats --connections 5000",
        metrics: &[heartbeat(Goal::Times(1.05, BARE))],
        is_slow: true,
        ..HEARTBEATS
    },
    Row {
        name: "heartbeats-15000",
        about: "heartbeats of 15,000 WebSockets",
        load: "heartbeats --connections 15000",
        metrics: &[heartbeat(Goal::Times(1.1, Base::Row("heartbeats-1000")))],
        absent: OURS_AND_BARE,
        in_quick: false,
        is_slow: true,
        ..HEARTBEATS
    },
    Row {
        name: "polling-memory",
        about: "5,000 polling sessions, each with a poll that waits",
        load: "memory --polling --connections 5000",
        metrics: &[held(Goal::Shown)],
        absent: NO_POLLING,
        is_slow: true,
        ..Row::PLAIN
    },
    Row {
        name: "polling-handshakes",
        about: "polling handshakes, 32 connections",
        load: "polling-handshakes --connections 32",
        metrics: &[Metric::rate("each second", "/s", Goal::Times(2.2, ENGINEIOXIDE)), held(Goal::Shown)],
        absent: NO_POLLING,
        ..RATED
    },
    Row {
        name: "polling-roundtrips",
        about: "echo of 20 B over polling, 32 sessions: a POST and a poll",
        load: "polling-roundtrips --connections 32 --size 20",
        metrics: &[Metric::rate("round trips a second", "/s", Goal::Shown)],
        absent: NO_POLLING,
        ..RATED
    },
    Row {
        name: "polling-batches",
        about: "echo of 20 B over polling, 32 sessions, 16 messages in each POST",
        load: "polling-batches --connections 32 --batch 16 --size 20",
        metrics: &[messages(Goal::Shown)],
        absent: NO_POLLING,
        ..RATED
    },
    Row {
        name: "upgrades",
        about: "handshake, probe and upgrade to WebSocket, 32 at a time",
        load: "upgrades --connections 32",
        metrics: &[Metric::rate("each second", "/s", Goal::Shown)],
        absent: NO_POLLING,
        ..RATED
    },
    Row {
        name: "broadcast",
        about: "one message to 5,000 WebSockets",
        load: "broadcast --connections 5000",
        server: "--app broadcast",
        seconds: RATE,
        warms_up: false,
        metrics: &[
            Metric::cost("server_cpu_us", "CPU for each receiver", "µs", Goal::Shown),
            Metric::cost("until_all_us", "until all have it", "µs", Goal::Shown),
        ],
        is_slow: true,
        ..Row::PLAIN
    },
    Row {
        name: "silence",
        about: "10,000 sessions fall silent: lateness of the disconnects",
        load: "silent --connections 10000",
        heartbeat: Some((1_800, 1_200)),
        metrics: &[
            Metric::cost("late_ms", "median", "ms", Goal::Absolute(1.0)),
            Metric::cost("late_max_ms", "the latest", "ms", Goal::Absolute(6.0)),
            Metric::cost("late_min_ms", "the earliest", "ms", Goal::Shown),
        ],
        is_slow: true,
        in_quick: false,
        ..Row::PLAIN
    },
    Row {
        name: "vanish",
        about: "5,000 clients reset their connections at once",
        load: "vanish --connections 5000",
        metrics: &[
            Metric::cost("answers_after_ms", "until handshakes are answered at once", "ms", Goal::Shown)
                .beside("server_cpu_us", "µs CPU each"),
            Metric::cost("bytes_each_kept", "resident bytes kept of each", "B", Goal::Shown),
        ],
        is_slow: true,
        in_quick: false,
        ..Row::PLAIN
    },
    Row {
        name: "start",
        about: "start of the program, until it has answered a handshake",
        with: With::Start,
        load: "start --times 5",
        metrics: &[Metric::cost("ms", "", "ms", Goal::Shown)],
        is_slow: true,
        ..Row::PLAIN
    },
    Row {
        name: "workers-2",
        about: "echo of 20 B, 100 connections, 16 in flight, with two workers",
        load: "echo --connections 100 --size 20 --in-flight 16",
        server: "--workers 2",
        seconds: RATE,
        metrics: &[Metric::cost(
            "server_cpu_us",
            "CPU each, against one worker",
            "µs",
            Goal::Times(1.15, Base::Row("echo-20x16")),
        )],
        absent: ONLY_OURS,
        ..Row::PLAIN
    },
    Row {
        name: "workers-2-rate",
        about: "the same, as a rate",
        load: "echo --connections 100 --size 20 --in-flight 16",
        server: "--workers 2",
        seconds: RATE,
        metrics: &[messages(Goal::Shown)],
        absent: ONLY_OURS,
        cores: 4,
        ..Row::PLAIN
    },
    Row {
        name: "socketio-memory",
        about: "Socket.IO: 5,000 idle sockets",
        load: "memory --socketio --connections 5000",
        metrics: &[
            held(Goal::Times(1.0, SOCKETIOXIDE)),
            Metric::cost("open_cpu_us", "CPU to open one and to let it join", "µs", Goal::Shown),
        ],
        is_slow: true,
        ..SOCKETS
    },
    Row {
        name: "socketio-ack-20x1",
        about: "Socket.IO: acknowledged events of 20 B, 100 sockets, 1 in flight",
        load: "echo --socketio --ack --connections 100 --size 20 --in-flight 1",
        ..EVENTS
    },
    Row {
        name: "socketio-ack-20x16",
        about: "Socket.IO: acknowledged events of 20 B, 100 sockets, 16 in flight",
        load: "echo --socketio --ack --connections 100 --size 20 --in-flight 16",
        ..EVENTS
    },
    Row {
        name: "socketio-echo-20x1",
        about: "Socket.IO: echo of events of 20 B, 100 sockets, 1 in flight",
        load: "echo --socketio --connections 100 --size 20 --in-flight 1",
        in_quick: false,
        ..EVENTS
    },
    Row {
        name: "socketio-echo-20x16",
        about: "Socket.IO: echo of events of 20 B, 100 sockets, 16 in flight",
        load: "echo --socketio --connections 100 --size 20 --in-flight 16",
        in_quick: false,
        ..EVENTS
    },
    Row {
        name: "socketio-broadcast",
        about: "Socket.IO: one event to a room of 1,000 sockets",
        load: "broadcast --socketio --connections 1000",
        server: "--app broadcast",
        seconds: RATE,
        warms_up: false,
        metrics: &[
            Metric::rate("deliveries a second", "/s", Goal::Times(1.0, SOCKETIOXIDE)),
            Metric::cost("until_all_us", "until all have it", "µs", Goal::Shown),
        ],
        is_slow: true,
        ..SOCKETS
    },
    Row {
        name: "socketio-churn",
        about: "Socket.IO: sockets that connect, join, leave and close, 32 at a time",
        load: "churn --socketio --connections 32",
        metrics: &[Metric::cost("server_cpu_us", "CPU each", "µs", Goal::Times(1.0, SOCKETIOXIDE))
            .beside("per_second", "/s")],
        seconds: RATE,
        busy: Some("server_busy"),
        ..SOCKETS
    },
    Row {
        name: "nodes-broadcast",
        about: "three nodes over Redis: events to a room of 300 sockets, 100 on each node, 12 in flight",
        with: With::Nodes(Bus::Redis),
        absent: ONE_NODE_ONLY,
        is_slow: true,
        ..BROADCASTS
    },
    Row {
        name: "nodes-broadcast-nats",
        about: "three nodes over NATS: events to the same room",
        with: With::Nodes(Bus::Nats),
        absent: ONLY_OURS,
        in_quick: false,
        ..BROADCASTS
    },
    Row {
        name: "nodes-latency",
        about: "an event to a room over Redis",
        with: With::Nodes(Bus::Redis),
        absent: ONE_NODE_ONLY,
        is_slow: true,
        ..TO_ANOTHER_NODE
    },
    Row {
        name: "nodes-latency-nats",
        about: "an event to a room over NATS",
        with: With::Nodes(Bus::Nats),
        absent: ONLY_OURS,
        in_quick: false,
        ..TO_ANOTHER_NODE
    },
    Row {
        name: "forwarded",
        about: "echo of 20 B on a WebSocket that another node forwards",
        load: "forwarded",
        ..FORWARDED
    },
    Row {
        name: "forwarded-polling",
        about: "echo of 20 B over polling that another node forwards: a POST and a poll",
        load: "forwarded --polling",
        ..FORWARDED
    },
    Row {
        name: "client",
        about: "our client: echo of 20 B, 100 connections, 16 in flight",
        with: With::Client,
        load: "echo --connections 100 --size 20 --in-flight 16",
        seconds: RATE,
        busy: Some("client_busy"),
        metrics: &[
            Metric::rate("messages a second", "msg/s", Goal::Shown).beside("client_cpu_us", "µs CPU each")
        ],
        absent: ONLY_OUR_CLIENT,
        ..Row::PLAIN
    },
    Row {
        name: "client-memory",
        about: "our client: 5,000 idle sessions in one process",
        with: With::Client,
        load: "memory --connections 5000",
        metrics: &[held(Goal::Shown), opened(Goal::Shown)],
        absent: ONLY_OUR_CLIENT,
        ..Row::PLAIN
    },
];

const fn messages(goal: Goal) -> Metric {
    Metric::rate("messages a second", "msg/s", goal)
}

const fn heartbeat(goal: Goal) -> Metric {
    Metric::cost("server_cpu_us", "CPU of a heartbeat", "µs", goal)
}

const fn held(goal: Goal) -> Metric {
    Metric::cost("bytes_each", "resident bytes each", "B", goal)
}

const fn opened(goal: Goal) -> Metric {
    Metric::cost("open_cpu_us", "CPU to open one", "µs", goal)
}

/// The row with this name.
pub(crate) fn named(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_its_own_name_and_says_what_it_measures() {
        let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in ROWS {
            assert!(!row.about.is_empty() && !row.load.is_empty() && !row.metrics.is_empty(), "{}", row.name);
            assert!(row.absence(Server::Ours).is_none(), "{}: ours takes part in every row", row.name);
        }
    }

    #[test]
    fn rows_of_socketio_ask_socketio_servers_for_it() {
        for row in ROWS {
            let asks = row.load.split_whitespace().any(|word| word == "--socketio");
            assert_eq!(asks, row.protocol == Protocol::SocketIo, "{}", row.name);
        }
    }

    #[test]
    fn what_a_row_needs_runs_before_it() {
        for (place, row) in ROWS.iter().enumerate() {
            for needed in row.prerequisites() {
                assert!(ROWS[..place].iter().any(|earlier| earlier.name == needed), "{}: {needed}", row.name);
            }
        }
    }

    #[test]
    fn what_a_goal_compares_with_is_measured() {
        for row in ROWS {
            for server in Server::ALL.into_iter().filter(|server| row.is_goal_against(*server)) {
                assert!(row.absence(server).is_none(), "{}: {}", row.name, row.title_of(server));
            }
            for metric in row.metrics {
                let Goal::Times(_, Base::Row(base)) = metric.goal else { continue };
                let base = named(base).unwrap();
                let yields = |key: &str| {
                    base.metrics.iter().any(|metric| {
                        metric.key == key || metric.beside.is_some_and(|(beside, _)| beside == key)
                    })
                };
                assert!(yields(metric.key), "{}: {} of {}", row.name, metric.key, base.name);
            }
        }
    }
}
