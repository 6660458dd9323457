//! The identifiers of sockets.

use core::fmt;
use std::io;
use std::sync::Arc;

use crate::server::random_id::{self, random_id};

/// The identifier of a socket, which other clients may know: to know it does not give access to the socket's session. It
/// has at least 96 random bits. It begins with the name of the node that the socket is on, if the server [has
/// one](eio_tokio::ServerBuilder::node).
///
/// A client of Socket.IO 2 computes its identifier itself, so there it is that of the session, behind `/namespace#` for
/// namespaces other than `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(Arc<str>);

impl SocketId {
    /// Returns a new identifier, which begins with the name of the node.
    pub(crate) fn random(node: Option<&str>) -> io::Result<Self> {
        Ok(Self(random_id::as_str(&random_id(node)?).into()))
    }

    /// Returns the identifier that a client of Socket.IO 2 expects.
    pub(crate) fn of_session(namespace: &str, sid: &str) -> Self {
        Self(if namespace == "/" { sid.into() } else { format!("{namespace}#{sid}").into() })
    }

    /// Returns the identifier without a copy.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Returns the identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SocketId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_socket_io_2_knows_its_identifier() {
        assert_eq!(SocketId::of_session("/", "s1d").as_str(), "s1d");
        assert_eq!(SocketId::of_session("/admin", "s1d").as_str(), "/admin#s1d");
    }
}
