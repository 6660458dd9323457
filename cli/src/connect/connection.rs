//! Options about the connection to the server: Unix socket, proxy and TLS.

use std::path::PathBuf;

use clap::Args;
use eio_tokio::ClientBuilder;

use crate::usage::Failure;

const PROXY: &str =
    "Connect through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT, or \"none\" for no proxy";

const PROXY_AND_ENVIRONMENT: &str = "\
Connect through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT, or \"none\" for no proxy

Every connection is a tunnel through the proxy (CONNECT). Without this option, the environment can name a proxy: \
HTTPS_PROXY for https and wss, http_proxy (lower case only) for http and ws, ALL_PROXY for both. Hosts and networks in \
NO_PROXY, and this machine, are reached without the proxy.";

/// How to reach the server, and which certificates to trust.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionOptions {
    #[cfg(unix)]
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "proxy",
        help = "Connect to this Unix socket. The URL, http://localhost by default, still names the host and the path of \
                the requests"
    )]
    pub(crate) unix: Option<PathBuf>,

    #[arg(long, value_name = "URL", help = PROXY, long_help = PROXY_AND_ENVIRONMENT)]
    proxy: Option<String>,

    /// Also trust the certificates in this PEM file: those of a private authority, or a self-signed one
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,

    /// Do not check the server's certificate: others can then read and change the traffic
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl ConnectionOptions {
    /// Applies these options to a builder.
    pub(crate) fn configure(
        &self,
        url: &str,
        follows_redirects: bool,
        builder: ClientBuilder,
    ) -> Result<ClientBuilder, Failure> {
        let tls = self.configure_tls(url, follows_redirects, builder)?;
        #[cfg(unix)]
        if let Some(path) = &self.unix {
            return Ok(tls.unix_socket(path));
        }
        Ok(match self.proxy.as_deref() {
            None => tls.proxy_from_env(),
            Some("none") => tls,
            Some(url) => tls.proxy(url),
        })
    }

    fn configure_tls(
        &self,
        url: &str,
        follows_redirects: bool,
        builder: ClientBuilder,
    ) -> Result<ClientBuilder, Failure> {
        let option = match &self.ca {
            Some(_) => "--ca",
            None if self.insecure => "--insecure",
            None => return Ok(builder),
        };
        let uri = url.parse::<http::Uri>().ok();
        let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
        // A redirect may lead to TLS.
        if let Some("http" | "ws") = scheme
            && !follows_redirects
        {
            return Err(format!("{option} needs TLS: expected https:// or wss:// in the URL").into());
        }
        let Some(path) = &self.ca else {
            return Ok(builder.danger_accept_any_certificate());
        };
        let unusable = |sentence| Failure::unusable(format!("--ca: {sentence}"));
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| unusable(format!("cannot read {shown:?}: {error}")))?;
        if pem.trim_ascii().is_empty() {
            return Err(unusable(format!("{shown:?} is empty")));
        }
        // Checked here, because only here the file of a mistake is known.
        eio_tokio::Client::builder("https://localhost")
            .root_certificates_pem(pem.as_slice())
            .build()
            .map_err(|error| unusable(format!("{shown:?}: {error}")))?;
        Ok(builder.root_certificates_pem(pem))
    }
}
