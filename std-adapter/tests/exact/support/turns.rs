//! The order in which tasks have their turn, for the tests of both sides.

use core::future::poll_fn;
use core::task::Poll;

/// Lets the tasks that are ready have their turn. This one comes before those that they wake.
pub(crate) async fn give_way() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
