//! Standard output that fails: a full disk leaves sessions as they are, and the exit code reports what could not be printed.

#![cfg(target_os = "linux")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

use crate::peer::{WebSocket, get};
use crate::program::{Eio, lines_of};

/// A device that refuses every write, as a full disk does.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is writable")
}

const NOT_WRITTEN: &str = "eio: cannot write to standard output: No space left on device (os error 28)";

/// Starts a server whose standard output is full, and returns its address.
fn serve_without_log(stderr: Option<File>) -> (Eio, String) {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let quick = ["--ping-interval", "50ms", "--ping-timeout", "5s"];
    let arguments = [&["serve", "--json", "--listen", &address][..], &quick].concat();
    let server = Eio::start_with(&arguments, |command| {
        command.stdout(full());
        stderr.map(|stderr| command.stderr(stderr));
    });
    Eio::wait_for_port(&address);
    (server, address)
}

/// Opens a session, and checks that it gets heartbeats.
fn live(address: &str) {
    let mut client = WebSocket::open(address, 4);
    for _ in 0..3 {
        assert_eq!(client.next().as_deref(), Some("2"));
        client.send("3");
    }
    assert!(get(address, "/").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_server_goes_on_with_a_full_disk_and_reports_it_once() {
    let (mut server, address) = serve_without_log(None);
    let complaint = server.complaint();
    assert!(complaint.starts_with(NOT_WRITTEN) && complaint.contains("sessions go on"), "{complaint}");
    live(&address);
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    assert_eq!(server.errors(), "", "it was reported once");
}

#[test]
fn a_server_that_can_print_nothing_serves() {
    let (mut server, address) = serve_without_log(Some(full()));
    live(&address);
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
}

#[test]
fn with_a_full_disk_connect_closes_its_session_with_code_1() {
    let mut server = Eio::start(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    let url = server.event("listening")["url"].as_str().unwrap().to_owned();
    for options in [&[][..], &["--json"], &["--transport", "polling"], &["--transport", "websocket"]] {
        let arguments = [&["connect", &url], options].concat();
        let mut client = Eio::start_with(&arguments, |command| {
            command.stdout(full());
        });
        assert_eq!(client.exit_code(), 1, "{options:?}");
        assert_eq!(lines_of(&client.errors()), [NOT_WRITTEN]);
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_server_that_has_nothing_to_print() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut server = Eio::start_with(&["serve", "--listen", "127.0.0.1:0"], |command| {
        command.stdout(writer);
    });
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(line.starts_with("eio listens on "), "{line}");
    assert_eq!(server.exit_code(), 0);
}

#[test]
fn commands_that_only_print_end_with_code_1_on_a_full_disk() {
    for arguments in
        [&["simulate"][..], &["--help"], &["serve", "--help"], &["connect", "-h"], &["--version"]]
    {
        let mut program = Eio::start_with(arguments, |command| {
            command.stdout(full());
        });
        assert_eq!(program.exit_code(), 1, "{arguments:?}");
        assert_eq!(lines_of(&program.errors()), [NOT_WRITTEN]);
    }
}

#[test]
fn exit_codes_are_the_same_when_standard_error_is_full() {
    for (arguments, code) in [
        (&["srve"][..], 2),
        (&["serve", "--listen", "nowhere"], 2),
        (&["connect", "localhost"], 2),
        (&["simulate", "--bandwidth", "fast"], 2),
        (&["simulate"], 1),
        (&["connect", "http://127.0.0.1:1"], 1),
        (&["--help"], 1),
    ] {
        let mut program = Eio::start_with(arguments, |command| {
            command.stdout(full()).stderr(full());
        });
        assert_eq!(program.exit_code(), code, "{arguments:?}");
    }
}
