//! Every measure gets a result from our servers: the load generator and the servers understand each other, and each reply
//! has the bytes that it must have. The figures themselves mean nothing here.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eio_load::failure::Result;
use eio_load::frames::Kind;
use eio_load::measures::{broadcast, churn, echo, memory, polling, silent, start, upgrades, vanish};
use eio_load::process::Process;
use eio_load::report::Report;
use eio_load::target::Target;

const EIO: &str = env!("CARGO_BIN_EXE_bench-eio");
const SOCKETIO: &str = env!("CARGO_BIN_EXE_bench-socketio");
const BARE: &str = env!("CARGO_BIN_EXE_bench-bare");
const PATH: &str = "/engine.io/";
const SHORT: Duration = Duration::from_millis(10);

/// A server, which ends with its standard input.
struct Server {
    child: Child,
    target: Target,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("its standard output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let port = line.trim_end().strip_prefix("listening ").expect("a port").parse().expect("a port");
        let joins = program == SOCKETIO;
        let path = if joins { "/socket.io/" } else { PATH };
        let mut target = Target::new(port, path.to_owned(), Process::new(child.id()));
        target.joins = joins;
        Self { child, target }
    }

    fn measure(program: &str, measure: impl FnOnce(&Target) -> Result<Report>) -> Report {
        let server = Self::start(program, &[]);
        measure(&server.target).unwrap_or_else(|failure| panic!("{program}: {failure}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends with its standard input");
    }
}

fn echo_of(size: usize, in_flight: usize, kind: Kind) -> echo::Options {
    echo::Options { connections: 4, size, in_flight, kind, warm_up: SHORT, time: SHORT }
}

#[test]
fn messages_of_every_size_come_back_from_the_library_and_from_the_bare_loop() {
    for program in [EIO, BARE] {
        let server = Server::start(program, &[]);
        // Each length of a frame's header, and each remainder of masking.
        for size in [0, 1, 2, 3, 20, 124, 125, 65_534, 300_000] {
            for (in_flight, kind) in [(1, Kind::Text), (5, Kind::Text), (5, Kind::Binary)] {
                let report = echo::measure(&server.target, &echo_of(size, in_flight, kind)).unwrap_or_else(
                    |failure| panic!("{program}, {size} bytes, {in_flight}, {kind:?}: {failure}"),
                );
                assert!(
                    report.figure("per_second").is_some_and(|rate| rate > 0.0),
                    "{program}, {size} bytes"
                );
            }
        }
    }
}

#[test]
fn websockets_are_opened_and_closed_and_their_memory_and_their_loss_measured() {
    for program in [EIO, BARE] {
        let churned = Server::measure(program, |target| churn::measure(target, 4, SHORT, SHORT));
        assert!(churned.figure("server_cpu_us").is_some_and(|cost| cost > 0.0), "{program}: {churned:?}");
        let memory = Server::measure(program, |target| memory::measure(target, 200));
        assert!(memory.figure("bytes_each").is_some_and(|bytes| bytes > 500.0), "{program}: {memory:?}");
        Server::measure(program, |target| vanish::measure(target, 100));
    }
}

#[test]
fn silent_sessions_are_closed_and_not_before_they_are_due() {
    for program in [EIO, BARE] {
        let server = Server::start(program, &["--ping-interval", "300", "--ping-timeout", "300"]);
        let report = silent::measure(&server.target, 20).expect("all are closed");
        // The open packet may have been on its way for a while, but not for most of the time.
        assert!(report.figure("late_ms").is_some_and(|late| late > -300.0), "{program}: {report:?}");
    }
}

#[test]
fn sessions_on_polling_are_opened_used_and_upgraded() {
    let options = |batch| polling::Options { connections: 4, size: 20, batch, warm_up: SHORT, time: SHORT };
    Server::measure(EIO, |target| polling::handshakes(target, 4, SHORT, SHORT));
    Server::measure(EIO, |target| polling::echo(target, &options(1)));
    Server::measure(EIO, |target| polling::echo(target, &options(50)));
    Server::measure(EIO, |target| polling::memory(target, 20));
    let time = Duration::from_millis(300);
    let upgraded = Server::measure(EIO, |target| upgrades::measure(target, 4, SHORT, time));
    assert!(upgraded.figure("per_second").is_some_and(|rate| rate > 0.0), "{upgraded:?}");
}

#[test]
fn a_broadcast_reaches_all_and_the_bare_loop_says_that_it_has_none() {
    let server = Server::start(EIO, &["--app", "broadcast"]);
    let report = broadcast::measure(&server.target, 50, 20, SHORT).expect("all get it");
    assert!(report.figure("until_all_us").is_some_and(|time| time > 0.0), "{report:?}");

    let refused = Command::new(BARE).args(["--app", "broadcast"]).output().expect("it starts");
    assert_eq!(refused.status.code(), Some(2));
    let sentence = String::from_utf8(refused.stderr).expect("text");
    assert_eq!(sentence, "the bare loop has no list of its connections, and can only echo\n");
}

#[test]
fn sockets_of_socketio_join_and_get_their_events_back_and_their_acknowledgements() {
    for kind in [Kind::Event, Kind::AskingEvent] {
        for (size, in_flight) in [(0, 1), (20, 16), (100_000, 2)] {
            let report =
                Server::measure(SOCKETIO, |target| echo::measure(target, &echo_of(size, in_flight, kind)));
            assert!(report.figure("per_second").is_some_and(|rate| rate > 0.0), "{kind:?}, {size} bytes");
        }
    }
    let churned = Server::measure(SOCKETIO, |target| churn::measure(target, 4, SHORT, SHORT));
    assert!(churned.figure("server_cpu_us").is_some_and(|cost| cost > 0.0), "{churned:?}");
    let memory = Server::measure(SOCKETIO, |target| memory::measure(target, 200));
    assert!(memory.figure("bytes_each").is_some_and(|bytes| bytes > 500.0), "{memory:?}");

    let server = Server::start(SOCKETIO, &["--app", "broadcast"]);
    let report = broadcast::measure(&server.target, 50, 20, SHORT).expect("all in the room get it");
    assert!(report.figure("until_all_us").is_some_and(|time| time > 0.0), "{report:?}");
}

#[test]
fn a_start_is_measured_from_nothing_to_the_first_open_packet() {
    let report = start::measure(&[BARE.to_owned()], PATH, 2).expect("it starts");
    assert!(report.figure("ms").is_some_and(|time| time > 0.0), "{report:?}");
}

#[test]
fn a_server_that_is_asked_for_what_it_does_not_echo_is_an_error() {
    // It broadcasts: each message comes back to all, and that is more than was sent.
    let server = Server::start(EIO, &["--app", "broadcast"]);
    let failure = echo::measure(&server.target, &echo_of(20, 1, Kind::Text)).expect_err("too many replies");
    assert_eq!(failure.to_string(), "the server sent more replies than there were messages");
}
