//! The options of `eio serve`, and the server they describe.

use core::num::{NonZeroU32, NonZeroUsize};
use core::time::Duration;
#[cfg(unix)]
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use eio_core::{Heartbeat, detect};
use eio_tokio::{Cors, InvalidOrigin, OriginPattern, ServerBuilder};
use serde_json::{Value, json};

use crate::duration::{self, millis};
use crate::settings::{Timing, liveness_name};

/// Serve Engine.IO, and show every session
///
/// Any Engine.IO client may connect; messages are taken and counted, and sent back with --echo. Every open, upgrade,
/// ping, pong, message and close is a line on standard output, and a page at / shows the sessions live.
///
/// Ctrl-C closes every session and exits with code 0; a second Ctrl-C leaves at once, with code 130. A bad option, or
/// an address that cannot be listened on, is told on standard error, with code 2.
///
/// Sessions outlive the log: where standard output cannot be written, because its disk is full for example, that is
/// told once on standard error, events wait, and writing is tried again every second. When nobody reads standard
/// output any more, the server ends with code 0.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one, which the first line of output names
    ///
    /// Beyond this machine, everybody who reaches the port can open sessions and look at the page, which shows
    /// sessions under short names, without addresses and without what messages say.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_parser = host_and_port)]
    pub(crate) listen: String,

    /// Listen on this Unix socket instead of an address
    ///
    /// The file is made with the permissions of --unix-mode, and removed when the server ends. A file that is left of
    /// a server that was killed is replaced; one that somebody listens on, or that is not a socket, is not.
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    pub(crate) unix: Option<PathBuf>,

    /// The permissions of the Unix socket's file: who may write to it may connect, which is you alone unless told
    /// otherwise
    #[cfg(unix)]
    #[arg(long, value_name = "OCTAL", default_value = "600", requires = "unix", value_parser = mode)]
    pub(crate) unix_mode: u32,

    /// Where sessions live: requests whose path begins with this (Socket.IO clients ask at /socket.io/)
    #[arg(long, value_name = "PATH", default_value = "/engine.io/", value_parser = path)]
    pub(crate) path: String,

    #[command(flatten)]
    pub(crate) timing: Timing,

    /// How long an upgrade from polling to WebSocket may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    upgrade_timeout: Duration,

    /// How long a connection without a session is kept between two requests: longer than a proxy keeps its own end
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = idle)]
    idle_timeout: Duration,

    /// The largest message, and the largest request body, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1000000", value_parser = bytes)]
    max_payload: NonZeroU32,

    /// Which transports may open a session: polling, websocket, or both with a comma
    #[arg(
        long,
        value_name = "LIST",
        default_value = "polling,websocket",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    transports: Vec<Transport>,

    /// How many connections may be open at once, WebSockets included; more wait [default: what descriptors allow]
    ///
    /// While some wait, connections that have not asked for anything are closed after a second. That nobody can be
    /// accepted is told on standard error, once, and so is that it is over; the same where descriptors run out.
    #[arg(long, value_name = "N", value_parser = connections)]
    max_connections: Option<NonZeroUsize>,

    /// How many connections one address may have open at once; more are closed unanswered [default: no limit]
    #[arg(long, value_name = "N", value_parser = connections)]
    max_connections_per_address: Option<NonZeroUsize>,

    /// Refuse to move sessions from polling to WebSocket
    #[arg(long)]
    no_upgrades: bool,

    /// Serve clients of revision 3 too: Socket.IO 1 and 2
    #[arg(long)]
    eio3: bool,

    #[arg(
        long,
        value_name = "ORIGIN",
        value_parser = origin,
        help = "Let pages of this origin use the server, such as https://app.example, or https://*.app.example for its \
                subdomains; * for all origins. May be given once"
    )]
    pub(crate) cors: Option<Pages>,

    /// Answer to this name, too; * for every name. May be given more than once
    ///
    /// On a loopback address the server answers only to names of this machine (localhost, names below it, and
    /// addresses), to pages of this machine, and to what --host and --cors name. Otherwise every page in a browser on this
    /// machine could open sessions, and a stranger's name that is made to point here could read what the page shows.
    /// On other addresses every name is answered until --host is given.
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    pub(crate) host: Vec<String>,

    /// How many threads serve [default: one for each core]
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Send every message back to its sender
    #[arg(long)]
    pub(crate) echo: bool,

    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

