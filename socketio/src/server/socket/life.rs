//! The life of a socket, as its connection and its namespace see it.

use std::sync::{Arc, PoisonError};

use http::Extensions;

use crate::acks::Acks;
use crate::args::RawArgs;
use crate::server::disconnect::{Disconnect, Reason};
use crate::server::guard::guarded;
use crate::server::link::Link;
use crate::server::recovery::{Offset, Trail};
use crate::server::socket::{Inner, Phase, Socket, Stage};
use crate::server::space::{Kept, Space};
use crate::sync::MutexGuard;
use crate::targets;

impl Socket {
    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.shared.space
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.shared.link
    }

    /// Returns how far the socket is, or `None` if it has ended.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.lock().phase.stage()
    }

    /// Notes that the middlewares let the socket join. Returns `false` if it has ended meanwhile.
    pub(crate) fn note_joined(&self, recovered: bool) -> bool {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Joining) {
            return false;
        }
        inner.phase = Phase::Joined;
        inner.recovered = recovered;
        true
    }

    /// Ends the socket: nothing is sent to it any more, its answers fail, and it is in no room. Returns how far it
    /// was, or `None` if it had ended before.
    pub(crate) fn end_with(&self, reason: Reason, session: Option<eio_tokio::Disconnect>) -> Option<Stage> {
        let mut inner = self.lock();
        let stage = inner.phase.stage()?;
        // A socket that has not joined tells nobody.
        let told = matches!(stage, Stage::Joining);
        let is_recoverable = inner.trail.is_some() && reason.is_recoverable();
        let end = Box::new(Disconnect { reason, session });
        let unanswered = core::mem::take(&mut inner.acks);
        inner.phase = Phase::Ended { end, rooms: None, told };
        drop(inner);
        drop(unanswered);
        // Before the namespace is locked: code of the application clones what it has stored.
        let kept = if is_recoverable { self.kept() } else { None };
        let rooms = self.space().remove(self, kept);
        self.link().server.exit(self.space());
        if let Phase::Ended { rooms: kept, .. } = &mut self.lock().phase {
            *kept = Some(rooms);
        }
        Some(stage)
    }

    /// Returns what is kept of the socket, unless the application's code fails to clone what it has stored.
    fn kept(&self) -> Option<Kept> {
        let extensions = guarded(|| self.extensions());
        if let Err(panic) = &extensions {
            tracing::error!(target: targets::SOCKET, socket = %self.id(), %panic, "the data of a socket cannot be kept");
        }
        Some(Kept::new(self.id().clone(), self.auth().clone(), extensions.ok()?))
    }

    /// Ends a socket in whose place another one joins, which tells the application what happens from now on. Returns `false`
    /// if it has ended meanwhile.
    pub(crate) fn give_way(&self) -> bool {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Joining) {
            return false;
        }
        let end = Disconnect { reason: Reason::ServerNamespaceDisconnect, session: None };
        inner.phase = Phase::Ended { end: Box::new(end), rooms: Some(Vec::new()), told: true };
        true
    }

    /// Returns whether the socket has ended, and the rooms that it was in are known: another thread may be about to tell them,
    /// and reports the end after that.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.lock().phase, Phase::Ended { rooms: Some(_), .. })
    }

    /// Returns how the socket ended, once: to whoever tells the application.
    pub(crate) fn take_end(&self) -> Option<Disconnect> {
        match &mut self.lock().phase {
            Phase::Ended { end, told, .. } => {
                (!core::mem::replace(told, true)).then(|| Disconnect::clone(end))
            }
            _ => None,
        }
    }

    /// Forgets the rooms that the socket was in.
    pub(crate) fn forget_rooms(&self) {
        if let Phase::Ended { rooms, .. } = &mut self.lock().phase {
            *rooms = Some(Vec::new());
        }
    }

    /// Runs `code` on the answers that the socket waits for, unless it has ended.
    pub(crate) fn with_acks<T>(&self, code: impl FnOnce(&mut Acks<RawArgs>) -> T) -> Option<T> {
        let mut inner = self.lock();
        matches!(inner.phase, Phase::Joined).then(|| code(&mut inner.acks))
    }

    pub(crate) fn extensions(&self) -> Option<Box<Extensions>> {
        self.lock().extensions.clone()
    }

    /// Adds values to those that are stored. The application's code, which drops values that were there, runs without a lock.
    pub(crate) fn add_extensions(&self, extensions: Option<Box<Extensions>>) {
        let Some(extensions) = extensions else { return };
        let mut all = self.lock().extensions.take().unwrap_or_default();
        // Without the lock: what is replaced may use the socket when it is dropped.
        all.extend(*extensions);
        self.lock().extensions = Some(all);
    }

    pub(crate) fn set_extensions(&self, extensions: Option<Box<Extensions>>) {
        self.lock().extensions = extensions;
    }

    pub(crate) fn trail(&self) -> Option<Trail> {
        self.lock().trail.clone()
    }

    pub(crate) fn take_trail(&self) -> Option<Trail> {
        self.lock().trail.take()
    }

    pub(crate) fn set_trail(&self, trail: Option<Trail>) {
        self.lock().trail = trail;
    }

    /// Notes that an event was handed to the client's session.
    pub(crate) fn note_sent(&self, offset: &Offset) {
        if let Some(trail) = &self.lock().trail {
            trail.sent(offset);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
