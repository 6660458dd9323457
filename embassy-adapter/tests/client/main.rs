//! The client against a server made of bytes, on embassy-time's mock clock.

mod cancel;
mod connect;
mod heartbeat;
mod receive;
mod reconnect;
mod send;
mod socketio;
mod world;
