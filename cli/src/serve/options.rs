//! The options of `eio serve`, and the server that they configure.

use core::num::{NonZeroU32, NonZeroUsize};
use core::time::Duration;
#[cfg(unix)]
use std::path::PathBuf;

use clap::Args;
use eio_core::{Heartbeat, detect};
use eio_tokio::{Cors, InvalidOrigin, OriginPattern, ServerBuilder};
use serde_json::{Value, json};

use crate::duration::{self, millis};
use crate::settings::{Timing, TransportName};

/// Run an Engine.IO server, and show every session
///
/// Any Engine.IO client can connect. The server counts its messages and, with --echo, sends them back. It prints a line
/// for every open, upgrade, ping, pong, message and close. The page at / shows the sessions live.
///
/// Ctrl-C closes every session, and the server exits with code 0. A second Ctrl-C ends it at once, with code 130. After
/// an invalid option, or if it cannot listen, the server exits with code 2.
///
/// If the server cannot write to standard output, for example because the disk is full, it says so once on standard error,
/// and sessions go on. It tries again every second, and drops events when too many are waiting. If nobody reads standard
/// output any more, for example after `eio serve | head`, it exits with code 0.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Options {
    /// The address to listen on. Port 0 picks a free port, which the first line of output shows
    ///
    /// On an address that other machines can reach, everybody who reaches it can open sessions and see the page. The page
    /// shows neither the addresses of clients nor the content of messages.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_parser = host_and_port)]
    pub(crate) listen: String,

    /// Listen on this Unix socket instead
    ///
    /// The server creates the file with the permissions of --unix-mode, and removes it when it ends. It replaces a file
    /// that a killed server has left behind, but no other file, and no socket that another program listens on.
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    pub(crate) unix: Option<PathBuf>,

    /// The permissions of the file of the Unix socket. Everybody who may write to the file can connect
    #[cfg(unix)]
    #[arg(long, value_name = "OCTAL", default_value = "600", requires = "unix", value_parser = mode)]
    pub(crate) unix_mode: u32,

    /// The path of the sessions. Socket.IO clients use /socket.io/
    #[arg(long, value_name = "PATH", default_value = "/engine.io/", value_parser = path)]
    pub(crate) path: String,

    #[command(flatten)]
    pub(crate) timing: Timing,

    /// How long an upgrade from polling to WebSocket may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    upgrade_timeout: Duration,

    /// How long an idle HTTP connection stays open between two requests. Choose a longer time than that of a proxy in front
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = idle)]
    idle_timeout: Duration,

    /// The size of the largest message and of the largest request body, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1000000", value_parser = bytes)]
    max_payload: NonZeroU32,

    /// The transports that can open a session: polling, websocket, or both with a comma
    #[arg(
        long,
        value_name = "LIST",
        default_value = "polling,websocket",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    transports: Vec<TransportName>,

    /// The most connections at once, WebSockets included. Further ones wait [default: what file descriptors allow]
    ///
    /// While connections wait, the server closes those that send no request for a second. It says on standard error when
    /// it can accept no connection, because of this limit or because it has no file descriptor left, and when it can again.
    #[arg(long, value_name = "N", value_parser = connections)]
    max_connections: Option<NonZeroUsize>,

    /// The most connections at once from one address. Further ones are closed [default: no limit]
    #[arg(long, value_name = "N", value_parser = connections)]
    max_connections_per_address: Option<NonZeroUsize>,

    /// Do not let sessions move from polling to WebSocket
    #[arg(long)]
    no_upgrades: bool,

    /// Also serve clients of revision 3: Socket.IO 1 and 2
    #[arg(long)]
    eio3: bool,

    #[arg(
        long,
        value_name = "ORIGIN",
        value_parser = origin,
        help = "Let web pages of this origin use the server: https://app.example, https://*.app.example for all \
                subdomains, or * for every origin"
    )]
    pub(crate) cors: Option<Pages>,

    /// Also answer to this host name, or to every name with *. May be repeated
    ///
    /// On a loopback address, the server answers only to addresses and to names of this machine (localhost and names that
    /// end with .localhost), only to web pages from this machine, and to what --host and --cors allow. Otherwise every web
    /// page in a browser on this machine could open sessions and, with a host name that points here, read the page. On
    /// other addresses, the server answers to every name unless --host is given.
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    pub(crate) host: Vec<String>,

    /// The number of threads that serve [default: one per core]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Send every message back to its sender
    #[arg(long)]
    pub(crate) echo: bool,

    /// Print each event as a JSON object on one line
    #[arg(long)]
    pub(crate) json: bool,
}

