//! What each part does. They are listed in [`part`](crate::part).

pub(crate) mod advisories;
pub(crate) mod autobahn;
pub(crate) mod bare_metal;
pub(crate) mod coverage;
pub(crate) mod deny;
pub(crate) mod firmware;
pub(crate) mod fuzz;
pub(crate) mod host;
pub(crate) mod instructions;
pub(crate) mod interop;
pub(crate) mod layers;
pub(crate) mod lengths;
pub(crate) mod linear;
pub(crate) mod lints;
pub(crate) mod long;
pub(crate) mod miri;
pub(crate) mod mutants;
pub(crate) mod nest;
pub(crate) mod packages;
pub(crate) mod page;
pub(crate) mod panic_free;
pub(crate) mod peers;
pub(crate) mod planted;
pub(crate) mod proof;
pub(crate) mod reproducible;
pub(crate) mod schedules;
