//! The targets of what is logged, for the filters of applications.

/// The bus: when it is lost, and when it is back.
pub(crate) const BUS: &str = "eio_cluster::bus";

/// The nodes: which come, which go, and what goes wrong between them.
pub(crate) const CLUSTER: &str = "eio_cluster::cluster";

/// Requests that go on to other nodes, and those that come from them.
#[cfg(feature = "forward")]
pub(crate) const FORWARD: &str = "eio_cluster::forward";