const AFTER_HELP: &str = "\
Events, one per line; --json prints each as an object with these members:
  listening  url, address, unix (its path, or null), path, ping_interval_ms,
             ping_timeout_ms, liveness
  open       transport, eio (the protocol's revision: 3 or 4), peer
  upgrade    outcome
  ping       from (the server; in revision 3, the client)
  pong       rtt_ms
  message    kind (text or binary), bytes, and for text its beginning as data
  close      reason, detail, silent_ms (since the client's last sign of life),
             transport, lived_ms, unsent, close_code and close_reason (of the
             client's close frame, or null)
  refused    transport, status, code (the protocol's), message, peer; where the
             name or the page is unknown: target, status, message, peer
  closing    sessions: how many were open when the server was told to end
  lost       count: events that standard output did not take in time
Every event has at (UTC) and ms (since the start); those of a session have
session (a number, counted from 1) and sid (its first four characters, because
whoever knows the whole of it can speak for the client).

Examples:
  eio serve --echo
  eio serve --listen 0.0.0.0:3000 --path /socket.io/
  eio serve --unix /run/eio/eio.sock --unix-mode 660 for a proxy in this group
  eio serve --ping-interval 2s --ping-timeout 1s     watch silence being noticed
  eio serve --json | grep '\"event\":\"close\"'";

impl Options {
    /// Says these options to a builder.
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
            .transports(self.allows(Transport::Polling), self.allows(Transport::Websocket))
            .allow_upgrades(!self.no_upgrades)
            .eio3(self.eio3)
    }

    /// What the page says about the server.
    pub(crate) fn about(&self, heartbeat: Heartbeat) -> Value {
        let liveness = self.timing.liveness();
        let detection = detect::eio4_server(heartbeat, liveness);
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "path": self.path,
            "websocket": self.allows(Transport::Websocket),
            "polling": self.allows(Transport::Polling),
            "eio3": self.eio3,
            "echo": self.echo,
            "interval_ms": millis(heartbeat.ping_interval()),
            "timeout_ms": millis(heartbeat.ping_timeout()),
            "liveness": liveness_name(liveness),
            "noticed_min_ms": millis(detection.after_death_min),
            "noticed_max_ms": millis(detection.after_death_max),
        })
    }

    fn allows(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }
}

/// What may carry a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    Polling,
    Websocket,
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "expected HOST:PORT, such as 127.0.0.1:3000";
    let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    // An IPv6 address stands in brackets, or its last group would be taken for a port.
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
        return Err("expected a path that begins with a slash, such as /socket.io/");
    }
    if text.contains(['?', '#']) || text.parse::<http::Uri>().is_err() {
        return Err("expected a path alone, as it stands in a request");
    }
    Ok(text.to_owned())
}

/// Pages that may use the server.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    cors: Cors,
    /// `None` for all.
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
        Err("expected a name alone, such as dev.example, or *")
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
    fn a_host_is_a_name_alone_or_a_star() {
        for text in ["dev.example", "DEV", "*", "10.0.2.2"] {
            assert_eq!(host_name(text), Ok(text.to_ascii_lowercase()));
        }
        for text in ["", "dev.example:80", "http://dev.example", "a b", "a@b", "*.example"] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_a_path_and_nothing_more() {
        assert!(path("/").is_ok() && path("/a/b/").is_ok());
        for text in ["", "engine.io/", "/a?b", "/a#b", "/a b", "http://a/"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
