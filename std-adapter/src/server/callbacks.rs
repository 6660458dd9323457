//! The application's callbacks, as a session's task calls them.

use std::sync::Arc;

use crate::server::events;
use crate::server::incident::Incident;
use crate::server::observer::Observer;
use crate::server::sessions::{Callbacks, Running, Session};
use crate::server::socket::{Sender, Socket};
use crate::session::end::Disconnect;
use crate::session::happening::Happening;
use crate::web::head::Head;

/// Runs after a session and its application have ended.
type OnDisconnect = Box<dyn Fn(Sender, Disconnect) -> Running + Send + Sync>;

/// What a server was given to call.
pub(crate) struct ServerCallbacks {
    pub(crate) application: Box<dyn Fn(Socket) -> Running + Send + Sync>,
    pub(crate) on_disconnect: Option<OnDisconnect>,
    pub(crate) observer: Option<Box<dyn Observer>>,
}

impl Callbacks for ServerCallbacks {
    fn start(&self, session: &Arc<Session>, head: Box<Head>) -> Running {
        (self.application)(Socket::new(Arc::clone(session), *head))
    }

    fn clean_up(&self, session: &Arc<Session>, end: Disconnect) -> Option<Running> {
        self.on_disconnect.as_ref().map(|clean_up| clean_up(Sender::new(Arc::clone(session)), end))
    }

    fn is_watching(&self) -> bool {
        self.observer.is_some() || events::is_logged_or_counted()
    }

    fn tell(&self, session: &Arc<Session>, happening: Happening<'_>) -> bool {
        events::tell(session, happening, self.observer.as_deref())
    }

    fn wants_refusals(&self) -> bool {
        self.observer.is_some() || events::is_logged()
    }

    fn tell_incident(&self, incident: &Incident<'_>) {
        events::tell_incident(incident, self.observer.as_deref());
    }
}
