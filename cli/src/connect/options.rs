//! The options of `eio connect`, and the client they describe.

use core::time::Duration;

#[cfg(unix)]
use clap::builder::ArgPredicate;
use clap::{Args, ValueEnum};
use eio_core::Revision;
use eio_core::socketio::Packet;
use eio_tokio::{Client, ClientEvent, Transport};

use super::exit_code::ExitCode;
use super::socketio::Namespace;
use super::way::Way;
use crate::duration;

/// Open a session with any server, and watch its heartbeats
///
/// Shows the handshake, each heartbeat with its delay against what the server promised, and messages. Lines from
/// standard input are sent as messages. Ctrl-C closes the session, and --for after a time; when it ends otherwise, the
/// last line says why, in a sentence that helps to find the cause, and the exit code tells the reasons apart.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = after_help())]
#[expect(clippy::struct_excessive_bools, reason = "options that do not depend on each other")]
pub(crate) struct Options {
    /// The server: http://, https://, ws:// or wss://, a host, and a path if sessions are not at /engine.io/
    ///
    /// http and https open on polling and move to WebSocket if the server offers it; ws and wss open on WebSocket.
    /// User and password in the URL are sent as Basic credentials, and shown nowhere; nor are the query's values.
    #[cfg_attr(
        unix,
        arg(
            required = false,
            required_unless_present = "unix",
            default_value_if("unix", ArgPredicate::IsPresent, "http://localhost")
        )
    )]
    pub(crate) url: String,

    /// The revision of the protocol: 4 for Socket.IO 3 and 4, 3 for Socket.IO 1 and 2
    #[arg(long, value_name = "3|4", default_value = "4", hide_possible_values = true)]
    pub(crate) eio: Revision,

    /// Use this transport alone, and never move
    #[arg(long, value_name = "NAME")]
    transport: Option<TransportName>,

    /// Where the server refuses a transport, open the session on the other one
    #[arg(long, conflicts_with = "transport")]
    try_all_transports: bool,

    /// A subprotocol for the WebSocket to offer, the preferred one first; may be repeated
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,

    /// Where sessions are, if the URL does not say [default: /engine.io/, with --socketio /socket.io/]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,

    /// Ask for the path as it is, without a slash at its end
    #[arg(long)]
    no_trailing_slash: bool,

    /// Follow up to 5 redirects until the session opens
    ///
    /// Never from https or wss to plain text. Credentials, headers and cookies go along to the same host and port only,
    /// and from http on port 80 to https on port 443 of the same host. A proxy of the environment is looked up anew.
    #[arg(long)]
    follow_redirects: bool,

    /// Join a namespace and stay on a Socket.IO server [default namespace: /]
    ///
    /// Events are shown by name. A line of input is sent as the event "message" with the line as its argument, or, if it
    /// is a JSON array such as ["chat", "hello", 1], as the event that it names.
    #[arg(long, value_name = "NAMESPACE", num_args = 0..=1, require_equals = true, default_missing_value = "/",
          value_parser = namespace)]
    socketio: Option<String>,

    /// What to join the namespace with: a JSON object, such as {"token":"..."}
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true, requires = "socketio",
          value_parser = auth)]
    auth: String,

    /// A header for every request, such as 'Authorization: Bearer ...'; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) way: Way,

    /// Close the session when it has been open for this long, with code 0
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) open_for: Option<Duration>,

    /// Send nothing: leave standard input alone
    ///
    /// A terminal is read only while this program is in its foreground.
    #[arg(long)]
    pub(crate) no_input: bool,

    /// Print events as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

fn after_help() -> String {
    format!(
        "Exit codes, 11 to 23 for answers to requests within an open session:\n{}\n{EVENTS_AND_EXAMPLES}",
        ExitCode::table()
    )
}

