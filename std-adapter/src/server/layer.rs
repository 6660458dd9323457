//! A layer that answers the requests of sessions, and passes all others to the service beneath it.

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::server::Server;
use crate::server::service::EngineService;
use crate::web::respond::Body;

impl Server {
    /// Returns a layer for any `tower` stack. Under it, the server answers the requests for its
    /// [path](crate::ServerBuilder::path), and the service that the layer is put around answers all others.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// use axum::{Router, routing::get};
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let router = Router::new().route("/", get(async || "a page")).layer(server.layer());
    /// # let _: Router = router;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn layer(&self) -> EngineLayer {
        EngineLayer { engine: self.service() }
    }
}

/// A [`tower_layer::Layer`] that answers the requests for a server's path, and passes all others on. [`Server::layer`]
/// returns it.
///
/// Requests that are passed on stay as they are. Their answers keep their bodies, and failures of the inner service its
/// error. Which requests the server answers is described at [`EngineService::serves`].
#[derive(Clone, Debug)]
pub struct EngineLayer {
    engine: EngineService,
}

impl<S> Layer<S> for EngineLayer {
    type Service = Layered<S>;

    fn layer(&self, inner: S) -> Layered<S> {
        Layered { engine: self.engine.clone(), inner }
    }
}

/// The service of an [`EngineLayer`]: the server's sessions, and `S` for everything else.
///
/// It is ready at any time, and waits for the inner service only when it has a request for it. So sessions do not wait
/// for a busy inner service, and a poll that waits does not occupy a place in an inner service that limits its requests.
#[derive(Clone)]
pub struct Layered<S> {
    engine: EngineService,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Layered<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Either<Body, R>>;
    type Error = S::Error;
    type Future = LayeredFuture<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answering = if self.engine.serves(request.uri().path()) {
            Answering::Engine { answer: self.engine.call(request) }
        } else {
            Answering::Waiting { inner: self.inner.clone(), request: Some(request) }
        };
        LayeredFuture { answering }
    }
}

impl<S: fmt::Debug> fmt::Debug for Layered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The answer of [`Layered`] to one request.
    pub struct LayeredFuture<S, Q>
    where
        S: Service<Q>,
    {
        #[pin]
        answering: Answering<S, Q>,
    }
}

pin_project! {
    #[project = AnsweringProjection]
    enum Answering<S, Q>
    where
        S: Service<Q>,
    {
        /// The request is the server's.
        Engine { answer: Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>> },
        /// The inner service is not ready yet. The request is there until it is.
        Waiting { inner: S, request: Option<Q> },
        Inner { #[pin] answer: S::Future },
    }
}

impl<S, Q, R> Future for LayeredFuture<S, Q>
where
    S: Service<Q, Response = Response<R>>,
    R: http_body::Body<Data = Bytes>,
{
    type Output = Result<Response<Either<Body, R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answering = self.project().answering;
        loop {
            let begun = match answering.as_mut().project() {
                AnsweringProjection::Engine { answer } => {
                    let Ok(answer) = ready!(answer.as_mut().poll(cx));
                    return Poll::Ready(Ok(answer.map(Either::Left)));
                }
                AnsweringProjection::Inner { answer } => {
                    return answer.poll(cx).map_ok(|answer| answer.map(Either::Right));
                }
                AnsweringProjection::Waiting { inner, request } => {
                    ready!(inner.poll_ready(cx))?;
                    match request.take() {
                        Some(request) => inner.call(request),
                        // Only a future that has returned an error is polled again.
                        None => return Poll::Pending,
                    }
                }
            };
            answering.set(Answering::Inner { answer: begun });
        }
    }
}
