//! How a server's sessions work: their settings, and how events reach the callbacks.

use core::time::Duration;
use std::task::Waker;

use eio_core::handshake::Transport;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::{Heartbeat, Instant, Revision, ServerSession};

use crate::server::sessions::{ServerContext, ServerKind};
use crate::server::slots::Slots;
use crate::session::end::Disconnect;
use crate::session::engine::{Engine, Reacts};
use crate::session::happening::Happening;
use crate::session::kind::Kind;
use crate::session::limits::Limits;
use crate::session::mailbox::Mailbox;
use crate::wire::clock::Clock;
use crate::wire::message::Message;

/// Reports an event to all, and records in the session's span what it changes. Apart from the path of messages that nobody
/// watches.
#[inline(never)]
fn tell_all(engine: &Engine<ServerKind>, happening: Happening<'_>) -> bool {
    let told = engine.context().sessions().callbacks.tell(&engine.shared, happening);
    let is_recorded = match happening {
        Happening::Upgrade(UpgradeOutcome::Upgraded) => {
            record(engine, "transport", engine.transport.as_str())
        }
        Happening::Closed(end) => record(engine, "reason", end.reason.as_str()),
        _ => true,
    };
    told && is_recorded
}

/// Records a field of the session's span. Returns `false` if the subscriber panicked.
fn record(engine: &Engine<ServerKind>, field: &'static str, value: &str) -> bool {
    match engine.span.record(field, value) {
        Ok(()) => true,
        Err(panicked) => {
            panicked.report("tracing", engine.context().id.short());
            false
        }
    }
}

impl Kind for ServerKind {
    type Session = ServerSession;
    type Context = ServerContext;
    type Slots = Slots;

    fn clock(context: &ServerContext) -> Clock {
        context.sessions().clock
    }

    fn limits(context: &ServerContext) -> &Limits {
        &context.sessions().config.limits
    }

    fn revision(context: &ServerContext) -> Revision {
        context.revision
    }

    fn has_woken(slots: &Slots) -> bool {
        slots.has_woken()
    }

    fn take_woken(slots: &mut Slots) -> [Option<Waker>; 2] {
        slots.take_woken()
    }

    fn wake_requests(slots: &mut Slots) {
        slots.wake_requests();
    }

    fn carries_now(context: &ServerContext, slots: &Slots, mail: &Mailbox, transport: Transport) -> bool {
        let max_packets = context.sessions().config.max_packets_per_payload;
        !mail.awaits_application()
            && (transport != Transport::Polling || slots.is_polled() && mail.outbox.unsent() < max_packets)
    }

    fn is_answering(slots: &Slots) -> bool {
        slots.is_answering()
    }
}

impl Reacts for ServerKind {
    type Peer = ();

    fn close_timeout(context: &ServerContext) -> Duration {
        context.sessions().config.settings.close_timeout()
    }

    /// The stall timeout follows the session's own periods, unless it has been set.
    fn stall_timeout(context: &ServerContext, heartbeat: Heartbeat) -> Duration {
        context.sessions().config.settings.with_heartbeat(heartbeat).app_stall_timeout()
    }

    fn log_name(engine: &Engine<Self>) -> String {
        engine.context().id.short().to_string()
    }

    fn is_watching(engine: &Engine<Self>) -> bool {
        engine.context().sessions().callbacks.is_watching()
    }

    #[inline]
    fn tell(engine: &Engine<Self>, happening: Happening<'_>) -> bool {
        let is_unwanted = match happening {
            Happening::PongSent => true,
            Happening::Sent { .. } | Happening::PingSent | Happening::Heartbeat(_) => {
                !Self::is_watching(engine)
            }
            _ => false,
        };
        is_unwanted || tell_all(engine, happening)
    }

    fn handle_heartbeat(engine: &mut Engine<Self>, now: Instant, _: Option<Instant>, rtt: Option<Duration>) {
        engine.tell(now, Happening::Heartbeat(rtt));
    }

    /// Requests cannot find the session any more.
    fn handle_end(engine: &mut Engine<Self>, now: Instant, end: &Disconnect) {
        // A runtime that is shutting down may drop the session's task before its first turn.
        tell_opened(engine, now);
        engine.context().sessions().session_ended(engine.context().id, end.reason);
        engine.tell(now, Happening::Closed(end));
    }

    fn handle_end_shown(engine: &mut Engine<Self>) {
        engine.context().sessions().wake_if_emptied();
    }
}

/// Reports the opening once, and what the answer that opened the session on polling has passed on with it.
pub(crate) fn tell_opened(engine: &mut Engine<ServerKind>, now: Instant) {
    if !engine.tell_opened(now) || engine.transport != Transport::Polling {
        return;
    }
    let initial = engine.context().sessions().config.initial_packet.as_ref();
    if let Some(bytes) = initial.map(Message::len) {
        engine.tell_sent(now, 1, bytes);
    }
}
