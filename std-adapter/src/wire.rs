//! Messages and payloads on the wire, and small values that all layers share.

pub(crate) mod clock;
pub(crate) mod close_frame;
pub(crate) mod message;
#[cfg(feature = "server")]
pub(crate) mod node;
pub(crate) mod outgoing;
pub(crate) mod payload;
pub(crate) mod random;
pub(crate) mod redact;
#[cfg(feature = "tls")]
pub(crate) mod rough;
#[cfg(feature = "server")]
pub(crate) mod session_id;
pub(crate) mod small;
pub(crate) mod sync;
pub(crate) mod targets;
pub(crate) mod tcp;
pub(crate) mod text;
#[cfg(feature = "tls")]
pub(crate) mod tls_reason;
