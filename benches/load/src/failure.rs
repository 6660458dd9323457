//! Why a measure has no result.

use std::io;

/// Why a measure has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server did something else than it must.
    #[error("the server {0}")]
    Server(String),
    /// The options do not fit together, or do not fit this server.
    #[error("{0}")]
    Options(String),
}

impl Failure {
    /// Returns a function that adds what was tried to an error of the system.
    pub fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    /// Describes what the server did instead of what it must do.
    pub fn server(what: impl Into<String>) -> Self {
        Self::Server(what.into())
    }
}

/// The result of a step of a measure.
pub type Result<T> = std::result::Result<T, Failure>;
