//! A simulated world for tests of timing: sessions of Engine.IO between simulated machines, over links that behave as TCP
//! does, with a clock that jumps. A day of heartbeats takes milliseconds, and the same seed gives the same day.
//!
//! It answers questions such as: does a train that enters a tunnel lose its session? How soon is a dead battery noticed?
//! What does a server that is blocked for ten seconds do to its clients? The sessions are those of [`eio_core`], which
//! also run in the servers and clients of this project.
//!
//! ```
//! use core::time::Duration;
//! use eio_core::{DisconnectReason, Heartbeat};
//! use eio_sim::{Link, Plan, Side, Spells, World};
//!
//! let seconds = Duration::from_secs;
//! let mut world = World::new(1);
//! // A link that is cut for half a minute, a minute after the session has begun.
//! let cut = Spells::once(seconds(74), seconds(30));
//! let link = world.add_link(Link::new(Duration::from_millis(40)).cut(cut));
//! let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link));
//! let session = world.open(plan);
//! world.run_until(seconds(300));
//!
//! // The ping of 75 s is lost. TCP repeats it, but not often enough to reach the client before the server gives up.
//! let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
//! assert_eq!(end.at.as_secs(), 95);
//! ```
//!
//! | type | content |
//! |---|---|
//! | [`World`] | the clock that jumps; everything that happens to sessions, and what is asserted about them |
//! | [`Plan`] | what sessions are made of: heartbeat, revision, where they run, what their applications send |
//! | [`Link`], [`Tcp`] | delay, jitter, losses, bandwidth, cuts; when a sender repeats what is lost |
//! | [`Host`] | a machine: a clock that is ahead or drifts, stalls, sleep, death |
//! | [`Spells`] | when a link is cut, a program stalls or a machine sleeps: once, or every so often |
//! | [`Event`], [`Message`] | what an application is told and what it sends, in a loop around [`World::next_event`] |
//! | [`Timetable`] | what happened, one line for each step |
//! | [`Pipe`], [`Random`] | one direction of a connection, and random numbers, for worlds of your own |
//! | [`Traffic`], [`Totals`] | packets, segments and bytes; ends by their reason |
//! | [`Breach`], [`Margins`] | what every world checks by itself, and how close sessions came to it |
//!
//! # A failing test
//!
//! It prints the seed of its world and the end of the timetable, whatever it asserts:
//!
//! ```text
//!       75.080 s  #0   server sends a ping, which is lost
//!       75.376 s  #0   server repeats what was not acknowledged, which is lost
//!       75.680 s  #0   server repeats what was not acknowledged, which is lost
//!       ...
//!       95.080 s  #0   server ends: ping timeout: the peer was silent, after 45.000 s of silence
//! ```
//!
//! Nothing else than the seed is needed to run the same world again. A test that tries many worlds makes each with a seed
//! of its own: `World::new(seed)`.
//!
//! # What every world checks
//!
//! Beside each session stands an oracle, which knows the bounds of [`eio_core::detect`] and sees what the session's
//! program sees. If a session passes its bound, undercuts it, ends for silence although nothing has silenced its peer, or
//! ends for another reason that nothing has caused, the run panics at that moment. So it does if a client waits for its
//! handshake for longer than its open timeout, or a session does not finish closing. [`Breach`] says precisely what must
//! hold. So each test of yours is one of these bounds, too, whatever else it asserts; [`World::margins`] returns how close
//! to them its sessions came.
//!
//! The example `scale` does this at a million places for an hour, and at a thousand for 90 days, each with one session after
//! the other, in a world where everything goes wrong that can. A failure prints a command that runs the session by itself:
//!
//! ```sh
//! cargo run --profile dist --package eio-sim --example scale -- million
//! ```
//!
//! # How links model TCP
//!
//! A session runs over one connection, as on a WebSocket. A segment that is lost is sent again, order is kept, and what
//! follows waits behind it. So an outage delays data by more than its own length: the sender's timeouts double all the
//! time, and what is sent at the beginning of an outage of 30 s may arrive up to 30 s after its end. That is what ends
//! sessions that look safe on paper.
//!
//! These effects are in the model, with the constants of Linux ([`Tcp::LINUX`]):
//!
//! - The retransmission timeout is the smoothed round trip plus 200 ms, or plus four deviations (RFC 6298). It doubles up
//!   to 120 s, and starts over once anything is acknowledged.
//! - The state of the sender lives on over an outage. Acknowledgements are lost as well, and then what has arrived is
//!   repeated, and read once.
//! - The first timeout only repeats the last segment, to probe for a loss (RFC 8985). After a second one, only the first
//!   segment is repeated until it is acknowledged, and what an application sends meanwhile waits.
//! - A segment that later ones overtake is repeated after a round trip and a quarter.
//! - Timers of the kernel fire on ticks, and late by up to an eighth. While the machine sleeps, they stand still, and
//!   acknowledgements that arrive are lost.
//! - What a machine has sent before it dies or resets a connection arrives, and what a kernel has received can be read.
//! - A sender that nobody answers gives up after a quarter of an hour. A segment to a machine that knows nothing of the
//!   connection is answered with a reset. A session that ends for silence resets its connection.
//! - A connection takes one round trip to open, and the request for a WebSocket another one.
//! - On long-polling ([`Plan::polling`]), the server answers a request once it has packets, and the client sends one body
//!   after the other. All requests share one connection, as over HTTP/2, and so does the WebSocket that a session moves to
//!   ([`World::upgrade`]).
//!
//! These are not: the cutting of messages into segments (a message is lost or arrives as a whole), congestion windows and
//! slow start (everything that waits leaves at once), flow control (a receiver that does not read takes everything),
//! delayed acknowledgements (up to 40 ms), the merging of small segments, reordering on the link, and timeouts for the
//! opening of a connection that do not double at first. A link's bandwidth belongs to each session alone.
//! Long-polling over several connections, TLS and proxies are not modelled.
//!
//! A test cuts the cable of a real network namespace for up to 30 s and compares: data arrives when the model says, to
//! within the kernel's ticks (`tests/tests/faults/tcp.rs` in the repository).
//!
//! # How fast, and how large
//!
//! One core of a virtual machine (AMD EPYC) carries 4.7 million packets a second: 200 sessions for a day take 0.35 s of
//! processor time. Where the sessions do not fit into the processor's caches, it carries fewer. A session takes about 1,030 bytes,
//! and on a WebSocket nothing is allocated for a heartbeat. The example `speed` measures both on your machine, here with
//! 200 sessions for 86,400 s:
//!
//! ```sh
//! cargo run --profile dist --package eio-sim --example speed -- 200 86400
//! ```
//!
//! Without optimization, as tests are compiled by default, it is about ten times slower. Two lines in the `Cargo.toml`
//! of your workspace change that for these two crates, and leave your own code as it is:
//!
//! ```toml
//! [profile.dev.package]
//! eio-core = { opt-level = 3 }
//! eio-sim = { opt-level = 3 }
//! ```
//!
//! A world runs on one thread. To use several, make a world for each, with seeds of their own.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

// The core's types are in this crate's signatures, so that an application names the same version.
#[doc(no_inline)]
pub use eio_core as core;

mod connection;
mod event;
mod host;
mod ids;
mod kernel;
mod link;
mod message;
mod oracle;
mod peer;
mod pipe;
mod plan;
mod polling;
mod queue;
mod random;
mod scenery;
mod session;
mod side;
mod spells;
mod stream;
mod tcp;
mod time;
mod timetable;
mod traffic;
mod turn;
mod wheel;
mod world;

pub use event::{End, Event, Happening};
pub use host::Host;
pub use ids::{HostId, LinkId, PlanId, SessionId};
pub use link::Link;
pub use message::Message;
pub use oracle::{Breach, Margins, Wrong};
pub use pipe::Pipe;
pub use plan::Plan;
pub use random::Random;
pub use side::Side;
pub use spells::Spells;
pub use stream::Carried;
pub use tcp::Tcp;
pub use timetable::{Fact, Line, Timetable};
pub use traffic::{Direction, Totals, Traffic};
pub use world::{SendError, World};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
