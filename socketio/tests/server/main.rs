//! The server, with clients that speak its wire word for word over connections in memory, and a clock that waits for no one.

mod acknowledgements;
mod attacks;
mod data;
mod ends;
mod full;
mod garbage;
mod handlers;
mod limits;
mod support;
