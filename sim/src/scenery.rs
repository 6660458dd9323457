//! What sessions share and do not change.

use crate::host::Host;
use crate::ids::{LinkId, PlanId};
use crate::link::Link;
use crate::oracle::Bounds;
use crate::plan::Plan;
use crate::side::Side;
use crate::time::{Micros, micros};

#[derive(Debug)]
pub(crate) struct Scenery {
    pub(crate) links: Vec<Link>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) plans: Vec<Prepared>,
    /// How much shorter than those of `detect` the bounds are that the oracle knows.
    pub(crate) shorter: Micros,
}

/// A plan, and what follows from it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// The data of the `open` packet.
    pub(crate) handshake: Box<str>,
    pub(crate) bounds: [Bounds; 2],
    /// The shortest time for which anything is waited for.
    pub(crate) patience: Micros,
    /// The longest one.
    pub(crate) silence: Micros,
}

impl Prepared {
    pub(crate) fn new(plan: Plan, shorter: Micros) -> Self {
        let handshake = format!(
            r#"{{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":{},"pingTimeout":{},"maxPayload":1000000}}"#,
            plan.heartbeat.ping_interval().as_millis(),
            plan.heartbeat.ping_timeout().as_millis()
        );
        let bounds = Side::BOTH.map(|side| Bounds::of(&plan, side).shorter(shorter));
        let [server, client] = &bounds;
        let open_timeout = micros(plan.open_timeout);
        let patience = server.patience().min(client.patience()).min(open_timeout);
        let silence = server.silence().max(client.silence()).max(open_timeout);
        Self { plan, handshake: handshake.into(), bounds, patience, silence }
    }
}

impl Scenery {
    pub(crate) fn link(&self, id: LinkId) -> &Link {
        &self.links[id.0 as usize]
    }

    pub(crate) fn plan(&self, id: PlanId) -> &Prepared {
        &self.plans[id.0 as usize]
    }
}
