//! The connector, between two stacks of embassy-net that a cable joins.

mod addresses;
mod cable;
mod cancel;
mod connect;
mod lab;
mod lose;
mod wakes;
