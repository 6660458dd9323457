//! The guide: what several nodes write to the log.

#[doc = include_str!("guide/logs.md")]
pub mod logs {}
