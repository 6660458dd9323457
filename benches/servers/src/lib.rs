//! What the servers of the comparison have in common: their command line, their runtime, and their beginning and end.
//!
//! A server listens on a free port of the loopback interface, prints `listening PORT`, and ends when its standard input
//! does. One that cannot do what it is asked for says so on standard error and ends with the code 2.
#![forbid(unsafe_code)]

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use eio_load::process::raise_open_files;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a server is asked for.
#[derive(Clone, Debug, Parser)]
#[non_exhaustive]
pub struct Options {
    /// The number of threads that serve connections
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
    /// What is done with a message
    #[arg(long, value_enum, default_value_t = App::Echo)]
    pub app: App,
    /// How long the server waits before a ping, in milliseconds
    #[arg(long, default_value_t = 25_000)]
    ping_interval: u64,
    /// How long it waits for a pong, in milliseconds
    #[arg(long, default_value_t = 20_000)]
    ping_timeout: u64,
    /// Serves TLS with the certificate and the key in these two PEM files
    #[arg(long, num_args = 2, value_names = ["CERTIFICATE", "KEY"])]
    tls: Vec<PathBuf>,
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum App {
    /// It is sent back
    Echo,
    /// It is sent to all sessions
    Broadcast,
}

impl Options {
    /// Returns how long the server waits before a ping.
    #[must_use]
    pub const fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval)
    }

    /// Returns how long the server waits for a pong.
    #[must_use]
    pub const fn ping_timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout)
    }

    /// Refuses TLS, for the servers of Socket.IO.
    ///
    /// # Errors
    /// Fails if TLS is asked for.
    pub fn refuse_tls(&self) -> Result<(), &'static str> {
        if self.tls.is_empty() { Ok(()) } else { Err("TLS is measured without Socket.IO") }
    }

    /// Returns what accepts TLS, if it is asked for.
    ///
    /// # Errors
    /// Fails if the files hold no certificate and key that belong together.
    pub fn tls(&self) -> io::Result<Option<TlsAcceptor>> {
        let [certificate, key] = &self.tls[..] else { return Ok(None) };
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
        let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain.map_err(io::Error::other)?, key)
            .map_err(io::Error::other)?;
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Runs a server as the command line asks. `check` says what the server cannot do of it, in a sentence. `serve` gets a
/// listener and the options, and serves until the process ends.
pub fn run<F>(
    check: impl FnOnce(&Options) -> Result<(), &'static str>,
    serve: impl FnOnce(TcpListener, Options) -> F,
) -> ExitCode
where
    F: Future<Output = io::Result<()>>,
{
    let options = Options::parse();
    if let Err(cannot) = check(&options) {
        eprintln!("{cannot}");
        return ExitCode::from(2);
    }
    start(options.workers, |listener| async move {
        announce(&listener)?;
        serve(listener, options).await
    })
}

/// Gives `serve` a listener, and runs it on this many threads until the process ends.
pub fn start<F>(workers: usize, serve: impl FnOnce(TcpListener) -> F) -> ExitCode
where
    F: Future<Output = io::Result<()>>,
{
    // If it stays lower, the connection that finds no room says so.
    let _ = raise_open_files();
    end_with_standard_input();
    let served = runtime(workers)
        .and_then(|runtime| runtime.block_on(async { serve(TcpListener::bind("127.0.0.1:0").await?).await }));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says where the server listens.
///
/// # Errors
/// Fails if the system does not know it.
pub fn announce(listener: &TcpListener) -> io::Result<()> {
    println!("listening {}", listener.local_addr()?.port());
    Ok(())
}

/// Builds a runtime with this many threads. A single one needs no queue that others take from.
///
/// # Errors
/// Fails if the system refuses threads or timers.
pub fn runtime(workers: usize) -> io::Result<tokio::runtime::Runtime> {
    if workers == 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
    }
}

/// Ends this process when its standard input ends: whoever started it has ended, or wants it to.
fn end_with_standard_input() {
    std::thread::spawn(|| {
        let mut input = io::stdin().lock();
        while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
        std::process::exit(0)
    });
}
