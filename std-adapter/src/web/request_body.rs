//! The body of a request, which notes whether it was read to its end.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};

/// The body of a request. It notes whether it was read to its end, because only then can the connection carry another
/// request (RFC 9112 section 9.3).
pub(crate) struct RequestBody<'a, B> {
    body: Pin<&'a mut B>,
    is_read: &'a mut bool,
}

impl<'a, B: Body> RequestBody<'a, B> {
    /// Wraps a body. Sets `is_read` once the body has ended; an empty body has already ended.
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
