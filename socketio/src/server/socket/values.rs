//! What an application stores with a socket.

use std::sync::PoisonError;

use http::Extensions;

use crate::server::guard::guarded;
use crate::sync::{Mutex, MutexGuard};
use crate::targets;

/// What an application stores with a socket: one value of each type. A socket that is recovered has those of the socket before
/// it, so that what is stored with either is there for both.
///
/// Values are dropped by code of the application, which may use the socket, or panic.
#[derive(Default)]
pub(crate) struct Values(Mutex<Extensions>);

impl Values {
    pub(super) fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.lock().insert(value)
    }

    pub(super) fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.lock().get::<T>().cloned()
    }

    pub(super) fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.lock().remove::<T>()
    }

    fn lock(&self) -> MutexGuard<'_, Extensions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let values = core::mem::take(&mut *self.lock());
        if let Err(panic) = guarded(|| drop(values)) {
            tracing::error!(target: targets::SOCKET, %panic, "a value that was stored with a socket panicked when it was dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_panic_when_they_are_dropped_end_nothing_else() {
        #[derive(Clone)]
        struct Grenade;

        impl Drop for Grenade {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }

        let values = Values::default();
        values.insert(Grenade);
        drop(values);
    }
}
