//! The client for boards with other people's servers: socket.io 4, NestJS, and engine.io on ws. It runs on this machine, over
//! the sockets of the standard library by edge-nal's traits.
//!
//! `cargo xtask test socketio-peers` installs those servers and runs this.

mod binary;
mod board;
mod namespaces;
mod openings;
mod requests;
mod server;

#[allow(dead_code, reason = "only its clock and its randomness are used")]
#[path = "../../../embassy-adapter/examples/ppp.rs"]
mod ppp;
