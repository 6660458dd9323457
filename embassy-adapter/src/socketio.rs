//! Socket.IO on top of a session: namespaces, events, acknowledgements, binary data, recovery.
//!
//! It works with stock Socket.IO 3 and 4 servers and with NestJS gateways. JSON stays text: the application writes and
//! reads it as it likes, for example with `serde-json-core`, or with `write!` and `str::parse` for a number. An image
//! contains only the code of what it uses.
//!
//! | to | use |
//! |---|---|
//! | join one namespace | [`Socket::join`] |
//! | receive what was missed while the board was away | [`Socket::join_with_recovery`] and a [`Recovery`] |
//! | join several namespaces of one client | [`Namespaces`] |
//! | emit an event and wait for its answer | [`Socket::request`] |
//! | send binary data | [`Socket::emit_binary`] |
//!
//! ```no_run
//! use core::time::Duration;
//! use eio_embassy::{Client, socketio::{Incoming, Socket}};
//! # use embedded_io_async::{Read, Write};
//!
//! # async fn example<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> Result<(), Box<dyn std::error::Error>> {
//! let mut socket = Socket::join(client, "/", r#"{"token":"t0k3n"}"#, Duration::from_secs(10)).await?;
//! socket.emit("reading", "21.5").await?;
//! loop {
//!     match socket.recv().await? {
//!         Incoming::Event { event, ack, .. } if event.is("led") => {
//!             let on = event.args().iter().next() == Some("true");
//!             if let Some(id) = ack {
//!                 socket.ack(id, if on { "\"on\"" } else { "\"off\"" }).await?;
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! # }
//! ```

mod binary;
mod emit;
mod error;
mod incoming;
mod namespaces;
mod recovery;
mod request;
mod socket;
mod spliced;
mod state;

pub use error::SocketError;
pub use incoming::{Incoming, refusal};
pub use namespaces::Namespaces;
pub use recovery::{NoRecovery, Recover, Recovery};
pub use request::{Answer, Pending};
pub use socket::Socket;
pub use state::{Alone, Among, State};
