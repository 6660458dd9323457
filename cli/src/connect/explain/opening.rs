//! Why a session did not open, and what to try.

use std::io;

use eio_core::{DisconnectReason, Revision};
use eio_tokio::{ConnectError, ProxyError, RefusalKind, Refused, TlsError, Transport};

use super::refusal;
use crate::connect::exit_code::ExitCode;
use crate::connect::history::History;
use crate::proxies::stripped_upgrade_hint;

/// Returns the exit code, and a word for the reason.
pub(super) fn code(error: &ConnectError, history: &History) -> (ExitCode, &'static str) {
    if matches!(error, ConnectError::Refused(refused) if wants_tls(refused)) {
        return (ExitCode::NoConnection, "no connection");
    }
    if no_websocket_hint(error, history).is_some() {
        return (ExitCode::Refused, "refused");
    }
    if let Some(code) = refusal::code(error) {
        return (code, "refused");
    }
    match error {
        ConnectError::NotWebSocket(_) | ConnectError::OtherRevision { .. } => (ExitCode::Refused, "refused"),
        ConnectError::Session(_) | ConnectError::TooLarge { .. } => (ExitCode::BrokenProtocol, "no session"),
        _ => (ExitCode::NoConnection, "no connection"),
    }
}

/// Explains why the session did not open, and says what to try.
pub(super) fn explanation(error: &ConnectError, history: &History) -> String {
    let hint = match error {
        ConnectError::Refused(refused) if wants_tls(refused) => {
            "The server speaks TLS on this port: use https or wss in the URL."
        }
        _ if let Some(hint) = no_websocket_hint(error, history) => hint,
        ConnectError::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "Nothing listens there. Check the address, and whether the server is running."
            }
            io::ErrorKind::TimedOut => {
                "Packets get no answer. Check for a firewall, and whether the host is up."
            }
            _ => "",
        },
        ConnectError::Timeout => NO_HANDSHAKE,
        ConnectError::Tls(error) => tls_hint(error),
        ConnectError::Proxy(error) => proxy_hint(error),
        ConnectError::Http(error) if error.is_canceled() => {
            "The server closed the connection without an answer. It may limit connections from this address."
        }
        ConnectError::Http(error) if error.is_incomplete_message() => CLOSED_WITHOUT_ANSWER,
        ConnectError::Refused(refused) => refusal_hint(refused, history.revision),
        ConnectError::OtherRevision { .. } => other_revision(history.revision),
        // engine.io sends an HTTP answer over the open WebSocket if it does not speak the revision.
        ConnectError::Session(end)
            if end.transport == Transport::WebSocket
                && matches!(end.reason, DisconnectReason::Violation(_)) =>
        {
            other_revision(history.revision)
        }
        ConnectError::WebPage(_) => {
            "Check the path, and whether a login page or a captive portal answers instead of the server."
        }
        ConnectError::Coding(_) => {
            "A proxy compresses answers although eio asks it not to. Switch compression off for this path."
        }
        _ => "",
    };
    let other_kind = match hint {
        NO_HANDSHAKE | CLOSED_WITHOUT_ANSWER | NO_SESSIONS => history.other_kind(),
        _ => "",
    };
    let namespace = if hint == NO_SESSIONS { history.namespace_hint() } else { "" };
    format!("{error}. {hint} {other_kind} {namespace}").trim_end().to_owned()
}

/// Returns a hint if the session was to open on a WebSocket, and got the answer to an ordinary request.
fn no_websocket_hint(error: &ConnectError, history: &History) -> Option<&'static str> {
    stripped_upgrade_hint(error).filter(|_| history.opens_on_websocket)
}

fn other_revision(ours: Revision) -> &'static str {
    match ours {
        Revision::V3 => "Try --eio 4.",
        Revision::V4 => "Try --eio 3.",
    }
}

const NO_HANDSHAKE: &str = "Something accepts connections there, but does not answer as an Engine.IO server at this path. \
    A server that has run out of connections does not answer either.";
