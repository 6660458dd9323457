//! An Engine.IO and Socket.IO client for microcontrollers: `no_std`, no `alloc`, no `unsafe`.
//!
//! A board keeps a session with an existing Engine.IO, Socket.IO or NestJS server, notices when the server is gone, and
//! reconnects. [`eio_core`] makes every decision; this crate connects it to embassy's clock and to any
//! [`embedded_io_async`] stream.
//!
//! ```text
//!   application ◀── State ────────── Reconnect ──────── backoff: when to try again
//!        ▲                              │
//!        │  recv, send, close           ▼
//!        └──────────────────────────▶ Client ◀──▶ stream halves ◀──▶ TCP, TLS, UART, ..
//!          socketio::Socket, if asked   │         (Connector: embassy-net, ..)
//!                                       ▼
//!                     eio_core: session, heartbeat, WebSocket framing
//! ```
//!
//! | to | use |
//! |---|---|
//! | stay connected over embassy-net | [`TcpConnector`] with [`Reconnect`] (features `proto-ipv4`, `proto-ipv6`) |
//! | stay connected over a stack that implements edge-nal's traits | [`EdgeConnector`] with [`Reconnect`] (feature `edge-nal`) |
//! | stay connected over another network | your own [`Connector`] with [`Reconnect`] |
//! | hold one session over any stream | [`Client`] |
//! | the same over TLS, with a server that the board knows | `tls::TlsConnector` over another connector (feature `tls`); see `examples/tls.rs` |
//! | the same over another stream whose futures must not be dropped | a [`Tunnel`] between it and the client |
//! | talk to a Socket.IO or NestJS server | [`socketio::Socket`] over a [`Client`], or [`socketio::Namespaces`] |
//! | show the state of the connection | a watch of [`State`] |
//! | say where the server is | [`Endpoint`], also from a URL; a login is a header, [`BasicAuth`] |
//!
//! # The protocol, briefly
//!
//! The client asks an HTTP server for a WebSocket. The server's first message, the handshake, names the session and two
//! periods: `pingInterval` and `pingTimeout`, 25 s and 20 s by default. From then on the server sends a ping in each
//! interval, and the client answers with a pong. A side that misses the other's heartbeat gives it up: the client
//! `pingInterval + pingTimeout` after the last ping, the server `pingTimeout` after a ping without a pong. Between
//! heartbeats, both send messages: text or bytes.
//!
//! Socket.IO puts its own packets into these messages: to join a namespace, to send an event with JSON arguments, to answer
//! one. NestJS gateways speak Socket.IO unless they are told otherwise. In revision 3 of the protocol (Socket.IO 2), the
//! client pings.
//!
//! # The application's loop
//!
//! The usual loop is a `select` over the application's own work and [`Client::recv`]. It may drop any of these futures:
//! no byte is lost or sent twice. `recv` comes last, so that a server that always sends does not keep the others from
//! their turn.
//!
//! ```no_run
//! use eio_core::packet::{Data, WebSocketMessage};
//! use eio_embassy::{Client, IncomingMessage};
//! use embassy_futures::select::{Either, select};
//! use embassy_time::{Duration, Ticker};
//! # use embedded_io_async::{Read, Write};
//!
//! # fn read_sensor() -> &'static str { "21.5" }
//! # async fn application<R: Read, W: Write>(client: &mut Client<'_, R, W>) {
//! let mut seconds = Ticker::every(Duration::from_secs(1));
//! loop {
//!     match select(seconds.next(), client.recv()).await {
//!         Either::First(()) => {
//!             let _ = client.send(WebSocketMessage::Text(read_sensor())).await;
//!         }
//!         Either::Second(Ok(IncomingMessage::Whole(Data::Text(command)))) => {
//!             // obey the command
//!             # let _ = command;
//!         }
//!         Either::Second(Ok(_)) => {}
//!         Either::Second(Err(_)) => break, // the session has ended; `TcpConnector` reconnects
//!     }
//! }
//! # }
//! ```
//!
//! # Guarantees
//!
//! - A session with a silent server ends `pingInterval + pingTimeout` after the last ping. It does not end earlier, and it
//!   does not end later because a write hangs, a send buffer is full or a cable is cut. Reporting the end awaits no
//!   `flush`.
//! - A server that stops to ping, but always has something to read, is noticed by the 256th read after that time. The reads
//!   before find a ping that was in the stream's buffers behind messages. Each takes what there is, up to the room in `rx`
//!   and up to the length of a [`Tunnel`]: together up to 128 KiB with an `rx` of 512 bytes, and up to 32 KiB over TLS. In
//!   revision 3, any packet is a sign of life, and a ping leaves on time also while there is always something to read.
//! - A board that wakes late does not blame the server. If the wake-up is more than 10 ms late, the client gives the
//!   network another 5 ms to deliver what has arrived, and only then judges silence.
//! - The task wakes for bytes that arrive, for room to write, and for its deadline. There are no polling timers. When a
//!   ping moves the deadline, the alarm for the old one is taken back while the board is awake.
//! - It works with TCP keep-alive off.
//!
//! # Memory
//!
//! The caller lends two buffers ([`Buffers`]). No other memory depends on the size of messages.
//!
//! | | bytes |
//! |---|---|
//! | `rx` | the longest message to receive whole, plus [`Buffers::RX_OVERHEAD`] (131); at least the head of the HTTP response |
//! | `tx` | the longest frame to send, plus [`Buffers::TX_OVERHEAD`] (139); at least 264, and the request: about 180 plus the length of the endpoint's parts. Longer messages are sent in fragments |
//! | TCP's buffers, over embassy-net | the caller's choice: 1,024 each way are plenty |
//! | a client and all futures of connecting, receiving, sending, on a 32-bit machine | about 640 |
//!
//! A message that does not fit into `rx` ends the session with
//! [`PayloadTooLarge`](eio_core::session::Violation::PayloadTooLarge), unless [`ClientSettings::long_messages`] lets it arrive
//! in pieces.
//!
//! # Time and randomness
//!
//! The crate uses embassy-time's clock, at whatever tick rate the firmware chooses. It rounds the time down, and deadlines
//! up: silence is never judged too early, and less than two ticks too late. Ticks and microseconds are 64-bit numbers, so
//! nothing wraps after 49.7 days or at any other time.
//!
//! The caller passes randomness as a closure, which is used for masks, keys and delays. Use the hardware's source if the
//! board has one.
//!
//! # Features
//!
//! `proto-ipv4` and `proto-ipv6` add [`TcpConnector`], for the addresses of that version of IP; `embassy-net` is on with
//! either, and does not compile alone. `medium-ethernet` and `medium-ip` are those of embassy-net, for programs that do not
//! choose the medium of their network driver in their own dependency on it. `edge-nal` adds [`EdgeConnector`]. `subprotocol`
//! adds `ClientSettings::subprotocol`. `tls` adds the module of this name, which opens TLS connections to servers that the
//! board knows. `defmt` derives `defmt::Format`. None changes behaviour. The crate does not log: it returns what happened.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "embassy-net", feature = "edge-nal")),
    expect(rustdoc::broken_intra_doc_links, reason = "connectors are behind features")
)]

