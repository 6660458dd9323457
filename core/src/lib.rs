//! Engine.IO sessions and heartbeats without a runtime: `no_std`, no `alloc`, no `unsafe`, no reachable panic.
//!
//! Engine.IO is the protocol that Socket.IO runs on: a session over HTTP long-polling or WebSocket, kept alive by pings. This
//! crate makes the decisions: when to ping, when to answer, when a silent peer is gone, and why a session ended. It
//! owns no socket, reads no clock and keeps no queue. The caller passes in packets and the time, and then does what the
//! session asks for.
//!
//! ```text
//!  socket ─▶ packet, payload, ws ────▶ ┌───────────────┐ ── poll_transmit ─▶ packet, ws ─▶ socket
//!                                      │ ServerSession │
//!  clock  ── now ────────────────────▶ │ ClientSession │
//!                                      │ one heartbeat │ ── messages ──────▶ application
//!  timer  ── handle_timeout ─────────▶ │ one deadline  │    and the end
//!         ◀─ poll_timeout ──────────── └───────────────┘
//! ```
//!
//! # The caller's loop
//!
//! The loop has the same five steps on every runtime. The example runs it against a scripted server on a fake clock.
//! Read *all* input that is ready before you call `handle_timeout`. Packets that were handled before that call count as
//! signs of life, so a stalled caller never declares a live peer dead.
//!
//! ```
//! use core::time::Duration;
//! use eio_core::packet::{Data, WebSocketMessage, v4};
//! use eio_core::{ClientSession, DisconnectReason, Instant, SessionEvent};
//!
//! let at = |millis: u64| Instant::from_micros(millis * 1_000);
//! // The server's packets and their times. After 50 s its cable is pulled.
//! let mut script = [
//!     (0, r#"0{"sid":"x7","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#),
//!     (300, "4hello"),
//!     (25_000, "2"),
//!     (50_000, "2"),
//! ]
//! .into_iter()
//! .peekable();
//!
//! let mut session = ClientSession::eio4(Duration::from_secs(20), at(0));
//! let mut sent = Vec::new();
//! let mut now = at(0);
//! let end = loop {
//!     // 1. Handle all packets that are ready.
//!     while let Some((_, text)) = script.next_if(|(when, _)| at(*when) <= now) {
//!         match session.handle_packet(now, v4::decode(WebSocketMessage::Text(text))) {
//!             Some(SessionEvent::Opened(handshake)) => assert_eq!(handshake.sid.as_str(), "x7"),
//!             Some(SessionEvent::Message(data)) => assert_eq!(data, Data::Text("hello")),
//!             _ => {}
//!         }
//!     }
//!     // 2. Then report the time.
//!     session.handle_timeout(now);
//!     // 3. Send the session's own packets, ahead of queued messages.
//!     while let Some(control) = session.poll_transmit() {
//!         sent.push((now, control.encoded()));
//!     }
//!     // 4. Check whether the session has ended.
//!     if let Some(end) = session.end() {
//!         break end;
//!     }
//!     // 5. Sleep until something is ready or the deadline comes. This example jumps to that time.
//!     let deadline = session.poll_timeout().expect("a session that has not ended has a deadline");
//!     now = script.peek().map_or(deadline, |(when, _)| at(*when).min(deadline));
//! };
//! assert_eq!(sent, [(at(25_000), "3"), (at(50_000), "3"), (at(95_000), "1")]);
//! assert_eq!(end.reason, DisconnectReason::PingTimeout);
//! assert_eq!(end.silent_for, Duration::from_secs(45));
//! ```
//!
//! # Your own runtime
//!
//! A server on a runtime of your own holds one [`ServerTransports`](transports::ServerTransports) for each session, which
//! wires the machines of the session together, and reads requests with [`Request`](request::Request). The crate's examples
//! `on_threads`, `on_smol` and `on_mio` are whole servers over polling and WebSocket; the repository's
//! `docs/own-runtime.md` explains them, and a client in a browser.
//!
//! # The layers
//!
//! The table lists the layers from bottom to top. Each can be used without those above it, and its page has a running
//! example.
//!
//! | layer | content |
//! |---|---|
//! | [`Instant`] | the caller's clock, microseconds, saturating |
//! | [`settings`] | [`Heartbeat`] periods, which are always valid, [`Liveness`] policies, a server's [`ServerSettings`], old configurations |
//! | [`packet`], [`payload`], [`Revision`] | bytes to packets and back, revisions 4 and 3, borrowing |
//! | [`handshake`] | the `open` packet's JSON |
//! | [`heartbeat`] | the timing rules alone, for every role and revision |
//! | [`session`]: [`ServerSession`], [`ClientSession`] | the states opening, open, closing and ended, and the reason of the end |
//! | [`upgrade`] | the probe exchange that moves a session from polling to WebSocket |
//! | [`polling`] | HTTP long-polling: which request waits, which is refused, what an answer carries |
//! | [`request`] | what an HTTP request asks a server for, and the answer to one that is refused |
//! | [`transports`] | a server's session, its polling, its upgrade and its WebSocket, wired together |
//! | [`ws`] | WebSocket framing (RFC 6455) in the caller's buffers |
//! | [`backoff`] | when a client should reconnect |
//! | [`detect`] | how long a dead peer can go unnoticed with given settings |
//! | [`socketio`] | the packets that a client without the Socket.IO library needs on a Socket.IO server |
//!
//! Socket.IO 0.9, which is older than Engine.IO, is in the crate `eio-legacy`.
//!
//! # How long a dead peer can go unnoticed
//!
//! A peer is dead when nothing from it arrives any more, and nothing reports its end. With the default periods, it is
//! noticed 20 to 45 s after its death:
//!
#![doc = include_str!("../docs/dead-peer.svg")]
//!
//! This holds for every role, revision and [`Liveness`] policy, if the caller wakes up on time. [`detect`] computes the
//! times for other periods. It also has the times since the last heartbeat and since the last packet, in a table of every
//! role, revision and policy.
//!
//! # Sizes
//!
//! On a 64-bit machine, a session of any role and revision takes 64 bytes, a [`heartbeat::Machine`] 56, a
//! [`ws::Decoder`] 32, and an [`upgrade`] at most 40 while it lasts. The caller keeps the sid, buffers and queues.
//!
//! On a Cortex-M4 at `opt-level = "z"` with fat LTO, a [`ClientSession`] with its handshake and packets takes 5.6 KiB
//! of flash. Code that is not called is not linked. Socket.IO packets take another 6 KiB. Revision 3 is linked only if
//! its constructors are called.
//!
//! # Features
//!
//! `defmt` derives `defmt::Format`. `serde` reads and writes the settings. Neither changes behaviour. The crate does not
//! log: it reports everything in return values.
//!
//! # Glossary
//!
//! EIO4 and EIO3 are revisions 4 and 3 of the protocol. Socket.IO 3 and 4 use EIO4; Socket.IO 1 and 2 use EIO3. The
//! *reference* is engine.io, the JavaScript server, and engine.io-client. Where its versions differ, the text names the
//! version. Numbers such as B4 refer to failures of existing implementations; the repository's `docs/peers.md` lists
//! them.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod backoff;
mod client;
pub mod detect;
pub mod handshake;
pub mod heartbeat;
#[doc(hidden)]
pub mod internal;
mod json;
pub mod packet;
pub mod payload;
pub mod polling;
pub mod request;
mod revision;
mod server;
pub mod session;
pub mod settings;
pub mod socketio;
#[cfg(test)]
mod steps;
mod text;
mod time;
pub mod transports;
pub mod upgrade;
mod utf8;
pub mod ws;

pub use client::ClientSession;
pub use revision::{ParseRevisionError, Revision};
pub use server::ServerSession;
pub use session::{DisconnectReason, SessionEvent};
pub use settings::{Heartbeat, Liveness, ServerSettings};
pub use time::Instant;

/// The error for a buffer that is too small for the output. Nothing was written, and nothing is lost: the same call
/// with at least `needed` bytes succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("the buffer is too small: {needed} bytes are needed")]
#[non_exhaustive]
pub struct BufferTooSmall {
    /// The length of the whole output, in bytes.
    pub needed: usize,
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
