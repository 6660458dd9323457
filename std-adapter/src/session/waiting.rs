//! Waits for the signals of a session's task: room in the outbox, the handshake, the end.

use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

use tokio::sync::futures::Notified;

use crate::session::send::{SendError, TrySendError};
use crate::wire::message::Message;
use crate::wire::sync::Notify;

/// A future that calls a function now and after every change, until it returns a value.
///
/// It is part of every application's future, and most of the time it does not wait. So its place among those that wait
/// is allocated only when it has to.
pub(crate) struct Until<'a, L> {
    changed: &'a Notify,
    look: L,
    change: Option<Pin<Box<Notified<'a>>>>,
}

/// Calls a function now and after every change, until it returns a value.
pub(crate) fn until<T, L: FnMut() -> Option<T>>(changed: &Notify, look: L) -> Until<'_, L> {
    Until { changed, look, change: None }
}

impl<T, L: FnMut() -> Option<T> + Unpin> Future for Until<'_, L> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Self { changed, look, change } = &mut *self;
        poll_until(change, cx, look, || Box::pin(changed.notified()))
    }
}

/// Calls `look` now and after every change, until it returns a value. `change` is the caller's place among those that wait,
/// if it has one, and `wait` makes one: a future that is ready after the next change.
pub(crate) fn poll_until<T, C: Future<Output = ()> + ?Sized>(
    change: &mut Option<Pin<Box<C>>>,
    cx: &mut Context<'_>,
    mut look: impl FnMut() -> Option<T>,
    wait: impl Fn() -> Pin<Box<C>>,
) -> Poll<T> {
    loop {
        if let Some(seen) = look() {
            *change = None;
            return Poll::Ready(seen);
        }
        if let Some(awaited) = change {
            ready!(awaited.as_mut().poll(cx));
            *change = None;
        } else {
            let mut awaited = wait();
            // Polled before the next look, so that a change in between is not missed.
            if awaited.as_mut().poll(cx).is_pending() {
                *change = Some(awaited);
            }
        }
    }
}

/// Tries to send a message until it is accepted or refused.
pub(crate) fn send(
    changed: &Notify,
    message: Message,
    mut try_send: impl FnMut(Message) -> Result<(), TrySendError> + Unpin,
) -> impl Future<Output = Result<(), SendError>> {
    let mut waiting = Some(message);
    until(changed, move || match try_send(waiting.take()?) {
        Ok(()) => Some(Ok(())),
        Err(TrySendError::Refused(error)) => Some(Err(error)),
        Err(TrySendError::Full(message)) => {
            waiting = Some(message);
            None
        }
    })
}

/// Stores the waker of the task that waits now.
pub(crate) fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}
