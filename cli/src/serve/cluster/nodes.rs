//! Which nodes there are, and whether the bus is connected: for the page, and as events.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use eio_cluster::bus::{BusState, BusStatus};
use eio_cluster::{Cluster, ClusterStatus, NodeInfo, NodeState};
use serde_json::{Value, json};

use crate::log::Log;
use crate::serve::dashboard::Dashboard;
use crate::serve::event::Event;
use crate::style::{cut, escape};

/// The time between two looks at the cluster.
const TURN: Duration = Duration::from_millis(500);

/// A node that was heard so many seconds ago is not called silent: nodes speak every five seconds.
const NOT_SILENT_S: u64 = 5;

/// What has changed of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeChange {
    Joined,
    Draining,
    /// It has left, or was silent for too long.
    Gone,
    /// The name has more than one node.
    Twice,
}

impl NodeChange {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Draining => "draining",
            Self::Gone => "gone",
            Self::Twice => "name taken twice",
        }
    }
}

/// Shows the nodes and the bus on the page, and prints what changes, for as long as it runs.
pub(crate) async fn watch(cluster: Cluster, dashboard: Arc<Dashboard>, log: Log<Event>) {
    let mut seen = Seen::default();
    loop {
        let (nodes, status) = (cluster.nodes(), cluster.status());
        let (was_down, lost) = (seen.is_down, seen.lost);
        for (node, change) in seen.look(cluster.name(), &nodes, &status) {
            log.put(Event::Node { node, change });
        }
        if let Some(is_down) = seen.is_down.filter(|_| seen.is_down != was_down) {
            let bus = &status.bus;
            let cause = is_down.then(|| cut(bus.cause.as_deref().unwrap_or_default()));
            log.put(Event::Bus { cause, lost: bus.lost - lost });
            seen.lost = bus.lost;
        }
        dashboard.set_nodes(to_json(cluster.name(), &nodes, &status));
        tokio::time::sleep(TURN).await;
    }
}

/// What was seen at the last look.
#[derive(Default)]
struct Seen {
    /// The other nodes by their starts, and whether they were draining.
    nodes: BTreeMap<u64, (Arc<str>, bool)>,
    twice: Vec<Arc<str>>,
    /// Whether the bus is away, once that is known.
    is_down: Option<bool>,
    /// The messages that were lost until then.
    lost: u64,
}

impl Seen {
    /// Takes what there is now. Returns what has changed of other nodes.
    fn look(&mut self, own: &str, nodes: &[NodeInfo], status: &ClusterStatus) -> Vec<(Arc<str>, NodeChange)> {
        self.is_down = match status.bus.state {
            BusState::Up => Some(false),
            BusState::Connecting if status.bus.cause.is_none() => None,
            _ => Some(true),
        };
        let others = nodes.iter().filter(|node| &*node.name != own);
        let others: BTreeMap<_, _> = others
            .map(|node| (node.incarnation, (Arc::clone(&node.name), node.state == NodeState::Draining)))
            .collect();
        let before = core::mem::replace(&mut self.nodes, others);
        let gone = before.iter().filter(|(start, _)| !self.nodes.contains_key(start));
        let gone = gone.map(|(_, (name, _))| (Arc::clone(name), NodeChange::Gone));
        let come = self.nodes.iter().filter_map(|(start, (name, is_draining))| {
            let change = match before.get(start) {
                None => NodeChange::Joined,
                Some((_, false)) if *is_draining => NodeChange::Draining,
                Some(_) => return None,
            };
            Some((Arc::clone(name), change))
        });
        let twice = status.names_twice.iter().filter(|name| !self.twice.contains(name));
        let twice = twice.map(|name| (Arc::clone(name), NodeChange::Twice));
        let changes = gone.chain(come).chain(twice).collect();
        self.twice.clone_from(&status.names_twice);
        changes
    }
}

/// Returns what the page shows.
fn to_json(own: &str, nodes: &[NodeInfo], status: &ClusterStatus) -> Value {
    let nodes = nodes.iter().map(|node| {
        json!({
            "name": escape(&node.name),
            "own": &*node.name == own,
            "state": state(node.state),
            "sessions": node.sessions,
            "silent_s": Some(node.silent_for.as_secs()).filter(|silent| *silent > NOT_SILENT_S),
        })
    });
    let BusStatus { state, cause, lost, published, received, .. } = &status.bus;
    json!({
        "nodes": nodes.collect::<Vec<_>>(),
        "bus": {
            "up": *state == BusState::Up,
            "cause": cause.as_deref().map(escape),
            "lost": lost,
            "published": published,
            "received": received,
        },
        "twice": status.names_twice.iter().map(|name| escape(name)).collect::<Vec<_>>(),
    })
}

fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Up => "up",
        NodeState::Draining => "draining",
        _ => "unknown",
    }
}
