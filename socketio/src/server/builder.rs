//! Builds servers.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use crate::parser::{DefaultParser, Parser};
use crate::server::connection::Connection;
use crate::server::namespace::{Flaw, Namespace};
use crate::server::recovery::Recovery;
use crate::server::shared::{Limits, Pattern, Shared, WhenFull};
use crate::server::{Server, with_slash};

/// Builds a [`Server`]. `S` is the type of its state.
///
/// ```
/// use core::time::Duration;
/// use eio_socketio::{Namespace, Server};
/// use eio_tokio::Heartbeat;
///
/// let heartbeat = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3))?;
/// let server = Server::builder()
///     .namespace("/", Namespace::new())
///     .namespace_matching(|name| name.starts_with("/tenant-"), Namespace::new())
///     .engine(move |engine| engine.heartbeat(heartbeat))
///     .connect_timeout(Duration::from_secs(10))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServerBuilder<S = ()> {
    state: Arc<S>,
    namespaces: Vec<(ByteString, Namespace<S>)>,
    patterns: Vec<(Accepts, Namespace<S>)>,
    engine: Vec<Configure>,
    parser: Arc<dyn Parser>,
    limits: Limits,
}

type Accepts = Box<dyn Fn(&str) -> bool + Send + Sync>;
type Configure = Box<dyn FnOnce(eio_tokio::ServerBuilder) -> eio_tokio::ServerBuilder + Send>;

