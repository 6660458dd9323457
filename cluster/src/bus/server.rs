//! What the buses over a server have in common: URLs, connections, TLS, the heartbeat, and connecting again.

mod dial;
mod pulse;
mod retry;
#[cfg(feature = "tls")]
mod tls;
mod url;

use core::time::Duration;

use eio_core::Heartbeat;

pub(super) use dial::{Stream, connect, encrypt};
pub(super) use pulse::{Beat, Pulse};
pub(super) use retry::{Broken, Ended, Protocol, keep};
#[cfg(feature = "tls")]
pub use tls::InvalidRoots;
#[cfg(feature = "tls")]
pub(super) use tls::Tls;
pub use url::{InvalidUrl, UrlProblem};
pub(super) use url::{Scheme, ServerUrl};

/// What a bus is told about its servers.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) urls: Vec<ServerUrl>,
    pub(super) heartbeat: Heartbeat,
    #[cfg(feature = "tls")]
    pub(super) tls: Tls,
}

impl Settings {
    pub(super) fn new<U: AsRef<str>>(
        urls: impl IntoIterator<Item = U>,
        scheme: &'static Scheme,
    ) -> Result<Self, InvalidUrl> {
        let urls = url::all(urls, scheme)?;
        Ok(Self {
            urls,
            heartbeat: DEFAULT_HEARTBEAT,
            #[cfg(feature = "tls")]
            tls: Tls::default(),
        })
    }

    /// How long a server may take to answer anything.
    pub(super) fn patience(&self) -> Duration {
        self.heartbeat.ping_interval() + self.heartbeat.ping_timeout()
    }
}

/// A ping after 2 s of silence, to be answered within 3 s: a server that is gone is noticed after 5 s.
const DEFAULT_HEARTBEAT: Heartbeat = match Heartbeat::from_millis(2_000, 3_000) {
    Ok(heartbeat) => heartbeat,
    Err(_) => Heartbeat::DEFAULT,
};

/// The settings that all buses over a server have.
macro_rules! setters {
    ($bus:ident) => {
        impl $bus {
            /// Sets when the server is pinged, and how long it may take to answer. A server that is silent for the sum of
            /// both counts as lost; so does one that takes longer to accept a connection. Default: 2 s and 3 s.
            #[must_use]
            pub fn heartbeat(mut self, heartbeat: eio_core::Heartbeat) -> Self {
                self.0.heartbeat = heartbeat;
                self
            }

            /// Trusts the authorities in this text of PEM form, besides the public ones of Mozilla's list. Replaces the
            /// configuration of [`tls_config`](Self::tls_config).
            ///
            /// # Errors
            /// Returns an error if there is no certificate in the text, or one cannot be used.
            #[cfg(feature = "tls")]
            #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
            pub fn root_certificates_pem(mut self, pem: &[u8]) -> Result<Self, crate::bus::InvalidRoots> {
                self.0.tls = crate::bus::server::Tls::trusting(pem)?;
                Ok(self)
            }

            /// Sets the whole configuration of TLS, for client certificates or another crypto provider. Default: TLS 1.2 and
            /// 1.3 by ring, with Mozilla's list of authorities.
            #[cfg(feature = "tls")]
            #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
            #[must_use]
            pub fn tls_config(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
                self.0.tls = crate::bus::server::Tls::with_config(config);
                self
            }
        }

        /// Shows no user and no password.
        impl core::fmt::Debug for $bus {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($bus)).field(&self.0.urls).finish()
            }
        }
    };
}

pub(super) use setters;
