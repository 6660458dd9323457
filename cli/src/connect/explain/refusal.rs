//! HTTP answers that are not payloads: what they mean, and what to change.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tokio::{ConnectError, RefusalKind, Refused};

use crate::connect::exit_code::ExitCode;
use crate::proxies::idle_limit_hint;

/// Returns the exit code for an HTTP answer that kept a session from opening, or ended it. Returns `None` for other
/// errors.
pub(super) fn code(error: &ConnectError) -> Option<ExitCode> {
    Some(match error {
        ConnectError::Refused(refused) => of_kind(refused.kind()),
        ConnectError::WebPage(_) | ConnectError::Coding(_) => ExitCode::UnreadableAnswer,
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

/// Explains, in sentences, an answer that ended an open session.
pub(super) fn explanation(error: &ConnectError, silent_for: Duration, heartbeat: Heartbeat) -> Vec<String> {
    let (meaning, idle) = match error {
        ConnectError::Refused(refused) => {
            let timed_out = refused.kind() == RefusalKind::GatewayTimeout;
            let idle = timed_out.then(|| idle_limit_hint(silent_for, heartbeat)).flatten();
            (meaning(refused), idle)
        }
        ConnectError::WebPage(_) => {
            ("A proxy, a login page or a captive portal answered instead of the server.", None)
        }
        _ => (
            "A proxy compresses answers although eio asks it not to. Switch compression off for this path.",
            None,
        ),
    };
    [Some(format!("transport error: {error}.")), Some(meaning.to_owned()), idle]
        .into_iter()
        .flatten()
        .collect()
}

fn meaning(refused: &Refused) -> &'static str {
    match refused.kind() {
        RefusalKind::UnknownSession => {
            "The server does not know this session any more: it was restarted, or a load balancer sent the request to \
             another server. Let the load balancer send all requests of a client to one server (sticky sessions), or \
             use --transport websocket."
        }
        RefusalKind::PayloadTooLarge => {
            "The request was larger than the server or a proxy accepts. Raise maxHttpBufferSize of the server or \
             client_max_body_size of nginx, or send smaller messages."
        }
        RefusalKind::TooManyRequests => {
            "The server or a proxy limits the rate of requests. Raise that limit, or use --transport websocket, which \
             needs only one request."
        }
        RefusalKind::BadGateway => {
            "A proxy got no valid answer from the server behind it. Check whether that server was restarted or has \
             crashed."
        }
        // A proxy does not know the protocol's codes.
        RefusalKind::Unavailable if refused.code.is_some() => "The server is full or shutting down.",
        RefusalKind::Unavailable => {
            "The server is overloaded or shutting down, or a proxy finds none of its servers healthy. Check its health \
             check."
        }
        RefusalKind::GatewayTimeout => {
            "A proxy did not wait long enough for the answer to a poll. Raise its read timeout (nginx: \
             proxy_read_timeout) above the ping interval."
        }
        RefusalKind::Unauthorized => {
            "The server or a proxy no longer accepts the credentials. Check whether a token has expired, and pass a new \
             one with --header."
        }
        RefusalKind::Forbidden => {
            "The server, or a firewall in front of it, forbids the request. Check its rules for this path."
        }
        RefusalKind::NotFound => {
            "There is nothing at this path any more. Check the routes of the proxy, and whether the server was replaced."
        }
        RefusalKind::Redirect => {
            "The request was redirected to a place that does not have the session. Open the session there instead."
        }
        RefusalKind::ServerError => "The server failed. Look at its log.",
        RefusalKind::HeadTooLarge => {
            "The headers or the query are longer than the server accepts. Shorten the values of --header, or the \
             cookies that the server sets."
        }
        _ => {
            "The server rejected a request that belongs to the session. A proxy may have changed it, or a second client \
             may use the same session."
        }
    }
}
