//! What `eio serve` does: the configuration file, and the options that override it.

use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;

use eio_core::{Heartbeat, Liveness, detect};
use eio_tokio::{AllowedOrigins, Cors, ServerBuilder, ServerConfig, TlsCertificates, Transport};
use serde_json::{Value, json};

use super::cluster::Plan;
use super::file::{ConfigFile, OwnMembers};
use super::listen::Address;
use super::options::Options;
use super::tls::TlsFiles;
#[cfg(unix)]
use super::unix::Mode;
use super::values::{HostAndPort, HostName, Workers};
use crate::config_file;
use crate::duration::millis;
use crate::sids::Sids;
use crate::usage::Failure;

/// What the server does.
#[derive(Clone)]
pub(crate) struct Settings {
    options: Options,
    own: OwnMembers,
    server: ServerConfig,
    pub(super) heartbeat: Heartbeat,
}

impl Settings {
    /// Reads the configuration file, if there is one.
    ///
    /// # Errors
    /// Returns a sentence that says what is wrong with the file, or with it and the options together.
    pub(crate) fn new(options: Options) -> Result<Self, Failure> {
        let ConfigFile { own, server } = match &options.config {
            Some(path) => config_file::read(path)?,
            None => ConfigFile::default(),
        };
        let heartbeat = options.timing.heartbeat(server.settings().heartbeat())?;
        let settings = Self { options, own, server, heartbeat };
        settings.check_address()?;
        settings.check_certificate()?;
        Ok(settings)
    }

    /// Returns a sentence about the whole configuration file.
    fn about_file(&self, sentence: &str) -> String {
        let name = self.options.config.as_deref().unwrap_or(Path::new("the file"));
        format!("{}: {sentence}", name.display())
    }

    fn check_certificate(&self) -> Result<(), String> {
        let TlsFiles { tls_cert, tls_key } = self.tls();
        // Of the options, each requires the other.
        match (tls_cert, tls_key) {
            (Some(_), None) => Err(self.about_file("it has `tlsCert`: expected `tlsKey` as well")),
            (None, Some(_)) => Err(self.about_file("it has `tlsKey`: expected `tlsCert` as well")),
            _ => Ok(()),
        }
    }