impl<S: Send + Sync + 'static> ServerBuilder<S> {
    pub(crate) fn new(state: S) -> Self {
        Self {
            state: Arc::new(state),
            namespaces: Vec::new(),
            patterns: Vec::new(),
            engine: Vec::new(),
            parser: Arc::new(DefaultParser),
            limits: Limits {
                when_full: WhenFull::default(),
                connect_timeout: Duration::from_secs(45),
                ack_timeout: Duration::from_secs(30),
                max_namespaces: 32,
                max_rooms: 1000,
                max_running: (256, 4 * 1024 * 1024),
                recovery: None,
                #[cfg(feature = "cluster")]
                far: crate::server::cluster::Settings::default(),
            },
        }
    }

    /// Adds a namespace. `/` is the one that clients join unless they name another. A name without its leading slash gets one.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<ByteString>, namespace: Namespace<S>) -> Self {
        self.namespaces.push((with_slash(name.into()), namespace));
        self
    }

    /// Adds all namespaces whose names `accepts` accepts, and that were not added by name. The first function that accepts
    /// a name decides. Such a namespace exists while it has sockets, or while their clients may come back if there is
    /// [`recovery`](Self::recovery).
    ///
    /// The function is called with names that clients make up, of at most 256 bytes, before any middleware.
    #[must_use]
    pub fn namespace_matching(
        mut self,
        accepts: impl Fn(&str) -> bool + Send + Sync + 'static,
        namespace: Namespace<S>,
    ) -> Self {
        self.patterns.push((Box::new(accepts), namespace));
        self
    }

    /// Changes the settings of the Engine.IO server beneath: its path (`/socket.io/` by default), heartbeat, transports,
    /// CORS, limits, and who may open a session.
    ///
    /// Its `on_disconnect` knows nothing of namespaces: [`Namespace::on_disconnect`] is the one that you want.
    #[must_use]
    pub fn engine(
        mut self,
        configure: impl FnOnce(eio_tokio::ServerBuilder) -> eio_tokio::ServerBuilder + Send + 'static,
    ) -> Self {
        self.engine.push(Box::new(configure));
        self
    }

    /// Applies settings that were read from a configuration file. Setters that are called later take their place.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn config(self, config: crate::ServerConfig) -> Self {
        config.apply(self).engine(move |engine| engine.config(config.engine))
    }

    /// Sets how long a client may take to join its first namespace, and how long it may stay after it has left its last
    /// one. The connection is closed then. 45 seconds by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// Sets how long to wait for the acknowledgement of a client, unless the call sets another time. 30 seconds by default.
    #[must_use]
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.limits.ack_timeout = timeout;
        self
    }

    /// Sets what happens when there is something to send to a client that does not read. [`WhenFull::Refuse`] by default.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.limits.when_full = when_full;
        self
    }

    /// Sets how many namespaces a client may join on one connection. The next one is refused. 32 by default.
    #[must_use]
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.limits.max_namespaces = namespaces;
        self
    }

    /// Sets how many rooms a socket may be in, besides its own. 1,000 by default.
    #[must_use]
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.limits.max_rooms = rooms;
        self
    }

    /// Sets how many handlers of one connection may wait at the same time, and how many bytes their events may have. The
    /// connection is not read meanwhile. 256 handlers and 4 MiB by default; one event is always handled.
    ///
    /// A handler that waits for an acknowledgement of the same client waits in vain while this limit is reached. If the limit
    /// stays reached for the engine's [`app_stall_timeout`](eio_tokio::ServerBuilder::app_stall_timeout), the session ends.
    ///
    /// What arrived before the connection ended is handled all the same, as far as this limit permits, and then the socket
    /// ends. If none of the handlers ends within 30 seconds, the rest is dropped, which is logged, and the socket ends.
    #[must_use]
    pub fn max_running(mut self, handlers: usize, bytes: usize) -> Self {
        self.limits.max_running = (handlers, bytes);
        self
    }

    /// Gives clients that were away for a short time their sockets back, with what they missed: see [`Recovery`]. Off by
    /// default.
    ///
    /// Events then carry one more argument for the client's library, their offset. Clients of Socket.IO 4.6 and later hand
    /// it back; others find it as their last argument.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.limits.recovery = Some(recovery);
        self
    }

    /// Sets what other nodes of a cluster are told of a socket: [`RemoteSocket::data`](crate::RemoteSocket::data) reads it.
    /// Nothing by default. `args` is as for [`Socket::emit`](crate::Socket::emit).
    ///
    /// ```
    /// use eio_socketio::{Namespace, Server, Socket};
    ///
    /// #[derive(Clone, serde::Serialize)]
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// // A middleware has stored who it is with `Socket::insert`.
    /// let server = Server::builder()
    ///     .namespace("/", Namespace::new())
    ///     .socket_data(|socket: &Socket| socket.get::<User>())
    ///     .build()?;
    /// # Ok::<(), eio_socketio::BuildError>(())
    /// ```
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn socket_data<T: crate::IntoArgs>(
        mut self,
        data: impl Fn(&crate::Socket) -> T + Send + Sync + 'static,
    ) -> Self {
        self.limits.far.data = Some(Arc::new(move |socket| data(socket).into_args()));
        self
    }

    /// Sets what gets the events that other nodes send with [`Server::server_side_emit`]. They are ignored by default.
    ///
    /// It runs in the task of the bus, and everything that other nodes send waits for it: what takes long belongs into a task.
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn on_server_side(
        mut self,
        on_server_side: impl Fn(crate::ServerSideEvent) + Send + Sync + 'static,
    ) -> Self {
        self.limits.far.on_server_side = Some(Arc::new(on_server_side));
        self
    }

    /// Sets the parser, which clients must have as well. [`DefaultParser`] by default.
    #[must_use]
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.parser = Arc::new(parser);
        self
    }

    /// Builds the server.
    ///
    /// # Errors
    /// Returns a [`BuildError`] that says what is wrong with the settings.
    pub fn build(self) -> Result<Server, BuildError> {
        if self.namespaces.is_empty() && self.patterns.is_empty() {
            return Err(BuildError::NoNamespace);
        }
        let mut namespaces = HashMap::new();
        for (name, namespace) in self.namespaces {
            if name.contains([',', '?']) || name.contains(char::is_control) {
                return Err(BuildError::Name(name));
            }
            let flawed = |flaw| BuildError::flawed(name.clone(), flaw);
            let definition = Arc::new(namespace.define(&self.state).map_err(flawed)?);
            if namespaces.insert(name.clone(), definition).is_some() {
                return Err(BuildError::NamespaceTwice(name));
            }
        }
        let patterns = self.patterns.into_iter().map(|(accepts, namespace)| {
            let flawed = |flaw| BuildError::flawed("(matching)".into(), flaw);
            let definition = Arc::new(namespace.define(&self.state).map_err(flawed)?);
            Ok::<_, BuildError>(Pattern { accepts, definition })
        });
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let recovery = self.limits.recovery.as_ref().and_then(Recovery::zero);
        if let Some(name) = self.limits.zero().or(recovery) {
            return Err(BuildError::Zero(name));
        }
        let shared = Arc::new(Shared::new(self.parser, &self.limits, namespaces, patterns));
        let for_connections = Arc::clone(&shared);
        let engine =
            eio_tokio::Server::builder(move |socket| Connection::run(Arc::clone(&for_connections), socket));
        let engine =
            self.engine.into_iter().fold(engine.path("/socket.io/"), |engine, configure| configure(engine));
        Ok(Server::new(shared, engine.build()?))
    }
}

impl<S> fmt::Debug for ServerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("namespaces", &self.namespaces.len()).finish_non_exhaustive()
    }
}

