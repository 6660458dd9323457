//! The options of `eio connect`, and the client that they configure.

use core::time::Duration;

use clap::Args;
#[cfg(unix)]
use clap::builder::ArgPredicate;
use eio_core::Revision;
use eio_core::socketio::Packet;
use eio_tokio::{Client, ClientEvent, Transport};

use super::connection::ConnectionOptions;
use super::diagnosis::Diagnosis;
use super::exit_code::ExitCode;
use super::history::Membership;
use super::socketio::Namespace;
use crate::duration;
use crate::settings::TransportName;
use crate::sids::SidOptions;
use crate::usage::Failure;

/// Connect to a server, and watch the heartbeats of the session
///
/// Shows the handshake, every ping and how late it is, and every message. Sends the lines of standard input as messages.
/// Ctrl-C closes the session. Whatever ends it, the last line says why and what to try, and the exit code tells scripts how
/// it ended.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = after_help())]
#[expect(clippy::struct_excessive_bools, reason = "options that do not depend on each other")]
pub(crate) struct Options {
    /// The server: http://, https://, ws:// or wss://, a host, and the path if it is not /engine.io/
    ///
    /// With http and https, the session opens on polling and moves to WebSocket if the server offers it. With ws and wss,
    /// it opens on WebSocket. USER:PASSWORD@ in the URL is sent as Basic credentials. The output shows neither these nor
    /// the values of the query.
    #[cfg_attr(
        unix,
        arg(
            required = false,
            required_unless_present = "unix",
            default_value_if("unix", ArgPredicate::IsPresent, "http://localhost")
        )
    )]
    pub(crate) url: String,

    /// The revision of the Engine.IO protocol: 4 for Socket.IO 3 and 4, 3 for Socket.IO 1 and 2
    #[arg(long, value_name = "3|4", default_value = "4", hide_possible_values = true)]
    pub(crate) eio: Revision,

    /// Use only this transport
    #[arg(long, value_name = "NAME")]
    transport: Option<TransportName>,

    /// If the session does not open on the first transport, try the other one
    #[arg(long, conflicts_with = "transport")]
    try_all_transports: bool,

    /// Offer this WebSocket subprotocol. Repeat it to offer several, in the order of preference
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,

    /// The path of the sessions, if the URL has none [default: /engine.io/, or /socket.io/ with --socketio]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,

    /// Do not add a slash to the end of the path
    #[arg(long)]
    no_trailing_slash: bool,

    /// Follow up to 5 redirects when the session opens
    ///
    /// A redirect from https or wss to plain text is not followed. Credentials, headers and cookies are sent only to the
    /// same host and port, or to port 443 of the same host after a redirect from port 80. For each URL, the environment
    /// decides about the proxy.
    #[arg(long)]
    follow_redirects: bool,

    /// Act as a Socket.IO client, and join a namespace [default namespace: /]
    ///
    /// Events are shown with their names. A line of input is sent as an event called "message" with the line as its
    /// argument. A line that is a JSON array, such as ["chat", "hello", 1], is sent as the event that it names. Lines wait
    /// until the namespace is joined.
    #[arg(long, value_name = "NAMESPACE", num_args = 0..=1, require_equals = true, default_missing_value = "/",
          value_parser = namespace)]
    socketio: Option<String>,

    /// Send this JSON object to the namespace as credentials, such as {"token":"..."}
    ///
    /// Socket.IO 1 and 2 (--eio 3) take credentials in the query of the namespace instead, as in
    /// --socketio='/admin?token=...', or of the URL.
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true, requires = "socketio",
          value_parser = auth)]
    auth: String,

    /// Add a header to every request, such as 'Authorization: Bearer ...'. May be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,

    /// Close the session after it has been open for this long, and exit with code 0 if the server confirms the close
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) open_for: Option<Duration>,

    /// Do not read standard input
    ///
    /// Without this option, eio reads a terminal only while it runs in the foreground.
    #[arg(long)]
    pub(crate) no_input: bool,

    /// Print each event as a JSON object on one line
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) sids: SidOptions,
}

