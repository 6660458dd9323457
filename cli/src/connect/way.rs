//! The way to the server: Unix socket or proxy, and whom TLS believes.

use std::path::PathBuf;

use clap::Args;
use eio_tokio::ClientBuilder;

use super::insecure;

const PROXY: &str =
    "Connect through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT, or none for no proxy at all";

const PROXY_AND_ENVIRONMENT: &str = "\
Connect through this HTTP proxy: http://[USER:PASSWORD@]HOST:PORT, or none for no proxy at all

Every connection is a tunnel (CONNECT). Without this option the environment may name a proxy: HTTPS_PROXY for https and \
wss, http_proxy (in lower case only) for http and ws, ALL_PROXY for both. NO_PROXY lists hosts and networks that are \
reached without it; this machine always is.";

/// How connections are made, and what their servers must show.
#[derive(Args, Clone, Debug)]
pub(crate) struct Way {
    #[cfg(unix)]
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "proxy",
        help = "Connect to this Unix socket; the URL, http://localhost if there is none, still says what is asked for"
    )]
    pub(crate) unix: Option<PathBuf>,

    #[arg(long, value_name = "URL", help = PROXY, long_help = PROXY_AND_ENVIRONMENT)]
    proxy: Option<String>,

    /// Trust the certificates in this PEM file too: those of a private authority, or a server's self-signed one
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,

    /// Do not check the server's certificate: anybody on the way can read and change what is sent
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl Way {
    /// Says these options to a builder.
    pub(crate) fn configure(&self, url: &str, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let tls = self.configure_tls(url, builder)?;
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

    fn configure_tls(&self, url: &str, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let option = match &self.ca {
            Some(_) => "--ca",
            None if self.insecure => "--insecure",
            None => return Ok(builder),
        };
        let uri = url.parse::<http::Uri>().ok();
        let scheme = uri.as_ref().and_then(http::Uri::scheme_str);
        if let Some("http" | "ws") = scheme {
            return Err(format!("{option} is about TLS: expected https:// or wss:// in the URL"));
        }
        let Some(path) = &self.ca else {
            return Ok(
                builder.tls_config(insecure::config().map_err(|error| format!("--insecure: {error}"))?)
            );
        };
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("--ca: {shown:?} cannot be read: {error}"))?;
        if pem.trim_ascii().is_empty() {
            return Err(format!("--ca: {shown:?} is empty"));
        }
        // Of the text, so that a mistake is told with its file and not when everything is put together.
        eio_tokio::Client::builder("https://localhost")
            .root_certificates_pem(pem.as_slice())
            .build()
            .map_err(|error| format!("--ca: {shown:?}: {error}"))?;
        Ok(builder.root_certificates_pem(pem))
    }
}
