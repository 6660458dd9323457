//! Clients that come back after their connection broke.

use core::task::Context;
use std::time::Duration;

use crate::server::connection::Connection;
use crate::server::running::{Task, Work};
use crate::server::socket::{Socket, Stage};
use crate::server::space::Kept;

/// How long a client that comes back waits until the handlers of its end have started.
const MAX_TELLING: Duration = Duration::from_secs(5);

/// What a client that comes back says about the session before.
#[derive(serde::Deserialize)]
struct Before {
    pid: String,
    offset: Option<String>,
}

impl Connection {
    /// Gives a client its socket back if it was away, as soon as the application has been told of the end. Otherwise, lets the
    /// client join if the middlewares have seen the data with which it wants to, and asks them if they have not.
    pub(super) fn admit(&mut self, socket: &Socket, is_checked: bool, cx: &mut Context<'_>) {
        let before = self.before(socket);
        let being_told = before.as_ref().and_then(|before| socket.space().being_told(&before.pid));
        let Some(being_told) = being_told else {
            return self.admit_now(socket, before, is_checked, cx);
        };
        let sender = self.link.sender.clone();
        let waiting = async move {
            tokio::select! {
                // If it takes too long, the client is not recovered.
                _ = tokio::time::timeout(MAX_TELLING, being_told.over()) => {}
                _ = sender.closed() => {}
            }
            Ok(())
        };
        self.start(socket, Ok(Work::Decides(Box::pin(waiting))), Task::Admit { is_checked }, cx);
    }

    /// Goes on with a client that has waited.
    pub(super) fn admit_late(&mut self, socket: &Socket, is_checked: bool, cx: &mut Context<'_>) {
        // One that has gone meanwhile takes nothing with it.
        if socket.stage().is_some() && self.engine.end().is_none() {
            let before = self.before(socket);
            self.admit_now(socket, before, is_checked, cx);
        }
    }

    fn admit_now(&mut self, socket: &Socket, before: Option<Before>, is_checked: bool, cx: &mut Context<'_>) {
        if before.is_some_and(|before| self.recover(socket, &before, is_checked, cx)) {
            return;
        }
        if !is_checked {
            self.ask_middleware(socket, 0, cx);
        } else if socket.space().insert(socket, || self.accept(socket)) {
            self.note_joined(socket, cx);
        }
    }

    /// Puts the socket that a client had before it was away in the place of the one that wants to join. Returns `false` if
    /// there is none, not everything that it has missed is known, or the application has not been told of the end.
    fn recover(
        &mut self,
        socket: &Socket,
        Before { pid, offset }: &Before,
        is_checked: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        // It is dropped without the lock of the namespace: it is the application's.
        let mut unused = None;
        let create = |kept: Kept| {
            if kept.being_told().is_some() || !socket.give_way() {
                unused = Some(kept);
                return None;
            }
            // What no middleware has seen now, nobody should trust.
            let auth = if is_checked { socket.auth().clone() } else { kept.auth };
            let restored = Socket::new(kept.id, socket.space().clone(), self.link.clone(), auth);
            restored.set_values(kept.values);
            restored.note_joined(true);
            Some(restored)
        };
        let accept = |socket: &Socket| self.accept(socket);
        let Some(restored) = socket.space().restore(pid, offset.as_deref(), create, accept) else {
            return false;
        };
        if let Some(values) = socket.stored() {
            restored.values().take_from(&values);
        }
        if let Some(place) = self.sockets.iter_mut().find(|other| *other == socket) {
            *place = restored.clone();
        }
        self.note_joined(&restored, cx);
        true
    }

    /// Returns what a client that wants to join says about the session before, if it may go on.
    fn before(&self, socket: &Socket) -> Option<Before> {
        let may_come_back = self.link.server.recovery.is_some()
            && !self.link.is_old()
            && socket.stage() == Some(Stage::Joining);
        if may_come_back { socket.auth().first().ok() } else { None }
    }
}
