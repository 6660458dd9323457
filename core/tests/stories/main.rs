//! Stories of sessions on a simulated network, as timetables. At every step of each the world checks the rules that
//! every session keeps, at several epochs of the clock: see `eio_tests::world`.

mod silence;
