//! What can be measured: one function each, from a server and options to figures.

pub mod broadcast;
pub mod churn;
pub mod echo;
pub mod forwarded;
pub mod heartbeats;
pub mod latency;
pub mod memory;
pub mod nodes;
pub mod polling;
pub mod silent;
pub mod start;
pub mod upgrades;
pub mod vanish;
