//! A second connection to the server when a session has ended: whether it gets an answer tells a server that is gone from one
//! that hangs, and both from a network that is cut.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use eio_core::DisconnectReason;
use eio_tokio::{ClientEvent, ConnectError, Disconnect, ProxyError, RefusalKind, TlsError, Transport};

use super::diagnosis::Diagnosis;
use super::history::History;
use super::options::Options;

/// A server that ends may take this long to close its listener.
const SETTLES: Duration = Duration::from_millis(300);

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(3);

/// What the second connection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The server answers, whatever it says.
    Answers,
    /// The server answers in the other revision of the protocol.
    OtherRevision,
    /// The connection is accepted, but gets no answer.
    Silent,
    /// The connection is refused, or closed without an answer.
    Gone,
    /// Nothing answers at all.
    Unreachable,
    /// A proxy answers that it gets no answer from the server.
    BehindProxy(Diagnosis),
    /// The proxy that opens tunnels cannot be reached.
    NoProxy,
    /// It failed in a way that does not show whether the server is there.
    Unclear,
}

impl Look {
    /// Returns a word for JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Answers | Self::OtherRevision => "answered",
            Self::Silent => "accepted but not answered",
            Self::Gone => "refused or closed",
            Self::Unreachable => "no connection",
            Self::BehindProxy(_) => "answered by a proxy",
            Self::NoProxy => "no connection to the proxy",
            Self::Unclear => "unclear",
        }
    }

    /// Returns what is wrong with the server or with the way to it, if the look shows that.
    pub(crate) const fn trouble(self) -> Option<Diagnosis> {
        match self {
            Self::Answers | Self::OtherRevision | Self::Unclear => None,
            Self::Silent => Some(Diagnosis::SERVER_HANGS),
            Self::Gone => Some(Diagnosis::SERVER_GONE),
            Self::Unreachable => Some(Diagnosis::NETWORK_CUT),
            Self::BehindProxy(diagnosis) => Some(diagnosis),
            Self::NoProxy => Some(Diagnosis::PROXY_UNREACHABLE),
        }
    }

    /// Returns whether a look can tell more about this end.
    pub(crate) fn helps(end: &Disconnect, history: &History) -> bool {
        let failed = matches!(
            end.reason,
            DisconnectReason::PingTimeout
                | DisconnectReason::PeerClose
                | DisconnectReason::TransportClosed
                | DisconnectReason::TransportReset
                | DisconnectReason::TransportError
        );
        failed && history.refusal(end.reason).is_none()
    }

    /// Opens another session, and closes it. A session on WebSocket without a single ping is tried on polling, whose first
    /// answer shows the revision of the server.
    pub(crate) async fn take(options: &Options, end: &Disconnect, history: &History) -> Option<Self> {
        let is_connected = Arc::new(AtomicBool::new(false));
        let notice = {
            let is_connected = Arc::clone(&is_connected);
            move |event| {
                if matches!(event, ClientEvent::Connected) {
                    is_connected.store(true, Ordering::Relaxed);
                }
            }
        };
        let transport = if history.heartbeats == 0 { Transport::Polling } else { end.transport };
        let client = options.client_on(Some(transport), notice).ok()?;
        // A client tells of a connection when the proxy's tunnel and TLS are open, too.
        let is_bare = client.proxy().is_none() && !options.needs_tls();
        if end.reason != DisconnectReason::PingTimeout {
            tokio::time::sleep(SETTLES).await;
        }
        let error = match tokio::time::timeout(LIMIT, client.connect()).await {
            Ok(Ok(socket)) => {
                socket.close();
                let _ = tokio::time::timeout(LIMIT, socket.closed()).await;
                return Some(Self::Answers);
            }
            Ok(Err(error)) => error,
            Err(_) => ConnectError::Timeout,
        };
        Some(Self::of(&error, is_connected.load(Ordering::Relaxed), is_bare))
    }

    /// `is_bare` says that a connection needs neither TLS nor the tunnel of a proxy.
    fn of(error: &ConnectError, is_connected: bool, is_bare: bool) -> Self {
        match error {
            ConnectError::Timeout if is_connected => Self::Silent,
            ConnectError::Timeout if is_bare => Self::Unreachable,
            ConnectError::OtherRevision { .. } => Self::OtherRevision,
            ConnectError::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::NotFound => Self::Gone,
                _ => Self::Unreachable,
            },
            ConnectError::Http(error)
                if error.is_canceled() || error.is_incomplete_message() || was_reset(&**error) =>
            {
                Self::Gone
            }
            ConnectError::Refused(refused) => match refused.kind() {
                RefusalKind::BadGateway => Self::BehindProxy(Diagnosis::BAD_GATEWAY),
                RefusalKind::Unavailable if refused.code.is_none() => {
                    Self::BehindProxy(Diagnosis::UNAVAILABLE)
                }
                RefusalKind::GatewayTimeout => Self::BehindProxy(Diagnosis::GATEWAY_TIMEOUT),
                _ => Self::Answers,
            },
            ConnectError::Proxy(ProxyError::Io(_)) => Self::NoProxy,
            ConnectError::Proxy(ProxyError::Refused(status)) if status.is_server_error() => {
                Self::BehindProxy(Diagnosis::BAD_GATEWAY)
            }
            ConnectError::Tls(TlsError::Io(_)) => Self::Gone,
            ConnectError::Tls(_)
            | ConnectError::SpeaksTls
            | ConnectError::NotWebSocket(_)
            | ConnectError::Coding(_)
            | ConnectError::WebPage(_)
            | ConnectError::TooLarge { .. }
            | ConnectError::Session(_) => Self::Answers,
            _ => Self::Unclear,
        }
    }
}

