//! The guide: what Socket.IO adds to sessions, one topic a chapter.
//!
//! Mounting, TLS, proxies, shutdown, metrics and the limits of connections belong to the engine: [its
//! guide](eio_tokio::guide) holds for this crate, with [`Server::engine`](crate::Server::engine) as the server and
//! [`ServerBuilder::engine`](crate::ServerBuilder::engine) as the builder.
//!
//! | I want to | read |
//! |---|---|
//! | move a gateway from Node or NestJS | [`from_node`] |
//! | put the server into an axum application | [`axum`] |
//! | know what happens when a client vanishes | [`disconnects`] |
//! | join a server as a client, and come back after every end | [`client`] |
//! | run several nodes that act as one | [`cluster`] |
//! | read the log | [`logs`] |

#[doc = include_str!("guide/axum.md")]
#[cfg(feature = "axum")]
pub mod axum {}

#[doc = include_str!("guide/disconnects.md")]
pub mod disconnects {}

#[doc = include_str!("guide/client.md")]
#[cfg(feature = "client")]
pub mod client {}

#[doc = include_str!("guide/cluster.md")]
#[cfg(feature = "cluster")]
pub mod cluster {}

#[doc = include_str!("guide/logs.md")]
pub mod logs {}

#[doc = include_str!("guide/from_node.md")]
pub mod from_node {}
