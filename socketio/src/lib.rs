//! Socket.IO on tokio, for servers and clients.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// Without a role there is nothing to use.
#![cfg(any(feature = "client", feature = "server"))]

mod acks;
mod args;
#[cfg(feature = "client")]
mod client;
mod packet;
mod parser;
#[cfg(feature = "server")]
mod server;
mod value;

pub use args::{Args, DecodeError, EncodeError, IntoArgs, RawArgs};
pub use packet::{Body, Packet};
pub use parser::{Decoder, DefaultParser, Encoded, ParseError, Parser};
pub use value::{Binary, Value};
