//! What an application does in a namespace.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use eio_core::socketio::Packet;

use crate::server::handler::{Erased, Handler, HandlerError, IntoReply, Replied, Verdict, erase};
use crate::server::socket::Socket;

/// What an application does in a namespace: who may join, and what happens when clients join, send events and leave. `S`
/// is the type of the server's state.
///
/// ```
/// use eio_socketio::{Data, Disconnect, EmitError, Namespace, Server, Socket};
///
/// async fn joined(socket: Socket) {
///     println!("{} joined {}", socket.id(), socket.namespace());
/// }
///
/// async fn message(socket: Socket, Data(text): Data<String>) -> Result<(), EmitError> {
///     socket.broadcast().emit("message", text)?;
///     Ok(())
/// }
///
/// async fn left(socket: Socket, end: Disconnect) {
///     println!("{} left: {}", socket.id(), end.reason.as_str());
/// }
///
/// let chat = Namespace::new().on_connect(joined).on("message", message).on_disconnect(left);
/// let server = Server::builder().namespace("/chat", chat).build()?;
/// # Ok::<(), eio_socketio::BuildError>(())
/// ```
///
/// # Order
/// The handlers of one connection start in the order of what has happened, and each runs to its first `.await` that has
/// to wait before the next starts. A handler that waits does not keep others from starting. All of them run in the task
/// of their connection, so a handler that computes for long belongs into
/// [`spawn_blocking`](tokio::task::spawn_blocking).
///
/// # Errors and panics
/// A handler that returns an error or panics ends, and nothing else does. The error goes to [`on_error`](Self::on_error)
/// and to the log. A program that installs no subscriber of `tracing` shows no log.
pub struct Namespace<S = ()> {
    middlewares: Vec<Registered<S, Verdict>>,
    on_connect: Option<Registered<S, Replied>>,
    events: HashMap<String, Registered<S, Replied>>,
    on_any: Option<Registered<S, Replied>>,
    on_disconnecting: Option<Registered<S, Replied>>,
    on_disconnect: Option<Registered<S, Replied>>,
    on_error: Option<OnError>,
    /// The name of what was registered twice.
    twice: Option<String>,
}

/// A handler that gets the state when the server is built.
type Registered<S, T> = Box<dyn FnOnce(&Arc<S>) -> Erased<T> + Send>;

/// What gets the errors of handlers.
pub(crate) type OnError = Box<dyn Fn(&Socket, &str, &HandlerError) + Send + Sync>;

