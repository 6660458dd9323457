//! Socket.IO 0.9 without a runtime: `no_std`, no `alloc`, no `unsafe`, no reachable panic.
//!
//! Socket.IO 0.9 (2011 to 2014, "protocol 1") is older than Engine.IO. It has its own handshake, its own packets and
//! its own heartbeats, and none of it is compatible with Socket.IO 1 and newer. You need this crate only if a program
//! of that time must stay connected: a device whose firmware cannot be changed, or a server that cannot be replaced.
//! All other programs use [`eio_core`].
//!
//! As in [`eio_core`], the caller owns the sockets, the clock and the buffers. It passes in text and the time, and acts
//! on the results.
//!
//! | module | content |
//! |---|---|
//! | [`handshake`] | the answer to a client's first request: session id, timeouts, transports |
//! | [`packet`] | text to packets and back |
//! | [`payload`] | several packets in one polling body |
//! | [`timers`] | when to send a heartbeat, when to answer a poll, when a silent peer is gone |
//! | [`settings`] | the settings of a server, in seconds and under their old names |
//! | [`detect`] | how long a dead peer can go unnoticed with given settings |
//!
//! # A server's session
//!
//! The client answers one heartbeat and falls silent. The clock is a number, so the example takes no time.
//!
//! ```
//! use core::time::Duration;
//! use eio_core::Instant;
//! use eio_legacy::handshake::LegacyHandshake;
//! use eio_legacy::packet::{LegacyPacket, PacketBody};
//! use eio_legacy::timers::{ServerPeriods, ServerTimers, TimerEvent};
//!
//! let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
//! let periods = ServerPeriods::DEFAULT;
//! let mut out = [0; 128];
//!
//! // GET /socket.io/1/ is answered with the handshake.
//! let (heartbeat, close) = (periods.heartbeat_timeout(), periods.close_timeout());
//! let handshake = LegacyHandshake::new("AbC123", Some(heartbeat), close, "websocket")?;
//! assert_eq!(handshake.encode(&mut out), Ok("AbC123:60:60:websocket"));
//!
//! // The client opens /socket.io/1/websocket/AbC123, and the server confirms.
//! let mut timers = ServerTimers::new(periods, at(0));
//! assert_eq!(LegacyPacket::CONNECT.encode(&mut out), Ok("1::"));
//!
//! // The client's packets and their times: the echo of the first heartbeat, one message, and then nothing.
//! let mut arriving = [(26, "2::"), (30, "3:::hello")].into_iter().peekable();
//! let mut sent = Vec::new();
//! let mut now = at(0);
//! let end = loop {
//!     while let Some((_, text)) = arriving.next_if(|(when, _)| at(*when) <= now) {
//!         match LegacyPacket::decode(text).map(|packet| packet.body()) {
//!             Ok(PacketBody::Heartbeat) => timers.handle_heartbeat(now),
//!             Ok(PacketBody::Message(message)) => assert_eq!(message, "hello"),
//!             _ => {} // the reference ignores what it cannot read
//!         }
//!     }
//!     match timers.handle_timeout(now) {
//!         Some(TimerEvent::Heartbeat) => sent.push((now, LegacyPacket::HEARTBEAT)),
//!         Some(TimerEvent::HeartbeatTimeout) => break now,
//!         _ => {}
//!     }
//!     let deadline = timers.poll_timeout().expect("the session has not ended");
//!     now = arriving.peek().map_or(deadline, |(when, _)| deadline.min(at(*when)));
//! };
//! assert_eq!(sent, [(at(25), LegacyPacket::HEARTBEAT), (at(51), LegacyPacket::HEARTBEAT)]);
//! assert_eq!(end, at(111)); // 60 s after the unanswered heartbeat
//! # Ok::<(), eio_legacy::handshake::LegacyHandshakeError>(())
//! ```
//!
//! # Bounds
//!
//! Decoding takes time linear in the length of the text, and no memory. JSON may nest 64 levels deep. A session id has 1
//! to 64 characters, a timeout 1 ms to 2^31 − 1 ms. The caller limits the length of a text and the number of packets in a
//! polling body. The timers of one session take at most 64 bytes.
//!
//! The crate covers the transports `websocket` and `xhr-polling`. It does not offer `jsonp-polling`, `htmlfile` and
//! `flashsocket`.
//!
//! # Features
//!
//! `defmt` derives `defmt::Format`. `serde` reads the settings from configuration files. Neither changes any behaviour.
//!
//! # Source
//!
//! The Socket.IO 0.9 specification, and the *reference*: socket.io 0.9.19 and socket.io-client 0.9.17. The tests replay
//! recordings of both.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

// The core's types are in this crate's signatures, so that an application names the same version.
#[doc(no_inline)]
pub use eio_core as core;

pub mod detect;
pub mod handshake;
pub mod packet;
pub mod payload;
pub mod settings;
pub mod timers;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
