//! The server in an [axum](https://docs.rs/axum) router (feature `axum`, for axum 0.8).
//!
//! [`RouterExt`] adds the server to a router, and [`builder`] gives its application axum's state and extractors. A request's
//! `ConnectInfo<SocketAddr>` is the address of its peer: serve the router with
//! `into_make_service_with_connect_info::<SocketAddr>()`. Without it, no session knows its
//! [peer](crate::Socket::peer_addr), and limits per address count all clients as one. [The guide](crate::guide::axum) shows
//! the whole.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn core::error::Error>> {
//! use std::net::SocketAddr;
//!
//! use axum::{Router, routing::get};
//! use eio_tokio::Server;
//! use eio_tokio::axum::RouterExt as _;
//! use tokio::net::TcpListener;
//!
//! let server = Server::builder(|_socket| async {}).build()?;
//! let router = Router::new().route("/", get(async || "a page")).engine_io(&server);
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async move {
//! axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
//! # });
//! # eio_tokio::Client::builder(url).build()?.connect().await?;
//! # Ok(())
//! # }
//! ```

mod handler;
mod router;

pub use self::handler::{Handler, builder};
pub use self::router::RouterExt;
