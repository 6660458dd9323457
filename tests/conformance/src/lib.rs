//! What the specifications demand of eio, and the tests that hold it: `data/` lists it, `docs/conformance.md` shows it.
//!
//! Each file of `data/` is one [`Specification`]. It has the number of words such as MUST in each section, and the
//! clauses that these words stand in, in words of our own. The words that no clause accounts for are [`faults()`], and so
//! is a clause that names neither a test nor a reason.
#![forbid(unsafe_code)]

mod data;
mod faults;
mod keywords;
mod page;
mod source;

use std::path::{Path, PathBuf};

pub use self::data::{Binds, Clause, Level, Section, Specification, Standing, Words, read};
pub use self::faults::faults;
pub use self::keywords::{Counts, differences};
pub use self::page::page;
pub use self::source::Sources;

/// The page, from the workspace's root.
pub const PAGE: &str = "docs/conformance.md";

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
