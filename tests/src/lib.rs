//! What the workspace's tests share: the simulated world and the protocol's test data.
#![forbid(unsafe_code)]

pub mod built;
#[cfg(feature = "firmware")]
pub mod firmware;
#[cfg(feature = "interop")]
pub mod interop;
pub mod javascript;
pub mod mistakes;
pub mod raw;
#[cfg(any(test, feature = "interop"))]
pub mod relay;
pub mod replay;
#[cfg(any(feature = "firmware", feature = "interop"))]
pub mod signal;
pub mod times;
pub mod vectors;
pub mod world;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/testing-your-timing.md")]
struct TestingYourTiming;
