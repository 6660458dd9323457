//! What a server, or a proxy, answered within a session in place of what belongs there.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tokio::{ConnectError, RefusalKind};

use crate::connect::exit_code::ExitCode;
use crate::proxies::closed_in_silence;

/// The exit code of a session that this answer has ended.
pub(super) fn code(error: &ConnectError) -> ExitCode {
    let ConnectError::Refused(refused) = error else { return ExitCode::NoPayload };
    match refused.kind() {
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

/// What came, what it means, and what to change.
pub(super) fn sentence(error: &ConnectError, silent_for: Duration, heartbeat: Heartbeat) -> String {
    let meaning = match error {
        ConnectError::Refused(refused) => match refused.kind() {
            RefusalKind::UnknownSession => {
                "the server does not know the session any more: it was restarted, or a balancer sends requests to other \
                 servers than before; let the balancer pin clients (sticky sessions), or use --transport websocket"
            }
            RefusalKind::PayloadTooLarge => {
                "the request was larger than the server, or a proxy before it, takes: raise maxHttpBufferSize, or \
                 client_max_body_size of nginx, or send less at once"
            }
            RefusalKind::TooManyRequests => {
                "too many requests from here: raise the limit of the server or proxy, or use --transport websocket, which \
                 needs one request"
            }
            RefusalKind::BadGateway => {
                "a proxy got no proper answer from the server behind it: look whether that was restarted, or has crashed"
            }
            RefusalKind::Unavailable => {
                "the server is overloaded or closing, or the proxy has none to ask: look at its health check"
            }
            RefusalKind::GatewayTimeout => {
                "a proxy did not wait long enough for the answer to a poll: raise its read timeout (proxy_read_timeout of \
                 nginx) above the ping interval"
            }
            RefusalKind::Unauthorized => {
                "the credentials are no longer accepted: look whether a token has expired, and give another by --header"
            }
            RefusalKind::Forbidden => {
                "the server or a firewall for web applications forbids it: look at its rules for this path"
            }
            RefusalKind::NotFound => {
                "nothing is at this path any more: look at the routes of the proxy, or whether the server was replaced"
            }
            RefusalKind::Redirect => {
                "the request was sent elsewhere, where the session is not: open the session at that place"
            }
            RefusalKind::ServerError => "the server failed: look at its log",
            RefusalKind::HeadTooLarge => {
                "the headers or the query are longer than the server takes: shorten --header, or cookies"
            }
            _ => {
                "the server did not like a request that belongs to the session: look for a proxy that changes queries, \
                 methods or bodies, or for a second client with this session"
            }
        },
        ConnectError::WebPage(_) => {
            "something in between answered in the server's place: a login, a captive portal, or a proxy's own page"
        }
        _ => "a proxy in between compresses though it was asked not to: switch that off for this path",
    };
    let hint = match error {
        ConnectError::Refused(refused) if refused.kind() == RefusalKind::GatewayTimeout => {
            closed_in_silence(silent_for, heartbeat)
        }
        _ => String::new(),
    };
    format!("{error}: {meaning}{hint}")
}