impl<S: Send + Sync + 'static> Namespace<S> {
    /// Returns a namespace that every client may join, and where nothing happens.
    #[must_use]
    pub fn new() -> Self {
        Self {
            middlewares: Vec::new(),
            on_connect: None,
            events: HashMap::new(),
            on_any: None,
            on_disconnecting: None,
            on_disconnect: None,
            on_error: None,
            twice: None,
        }
    }

    /// Asks a handler whether a client may join, and prepares what belongs to the socket. Middlewares run one after the
    /// other; the first [`Refusal`](crate::Refusal) is the answer.
    ///
    /// The client has not joined yet: nothing can be sent to it. The socket is the one that joins, also that of a client that
    /// [comes back](crate::Recovery::skip_middlewares). If an extractor fails, or the middleware panics, the
    /// client is refused.
    #[must_use]
    pub fn middleware<T: 'static, H>(mut self, handler: H) -> Self
    where
        H: Handler<T, S, Output = Verdict>,
    {
        self.middlewares.push(Box::new(|state| erase(state, handler, |verdict| verdict)));
        self
    }

    /// Sets what happens when a client has joined. It starts before the first event of the client is handled. It also runs
    /// for a client that is [recovered](crate::Recovery), whose [`is_recovered`](Socket::is_recovered) returns `true`.
    #[must_use]
    pub fn on_connect<T: 'static, H: Handler<T, S>>(mut self, handler: H) -> Self
    where
        H::Output: IntoReply,
    {
        let before = self.on_connect.replace(register(handler));
        self.note(before.is_some(), "on_connect");
        self
    }

    /// Sets what happens when a client sends the event `name`.
    ///
    /// The names `connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener` and `removeListener` are
    /// reserved by Socket.IO: no client can send them, and [`ServerBuilder::build`](crate::ServerBuilder::build) returns an
    /// error.
    #[must_use]
    pub fn on<T: 'static, H: Handler<T, S>>(mut self, name: impl Into<String>, handler: H) -> Self
    where
        H::Output: IntoReply,
    {
        let name = name.into();
        let before = self.events.insert(name.clone(), register(handler));
        self.note(before.is_some(), &name);
        self
    }

    /// Sets what happens when a client sends an event that has no handler. Such events are ignored otherwise.
    #[must_use]
    pub fn on_any<T: 'static, H: Handler<T, S>>(mut self, handler: H) -> Self
    where
        H::Output: IntoReply,
    {
        let before = self.on_any.replace(register(handler));
        self.note(before.is_some(), "on_any");
        self
    }

    /// Sets what happens first when a socket has ended. [`Socket::rooms`] still returns the rooms that it was in.
    /// [`Disconnect`](crate::Disconnect) says how it ended. Runs exactly once for each client that had joined.
    #[must_use]
    pub fn on_disconnecting<T: 'static, H: Handler<T, S>>(mut self, handler: H) -> Self
    where
        H::Output: IntoReply,
    {
        let before = self.on_disconnecting.replace(register(handler));
        self.note(before.is_some(), "on_disconnecting");
        self
    }

    /// Sets what happens when a socket has ended, after [`on_disconnecting`](Self::on_disconnecting). Runs exactly once for
    /// each client that had joined.
    #[must_use]
    pub fn on_disconnect<T: 'static, H: Handler<T, S>>(mut self, handler: H) -> Self
    where
        H::Output: IntoReply,
    {
        let before = self.on_disconnect.replace(register(handler));
        self.note(before.is_some(), "on_disconnect");
        self
    }

    /// Sets what gets the errors of handlers: the socket, the name of the event (or `connect`, `disconnect`), and the
    /// error. It is the place to tell the client:
    ///
    /// ```
    /// use eio_socketio::Namespace;
    ///
    /// let namespace = Namespace::<()>::new().on_error(|socket, event, error| {
    ///     let _ = socket.emit("exception", format!("{event}: {error}"));
    /// });
    /// # let _ = namespace;
    /// ```
    #[must_use]
    pub fn on_error(
        mut self,
        on_error: impl Fn(&Socket, &str, &HandlerError) + Send + Sync + 'static,
    ) -> Self {
        let before = self.on_error.replace(Box::new(on_error));
        self.note(before.is_some(), "on_error");
        self
    }

    fn note(&mut self, is_second: bool, name: &str) {
        if is_second {
            self.twice.get_or_insert_with(|| name.to_owned());
        }
    }

    /// Gives the handlers the state.
    pub(crate) fn define(self, state: &Arc<S>) -> Result<Definition, Flaw> {
        if let Some(twice) = self.twice {
            return Err(Flaw::RegisteredTwice(twice));
        }
        // Of all that is wrong with an event's name, only that it is reserved is.
        if let Some(name) = self.events.keys().find(|name| Packet::event(name, "").is_err()) {
            return Err(Flaw::ReservedEvent(name.clone()));
        }
        let one = |registered: Option<Registered<S, Replied>>| registered.map(|register| register(state));
        Ok(Definition {
            middlewares: self.middlewares.into_iter().map(|register| register(state)).collect(),
            on_connect: one(self.on_connect),
            events: Events::new(self.events.into_iter().map(|(name, register)| (name, register(state)))),
            on_any: one(self.on_any),
            on_disconnecting: one(self.on_disconnecting),
            on_disconnect: one(self.on_disconnect),
            on_error: self.on_error,
        })
    }
}

/// What is wrong with a namespace.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// There are two handlers for this.
    RegisteredTwice(String),
    /// There is a handler for this event, which no client can send.
    ReservedEvent(String),
}

fn register<S, T, H>(handler: H) -> Registered<S, Replied>
where
    S: Send + Sync + 'static,
    T: 'static,
    H: Handler<T, S>,
    H::Output: IntoReply,
{
    Box::new(|state| erase(state, handler, IntoReply::into_reply))
}

impl<S: Send + Sync + 'static> Default for Namespace<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for Namespace<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("events", &self.events.keys()).finish_non_exhaustive()
    }
}

/// The handlers of a namespace, with the state that they were given.
pub(crate) struct Definition {
    pub(crate) middlewares: Vec<Erased<Verdict>>,
    pub(crate) on_connect: Option<Erased<Replied>>,
    events: Events,
    on_any: Option<Erased<Replied>>,
    pub(crate) on_disconnecting: Option<Erased<Replied>>,
    pub(crate) on_disconnect: Option<Erased<Replied>>,
    pub(crate) on_error: Option<OnError>,
}

/// The handlers of events by name, in order. Namespaces have few events: looking for a name takes less time than hashing
/// it.
struct Events(Box<[(Box<str>, Erased<Replied>)]>);

impl Events {
    fn new(events: impl Iterator<Item = (String, Erased<Replied>)>) -> Self {
        let mut events: Vec<_> = events.map(|(name, handler)| (name.into_boxed_str(), handler)).collect();
        events.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Self(events.into_boxed_slice())
    }

    fn get(&self, name: &str) -> Option<&Erased<Replied>> {
        let place = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.0.get(place).map(|(_, handler)| handler)
    }
}

impl Definition {
    /// Returns the handler of an event.
    pub(crate) fn on(&self, event: &str) -> Option<&Erased<Replied>> {
        self.events.get(event).or(self.on_any.as_ref())
    }
}
