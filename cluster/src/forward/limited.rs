//! A body whose next piece has a limit of time.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

/// An error of a body, whatever it is.
pub(super) type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// When a body made progress, for those who wait for what follows it.
#[derive(Debug)]
pub(super) struct Progress {
    last: Mutex<Instant>,
    stalled: AtomicBool,
    broken_off: AtomicBool,
}

impl Progress {
    pub(super) fn begin() -> Arc<Self> {
        Arc::new(Self {
            last: Mutex::new(Instant::now()),
            stalled: AtomicBool::new(false),
            broken_off: AtomicBool::new(false),
        })
    }

    pub(super) fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the next piece did not come within the limit.
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Returns whether the body has failed by itself.
    pub(super) fn was_broken_off(&self) -> bool {
        self.broken_off.load(Ordering::Relaxed)
    }

    fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

pin_project! {
    /// A body whose next piece has a limit of time, from when it is asked for. Above the limit, it fails.
    pub struct Limited<B> {
        #[pin]
        body: B,
        limit: Duration,
        timer: Option<Pin<Box<Sleep>>>,
        progress: Arc<Progress>,
    }
}

impl<B> Limited<B> {
    pub(super) fn new(body: B, limit: Duration, progress: Arc<Progress>) -> Self {
        Self { body, limit, timer: None, progress }
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            *this.timer = None;
            this.progress.note();
            if let Some(Err(_)) = frame {
                this.progress.broken_off.store(true, Ordering::Relaxed);
            }
            let bytes =
                |frame: Frame<B::Data>| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
            return Poll::Ready(frame.map(|frame| frame.map(bytes).map_err(Into::into)));
        }
        ready!(this.timer.get_or_insert_with(|| Box::pin(sleep(*this.limit))).as_mut().poll(cx));
        this.progress.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> core::fmt::Debug for Limited<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Limited").field("limit", &self.limit).finish_non_exhaustive()
    }
}
