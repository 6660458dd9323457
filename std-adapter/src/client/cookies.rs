//! Cookies that a session keeps between its requests (RFC 6265): a balancer's, which pin the client to one server.
//!
//! All requests of a session go to one host and one path, so a cookie is kept or it is not: what is left of the rules on
//! domains and paths is whether it belongs to these.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use eio_core::Instant;
use http::{HeaderMap, HeaderValue, header};

use crate::client::refusal::date;

/// How many bytes of cookies are kept, and sent with every request: what servers take for a whole head.
const MAX_BYTES: usize = 8 * 1024;

/// A longer cookie is not kept, as in browsers.
const MAX_COOKIE: usize = 4096;

/// The cookies of one session.
#[derive(Debug, Default)]
pub(crate) struct Cookies(Mutex<Vec<Kept>>);

/// Not printed whole by `Debug`: a balancer's cookie is as good as an address, another one may be a secret.
struct Kept {
    name: String,
    value: String,
    expires_at: Option<Instant>,
}

impl Cookies {
    /// Takes what an answer sets. `secure` says whether the connection is; `path` is that of all requests.
    pub(crate) fn take(&self, headers: &HeaderMap, now: Instant, secure: bool, path: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for set in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = set.to_str().ok().and_then(SetCookie::parse) else { continue };
            let is_kept = (secure || !cookie.secure)
                && cookie.path.is_none_or(|of| covers(of, path))
                && cookie.name.len() + cookie.value.len() <= MAX_COOKIE;
            if !is_kept {
                continue;
            }
            kept.retain(|one| one.name != cookie.name);
            let lives = cookie.lives(date(headers));
            if lives != Some(Duration::ZERO) {
                kept.push(Kept {
                    name: cookie.name.to_owned(),
                    value: cookie.value.to_owned(),
                    expires_at: lives.map(|lives| now.saturating_add(lives)),
                });
            }
        }
        let mut bytes = kept.iter().map(Kept::bytes).sum::<usize>();
        while bytes > MAX_BYTES {
            bytes -= kept.remove(0).bytes();
        }
    }

    /// Puts them into a request, beside those that the caller put there. Of two with one name the server's goes along.
    pub(crate) fn put(&self, headers: &mut HeaderMap, now: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.expires_at.is_none_or(|expires_at| now < expires_at));
        if kept.is_empty() {
            return;
        }
        let own: Vec<_> =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
        let own = own.iter().flat_map(|value| value.split(';')).map(str::trim).filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && !kept.iter().any(|one| one.name == name)
        });
        let pairs =
            own.map(str::to_owned).chain(kept.iter().map(|one| format!("{}={}", one.name, one.value)));
        let pairs = pairs.collect::<Vec<_>>().join("; ");
        if let Ok(mut value) = HeaderValue::try_from(pairs) {
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

impl core::fmt::Debug for Kept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.name)
    }
}

/// A `Set-Cookie` header (RFC 6265 section 5.2), as far as it matters here. Without `Domain`: a cookie for more hosts
/// than this one is one for this one too.
struct SetCookie<'a> {
    name: &'a str,
    value: &'a str,
    path: Option<&'a str>,
    secure: bool,
    max_age: Option<&'a str>,
    expires: Option<&'a str>,
}

impl<'a> SetCookie<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut parts = header.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return None;
        }
        let mut cookie = Self { name, value, path: None, secure: false, max_age: None, expires: None };
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match name.trim() {
                name if name.eq_ignore_ascii_case("path") => {
                    cookie.path = value.starts_with('/').then_some(value);
                }
                name if name.eq_ignore_ascii_case("secure") => cookie.secure = true,
                name if name.eq_ignore_ascii_case("max-age") => cookie.max_age = Some(value),
                name if name.eq_ignore_ascii_case("expires") => cookie.expires = Some(value),
                _ => {}
            }
        }
        Some(cookie)
    }

    /// How long it lives, nothing being a cookie that the server deletes; `None` as long as the session.
    ///
    /// A date counts against that of the answer, so that it does not matter how wrong our clock is. Without that date
    /// only one at the epoch's beginning, which deletes, can be told from one in the future.
    fn lives(&self, answered: Option<SystemTime>) -> Option<Duration> {
        let seconds = self.max_age.and_then(|seconds| match seconds.strip_prefix('-') {
            Some(_) => Some(0),
            None => seconds.parse().ok(),
        });
        if let Some(seconds) = seconds {
            return Some(Duration::from_secs(seconds));
        }
        let expires = httpdate::parse_http_date(self.expires?).ok()?;
        let answered = answered.unwrap_or(SystemTime::UNIX_EPOCH);
        Some(expires.duration_since(answered).unwrap_or_default())
    }
}

