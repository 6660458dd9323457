//! The functions that have an address only once their types are chosen: one line each, `("name", function)`.
//!
//! `cargo xtask test panic-free` names each one that is missing here, and each one here that need not be.

/// The functions, each under the name by which `cargo xtask` asks for it.
pub(crate) const ENTRY_POINTS: &[(&str, *const ())] = &[];
