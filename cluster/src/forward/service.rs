//! The layer and its service: whose request is it?

use core::fmt;
use core::future::ready;
use core::pin::Pin;
use core::task::{self, Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use eio_tokio::PeerAddr;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Body;
use hyper::ext::Protocol;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::forward::body::NodeBody;
use crate::forward::exchange::{Exchange, now};
use crate::forward::forwarder::{Forwarder, Shared};
use crate::forward::limited::BoxError;
use crate::forward::question::{METHOD, RELEASE};
use crate::forward::seal::{ANSWER, Checked, REQUEST};
use crate::forward::target::{of_another_node, sid_of};

/// A [`tower_layer::Layer`] that forwards the requests for sessions of other nodes. [`Forwarder::layer`] returns it.
#[derive(Clone, Debug)]
pub struct ForwardLayer {
    pub(super) shared: Arc<Shared>,
}

impl<S> Layer<S> for ForwardLayer {
    type Service = ForwardService<S>;

    fn layer(&self, inner: S) -> ForwardService<S> {
        ForwardService { shared: Arc::clone(&self.shared), inner }
    }
}

/// The service of a [`ForwardLayer`]: it forwards requests for sessions of other nodes, and passes all others to `S`.
#[derive(Clone)]
pub struct ForwardService<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl Forwarder {
    /// Returns the layer to put around the server's service, or around a router that has it.
    #[must_use]
    pub fn layer(&self) -> ForwardLayer {
        ForwardLayer { shared: Arc::clone(&self.shared) }
    }

    /// Returns the service of the server itself, within the layer: for
    /// [`Server::serve_with`](eio_tokio::Server::serve_with).
    #[must_use]
    pub fn service(&self) -> ForwardService<eio_tokio::EngineService> {
        self.layer().layer(self.shared.server.service())
    }
}

impl<S, B, R> Service<Request<B>> for ForwardService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<Either<R, NodeBody>>;
    type Error = S::Error;
    type Future = ForwardFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = &self.shared;
        let own = &shared.sealer.node;
        let state = if !shared.engine.serves(request.uri().path()) {
            State::Inner { answer: self.inner.call(request) }
        } else if request.headers().contains_key(REQUEST) {
            let sid = sid_of(request.uri());
            match shared.take(&mut request) {
                Some(Checked { code, .. }) if *request.method() == METHOD => {
                    if request.headers().contains_key(RELEASE)
                        && let Some(sid) = &sid
                    {
                        shared.server.release_poll(sid);
                    }
                    let mut answer = answered(StatusCode::NO_CONTENT, "");
                    shared.seal_answer(&code, sid.as_deref(), &mut answer);
                    State::Node { answer: Box::pin(ready(answer)) }
                }
                // Whatever its sid, it goes no further: one hop is all.
                Some(Checked { code, .. }) => {
                    let shared = Arc::clone(shared);
                    State::Taken { answer: self.inner.call(request), shared, code, sid }
                }
                None => State::Node { answer: Box::pin(ready(answered(StatusCode::FORBIDDEN, "Forbidden"))) },
            }
        } else if may_go(&request)
            && let Some(node) = of_another_node(request.uri(), own)
            && let Some(address) = shared.directory.address(&node)
        {
            let exchange = Exchange { shared: Arc::clone(shared), node, address };
            State::Node { answer: Box::pin(exchange.answer(request)) }
        } else {
            State::Inner { answer: self.inner.call(request) }
        };
        ForwardFuture { state }
    }
}

/// Returns whether a request can go on to another node. What asks for a tunnel cannot, unless it is a WebSocket on a stream of
/// HTTP/2. Neither can what would be a question of this node.
fn may_go<B>(request: &Request<B>) -> bool {
    let is_websocket = |protocol: &Protocol| protocol.as_str() == "websocket";
    match *request.method() {
        METHOD => false,
        Method::CONNECT => request.extensions().get().is_some_and(is_websocket),
        _ => true,
    }
}

/// Returns an answer of this node itself.
fn answered(status: StatusCode, body: &'static str) -> Response<NodeBody> {
    let mut answer = Response::new(NodeBody::own(Full::from(body)));
    *answer.status_mut() = status;
    answer
}

impl Shared {
    /// Takes a request that claims to come from another node. Returns `None` if it does not show that.
    fn take<B>(&self, request: &mut Request<B>) -> Option<Checked> {
        let (method, path) = (request.method().clone(), request.uri().clone());
        let path = path.path_and_query().map_or("/", |path| path.as_str());
        let checked =
            self.checker.check(&self.sealer.secret, (method.as_str(), path), request.headers_mut(), now());
        match checked {
            Ok(checked) => {
                self.report.taken();
                match checked.client {
                    Some(client) => _ = request.extensions_mut().insert(PeerAddr(client)),
                    None => _ = request.extensions_mut().remove::<PeerAddr>(),
                }
                Some(checked)
            }
            Err(error) => {
                self.report.refused(PeerAddr::of(request.extensions()).map(|peer| peer.0), error);
                None
            }
        }
    }

    /// Shows the other node that this is the answer of a node, and how long the session may be silent.
    fn seal_answer<R>(&self, code: &str, sid: Option<&str>, answer: &mut Response<R>) {
        let session = sid.and_then(|sid| self.server.get(sid));
        let silence = session.map(|session| session.heartbeat().max_silence());
        let value = self.sealer.answer(code, answer.status(), silence);
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(ANSWER, value);
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for ForwardService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The answer of [`ForwardService`] to one request.
    pub struct ForwardFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Inner { #[pin] answer: F },
        /// Another node has forwarded it.
        Taken { #[pin] answer: F, shared: Arc<Shared>, code: String, sid: Option<String> },
        /// Another node answers, or this one by itself.
        Node { answer: Pin<Box<dyn Future<Output = Response<NodeBody>> + Send>> },
    }
}

impl<F, R, E> Future for ForwardFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Either<R, NodeBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().state.project() {
            StateProjection::Inner { answer } => {
                task::ready!(answer.poll(cx)).map(|answer| answer.map(Either::Left))
            }
            StateProjection::Taken { answer, shared, code, sid } => {
                task::ready!(answer.poll(cx)).map(|mut answer| {
                    shared.seal_answer(code, sid.as_deref(), &mut answer);
                    answer.map(Either::Left)
                })
            }
            StateProjection::Node { answer } => Ok(task::ready!(answer.as_mut().poll(cx)).map(Either::Right)),
        })
    }
}
