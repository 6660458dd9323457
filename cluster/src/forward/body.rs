//! The body of an answer that does not come from the inner service.

use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use crate::forward::limited::{BoxError, Limited};

/// The body of an answer of another node, or of this node's own to a request that could not be forwarded.
#[derive(Debug)]
pub struct NodeBody(Either<Full<Bytes>, Limited<Incoming>>);

impl NodeBody {
    /// Returns this node's own.
    pub(super) fn own(body: Full<Bytes>) -> Self {
        Self(Either::Left(body))
    }

    /// Returns another node's.
    pub(super) fn node(body: Limited<Incoming>) -> Self {
        Self(Either::Right(body))
    }
}

impl Body for NodeBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
