//! A certificate and its key in files, which are loaded again when they change.

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::server::tls::error::TlsFileError;
use crate::server::tls::files::{Contents, Files, Loaded, Read, between};
use crate::session::guard::reported;
use crate::wire::targets;

/// HTTP/2 in ALPN (RFC 9113 section 3.1).
pub(super) const H2: &[u8] = b"h2";

/// HTTP/1.1 in ALPN (RFC 7301 section 6).
const HTTP11: &[u8] = b"http/1.1";

/// How often the files are read.
const INTERVAL: Duration = Duration::from_secs(10);

/// For how long the files must stay as they are until a change is judged. A tool that renews them writes one after the
/// other.
const SETTLED: Duration = Duration::from_secs(1);

type OnReload = Arc<dyn Fn(Result<(), &TlsFileError>) + Send + Sync>;

/// The certificate of a server and its private key, in two PEM files, for a [`TlsListener`](crate::TlsListener).
///
/// The listener reads the files every ten seconds. When they have changed, and have then stayed the same for a second, new
/// connections get the new certificate. Those that are open stay as they are. If the new files are wrong, the old
/// certificate remains in use, which the log reports as an error, and [`on_reload`](Self::on_reload) as well. Files that can
/// be read only once, such as pipes, are not read again.
pub struct TlsCertificates {
    files: Files,
    loaded: Loaded,
    http2: bool,
    on_reload: Option<OnReload>,
    /// What the files contained when the certificate in use was loaded.
    in_use: Seen,
    /// What they contained at the last look, if that was something else.
    changed: Option<Seen>,
    /// What was reported as wrong.
    reported: Option<Seen>,
    has_reported_expiry: bool,
    /// When the files are read next.
    next: Option<Instant>,
    reading: Option<JoinHandle<Option<Read>>>,
}

/// What was found in the files. An error is told apart by its text.
type Seen = Result<Contents, String>;

