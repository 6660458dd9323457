//! What has happened to a session and is yet to be told: to the observer, to the log, to the metrics.
//!
//! All of these are other people's code, which may block, panic, or use the session. So what happens is noted while the
//! session is locked, and told afterwards by the session's own task, in order, with no lock held.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::BufferTooSmall;
use eio_core::upgrade::UpgradeOutcome;
use tracing::level_filters::LevelFilter;

use crate::session::guard::guarded;
use crate::session::metrics;
use crate::session::observer::{CannotAccept, Observer, RefusedRequest};
use crate::session::socket::{Disconnect, Sender};
use crate::session::state::State;
use crate::wire::message::Message;
use crate::wire::transport::Transport;

/// One thing that has happened.
#[derive(Debug)]
pub(crate) enum Notice {
    Opened(Transport),
    Ping,
    Heartbeat(Option<Duration>),
    Message(Message),
    /// The WebSocket has handed messages to the kernel.
    Sent {
        messages: usize,
        bytes: usize,
    },
    Upgrade(UpgradeOutcome),
    /// A message could not be copied, which cannot be: the session ends.
    Undecodable(BufferTooSmall),
    /// The state says how.
    Closed,
}

/// Whether anybody wants to hear of messages and heartbeats. If not, nothing is noted.
///
/// No subscriber is asked, which would be other people's code again: its most verbose level is known.
pub(crate) fn is_anybody_listening(observer: Option<&Arc<dyn Observer>>) -> bool {
    cfg!(feature = "metrics") || observer.is_some() || LevelFilter::current() >= LevelFilter::TRACE
}

/// Tells everybody; `false` when one of them panicked.
pub(crate) fn tell(state: &Arc<State>, notice: &Notice) -> bool {
    let ended = if let Notice::Closed = notice { state.lock().end().cloned() } else { None };
    let run = |callback, code: &dyn Fn()| match guarded(code) {
        Ok(()) => true,
        Err(panicked) => {
            panicked.report(callback, state.id.short());
            false
        }
    };
    // Each of them hears of it, whatever happens to the others.
    let logged = run("tracing", &|| log(state, notice, ended.as_ref()));
    let counted = run("metrics", &|| count(notice, ended.as_ref()));
    let observed = match &state.hub.config.observer {
        Some(observer) => run("observer", &|| observe(&**observer, state, notice, ended.as_ref())),
        None => true,
    };
    logged && counted && observed
}

/// Tells of a request that was refused.
pub(crate) fn tell_refused(request: &RefusedRequest<'_>, observer: Option<&dyn Observer>) {
    let RefusedRequest { transport, peer, status, code, message } = *request;
    without_session("tracing", || {
        let (transport, status) = (transport.as_str(), status.as_u16());
        tracing::debug!(transport, ?peer, status, code, message, "request refused");
    });
    without_session("metrics", || metrics::refused(code, transport));
    if let Some(observer) = observer {
        without_session("observer", || observer.refused(request));
    }
}

/// Tells of a failure to accept connections: of each to those who count, and of one that `is_new` to all.
pub(crate) fn tell_cannot_accept(why: &CannotAccept<'_>, is_new: bool, observer: Option<&dyn Observer>) {
    without_session("metrics", || metrics::cannot_accept(why.as_str()));
    if is_new {
        without_session("tracing", || tracing::warn!(%why, "no connection can be accepted"));
        if let Some(observer) = observer {
            without_session("observer", || observer.cannot_accept(why));
        }
    }
}

/// Tells that connections are accepted again, after so long.
pub(crate) fn tell_accepts_again(after: Duration, observer: Option<&dyn Observer>) {
    without_session("tracing", || {
        tracing::warn!(after_ms = after.as_millis(), "connections are accepted again");
    });
    if let Some(observer) = observer {
        without_session("observer", || observer.accepts_again(after));
    }
}

/// Tells of a connection beyond those that its address may have.
pub(crate) fn tell_connection_refused(peer: Option<SocketAddr>) {
    without_session("tracing", || tracing::debug!(?peer, "connection refused: its address has too many"));
    without_session("metrics", metrics::connection_refused);
}

/// Runs other people's code that is told of no session. Its panic ends nothing.
fn without_session(callback: &'static str, code: impl FnOnce()) {
    if let Err(panicked) = guarded(code) {
        panicked.report(callback, "-");
    }
}

fn log(state: &State, notice: &Notice, ended: Option<&Disconnect>) {
    let sid = state.id.short();
    match notice {
        Notice::Opened(transport) => {
            tracing::debug!(%sid, peer = ?state.peer, transport = transport.as_str(), "session opened");
        }
        Notice::Ping => tracing::trace!(%sid, "ping"),
        Notice::Heartbeat(rtt) => tracing::trace!(%sid, ?rtt, "heartbeat"),
        Notice::Message(message) => tracing::trace!(%sid, bytes = message.len(), "message"),
        Notice::Sent { .. } => {}
        Notice::Undecodable(error) => {
            tracing::error!(%sid, %error, "a message cannot be decoded: its session ends");
        }
        Notice::Upgrade(outcome) => tracing::debug!(%sid, ?outcome, "upgrade ended"),
        Notice::Closed => {
            let Some(end) = ended else { return };
            tracing::debug!(
                %sid,
                reason = end.reason.as_str(),
                detail = %end.reason,
                close_code = end.close_frame.as_ref().map(|frame| frame.code().as_u16()),
                close_reason = end.close_frame.as_ref().map(|frame| tracing::field::debug(frame.reason())),
                silent_ms = end.silent_for.as_millis(),
                transport = end.transport.as_str(),
                "session ended"
            );
        }
    }
}

fn count(notice: &Notice, ended: Option<&Disconnect>) {
    match notice {
        Notice::Opened(transport) => metrics::session_opened(*transport),
        Notice::Ping => metrics::ping_sent(),
        Notice::Heartbeat(rtt) => metrics::heartbeat_received(*rtt),
        Notice::Message(message) => metrics::message_received(message.len()),
        Notice::Sent { messages, bytes } => metrics::messages_sent(*messages, *bytes),
        Notice::Undecodable(_) => {}
        Notice::Upgrade(outcome) => metrics::upgrade_ended(*outcome),
        Notice::Closed => ended.into_iter().for_each(metrics::session_ended),
    }
}

fn observe(observer: &dyn Observer, state: &Arc<State>, notice: &Notice, ended: Option<&Disconnect>) {
    match notice {
        Notice::Opened(_) => observer.opened(&Sender { state: Arc::clone(state) }),
        Notice::Ping => observer.ping(state.id),
        Notice::Heartbeat(rtt) => observer.heartbeat(state.id, *rtt),
        Notice::Message(message) => observer.message(state.id, message),
        Notice::Sent { .. } | Notice::Undecodable(_) => {}
        Notice::Upgrade(outcome) => observer.upgrade(state.id, *outcome),
        Notice::Closed => ended.into_iter().for_each(|end| observer.closed(state.id, end)),
    }
}
