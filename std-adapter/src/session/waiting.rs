//! Waits for the signals of a session's task: room in the outbox, the handshake, the end.

use tokio::sync::Notify;

use crate::session::send::{SendError, TrySendError};
use crate::wire::message::Message;

/// Calls a function now and after every change, until it returns a value.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn's future, part of every application's, has its arguments twice"
)]
pub(crate) fn until<T>(changed: &Notify, mut look: impl FnMut() -> Option<T>) -> impl Future<Output = T> {
    async move {
        loop {
            // Registered before the call, so that a change in between is not missed.
            let change = changed.notified();
            tokio::pin!(change);
            change.as_mut().enable();
            if let Some(seen) = look() {
                return seen;
            }
            change.await;
        }
    }
}

/// Tries to send a message until it is accepted or refused.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn's future, part of every application's, has its arguments twice"
)]
pub(crate) fn send(
    changed: &Notify,
    message: Message,
    mut try_send: impl FnMut(Message) -> Result<(), TrySendError>,
) -> impl Future<Output = Result<(), SendError>> {
    async move {
        // Nearly always, there is room, and nothing to wait for.
        let mut waiting = match try_send(message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Refused(error)) => return Err(error),
            Err(TrySendError::Full(message)) => Some(message),
        };
        let try_again = move || match try_send(waiting.take()?) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Refused(error)) => Some(Err(error)),
            Err(TrySendError::Full(message)) => {
                waiting = Some(message);
                None
            }
        };
        until(changed, try_again).await
    }
}
