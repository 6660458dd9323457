//! No input makes a target of the fuzzer fail: the seeds, what libFuzzer has found, and changed copies of both.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process;
use std::sync::Once;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use eio_fuzz::{TARGETS, Target};

/// Where libFuzzer's inputs are.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus");

/// How long one input may play. All take less than a second.
const LONGEST: Duration = Duration::from_mins(1);

thread_local! {
    /// How many panics there were in this thread. A runtime catches those of its tasks.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Plays everything into the target of this name.
fn replay(name: &str) {
    static COUNTS: Once = Once::new();
    COUNTS.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            usual(panic);
        }));
    });
    let target = Target::named(name);
    let mut inputs = corpus(name);
    inputs.extend(target.seeds());
    let playing = watched(name);
    let mut reached = BTreeMap::new();
    for (number, input) in inputs.iter().cloned().chain(target.changed(&inputs)).enumerate() {
        playing.send(input.clone()).expect("a watch that lives");
        let played = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        assert!(
            played.is_ok() && PANICS.get() == 0,
            "{name} fails with \"{}\": write these bytes to a file of fuzz/corpus/{name}",
            input.escape_ascii()
        );
        for milestone in eio_fuzz::take_reached() {
            *reached.entry(milestone).or_insert(0) += usize::from(number >= inputs.len());
        }
    }
    println!(
        "{name}: {} inputs, {} changed copies, of which reach: {reached:?}",
        inputs.len(),
        target.changed
    );
    for milestone in target.milestones {
        assert!(reached.get(milestone) > Some(&0), "no changed copy of an input reaches: {milestone}");
    }
}

/// Takes each input before it is played. If one plays for too long, the process ends and says which one it is.
fn watched(name: &str) -> SyncSender<Vec<u8>> {
    let (playing, inputs) = mpsc::sync_channel::<Vec<u8>>(1_024);
    let name = name.to_owned();
    thread::spawn(move || {
        let mut last = Vec::new();
        loop {
            match inputs.recv_timeout(LONGEST) {
                Ok(input) => last = input,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    // The harness captures what is printed otherwise.
                    let _ = writeln!(io::stderr(), "{name} hangs with \"{}\"", last.escape_ascii());
                    process::abort();
                }
            }
        }
    });
    playing
}

/// The committed inputs. A target may have none.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let Ok(files) = fs::read_dir(PathBuf::from(CORPUS).join(name)) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.expect("a folder that can be read").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file that can be read")).collect()
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets!(
    packet,
    payload,
    handshake,
    json,
    settings,
    websocket,
    opening,
    socketio,
    legacy,
    legacy_timers,
    heartbeat,
    session,
    upgrade,
    pair,
    transports,
    http,
    client,
    board,
    board_socketio,
    socketio_sessions
);
