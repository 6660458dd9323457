//! Every recording of socket.io 0.9.19 and socket.io-client 0.9.17, replayed into the timers.
//!
//! `EIO_TRANSCRIPTS` names another directory of recordings, of which those of 0.9 are replayed.

use eio_tests::replay::{Verdict, directory, replay_directory};

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/transcripts");

#[test]
fn every_recording_of_the_reference_agrees_with_the_timers() {
    let directory = directory(OWN);
    let reports = replay_directory(&directory, |name| name.starts_with("sio09--")).expect("a directory");
    for report in &reports {
        println!("{} {}", report.name, report.verdict);
    }
    let sides: usize = reports.iter().map(|report| report.sides).sum();
    println!("{} recordings, {sides} sides of sessions", reports.len());
    if directory.as_os_str() == OWN {
        assert_eq!((reports.len(), sides), (25, 23), "recordings are missing");
    }
    let differ: Vec<_> =
        reports.iter().filter(|report| matches!(report.verdict, Verdict::Differs(_))).collect();
    assert!(differ.is_empty(), "{differ:?}");
}
