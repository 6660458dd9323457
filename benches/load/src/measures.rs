//! What can be measured: one function each, from a server and options to figures.

pub mod churn;
pub mod echo;
pub mod memory;
