//! The options of `eio serve`.

use core::num::{NonZeroU32, NonZeroUsize};
use core::time::Duration;
use std::path::PathBuf;

use clap::Args;
use eio_tokio::{Cors, InvalidOrigin};

use super::cluster::ClusterOptions;
use super::tls::TlsFiles;
#[cfg(unix)]
use super::unix::Mode;
use super::values::{HostAndPort, HostName, Workers};
use crate::duration;
use crate::settings::{Timing, TransportName};
use crate::sids::SidOptions;

/// Run an Engine.IO server, and show every session
///
/// Any Engine.IO client can connect. The server counts its messages and, with --echo, sends them back. It prints a line
/// for every open, upgrade, ping, pong, message and close. The page at / shows the sessions live.
///
/// Ctrl-C closes every session, and the server exits with code 0. A second Ctrl-C ends it at once, with code 130. After
/// an invalid option or file, or if it cannot listen, the server exits with code 2.
///
/// If the server cannot write to standard output, for example because the disk is full, it says so once on standard error,
/// and sessions go on. It tries again every second, and drops events when too many are waiting. If nobody reads standard
/// output any more, for example after `eio serve | head`, it exits with code 0.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Options {
    /// Read the settings from this file: .toml, .yaml, .yml or .json. Options override it
    ///
    /// The table below lists its members. An option that is given here replaces the member of the file; a switch, such as
    /// --echo, can only turn something on.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The address to listen on [default: 127.0.0.1:3000]. Port 0 picks a free port, which the first line of output shows
    ///
    /// On an address that other machines can reach, everybody who reaches it can open sessions and see the page. The page
    /// shows neither the addresses of clients nor the content of messages.
    #[arg(long, value_name = "HOST:PORT", value_parser = HostAndPort::parse)]
    pub(crate) listen: Option<HostAndPort>,

    /// Listen on this port of 127.0.0.1, or of the host in the file
    #[arg(long, value_name = "PORT", conflicts_with = "listen", value_parser = port)]
    pub(crate) port: Option<u16>,

    /// Listen on this Unix socket instead
    ///
    /// The server creates the file with the permissions of --unix-mode, and removes it when it ends. It replaces a file
    /// that a killed server has left behind, but no other file, and no socket that another program listens on.
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["listen", "port"])]
    pub(crate) unix: Option<PathBuf>,

    /// The permissions of the file of the Unix socket [default: 600]. Everybody who may write to the file can connect
    #[cfg(unix)]
    #[arg(long, value_name = "OCTAL", value_parser = Mode::parse)]
    pub(crate) unix_mode: Option<Mode>,

    #[command(flatten)]
    pub(super) tls: TlsFiles,

    /// Serve Socket.IO: its clients join namespaces, and send events
    ///
    /// Clients may join / and every other namespace whose name has at most 64 bytes. The event "join" with the name of a
    /// room, of at most 64 bytes, lets its sender join that room, and "leave" lets it leave. Both are acknowledged with the
    /// rooms that the sender is in. The event "to" with the name of a room, the name of an event and its arguments sends that
    /// event to the others in the room, and is acknowledged with the number of those on this node. Other events are counted:
    /// with --echo they are sent back and acknowledged, and without it they are not acknowledged, so that a client's timeouts
    /// can be tried. The page shows the namespaces, too.
    #[arg(long)]
    pub(crate) socketio: bool,

    /// The path of the sessions [default: /engine.io/, or /socket.io/ with --socketio]
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(crate) path: Option<String>,

    #[command(flatten)]
    pub(crate) timing: Timing,

    /// How long an upgrade from polling to WebSocket may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) upgrade_timeout: Option<Duration>,

    /// How long an idle HTTP connection stays open between two requests [default: 75s]. Choose a longer time than that of a
    /// proxy in front
    #[arg(long, value_name = "TIME", value_parser = idle)]
    pub(crate) idle_timeout: Option<Duration>,

    /// The size of the largest message and of the largest request body, in bytes [default: 1000000]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_payload: Option<NonZeroU32>,

    /// The transports that can open a session [default: polling,websocket]: polling, websocket, or both with a comma
    #[arg(long, value_name = "LIST", value_delimiter = ',', hide_possible_values = true)]
    pub(crate) transports: Option<Vec<TransportName>>,

    /// The most connections at once, WebSockets included. Further ones wait [default: what file descriptors allow]
    ///
    /// While connections wait, the server closes those that send no request for a second. It says on standard error when
    /// it can accept no connection, because of this limit or because it has no file descriptor left, and when it can again.
    #[arg(long, value_name = "N", value_parser = connections)]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// The most connections at once from one address. Further ones are closed [default: no limit]
    #[arg(long, value_name = "N", value_parser = connections)]
    pub(crate) max_connections_per_address: Option<NonZeroUsize>,

    /// Do not let sessions move from polling to WebSocket
    #[arg(long)]
    pub(crate) no_upgrades: bool,

    /// Also serve clients of revision 3: Socket.IO 1 and 2
    #[arg(long)]
    pub(crate) eio3: bool,

    #[arg(
        long,
        value_name = "ORIGIN",
        value_parser = origin,
        help = "Let web pages of this origin use the server: https://app.example, https://*.app.example for all \
                subdomains, or * for every origin"
    )]
    pub(crate) cors: Option<Cors>,

    /// Also answer to this host name, or to every name with *. May be repeated
    ///
    /// On a loopback address, the server answers only to addresses and to names of this machine (localhost and names that
    /// end with .localhost), only to web pages from this machine, and to what --host and --cors allow. Otherwise every web
    /// page in a browser on this machine could open sessions and, with a host name that points here, read the page. On
    /// other addresses, the server answers to every name unless --host is given.
    #[arg(long, value_name = "NAME", value_parser = HostName::parse)]
    pub(crate) host: Vec<HostName>,

    /// The number of threads that serve [default: one per core]
    #[arg(long, value_name = "N", value_parser = Workers::parse)]
    pub(crate) workers: Option<Workers>,

    /// Send every message back to its sender
    ///
    /// With --socketio, each event comes back under its own name and with its arguments, binary data included. A client that
    /// asked for an acknowledgement gets the arguments with it, too.
    #[arg(long)]
    pub(crate) echo: bool,

    /// Print each event as a JSON object on one line
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) sids: SidOptions,

    #[command(flatten)]
    pub(super) cluster: ClusterOptions,
}

