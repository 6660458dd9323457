//! What a row of the benchmark is: one measure, what it yields, and what is to be reached.

use crate::bench::server::{Protocol, Server};

/// One measure that every server takes, each in a process of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its name on the command line and in the JSON file.
    pub(crate) name: &'static str,
    /// What is measured, for people.
    pub(crate) about: &'static str,
    /// What the clients speak.
    pub(crate) protocol: Protocol,
    /// What is started beside the server.
    pub(crate) with: With,
    /// The measure and its options, as the load generator knows them.
    pub(crate) load: &'static str,
    /// Options of the server beyond those that every row gives it.
    pub(crate) server: &'static str,
    /// Ping interval and ping timeout in milliseconds. Without them the server keeps its usual 25 s and 20 s.
    pub(crate) heartbeat: Option<(u32, u32)>,
    /// How long the measure lasts, in seconds, in a full run. Without it the measure ends by itself.
    pub(crate) seconds: Option<f64>,
    /// Whether the server works for a while before such a measure begins.
    pub(crate) warms_up: bool,
    /// What is read from the numbers that it yields.
    pub(crate) metrics: &'static [Metric],
    /// The number that says which part of its core the measured program used, where it is to use all of it.
    pub(crate) busy: Option<&'static str>,
    /// The row whose rate, halved, this row's load has.
    pub(crate) half_of: Option<&'static str>,
    /// Servers that cannot take part, each with the reason.
    pub(crate) absent: &'static [(Server, &'static str)],
    /// Whether the row is slow: then servers that none of its goals speaks of take part in every third round only.
    pub(crate) is_slow: bool,
    /// Whether `--quick` has time for it.
    pub(crate) in_quick: bool,
    /// The number of cores without which it means nothing.
    pub(crate) cores: usize,
}

/// What is started beside the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    /// The load generator.
    Load,
    /// The load generator, which starts the server itself.
    Start,
    /// Our client. It is what is measured; the server is the bare loop.
    Client,
    /// The load generator, and three nodes in place of one server, which talk over a bus.
    Nodes(Bus),
}

/// What nodes talk over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bus {
    Redis,
    Nats,
}

impl Bus {
    /// With what its URLs begin.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Nats => "nats",
        }
    }

    /// Its server.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }
}

/// One number of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// Its name in what the load generator prints.
    pub(crate) key: &'static str,
    /// What it counts, for people.
    pub(crate) about: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) goal: Goal,
    /// Another number to print beside it, with its unit.
    pub(crate) beside: Option<(&'static str, &'static str)>,
}

/// Which of two numbers is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// What our median is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// The number is only shown.
    Shown,
    /// The number itself.
    Absolute(f64),
    /// The number, divided by another one of the same round.
    Times(f64, Base),
}

/// What a number is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Base {
    /// The same number of another server.
    Server(Server),
    /// The same number of the same server in another row.
    Row(&'static str),
}

impl Row {
    /// A row that only names itself. The table fills in what differs.
    pub(crate) const PLAIN: Self = Self {
        name: "",
        about: "",
        protocol: Protocol::EngineIo,
        with: With::Load,
        load: "",
        server: "",
        heartbeat: None,
        seconds: None,
        warms_up: true,
        metrics: &[],
        busy: None,
        half_of: None,
        absent: &[],
        is_slow: false,
        in_quick: true,
        cores: 2,
    };

    /// Why this server cannot take part, if it cannot.
    pub(crate) fn absence(&self, server: Server) -> Option<&'static str> {
        self.absent.iter().find(|(absent, _)| *absent == server).map(|(_, reason)| *reason)
    }

    /// A server's name for people.
    pub(crate) fn title_of(&self, server: Server) -> &'static str {
        server.title(self.protocol)
    }

    /// How a goal is written: `≥ 0.85 × bare loop`.
    pub(crate) fn goal_in_words(&self, metric: &Metric) -> String {
        let sign = if metric.better == Better::More { '≥' } else { '≤' };
        match metric.goal {
            Goal::Shown => "–".to_owned(),
            Goal::Absolute(limit) => format!("{sign} {} {}", super::number::spoken(limit), metric.unit),
            Goal::Times(times, Base::Server(server)) => {
                format!("{sign} {times} × {}", self.title_of(server))
            }
            Goal::Times(times, Base::Row(row)) => format!("{sign} {times} × {row}"),
        }
    }

    /// The rows whose numbers this row needs in the same round.
    pub(crate) fn prerequisites(&self) -> impl Iterator<Item = &'static str> {
        let bases = self.metrics.iter().filter_map(|metric| match metric.goal {
            Goal::Times(_, Base::Row(row)) => Some(row),
            _ => None,
        });
        self.half_of.into_iter().chain(bases)
    }

    /// Whether a goal compares with this server.
    pub(crate) fn is_goal_against(&self, server: Server) -> bool {
        self.metrics
            .iter()
            .any(|metric| matches!(metric.goal, Goal::Times(_, Base::Server(base)) if base == server))
    }
}

impl Metric {
    /// Messages or other operations a second, and the processor time that each takes.
    pub(crate) const fn rate(about: &'static str, unit: &'static str, goal: Goal) -> Self {
        let beside = Some(("server_cpu_us", "µs CPU each"));
        Self { key: "per_second", about, unit, better: Better::More, goal, beside }
    }

    /// A number of which less is better.
    pub(crate) const fn cost(key: &'static str, about: &'static str, unit: &'static str, goal: Goal) -> Self {
        Self { key, about, unit, better: Better::Less, goal, beside: None }
    }

    /// The same with another number printed beside it.
    pub(crate) const fn beside(self, key: &'static str, unit: &'static str) -> Self {
        Self { beside: Some((key, unit)), ..self }
    }
}
