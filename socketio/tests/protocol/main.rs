//! What travels between a client and the server, to the byte and to the millisecond: paused time, and pipes in memory
//! instead of sockets. Each case of the protocol's own test suite is here, and what the reference does besides.

mod support;

mod acks;
mod connect;
mod disconnect;
mod engine;
mod events;
mod packets;
mod recovery;
mod revision4;
mod rooms;
mod running;