fn after_help() -> String {
    format!(
        "Exit codes (11 to 23 are for HTTP answers, when the session opens and later):\n{}\n\
         Diagnoses, of which the last line has one (docs/diagnoses.md says what each means and what to do):\n{}\n\n\
         {EVENTS_AND_EXAMPLES}",
        ExitCode::table(),
        Diagnosis::names()
    )
}

const EVENTS_AND_EXAMPLES: &str = "\
Events, one per line. With --json, each is an object with \"event\" (its name), \"at\" (UTC),
\"ms\" (since the start) and these members:
  connecting  url (without secrets), unix (path of the socket), proxy
  waiting     waited_ms, waiting_for (connection or handshake): printed after 2 s
  open        sid (its beginning, or all of it with --show-sids), sid_hash (16 digits that
              are the same in the server's log; see --sid-key), transport,
              ping_interval_ms, ping_timeout_ms, max_payload, upgrades, protocol (the WebSocket subprotocol or null),
              warning (if common proxies cut connections within the ping interval)
  redirected  to (with --follow-redirects)
  trying      transport, error (of the other transport; with --try-all-transports)
  upgrading   (no members): the client opens a WebSocket
  upgrade     outcome, protocol, diagnosis (of a failure, or null)
  failed      what (upgrade or request), error; for an upgrade also diagnosis, hint
  ping        from (server; client in revision 3), and if the server sent it:
              after_ms (since the ping before), late_ms (after the promised time),
              left_ms (before the ping timeout would have ended the session)
  pong        from, and in revision 3 rtt_ms
  message     kind (text or binary), bytes, data (the beginning of a text)
  unsent      why
  lost        count: how many events were dropped because nobody read them in time
With --socketio:
  joined      namespace, sid (its beginning)
  refused     namespace, why
  event       name, arguments, id (of the acknowledgement that the server asks for)
  ack         id, arguments
  disconnect  namespace: the server disconnected this client from it
At the end:
  looking     (no members): a second connection shows whether the server still answers
  close       reason, diagnosis (its name), detail, explanation (all sentences), meaning
              and advice (of the diagnosis), exit_code, second_look (what the second
              connection found, or null), silent_ms (since the last sign of life),
              lived_ms, heartbeats, transport, close_code and close_reason (of the
              server's close frame, or null)
  diagnosis   only without --json: its name, what it means, what to do, and the exit code

Examples:
  eio connect http://127.0.0.1:3000
  eio connect --socketio https://app.example
  eio connect --for 60s --no-input https://app.example && echo healthy
  eio connect --socketio=/admin --auth '{\"token\":\"t\"}' wss://app.example
  eio connect --ca authority.pem https://intranet.example
  eio connect --unix /run/user/1000/eio.sock
  eio connect --json ws://127.0.0.1:3000 | grep '\"late_ms\"'";

/// More than any reasonable chain of redirects.
const MAX_REDIRECTS: u32 = 5;

/// The most that eio accepts from a server at once, and in a line of input: 16 MiB, as texts say.
pub(crate) const MAX_PAYLOAD: u32 = 16 * 1024 * 1024;

impl Options {
    /// Builds the client.
    ///
    /// # Errors
    /// Returns a sentence that says what is wrong with the options.
    pub(crate) fn client(
        &self,
        on_event: impl Fn(ClientEvent) + Send + Sync + 'static,
    ) -> Result<Client, Failure> {
        self.client_on(None, on_event)
    }

    /// Builds the client, or one whose sessions use only `only`.
    ///
    /// # Errors
    /// Returns a sentence that says what is wrong with the options.
    pub(crate) fn client_on(
        &self,
        only: Option<Transport>,
        on_event: impl Fn(ClientEvent) + Send + Sync + 'static,
    ) -> Result<Client, Failure> {
        if let Some(namespace) = self.namespace() {
            namespace.check().map_err(str::to_owned)?;
        }
        let mut builder = Client::builder(&self.url).eio3(self.eio == Revision::V3).on_event(on_event);
        builder = builder.max_payload(MAX_PAYLOAD);
        if let Some(transport) = only.or(self.transport.map(Into::into)) {
            builder = builder.transports([transport]);
        } else if self.try_all_transports {
            let (first, second) = if self.opens_on_websocket() {
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
        let builder = self.connection.configure(&self.url, self.follow_redirects, builder)?;
        builder.build().map_err(|error| error.to_string().into())
    }

    /// Returns whether the URL asks for TLS.
    pub(crate) fn needs_tls(&self) -> bool {
        self.has_scheme(["https:", "wss:"])
    }

    /// Returns whether the session opens on WebSocket.
    pub(crate) fn opens_on_websocket(&self) -> bool {
        let by_url = || self.has_scheme(["ws:", "wss:"]);
        self.transport.map_or_else(by_url, |transport| transport == TransportName::Websocket)
    }

    fn has_scheme(&self, schemes: [&str; 2]) -> bool {
        schemes.iter().any(|scheme| self.url.to_ascii_lowercase().starts_with(scheme))
    }

    /// Returns whether a namespace is to be joined.
    pub(crate) fn membership(&self) -> Membership {
        if self.socketio.is_some() {
            Membership::Awaited
        } else if self.path.as_ref().unwrap_or(&self.url).contains("/socket.io") {
            Membership::Forgotten
        } else {
            Membership::Unwanted
        }
    }

    /// Returns the path of Socket.IO servers if the URL has no path.
    fn default_path(&self) -> Option<&'static str> {
        let uri: http::Uri = self.url.parse().ok()?;
        (self.socketio.is_some() && matches!(uri.path(), "" | "/")).then_some("/socket.io/")
    }

    /// Returns the namespace to join.
    pub(crate) fn namespace(&self) -> Option<Namespace> {
        self.socketio.as_ref().map(|name| Namespace::new(self.eio, name, &self.auth))
    }
}

fn namespace(text: &str) -> Result<String, &'static str> {
    let name = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    match Packet::disconnect().in_namespace(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err("expected a namespace without a comma, such as /admin"),
    }
}

fn auth(text: &str) -> Result<String, &'static str> {
    match Packet::connect(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a JSON object, such as {\"token\":\"...\"}"),
    }
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) =
        text.split_once(':').ok_or("expected a name, a colon and a value, such as 'X-Token: abc'")?;
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
    fn socketio_needs_no_value_and_changes_the_default_path() {
        let plain = options("http://h");
        assert!(plain.namespace().is_none() && plain.default_path().is_none());
        let root = options("--socketio http://h");
        assert_eq!(root.socketio.as_deref(), Some("/"));
        assert_eq!(root.default_path(), Some("/socket.io/"));
        assert_eq!(options("--socketio=admin http://h").socketio.as_deref(), Some("/admin"));
        assert_eq!(options("--socketio http://h/own/").default_path(), None);
    }

    #[test]
    fn values_that_cannot_be_sent_are_refused() {
        assert!(namespace("/a,b").is_err());
        assert!(auth("[]").is_err() && auth("{}").is_ok() && auth("").is_ok());
        assert!(header("Authorization").is_err());
        assert_eq!(header("A: b: c"), Ok(("A".to_owned(), "b: c".to_owned())));
    }

    #[test]
    fn credentials_that_socketio_2_does_not_take_are_refused() {
        let refused = |line: &str| options(line).client(|_| {}).err().map(|failure| failure.sentence);
        let auth = refused("--eio 3 --socketio=/admin --auth {\"token\":\"t\"} http://h").unwrap();
        assert!(auth.starts_with("--auth needs --eio 4: ") && !auth.contains("\"t\""), "{auth}");
        let query = refused("--eio 3 --socketio=/?token=t http://h").unwrap();
        assert!(query.contains("expected it in the URL"), "{query}");
        for line in [
            "--eio 3 --socketio=/admin?token=t http://h",
            "--eio 3 --socketio http://h/?token=t",
            "--socketio=/admin --auth {\"token\":\"t\"} http://h",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }

    #[test]
    fn a_bad_url_is_one_sentence() {
        for url in ["127.0.0.1:3000", "ftp://h", "http://", "http://user:secret@h:x/?token=secret"] {
            let sentence = options(url).client(|_| {}).unwrap_err().sentence;
            assert_eq!(sentence.lines().count(), 1, "{sentence}");
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}
