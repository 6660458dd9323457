//! Engine.IO and Socket.IO for microcontrollers: `no_std`, no `alloc`, no `unsafe`.
//!
//! A board holds a session with an existing Engine.IO, Socket.IO or NestJS server, notices when that server is gone, and
//! comes back. Every decision is made by [`eio_core`]; this crate feeds it with embassy's clock and any
//! [`embedded_io_async`] stream.
//!
//! ```text
//!   application ◀── State ────────── Reconnect ──────── backoff: when to try again
//!        ▲                              │
//!        │  recv, send, close           ▼
//!        └──────────────────────────▶ Client ◀──▶ stream halves ◀──▶ TCP, TLS, UART, ..
//!          socketio::Socket, if asked   │         (TcpConnector: embassy-net)
//!                                       ▼
//!                     eio_core: session, heartbeat, WebSocket framing
//! ```
//!
//! | to | use |
//! |---|---|
//! | stay connected over embassy-net | [`TcpConnector`] with [`Reconnect`] (feature `embassy-net`) |
//! | hold one session over any stream | [`Client`] |
//! | the same over TLS, or another stream whose futures must not be dropped | [`Client::run`]; see `examples/tls.rs` |
//! | talk to a Socket.IO or NestJS server | [`socketio::Socket`] over a [`Client`] |
//! | show what the connection does | a watch of [`State`] |
//!
//! # The application's loop
//!
//! `select` over [`Client::recv`] and the application's own work is the normal way to use it: whatever is dropped, no byte
//! is lost, and none is sent twice.
//!
//! ```no_run
//! use eio_core::packet::{Data, Frame};
//! use eio_embassy::{Client, Event};
//! use embassy_futures::select::{Either, select};
//! use embassy_time::Timer;
//! # use embedded_io_async::{Read, Write};
//!
//! # fn read_sensor() -> &'static str { "21.5" }
//! # async fn application<R: Read, W: Write>(client: &mut Client<'_, R, W>) {
//! loop {
//!     match select(client.recv(), Timer::after_secs(1)).await {
//!         Either::First(Ok(Event::Message(Data::Text(command)))) => {
//!             // obey the command
//!             # let _ = command;
//!         }
//!         Either::First(Ok(_)) => {}
//!         Either::First(Err(_)) => break, // ended; `TcpConnector` comes back
//!         Either::Second(()) => {
//!             let _ = client.send(Frame::Text(read_sensor())).await;
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! # What it keeps
//!
//! - The end comes at `pingInterval + pingTimeout` after the last ping: not before, and not later because a write hangs, a
//!   send buffer is full or a cable is cut. No `flush` is ever awaited on the way.
//! - A late wake-up is this board's fault: after more than 10 ms the network gets 5 ms to bring in what has arrived, before
//!   silence is judged.
//! - It wakes for bytes, for room to write what is owed, and for its deadline. There are no polling timers. (embassy-time
//!   keeps the earliest time that a task has asked for, so a deadline that a ping has put off may still wake it once.)
//! - It works with TCP keep-alive off.
//!
//! # Memory
//!
//! The caller lends two buffers ([`Buffers`]); nothing else grows with the messages.
//!
//! | | bytes |
//! |---|---|
//! | `rx` | the longest message that comes in whole and [`Buffers::RX_OVERHEAD`] (131); at least the head of the HTTP response |
//! | `tx` | the longest frame and [`Buffers::TX_OVERHEAD`] (139), at least 264; longer messages go out in fragments |
//! | TCP's buffers, over embassy-net | the caller's choice: 1,024 each way are plenty |
//! | a longer message comes in | the session ends with [`PayloadTooLarge`](eio_core::session::Violation::PayloadTooLarge), or it comes in pieces: [`Settings::long_messages`] |
//! | a client and all futures of connecting, receiving, sending, on a 32-bit machine | about 640 |
//!
//! # Time and randomness
//!
//! The clock is embassy-time's, rounded down; deadlines are rounded up to its tick. Randomness comes from the caller as a
//! closure, for masks, keys and delays: use the hardware's source where there is one.
//!
//! # Features
//!
//! `embassy-net` brings [`TcpConnector`]; `defmt` derives `defmt::Format`. Neither changes any behaviour. The crate does
//! not log: it returns what happened.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "embassy-net"),
    expect(rustdoc::broken_intra_doc_links, reason = "the connector is behind a feature")
)]

mod client;
mod clock;
mod drive;
mod endpoint;
mod error;
mod link;
#[cfg(feature = "embassy-net")]
mod net;
mod outbox;
mod reconnect;
mod response;
mod run;
mod settings;
pub mod socketio;

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[cfg(feature = "embassy-net")]
#[doc(no_inline)]
pub use embassy_net;
#[doc(no_inline)]
pub use {eio_core as core, embassy_sync, embassy_time, embedded_io_async};

pub use client::{Client, Event};
pub use endpoint::Endpoint;
pub use error::{ConnectError, SendError};
#[cfg(feature = "embassy-net")]
pub use net::{Limits, TcpClient, TcpConnector};
pub use reconnect::{Attempt, Loss, Reconnect, Report, State};
pub use run::{Command, Flushed, Message};
pub use settings::{Buffers, LongMessages, Revision, Settings};

#[cfg(all(doctest, feature = "embassy-net"))]
#[doc = include_str!("../firmware.md")]
struct FirmwarePage;
