//! Puts the events of every session into the log and into the dashboard.

use core::time::Duration;
use std::sync::Arc;

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{CannotAccept, Disconnect, Message, Observer, RefusedRequest, Sender, SessionId};

use super::dashboard::Dashboard;
use super::event::Event;
use crate::clock::Clock;
use crate::duration::spoken;
use crate::log::Log;
use crate::preview::Preview;
use crate::usage::complain;

pub(crate) struct SessionObserver {
    clock: Clock,
    dashboard: Arc<Dashboard>,
    log: Log<Event>,
}

impl SessionObserver {
    pub(crate) fn new(clock: Clock, dashboard: Arc<Dashboard>, log: Log<Event>) -> Self {
        Self { clock, dashboard, log }
    }
}

impl Observer for SessionObserver {
    fn opened(&self, session: &Sender) {
        let name = self.dashboard.open(session, self.clock.elapsed());
        self.log.put(Event::Open {
            name,
            transport: session.transport(),
            revision: session.revision(),
            peer: session.peer_addr(),
        });
    }

    fn cannot_accept(&self, why: &CannotAccept<'_>) {
        let advice = match why {
            CannotAccept::MaxConnections(_) => "raise the limit with --max-connections",
            _ => "if the process has no free file descriptors, raise its limit (ulimit -n)",
        };
        complain(format_args!("cannot accept connections: {why}; {advice}"));
    }

    fn accepts_again(&self, after: Duration) {
        complain(format_args!("accepting connections again after {}", spoken(after)));
    }

    fn refused(&self, request: &RefusedRequest<'_>) {
        self.log.put(Event::Refused {
            transport: request.transport,
            status: request.status.as_u16(),
            code: request.code,
            message: request.message.to_owned(),
            context: request.context.to_owned(),
            user_agent: request
                .user_agent
                // Requests that are refused cost a client nothing, and many of them may wait to be printed.
                .map(|agent| String::from_utf8_lossy(agent.as_bytes()).chars().take(256).collect()),
            sid_hash: request.sid.map(|sid| self.dashboard.label(sid).hash()),
            peer: request.peer,
        });
    }

    fn ping(&self, id: SessionId) {
        if let Some(name) = self.dashboard.ping(id, self.clock.elapsed()) {
            self.log.put(Event::Ping { name, from_client: false });
        }
    }

    fn heartbeat(&self, id: SessionId, rtt: Option<Duration>) {
        if let Some(name) = self.dashboard.heartbeat(id, rtt, self.clock.elapsed()) {
            self.log.put(match rtt {
                Some(rtt) => Event::Pong { name, rtt },
                None => Event::Ping { name, from_client: true },
            });
        }
    }

    fn message(&self, id: SessionId, message: &Message) {
        if let Some(name) = self.dashboard.message(id, message.len()) {
            self.log.put(Event::Message { name, preview: Preview::of(message) });
        }
    }

    fn upgrade(&self, id: SessionId, outcome: UpgradeOutcome) {
        if let Some(name) = self.dashboard.upgrade(id) {
            self.log.put(Event::Upgrade { name, outcome });
        }
    }

    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        if let Some((name, lived)) = self.dashboard.close(id, disconnect, self.clock.elapsed()) {
            self.log.put(Event::Close { name, end: disconnect.clone(), lived });
        }
    }
}