const CLOSED_WITHOUT_ANSWER: &str = "The server closed the connection without an answer. It may have no sessions at this \
    path (for another path, use --path), or it may expect https or wss on this port.";
const NO_SESSIONS: &str = "There are no sessions at this path. For another path, use --path.";

fn refusal_hint(refused: &Refused, revision: Revision) -> &'static str {
    match refused.kind() {
        RefusalKind::UnknownTransport => {
            "The server does not offer this transport: use --transport with the other one."
        }
        RefusalKind::UnsupportedRevision => other_revision(revision),
        RefusalKind::Redirect => {
            "The sessions are elsewhere: connect to that URL, or use --follow-redirects."
        }
        RefusalKind::Unauthorized => {
            "The server or a proxy wants credentials: pass them with --header, or as USER:PASSWORD@ in the URL."
        }
        RefusalKind::Forbidden => {
            "The server, or a firewall in front of it, forbids the request. It may want credentials: pass them with \
             --header, or as USER:PASSWORD@ in the URL."
        }
        RefusalKind::NotFound => NO_SESSIONS,
        RefusalKind::TooManyRequests => "There are too many sessions or requests from here: wait a while.",
        // A proxy does not know the protocol's codes.
        RefusalKind::Unavailable if refused.code.is_some() => {
            "The server is full or shutting down: try again later."
        }
        RefusalKind::BadGateway | RefusalKind::Unavailable => {
            "A proxy answered: the server behind it is down or overloaded."
        }
        RefusalKind::GatewayTimeout => "A proxy answered: the server behind it did not answer in time.",
        // engine.io answers this at every path that is not its own.
        RefusalKind::ServerError if refused.status == http::StatusCode::NOT_IMPLEMENTED => NO_SESSIONS,
        RefusalKind::ServerError => "The server failed. Look at its log.",
        RefusalKind::BadRequest if refused.code == Some(3) => {
            "The server rejects the request. A proxy may have changed it."
        }
        _ => "",
    }
}

fn tls_hint(error: &TlsError) -> &'static str {
    match error {
        TlsError::SelfSigned => {
            "To trust it, pass the certificate in PEM form with --ca FILE. With --insecure, eio does not check it."
        }
        TlsError::UnknownIssuer => {
            "To trust a private authority, pass its certificate with --ca FILE. If the authority is public, the server \
             may not send the certificates between its own and the authority's."
        }
        TlsError::BadSignature => {
            "If the authority has a new certificate, pass that certificate with --ca FILE."
        }
        TlsError::AuthorityAsServer => "To trust this very certificate, pass it in PEM form with --ca FILE.",
        TlsError::Expired { .. } | TlsError::NotValidYet { .. } => {
            "Check the clock of this machine. If it is right, the server needs another certificate."
        }
        TlsError::WrongHost { .. } => "Use a URL with a name from the certificate.",
        TlsError::ClientCertificateRequired => "eio connect cannot present a client certificate.",
        TlsError::Io(_) => "Check whether the server speaks TLS on this port.",
        _ => "",
    }
}

fn proxy_hint(error: &ProxyError) -> &'static str {
    match error {
        ProxyError::Io(_) => "Check whether the proxy is running. --proxy none connects without it.",
        ProxyError::CredentialsMissing => {
            "Pass credentials in the URL of the proxy: --proxy http://USER:PASSWORD@HOST:PORT"
        }
        ProxyError::Refused(_) => {
            "Check whether the proxy reaches the server. Many proxies allow tunnels to port 443 only. --proxy none \
             connects without it."
        }
        ProxyError::Http(_) => "Check whether this is an HTTP proxy.",
        _ => "",
    }
}

/// Returns whether a server refused because it was asked without TLS. nginx, Apache and Go each have their own words.
fn wants_tls(refused: &Refused) -> bool {
    let says = |words| refused.message.contains(words);
    refused.status == http::StatusCode::BAD_REQUEST
        && (says("HTTPS port") || says("HTTPS server") || says("SSL-enabled server port"))
}
