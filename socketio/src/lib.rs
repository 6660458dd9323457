#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// Without a role there is nothing to use.
#![cfg(any(feature = "client", feature = "server"))]

mod acks;
mod args;
#[cfg(feature = "client")]
pub mod client;
mod errors;
#[cfg(feature = "server")]
pub mod guide;
mod packet;
mod parser;
#[cfg(feature = "server")]
mod server;
mod sync;
mod targets;
mod value;

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[cfg(feature = "cluster")]
#[doc(no_inline)]
pub use eio_cluster as cluster;
#[doc(no_inline)]
pub use {bytes, bytestring, eio_core as core, eio_tokio as engine, http, indexmap, serde_json};

pub use args::{Args, DecodeError, EncodeError, FromArgs, IntoArgs, RawArgs};
pub use errors::{AckError, EmitError};
pub use packet::{Body, Packet};
pub use parser::{Decoder, DefaultParser, Encoded, ParseError, Parser};
#[cfg(feature = "msgpack")]
pub use parser::{MsgPackError, MsgPackErrorKind, MsgPackParser};
pub use value::{Binary, Value};

#[cfg(feature = "cluster")]
pub use server::cluster::{
    JoinClusterError, ServerSideEvent,
    emitter::{Emitter, EmitterAudience, EmitterError},
    fetch::{Fetched, MissingNode, RemoteSocket},
};
#[cfg(feature = "serde")]
pub use server::config::ServerConfig;
#[cfg(feature = "server")]
pub use server::{
    Server,
    ack::Ack,
    acknowledgement::Acknowledgement,
    answers::{Answers, Responder},
    audience::Audience,
    builder::{BuildError, ServerBuilder},
    context::{
        Auth, Context, Data, EventName, Extension, ExtractError, FromContext, FromRef, Request, State,
    },
    disconnect::{Disconnect, Reason, Unexpected},
    handler::{BoxError, Handler, HandlerError, IntoReply, Reply},
    namespace::Namespace,
    recovery::Recovery,
    refusal::Refusal,
    rooms::JoinError,
    shared::WhenFull,
    socket::Socket,
    socket_id::SocketId,
};
