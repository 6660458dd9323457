//! Unix sockets, served and connected to.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::connection::{Directory, echoes, sentence};
use crate::program::Eio;

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_unix_socket_is_served_connected_to_and_removed() {
    let directory = Directory::new("unix");
    let path = directory.file("s");
    let mut server = Eio::start(&["serve", "--json", "--echo", "--unix", &path]);
    let listening = server.event("listening");
    assert_eq!(listening["unix"], *path);
    assert!(listening["url"].is_null() && listening["address"].is_null(), "{listening}");
    assert_eq!(mode(&path), 0o600);
    for more in [&[][..], &["ws://localhost"], &["--transport", "polling", "http://localhost"]] {
        let mut client = Eio::start(&[&["connect", "--json", "--unix", &path], more].concat());
        assert_eq!(client.event("connecting")["unix"], *path);
        echoes(&mut client);
    }
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    assert!(!Path::new(&path).exists());
    assert!(sentence(&["--unix", &path], 3).contains(&path));
}

#[test]
fn the_first_line_names_the_socket_and_its_permissions_are_as_given() {
    let directory = Directory::new("mode");
    let path = directory.file("s");
    let mut server = Eio::start(&["serve", "--unix", &path, "--unix-mode", "660"]);
    let line = server.line();
    assert!(line.starts_with(&format!("eio listens on the Unix socket {path}; sessions at ")), "{line}");
    assert_eq!(mode(&path), 0o660);
}

#[test]
fn only_the_file_of_a_socket_without_a_listener_is_replaced() {
    let directory = Directory::new("stale");
    let path = directory.file("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    let mut server = Eio::start(&["serve", "--json", "--unix", &path]);
    server.event("listening");
    UnixStream::connect(&path).unwrap();

    let refused = |path: &str| {
        let mut other = Eio::start(&["serve", "--unix", path]);
        assert_eq!(other.exit_code(), 2);
        other.errors()
    };
    let errors = refused(&path);
    assert!(errors.contains("another program uses it"), "{errors}");
    UnixStream::connect(&path).unwrap();
    let errors = refused(&directory.write("text", "precious"));
    assert!(errors.contains("the file exists and is not a socket"), "{errors}");
    assert_eq!(fs::read_to_string(directory.file("text")).unwrap(), "precious");
    let errors = refused(&directory.file("no/such/s"));
    assert!(errors.contains("the directory of") && errors.contains("does not exist"), "{errors}");
    let errors = refused(&directory.file(&"s".repeat(200)));
    assert!(errors.contains("too long for a Unix socket"), "{errors}");
}

#[test]
fn one_of_several_servers_that_start_at_once_listens() {
    let directory = Directory::new("race");
    let path = directory.file("s");
    for _ in 0..8 {
        drop(UnixListener::bind(&path).unwrap());
        let mut servers = [(); 4].map(|()| Eio::start(&["serve", "--unix", &path]));
        let listening: Vec<&mut Eio> =
            servers.iter_mut().filter_map(|server| server.line_or_end().map(|_| server)).collect();
        let [server] = &mut listening.into_iter().collect::<Vec<_>>()[..] else {
            panic!("another number than one listens");
        };
        UnixStream::connect(&path).unwrap();
        server.interrupt();
        assert_eq!(server.exit_code(), 0);
        assert!(!Path::new(&path).exists());
    }
}

#[test]
fn the_file_of_another_server_stays() {
    let directory = Directory::new("taken");
    let path = directory.file("s");
    let mut server = Eio::start(&["serve", "--json", "--unix", &path]);
    server.event("listening");
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    UnixStream::connect(&path).unwrap();
}
