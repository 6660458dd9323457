//! The loop of a session's task, for both roles.

use core::pin::Pin;
use core::task::{Context, Poll};

use eio_core::Instant;
use tokio::time::Sleep;

use crate::wire::clock::Clock;

/// How many passes one poll makes before it lets others run.
const MAX_PASSES: usize = 16;

/// What one look at everything has come to.
pub(crate) enum Pass {
    /// The session has ended, and nothing is left to do.
    Done,
    /// Something changed meanwhile: look again.
    Again,
    /// The next look is due when something happens, and at this time at the latest.
    Until(Option<Instant>),
}

/// Makes passes until nothing can be done now. `timer` wakes the task when the next one is due.
pub(crate) fn poll(
    cx: &mut Context<'_>,
    mut timer: Pin<&mut Sleep>,
    clock: Clock,
    mut pass: impl FnMut(&mut Context<'_>) -> Pass,
) -> Poll<()> {
    for _ in 0..MAX_PASSES {
        let wake_at = match pass(cx) {
            Pass::Done => return Poll::Ready(()),
            Pass::Again => continue,
            Pass::Until(None) => return Poll::Pending,
            Pass::Until(Some(wake_at)) => clock.deadline(wake_at),
        };
        if timer.deadline() != wake_at {
            timer.as_mut().reset(wake_at);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
