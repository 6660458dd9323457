//! The body of a request, and whether it was read to its end.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};

/// The body of a request. It notes when it was read to its end: the connection can take a further request only then
/// (RFC 9112 section 9.3).
pub(crate) struct RequestBody<'a, B> {
    body: Pin<&'a mut B>,
    is_read: &'a mut bool,
}

impl<'a, B: Body> RequestBody<'a, B> {
    /// Sets `is_read` once the body has ended, which an empty one has already.
    pub(crate) fn new(body: Pin<&'a mut B>, is_read: &'a mut bool) -> Self {
        *is_read = body.is_end_stream();
        Self { body, is_read }
    }
}

impl<B: Body> Body for RequestBody<'_, B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        *self.is_read |= frame.is_none() || self.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
