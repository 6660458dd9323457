//! What a handler is called with, and what can be extracted from it.

use core::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::args::{Args, DecodeError, RawArgs};
use crate::server::Server;
use crate::server::ack::Ack;
use crate::server::disconnect::Disconnect;
use crate::server::handler::BoxError;
use crate::server::socket::Socket;
use crate::value::Value;

/// What has happened on a socket, for [`FromContext`].
pub struct Context<'a, S> {
    socket: &'a Socket,
    /// The session's own socket, if its task is still there.
    engine: Option<&'a eio_tokio::Socket>,
    input: &'a Input,
    state: &'a S,
}

/// What has happened.
pub(crate) enum Input {
    /// The client asks to join, or has joined.
    Connect,
    Event {
        name: ByteString,
        args: RawArgs,
        id: Option<u64>,
    },
    Disconnect(Disconnect),
}

impl Input {
    /// Returns the name of what has happened, for logs.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Connect => "connect",
            Self::Event { name, .. } => name,
            Self::Disconnect(_) => "disconnect",
        }
    }
}

impl<'a> Context<'a, ()> {
    pub(crate) fn new(socket: &'a Socket, engine: Option<&'a eio_tokio::Socket>, input: &'a Input) -> Self {
        Self { socket, engine, input, state: &() }
    }

    pub(crate) fn with_state<'b, S>(&'b self, state: &'b S) -> Context<'b, S> {
        Context { socket: self.socket, engine: self.engine, input: self.input, state }
    }
}

impl<S> Context<'_, S> {
    /// Returns the socket.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.socket
    }

    /// Returns the server's state.
    #[must_use]
    pub fn state(&self) -> &S {
        self.state
    }

    /// Returns the name of the event, or `None` if a client joins or leaves.
    #[must_use]
    pub fn event(&self) -> Option<&ByteString> {
        match self.input {
            Input::Event { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Returns the arguments of the event, or `None` if a client joins or leaves.
    #[must_use]
    pub fn args(&self) -> Option<&RawArgs> {
        match self.input {
            Input::Event { args, .. } => Some(args),
            _ => None,
        }
    }

    /// Returns how the socket ended, if it has.
    #[must_use]
    pub fn disconnect(&self) -> Option<&Disconnect> {
        match self.input {
            Input::Disconnect(disconnect) => Some(disconnect),
            _ => None,
        }
    }

    /// Returns the head of the HTTP request that opened the session.
    #[must_use]
    pub fn request(&self) -> Option<&Parts> {
        self.engine.and_then(eio_tokio::Socket::request)
    }
}

impl<S> fmt::Debug for Context<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("socket", self.socket)
            .field("input", &self.input.name())
            .finish_non_exhaustive()
    }
}

/// A type that handlers can take as an argument. `S` is the type of the server's state.
///
/// | extractor | what it is | where |
/// |---|---|---|
/// | [`Socket`] | the socket | everywhere |
/// | [`State<T>`](State) | the state, or a part of it | everywhere |
/// | [`Auth<T>`](Auth) | the data that the client joined with | everywhere |
/// | [`Extension<T>`](Extension) | what [`allow_request`](eio_tokio::ServerBuilder::allow_request) gave the session | everywhere |
/// | [`Request`] | the head of the HTTP request that opened the session | while the connection lives |
/// | [`Server`] | the server | everywhere |
/// | [`Data<T>`](Data) | the first argument | events |
/// | [`Args<T>`](Args) | all arguments, as a tuple or a sequence | events |
/// | [`RawArgs`] | all arguments, not read yet | events |
/// | [`EventName`] | the name of the event | events |
/// | [`Ack`], `Option<Ack>` | what answers the client | events |
/// | [`Disconnect`] | how the socket ended | ends |
///
/// A handler with an argument that is not there, such as [`Data`] in [`on_connect`](crate::Namespace::on_connect), compiles,
/// but never runs: its error is [`ExtractError::NotHere`].
///
/// To extract a type of your own, implement this trait:
///
/// ```
/// use eio_socketio::{Context, ExtractError, FromContext, Namespace};
///
/// struct User(String);
///
/// impl<S> FromContext<S> for User {
///     fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
///         context.socket().get::<String>().map(User).ok_or_else(|| ExtractError::other("nobody signed in"))
///     }
/// }
///
/// async fn who(User(name): User) {
///     println!("{name} asks");
/// }
///
/// let namespace = Namespace::<()>::new().on("who", who);
/// # let _ = namespace;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler on a server with the state `{S}`",
    note = "arguments are, for example, `Socket`, `Data<T>`, `Args<T>`, `State<T>`, `Auth<T>` and `Ack`"
)]
pub trait FromContext<S>: Sized + Send + 'static {
    /// Extracts the value.
    ///
    /// # Errors
    /// Returns an [`ExtractError`] if it is not there, or not of this type. The handler does not run then.
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError>;
}