/// Returns whether a failed request failed because its connection was reset.
fn was_reset(error: &(dyn core::error::Error + 'static)) -> bool {
    let causes = core::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.any(|kind| matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn what_a_second_connection_meets_is_told_apart() {
        let io = |kind| ConnectError::Io(Arc::new(io::Error::from(kind)));
        let tls = |kind| ConnectError::Tls(TlsError::Io(Arc::new(io::Error::from(kind))));
        let tunnel = |status| ConnectError::Proxy(ProxyError::Refused(status));
        for (error, is_connected, is_bare, expected) in [
            (ConnectError::Timeout, true, true, Look::Silent),
            (ConnectError::Timeout, true, false, Look::Silent),
            (ConnectError::Timeout, false, true, Look::Unreachable),
            (ConnectError::Timeout, false, false, Look::Unclear),
            (io(io::ErrorKind::ConnectionRefused), false, true, Look::Gone),
            (io(io::ErrorKind::ConnectionReset), false, true, Look::Gone),
            (io(io::ErrorKind::HostUnreachable), false, true, Look::Unreachable),
            (io(io::ErrorKind::TimedOut), false, false, Look::Unreachable),
            (tls(io::ErrorKind::UnexpectedEof), false, false, Look::Gone),
            (ConnectError::Tls(TlsError::SelfSigned), false, false, Look::Answers),
            (tunnel(StatusCode::BAD_GATEWAY), false, false, Look::BehindProxy(Diagnosis::BAD_GATEWAY)),
            (
                tunnel(StatusCode::SERVICE_UNAVAILABLE),
                false,
                false,
                Look::BehindProxy(Diagnosis::BAD_GATEWAY),
            ),
            (tunnel(StatusCode::FORBIDDEN), false, false, Look::Unclear),
            (ConnectError::Proxy(ProxyError::CredentialsRefused), false, false, Look::Unclear),
            (
                ConnectError::Proxy(ProxyError::Io(Arc::new(io::ErrorKind::ConnectionRefused.into()))),
                false,
                false,
                Look::NoProxy,
            ),
            (ConnectError::WebPage("<html>".to_owned()), true, true, Look::Answers),
        ] {
            assert_eq!(Look::of(&error, is_connected, is_bare), expected, "{error} {is_connected} {is_bare}");
        }
    }
}
