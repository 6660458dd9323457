//! The server's address from the client's URL, and the target of each request.

use core::fmt;

use form_urlencoded::Serializer;
use http::{HeaderValue, Uri};

use crate::client::credentials;
use crate::client::error::ClientBuildError;
use crate::client::secrets::{RESERVED, is_reserved};
use crate::wire::redact::redact_url;
use eio_core::Revision;
use eio_core::handshake::Transport;

/// A server's address, and the path and query of every request to it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) secure: bool,
    /// Whether the scheme is `ws` or `wss`: the client then uses only WebSocket, unless the builder says otherwise.
    pub(crate) websocket_only: bool,
    /// The `Host` header: the host, and the port if the URL has one.
    pub(crate) authority: String,
    /// The header for the user name and the password in the URL.
    pub(crate) credentials: Option<HeaderValue>,
    /// The path in the URL, if it has one.
    pub(crate) path: Option<String>,
    /// The caller's parameters, exactly as they were written.
    pub(crate) query: String,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, ClientBuildError> {
        let bad = |why: String| ClientBuildError::Url { url: redact_url(url), why };
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| bad(error.to_string()))?;
        let (secure, websocket_only) = match uri.scheme_str() {
            Some("http") => (false, false),
            Some("https") => (true, false),
            Some("ws") => (false, true),
            Some("wss") => (true, true),
            Some(scheme) => return Err(ClientBuildError::Scheme(scheme.to_owned())),
            None => return Err(bad("it has no scheme: expected http, https, ws or wss".to_owned())),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host".to_owned()))?;
        if authority.host().is_empty() {
            return Err(bad("it has no host".to_owned()));
        }
        let (credentials, host_and_port) =
            credentials::split(authority.as_str()).map_err(|why| bad(why.to_owned()))?;
        // The parser treats a port that is not a `u16` as no port.
        if authority.port_u16().is_none() && host_and_port != authority.host() {
            return Err(bad("the port is not a number up to 65535".to_owned()));
        }
        let path = Some(uri.path()).filter(|path| !matches!(*path, "" | "/")).map(str::to_owned);
        let own = |parameter: &&str| !is_reserved(parameter);
        let query = uri.query().unwrap_or_default().split('&').filter(own).collect::<Vec<_>>().join("&");
        Ok(Self { secure, websocket_only, authority: host_and_port.to_owned(), credentials, path, query })
    }

    /// Returns the host without brackets, as certificates name it.
    pub(crate) fn host(&self) -> &str {
        let host = match self.authority.rfind(':') {
            Some(colon) if !self.authority[colon..].contains(']') => &self.authority[..colon],
            _ => &self.authority,
        };
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Returns the URL of `path` on this server, without a query.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority)
    }

    /// Returns the port in the URL, or the default port of the scheme.
    pub(crate) fn port(&self) -> u16 {
        let port = self.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.unwrap_or(if self.secure { 443 } else { 80 })
    }

    /// Returns the host and the port, even if the URL has no port.
    pub(crate) fn host_and_port(&self) -> String {
        let host = self.host();
        if host.contains(':') {
            format!("[{host}]:{}", self.port())
        } else {
            format!("{host}:{}", self.port())
        }
    }

    /// Adds a query parameter of the caller.
    pub(crate) fn add_parameter(&mut self, name: &str, value: &str) -> Result<(), ClientBuildError> {
        if RESERVED.contains(&name) {
            return Err(ClientBuildError::ReservedParameter(name.to_owned()));
        }
        let pair = Serializer::new(String::new()).append_pair(name, value).finish();
        if !self.query.is_empty() {
            self.query.push('&');
        }
        // Only parsers of forms read a plus as a space. All parsers read `%20` as one.
        self.query.push_str(&pair.replace('+', "%20"));
        Ok(())
    }

    /// Returns the target of one request. `stamp` must differ from request to request, so that caches do not answer.
    pub(crate) fn target(
        &self,
        path: &str,
        transport: Transport,
        revision: Revision,
        sid: Option<&str>,
        stamp: u64,
    ) -> Result<Uri, http::Error> {
        let start = format!("{path}?");
        let path_len = start.len();
        let mut query = Serializer::for_suffix(start, path_len);
        query.append_pair("EIO", revision.as_str());
        query.append_pair("transport", transport.as_str());
        if let Some(sid) = sid {
            query.append_pair("sid", sid);
        }
        if transport == Transport::Polling {
            query.append_pair("t", &format!("{stamp:x}"));
        }
        let mut target = query.finish();
        if !self.query.is_empty() {
            target.push('&');
            target.push_str(&self.query);
        }
        Uri::builder().path_and_query(target).build()
    }
}

