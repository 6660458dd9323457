//! What a machine did and was told.

use eio_core::packet::PacketType;
use eio_core::session::DisconnectReason;

use super::judge::Performed;
use super::plan::What;
use super::transcript::Micros;

/// What the machine did and was told, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) trace: Vec<(Micros, Step)>,
    pub(crate) end: Option<(Micros, DisconnectReason)>,
    /// The same for the judge.
    pub(crate) performed: Performed,
}

/// One thing that happened to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Opened,
    /// A packet of the peer, from this input, by this carrier.
    Packet {
        packet: PacketType,
        input: usize,
        socket: bool,
    },
    /// Something that is not a packet.
    Garbage {
        input: usize,
    },
    Upgraded,
    /// A candidate was turned away.
    Refused(u64),
    /// At the time when it was sent; `due` is when it was to be.
    Emitted {
        what: What,
        due: Micros,
    },
    Ended(DisconnectReason),
}

/// An input whose packets of some kind are to be taken as noops: the reference ignored them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub(crate) input: usize,
    /// `None`: something that is not a packet.
    pub(crate) packet: Option<PacketType>,
}
