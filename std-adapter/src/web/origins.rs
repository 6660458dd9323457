//! Decides which pages may connect.

mod origin;

use core::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::uri::{Authority, Uri};
use http::{HeaderValue, header};

pub(crate) use self::origin::parse_all;
use self::origin::split_port;
pub use self::origin::{InvalidOrigin, Origin, OriginPattern};

/// Decides which pages may open and use sessions, on every transport.
///
/// CORS stops pages of other sites from *reading polling answers*. It does not apply to WebSockets: any page may open
/// one, with the cookies of its visitor (cross-site WebSocket hijacking). If your application recognises its users by
/// cookies, client certificates or the borders of a network, choose [`SameOrigin`](Self::SameOrigin) or a
/// [list](Self::list).
///
/// The server accepts requests without an `Origin`: they come from programs that are not browsers, which can claim any
/// origin, or from a page of this same origin. It still refuses requests that browsers mark as coming from another site
/// (`Sec-Fetch-Site`). It also refuses a JSONP request whose `Referer` is not from an allowed origin, because a script
/// element sends no `Origin`.
///
/// The server's own origin is always allowed: the one with the host and port that the request was sent to. A reverse
/// proxy must therefore pass on the `Host` unchanged.
#[derive(Clone)]
#[non_exhaustive]
pub enum AllowedOrigins {
    /// Allows every page.
    Any,
    /// Allows pages of this server only.
    SameOrigin,
    /// Allows pages of this server and of these origins.
    List(Vec<OriginPattern>),
    /// Allows pages of this server, and pages whose origin the function accepts.
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl AllowedOrigins {
    /// Allows pages of this server, of these origins, and of the subdomains that an [`OriginPattern`] matches.
    ///
    /// ```
    /// use eio_tokio::AllowedOrigins;
    ///
    /// let origins = AllowedOrigins::list(["https://example.org", "https://*.example.org", "file://"])?;
    /// # Ok::<(), eio_tokio::InvalidOrigin>(())
    /// ```
    ///
    /// # Errors
    /// Returns an [`InvalidOrigin`] with the first entry that is not an origin: no browser sends it, so it could never
    /// match.
    pub fn list<I>(origins: I) -> Result<Self, InvalidOrigin>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        parse_all(origins).map(Self::List)
    }

    /// Allows pages of this server, and pages whose origin `accepts` returns `true` for.
    pub fn matching(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::Matching(Arc::new(accepts))
    }

    /// Returns whether a request with this head may be served. You can also ask about requests outside of sessions,
    /// such as those for a page's data.
    #[must_use]
    pub fn allows(&self, request: &Parts) -> bool {
        self.allow(request, false)
    }

    /// Returns whether a request may be served. `jsonp` says whether the answer would be a script.
    pub(crate) fn allow(&self, request: &Parts, jsonp: bool) -> bool {
        if let Self::Any = self {
            return true;
        }
        let text =
            |name| request.headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        match text(header::ORIGIN) {
            // A page has only one origin.
            Some(_) if request.headers.get_all(header::ORIGIN).iter().count() > 1 => false,
            Some(origin) => self.allows_origin(request, origin),
            None if text(header::HeaderName::from_static("sec-fetch-site")) == Some("cross-site") => false,
            None if jsonp => text(header::REFERER)
                .and_then(origin_of_url)
                .is_some_and(|origin| self.allows_origin(request, origin)),
            None => true,
        }
    }

    fn allows_origin(&self, request: &Parts, origin: &str) -> bool {
        is_own(request, origin)
            || match self {
                Self::Any => true,
                Self::SameOrigin => false,
                Self::List(patterns) => {
                    origin.parse().is_ok_and(|origin| patterns.iter().any(|pattern| pattern.matches(&origin)))
                }
                Self::Matching(accepts) => accepts(origin),
            }
    }
}

impl fmt::Debug for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::SameOrigin => f.write_str("SameOrigin"),
            Self::List(origins) => f.debug_tuple("List").field(origins).finish(),
            Self::Matching(_) => f.write_str("Matching(..)"),
        }
    }
}