/// Whether a cookie of this path goes along to that one (RFC 6265 section 5.1.4).
fn covers(cookie: &str, path: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn answer(set: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, HeaderValue::from_static("Sat, 28 Nov 2026 17:00:00 GMT"));
        for set in set {
            headers.append(header::SET_COOKIE, set.parse().unwrap());
        }
        headers
    }

    fn take(cookies: &Cookies, set: &[&str]) {
        cookies.take(&answer(set), at(0), false, "/engine.io/");
    }

    fn sent(cookies: &Cookies, own: &[&'static str], now: Instant) -> String {
        let mut headers = HeaderMap::new();
        for own in own {
            headers.append(header::COOKIE, HeaderValue::from_static(own));
        }
        cookies.put(&mut headers, now);
        let all: Vec<_> =
            headers.get_all(header::COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        all.join(" | ")
    }

    #[test]
    fn what_the_server_sets_goes_along_and_the_latest_value_counts() {
        let cookies = Cookies::default();
        assert_eq!(sent(&cookies, &[], at(0)), "");
        take(&cookies, &["AWSALB=one; Path=/", "io=sid; Path=/; HttpOnly; SameSite=Lax", "no pair", "=x"]);
        assert_eq!(sent(&cookies, &[], at(0)), "AWSALB=one; io=sid");
        take(&cookies, &["AWSALB=two"]);
        assert_eq!(sent(&cookies, &[], at(0)), "io=sid; AWSALB=two");
    }

    #[test]
    fn the_callers_cookies_go_along_unless_the_server_has_set_them_anew() {
        let cookies = Cookies::default();
        assert_eq!(sent(&cookies, &["a=1; b", "c=3"], at(0)), "a=1; b | c=3", "as they are");
        take(&cookies, &["a=2"]);
        assert_eq!(sent(&cookies, &["a=1; b", "c=3"], at(0)), "b; c=3; a=2");
    }

    #[test]
    fn a_cookie_lives_as_long_as_it_says() {
        let cookies = Cookies::default();
        take(&cookies, &["a=1; Max-Age=10", "b=1; Expires=Sat, 28 Nov 2026 17:00:20 GMT", "c=1; max-age=x"]);
        assert_eq!(sent(&cookies, &[], at(9)), "a=1; b=1; c=1");
        assert_eq!(sent(&cookies, &[], at(10)), "b=1; c=1");
        assert_eq!(sent(&cookies, &[], at(20)), "c=1");
        for deletes in ["c=; Max-Age=0", "c=; Max-Age=-1", "c=; expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            take(&cookies, &["c=1"]);
            take(&cookies, &[deletes]);
            assert_eq!(sent(&cookies, &[], at(0)), "", "{deletes}");
        }
        let mut undated = answer(&["c=1", "c=; expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        undated.remove(header::DATE);
        cookies.take(&undated, at(0), false, "/");
        assert_eq!(sent(&cookies, &[], at(0)), "");
    }

    #[test]
    fn a_cookie_of_another_path_or_for_tls_alone_is_left_out() {
        let cookies = Cookies::default();
        take(
            &cookies,
            &["a=1; Path=/admin", "b=1; Path=/engine.io", "c=1; Path=/engine", "d=1; Secure", "e=1; Path=x"],
        );
        assert_eq!(sent(&cookies, &[], at(0)), "b=1; e=1");
        cookies.take(&answer(&["d=1; secure"]), at(0), true, "/engine.io/");
        assert_eq!(sent(&cookies, &[], at(0)), "b=1; e=1; d=1");
    }

    #[test]
    fn cookies_without_end_fill_no_more_than_a_head() {
        let cookies = Cookies::default();
        for number in 0..1_000 {
            take(&cookies, &[&format!("c{number}={}", "x".repeat(100))]);
        }
        let sent = self::sent(&cookies, &[], at(0));
        assert!(sent.len() < MAX_BYTES + 500 && sent.contains("c999="), "{} bytes", sent.len());
        take(&cookies, &[&format!("big={}", "x".repeat(MAX_COOKIE))]);
        assert_eq!(self::sent(&cookies, &[], at(0)), sent, "one that is too long takes nobody's place");
    }
}
