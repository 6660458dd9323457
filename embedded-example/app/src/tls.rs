//! The session's task over TLS, with a server whose public key is pinned.

use core::cell::RefCell;

use eio_core::backoff::Backoff;
use eio_embassy::tls::{PinnedKeys, PublicKey, RecordBuffers, TlsConnector};
use eio_embassy::{Buffers, State, TcpConnector};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::DynSender;

use crate::Sensor;
use crate::client::{self, Server, hold};
use crate::lamp::Mode;

/// The memory of the session, of its TCP connection and of TLS, 5.3 KiB: put it into a `static`.
#[derive(Debug)]
pub struct Memory {
    session: client::Memory,
    received: [u8; 1285],
    sent: [u8; 1024],
}

impl Memory {
    /// Returns memory filled with zeros, which a `static` places in `.bss`.
    #[must_use]
    pub const fn new() -> Self {
        Self { session: client::Memory::new(), received: [0; 1285], sent: [0; 1024] }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps a session with the server until the server tells the board to stop, as [`client::run`] does, over TLS. Talks only
/// to a server that has one of `keys`.
///
/// `random` must be fit for cryptography: use the chip's generator.
#[expect(clippy::too_many_arguments, reason = "everything that a board provides")]
#[expect(clippy::large_futures, reason = "the handshake computes with large numbers")]
pub async fn run<M: RawMutex>(
    stack: Stack<'_>,
    server: Server<'_>,
    keys: &[PublicKey],
    memory: &mut Memory,
    backoff: Backoff,
    random: impl FnMut() -> u32,
    state: DynSender<'_, State>,
    modes: &Signal<M, Mode>,
    sensor: &mut impl Sensor,
) {
    let Memory { session: client::Memory { tcp_rx, tcp_tx, rx, tx }, received, sent } = memory;
    let random = RefCell::new(random);
    let (mut for_tls, mut for_sessions) = (|| (random.borrow_mut())(), || (random.borrow_mut())());
    let tcp = TcpConnector::new(stack, server.name, server.port, tcp_rx, tcp_tx);
    let records = RecordBuffers { received, sent };
    let connector = TlsConnector::new(tcp, server.name, PinnedKeys::new(keys), records, &mut for_tls);
    hold(connector, server, Buffers { rx, tx }, backoff, &mut for_sessions, state, modes, sensor).await;
}
