//! The client over real connections, against our own server and against scripted ones that misbehave; and over the engine's
//! in-memory network.

mod callbacks;
mod ends;
mod events;
mod joining;
mod leaving;
mod limits;
mod network;
mod reconnecting;
mod scripted;
mod slow;
mod support;