/// Returns whether a page of this origin came from the server that receives the request. `http` and `https` count as
/// equal: TLS may have ended at a proxy, and an attacker who can serve pages on the same host and port over plain HTTP
/// can read the cookies anyway.
fn is_own(request: &Parts, origin: &str) -> bool {
    let target: Option<Authority> = match request.headers.get(header::HOST) {
        Some(host) => host.to_str().ok().and_then(|host| host.to_ascii_lowercase().parse().ok()),
        // HTTP/2 carries the host in the URI.
        None => request.uri.authority().cloned(),
    };
    let (Some(target), Ok(origin)) = (target, origin.parse::<Origin>()) else { return false };
    let Some((scheme, host, port)) = origin.parts() else { return false };
    if !["http", "https"].contains(&scheme) {
        return false;
    }
    let (target_host, target_port) = split_port(target.as_str());
    host.eq_ignore_ascii_case(target_host) && uncommon(port) == uncommon(target_port)
}

/// Returns the port, unless it is the default port of HTTP or HTTPS.
fn uncommon(port: Option<&str>) -> Option<&str> {
    port.filter(|port| !matches!(*port, "80" | "443"))
}

/// Returns the origin of a URL: `https://example.org` for `https://example.org/chat?a=b`.
fn origin_of_url(url: &str) -> Option<&str> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    url.get(..uri.scheme_str()?.len() + "://".len() + authority.as_str().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::request::with_headers;

    fn allows(origins: &AllowedOrigins, origin: &str) -> bool {
        origins.allow(&with_headers(&[("host", "chat.example.org"), ("origin", origin)]), false)
    }

    #[test]
    fn pages_of_other_origins_are_refused_unless_listed() {
        let same = AllowedOrigins::SameOrigin;
        assert!(allows(&same, "https://chat.example.org"));
        assert!(allows(&same, "http://chat.example.org"));
        assert!(!allows(&same, "https://example.org"));
        assert!(!allows(&same, "https://chat.example.org.evil.test"));
        assert!(!allows(&same, "https://chat.example.org:8443"));
        assert!(!allows(&same, "null"));
        assert!(!allows(&same, "chrome-extension://chat.example.org"));
        let twice = [("host", "a.test"), ("origin", "https://a.test"), ("origin", "https://evil.test")];
        assert!(!same.allow(&with_headers(&twice), false));

        let list = AllowedOrigins::list(["https://app.example.org", "null"]).unwrap();
        assert!(allows(&list, "https://app.example.org"));
        assert!(allows(&list, "https://chat.example.org"));
        assert!(allows(&list, "null"));
        assert!(!allows(&list, "http://app.example.org"));
        assert!(!allows(&list, "file://"));
        let list = AllowedOrigins::list(["file://", "https://*.example.com"]).unwrap();
        assert!(allows(&list, "file://") && allows(&list, "https://a.example.com"));
        assert!(!allows(&list, "null") && !allows(&list, "https://example.com"));
        assert!(!allows(&list, "https://evil.test"));

        let matching = AllowedOrigins::matching(|origin| origin.ends_with(".preview.example.org"));
        assert!(allows(&matching, "https://pr-7.preview.example.org"));
        assert!(!allows(&matching, "https://evil.test"));
        assert!(allows(&AllowedOrigins::Any, "https://evil.test"));
    }

    #[test]
    fn programs_that_are_no_browser_need_no_origin() {
        assert!(AllowedOrigins::SameOrigin.allow(&with_headers(&[("host", "a")]), false));
    }

    #[test]
    fn a_page_cannot_hide_its_origin_behind_a_script_element() {
        let same = AllowedOrigins::SameOrigin;
        let cross = [("host", "a.test"), ("sec-fetch-site", "cross-site")];
        assert!(!same.allow(&with_headers(&cross), false));
        assert!(!same.allow(&with_headers(&[("host", "a.test")]), true));
        assert!(
            !same.allow(&with_headers(&[("host", "a.test"), ("referer", "http://b.test/a.test/")]), true)
        );
        assert!(
            same.allow(&with_headers(&[("host", "a.test"), ("referer", "http://a.test/chat?x=y")]), true)
        );
    }

    #[test]
    fn over_http_2_the_uri_names_the_host() {
        let (parts, ()) = http::Request::builder()
            .uri("https://chat.example.org/engine.io/")
            .header("origin", "https://chat.example.org")
            .body(())
            .unwrap()
            .into_parts();
        assert!(AllowedOrigins::SameOrigin.allow(&parts, false));
    }
}
