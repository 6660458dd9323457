//! What the workspace's tests share: the simulated world and the protocol's test data.

pub mod replay;
