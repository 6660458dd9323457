//! What sessions share and do not change.

use crate::host::Host;
use crate::ids::{LinkId, PlanId};
use crate::link::Link;
use crate::plan::Plan;

#[derive(Debug)]
pub(crate) struct Scenery {
    pub(crate) links: Vec<Link>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) plans: Vec<Prepared>,
}

/// A plan, and what follows from it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// The data of the `open` packet.
    pub(crate) handshake: Box<str>,
}

impl Prepared {
    pub(crate) fn new(plan: Plan) -> Self {
        let handshake = format!(
            r#"{{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":{},"pingTimeout":{},"maxPayload":1000000}}"#,
            plan.heartbeat.ping_interval().as_millis(),
            plan.heartbeat.ping_timeout().as_millis()
        );
        Self { plan, handshake: handshake.into() }
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
