//! Keeps panics of the application's code from ending more than that code.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code of the application. The error is the message of its panic.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(message)
}

/// Returns the message of a panic.
pub(crate) fn message(payload: Box<dyn Any + Send>) -> String {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (None, Some(message)) => message.clone(),
        (None, None) => "not a text".to_owned(),
    };
    // The payload's `Drop` may panic as well.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(payload);
    }
    message
}
