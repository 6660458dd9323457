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

    /// Takes the values of another socket. They replace those of their types.
    pub(crate) fn take_from(&self, other: &Self) {
        let mut newer = core::mem::take(&mut *other.lock());
        while !newer.is_empty() {
            let mut all = core::mem::take(&mut *self.lock());
            report(guarded(|| all.extend(newer)));
            // What was stored meanwhile is newer still.
            newer = core::mem::replace(&mut *self.lock(), all);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Extensions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let values = core::mem::take(&mut *self.lock());
        report(guarded(|| drop(values)));
    }
}

fn report(dropped: Result<(), String>) {
    if let Err(panic) = dropped {
        tracing::error!(target: targets::SOCKET, %panic, "a value that was stored with a socket panicked when it was dropped");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn values_of_another_socket_replace_those_of_their_types() {
        let (values, other) = (Values::default(), Values::default());
        values.insert(1_u8);
        values.insert("kept");
        other.insert(2_u8);
        values.take_from(&other);
        assert_eq!((values.get(), values.get()), (Some(2_u8), Some("kept")));
        assert_eq!(other.get::<u8>(), None);
    }

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

    #[test]
    fn what_a_value_stores_when_it_is_replaced_is_there_afterwards() {
        #[derive(Clone)]
        struct Successor(Arc<Values>, Arc<AtomicBool>);

        impl Drop for Successor {
            fn drop(&mut self) {
                if !self.1.swap(true, Ordering::Relaxed) {
                    self.0.insert("left behind");
                    panic!("on purpose");
                }
            }
        }

        let values = Arc::new(Values::default());
        let armed = Arc::new(AtomicBool::new(true));
        let successor = |is_done: bool| Successor(Arc::clone(&values), Arc::new(AtomicBool::new(is_done)));
        values.insert(Successor(Arc::clone(&values), Arc::clone(&armed)));
        let other = Values::default();
        other.insert(successor(true));
        other.insert(7_u8);
        armed.store(false, Ordering::Relaxed);
        values.take_from(&other);
        assert_eq!(values.get(), Some("left behind"));
        assert!(armed.load(Ordering::Relaxed));
        drop(values.remove::<Successor>());
    }
}
