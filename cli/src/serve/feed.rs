//! The stream of data to the page: at most five server-sent events per second, for as long as the page is open.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::dashboard::Dashboard;
use crate::clock::Clock;

/// The time between two looks at the dashboard.
const TURN: Duration = Duration::from_millis(200);

/// After how many looks without changes a comment is sent. Writing it shows whether the page is still there.
const QUIET_TURNS: u32 = 50;

/// A body that never ends. It collects the changes only when they can be sent: a page that reads slowly gets fewer and
/// larger events.
pub(crate) struct Feed {
    dashboard: Arc<Dashboard>,
    clock: Clock,
    /// The first event, which describes the server.
    about: Option<Bytes>,
    /// The version of the dashboard that the page has.
    seen: Option<u64>,
    timer: Pin<Box<Sleep>>,
    quiet_turns: u32,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// `about` describes the server, in JSON.
    pub(crate) fn new(
        dashboard: Arc<Dashboard>,
        clock: Clock,
        about: &str,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            dashboard,
            clock,
            about: Some(format!("retry: 1000\nevent: about\ndata: {about}\n\n").into()),
            seen: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            quiet_turns: 0,
            _permit: permit,
        }
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(about) = self.about.take() {
            return Poll::Ready(Some(Ok(Frame::data(about))));
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let next = self.clock.deadline_in(TURN);
            self.timer.as_mut().reset(next);
            if let Some((version, changes)) = self.dashboard.changes(self.seen, self.clock.elapsed()) {
                self.seen = Some(version);
                self.quiet_turns = 0;
                return Poll::Ready(Some(Ok(Frame::data(format!("data: {changes}\n\n").into()))));
            }
            self.quiet_turns += 1;
            if self.quiet_turns == QUIET_TURNS {
                self.quiet_turns = 0;
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))));
            }
        }
    }
}
