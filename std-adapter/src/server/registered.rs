//! A session between its registration and the start of its task.

use std::sync::Arc;

use crate::server::sessions::{ServerKind, Session};
use crate::session::engine::Engine;

/// A registered session whose task has not been spawned yet. If it is dropped, the session is removed as if it had never
/// existed.
pub(crate) struct Registered {
    session: Arc<Session>,
    engine: Option<Engine<ServerKind>>,
}

impl Registered {
    /// Registers a session. Returns `None` if the server is full or closing.
    pub(crate) fn new(engine: Engine<ServerKind>) -> Option<Self> {
        let session = Arc::clone(&engine.shared);
        let has_room = session.context.sessions().register(&session);
        has_room.then(|| Self { session, engine: Some(engine) })
    }

    /// Hands the session over to its task.
    pub(crate) fn hand_over(mut self) -> Option<Engine<ServerKind>> {
        self.engine.take()
    }
}

impl core::ops::Deref for Registered {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        let now = engine.now();
        engine.session.handle_transport_error(now);
        if let Some(end) = engine.show_state(now) {
            // Its opening was not reported to observers.
            let (id, sessions) = (self.session.context.id, self.session.context.sessions());
            sessions.session_ended(id, end.reason);
            engine.show_end(end);
            sessions.wake_if_emptied();
            sessions.application_ended(id);
        }
    }
}
