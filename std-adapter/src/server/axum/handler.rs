//! Applications that take axum's extractors beside their socket.

use std::sync::{Arc, PoisonError};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;
use http_body_util::{BodyExt as _, Full, Limited};

use crate::server::Server;
use crate::server::builder::ServerBuilder;
use crate::server::socket::Socket;
use crate::web::rejection::Rejection;
use crate::wire::sync::Mutex;
use crate::wire::targets;

/// The largest body of a rejection, in bytes.
const MAX_REJECTION: usize = 64 * 1024;

/// Returns the builder of a server whose application takes axum's extractors, as the handlers of a router do.
///
/// `application` is an async function of a [`Socket`] and up to eight extractors: types that implement
/// [`FromRequestParts<S>`]. `state` is what [`State`](axum::extract::State) and types of your own take from. The request
/// is the one that opens the session, so there is no body to extract.
///
/// The extractors run once for every session, before it opens and after
/// [`allow_request`](ServerBuilder::allow_request), one after the other. They may take as long as a
/// [request](ServerBuilder::request_timeout). What `allow_request` gave the session with
/// [`Admission::with`](crate::Admission::with) is there for [`Extension`](axum::Extension). A rejection refuses the
/// session, and is the answer as it is. An extractor that authenticates thus protects sessions as it protects routes:
///
/// ```
/// use axum::extract::{FromRequestParts, State};
/// use axum::http::{HeaderMap, StatusCode, header, request::Parts};
/// use eio_tokio::Socket;
///
/// #[derive(Clone)]
/// struct App {
///     greeting: String,
/// }
///
/// struct User(String);
///
/// impl FromRequestParts<App> for User {
///     type Rejection = (StatusCode, &'static str);
///
///     async fn from_request_parts(head: &mut Parts, _: &App) -> Result<Self, Self::Rejection> {
///         match head.headers.get(header::AUTHORIZATION).map(|token| token.as_bytes()) {
///             Some(b"Bearer 7") => Ok(Self("Ada".to_owned())),
///             _ => Err((StatusCode::UNAUTHORIZED, "sign in first")),
///         }
///     }
/// }
///
/// async fn chat(mut socket: Socket, State(app): State<App>, headers: HeaderMap, User(name): User) {
///     println!("{name} uses {:?}", headers.get(header::USER_AGENT));
///     let _ = socket.send(format!("{}, {name}", app.greeting)).await;
///     while socket.recv().await.is_ok() {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let app = App { greeting: "Welcome".to_owned() };
/// let server = eio_tokio::axum::builder(app, chat).build()?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}", listener.local_addr()?);
/// # tokio::spawn(async move { server.serve(listener).await });
/// # let client = eio_tokio::Client::builder(&url).header("authorization", "Bearer 7").build()?;
/// # assert_eq!(client.connect().await?.recv().await?.as_text(), Some("Welcome, Ada"));
/// # let stranger = eio_tokio::Client::builder(&url).build()?.connect().await.unwrap_err();
/// # assert!(stranger.to_string().contains("401"), "{stranger}");
/// # Ok(())
/// # }
/// ```
pub fn builder<H, T, S>(state: S, application: H) -> ServerBuilder
where
    H: Handler<T, S>,
    T: Send + 'static,
    S: Send + Sync + 'static,
{
    let mut builder = Server::builder(|_| core::future::ready(()));
    builder.callbacks.application = Box::new(move |mut socket| {
        let extracted = socket.take_extension::<Extracted<T>>().and_then(|extracted| extracted.take());
        let Some(extracted) = extracted else {
            tracing::error!(
                target: targets::SESSION,
                sid = %socket.id().short(),
                "nothing was extracted for a session: it ends"
            );
            return Box::pin(core::future::ready(()));
        };
        Box::pin(application.call(socket, extracted))
    });
    let state = Arc::new(state);
    builder.http.extract = Some(Arc::new(move |parts, admission| {
        let state = Arc::clone(&state);
        Box::pin(async move {
            parts.extensions.extend(admission.extensions.clone());
            match H::extract(parts, &state).await {
                Ok(extracted) => {
                    parts.extensions.insert(Extracted::new(extracted));
                    Ok(())
                }
                Err(response) => Err(rejection(response).await),
            }
        })
    }));
    builder
}

