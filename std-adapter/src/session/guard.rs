//! Runs the application's code, such as callbacks, handlers and `Drop` implementations, and catches its panics.

use core::any::Any;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{self, AssertUnwindSafe};

use crate::session::metrics;
use crate::wire::targets;

/// The error for application code that panicked. The panic hook has been called.
#[derive(Debug)]
pub(crate) struct Panicked(String);

/// Runs application code and catches its panic.
///
/// State that the code leaves half changed belongs to the application, or to a session that ends because of the panic.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(Panicked::new)
}

/// Runs application code. [Reports](Panicked::report) its panic, and returns `None` then.
pub(crate) fn reported<T>(
    callback: &'static str,
    session: impl core::fmt::Display,
    code: impl FnOnce() -> T,
) -> Option<T> {
    guarded(code).inspect_err(|panicked| panicked.report(callback, session)).ok()
}

impl Panicked {
    fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(message), _) => (*message).to_owned(),
            (None, Some(message)) => message.clone(),
            (None, None) => "not a text".to_owned(),
        };
        // The payload comes from the application, too: its `Drop` may panic, with a payload whose `Drop` panics.
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(payload);
        }
        Self(message)
    }

    /// Counts and logs the panic. `callback` names the code; `session` names the session, if there is one.
    pub(crate) fn report(&self, callback: &'static str, session: impl core::fmt::Display) {
        // The recorder of the metrics or the log may have panicked itself.
        let counted = guarded(|| metrics::panicked(callback));
        let logged = guarded(|| {
            tracing::error!(
                target: targets::SESSION,
                sid = %session,
                callback,
                panic = %self.0,
                "a callback panicked"
            );
        });
        drop((counted, logged));
    }
}

/// The name of a callback, in logs and metrics.
pub(crate) trait Named {
    const NAME: &'static str;
}

/// A future of the application. Catches a panic while it is polled or dropped. Its name is a type, because the task of each
/// session holds a guarded future all the time.
pub(crate) struct Guarded<'f, T, N: Named> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send + 'f>>>,
    name: PhantomData<N>,
}

impl<'f, T, N: Named> Guarded<'f, T, N> {
    pub(crate) fn new(future: Pin<Box<dyn Future<Output = T> + Send + 'f>>) -> Self {
        Self { future: Some(future), name: PhantomData }
    }

    /// Polls the future, and drops it once it is ready or has panicked. After that, always returns `Pending`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Panicked>> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let outcome = match guarded(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panicked) => Err(panicked),
        };
        let dropped = self.end();
        Poll::Ready(outcome.and_then(|output| dropped.map(|()| output)))
    }

    /// Drops the future.
    pub(crate) fn end(&mut self) -> Result<(), Panicked> {
        let future = self.future.take();
        guarded(|| drop(future))
    }
}

impl<T, N: Named> Drop for Guarded<'_, T, N> {
    fn drop(&mut self) {
        if let Err(panicked) = self.end() {
            panicked.report(N::NAME, "-");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsInItsDrop(u8);

    impl Drop for PanicsInItsDrop {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic::panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_is_caught_with_its_message_and_whatever_its_payload_does() {
        assert_eq!(
            guarded(|| panic!("a text")).map_err(|Panicked(message): Panicked| message),
            Err::<(), _>("a text".into())
        );
        let number = 7;
        assert_eq!(
            guarded(|| panic!("text {number}")).map_err(|Panicked(message)| message),
            Err::<(), _>("text 7".into())
        );
        assert!(
            guarded(|| panic::panic_any(PanicsInItsDrop(3)))
                .is_err_and(|Panicked(message)| message == "not a text")
        );
    }

    struct Test;

    impl Named for Test {
        const NAME: &'static str = "test";
    }

    #[test]
    fn a_future_may_panic_while_it_is_dropped() {
        let held = PanicsInItsDrop(1);
        let mut future = Guarded::<_, Test>::new(Box::pin(async move { drop(held) }));
        assert!(future.end().is_err());
        let held = PanicsInItsDrop(1);
        drop(Guarded::<_, Test>::new(Box::pin(async move { drop(held) })));
    }
}
