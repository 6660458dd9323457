//! The application of one session, which runs in the session's own task.

use core::task::{Context, Poll};

use crate::server::sessions::ServerKind;
use crate::session::engine::Engine;
use crate::session::guard::{Guarded, Named, Panicked, guarded};
use crate::web::head::Head;

/// The function that the server was built with.
pub(crate) struct Main;

impl Named for Main {
    const NAME: &'static str = "application";
}

/// The function that runs behind it.
pub(crate) struct OnDisconnect;

impl Named for OnDisconnect {
    const NAME: &'static str = "on_disconnect";
}

/// The application's part of a session. Its size is in every session's task.
pub(crate) enum Application {
    /// The session has not opened yet. The application will get the head of the opening request.
    ToStart(Box<Head>),
    Running(Guarded<'static, (), Main>),
    /// The application has returned, panicked or was cut off. `on_disconnect` runs next, once the session has ended.
    Over,
    /// `on_disconnect` runs.
    Leaving(Guarded<'static, (), OnDisconnect>),
    Left,
}

impl Application {
    pub(crate) fn new(head: Head) -> Self {
        Self::ToStart(Box::new(head))
    }

    /// Polls the application. Starts it first if it has not started.
    pub(crate) fn run(&mut self, engine: &mut Engine<ServerKind>, cx: &mut Context<'_>) {
        if let Self::ToStart(_) = self
            && let Self::ToStart(head) = core::mem::replace(self, Self::Over)
        {
            let callbacks = &engine.context().sessions().callbacks;
            match guarded(|| callbacks.start(&engine.shared, head)) {
                Ok(application) => *self = Self::Running(Guarded::new(application)),
                Err(panicked) => self.end(engine, Err(panicked)),
            }
        }
        let Self::Running(application) = self else { return };
        if engine.has_ended() && engine.context().sessions().cuts_applications() {
            let dropped = application.end();
            self.end(engine, dropped);
        } else if let Poll::Ready(outcome) = application.poll(cx) {
            self.end(engine, outcome);
        }
    }

    /// Notes that the application will not start, because the client did not take the answer that opens the session.
    pub(crate) fn never_starts(&mut self, engine: &mut Engine<ServerKind>) {
        self.end(engine, Ok(()));
    }

    fn end(&mut self, engine: &mut Engine<ServerKind>, outcome: Result<(), Panicked>) {
        *self = Self::Over;
        engine.shared.lock().slots.application_over = true;
        if let Err(panicked) = outcome {
            panicked.report(Main::NAME, engine.context().id.short());
            engine.shared.application_panicked();
        }
    }

    /// Runs `on_disconnect` once the session and the application have ended.
    pub(crate) fn drive_end(&mut self, engine: &Engine<ServerKind>, cx: &mut Context<'_>) {
        let sessions = engine.context().sessions();
        if let Self::Over = self
            && let Some(end) = engine.shared.end()
        {
            *self = Self::Left;
            match guarded(|| sessions.callbacks.clean_up(&engine.shared, end)) {
                Ok(None) => {}
                Ok(Some(leaving)) => *self = Self::Leaving(Guarded::new(leaving)),
                Err(panicked) => panicked.report(OnDisconnect::NAME, engine.context().id.short()),
            }
            if let Self::Left = self {
                sessions.application_ended(engine.context().id);
            }
        }
        let Self::Leaving(leaving) = self else { return };
        if let Poll::Ready(outcome) = leaving.poll(cx) {
            *self = Self::Left;
            if let Err(panicked) = outcome {
                panicked.report(OnDisconnect::NAME, engine.context().id.short());
            }
            sessions.application_ended(engine.context().id);
        }
    }

    /// Returns whether nothing is left to run.
    pub(crate) fn has_left(&self) -> bool {
        matches!(self, Self::Left)
    }
}
