//! One HTTP connection of a client, driven by the future that uses it.

use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use bytes::Bytes;
use eio_core::Instant;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use crate::carrier::dialed::Dialed;
use crate::client::error::ConnectError;
use crate::client::refusal::Refused;
use crate::client::secrets::Secrets;
use crate::web::whole_body::read_whole;
use crate::wire::clock::Clock;

/// The body of a request.
pub(crate) type Body = Full<Bytes>;

/// One connection, idle or in use.
pub(crate) struct HttpConnection {
    sender: SendRequest<Body>,
    connection: Connection<TokioIo<Dialed>, Body>,
    ended: bool,
    /// From when on the server may close the connection without notice.
    pub(crate) stale_at: Instant,
}

/// How long the client reads the body of a refusal. Some bodies never end.
const REFUSAL_BODY: Duration = Duration::from_secs(1);

impl HttpConnection {
    /// Starts HTTP on a connection that was opened at `now`.
    pub(crate) async fn on(stream: Dialed, now: Instant) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection, ended: false, stale_at: now })
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unsent> {
        let answer = self.sender.try_send_request(request);
        self.drive(answer).await.map_err(|mut error| match error.take_message() {
            Some(request) => Unsent::NotBegun(Box::new(request), error.into_error()),
            None => Unsent::Failed(error.into_error()),
        })
    }

    /// Runs the connection until `future`, which uses it, is done.
    pub(crate) async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _ = self.poll_connection(cx);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Ready once the connection has ended, or its stream can be taken.
    pub(crate) fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            // The failed request returns the error of the connection.
            let _ = ready!(self.connection.poll_without_shutdown(cx));
            self.ended = true;
        }
        Poll::Ready(())
    }

    /// Returns the stream after an answer that switched protocols, and the bytes that were read after that answer.
    pub(crate) async fn into_stream(mut self) -> (Dialed, Bytes) {
        poll_fn(|cx| self.poll_connection(cx)).await;
        let parts = self.connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }

    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn read(&mut self, body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
        match self.drive(read_whole(body, limit)).await {
            Ok(body) => Ok(body),
            Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(error) => Err(ReadError::Http(*error)),
                Err(_) => Err(ReadError::TooLarge),
            },
        }
    }

    /// Returns the refusal in an answer.
    pub(crate) async fn refusal(&mut self, answer: Response<Incoming>, secrets: &Secrets) -> ConnectError {
        let (head, mut body) = answer.into_parts();
        let mut beginning = Vec::new();
        let read = async {
            while beginning.len() < Refused::MAX_BODY
                && let Some(Ok(frame)) = self.drive(body.frame()).await
            {
                beginning.extend(frame.into_data().unwrap_or_default());
            }
        };
        // The body only explains the status, so a late or broken body is ignored.
        let _ = tokio::time::timeout(REFUSAL_BODY, read).await;
        ConnectError::Refused(Refused::new(head.status, &head.headers, &beginning, secrets))
    }

    /// Returns the connection if another request may use it.
    pub(crate) async fn recycle(mut self, clock: Clock, keep_alive: Duration) -> Option<Self> {
        let sender = &mut self.sender;
        let connection = &mut self.connection;
        poll_fn(|cx| {
            let ended = connection.poll_without_shutdown(cx).is_ready();
            if ended { Poll::Ready(Err(())) } else { sender.poll_ready(cx).map_err(drop) }
        })
        .await
        .ok()?;
        self.stale_at = clock.now().saturating_add(keep_alive);
        Some(self)
    }
}

/// The reason why a request got no answer.
pub(crate) enum Unsent {
    /// The connection was closed before the request began: it may be sent again.
    NotBegun(Box<Request<Body>>, hyper::Error),
    Failed(hyper::Error),
}

/// The reason why a body could not be read.
pub(crate) enum ReadError {
    TooLarge,
    Http(hyper::Error),
}
