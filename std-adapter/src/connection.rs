//! One connection from accept to its end: every phase of it has a limit.
//!
//! hyper limits the head of an HTTP/1.1 request, in time and size. What it leaves open is closed here: a connection
//! that never says which HTTP it speaks, one that keeps its HTTP/2 alive without asking for anything, and one that
//! does not take its answer.

use core::convert::Infallible;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::hub::Hub;
use crate::service::PeerAddr;

/// What hyper needs for the head of a request at least.
pub(crate) const MIN_HEAD: usize = 8 * 1024;

/// How many requests an HTTP/2 connection may have under way. A session needs two.
const MAX_STREAMS: u32 = 128;

/// How often an HTTP/2 connection is asked whether anybody is there, and how long the answer may take.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// How long a connection that is to end may do nothing.
const LEAVING: Duration = Duration::from_secs(5);

/// Serves the requests of one connection until it ends, becomes a WebSocket, or is no longer worth keeping.
pub(crate) async fn serve<I, S, B>(hub: Arc<Hub>, io: I, peer: Option<SocketAddr>, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let _connected = hub.connected();
    let activity = Arc::new(Activity::default());
    let service = {
        let activity = Arc::clone(&activity);
        hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let under_way = UnderWay::begin(&activity);
            if let Some(peer) = peer {
                request.extensions_mut().insert(PeerAddr(peer));
            }
            let (mut service, activity) = (service.clone(), Arc::clone(&activity));
            async move {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                let answer = service.call(request).await?;
                drop(under_way);
                Ok::<_, Infallible>(answer.map(|body| Watched { body, activity }))
            }
        })
    };
    let settings = &hub.config.http;
    let patience = hub.config.request_timeout;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(settings.max_headers)
        .max_buf_size(settings.max_head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX));
    if !settings.http2 {
        builder = builder.http1_only();
    }
    let mut connection = Box::pin(builder.serve_connection_with_upgrades(TokioIo::new(io), service));
    let mut leaving = false;
    loop {
        let patience = if leaving { patience.min(LEAVING) } else { patience };
        let error = tokio::select! {
            biased;
            ended = connection.as_mut() => ended.err(),
            // Not as soon as it begins to close: a poll that is on its way would meet a closed connection.
            () = hub.drained(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            () = tokio::time::sleep(patience) => match activity.judge(leaving) {
                Verdict::Busy => continue,
                Verdict::Idle => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                Verdict::Hopeless => {
                    tracing::debug!(?peer, "connection dropped: it asked for nothing, or did not take its answer");
                    return;
                }
            },
        };
        if let Some(error) = error {
            tracing::debug!(%error, ?peer, "connection ended");
        }
        return;
    }
}

/// What a connection's requests are doing.
#[derive(Debug, Default)]
struct Activity {
    under_way: AtomicUsize,
    /// A request came, or was answered, or a piece of an answer was asked for, since the last look.
    stirred: AtomicBool,
    /// There was a request at all.
    spoke: AtomicBool,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Busy,
    /// Let it finish what it is writing, and close.
    Idle,
    /// Drop it.
    Hopeless,
}

impl Activity {
    /// A look, once per period of patience.
    fn judge(&self, leaving: bool) -> Verdict {
        let stirred = self.stirred.swap(false, Ordering::Relaxed);
        if stirred || self.under_way.load(Ordering::Relaxed) > 0 {
            Verdict::Busy
        } else if leaving || !self.spoke.load(Ordering::Relaxed) {
            Verdict::Hopeless
        } else {
            Verdict::Idle
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        activity.spoke.store(true, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.stirred.store(true, Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer. Every piece of it that is asked for shows that the one before was taken.
struct Watched<B> {
    body: B,
    activity: Arc<Activity>,
}

impl<B: http_body::Body + Unpin> http_body::Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.activity.stirred.store(true, Ordering::Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_judged_by_what_it_asked_for() {
        let activity = Arc::new(Activity::default());
        assert_eq!(activity.judge(false), Verdict::Hopeless);
        let request = UnderWay::begin(&activity);
        assert_eq!(activity.judge(false), Verdict::Busy);
        drop(request);
        assert_eq!(activity.judge(false), Verdict::Busy);
        assert_eq!(activity.judge(false), Verdict::Idle);
        assert_eq!(activity.judge(true), Verdict::Hopeless);
    }
}
