//! Shows an emulated board and a server side by side: `cargo xtask firmware`.
//!
//! Its only argument is the URL of a server; without it, `eio serve` is started beside the board.

use core::fmt::Write as _;
use core::time::Duration;
use std::fs::File;
use std::process::{Command, ExitCode};

use eio_tests::firmware::{Board, Peer, Power, Report, pause};

/// As people configure it for devices: a dead board is noticed within eight seconds.
const PING_INTERVAL: u64 = 5_000;
const PING_TIMEOUT: u64 = 3_000;

fn main() -> ExitCode {
    let url = std::env::args().nth(1);
    let (mut server, arguments) = match &url {
        None => {
            let server = Peer::eio(0, PING_INTERVAL, PING_TIMEOUT);
            let arguments = format!("port={}", server.port());
            println!("The server's page: http://127.0.0.1:{}/", server.port());
            (Some(server), arguments)
        }
        Some(url) => {
            let Some(arguments) = arguments(url) else {
                eprintln!("{url} is no URL of a server: expected one like http://192.168.1.2:3000/");
                return ExitCode::FAILURE;
            };
            (None, arguments)
        }
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

/// The firmware's command line for this server. The path `/socket.io/` means Socket.IO.
fn arguments(url: &str) -> Option<String> {
    let (authority, path) =
        url.strip_prefix("http://")?.split_once('/').unwrap_or((url.strip_prefix("http://")?, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()?),
        None => (authority, 80),
    };
    // The emulated network has another name for this machine.
    let host = if ["localhost", "127.0.0.1"].contains(&host) { "10.0.2.2" } else { host };
    let namespace = if path.starts_with("socket.io") { " namespace=/" } else { "" };
    (!host.is_empty()).then(|| format!("server={host} port={port}{namespace}"))
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
        assert_eq!(arguments("http://localhost:3000/").as_deref(), Some("server=10.0.2.2 port=3000"));
        assert_eq!(
            arguments("http://example.com/socket.io/").as_deref(),
            Some("server=example.com port=80 namespace=/")
        );
        assert_eq!((arguments("https://example.com"), arguments("http://:80/")), (None, None));
    }
}
