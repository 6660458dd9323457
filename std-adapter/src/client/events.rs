//! Reports the events of a client to the log, and to the application if it has asked for them.
//!
//! Both may run application code, and are called with no lock held.

use crate::client::config::OnEvent;
use crate::client::event::ClientEvent;
use crate::client::handshake::ShortSid;
use crate::session::end::log_end;
use crate::session::guard::reported;
use crate::wire::targets;

/// Reports an event to both. Returns `false` if one of them panicked.
pub(crate) fn tell(event: &ClientEvent, sid: &str, on_event: Option<&OnEvent>) -> bool {
    let run = |callback, code: &dyn Fn()| reported(callback, ShortSid(sid), code).is_some();
    // A panic of one receiver does not keep the event from the other.
    let logged = run("tracing", &|| log(event, sid));
    let heard = on_event.is_none_or(|on_event| run("on_event", &|| on_event(event.clone())));
    logged && heard
}

fn log(event: &ClientEvent, sid: &str) {
    let sid = ShortSid(sid);
    match event {
        ClientEvent::Opened { handshake, transport } => {
            tracing::debug!(
                target: targets::CLIENT,
                ?handshake,
                transport = transport.as_str(),
                "client session opened"
            );
        }
        ClientEvent::Message(message) => {
            tracing::trace!(target: targets::CLIENT, %sid, bytes = message.len(), "message");
        }
        ClientEvent::PingReceived { after, late, .. } => {
            tracing::trace!(target: targets::CLIENT, %sid, ?after, ?late, "ping");
        }
        ClientEvent::PongReceived { rtt } => tracing::trace!(target: targets::CLIENT, %sid, ?rtt, "pong"),
        ClientEvent::UpgradeFailed { error } => {
            tracing::debug!(target: targets::CLIENT, %sid, %error, "no WebSocket to upgrade to");
        }
        ClientEvent::UpgradeEnded(outcome) => {
            tracing::debug!(target: targets::CLIENT, %sid, ?outcome, "upgrade ended");
        }
        ClientEvent::RequestFailed { error } => {
            tracing::debug!(target: targets::CLIENT, %sid, %error, "request failed");
        }
        ClientEvent::ConnectFailed { error } => {
            tracing::debug!(target: targets::CLIENT, %error, "client session failed to open");
        }
        ClientEvent::Closed(end) => {
            log_end!(target: targets::CLIENT, sid, end, "client session ended");
        }
        ClientEvent::Redirected { to } => tracing::debug!(target: targets::CLIENT, to, "redirected"),
        ClientEvent::TryingTransport { transport } => {
            tracing::debug!(
                target: targets::CLIENT,
                transport = transport.as_str(),
                "trying the next transport"
            );
        }
        ClientEvent::ProtocolChosen { protocol } => {
            tracing::debug!(target: targets::CLIENT, %sid, protocol, "subprotocol chosen");
        }
        ClientEvent::Waiting { delay, attempt } => {
            tracing::debug!(
                target: targets::CLIENT,
                delay_ms = delay.as_millis(),
                attempt,
                "connecting again later"
            );
        }
        ClientEvent::Connecting
        | ClientEvent::Connected
        | ClientEvent::PongSent
        | ClientEvent::PingSent
        | ClientEvent::UpgradeStarted => {}
    }
}