const AFTER_HELP: &str = "\
Events, one per line. With --json, each is an object with \"event\" (its name), \"at\" (UTC),
\"ms\" (since the start) and these members:
  listening  url, address, unix (path of the socket, or null), tls (true or false), path,
             ping_interval_ms, ping_timeout_ms, liveness
  open       transport, eio (revision of the protocol: 3 or 4), peer (address)
  upgrade    outcome
  ping       from (server; client in revision 3)
  pong       rtt_ms
  message    kind (text or binary), bytes, data (the beginning of a text)
  close      reason, detail, silent_ms (since the client's last sign of life),
             transport, lived_ms, unsent (messages), close_code and close_reason
             (of the client's close frame, or null)
  refused    transport, status, code (of the protocol), message, context (what was found and
             what was expected), user_agent, sid_hash (of the session that the request names, or
             null), peer; or, because of the path, the host name or the origin, target, status,
             message, peer
With --socketio:
  joined     namespace, socket (the beginning of its id, as of a sid, or all of it with
             --show-sids): a client has joined a namespace
  left       namespace, socket, reason (as socket.io calls it), detail, lived_ms: a socket has
             ended, once, with its session or before
  refused    namespace, socket, message: the client may not join
  failed     namespace, socket, name (of an event), error: the event could not be handled
With --bus:
  node       node (its name), change: joined, draining, gone, or name taken twice
  bus        up (true or false), cause (why not, or null), lost (messages since the last of
             these events)
At the end, and when too much is printed:
  closing    sessions: how many were open when the server began to stop
  lost       count: how many events were dropped because nobody read them in time
An event of a session also has session (its number, from 1), sid (the first four characters
of its id, with --node behind the name of the node, because somebody who knows the whole id
can act as its client; or all of it with --show-sids) and sid_hash (16 digits that are the
same in the logs of eio connect and of other servers; see --sid-key).

Members of the file of --config. All are optional. Times are texts with a unit, such as
\"25s\", or whole milliseconds. Names with underscores, such as ping_interval, mean the same.
  listen, unix, unixMode, tlsCert, tlsKey, workers, socketio, echo, json, showSids,
  sidKey, nodeAddress, nodeSecret
                     the options of these names (--listen, --unix, ..)
  allowedHosts       a list of host names: --host
  bus                a URL, or a list of them: --bus
  path, transports, allowUpgrades, allowEIO3, maxPayload (or maxHttpBufferSize)
  pingInterval, pingTimeout, liveness, firstPingJitter, upgradeTimeout, closeTimeout,
  appStallTimeout, requestTimeout, idleTimeout
  node, rememberEnded
  maxSessions, maxConnections, maxConnectionsPerAddress, maxPackets,
  maxPacketsPerPayload, maxRequestHead, maxRequestHeaders, inboxMessages, inboxBytes,
  outboxMessages, outboxBytes
  handshakesPerAddress   { count, period }
  cors               { origins, credentials, methods, allowedHeaders, exposedHeaders,
                     maxAge }
  allowedOrigins     a list of origins, \"same-origin\" or \"*\"
  trustedProxies     { header (x-forwarded-for or forwarded), networks, withoutAddress }
  cookie             a name, or { name, path, httpOnly, secure, sameSite, maxAge }
  responseHeaders    names and values
  initialPacket, compression, compressionThreshold, http2
The documentation of eio-tokio explains each (ServerConfig), and has a whole file in the
chapter \"configuration\" of its guide.

Examples:
  eio serve --echo
  eio serve --socketio --echo                          for io(\"http://127.0.0.1:3000\")
  eio serve --listen 0.0.0.0:3000 --path /socket.io/
  eio serve --unix /run/eio/eio.sock --unix-mode 660   for a proxy in the file's group
  eio serve --tls-cert fullchain.pem --tls-key privkey.pem   https and wss
  eio serve --ping-interval 2s --ping-timeout 1s       see dead clients detected soon
  eio serve --config eio.toml --port 8080              the file's settings, on another port
  eio serve --node a7 --bus redis://127.0.0.1 --node-secret secret   one of several nodes
  eio serve --json | grep '\"event\":\"close\"'";

fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("expected a path with a slash at its beginning, such as /socket.io/");
    }
    if text.contains(['?', '#']) || text.parse::<http::Uri>().is_err() {
        return Err("expected a path without a query or a fragment, percent-encoded");
    }
    Ok(text.to_owned())
}

fn origin(text: &str) -> Result<Cors, InvalidOrigin> {
    Cors::origins([text])
}

fn port(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "expected a port from 0 to 65535")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_neither_query_nor_fragment() {
        assert!(path("/").is_ok() && path("/a/b/").is_ok());
        for text in ["", "engine.io/", "/a?b", "/a#b", "/a b", "http://a/"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
