//! Stories of sessions on a simulated network, as timetables. At every step of each the world checks the rules that
//! every session keeps, at several epochs of the clock: see `eio_tests::world`.

#![expect(clippy::arithmetic_side_effects, clippy::expect_used, reason = "a story that goes wrong may panic")]

mod clock;
mod close;
mod garbage;
mod lateness;
mod peers;
mod random;
mod silence;
mod upgrade;
