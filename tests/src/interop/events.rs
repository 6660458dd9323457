//! What a session of another program's tells, one thing after another.

use std::collections::VecDeque;

use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedReceiver;

use super::soon;

/// One line of JSON.
pub type Event = Map<String, Value>;

/// The events of one session. Each kind is waited for by itself; within a kind the order is that of their coming.
#[derive(Debug)]
pub struct Events {
    who: &'static str,
    coming: UnboundedReceiver<Event>,
    /// Those that came while others were waited for.
    waiting: VecDeque<Event>,
}

impl Events {
    /// The events that come from `who`.
    #[must_use]
    pub fn new(who: &'static str, coming: UnboundedReceiver<Event>) -> Self {
        Self { who, coming, waiting: VecDeque::new() }
    }

    /// The next event of this kind; others stay for those who ask for them.
    ///
    /// # Panics
    /// When it does not come, or the session closes before.
    pub async fn next(&mut self, kind: &str) -> Event {
        if let Some(at) = self.waiting.iter().position(|event| is(event, kind)) {
            return self.waiting.remove(at).unwrap_or_default();
        }
        let who = self.who;
        soon(&format!("the {who}'s `{kind}`"), async {
            loop {
                let Some(event) = self.coming.recv().await else {
                    panic!("the {who}'s process ended before its `{kind}`");
                };
                if is(&event, kind) {
                    return event;
                }
                let is_end = is(&event, "close");
                self.waiting.push_back(event);
                assert!(!is_end, "the {who}'s session closed before its `{kind}`: {:?}", self.waiting.back());
            }
        })
        .await
    }

    /// Whether there is such an event that no test has asked for yet.
    pub fn has(&mut self, kind: &str) -> bool {
        while let Ok(event) = self.coming.try_recv() {
            self.waiting.push_back(event);
        }
        self.waiting.iter().any(|event| is(event, kind))
    }
}

fn is(event: &Event, kind: &str) -> bool {
    event.get("event").and_then(Value::as_str) == Some(kind)
}

/// A member that is text; empty if there is none.
pub(super) fn text(event: &Event, name: &str) -> String {
    event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
