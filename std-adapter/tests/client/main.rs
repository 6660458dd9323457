//! The client over real sockets, against our own server and against scripted servers that misbehave; and over the
//! in-memory network of the feature `test-util`.

#[path = "../exact/support/bad_frames.rs"]
mod bad_frames;
mod balancers;
mod batches;
mod closing;
mod ends;
mod events;
mod failed_requests;
mod flushing;
mod frames;
mod handshake;
mod limited_phases;
mod limits;
mod links;
mod network;
mod one_session;
mod proxies;
mod reconnect;
mod refusals;
mod requests;
mod routes;
mod sessions;
mod silence;
mod support;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_certificates;
#[cfg(feature = "tls")]
mod tls_handshakes;
#[cfg(feature = "tls")]
mod tls_listener;
#[cfg(feature = "tls")]
mod tls_settings;
#[path = "../exact/support/traced.rs"]
mod traced;
#[path = "../exact/support/turns.rs"]
mod turns;
mod unanswered_posts;
mod upgrades;
#[path = "../exact/support/watch.rs"]
#[expect(dead_code, reason = "no task of a session panics here")]
mod watch;
