//! Shows an emulated board and a server side by side: `cargo xtask firmware`.
//!
//! Its arguments are the URL of a server and, if that begins with `https`, the file with the server's public key. Without
//! arguments, `eio serve` is started beside the board.
#![forbid(unsafe_code)]

use core::fmt::Write as _;
use core::time::Duration;
use std::fs::File;
use std::process::{Command, ExitCode};

use eio_tests::firmware::{Board, Peer, Power, Report, pause};

/// As people configure it for devices: a dead board is noticed within eight seconds.
const PING_INTERVAL: u64 = 5_000;
const PING_TIMEOUT: u64 = 3_000;

fn main() -> ExitCode {
    let (url, key) = (std::env::args().nth(1), std::env::args_os().nth(2));
    let (mut server, arguments) = match &url {
        None => {
            let server = Peer::eio(0, PING_INTERVAL, PING_TIMEOUT);
            let arguments = format!("port={}", server.port());
            println!("The server's page: http://127.0.0.1:{}/", server.port());
            (Some(server), arguments)
        }
        Some(url) => match key.map(std::fs::read).transpose().map_err(|error| error.to_string()) {
            Ok(key) => match arguments(url, key.as_deref()) {
                Ok(arguments) => (None, arguments),
                Err(expected) => {
                    eprintln!("{url}: {expected}");
                    return ExitCode::FAILURE;
                }
            },
            Err(error) => {
                eprintln!("the key's file: {error}");
                return ExitCode::FAILURE;
            }
        },
    };
    let mut board = Board::start(Power::on(), "firmware", &arguments);
    println!("Ctrl-C ends it.\n");
    let columns = Columns::of_terminal();
    columns.print("board", if server.is_some() { "server" } else { "" });
    let (mut board_shown, mut server_shown) = (0, 0);
    while board.is_running() {
        for line in &board.log()[board_shown..] {
            columns.print(&line.to_string(), "");
            board_shown += 1;
        }
        if let Some(server) = &mut server {
            for report in &server.reports()[server_shown..] {
                columns.print("", &spoken(report));
                server_shown += 1;
            }
        }
        pause(Duration::from_millis(20));
    }
    ExitCode::SUCCESS
}

/// The firmware's command line for this server, or what was expected. The path `/socket.io/` means Socket.IO.
fn arguments(url: &str, key: Option<&[u8]>) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected the URL of a server, such as http://192.168.1.2:3000/";
    let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (usual_port, key) = match (scheme, key) {
        ("http", None) => (80, String::new()),
        ("https", Some(der)) => (443, format!(" key={}", coordinates(der)?)),
        ("http", Some(_)) => return Err("a key is for a URL that begins with https"),
        ("https", None) => return Err("expected the server's public key: --key server-public.der"),
        _ => return Err(EXPECTED),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().map_err(|_| EXPECTED)?),
        None => (authority, usual_port),
    };
    // The emulated network has another name for this machine.
    let host = if ["localhost", "127.0.0.1"].contains(&host) { "10.0.2.2" } else { host };
    let namespace = if path.starts_with("socket.io") { " namespace=/" } else { "" };
    if host.is_empty() { Err(EXPECTED) } else { Ok(format!("server={host} port={port}{namespace}{key}")) }
}

/// The two coordinates of a public key on P-256, in hexadecimal digits, as the firmware takes them.
fn coordinates(der: &[u8]) -> Result<String, &'static str> {
    match der.split_at_checked(der.len().saturating_sub(64)) {
        // The algorithm, and the byte that says that both coordinates follow.
        Some((head @ [.., 4], coordinates)) if head.len() == 27 => {
            Ok(coordinates.iter().fold(String::new(), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            }))
        }
        _ => Err("expected a public key on P-256 in DER, which has 91 bytes"),
    }
}

/// An event of `eio serve --json` in one line.
fn spoken(report: &Report) -> String {
    let Some(members) = report.as_object() else { return report.to_string() };
    let millis = report["ms"].as_u64().unwrap_or(0);
    let mut text =
        format!("{:>4}.{:03} {}", millis / 1_000, millis % 1_000, report["event"].as_str().unwrap_or("?"));
    for (name, value) in members {
        if !["at", "ms", "event", "session", "sid"].contains(&name.as_str()) && !value.is_null() {
            // Texts without their quotation marks.
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(text, " {name}={value}");
        }
    }
    text
}

/// Two columns.
struct Columns {
    width: usize,
}

impl Columns {
    /// Half of the terminal each, or enough for most lines.
    fn of_terminal() -> Self {
        let size = File::open("/dev/tty").ok().and_then(|terminal| {
            let output = Command::new("stty").arg("size").stdin(terminal).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            text.split_whitespace().nth(1)?.parse::<usize>().ok()
        });
        Self { width: size.filter(|columns| *columns >= 40).unwrap_or(160) / 2 - 2 }
    }

    fn print(&self, left: &str, right: &str) {
        let (mut left, mut right) = (self.rows(left), self.rows(right));
        let rows = left.len().max(right.len());
        left.resize(rows, String::new());
        right.resize(rows, String::new());
        for (left, right) in left.iter().zip(&right) {
            println!("{left:width$} | {right}", width = self.width);
        }
    }

    /// A long line continues below, indented.
    fn rows(&self, text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        let mut rows: Vec<String> = Vec::new();
        let mut rest = characters.as_slice();
        while !rest.is_empty() {
            let indent = if rows.is_empty() { "" } else { "            " };
            let (row, after) = rest.split_at(rest.len().min(self.width - indent.len()));
            rows.push(format!("{indent}{}", row.iter().collect::<String>()));
            rest = after;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_the_firmwares_arguments() {
        assert_eq!(arguments("http://localhost:3000/", None), Ok("server=10.0.2.2 port=3000".into()));
        assert_eq!(
            arguments("http://example.com/socket.io/", None),
            Ok("server=example.com port=80 namespace=/".into())
        );
        for url in ["ftp://example.com", "http://:80/", "http://example.com:http", "example.com"] {
            assert!(arguments(url, None).is_err(), "{url}");
        }
    }

    #[test]
    fn a_url_with_https_takes_a_key_and_another_none() {
        let mut der = [0xab; 91];
        der[26] = 4;
        assert_eq!(
            arguments("https://example.com", Some(&der)),
            Ok(format!("server=example.com port=443 key={}", "ab".repeat(64)))
        );
        assert!(arguments("https://example.com", None).is_err_and(|expected| expected.contains("--key")));
        assert!(arguments("http://example.com", Some(&der)).is_err());
        for wrong in [&der[..90], &[0; 91], b"-----BEGIN"] {
            assert!(
                arguments("https://example.com", Some(wrong)).is_err_and(|expected| expected.contains("91"))
            );
        }
    }
}
