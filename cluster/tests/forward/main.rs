//! Forwarding between two nodes, in memory and in virtual time, behind a balancer that sends each request to the wrong one.

mod bad_input;
mod ends;
mod http2;
mod leaving;
mod outages;
mod sessions;
mod silence;
mod sockets;
mod support;