    #[cfg(unix)]
    fn check_address(&self) -> Result<(), String> {
        let (options, own) = (&self.options, &self.own);
        if own.unix.is_some() && own.listen.is_some() {
            return Err(self.about_file("it has both `listen` and `unix`: expected one of them"));
        }
        if options.unix_mode.is_some() && self.unix().is_none() {
            return Err("--unix-mode needs --unix".to_owned());
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_address(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns the path of the Unix socket to listen on.
    #[cfg(unix)]
    pub(super) fn unix(&self) -> Option<&PathBuf> {
        let options = &self.options;
        let by_option = options.listen.is_some() || options.port.is_some();
        options.unix.as_ref().or(self.own.unix.as_ref().filter(|_| !by_option))
    }

    #[cfg(unix)]
    pub(super) fn unix_mode(&self) -> Mode {
        self.options.unix_mode.or(self.own.unix_mode).unwrap_or_default()
    }

    /// Returns the address to listen on, unless it is a Unix socket.
    pub(super) fn listen(&self) -> HostAndPort {
        let options = &self.options;
        let address = options.listen.as_ref().or(self.own.listen.as_ref()).cloned().unwrap_or_default();
        options.port.map_or(address.clone(), |port| address.with_port(port))
    }

    /// Returns the files of the certificate.
    fn tls(&self) -> &TlsFiles {
        self.options.tls.or(&self.own.tls)
    }

    /// Loads the certificate, if there is one.
    ///
    /// # Errors
    /// Returns a sentence with the options or the file that name what cannot be used, and what is wrong with it.
    pub(super) fn certificates(&self) -> Result<Option<TlsCertificates>, String> {
        self.tls().load().map_err(|error| match self.options.tls.tls_cert {
            Some(_) => format!("--tls-cert, --tls-key: {error}"),
            None => self.about_file(&format!("tlsCert, tlsKey: {error}")),
        })
    }

    /// Returns the host names that the server answers to besides those of this machine.
    pub(super) fn hosts(&self) -> &[HostName] {
        match self.own.allowed_hosts.as_deref() {
            Some(hosts) if self.options.host.is_empty() => hosts,
            _ => &self.options.host,
        }
    }

    pub(super) fn workers(&self) -> Option<Workers> {
        self.options.workers.or(self.own.workers)
    }

    pub(super) fn echoes(&self) -> bool {
        self.options.echo || self.own.echo.unwrap_or(false)
    }

    pub(super) fn speaks_socketio(&self) -> bool {
        self.options.socketio || self.own.socketio.unwrap_or(false)
    }

    pub(super) fn prints_json(&self) -> bool {
        self.options.json || self.own.json.unwrap_or(false)
    }

    pub(super) fn sids(&self) -> Sids {
        let mut options = self.options.sids.clone();
        options.show_sids |= self.own.show_sids.unwrap_or(false);
        options.sid_key = options.sid_key.or_else(|| self.own.sid_key.clone());
        let sids = Sids::new(&options);
        match self.node() {
            Some(name) => sids.of_node(name),
            None => sids,
        }
    }

    /// Returns the name of this node.
    fn node(&self) -> Option<&str> {
        self.options.cluster.node.as_deref().or(self.server.node())
    }

    /// Returns what the server needs to act as one with others, if it is to.
    pub(super) fn cluster(&self, address: &Address) -> Result<Option<Plan>, Failure> {
        let options = self.options.cluster.clone().or(&self.own.cluster);
        if !options.bus.is_empty() && self.node().is_none() {
            return Err("--bus needs --node, a name of this server that no other node has".to_owned().into());
        }
        Plan::new(&options, address, self.tls().tls_cert.is_some())
    }

    pub(super) fn liveness(&self) -> Liveness {
        self.options.timing.liveness(self.server.settings().liveness())
    }

    /// Returns the pages of other sites that may read answers.
    pub(super) fn cors(&self) -> Option<&Cors> {
        self.options.cors.as_ref().or(self.server.cors())
    }

    /// Returns the pages that may use the server, if the file says so. `--cors` replaces that as well.
    pub(super) fn allowed_origins(&self) -> Option<&AllowedOrigins> {
        self.server.allowed_origins().filter(|_| self.options.cors.is_none())
    }

    /// Applies these settings to a builder, whose path stays if none is given.
    pub(super) fn configure(&self, builder: ServerBuilder) -> ServerBuilder {
        let options = &self.options;
        let mut builder = builder
            .config(self.server.clone())
            .heartbeat(self.heartbeat)
            .liveness(self.liveness())
            .eio3(self.eio3());
        if let Some(path) = &options.path {
            builder = builder.path(path);
        }
        if let Some(timeout) = options.upgrade_timeout {
            builder = builder.upgrade_timeout(timeout);
        }
        if let Some(timeout) = options.idle_timeout {
            builder = builder.idle_timeout(timeout);
        }
        if let Some(bytes) = options.max_payload {
            builder = builder.max_payload(bytes.get());
        }
        if options.transports.is_some() {
            builder = builder.transports(self.allows(Transport::Polling), self.allows(Transport::WebSocket));
        }
        if let Some(connections) = options.max_connections {
            builder = builder.max_connections(connections.get());
        }
        if let Some(connections) = options.max_connections_per_address {
            builder = builder.max_connections_per_address(connections.get());
        }
        if let Some(name) = &options.cluster.node {
            builder = builder.node(name);
        }
        if options.no_upgrades {
            builder = builder.allow_upgrades(false);
        }
        match &options.cors {
            Some(cors) => builder.cors(cors.clone()).allowed_origins(cors.allowed_origins()),
            None => builder,
        }
    }

    /// Describes the server, whose sessions are at `path`, for the page.
    pub(super) fn about(&self, path: &str) -> Value {
        let (heartbeat, liveness) = (self.heartbeat, self.liveness());
        let detection = detect::eio4_server(heartbeat, liveness);
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "path": path,
            "websocket": self.allows(Transport::WebSocket),
            "polling": self.allows(Transport::Polling),
            "eio3": self.eio3(),
            "socketio": self.speaks_socketio(),
            "echo": self.echoes(),
            "interval_ms": millis(heartbeat.ping_interval()),
            "timeout_ms": millis(heartbeat.ping_timeout()),
            "liveness": liveness.as_str(),
            "noticed_min_ms": millis(detection.after_death_min),
            "noticed_max_ms": millis(detection.after_death_max),
        })
    }

    fn eio3(&self) -> bool {
        self.options.eio3 || self.server.eio3()
    }

    fn allows(&self, transport: Transport) -> bool {
        match &self.options.transports {
            Some(transports) => transports.iter().any(|name| Transport::from(*name) == transport),
            None => self.server.allows_transport(transport),
        }
    }
}
