//! What to try when there is no way to the server, or TLS fails on it.

use eio_tokio::{ProxyError, Refused, TlsError};

pub(super) fn tls_hint(error: &TlsError) -> &'static str {
    match error {
        TlsError::SelfSigned => {
            "--ca FILE trusts it, if FILE holds it in PEM form, and --insecure goes without the check"
        }
        TlsError::UnknownIssuer => {
            "--ca FILE trusts a private authority; if it is a public one, the server may not send the certificates between \
             its own and the authority's"
        }
        TlsError::BadSignature => "--ca FILE trusts the authority's new certificate",
        TlsError::AuthorityAsServer => "--ca FILE trusts it, if FILE holds this very certificate in PEM form",
        TlsError::Expired { .. } | TlsError::NotValidYet { .. } => {
            "is this machine's clock right? Otherwise the server needs another certificate"
        }
        TlsError::WrongHost { .. } => "does the URL name the server as its certificate does?",
        TlsError::ClientCertificateRequired => "eio connect has none to show",
        TlsError::Io(_) => "does the server speak TLS on this port?",
        _ => "",
    }
}

pub(super) fn proxy_hint(error: &ProxyError) -> &'static str {
    match error {
        ProxyError::Io(_) => "is the proxy running? --proxy none goes without it",
        ProxyError::CredentialsMissing => "--proxy http://USER:PASSWORD@HOST:PORT says who asks",
        ProxyError::Refused(_) => {
            "does the proxy reach the server? Many allow tunnels to port 443 alone; --proxy none goes without it"
        }
        ProxyError::Http(_) => "is it a proxy of HTTP?",
        _ => "",
    }
}

/// Whether a server refused because it was asked without TLS: nginx, Apache and Go say so in their own words.
pub(super) fn wants_tls(refused: &Refused) -> bool {
    let says = |words| refused.message.contains(words);
    refused.status == http::StatusCode::BAD_REQUEST
        && (says("HTTPS port") || says("HTTPS server") || says("SSL-enabled server port"))
}
