//! Hears what happens to every session, and tells the log and the board.

use core::time::Duration;
use std::sync::Arc;

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{CannotAccept, Disconnect, Message, Observer, RefusedRequest, Sender, SessionId};

use super::board::Board;
use super::event::Event;
use crate::clock::Clock;
use crate::duration::spoken;
use crate::log::Log;
use crate::preview::Preview;
use crate::usage::complain;

pub(crate) struct Watch {
    clock: Clock,
    board: Arc<Board>,
    log: Log<Event>,
}

impl Watch {
    pub(crate) fn new(clock: Clock, board: Arc<Board>, log: Log<Event>) -> Self {
        Self { clock, board, log }
    }
}

impl Observer for Watch {
    fn opened(&self, session: &Sender) {
        let name = self.board.open(session, self.clock.elapsed());
        self.log.put(Event::Open {
            name,
            transport: session.transport(),
            revision: session.revision(),
            peer: session.peer_addr(),
        });
    }

    fn cannot_accept(&self, why: &CannotAccept<'_>) {
        let advice = match why {
            CannotAccept::MaxConnections(_) => "allow more with --max-connections",
            _ => "if descriptors are out, allow the process more (ulimit -n)",
        };
        complain(format_args!("no connection can be accepted: {why}; {advice}"));
    }

    fn accepts_again(&self, after: Duration) {
        complain(format_args!("connections are accepted again, after {}", spoken(after)));
    }

    fn refused(&self, request: &RefusedRequest<'_>) {
        self.log.put(Event::Refused {
            transport: request.transport,
            status: request.status.as_u16(),
            code: request.code,
            message: request.message.to_owned(),
            peer: request.peer,
        });
    }

    fn ping(&self, id: SessionId) {
        if let Some(name) = self.board.ping(id, self.clock.elapsed()) {
            self.log.put(Event::Ping { name, from_client: false });
        }
    }

    fn heartbeat(&self, id: SessionId, rtt: Option<Duration>) {
        if let Some(name) = self.board.heartbeat(id, rtt, self.clock.elapsed()) {
            self.log.put(match rtt {
                Some(rtt) => Event::Pong { name, rtt },
                None => Event::Ping { name, from_client: true },
            });
        }
    }

    fn message(&self, id: SessionId, message: &Message) {
        if let Some(name) = self.board.message(id, message.len()) {
            self.log.put(Event::Message { name, preview: Preview::of(message) });
        }
    }

    fn upgrade(&self, id: SessionId, outcome: UpgradeOutcome) {
        if let Some(name) = self.board.upgrade(id) {
            self.log.put(Event::Upgrade { name, outcome });
        }
    }

    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        if let Some((name, lived)) = self.board.close(id, disconnect, self.clock.elapsed()) {
            self.log.put(Event::Close { name, end: disconnect.clone(), lived });
        }
    }
}
