//! The WebSocket codec against the cases of the Autobahn suite, against another implementation, and against itself.

mod autobahn;
mod differential;
mod properties;
mod support;
