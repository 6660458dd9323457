//! One connection from accept to its end. Every phase has a limit.
//!
//! One place decides how long a connection is kept, by its activity, and announces that time to the client.

use core::convert::Infallible;
use core::error::Error;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use eio_core::Instant;
use eio_core::handshake::Transport;
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::carrier::gate::Permit;
#[cfg(feature = "tls")]
use crate::carrier::tls::stream::{Identity, TlsStream};
use crate::server::protocols::{self, Connection, Served};
use crate::server::sessions::{ServerShared, Sessions};
use crate::web::activity::{Activity, CameOn, Patience, UnderWay, Verdict};
use crate::web::timed_body::TimedBody;
use crate::web::upgraded::is_socket;
use crate::web::watched::{WatchedBody, WatchedIo};
use crate::web::{keep_alive, peer_addr};
use crate::wire::session_id::SessionId;
use crate::wire::targets;

/// The smallest buffer in which hyper reads the head of a request, in bytes.
pub(crate) const MIN_HEAD: usize = 8 * 1024;

/// While other connections wait to be accepted: the time for the head of a request, and the idle time of a connection that
/// no session needs.
const PRESSED: Duration = Duration::from_secs(1);

/// What answers the requests of a connection: the server itself, or a [router](Routed) around it.
pub(crate) trait Answers: Clone + Send + 'static {
    type Body: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;

    /// Answers a request that came on this connection.
    fn answer(
        self,
        request: Request<Incoming>,
        came_on: CameOn,
    ) -> impl Future<Output = Result<Response<Self::Body>, Infallible>> + Send;
}

/// A service that passes the requests of sessions on to the server.
#[derive(Clone)]
pub(crate) struct Routed<S> {
    pub(crate) service: S,
    /// The time for each piece of a request's body.
    pub(crate) request_timeout: Duration,
}

impl<S, B> Answers for Routed<S>
where
    S: Service<Request<TimedBody>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;

    async fn answer(
        mut self,
        mut request: Request<Incoming>,
        came_on: CameOn,
    ) -> Result<Response<B>, Infallible> {
        request.extensions_mut().insert(came_on);
        poll_fn(|cx| self.service.poll_ready(cx)).await?;
        self.service.call(request.map(|body| TimedBody::new(body, self.request_timeout))).await
    }
}

/// Serves the requests of one connection until it ends, becomes a WebSocket, or is no longer worth keeping.
///
/// `permit` stays with the connection, even when it becomes a WebSocket.
pub(crate) async fn serve<I, S>(
    server: Arc<ServerShared>,
    io: I,
    peer: Option<SocketAddr>,
    service: S,
    permit: Permit,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Answers,
{
    let _connected = server.connected();
    let activity = Activity::begin(server.sessions.clock);
    let io = WatchedIo::new(io, Arc::clone(&activity), Some(permit));
    let mut connection = begin(&server, io, Arc::clone(&activity), peer, service);
    let mut leaving = None;
    let mut drained = pin!(server.sessions.drained());
    let mut given_up = pin!(server.sessions.given_up());
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    let mut pressed = pin!(server.gate.pressed());
    // Only a poll of the connection or its timer can change the decision about it.
    poll_fn(|cx| {
        loop {
            if given_up.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            activity.begin_poll();
            if let Poll::Ready(ended) = connection.poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!(
                        target: targets::CONNECTION,
                        %error,
                        peer = peer.map(tracing::field::display),
                        "connection ended"
                    );
                }
                return Poll::Ready(());
            }
            // Do not close as soon as the server begins to close: a poll may be on its way on this connection.
            let mut close = leaving.is_none() && drained.as_mut().poll(cx).is_ready();
            while activity.awaits_head() && pressed.as_mut().poll(cx).is_ready() {
                pressed.set(server.gate.pressed());
            }
            match activity.judge(patience(&server), leaving, |id| needed_until(&server.sessions, id)) {
                Verdict::Keep(until) => {
                    let until = server.sessions.clock.deadline(until);
                    if timer.is_elapsed() || until < timer.deadline() {
                        timer.as_mut().reset(until);
                    }
                    if timer.as_mut().poll(cx).is_pending() && !close {
                        return Poll::Pending;
                    }
                }
                Verdict::Close => close = true,
                Verdict::Drop => {
                    server.note_dropped(activity.is_answering());
                    tracing::debug!(
                        target: targets::CONNECTION,
                        peer = peer.map(tracing::field::display),
                        "connection dropped: no request came, or no answer was taken"
                    );
                    return Poll::Ready(());
                }
            }
            if close {
                leaving = Some(server.sessions.clock.now());
                connection.finish();
            }
        }
    })
    .await;
}