/// Leaves out the secrets of the URL.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("secure", &self.secure)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, transport: Transport, sid: Option<&str>) -> String {
        let endpoint = Endpoint::parse(url).unwrap();
        let path = endpoint.path.clone().unwrap_or_else(|| "/engine.io/".to_owned());
        endpoint.target(&path, transport, Revision::V4, sid, 255).unwrap().to_string()
    }

    #[test]
    fn a_target_has_the_protocols_parameters_first_and_the_callers_behind_them() {
        assert_eq!(
            target("http://h/?token=a%20b&x=%26", Transport::Polling, Some("s/1")),
            "/engine.io/?EIO=4&transport=polling&sid=s%2F1&t=ff&token=a%20b&x=%26"
        );
        assert_eq!(target("ws://h:1", Transport::WebSocket, None), "/engine.io/?EIO=4&transport=websocket");
    }

    #[test]
    fn the_callers_query_passes_through_byte_by_byte() {
        for query in ["a=%FF%FE", "~=~&x=a+b%20c", "flag", "flag&&=&x==1", "a=%zz", "q='!*()@:/?$,;"] {
            assert_eq!(
                target(&format!("ws://h/?{query}"), Transport::WebSocket, None),
                format!("/engine.io/?EIO=4&transport=websocket&{query}")
            );
        }
    }

    #[test]
    fn a_parameter_of_the_builder_is_encoded_for_every_reader() {
        let mut endpoint = Endpoint::parse("ws://h/?x=1").unwrap();
        endpoint.add_parameter("a b", "c&d=e+f é").unwrap();
        assert_eq!(endpoint.query, "x=1&a%20b=c%26d%3De%2Bf%20%C3%A9");
        let refused = endpoint.add_parameter("sid", "x").unwrap_err();
        assert_eq!(refused.to_string(), "the query parameter \"sid\" is set by the protocol");
    }

    #[test]
    fn parameters_of_the_protocol_in_a_copied_url_are_left_out() {
        assert_eq!(
            target("ws://h/socket.io/?EIO=3&transport=polling&si%64=x&room=1&t", Transport::WebSocket, None),
            "/socket.io/?EIO=4&transport=websocket&room=1"
        );
    }

    #[test]
    fn what_is_no_url_or_not_ours_is_refused_with_a_sentence() {
        let refused = |url| Endpoint::parse(url).unwrap_err().to_string();
        assert_eq!(
            refused("ftp://h/"),
            "the scheme \"ftp\" is not supported: expected http, https, ws or wss"
        );
        assert!(refused("localhost:3000").contains("scheme"), "{}", refused("localhost:3000"));
        assert_eq!(
            refused("http://ann:secret@h:99999/?token=abc"),
            "the URL \"http://…@h:99999/?token=…\" cannot be used: the port is not a number up to 65535"
        );
        assert!(refused("http://").contains("http://"));
        assert!(refused("http://h:99999/").contains("port"), "{}", refused("http://h:99999/"));
        assert!(refused("http://exa mple/").contains("exa mple"));
    }

    #[test]
    fn the_host_of_a_certificate_has_neither_port_nor_brackets() {
        for (url, host, port) in [
            ("https://h", "h", 443),
            ("https://h:8443", "h", 8443),
            ("wss://ann:secret@[::1]:8443", "::1", 8443),
            ("http://[::1]", "::1", 80),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port));
            let whole = if host == "h" { format!("h:{port}") } else { format!("[::1]:{port}") };
            assert_eq!(endpoint.host_and_port(), whole);
        }
    }

    #[test]
    fn user_and_password_are_sent_as_credentials_and_shown_nowhere() {
        let endpoint = Endpoint::parse("https://ann:secret@h:1/?token=hidden").unwrap();
        assert_eq!(endpoint.authority, "h:1");
        assert_eq!(endpoint.credentials.as_ref().unwrap(), "Basic YW5uOnNlY3JldA==");
        let debug = format!("{endpoint:?}");
        assert!(!debug.contains("secret") && !debug.contains("hidden") && !debug.contains("YW5u"), "{debug}");
    }
}
