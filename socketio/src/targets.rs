//! The targets of what is logged, for the filters of applications.

/// The life of a server's sockets, and the errors of their handlers.
#[cfg(feature = "server")]
pub(crate) const SOCKET: &str = "eio_socketio::socket";
/// The connections of a server.
#[cfg(feature = "server")]
pub(crate) const CONNECTION: &str = "eio_socketio::connection";
/// What the server has to do with other nodes.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER: &str = "eio_socketio::cluster";
/// A client's connection and its namespaces.
#[cfg(feature = "client")]
pub(crate) const CLIENT: &str = "eio_socketio::client";

/// How much of a name that a client made up is logged, in bytes.
#[cfg(feature = "server")]
const MAX_SHOWN: usize = 64;

/// Returns the part of a client's name that is logged.
#[cfg(feature = "server")]
pub(crate) fn shown(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_SHOWN)]
}
