//! Drops what the history of a namespace has kept for long enough.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::server::space::{Inner, Space};
use crate::sync::Runtime;

/// Belongs to the task that tidies. Once it is gone, however that task has ended, another one may begin.
#[derive(Debug)]
pub(super) struct Tidying;

impl Space {
    /// Lets a task drop what the history has kept for long enough, as long as it keeps something.
    pub(super) fn tidy_later(self: &Arc<Self>, inner: &mut Inner) {
        if inner.tidying.strong_count() > 0 {
            return;
        }
        // Without a runtime, what is too old goes with the next event.
        let (Ok(runtime), Some(due)) = (Runtime::try_current(), inner.expire()) else { return };
        let tidying = Arc::new(Tidying);
        inner.tidying = Arc::downgrade(&tidying);
        runtime.spawn(tidy(Arc::downgrade(self), tidying, due));
    }
}

async fn tidy(space: Weak<Space>, tidying: Arc<Tidying>, mut due: Instant) {
    loop {
        // Once a second is enough, however much there is.
        sleep_until(due.max(Instant::now() + Duration::from_secs(1))).await;
        let Some(space) = space.upgrade() else { return };
        let mut inner = space.lock();
        let Some(next) = inner.expire() else {
            // Under the lock: who keeps something from now on begins another task.
            drop(tidying);
            return;
        };
        due = next;
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;
    use tokio::runtime::Builder;

    use super::*;
    use crate::parser::DefaultParser;
    use crate::server::namespace::Namespace;
    use crate::server::recovery::Recovery;

    fn space() -> Arc<Space> {
        let definition = Arc::new(Namespace::<()>::new().define(&Arc::new(())).unwrap());
        let name = ByteString::from_static("/");
        Arc::new(Space::new(name, definition, Arc::new(DefaultParser), 1, Some(&Recovery::new())))
    }

    fn is_tidied(space: &Space) -> bool {
        space.lock().tidying.strong_count() > 0
    }

    /// Keeps something when it is dropped.
    struct Late(Arc<Space>);

    impl Drop for Late {
        fn drop(&mut self) {
            self.0.wait_for_somebody();
            self.0.tidy_later(&mut self.0.lock());
        }
    }

    #[test]
    fn another_task_tidies_after_the_runtime_of_the_first_one_is_gone() {
        let space = space();
        for _ in 0..2 {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                space.wait_for_somebody();
                space.tidy_later(&mut space.lock());
                assert!(is_tidied(&space));
                let late = Late(Arc::clone(&space));
                tokio::spawn(async move {
                    core::future::pending::<()>().await;
                    drop(late);
                });
                tokio::task::yield_now().await;
            });
            drop(runtime);
            assert!(!is_tidied(&space));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_when_nothing_is_kept_and_another_one_begins_then() {
        let space = space();
        for _ in 0..2 {
            space.wait_for_somebody();
            space.tidy_later(&mut space.lock());
            tokio::time::sleep(Duration::from_secs(119)).await;
            assert!(is_tidied(&space) && space.is_waited_for());
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(!is_tidied(&space) && !space.is_waited_for());
        }
    }
}
