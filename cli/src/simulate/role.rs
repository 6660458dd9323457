//! The two ends of a session.

use core::str::FromStr;

use clap::ValueEnum;

/// An end of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    #[default]
    Client,
    Server,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    pub(crate) const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Client, Self::Server]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or("unknown end of a session: expected client or server")
    }
}
