//! Clients that come back after their connection broke.

use core::task::Context;
use std::time::Duration;

use crate::server::connection::Connection;
use crate::server::recovery::Recovery;
use crate::server::running::{Task, Work};
use crate::server::socket::Socket;
use crate::targets;

/// How long a client that comes back waits until the handlers of its end have started.
const MAX_TELLING: Duration = Duration::from_secs(5);

impl Connection {
    /// Begins to let a client join. One that was away gets its socket back, as soon as the application has been told of the end.
    pub(super) fn admit(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        let being_told = socket.before().and_then(|before| socket.space().being_told(&before.pid));
        let Some(being_told) = being_told else { return self.admit_now(socket, cx) };
        let sender = self.link.sender.clone();
        let waiting = async move {
            tokio::select! {
                // If it takes too long, the client is not recovered.
                _ = tokio::time::timeout(MAX_TELLING, being_told.over()) => {}
                _ = sender.closed() => {}
            }
            Ok(())
        };
        self.start(socket, Ok(Work::Decides(Box::pin(waiting))), Task::Admit, cx);
    }

    /// Goes on with a client that has waited.
    pub(super) fn admit_late(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        // One that has gone meanwhile takes nothing with it.
        if socket.stage().is_some() && self.engine.end().is_none() {
            self.admit_now(socket, cx);
        }
    }

    fn admit_now(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        let skips = self.link.server.recovery.as_ref().is_some_and(Recovery::skips_middlewares);
        match self.take_up(socket, skips) {
            Some(returning) if skips => self.let_in(&returning, cx),
            Some(returning) => self.ask_middleware(&returning, 0, cx),
            None => self.ask_middleware(socket, 0, cx),
        }
    }

    /// Puts the socket that a client had before it was away in the place of the one that wants to join, which nobody has seen.
    /// Returns `None` if there is none, not everything that it has missed is known, or the application has not been told of the end.
    fn take_up(&mut self, socket: &Socket, skips_middlewares: bool) -> Option<Socket> {
        let before = socket.before()?;
        let kept = socket.space().kept(&before)?;
        // What no middleware sees now, nobody should trust.
        let auth = if skips_middlewares { kept.auth } else { socket.auth().clone() };
        if !socket.give_way() {
            return None;
        }
        let returning = Socket::new(kept.id, socket.space().clone(), self.link.clone(), auth);
        returning.set_before(Some(before), true);
        returning.set_values(kept.values);
        if let Some(place) = self.sockets.iter_mut().find(|other| *other == socket) {
            *place = returning.clone();
        }
        Some(returning)
    }

    /// Lets a client join whom no middleware has refused.
    pub(super) fn let_in(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        let accept = || self.accept(socket);
        let has_joined = match socket.before().filter(|_| socket.is_recovered()) {
            Some(before) => socket.space().restore(socket, &before, accept),
            None => socket.space().insert(socket, accept),
        };
        if has_joined {
            self.note_joined(socket, cx);
        } else if socket.stage().is_some() {
            // While the middlewares were asked, its session has gone on elsewhere, or was given up. It joins anew on its next
            // connection, with another identifier.
            tracing::debug!(
                target: targets::CONNECTION,
                sid = %self.link.sender.id().short(),
                reason = "a session can no longer be recovered",
                "the connection is closed"
            );
            self.engine.close();
        }
    }
}