mod client;
mod clock;
mod connector;
mod drive;
#[cfg(feature = "edge-nal")]
mod edge;
mod endpoint;
mod error;
mod limits;
mod link;
#[cfg(any(feature = "proto-ipv4", feature = "proto-ipv6"))]
mod net;
mod outbox;
mod reconnect;
mod settings;
pub mod socketio;
mod subprotocol;
#[cfg(feature = "tls")]
pub mod tls;
mod tunnel;
mod unsent;

#[cfg(all(feature = "embassy-net", not(any(feature = "proto-ipv4", feature = "proto-ipv6"))))]
compile_error!(
    "the feature `embassy-net` of eio-embassy needs a version of IP: enable its feature `proto-ipv4` or `proto-ipv6`, or \
     both, and choose the medium of your network driver (`medium-ethernet` or `medium-ip`) there or in your own dependency \
     on embassy-net"
);

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[cfg(feature = "edge-nal")]
#[doc(no_inline)]
pub use edge_nal;
#[cfg(any(feature = "proto-ipv4", feature = "proto-ipv6"))]
#[doc(no_inline)]
pub use embassy_net;
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use embedded_tls;
#[doc(no_inline)]
pub use {eio_core as core, embassy_sync, embassy_time, embedded_io_async};

pub use client::{Client, IncomingMessage};
pub use connector::Connector;
#[cfg(feature = "edge-nal")]
pub use edge::EdgeConnector;
pub use endpoint::{BasicAuth, Endpoint, UrlError, UrlErrorKind};
pub use error::{ConnectError, SendError};
pub use limits::Limits;
#[cfg(any(feature = "proto-ipv4", feature = "proto-ipv6"))]
pub use net::{TcpClient, TcpConnector};
pub use reconnect::{Attempt, Loss, Reconnect, Report, State};
pub use settings::{Buffers, ClientSettings, LongMessages, Protocol};
pub use tunnel::{StreamEnd, Tunnel, TunnelReader, TunnelWriter};
pub use unsent::Unsent;

#[cfg(all(doctest, feature = "embassy-net"))]
#[doc = include_str!("../firmware.md")]
struct FirmwarePage;