/// Begins to serve a connection.
fn begin<I, S>(
    server: &Arc<ServerShared>,
    io: WatchedIo<I>,
    activity: Arc<Activity>,
    peer: Option<SocketAddr>,
    service: S,
) -> Connection<I, impl FnOnce(WatchedIo<I>, bool) -> Box<dyn Served + Send>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Answers,
{
    let chooses = server.http.speaks_http2();
    let server = Arc::clone(server);
    let client = Client::of::<I>(&io, peer);
    Connection::new(io, chooses, move |io, is_http2| {
        let answering = (activity, Arc::clone(&server));
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            client.introduce(request.extensions_mut());
            let (activity, server) = answering.clone();
            answer::<I, S>(service.clone(), request, activity, server)
        });
        #[cfg(feature = "http2")]
        if is_http2 {
            return protocols::http2(&server.http, io, service);
        }
        #[cfg(not(feature = "http2"))]
        let _ = is_http2;
        protocols::http1(&server.http, io, service)
    })
}

/// What a connection tells its requests of the client.
struct Client {
    peer: Option<SocketAddr>,
    #[cfg(feature = "tls")]
    identity: Option<Identity>,
}

impl Client {
    fn of<I: 'static>(io: &WatchedIo<I>, peer: Option<SocketAddr>) -> Self {
        #[cfg(not(feature = "tls"))]
        let _ = io;
        Self {
            peer,
            #[cfg(feature = "tls")]
            identity: TlsStream::identity_of(io.get_ref()),
        }
    }

    fn introduce(&self, request: &mut http::Extensions) {
        if let Some(peer) = self.peer {
            peer_addr::put(request, peer);
        }
        #[cfg(feature = "tls")]
        if let Some(certificates) = self.identity.as_ref().and_then(|identity| identity.get()) {
            request.insert(certificates.clone());
        }
    }
}

/// Answers one request of a connection, and notes that it is in flight until its answer has been written. hyper limits the
/// number of headers on HTTP/1 only.
fn answer<I: 'static, S: Answers>(
    service: S,
    request: Request<Incoming>,
    activity: Arc<Activity>,
    server: Arc<ServerShared>,
) -> InFlight<I, impl Future<Output = Result<Response<S::Body>, Infallible>> + Send> {
    let version = request.version();
    let is_http2 = version >= http::Version::HTTP_2;
    let is_short = !is_http2 || headers_of(request.headers()) <= server.http.max_headers;
    InFlight {
        announces: keep_alive::is_wanted(version, request.headers()),
        under_way: Some(UnderWay::begin(&activity, is_http2)),
        answer: is_short.then(|| service.answer(request, CameOn(Arc::clone(&activity)))),
        activity,
        server,
        io: PhantomData,
    }
}

pin_project! {
    /// The answer to a request of a connection. It is not an async function, which would keep the request beside the future
    /// that has taken it.
    struct InFlight<I, F> {
        // `None` if the request has too many headers.
        #[pin]
        answer: Option<F>,
        activity: Arc<Activity>,
        server: Arc<ServerShared>,
        // Whether the answer announces how long the connection is kept.
        announces: bool,
        under_way: Option<UnderWay>,
        io: PhantomData<fn() -> I>,
    }
}

impl<I, F, B> Future for InFlight<I, F>
where
    I: 'static,
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: http_body::Body,
{
    type Output = Result<Response<WatchedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let in_flight = self.project();
        let mut answer = if let Some(answer) = in_flight.answer.as_pin_mut() {
            let Ok(answer) = ready!(answer.poll(cx));
            answer.map(Some)
        } else {
            let mut answer = Response::new(None);
            *answer.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            answer
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS && is_socket::<I>() {
            in_flight.activity.hold_back_opening();
        }
        let hold = in_flight.activity.promise(patience(in_flight.server));
        if *in_flight.announces {
            keep_alive::announce(hold, answer.status(), answer.headers_mut());
        }
        let answer = answer.map(|body| WatchedBody::new(body, in_flight.activity));
        *in_flight.under_way = None;
        Poll::Ready(Ok(answer))
    }
}

/// Returns the number of headers. A client may split its cookies into several headers on HTTP/2, which count as the one that
/// they stand for (RFC 9113 section 8.2.3).
fn headers_of(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(header::COOKIE).iter().count().saturating_sub(1)
}

/// Returns the current time limits of connections.
fn patience(server: &ServerShared) -> Patience {
    let (request, idle) = (server.http.request_timeout, server.http.idle_timeout);
    let pressed = if server.gate.is_short(|| server.sessions.clock.now()) { PRESSED } else { Duration::MAX };
    Patience { head: request.min(pressed), request, idle, spare: idle.min(pressed) }
}

/// Returns until when a session may need its connection again, if it is still on polling.
fn needed_until(sessions: &Sessions, id: SessionId) -> Option<Instant> {
    let session = sessions.find(id)?;
    let inner = session.lock();
    if inner.view.transport == Transport::Polling { inner.view.session.poll_timeout() } else { None }
}
