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
    Interrupted,
}

impl ExitCode {
    /// In the order of their numbers.
    const ALL: [Self; 12] = [
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
            Self::Refused => "refused by the server: wrong path, transport, revision or namespace",
            Self::PingTimeout => "ping timeout: the server fell silent",
            Self::TransportClose => "transport close: the server, or something in between, closed or reset",
            Self::TransportError => "transport error: the connection broke, or a request was refused",
            Self::BrokenProtocol => "the server broke the protocol",
            Self::ApplicationStalled => {
                "this side failed: it did not read (application stalled), or panicked, which is a bug"
            }
            Self::ServerDisconnect => "the Socket.IO server disconnected this client",
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
