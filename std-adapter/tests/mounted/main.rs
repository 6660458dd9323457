//! A server in other people's servers, routers and middleware.

mod addresses;
mod extractors;
mod keeping;
mod layer;
mod middleware;
mod router;
mod servers;
mod shutdown;
mod slow_bodies;
mod support;
#[path = "../exact/support/watch.rs"]
#[expect(dead_code, reason = "no task of a session panics here")]
mod watch;
