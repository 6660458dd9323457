#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "the cluster is built on it")]

pub mod bus;
mod targets;

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[doc(no_inline)]
pub use bytes;
