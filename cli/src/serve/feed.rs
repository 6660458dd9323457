//! The page's data: server-sent events, at most five per second, for as long as somebody looks.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::board::Board;
use crate::clock::Clock;

/// How often the board is looked at.
const TURN: Duration = Duration::from_millis(200);

/// After how many turns without news a comment is sent: a page that has gone is noticed by writing to it.
const QUIET_TURNS: u32 = 50;

/// A body that never ends. It holds nothing but what it has to say next: a page that reads slowly gets fewer, larger
/// pieces.
pub(crate) struct Feed {
    board: Arc<Board>,
    clock: Clock,
    /// What is said once, at the beginning.
    about: Option<Bytes>,
    /// The version of the board that the page has.
    seen: Option<u64>,
    timer: Pin<Box<Sleep>>,
    quiet_turns: u32,
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// `about` describes the server, in JSON.
    pub(crate) fn new(board: Arc<Board>, clock: Clock, about: &str, permit: OwnedSemaphorePermit) -> Self {
        Self {
            board,
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
            if let Some((version, changes)) = self.board.changes(self.seen, self.clock.elapsed()) {
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
