//! Generates load for an Engine.IO server, and measures what the server does with it.
//!
//! One thread, sockets that never block, and no runtime. Frames are encoded once and sent again and again; replies are
//! compared with the bytes that they must have, and counted. So a message costs this program less than it costs any
//! server, and the server is what limits a rate. Every result says how busy both were: where the server was below about
//! 97 % of its cores, the rate says nothing about it.
//!
//! A measure either returns its figures or fails with a sentence. It fails when the server closes a connection, answers
//! with other bytes than it must, or keeps silent for ten seconds.
#![forbid(unsafe_code)]

pub mod clock;
pub mod failure;
pub mod frames;
pub mod http;
pub mod measures;
pub mod polling;
pub mod process;
pub mod reactor;
pub mod replies;
pub mod report;
pub mod statistics;
pub mod target;
pub mod tls;
pub mod traffic;
pub mod websocket;
