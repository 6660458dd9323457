//! The exit codes of `eio connect`.

use crate::interrupt::INTERRUPTED;
use crate::usage::{BAD_USAGE, NO_OUTPUT};

/// Tells ends apart for scripts. A number never gets another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    Closed,
    NoOutput,
    BadUsage,
    NoConnection,
    Refused,
    PingTimeout,
    TransportClose,
    TransportError,
    BrokenProtocol,
    ApplicationStalled,
    ServerDisconnect,
    UnknownSession,
    BadRequest,
    PayloadTooLarge,
    TooManyRequests,
    BadGateway,
    Unavailable,
    GatewayTimeout,
    Unauthorized,
    Forbidden,
    NotFound,
    Redirected,
    ServerError,
    NoPayload,
    Interrupted,
}

impl ExitCode {
    /// In the order of their numbers.
    const ALL: [Self; 25] = [
        Self::Closed,
        Self::NoOutput,
        Self::BadUsage,
        Self::NoConnection,
        Self::Refused,
        Self::PingTimeout,
        Self::TransportClose,
        Self::TransportError,
        Self::BrokenProtocol,
        Self::ApplicationStalled,
        Self::ServerDisconnect,
        Self::UnknownSession,
        Self::BadRequest,
        Self::PayloadTooLarge,
        Self::TooManyRequests,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Redirected,
        Self::ServerError,
        Self::NoPayload,
        Self::Interrupted,
    ];

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::NoOutput => NO_OUTPUT,
            Self::BadUsage => BAD_USAGE,
            Self::NoConnection => 3,
            Self::Refused => 4,
            Self::PingTimeout => 5,
            Self::TransportClose => 6,
            Self::TransportError => 7,
            Self::BrokenProtocol => 8,
            Self::ApplicationStalled => 9,
            Self::ServerDisconnect => 10,
            Self::UnknownSession => 11,
            Self::BadRequest => 12,
            Self::PayloadTooLarge => 13,
            Self::TooManyRequests => 14,
            Self::BadGateway => 15,
            Self::Unavailable => 16,
            Self::GatewayTimeout => 17,
            Self::Unauthorized => 18,
            Self::Forbidden => 19,
            Self::NotFound => 20,
            Self::Redirected => 21,
            Self::ServerError => 22,
            Self::NoPayload => 23,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// What it means, for the help and the README.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Closed => "the session was closed here: Ctrl-C, SIGTERM, --for, or nobody reads",
            Self::NoOutput => "standard output cannot be written, a full disk for example",
            Self::BadUsage => "bad usage",
            Self::NoConnection => {
                "no connection: nobody listens, the name is unknown, TLS failed, or no answer"
            }
            Self::Refused => {
                "refused at the opening, whatever the status: wrong path, transport, revision or namespace"
            }
            Self::PingTimeout => "ping timeout: the server fell silent",
            Self::TransportClose => "transport close: the server, or something in between, closed or reset",
            Self::TransportError => "transport error: the connection broke",
            Self::BrokenProtocol => "the server broke the protocol",
            Self::ApplicationStalled => {
                "this side failed: it did not read (application stalled), or panicked, which is a bug"
            }
            Self::ServerDisconnect => "the Socket.IO server disconnected this client",
            Self::UnknownSession => {
                "the server no longer knew the session: a restart, or a balancer without stickiness"
            }
            Self::BadRequest => "a request of the session was refused as a bad one",
            Self::PayloadTooLarge => "a message was larger than the server or a proxy takes",
            Self::TooManyRequests => "too many requests from here",
            Self::BadGateway => "a proxy got no proper answer from the server",
            Self::Unavailable => "the server is overloaded or closing, or a proxy has none to ask",
            Self::GatewayTimeout => "a proxy did not wait long enough for the answer",
            Self::Unauthorized => "the credentials were refused within the session",
            Self::Forbidden => "a request of the session was forbidden",
            Self::NotFound => "the path was gone within the session",
            Self::Redirected => "a request of the session was redirected",
            Self::ServerError => "the server failed at a request of the session",
            Self::NoPayload => "a web page, or a compressed answer, came in place of a payload",
            Self::Interrupted => "interrupted before the session was open, or twice",
        }
    }

    /// All of them, a line each.
    pub(crate) fn table() -> String {
        Self::ALL.map(|code| format!("  {:<4} {}\n", code.number(), code.meaning())).concat()
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_and_the_help_list_every_code_once_and_nothing_else() {
        let readme = include_str!("../../README.md");
        let listed: Vec<_> = readme
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
            .filter_map(|(number, meaning)| Some((number.parse::<u8>().ok()?, meaning.replace('`', ""))))
            .collect();
        let expected = ExitCode::ALL.map(|code| (code.number(), code.meaning().to_owned()));
        assert_eq!(listed, expected);
        assert!(expected.is_sorted_by(|(a, _), (b, _)| a < b));
        let help = crate::args::help("connect");
        for line in ExitCode::table().lines() {
            assert!(help.contains(line), "{line}\n{help}");
        }
    }
}
