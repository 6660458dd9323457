//! Where a client connects to: what its URL says, and the target of each request.

use form_urlencoded::Serializer;
use http::Uri;

use crate::client::error::ClientBuildError;
use crate::socket::Transport;
use crate::state::Revision;

/// Query parameters that the protocol itself sets; those in the caller's URL are left out.
const RESERVED: [&str; 6] = ["EIO", "transport", "sid", "t", "j", "b64"];

/// A server's address, and the path and query of every request to it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) secure: bool,
    /// `ws` or `wss`: nothing but WebSocket, unless the builder says otherwise.
    pub(crate) websocket_only: bool,
    /// Host and, if it is not the scheme's own, port: the `Host` header.
    pub(crate) authority: String,
    /// The path in the URL, if it has one.
    pub(crate) path: Option<String>,
    /// The caller's parameters.
    pub(crate) query: Vec<(String, String)>,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, ClientBuildError> {
        let bad = |why: String| ClientBuildError::Url { url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| bad(error.to_string()))?;
        let (secure, websocket_only) = match uri.scheme_str() {
            Some("http") => (false, false),
            Some("https") => (true, false),
            Some("ws") => (false, true),
            Some("wss") => (true, true),
            Some(scheme) => return Err(ClientBuildError::Scheme(scheme.to_owned())),
            None => return Err(bad("no scheme: expected http, https, ws or wss".to_owned())),
        };
        let authority = uri.authority().ok_or_else(|| bad("no host".to_owned()))?;
        if authority.as_str().contains('@') {
            return Err(bad(
                "user names and passwords do not belong here: set an Authorization header".into()
            ));
        }
        if authority.host().is_empty() {
            return Err(bad("no host".to_owned()));
        }
        // A port that is no `u16` is none to the parser.
        if authority.port_u16().is_none() && authority.as_str() != authority.host() {
            return Err(bad("the port is no number up to 65535".to_owned()));
        }
        let path = Some(uri.path()).filter(|path| !matches!(*path, "" | "/")).map(str::to_owned);
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .filter(|(name, _)| !RESERVED.contains(&&**name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Ok(Self { secure, websocket_only, authority: authority.to_string(), path, query })
    }

    /// Without brackets, as certificates name it.
    #[cfg(feature = "tls")]
    pub(crate) fn host(&self) -> &str {
        let host = match self.authority.rfind(':') {
            Some(colon) if !self.authority[colon..].contains(']') => &self.authority[..colon],
            _ => &self.authority,
        };
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The address to connect to, for a connector that takes it as a URI.
    pub(crate) fn base(&self) -> Result<Uri, http::Error> {
        let scheme = if self.secure { "https" } else { "http" };
        Uri::builder().scheme(scheme).authority(self.authority.as_str()).path_and_query("/").build()
    }

    /// The target of one request. `stamp` differs from request to request, which keeps caches out.
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
        query.append_pair("EIO", if revision == Revision::V4 { "4" } else { "3" });
        query.append_pair("transport", transport.as_str());
        if let Some(sid) = sid {
            query.append_pair("sid", sid);
        }
        if transport == Transport::Polling {
            query.append_pair("t", &format!("{stamp:x}"));
        }
        query.extend_pairs(&self.query);
        Uri::builder().path_and_query(query.finish()).build()
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
            "/engine.io/?EIO=4&transport=polling&sid=s%2F1&t=ff&token=a+b&x=%26"
        );
        assert_eq!(target("ws://h:1", Transport::WebSocket, None), "/engine.io/?EIO=4&transport=websocket");
    }

    #[test]
    fn parameters_of_the_protocol_in_a_copied_url_are_left_out() {
        assert_eq!(
            target("ws://h/socket.io/?EIO=3&transport=polling&sid=x&room=1", Transport::WebSocket, None),
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
        assert!(refused("http://user:secret@h/").contains("Authorization"));
        assert!(refused("http://").contains("http://"));
        assert!(refused("http://h:99999/").contains("port"), "{}", refused("http://h:99999/"));
        assert!(refused("http://exa mple/").contains("exa mple"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_host_of_a_certificate_has_neither_port_nor_brackets() {
        for (url, host) in [
            ("https://h", "h"),
            ("https://h:8443", "h"),
            ("https://[::1]:8443", "::1"),
            ("https://[::1]", "::1"),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().host(), host);
        }
    }
}
