//! Why a session did not open.

use std::io;

use eio_core::DisconnectReason;
use eio_tokio::{ConnectError, ProxyError, Refused, TlsError, Transport};

use super::refusal;
use crate::connect::diagnosis::Diagnosis;
use crate::connect::exit_code::ExitCode;
use crate::connect::history::History;
use crate::proxies::is_stripped_upgrade;

/// Returns the exit code, and a word for the reason.
pub(super) fn code(error: &ConnectError, history: &History) -> (ExitCode, &'static str) {
    if matches!(error, ConnectError::Refused(refused) if wants_tls(refused) || wants_client_certificate(refused))
    {
        return (ExitCode::NoConnection, "no connection");
    }
    if is_http_in_websocket(error) {
        return (ExitCode::Refused, "refused");
    }
    if is_without_websocket(error, history) {
        return (ExitCode::Refused, "refused");
    }
    if let Some(code) = refusal::code(error) {
        return (code, "refused");
    }
    match error {
        ConnectError::NotWebSocket(_) | ConnectError::OtherRevision { .. } => (ExitCode::Refused, "refused"),
        ConnectError::TooLarge { .. } => (ExitCode::PayloadTooLarge, "no session"),
        ConnectError::Session(_) => (ExitCode::BrokenProtocol, "no session"),
        _ => (ExitCode::NoConnection, "no connection"),
    }
}

/// Returns why the session did not open.
pub(super) fn diagnosis(error: &ConnectError, history: &History) -> Diagnosis {
    match error {
        ConnectError::Refused(refused) if wants_tls(refused) => Diagnosis::NEEDS_TLS,
        ConnectError::Refused(refused) if wants_client_certificate(refused) => Diagnosis::CLIENT_CERTIFICATE,
        _ if is_without_websocket(error, history) => Diagnosis::WEBSOCKET_BLOCKED,
        ConnectError::SpeaksTls => Diagnosis::NEEDS_TLS,
        ConnectError::Io(error) => of_io(error),
        ConnectError::Timeout if history.is_connected() => Diagnosis::ACCEPTED_BUT_SILENT,
        ConnectError::Timeout => Diagnosis::HOST_UNREACHABLE,
        ConnectError::Tls(error) => of_tls(error),
        ConnectError::Proxy(error) => of_proxy(error),
        ConnectError::Http(error) if error.is_parse() => Diagnosis::NOT_HTTP,
        ConnectError::Http(_) => Diagnosis::CLOSED_WITHOUT_ANSWER,
        ConnectError::OtherRevision { .. } => Diagnosis::WRONG_REVISION,
        ConnectError::Session(_) if is_http_in_websocket(error) => Diagnosis::WRONG_REVISION,
        ConnectError::TooLarge { .. } => Diagnosis::TOO_LARGE_FOR_EIO,
        ConnectError::Session(_) => Diagnosis::BAD_HANDSHAKE,
        _ => refusal::diagnosis(error).unwrap_or(Diagnosis::CONNECTION_FAILED),
    }
}

/// Returns whether the session was to open on a WebSocket, and got the answer to an ordinary request.
fn is_without_websocket(error: &ConnectError, history: &History) -> bool {
    history.opens_on_websocket && is_stripped_upgrade(error) && !refusal::is_web_page(error)
}

/// Returns whether the server opened the WebSocket and broke it at once. engine.io does if it does not speak the revision: it
/// sends an HTTP answer there.
fn is_http_in_websocket(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Session(end) if end.transport == Transport::WebSocket
        && matches!(end.reason, DisconnectReason::Violation(_)))
}

fn of_io(error: &io::Error) -> Diagnosis {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Diagnosis::NOTHING_LISTENS,
        io::ErrorKind::NotFound => Diagnosis::NO_UNIX_SOCKET,
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Diagnosis::HOST_UNREACHABLE
        }
        // It has no kind of its own.
        _ if error.to_string().contains("failed to lookup address") => Diagnosis::UNKNOWN_HOST,
        _ => Diagnosis::CONNECTION_FAILED,
    }
}

fn of_tls(error: &TlsError) -> Diagnosis {
    match error {
        TlsError::NotTls => Diagnosis::NO_TLS,
        TlsError::SelfSigned => Diagnosis::SELF_SIGNED,
        TlsError::UnknownIssuer => Diagnosis::UNKNOWN_ISSUER,
        TlsError::BadSignature => Diagnosis::BAD_SIGNATURE,
        TlsError::AuthorityAsServer => Diagnosis::AUTHORITY_AS_SERVER,
        TlsError::Expired { .. } => Diagnosis::EXPIRED,
        TlsError::NotValidYet { .. } => Diagnosis::NOT_VALID_YET,
        TlsError::WrongHost { .. } => Diagnosis::WRONG_HOST,
        TlsError::ClientCertificateRequired => Diagnosis::CLIENT_CERTIFICATE,
        _ => Diagnosis::TLS_FAILED,
    }
}

fn of_proxy(error: &ProxyError) -> Diagnosis {
    match error {
        ProxyError::Io(_) => Diagnosis::PROXY_UNREACHABLE,
        // tinyproxy answers 401 instead of 407 to a wrong password.
        ProxyError::CredentialsMissing
        | ProxyError::CredentialsRefused
        | ProxyError::Refused(http::StatusCode::UNAUTHORIZED) => Diagnosis::PROXY_CREDENTIALS,
        ProxyError::Refused(_) => Diagnosis::PROXY_REFUSES,
        _ => Diagnosis::NOT_A_PROXY,
    }
}

/// Returns whether a server refused because it was asked without TLS. nginx, Apache and Go each have their own words.
fn wants_tls(refused: &Refused) -> bool {
    let says = |words| refused.message.contains(words);
    refused.status == http::StatusCode::BAD_REQUEST
        && (says("HTTPS port") || says("HTTPS server") || says("SSL-enabled server port"))
}

/// Returns whether nginx refused because the client showed no certificate: it does so after the handshake of TLS.
fn wants_client_certificate(refused: &Refused) -> bool {
    refused.status == http::StatusCode::BAD_REQUEST
        && refused.message.contains("No required SSL certificate was sent")
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use eio_core::Revision;

    use super::*;
    use crate::clock::Clock;
    use crate::connect::history::Membership;

    #[tokio::test]
    async fn an_error_without_a_diagnosis_of_its_own_has_a_general_one() {
        let history = History::new(Clock::start(), Revision::V4, false, Membership::Unwanted);
        let error = ConnectError::RequestTimeout;
        assert_eq!(diagnosis(&error, &history), Diagnosis::CONNECTION_FAILED);
        assert_eq!(refusal::in_session(&error, &history, false, Duration::ZERO), None);
    }
}