/// The reason why a server cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no namespace, so no client could join one.
    #[error("there is no namespace: expected one at least, such as \"/\"")]
    NoNamespace,
    /// The name of a namespace cannot be one.
    #[error(
        "the namespace {0:?} has no possible name: expected no comma, question mark or control character"
    )]
    Name(ByteString),
    /// Two namespaces have the same name.
    #[error("the namespace {0:?} was added twice")]
    NamespaceTwice(ByteString),
    /// A namespace has two handlers for the same.
    #[error("the namespace {namespace:?} has two handlers for {event:?}: expected one")]
    RegisteredTwice {
        /// The name of the namespace.
        namespace: ByteString,
        /// The event, or the name of the method.
        event: String,
    },
    /// A namespace has a handler for an event that no client can send, because Socket.IO itself uses the name.
    #[error(
        "the namespace {namespace:?} has a handler for the event {event:?}, which no client can send: expected {}",
        instead_of(event)
    )]
    ReservedEvent {
        /// The name of the namespace.
        namespace: ByteString,
        /// The event.
        event: String,
    },
    /// A limit or a time is zero, which would refuse everything.
    #[error("{0} is zero: expected more")]
    Zero(&'static str),
    /// The settings of the Engine.IO server are wrong.
    #[error("{0}")]
    Engine(#[from] eio_tokio::BuildError),
}

impl BuildError {
    fn flawed(namespace: ByteString, flaw: Flaw) -> Self {
        match flaw {
            Flaw::RegisteredTwice(event) => Self::RegisteredTwice { namespace, event },
            Flaw::ReservedEvent(event) => Self::ReservedEvent { namespace, event },
        }
    }
}

/// Returns what an application wants that has a handler for a reserved event.
fn instead_of(event: &str) -> &'static str {
    match event {
        "connect" => "`on_connect`",
        "disconnect" => "`on_disconnect`",
        "disconnecting" => "`on_disconnecting`",
        _ => "another name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> String {
        change(ServerBuilder::new(())).build().unwrap_err().to_string()
    }

    #[test]
    fn a_server_that_nobody_could_join_is_not_built() {
        assert_eq!(wrong(|builder| builder), r#"there is no namespace: expected one at least, such as "/""#);
    }

    #[test]
    fn wrong_namespaces_are_refused_in_a_sentence() {
        let with = |namespace: Namespace| wrong(move |builder| builder.namespace("/a", namespace));
        assert_eq!(
            wrong(|builder| builder.namespace("a,b", Namespace::new())),
            r#"the namespace "/a,b" has no possible name: expected no comma, question mark or control character"#
        );
        assert_eq!(
            wrong(|builder| builder.namespace("/a", Namespace::new()).namespace("a", Namespace::new())),
            r#"the namespace "/a" was added twice"#
        );
        assert_eq!(
            with(Namespace::new().on("b", async || {}).on("b", async || {})),
            r#"the namespace "/a" has two handlers for "b": expected one"#
        );
        for (event, instead) in [
            ("connect", "`on_connect`"),
            ("disconnect", "`on_disconnect`"),
            ("disconnecting", "`on_disconnecting`"),
            ("newListener", "another name"),
        ] {
            assert_eq!(
                with(Namespace::new().on(event, async || {})),
                format!(
                    "the namespace \"/a\" has a handler for the event {event:?}, which no client can send: expected {instead}"
                )
            );
        }
        let reserved = Namespace::new().on("connect_error", async || {});
        assert!(wrong(|builder| builder.namespace_matching(|_| true, reserved)).contains("(matching)"));
    }

    #[test]
    fn a_limit_of_zero_is_refused_by_its_name() {
        type Change = fn(ServerBuilder) -> ServerBuilder;
        let limits: [(&str, Change); 9] = [
            ("connect_timeout", |builder| builder.connect_timeout(Duration::ZERO)),
            ("ack_timeout", |builder| builder.ack_timeout(Duration::ZERO)),
            ("max_namespaces", |builder| builder.max_namespaces(0)),
            ("max_running handlers", |builder| builder.max_running(0, 1)),
            ("max_running bytes", |builder| builder.max_running(1, 0)),
            ("recovery: max_disconnection", |builder| {
                builder.recovery(Recovery::new().max_disconnection(Duration::ZERO))
            }),
            ("recovery: max_sessions", |builder| builder.recovery(Recovery::new().max_sessions(0))),
            ("recovery: max_packets", |builder| builder.recovery(Recovery::new().max_packets(0))),
            ("recovery: max_bytes", |builder| builder.recovery(Recovery::new().max_bytes(0))),
        ];
        for (name, change) in limits {
            let change = |builder: ServerBuilder| change(builder.namespace("/", Namespace::new()));
            assert_eq!(wrong(change), format!("{name} is zero: expected more"));
        }
    }
}
