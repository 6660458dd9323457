//! The body of a request for a router: each piece of it has a limit in time.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

/// The body of a request that [`Server::serve_with`](crate::Server::serve_with) passes to its service. Reading it fails if
/// the service waits for a piece of it for longer than the [request timeout](crate::ServerBuilder::request_timeout).
#[derive(Debug)]
pub struct TimedBody<B = Incoming> {
    body: B,
    limit: Duration,
    /// When the next piece is late, while the service waits for it.
    late: Option<Pin<Box<Sleep>>>,
}

/// Errors from reading a [`TimedBody`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimedBodyError<E = hyper::Error> {
    /// The client sent nothing more of the body within this time.
    #[error("the body of the request stopped: expected more of it within {} ms", .0.as_millis())]
    Late(Duration),
    /// The connection has ended, or broke HTTP.
    #[error("the body of the request cannot be read: {0}")]
    Broken(#[source] E),
}

impl<B> TimedBody<B> {
    /// Gives each piece of `body` the time `limit`.
    pub(crate) fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, late: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for TimedBody<B> {
    type Data = Bytes;
    type Error = TimedBodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.late = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(TimedBodyError::Broken)));
        }
        let limit = self.limit;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        late.as_mut().poll(cx).map(|()| Some(Err(TimedBodyError::Late(limit))))
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
    use core::convert::Infallible;

    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_for_a_piece_begins_when_it_is_waited_for_and_again_with_the_next() {
        let limit = Duration::from_secs(30);
        let (pieces, mut coming) = mpsc::unbounded_channel::<Result<Frame<Bytes>, Infallible>>();
        let stream = futures_util::stream::poll_fn(move |cx| coming.poll_recv(cx));
        let mut body = TimedBody::new(StreamBody::new(stream), limit);
        for _ in 0..3 {
            // The service does something else for long.
            tokio::time::sleep(4 * limit).await;
            let read = body.frame();
            let sent = async {
                tokio::time::sleep(Duration::from_secs(29)).await;
                pieces.send(Ok(Frame::data(Bytes::from_static(b"piece")))).unwrap();
            };
            let (read, ()) = tokio::join!(read, sent);
            assert_eq!(read.unwrap().unwrap().into_data().unwrap(), "piece");
        }
        let asked = tokio::time::Instant::now();
        assert!(matches!(body.frame().await, Some(Err(TimedBodyError::Late(late))) if late == limit));
        assert!((limit..limit + Duration::from_millis(2)).contains(&asked.elapsed()));
        drop(pieces);
        assert!(body.frame().await.is_none(), "the end is no piece that can be late");
    }
}
