//! Names for what is in a world.

use core::fmt;

/// Names a link of one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) u32);

impl LinkId {
    /// The link that every world has: it takes no time and loses nothing.
    pub const PERFECT: Self = Self(0);
}

/// Names a host of one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

impl HostId {
    /// The host that every world has: it always runs, and its clock shows the true time.
    pub const PERFECT: Self = Self(0);
}

/// Names a plan of one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub(crate) u32);

/// Names a session of one world. It is shown as `#5`, or as `#5.2` where two earlier sessions had that number and were
/// removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            0 => f.pad(&format!("#{}", self.index)),
            generation => f.pad(&format!("#{}.{generation}", self.index)),
        }
    }
}
