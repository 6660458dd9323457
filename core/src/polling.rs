//! HTTP long-polling: when a poll waits, what overlapping requests do, and what goes into one answer.
//!
//! A session on polling uses two kinds of requests. A *poll* (GET) waits until the server has something to send. A *post*
//! (POST) carries a payload to the server. At most one of each may be in flight. A poll and a post may overlap.
//!
//! ```text
//!  requests                                                            answers
//!   GET  ── handle_poll ─────▶ ┌───────────────┐ ── poll_answer ──────▶ a Batch to encode
//!   POST ── handle_post ─────▶ │ ServerPolling │ ── may_receive ──────▶ when to read its body
//!   gone ── handle_.._failed ▶ └───────┬───────┘ ── post_answer ──────▶ "ok" or a Refusal
//!                                      │ violations, failures, the end
//!                                      ▼
//!                                ServerSession
//! ```
//!
//! [`ServerPolling`] is the server's side of one session, and [`ClientPolling`] the client's. Their methods take the
//! session as an argument, because most events of a request also concern the session: a second poll ends it, a ping that
//! is due answers a poll, and the answer with the `close` packet is its end. Both types hold no request, no message and no
//! buffer. The caller keeps these, and asks for answers after every change.
//!
//! # The server's loop
//!
//! 1. When a poll arrives, call [`handle_poll`](ServerPolling::handle_poll). When a post arrives, call
//!    [`handle_post`](ServerPolling::handle_post), and read its body once [`may_receive`](ServerPolling::may_receive)
//!    returns true. Pass its packets to the session, and then call
//!    [`handle_post_received`](ServerPolling::handle_post_received). If a method returns a refusal, answer the request
//!    with it.
//! 2. When the client of a request goes away, call [`handle_poll_aborted`](ServerPolling::handle_poll_aborted) or
//!    [`handle_post_failed`](ServerPolling::handle_post_failed).
//! 3. Call `session.handle_timeout(now)` once everything that is ready has been handled. A post counts when its packets are
//!    passed to the session. One that is still being received puts off nothing.
//! 4. Call [`poll_answer`](ServerPolling::poll_answer) and [`post_answer`](ServerPolling::post_answer) after every request,
//!    message, timeout and upgrade. They return the answers that can be written now.
//!
//! ```
//! use eio_core::packet::{Packet, WebSocketMessage};
//! use eio_core::payload::v3::Framing;
//! use eio_core::polling::{Limits, ServerPolling};
//! use eio_core::session::CLOSE_TIMEOUT;
//! use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession};
//!
//! let at = |millis: u64| Instant::from_micros(millis * 1_000);
//! let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
//! let mut polling = ServerPolling::new(Revision::V4, false);
//! let mut queue: Vec<&str> = Vec::new();
//! let mut body = [0; 1_000];
//! // Answers the poll if there is something to send.
//! let mut answer = |polling: &mut ServerPolling, session: &mut ServerSession, queue: &mut Vec<&str>, now| {
//!     let packets = || queue.iter().map(|text| Packet::message(WebSocketMessage::Text(text)));
//!     let batch = polling.poll_answer(now, session, packets(), &Limits::DEFAULT)?;
//!     let payload = batch.encode(packets(), &mut body).expect("a body of 1,000 bytes is enough");
//!     let payload = core::str::from_utf8(payload).expect("revision 4 is text").to_owned();
//!     queue.drain(..batch.messages());
//!     polling.handle_poll_answered(); // once it has been written
//!     Some(payload)
//! };
//!
//! // A poll has nothing to carry, so it waits. Messages answer it at once.
//! polling.handle_poll(at(10), &mut session, false)?;
//! assert_eq!(answer(&mut polling, &mut session, &mut queue, at(10)), None);
//! queue.extend(["hello", "again"]);
//! assert_eq!(answer(&mut polling, &mut session, &mut queue, at(20)).as_deref(), Some("4hello\x1e4again"));
//!
//! // A ping that is due waits for the next poll. The pong comes in a post.
//! session.handle_timeout(at(25_000));
//! polling.handle_poll(at(25_100), &mut session, false)?;
//! assert_eq!(answer(&mut polling, &mut session, &mut queue, at(25_100)).as_deref(), Some("2"));
//! polling.handle_post(at(25_150), &mut session, Framing::Text)?;
//! assert!(polling.may_receive(&session, true));
//! session.handle_packet(at(25_150), Ok(Packet::PONG));
//! polling.handle_post_received();
//! assert_eq!(polling.post_answer(&session, true), Some(Ok(())));
//!
//! // A close that finds no poll waits for one.
//! session.close(at(30_000), CLOSE_TIMEOUT);
//! polling.handle_poll(at(30_100), &mut session, false)?;
//! assert_eq!(answer(&mut polling, &mut session, &mut queue, at(30_100)).as_deref(), Some("6\x1e1"));
//! assert!(session.has_ended());
//! # Ok::<(), eio_core::polling::Refusal>(())
//! ```
//!
//! # Which poll waits
//!
//! | state when the poll arrives | the poll |
//! |---|---|
//! | the session has ended | is refused: [`Refusal::SessionEnded`] |
//! | the session has moved to another transport | is refused: [`Refusal::OtherTransport`] |
//! | another poll is in flight, waiting or being answered | is refused, and the session ends: [`Refusal::Overlapping`] |
//! | a ping, a pong, a message or a `close` packet is to be sent | is answered at once |
//! | otherwise | waits |
//!
//! | what happens while a poll waits | the poll |
//! |---|---|
//! | a ping or a pong is due, or a message is queued | is answered with everything that fits: pongs and pings first |
//! | the session closes | is answered with the rest of the messages; the `close` packet is behind the last one |
//! | an upgrade releases the poll ([`release_poll`](ServerPolling::release_poll)) | is answered with `noop`, if there is nothing else to send |
//! | the upgrade completes | is answered with `close`, which ends the transport and not the session |
//! | a second poll, or a violation in a post, or silence past the deadline ends the session | is answered with `close` |
//! | the client sends a `close` packet in a post | is answered with `noop` |
//! | the client goes away | the session ends: [`DisconnectReason::TransportError`](crate::DisconnectReason::TransportError) |
//!
//! A ping that is due while no poll waits leaves with the next poll, or with an upgrade. Its timeout begins again then, once:
//! a client that polls again and does not answer is gone. On the client, a ping waits in the same way for the answer to
//! the post before it, and for the end of an upgrade that pauses polling.
//!
//! No poll needs a limit on its waiting time. In revision 4 the server's next ping answers it, and in revision 3 the
//! pong to the client's next ping. Neither comes later than the deadline after which the session ends.
//!
//! Sources: the Engine.IO protocol, "HTTP long-polling" and "Upgrade"; engine.io 6.6 (`transports/polling.ts`,
//! `socket.ts`) where the protocol's text does not define the behaviour.

mod batch;
mod client;
mod refusal;
mod server;

pub use batch::{Batch, Limits};
pub use client::{ClientPolling, Hold, Request};
pub use refusal::{PostFailure, Refusal};
pub use server::ServerPolling;
