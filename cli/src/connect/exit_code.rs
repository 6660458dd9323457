//! The exit codes of `eio connect`.

use crate::interrupt::INTERRUPTED;
use crate::usage::{BAD_USAGE, NO_OUTPUT};

/// The exit codes, which tell scripts how the session ended. A number keeps its meaning in later versions.
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
    UnreadableAnswer,
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
        Self::UnreadableAnswer,
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
            Self::UnreadableAnswer => 23,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// Returns its meaning, for the help and the README.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Closed => "eio closed the session: Ctrl-C, SIGTERM, --for, or nobody reads the output",
            Self::NoOutput => "eio cannot write to standard output, for example because the disk is full",
            Self::BadUsage => {
                "wrong usage: an option or a setting is invalid, or a file that it names cannot be used"
            }
            Self::NoConnection => {
                "no connection: nothing listens, the host is unknown, TLS failed, or no answer"
            }
            Self::Refused => "the server does not offer this transport, revision or namespace",
            Self::PingTimeout => "ping timeout: the server was silent",
            Self::TransportClose => {
                "transport close: the server or the network closed or reset the connection"
            }
            Self::TransportError => "transport error: the connection failed",
            Self::BrokenProtocol => "the server broke the protocol",
            Self::ApplicationStalled => {
                "eio failed: it did not read in time (application stalled), or panicked, which is a bug"
            }
            Self::ServerDisconnect => "the Socket.IO server disconnected this client",
            Self::UnknownSession => "unknown session: a restart, or a load balancer without sticky sessions",
            Self::BadRequest => "bad request: the server rejects a request as invalid",
            Self::PayloadTooLarge => "payload too large for the server, a proxy or eio",
            Self::TooManyRequests => "too many requests or sessions from this address",
            Self::BadGateway => "bad gateway: a proxy got no valid answer from the server",
            Self::Unavailable => {
                "unavailable: the server is full or shutting down, or a proxy has no healthy one"
            }
            Self::GatewayTimeout => "gateway timeout: a proxy did not wait long enough for the server",
            Self::Unauthorized => "unauthorized: credentials are missing, wrong or expired",
            Self::Forbidden => "forbidden: the server or a firewall forbids the request",
            Self::NotFound => "not found: there are no sessions at this path",
            Self::Redirected => "redirected: the sessions are at another URL",
            Self::ServerError => "server error: a status of 500 or above",
            Self::UnreadableAnswer => "a web page, or a compressed answer, came instead of a payload",
            Self::Interrupted => {
                "interrupted before the session opened, or twice; or the close is not confirmed within 5 s"
            }
        }
    }

    /// Returns the table for the help, one line for each code.
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
