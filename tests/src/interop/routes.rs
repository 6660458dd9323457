//! Which session of a program an event belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::events::{Event, Events};

/// Where the events of a program with many sessions go, by the `id` that each names.
#[derive(Debug)]
pub(super) struct Routes {
    who: &'static str,
    inboxes: Arc<Mutex<HashMap<u64, UnboundedSender<Event>>>>,
    next: u64,
}

impl Routes {
    /// Hands on what a program tells, until it ends.
    pub(super) fn start(who: &'static str, mut events: UnboundedReceiver<Event>) -> Self {
        let inboxes: Arc<Mutex<HashMap<u64, UnboundedSender<Event>>>> = Arc::default();
        let routes = Arc::clone(&inboxes);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let id = event.get("id").and_then(Value::as_u64).unwrap_or_default();
                if let Some(inbox) = routes.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
                    // A session that nobody looks at any more.
                    let _ = inbox.send(event);
                }
            }
            // The process has ended: nobody waits any longer.
            routes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Self { who, inboxes, next: 0 }
    }

    /// A session's number, and its events.
    pub(super) fn session(&mut self) -> (u64, Events) {
        self.next += 1;
        let (inbox, events) = mpsc::unbounded_channel();
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(self.next, inbox);
        (self.next, Events::new(self.who, events))
    }
}
