//! The client over real connections: against our own server, and against scripted ones that misbehave.

mod ends;
mod events;
mod joining;
mod limits;
mod reconnecting;
mod scripted;
mod support;
