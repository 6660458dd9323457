//! The cookie that pins a polling client to its server.

use core::fmt::Write as _;
use core::time::Duration;

use http::HeaderValue;

use crate::wire::session_id::SessionId;

/// A cookie that carries the session's identifier, so that load balancers send each of a client's polling requests to
/// the same server.
///
/// The answer that opens a polling session sets it, and no other answer does. The server itself never reads the cookie:
/// it uses only the identifier in the query.
///
/// ```
/// use eio_tokio::{Cookie, SameSite};
///
/// let cookie = Cookie::new("io")?.secure(true).same_site(SameSite::Strict);
/// # Ok::<(), eio_tokio::InvalidCookie>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    path: String,
    http_only: bool,
    secure: bool,
    same_site: SameSite,
    max_age: Option<Duration>,
}

/// Decides which requests from other sites carry a cookie (RFC 6265bis section 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the attribute has these values")]
pub enum SameSite {
    /// No request from another site carries it.
    Strict,
    /// Of the requests from other sites, only navigation to this site carries it.
    Lax,
    /// All requests from other sites carry it. Browsers accept this only for [secure](Cookie::secure) cookies.
    None,
}

/// An error for settings that do not make a valid cookie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCookie {
    /// The name is empty, or has characters that a token may not have.
    #[error("the cookie's name {0:?} is not a token (RFC 6265 section 4.1.1)")]
    Name(String),
    /// The path does not begin with a slash, or has a semicolon or a control character.
    #[error(
        "the cookie's path {0:?} is invalid: expected a leading slash, and neither semicolons nor control characters"
    )]
    Path(String),
}

impl Cookie {
    /// Returns a cookie with this name that applies to all paths, is hidden from scripts, and is sent only within the
    /// site: `Path=/; HttpOnly; SameSite=Lax`, as the reference server sets it.
    ///
    /// # Errors
    /// Returns [`InvalidCookie::Name`] if the name is not a token.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidCookie> {
        let name = name.into();
        let is_token = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(InvalidCookie::Name(name));
        }
        Ok(Self {
            name,
            path: "/".to_owned(),
            http_only: true,
            secure: false,
            same_site: SameSite::Lax,
            max_age: None,
        })
    }

    /// Sets the path for which the client sends the cookie. Default: `/`, which means all paths.
    ///
    /// # Errors
    /// Returns [`InvalidCookie::Path`] if the path is invalid.
    pub fn path(mut self, path: impl Into<String>) -> Result<Self, InvalidCookie> {
        let path = path.into();
        if !path.starts_with('/') || !path.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';') {
            return Err(InvalidCookie::Path(path));
        }
        self.path = path;
        Ok(self)
    }

    /// Sets whether the cookie is hidden from scripts. Default: yes.
    #[must_use]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Sets whether the cookie is sent over TLS only. Default: no, because the server cannot know whether a proxy in front
    /// of it speaks TLS. Choose yes if one does.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets which requests from other sites carry the cookie. Default: [`SameSite::Lax`].
    ///
    /// [`SameSite::None`] also makes the cookie [secure](Self::secure), because browsers drop it otherwise.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self.secure |= same_site == SameSite::None;
        self
    }

    /// Sets how long the client keeps the cookie, in whole seconds. Default: until the browser closes.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Returns the value of `Set-Cookie` for a session.
    pub(crate) fn header(&self, id: SessionId) -> Option<HeaderValue> {
        let mut cookie = format!("{}={}", self.name, id.as_str());
        if let Some(max_age) = self.max_age {
            write!(cookie, "; Max-Age={}", max_age.as_secs()).ok()?;
        }
        write!(cookie, "; Path={}", self.path).ok()?;
        if self.http_only {
            cookie.push_str("; HttpOnly");
        }
        if self.secure {
            cookie.push_str("; Secure");
        }
        cookie.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        HeaderValue::try_from(cookie).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cookie: &Cookie) -> String {
        let id = SessionId::parse("aaaaaaaaaaaaaaaaaaaa").unwrap();
        cookie.header(id).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn the_default_is_what_the_reference_server_sets() {
        let cookie = Cookie::new("io").unwrap();
        assert_eq!(set(&cookie), "io=aaaaaaaaaaaaaaaaaaaa; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn every_attribute_can_be_chosen() {
        let cookie = Cookie::new("sid")
            .and_then(|cookie| cookie.path("/chat"))
            .unwrap()
            .http_only(false)
            .secure(true)
            .same_site(SameSite::Strict)
            .max_age(Duration::from_millis(3_999));
        let expected = "sid=aaaaaaaaaaaaaaaaaaaa; Max-Age=3; Path=/chat; Secure; SameSite=Strict";
        assert_eq!(set(&cookie), expected);
    }

    #[test]
    fn a_cookie_for_all_sites_is_secure_because_browsers_drop_it_otherwise() {
        let cookie = Cookie::new("io").unwrap().same_site(SameSite::None);
        assert_eq!(set(&cookie), "io=aaaaaaaaaaaaaaaaaaaa; Path=/; HttpOnly; Secure; SameSite=None");
    }

    #[test]
    fn nothing_can_be_smuggled_into_the_header() {
        for name in ["", "a b", "a=b", "a;b", "a\r\nb", "ä"] {
            assert_eq!(Cookie::new(name), Err(InvalidCookie::Name(name.to_owned())));
        }
        for path in ["", "chat", "/a;b", "/a\r\nb"] {
            let cookie = Cookie::new("io").unwrap();
            assert_eq!(cookie.path(path), Err(InvalidCookie::Path(path.to_owned())));
        }
    }
}