const AFTER_HELP: &str = "\
Events, one per line. With --json, each is an object with \"event\" (its name), \"at\" (UTC),
\"ms\" (since the start) and these members:
  listening  url, address, unix (path of the socket, or null), path, ping_interval_ms,
             ping_timeout_ms, liveness
  open       transport, eio (revision of the protocol: 3 or 4), peer (address)
  upgrade    outcome
  ping       from (server; client in revision 3)
  pong       rtt_ms
  message    kind (text or binary), bytes, data (the beginning of a text)
  close      reason, detail, silent_ms (since the client's last sign of life),
             transport, lived_ms, unsent (messages), close_code and close_reason
             (of the client's close frame, or null)
  refused    transport, status, code (of the protocol), message, peer; or, because of the
             path, the host name or the origin, target, status, message, peer
  closing    sessions: how many were open when the server began to stop
  lost       count: how many events were dropped because nobody read them in time
An event of a session also has session (its number, from 1) and sid (the first four
characters of its id, because somebody who knows the whole id can act as its client).

Examples:
  eio serve --echo
  eio serve --listen 0.0.0.0:3000 --path /socket.io/
  eio serve --unix /run/eio/eio.sock --unix-mode 660   for a proxy in the file's group
  eio serve --ping-interval 2s --ping-timeout 1s       see dead clients detected soon
  eio serve --json | grep '\"event\":\"close\"'";

impl Options {
    /// Applies these options to a builder.
    pub(crate) fn configure(&self, builder: ServerBuilder, heartbeat: Heartbeat) -> ServerBuilder {
        let builder = match &self.cors {
            Some(pages) => builder.cors(pages.cors.clone()),
            None => builder,
        };
        let builder = match self.max_connections {
            Some(connections) => builder.max_connections(connections.get()),
            None => builder,
        };
        let builder = match self.max_connections_per_address {
            Some(connections) => builder.max_connections_per_address(connections.get()),
            None => builder,
        };
        builder
            .heartbeat(heartbeat)
            .liveness(self.timing.liveness())
            .path(&self.path)
            .upgrade_timeout(self.upgrade_timeout)
            .idle_timeout(self.idle_timeout)
            .max_payload(self.max_payload.get())
            .transports(self.allows(TransportName::Polling), self.allows(TransportName::Websocket))
            .allow_upgrades(!self.no_upgrades)
            .eio3(self.eio3)
    }

    /// Describes the server for the page.
    pub(crate) fn about(&self, heartbeat: Heartbeat) -> Value {
        let liveness = self.timing.liveness();
        let detection = detect::eio4_server(heartbeat, liveness);
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "path": self.path,
            "websocket": self.allows(TransportName::Websocket),
            "polling": self.allows(TransportName::Polling),
            "eio3": self.eio3,
            "echo": self.echo,
            "interval_ms": millis(heartbeat.ping_interval()),
            "timeout_ms": millis(heartbeat.ping_timeout()),
            "liveness": liveness.as_str(),
            "noticed_min_ms": millis(detection.after_death_min),
            "noticed_max_ms": millis(detection.after_death_max),
        })
    }

    fn allows(&self, transport: TransportName) -> bool {
        self.transports.contains(&transport)
    }
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected HOST:PORT, such as 127.0.0.1:3000";
    let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    // An IPv6 address needs brackets, because otherwise its last group looks like a port.
    let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || bare_ipv6 || port.parse::<u16>().is_err() {
        return Err(EXPECTED);
    }
    Ok(text.to_owned())
}

#[cfg(unix)]
fn mode(text: &str) -> Result<u32, &'static str> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .ok_or("expected permissions in octal, such as 600 or 660")
}

fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("expected a path with a slash at its beginning, such as /socket.io/");
    }
    if text.contains(['?', '#']) || text.parse::<http::Uri>().is_err() {
        return Err("expected a path without a query or a fragment, percent-encoded");
    }
    Ok(text.to_owned())
}

/// The web pages that may use the server.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    cors: Cors,
    /// `None` allows every origin.
    pub(crate) pattern: Option<OriginPattern>,
}

fn origin(text: &str) -> Result<Pages, InvalidOrigin> {
    let pattern = if text == "*" { None } else { Some(text.parse()?) };
    Ok(Pages { cors: Cors::origins([text])?, pattern })
}

fn host_name(text: &str) -> Result<String, &'static str> {
    let is_name =
        !text.contains('*') && text.parse::<http::uri::Authority>().is_ok_and(|name| name.host() == text);
    if text == "*" || is_name {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected a host name without a port, such as dev.example, or *")
    }
}

fn bytes(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "expected a number of bytes from 1 to 4294967295")
}

fn idle(text: &str) -> Result<Duration, String> {
    let idle = duration::parse(text).map_err(|error| error.to_string())?;
    if idle < Duration::from_secs(1) {
        return Err("expected at least 1s".to_owned());
    }
    Ok(idle)
}

fn connections(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "expected a number of connections, at least 1")
}

fn workers(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse()
        .ok()
        .filter(|workers: &NonZeroUsize| workers.get() <= 1_024)
        .ok_or("expected a number from 1 to 1024")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:3000", "localhost:0", "[::1]:80", "0.0.0.0:65535"] {
            assert!(host_and_port(text).is_ok(), "{text}");
        }
        for text in ["", "3000", ":3000", "localhost", "::1", "::1:3000", "a:65536", "a:b"] {
            assert!(host_and_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_without_a_port_or_a_star() {
        for text in ["dev.example", "DEV", "*", "10.0.2.2"] {
            assert_eq!(host_name(text), Ok(text.to_ascii_lowercase()));
        }
        for text in ["", "dev.example:80", "http://dev.example", "a b", "a@b", "*.example"] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_has_neither_query_nor_fragment() {
        assert!(path("/").is_ok() && path("/a/b/").is_ok());
        for text in ["", "engine.io/", "/a?b", "/a#b", "/a b", "http://a/"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
