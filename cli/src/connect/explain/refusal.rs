//! HTTP answers that are not payloads.

use core::time::Duration;

use eio_tokio::{ConnectError, RefusalKind, Refused};

use crate::connect::diagnosis::Diagnosis;
use crate::connect::exit_code::ExitCode;
use crate::connect::history::History;
use crate::proxies::is_stripped_upgrade;

/// Returns whether this is an HTTP answer.
pub(crate) fn is_answer(error: &ConnectError) -> bool {
    code(error).is_some()
}

/// Returns the exit code for an HTTP answer that kept a session from opening, or ended it. Returns `None` for other
/// errors.
pub(super) fn code(error: &ConnectError) -> Option<ExitCode> {
    Some(match error {
        _ if is_web_page(error) => ExitCode::UnreadableAnswer,
        ConnectError::Refused(refused) => of_kind(refused.kind()),
        ConnectError::Coding(_) => ExitCode::UnreadableAnswer,
        _ => return None,
    })
}

fn of_kind(kind: RefusalKind) -> ExitCode {
    match kind {
        RefusalKind::UnknownTransport | RefusalKind::UnsupportedRevision => ExitCode::Refused,
        RefusalKind::UnknownSession => ExitCode::UnknownSession,
        RefusalKind::PayloadTooLarge => ExitCode::PayloadTooLarge,
        RefusalKind::TooManyRequests => ExitCode::TooManyRequests,
        RefusalKind::BadGateway => ExitCode::BadGateway,
        RefusalKind::Unavailable => ExitCode::Unavailable,
        RefusalKind::GatewayTimeout => ExitCode::GatewayTimeout,
        RefusalKind::Unauthorized => ExitCode::Unauthorized,
        RefusalKind::Forbidden => ExitCode::Forbidden,
        RefusalKind::NotFound => ExitCode::NotFound,
        RefusalKind::Redirect => ExitCode::Redirected,
        RefusalKind::ServerError => ExitCode::ServerError,
        _ => ExitCode::BadRequest,
    }
}

/// Returns whether the answer is a web page that reports no error of the server: an ordinary one, or that of a network
/// which wants a login (RFC 6585, section 6).
pub(super) fn is_web_page(error: &ConnectError) -> bool {
    match error {
        ConnectError::WebPage(_) => true,
        // A WebSocket's request gets the page as a refusal.
        ConnectError::Refused(refused) => {
            refused.status == http::StatusCode::NETWORK_AUTHENTICATION_REQUIRED
                || (refused.status.is_success() && refused.message.trim_start().starts_with('<'))
        }
        _ => false,
    }
}

/// Returns the diagnosis of an HTTP answer, or `None` for other errors.
pub(super) fn diagnosis(error: &ConnectError) -> Option<Diagnosis> {
    match error {
        _ if is_web_page(error) => Some(Diagnosis::WEB_PAGE),
        ConnectError::Refused(refused) => Some(of_refusal(refused)),
        ConnectError::Coding(_) => Some(Diagnosis::COMPRESSED),
        _ => None,
    }
}

fn of_refusal(refused: &Refused) -> Diagnosis {
    if refused.status == http::StatusCode::BAD_REQUEST
        && refused.message.contains("Header Or Cookie Too Large")
    {
        // nginx does not answer 431.
        return Diagnosis::HEADERS_TOO_LARGE;
    }
    match refused.kind() {
        RefusalKind::UnknownTransport => Diagnosis::UNKNOWN_TRANSPORT,
        RefusalKind::UnsupportedRevision => Diagnosis::WRONG_REVISION,
        RefusalKind::UnknownSession => Diagnosis::UNKNOWN_SESSION,
        RefusalKind::PayloadTooLarge => Diagnosis::PAYLOAD_TOO_LARGE,
        RefusalKind::HeadTooLarge => Diagnosis::HEADERS_TOO_LARGE,
        RefusalKind::TooManyRequests => Diagnosis::TOO_MANY_REQUESTS,
        RefusalKind::BadGateway => Diagnosis::BAD_GATEWAY,
        // A proxy does not know the protocol's codes.
        RefusalKind::Unavailable if refused.code.is_some() => Diagnosis::SERVER_FULL,
        RefusalKind::Unavailable => Diagnosis::UNAVAILABLE,
        RefusalKind::GatewayTimeout => Diagnosis::GATEWAY_TIMEOUT,
        RefusalKind::Unauthorized => Diagnosis::UNAUTHORIZED,
        RefusalKind::Forbidden => Diagnosis::FORBIDDEN,
        RefusalKind::NotFound => Diagnosis::WRONG_PATH,
        RefusalKind::Redirect => Diagnosis::REDIRECTED,
        // engine.io answers this at every path that is not its own.
        RefusalKind::ServerError if refused.status == http::StatusCode::NOT_IMPLEMENTED => {
            Diagnosis::WRONG_PATH
        }
        RefusalKind::ServerError => Diagnosis::SERVER_ERROR,
        _ => Diagnosis::BAD_REQUEST,
    }
}

/// Returns the diagnosis of an HTTP answer that ended an open session, or `None` for other errors. `is_overdue` says
/// that a ping was late then.
pub(super) fn in_session(
    error: &ConnectError,
    history: &History,
    is_overdue: bool,
    silent_for: Duration,
) -> Option<Diagnosis> {
    let diagnosis = diagnosis(error)?;
    Some(if diagnosis == Diagnosis::UNKNOWN_SESSION && is_overdue {
        // It closed the session before it read this request, which had been waiting for it.
        Diagnosis::SERVER_STALLED
    } else if diagnosis == Diagnosis::UNKNOWN_SESSION && history.is_split() {
        Diagnosis::NOT_STICKY
    } else if diagnosis == Diagnosis::GATEWAY_TIMEOUT && history.was_idle(silent_for) {
        // The proxy waited for the answer to a poll, which comes with the next ping.
        Diagnosis::IDLE_LIMIT
    } else {
        diagnosis
    })
}

/// Returns why the WebSocket of an upgrade did not open.
pub(crate) fn of_upgrade(error: &ConnectError) -> Diagnosis {
    if is_stripped_upgrade(error) && !is_web_page(error) {
        return Diagnosis::WEBSOCKET_BLOCKED;
    }
    match diagnosis(error) {
        // The session lives on polling, so another server has answered.
        Some(Diagnosis::UNKNOWN_SESSION) => Diagnosis::NOT_STICKY,
        _ => Diagnosis::WEBSOCKET_REFUSED,
    }
}
