//! The targets of what is logged, for the filters of applications.

/// The bus: when it is lost, and when it is back.
pub(crate) const BUS: &str = "eio_cluster::bus";
