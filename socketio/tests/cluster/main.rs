//! Servers that act as one over a bus in memory, with clients that speak the wire word for word, and a clock that waits for no
//! one.

mod answers;
mod emit;
mod faults;
mod fetch;
mod many;
mod recovery;
mod support;