/// The reason why an argument of a handler cannot be extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The client's data is not of the expected type.
    #[error("{0}")]
    Data(#[from] DecodeError),
    /// The data that the client joined with is not of the expected type.
    #[error("auth data: {}", .0.problem())]
    Auth(DecodeError),
    /// The handler is registered for something that has no such value.
    #[error("there is no {0} here")]
    NotHere(&'static str),
    /// An extractor of the application failed.
    #[error("{0}")]
    Other(BoxError),
}

impl ExtractError {
    /// Returns the error of an extractor of the application.
    pub fn other(error: impl Into<BoxError>) -> Self {
        Self::Other(error.into())
    }
}

impl<S> FromContext<S> for Socket {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        Ok(context.socket.clone())
    }
}

impl<S> FromContext<S> for Server {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        Ok(context.socket.server())
    }
}

/// Extracts the first argument of an event. A missing argument reads as null, so `Data<Option<T>>` is for an argument that
/// may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is made to be taken apart")]
pub struct Data<T>(pub T);

impl<S, T: DeserializeOwned + Send + 'static> FromContext<S> for Data<T> {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        Ok(Self(event_args(context)?.first()?))
    }
}

impl<S, T: DeserializeOwned + Send + 'static> FromContext<S> for Args<T> {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        Ok(Self(event_args(context)?.all()?))
    }
}

impl<S> FromContext<S> for RawArgs {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        event_args(context).cloned()
    }
}

fn event_args<'a, S>(context: &'a Context<'_, S>) -> Result<&'a RawArgs, ExtractError> {
    context.args().ok_or(ExtractError::NotHere("data of an event"))
}

/// Extracts the name of an event, for handlers that several events share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is made to be taken apart")]
pub struct EventName(pub ByteString);

impl<S> FromContext<S> for EventName {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        context.event().cloned().map(Self).ok_or(ExtractError::NotHere("event"))
    }
}

impl<S> FromContext<S> for Ack {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        match context.input {
            Input::Event { id, .. } => Ok(Self::new(context.socket.clone(), *id)),
            _ => Err(ExtractError::NotHere("event to acknowledge")),
        }
    }
}

impl<S> FromContext<S> for Option<Ack> {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        Ok(Some(Ack::from_context(context)?).filter(Ack::is_wanted))
    }
}

impl<S> FromContext<S> for Disconnect {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        context.disconnect().cloned().ok_or(ExtractError::NotHere("end of a socket"))
    }
}

/// Extracts the data with which the client joined the namespace: `auth` in socket.io-client. A client that sends more than 64 KiB
/// is refused, because the data stays as long as the socket.
///
/// Some libraries send nothing, and others `{}`, if their application has passed nothing. Both read as `None` and as a struct
/// whose members may all be missing, whichever the type is.
///
/// If the server has [recovery](crate::Recovery), libraries add what they know of their session, `pid` and `offset`. These are
/// taken out. A recovered client has the data that a middleware has seen last: with
/// [`skip_middlewares`](crate::Recovery::skip_middlewares), that of the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is made to be taken apart")]
pub struct Auth<T>(pub T);

impl<S, T: DeserializeOwned + Send + 'static> FromContext<S> for Auth<T> {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        let auth = context.socket.auth();
        let read = auth.first().or_else(|error| {
            let otherwise = nothing_otherwise(auth).and_then(|otherwise| otherwise.first().ok());
            otherwise.ok_or(error)
        });
        read.map(Self).map_err(ExtractError::Auth)
    }
}

/// Returns the other form of auth data that says nothing, if this is one.
fn nothing_otherwise(auth: &RawArgs) -> Option<RawArgs> {
    match auth.first() {
        Ok(Value::Null) => Some(RawArgs::from_values([Value::Object(Box::default())])),
        Ok(Value::Object(object)) if object.is_empty() => Some(RawArgs::none()),
        _ => None,
    }
}

/// Extracts a clone of the server's state, or of a part of it: any `T` that implements [`FromRef<S>`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is made to be taken apart")]
pub struct State<T>(pub T);

impl<S, T: FromRef<S> + Send + 'static> FromContext<S> for State<T> {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        Ok(Self(T::from_ref(context.state)))
    }
}

/// A part of the server's state `S` that [`State`] can extract. Each type is a part of itself.
pub trait FromRef<S> {
    /// Returns the part.
    fn from_ref(state: &S) -> Self;
}

impl<S: Clone> FromRef<S> for S {
    fn from_ref(state: &S) -> Self {
        state.clone()
    }
}

/// Extracts a value that [`allow_request`](eio_tokio::ServerBuilder::allow_request) gave the session with
/// [`Admission::with`](eio_tokio::Admission::with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is made to be taken apart")]
pub struct Extension<T>(pub T);

impl<S, T: Clone + Send + Sync + 'static> FromContext<S> for Extension<T> {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        let value = context.socket.engine().extensions().get::<T>();
        value.cloned().map(Self).ok_or(ExtractError::NotHere("extension of this type"))
    }
}

/// Extracts the head of the HTTP request that opened the session: its URI, its headers and what a middleware of the HTTP
/// server added.
///
/// The first use unpacks the head, which then takes about 2 KB as long as the connection lives.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is made to be taken apart")]
pub struct Request(pub Arc<Parts>);

impl<S> FromContext<S> for Request {
    fn from_context(context: &mut Context<'_, S>) -> Result<Self, ExtractError> {
        let head = context.request().cloned();
        head.map(|head| Self(Arc::new(head))).ok_or(ExtractError::NotHere("request: the connection is gone"))
    }
}
