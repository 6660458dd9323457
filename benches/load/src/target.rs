//! The server that is measured.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::ClientConfig;

use crate::clock::PATIENCE;
use crate::failure::{Failure, Result};
use crate::process::Process;

/// The server that is measured.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The path of its Engine.IO endpoint, with a slash at the end.
    pub path: String,
    /// Its process.
    pub process: Process,
    /// How TLS is spoken with it, if it is.
    pub tls: Option<Arc<ClientConfig>>,
    /// Whether each session joins the namespace `/` of Socket.IO once it is open.
    pub joins: bool,
}

impl Target {
    /// Names the server that listens on a port of this machine.
    #[must_use]
    pub fn new(port: u16, path: String, process: Process) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), path, process, tls: None, joins: false }
    }

    /// Opens a connection that blocks, but for no longer than [`PATIENCE`], and sends small writes at once.
    ///
    /// # Errors
    /// Fails if the server does not accept it.
    pub fn connect(&self) -> Result<TcpStream> {
        let stream =
            TcpStream::connect(self.address).map_err(Failure::system("a connection cannot be opened"))?;
        let configured = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        configured.map_err(Failure::system("a connection cannot be configured"))?;
        Ok(stream)
    }

    /// Returns the request that opens a WebSocket: a session of its own, or the upgrade of the session `sid`.
    #[must_use]
    pub fn websocket_request(&self, sid: Option<&str>) -> Vec<u8> {
        let (path, address) = (&self.path, self.address);
        let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        format!(
            "GET {path}?EIO=4&transport=websocket{sid} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes()
    }
}
