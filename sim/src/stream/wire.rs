//! What a stream sends on, and what becomes of it there.

use crate::kernel::KernelClock;
use crate::link::Link;
use crate::random::Random;
use crate::side::Side;
use crate::traffic::Direction;

/// What a stream needs of the world when it sends.
pub(crate) struct Wire<'a> {
    pub(crate) link: &'a Link,
    /// Where the stream leads.
    pub(crate) towards: Side,
    /// The sender's.
    pub(crate) clock: KernelClock<'a>,
    pub(crate) random: &'a mut Random,
    pub(crate) counts: &'a mut Direction,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a segment is lost, or waits, or is on its way")]
pub enum Carried {
    /// It is on its way.
    Arrives,
    /// It is lost on the way. TCP sends it again.
    Lost,
    /// TCP holds it back until an earlier segment is acknowledged.
    Waits,
}
