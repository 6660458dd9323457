//! Handlers: async functions whose arguments are extracted from what has happened.

use core::pin::Pin;
use std::sync::Arc;

use crate::args::{IntoArgs, RawArgs};
use crate::server::context::{Context, ExtractError, FromContext};
use crate::server::refusal::Refusal;

/// An error of an application.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// The future of a handler.
pub(crate) type HandlerFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A handler of a type that nobody names any more. It runs as soon as it is called, and its future does what remains.
pub(crate) type Erased<T> =
    Arc<dyn Fn(&mut Context<'_, ()>) -> Result<HandlerFuture<T>, ExtractError> + Send + Sync>;

/// A handler: an async function of up to eight extractors, types that implement [`FromContext<S>`]. `S` is the type of
/// the server's state, and `T` stands for the types of the extractors. Implemented for these functions and closures.
///
/// Where a handler is registered says which output it may have: see [`IntoReply`] for events.
///
/// # If the compiler says that a function is not a handler
///
/// It does not say which of the arguments is wrong, or whether the future is. These functions make it do so. Call them
/// beside the handler, with its state and each of its arguments, and remove them afterwards:
///
/// ```
/// use eio_socketio::{Data, FromContext, Socket, State};
///
/// fn state<S: Clone + Send + Sync + 'static>() {}
/// fn argument<S, A: FromContext<S>>() {}
/// fn future<F: Future + Send + 'static>(_: F) {}
///
/// #[derive(Clone)]
/// struct App;
///
/// async fn message(socket: Socket, State(app): State<App>, Data(text): Data<String>) {
///     # let _ = (socket, app, text);
///     // …
/// }
///
/// fn check(socket: Socket, app: State<App>, text: Data<String>) {
///     state::<App>();
///     argument::<App, Socket>();
///     argument::<App, State<App>>();
///     argument::<App, Data<String>>();
///     future(message(socket, app, text));
/// }
/// # let _ = check;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler for a server with the state `{S}`",
    label = "expected an async function of up to eight extractors",
    note = "each argument implements `FromContext<{S}>`, such as `Socket`, `Data<T>`, `State<T>` or `Ack`",
    note = "the `T` of `Data`, `Args` and `Auth` implements `serde::Deserialize` without borrowing, and that of `State` implements `Clone`",
    note = "the function is `async`, and holds no `Rc` and no guard of a `std::sync::Mutex` across an `.await`: its future is `Send`",
    note = "the documentation of `Handler` shows how to find which of these it is"
)]
pub trait Handler<T, S>: Send + Sync + 'static {
    /// What the function returns in the end.
    type Output: Send + 'static;

    /// Extracts the arguments and calls the function.
    ///
    /// # Errors
    /// Returns the error of the first extractor that fails. The function is not called then.
    fn call(
        &self,
        context: &mut Context<'_, S>,
    ) -> Result<impl Future<Output = Self::Output> + Send + 'static, ExtractError>;
}

macro_rules! handler {
    ($($extractor:ident),*) => {
        #[allow(non_snake_case, reason = "the extractors are named like their types")]
        #[allow(unused_variables, reason = "a function without arguments extracts nothing")]
        impl<Function, Running, S, $($extractor),*> Handler<($($extractor,)*), S> for Function
        where
            Function: Fn($($extractor),*) -> Running + Send + Sync + 'static,
            Running: Future + Send + 'static,
            Running::Output: Send + 'static,
            $($extractor: FromContext<S>,)*
        {
            type Output = Running::Output;

            fn call(
                &self,
                context: &mut Context<'_, S>,
            ) -> Result<impl Future<Output = Self::Output> + Send + 'static, ExtractError> {
                $(let $extractor = $extractor::from_context(context)?;)*
                Ok(self($($extractor),*))
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, F);
handler!(A, B, C, D, E, F, G);
handler!(A, B, C, D, E, F, G, H);

/// What a handler of an event may return.
///
/// | output | what the client gets, if it asked for an acknowledgement |
/// |---|---|
/// | `()` | nothing: the handler answers with [`Ack`](crate::Ack), or not at all |
/// | [`Reply`] | the reply |
/// | `Result` of one of these | the same for `Ok`; nothing for `Err`, which goes to [`on_error`](crate::Namespace::on_error) |
///
/// The error is any type that converts into [`BoxError`]: one that implements [`Error`](core::error::Error), a `String`, or
/// `anyhow::Error`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "returns `{Self}`",
    note = "it returns `()`, `Reply(value)` to answer the client, or a `Result` of one of these",
    note = "the error of the `Result` implements `Error + Send + Sync`, or is a `String`"
)]
pub trait IntoReply: Send + 'static {
    /// Returns the arguments of the acknowledgement, if there is one.
    ///
    /// # Errors
    /// Returns the error of the handler, or the reason why the reply cannot be encoded.
    fn into_reply(self) -> Result<Option<RawArgs>, BoxError>;
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Option<RawArgs>, BoxError> {
        Ok(None)
    }
}

/// The answer to an event whose client asked for an acknowledgement.
///
/// ```
/// use eio_socketio::{Args, Namespace, Reply};
///
/// async fn sum(Args((a, b)): Args<(i64, i64)>) -> Reply<i64> {
///     Reply(a + b)
/// }
///
/// let namespace = Namespace::<()>::new().on("sum", sum);
/// # let _ = namespace;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer is one value")]
pub struct Reply<T>(pub T);

impl<T: IntoArgs + Send + 'static> IntoReply for Reply<T> {
    fn into_reply(self) -> Result<Option<RawArgs>, BoxError> {
        Ok(Some(self.0.into_args()?))
    }
}

impl<R: IntoReply, E: Into<BoxError> + Send + 'static> IntoReply for Result<R, E> {
    fn into_reply(self) -> Result<Option<RawArgs>, BoxError> {
        self.map_err(Into::into)?.into_reply()
    }
}

/// The error of a handler, as [`on_error`](crate::Namespace::on_error) gets it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// An argument of the handler could not be extracted, for example because the data is of another type. The handler
    /// did not run.
    #[error("{0}")]
    Extract(ExtractError),
    /// The handler returned an error, or a reply that cannot be encoded.
    #[error("{0}")]
    Returned(BoxError),
    /// The handler panicked. The panic ends this run of the handler and nothing else.
    #[error("the handler panicked: {0}")]
    Panicked(String),
}

/// Erases the types of a handler whose output `finish` turns into `T`.
pub(crate) fn erase<S, A, H, T>(state: &Arc<S>, handler: H, finish: fn(H::Output) -> T) -> Erased<T>
where
    S: Send + Sync + 'static,
    H: Handler<A, S>,
    A: 'static,
    T: 'static,
{
    let state = Arc::clone(state);
    Arc::new(move |context| {
        let running = handler.call(&mut context.with_state(&state))?;
        Ok(Box::pin(async move { finish(running.await) }))
    })
}

/// What a handler of an event leaves.
pub(crate) type Replied = Result<Option<RawArgs>, BoxError>;

/// What a middleware decides.
pub(crate) type Verdict = Result<(), Refusal>;
