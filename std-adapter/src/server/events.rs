//! Reports the events of a server to the observer, the log and the metrics.
//!
//! All of these run application code, which may block, panic, or use the session. A session's own task calls them in order,
//! with no lock held.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use crate::server::incident::{Incident, RefusedRequest};
use crate::server::observer::Observer;
use crate::server::sessions::Session;
use crate::server::socket::Sender;
use crate::session::end::log_end;
use crate::session::guard::reported;
use crate::session::happening::Happening;
use crate::session::metrics;
use crate::wire::targets;

/// Whether the log or the metrics want to hear of messages and heartbeats.
///
/// It does not call the log's subscriber, which is application code, but only checks the most verbose level.
pub(crate) fn is_logged_or_counted() -> bool {
    cfg!(feature = "metrics") || LevelFilter::current() >= LevelFilter::TRACE
}

/// Reports an event to all three. Returns `false` if one of them panicked.
pub(crate) fn tell(
    session: &Arc<Session>,
    happening: Happening<'_>,
    observer: Option<&dyn Observer>,
) -> bool {
    let context = &session.context;
    let run = |callback, code: &dyn Fn()| reported(callback, context.id.short(), code).is_some();
    // A panic of one receiver does not keep the event from the others.
    let logged = run("tracing", &|| log(session, happening));
    let counted = run("metrics", &|| count(session, happening));
    let was_observed =
        observer.is_none_or(|observer| run("observer", &|| observe(observer, session, happening)));
    logged && counted && was_observed
}

/// Returns whether the log may show events at the level of debugging.
pub(crate) fn is_logged() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// Reports an event outside of a session.
pub(crate) fn tell_incident(incident: &Incident<'_>, observer: Option<&dyn Observer>) {
    without_session("metrics", || count_incident(incident));
    if let Incident::CannotAccept { is_new: false, .. } = incident {
        return;
    }
    without_session("tracing", || log_incident(incident));
    if let Some(observer) = observer {
        without_session("observer", || match *incident {
            Incident::Refused(request) => observer.refused(request),
            Incident::ConnectionRefused(peer) => observer.connection_refused(peer),
            Incident::CannotAccept { why, .. } => observer.cannot_accept(why),
            Incident::AcceptsAgain(after) => observer.accepts_again(after),
        });
    }
}

fn count_incident(incident: &Incident<'_>) {
    match incident {
        Incident::Refused(request) => {
            metrics::refused(request.code, request.transport);
            if let Some(why) = request.unknown {
                metrics::unknown_session(why.as_str());
            }
        }
        Incident::ConnectionRefused(_) => metrics::connection_refused(),
        Incident::CannotAccept { why, .. } => metrics::cannot_accept(why.as_str()),
        Incident::AcceptsAgain(_) => {}
    }
}

fn log_incident(incident: &Incident<'_>) {
    match incident {
        Incident::Refused(request) => log_refused(request),
        Incident::ConnectionRefused(peer) => tracing::debug!(
            target: targets::CONNECTION,
            peer = peer.map(tracing::field::display),
            "connection refused: there are too many"
        ),
        Incident::CannotAccept { why, .. } => {
            tracing::warn!(target: targets::CONNECTION, %why, "no connection can be accepted");
        }
        Incident::AcceptsAgain(after) => tracing::warn!(
            target: targets::CONNECTION,
            after_ms = after.as_millis(),
            "connections are accepted again"
        ),
    }
}

fn log_refused(request: &RefusedRequest<'_>) {
    let RefusedRequest { peer, method, path, user_agent, origin, code, message, context, .. } = *request;
    tracing::debug!(
        target: targets::REQUEST,
        transport = request.transport.as_str(),
        peer = peer.map(tracing::field::display),
        %method,
        path,
        user_agent = user_agent.map(tracing::field::debug),
        origin = origin.map(tracing::field::debug),
        status = request.status.as_u16(),
        code,
        message,
        context,
        "request refused"
    );
}

/// Runs application code for an event outside of a session. Its panic ends nothing.
fn without_session(callback: &'static str, code: impl FnOnce()) {
    let _ = reported(callback, "-", code);
}

fn log(session: &Session, happening: Happening<'_>) {
    let sid = session.context.id.short();
    match happening {
        Happening::Opened => {
            let transport = session.transport();
            let peer = session.context.peer;
            tracing::debug!(
                target: targets::SESSION,
                %sid,
                peer = peer.map(tracing::field::display),
                transport = transport.as_str(),
                "session opened"
            );
        }
        Happening::PingSent => tracing::trace!(target: targets::HEARTBEAT, %sid, "ping"),
        Happening::Heartbeat(rtt) => tracing::trace!(target: targets::HEARTBEAT, %sid, ?rtt, "heartbeat"),
        Happening::Message(message) => {
            tracing::trace!(target: targets::MESSAGE, %sid, bytes = message.len(), "message");
        }
        // A log that is sent over the server would have something new to send each time.
        Happening::PongSent | Happening::Sent { .. } => {}
        Happening::Undecodable(error) => {
            tracing::error!(
                target: targets::SESSION,
                %sid,
                %error,
                "a message cannot be decoded: its session ends"
            );
        }
        Happening::Upgrade(outcome) => {
            tracing::debug!(target: targets::SESSION, %sid, ?outcome, "upgrade ended");
        }
        Happening::Closed(end) => log_end!(target: targets::SESSION, sid, end, "session ended"),
    }
}

fn count(session: &Session, happening: Happening<'_>) {
    match happening {
        Happening::Opened => metrics::session_opened(session.transport()),
        Happening::PingSent => metrics::ping_sent(),
        Happening::Heartbeat(rtt) => metrics::heartbeat_received(rtt),
        Happening::Message(message) => metrics::message_received(message.len()),
        Happening::Sent { messages, bytes } => metrics::messages_sent(messages, bytes),
        Happening::PongSent | Happening::Undecodable(_) => {}
        Happening::Upgrade(outcome) => metrics::upgrade_ended(outcome),
        Happening::Closed(end) => metrics::session_ended(end),
    }
}

fn observe(observer: &dyn Observer, session: &Arc<Session>, happening: Happening<'_>) {
    let id = session.context.id;
    match happening {
        Happening::Opened => observer.opened(&Sender::new(Arc::clone(session))),
        Happening::PingSent => observer.ping(id),
        Happening::Heartbeat(rtt) => observer.heartbeat(id, rtt),
        Happening::Message(message) => observer.message(id, message),
        Happening::Sent { messages, bytes } => observer.sent(id, messages, bytes),
        Happening::PongSent | Happening::Undecodable(_) => {}
        Happening::Upgrade(outcome) => observer.upgrade(id, outcome),
        Happening::Closed(end) => observer.closed(id, end),
    }
}