const EVENTS_AND_EXAMPLES: &str = "\
Events, one per line; --json prints each as an object with these members:
  connecting  url (without its secrets), unix (the socket's path), proxy
  waiting     waited_ms, awaited (connection or handshake): after 2 s without one
  open        sid (its beginning), transport, ping_interval_ms, ping_timeout_ms,
              max_payload, upgrades, protocol (the WebSocket's, or null), warning
              (of an interval that is too long for usual proxies)
  redirected  to (with --follow-redirects)
  trying      transport, error (of the one before; with --try-all-transports)
  upgrading   (nothing)
  upgrade     outcome, protocol
  failed      what (upgrade or request), error, and of an upgrade a hint
  ping        from (the server; in revision 3 this client), and from the server:
              after_ms (since the ping before), late_ms (against its promise),
              left_ms (until the session would have ended)
  pong        from, and in revision 3 rtt_ms
  message     kind, bytes, data
  unsent      why
  lost        count: events that standard output did not take in time
With --socketio:
  joined      namespace, sid
  refused     namespace, why
  event       name, arguments, id (of the acknowledgement that it asks for)
  ack         id, arguments
  left        namespace
At the end:
  close       reason, detail, sentence, exit_code, silent_ms, lived_ms,
              heartbeats, transport, close_code and close_reason (of the server's
              close frame, or null)

Examples:
  eio connect http://127.0.0.1:3000
  eio connect --socketio https://app.example
  eio connect --for 60s --no-input https://app.example && echo healthy
  eio connect --socketio=/admin --auth '{\"token\":\"t\"}' wss://app.example
  eio connect --ca authority.pem https://intranet.example
  eio connect --unix /run/user/1000/eio.sock
  eio connect --json ws://127.0.0.1:3000 | grep '\"late_ms\"'";

/// More than any sensible chain.
const MAX_REDIRECTS: u32 = 5;

impl Options {
    /// The client. What is wrong with the options comes back as a sentence.
    pub(crate) fn client(
        &self,
        on_event: impl Fn(ClientEvent) + Send + Sync + 'static,
    ) -> Result<Client, String> {
        let mut builder = Client::builder(&self.url).eio3(self.eio == Revision::V3).on_event(on_event);
        if let Some(transport) = self.transport {
            builder = builder.transports([transport.into()]);
        }
        if self.try_all_transports {
            let (first, second) = if self.opens_websocket() {
                (Transport::WebSocket, Transport::Polling)
            } else {
                (Transport::Polling, Transport::WebSocket)
            };
            builder = builder.transports([first, second]).try_all_transports(true);
        }
        builder = builder.protocols(&self.protocol);
        if let Some(path) = self.path.as_deref().or_else(|| self.default_path()) {
            builder = builder.path(path);
        }
        builder = builder.trailing_slash(!self.no_trailing_slash);
        if self.follow_redirects {
            builder = builder.follow_redirects(MAX_REDIRECTS);
        }
        for (name, value) in &self.header {
            builder = builder.header(name, value);
        }
        self.way.configure(&self.url, builder)?.build().map_err(|error| error.to_string())
    }

    /// Whether sessions open on WebSocket.
    pub(crate) fn opens_websocket(&self) -> bool {
        let by_url =
            || ["ws:", "wss:"].iter().any(|scheme| self.url.to_ascii_lowercase().starts_with(scheme));
        self.transport.map_or_else(by_url, |transport| transport == TransportName::Websocket)
    }

    /// The path of Socket.IO servers, unless the URL has one.
    fn default_path(&self) -> Option<&'static str> {
        let uri: http::Uri = self.url.parse().ok()?;
        (self.socketio.is_some() && matches!(uri.path(), "" | "/")).then_some("/socket.io/")
    }

    /// The namespace to join.
    pub(crate) fn namespace(&self) -> Option<Namespace> {
        self.socketio.as_ref().map(|name| Namespace::new(name, &self.auth))
    }
}

/// What may carry a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TransportName {
    Polling,
    Websocket,
}

impl From<TransportName> for Transport {
    fn from(name: TransportName) -> Self {
        match name {
            TransportName::Polling => Self::Polling,
            TransportName::Websocket => Self::WebSocket,
        }
    }
}

fn namespace(text: &str) -> Result<String, &'static str> {
    let name = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    match Packet::disconnect().in_namespace(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err("expected a namespace, such as /admin, without a comma"),
    }
}

fn auth(text: &str) -> Result<String, &'static str> {
    match Packet::connect(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a JSON object, such as {\"token\":\"...\"}"),
    }
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("expected a name, a colon and a value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn options(line: &str) -> Options {
        args::options(line)
    }

    #[test]
    fn socketio_needs_no_value_and_brings_its_path() {
        let plain = options("http://h");
        assert!(plain.namespace().is_none() && plain.default_path().is_none());
        let root = options("--socketio http://h");
        assert_eq!(root.socketio.as_deref(), Some("/"));
        assert_eq!(root.default_path(), Some("/socket.io/"));
        assert_eq!(options("--socketio=admin http://h").socketio.as_deref(), Some("/admin"));
        assert_eq!(options("--socketio http://h/own/").default_path(), None);
    }

    #[test]
    fn whatever_cannot_be_sent_is_refused() {
        assert!(namespace("/a,b").is_err());
        assert!(auth("[]").is_err() && auth("{}").is_ok() && auth("").is_ok());
        assert!(header("Authorization").is_err());
        assert_eq!(header("A: b: c"), Ok(("A".to_owned(), "b: c".to_owned())));
    }

    #[test]
    fn a_bad_url_is_one_sentence() {
        for url in ["127.0.0.1:3000", "ftp://h", "http://", "http://user:secret@h:x/?token=secret"] {
            let sentence = options(url).client(|_| {}).unwrap_err();
            assert_eq!(sentence.lines().count(), 1, "{sentence}");
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}