/// What the extractors found, until the application starts. Extensions must be `Clone`.
struct Extracted<T>(Arc<Mutex<Option<T>>>);

impl<T> Extracted<T> {
    fn new(extracted: T) -> Self {
        Self(Arc::new(Mutex::new(Some(extracted))))
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Extracted<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Reads the body of an extractor's answer.
async fn rejection(response: Response) -> Rejection {
    let (head, body) = response.into_parts();
    match Limited::new(body, MAX_REJECTION).collect().await {
        Ok(body) => Rejection::response(http::Response::from_parts(head, Full::new(body.to_bytes()))),
        Err(error) => {
            tracing::error!(
                target: targets::REQUEST,
                %error,
                status = %head.status,
                "the body of an extractor's rejection cannot be read: 500 takes its place"
            );
            Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
        }
    }
}

/// An application for [`builder`]: an async function of a [`Socket`] and up to eight extractors. `T` stands for the types
/// of the extractors, and `S` for the type of the state. Implemented for these functions and closures, and for nothing
/// else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the application of a server with the state `{S}`",
    label = "expected an async function of a `Socket` and up to eight extractors, which returns `()`",
    note = "each argument behind the socket implements `FromRequestParts<{S}>`, and the future is `Send`"
)]
pub trait Handler<T, S>: private::Sealed<T> + Send + Sync + 'static {
    /// Runs the extractors, one after the other. The first rejection is the error.
    fn extract(parts: &mut Parts, state: &S) -> impl Future<Output = Result<T, Response>> + Send;

    /// Calls the function.
    fn call(&self, socket: Socket, extracted: T) -> impl Future<Output = ()> + Send + 'static;
}

macro_rules! handler {
    ($($extractor:ident),*) => {
        #[expect(non_snake_case, reason = "the extractors are named like their types")]
        impl<F, R, S, $($extractor),*> Handler<($($extractor,)*), S> for F
        where
            F: Fn(Socket, $($extractor),*) -> R + Send + Sync + 'static,
            R: Future<Output = ()> + Send + 'static,
            S: Send + Sync,
            $($extractor: FromRequestParts<S> + Send,)*
        {
            async fn extract(parts: &mut Parts, state: &S) -> Result<($($extractor,)*), Response> {
                $(
                    let $extractor = $extractor::from_request_parts(parts, state)
                        .await
                        .map_err(|rejection| rejection.into_response())?;
                )*
                Ok(($($extractor,)*))
            }

            fn call(&self, socket: Socket, ($($extractor,)*): ($($extractor,)*)) -> impl Future<Output = ()> + Send + 'static {
                self(socket, $($extractor),*)
            }
        }

        impl<F, R, $($extractor),*> private::Sealed<($($extractor,)*)> for F where F: Fn(Socket, $($extractor),*) -> R {}
    };
}

handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, G);
handler!(A, B, C, D, E, G, H);
handler!(A, B, C, D, E, G, H, I);

/// A function without extractors.
impl<F, R, S> Handler<(), S> for F
where
    F: Fn(Socket) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
    S: Sync,
{
    async fn extract(_: &mut Parts, _: &S) -> Result<(), Response> {
        Ok(())
    }

    fn call(&self, socket: Socket, (): ()) -> impl Future<Output = ()> + Send + 'static {
        self(socket)
    }
}

impl<F, R> private::Sealed<()> for F where F: Fn(Socket) -> R {}

mod private {
    #[expect(unnameable_types, reason = "so that no other crate implements the trait")]
    pub trait Sealed<T> {}
}