impl TlsCertificates {
    /// Loads a certificate and its key.
    ///
    /// `certificate` begins with the server's own certificate, and the certificates of the authorities between it and the
    /// root follow, as in `fullchain.pem` of ACME clients. `key` is the private key without a password, in PKCS #8, PKCS
    /// #1 or SEC 1: RSA with 2,048 bits or more, ECDSA with P-256 or P-384, or Ed25519. Both may be the same file. Blocks
    /// while it reads the files.
    ///
    /// # Errors
    /// Returns a [`TlsFileError`] if a file cannot be read, does not contain what it should, the key does not belong to the
    /// certificate, or a certificate is not valid at present.
    pub fn from_pem_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsFileError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let contents = files.read()?;
        let now = UnixTime::now();
        let loaded = files.check(&contents, now)?;
        tell_loaded(&files, &loaded, now);
        Ok(Self {
            files,
            loaded,
            http2: false,
            on_reload: None,
            in_use: Ok(contents),
            changed: None,
            reported: None,
            has_reported_expiry: false,
            next: None,
            reading: None,
        })
    }

    /// Sets a function that is called when changed files have been loaded, and with the error if they cannot be used. It
    /// is called once for each change. It should return soon, because no connection is accepted meanwhile. A panic changes
    /// nothing.
    #[must_use]
    pub fn on_reload(mut self, reloaded: impl Fn(Result<(), &TlsFileError>) + Send + Sync + 'static) -> Self {
        self.on_reload = Some(Arc::new(reloaded));
        self
    }

    /// Returns a configuration with the current certificate. Each certificate has tickets of its own, so that no client
    /// resumes a session of TLS with an old one.
    pub(super) fn config(&mut self, http2: bool) -> Arc<ServerConfig> {
        self.http2 = http2;
        let protocols: &[&[u8]] = if http2 { &[H2, HTTP11] } else { &[HTTP11] };
        let mut config = self.loaded.config.clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// Waits until there is a new certificate, and returns the configuration with it. May be dropped and called again.
    pub(super) async fn renewed(&mut self) -> Arc<ServerConfig> {
        loop {
            let read = self.read().await;
            if let Some(config) = self.look(read, UnixTime::now()) {
                return config;
            }
        }
    }

    /// Reads the files when it is time. A file system may block, so a thread that may block does it.
    async fn read(&mut self) -> Option<Read> {
        let reading = if let Some(reading) = &mut self.reading {
            reading
        } else {
            tokio::time::sleep_until(*self.next.get_or_insert_with(|| Instant::now() + INTERVAL)).await;
            let files = self.files.clone();
            let read = move || files.can_be_read_again().then(|| files.read());
            self.reading.insert(tokio::task::spawn_blocking(read))
        };
        let read = reading.await;
        self.reading = None;
        self.next = Some(Instant::now() + INTERVAL);
        read.ok().flatten()
    }

    /// Judges what was read, if anything could be. Whatever is wrong with the files, the certificate in use may have expired.
    fn look(&mut self, read: Option<Read>, now: UnixTime) -> Option<Arc<ServerConfig>> {
        let renewed = read.and_then(|read| self.judge(read, now));
        self.tell_expiry(now);
        renewed
    }

    /// Takes the files into use if they have changed, have settled, and are right.
    fn judge(&mut self, read: Read, now: UnixTime) -> Option<Arc<ServerConfig>> {
        let seen = read.clone().map_err(|error| error.to_string());
        if seen == self.in_use {
            (self.changed, self.reported) = (None, None);
            return None;
        }
        if self.changed.as_ref() != Some(&seen) {
            self.changed = Some(seen);
            self.next = Some(Instant::now() + SETTLED);
            return None;
        }
        match read.and_then(|contents| self.files.check(&contents, now)) {
            Ok(loaded) => {
                tell_loaded(&self.files, &loaded, now);
                self.loaded = loaded;
                self.in_use = seen;
                (self.changed, self.reported, self.has_reported_expiry) = (None, None, false);
                self.tell(Ok(()));
                Some(self.config(self.http2))
            }
            Err(error) => {
                if self.reported.as_ref() != Some(&seen) {
                    self.reported = Some(seen);
                    tracing::error!(
                        target: targets::CONNECTION,
                        %error,
                        "the changed certificate cannot be used: the old one remains in use"
                    );
                    self.tell(Err(&error));
                }
                None
            }
        }
    }

    fn tell(&self, reloaded: Result<(), &TlsFileError>) {
        if let Some(on_reload) = &self.on_reload {
            let _ = reported("on_reload", "-", || on_reload(reloaded));
        }
    }

    /// Reports once that the certificate in use has expired.
    fn tell_expiry(&mut self, now: UnixTime) {
        if now > self.loaded.not_after && !self.has_reported_expiry {
            self.has_reported_expiry = true;
            tracing::error!(
                target: targets::CONNECTION,
                path = %self.files.certificate.display(),
                "the certificate in use has expired"
            );
        }
    }
}

fn tell_loaded(files: &Files, loaded: &Loaded, now: UnixTime) {
    const DAY: u64 = 24 * 60 * 60;
    let valid_for_days = between(now, loaded.not_after).as_secs() / DAY;
    tracing::info!(
        target: targets::CONNECTION,
        path = %files.certificate.display(),
        valid_for_days,
        "certificate loaded"
    );
}

impl fmt::Debug for TlsCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsCertificates")
            .field("certificate", &self.files.certificate)
            .field("key", &self.files.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_expiry_of_the_certificate_in_use_is_reported_whatever_the_files_contain_and_not_before() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let path = std::env::temp_dir().join(format!("eio-expiry-{}.pem", std::process::id()));
        std::fs::write(&path, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
        let mut certificates = TlsCertificates::from_pem_files(&path, &path).unwrap();
        let unchanged = certificates.files.read();
        std::fs::remove_file(path).unwrap();
        let missing = certificates.files.read();
        let not_after = certificates.loaded.not_after;
        // rcgen's certificates are valid until the year 4096.
        assert!(not_after.as_secs() > 60_000_000_000, "{not_after:?}");
        let expired = UnixTime::since_unix_epoch(Duration::from_secs(not_after.as_secs() + 1));
        for read in [Some(unchanged), Some(missing), None] {
            // The second look judges what has settled.
            for now in [not_after, not_after, expired] {
                assert!(certificates.look(read.clone(), now).is_none());
                assert_eq!(certificates.has_reported_expiry, now == expired);
            }
            certificates.has_reported_expiry = false;
        }
    }
}
