//! The cookies that a session keeps between its requests (RFC 6265), such as those with which a load balancer pins the
//! client to one server.
//!
//! All requests go to one host, so domains do not matter. Their path changes when a redirect is followed.

use core::time::Duration;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::SystemTime;

use eio_core::Instant;
use http::{HeaderMap, HeaderValue, header};

use crate::client::refusal::date;
use crate::wire::sync::Mutex;

/// The largest number of bytes of cookies that are kept and sent with a request: servers accept that much for a whole head.
const MAX_BYTES: usize = 8 * 1024;

/// The longest cookie that is kept, in bytes, as in browsers.
const MAX_COOKIE: usize = 4096;

/// The cookies of one session.
#[derive(Debug, Default)]
pub(crate) struct Cookies(Mutex<Vec<Kept>>);

/// A cookie. `Debug` hides its value: a load balancer's cookie can reveal an address, and others may be secrets.
struct Kept {
    name: String,
    value: String,
    /// The path below which the cookie is sent. A cookie without one is sent with every request.
    path: Option<String>,
    expires_at: Option<Instant>,
}

impl Cookies {
    /// Stores the cookies that an answer sets. `secure` says whether the connection uses TLS.
    pub(crate) fn take(&self, headers: &HeaderMap, now: Instant, secure: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for set in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = set.to_str().ok().and_then(SetCookie::parse) else { continue };
            let lives = cookie.lives(date(headers));
            let new = Kept {
                name: cookie.name.to_owned(),
                value: cookie.value.to_owned(),
                path: cookie.path.map(str::to_owned),
                expires_at: lives.map(|lives| now.saturating_add(lives)),
            };
            if cookie.secure && !secure || new.bytes() > MAX_COOKIE {
                continue;
            }
            kept.retain(|one| (&one.name, &one.path) != (&new.name, &new.path));
            if lives != Some(Duration::ZERO) {
                kept.push(new);
            }
        }
        let mut bytes = kept.iter().map(Kept::bytes).sum::<usize>();
        while bytes > MAX_BYTES {
            bytes -= kept.remove(0).bytes();
        }
    }

    /// Adds the cookies to a request for `path`, beside those that the caller has set. If several have the same name, the
    /// one that the server has set last is sent.
    pub(crate) fn put(&self, headers: &mut HeaderMap, now: Instant, path: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.expires_at.is_none_or(|expires_at| now < expires_at));
        let mut names = HashSet::new();
        let goes_along = |one: &Kept| one.path.as_deref().is_none_or(|of| covers(of, path));
        let mut latest: Vec<&Kept> =
            kept.iter().rev().filter(|one| goes_along(one) && names.insert(one.name.as_bytes())).collect();
        latest.reverse();
        if latest.is_empty() {
            return;
        }
        // The caller's may hold any bytes.
        let own = headers
            .get_all(header::COOKIE)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        let own = own.map(<[u8]>::trim_ascii).filter(|pair| {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            !pair.is_empty() && !names.contains(name)
        });
        let set = latest.iter().map(|one| format!("{}={}", one.name, one.value).into_bytes());
        let pairs = own.map(<[u8]>::to_vec).chain(set).collect::<Vec<_>>().join(&b"; "[..]);
        if let Ok(mut value) = HeaderValue::try_from(pairs) {
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len() + self.path.as_ref().map_or(0, String::len)
    }
}

impl core::fmt::Debug for Kept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.name)
    }
}

/// The parts of a `Set-Cookie` header (RFC 6265 section 5.2) that matter here. `Domain` is ignored: a cookie for other
/// hosts as well is also one for this host.
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

    /// Returns the lifetime of the cookie. Zero means that the server deletes it, and `None` that it lives as long as the
    /// session.
    ///
    /// An expiry date is compared with the date of the answer, so that an error of the local clock does not matter. If the
    /// answer has no date, only a date at the start of the epoch, which deletes the cookie, counts as past.
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

/// Returns whether a cookie for the path `cookie` is sent with requests for `path` (RFC 6265 section 5.1.4).
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
        cookies.take(&answer(set), at(0), false);
    }

    fn sent(cookies: &Cookies, own: &[&'static str], now: Instant) -> String {
        sent_to("/engine.io/", cookies, own, now)
    }

    fn sent_to(path: &str, cookies: &Cookies, own: &[&'static str], now: Instant) -> String {
        let mut headers = HeaderMap::new();
        for own in own {
            headers.append(header::COOKIE, HeaderValue::from_static(own));
        }
        cookies.put(&mut headers, now, path);
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

        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_bytes("name=Zoë; a=1".as_bytes()).unwrap());
        cookies.put(&mut headers, at(0), "/");
        assert_eq!(headers[header::COOKIE].as_bytes(), "name=Zoë; a=2".as_bytes());
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
        cookies.take(&undated, at(0), false);
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
        cookies.take(&answer(&["d=1; secure"]), at(0), true);
        assert_eq!(sent(&cookies, &[], at(0)), "b=1; e=1; d=1");
    }

    #[test]
    fn each_request_carries_the_cookies_of_its_own_path() {
        let cookies = Cookies::default();
        take(&cookies, &["node=1; Path=/engine.io", "node=2; Path=/app", "login=3; Path=/", "any=4"]);
        assert_eq!(sent(&cookies, &["node=0"], at(0)), "node=1; login=3; any=4");
        assert_eq!(sent_to("/app/engine.io/", &cookies, &["node=0"], at(0)), "node=2; login=3; any=4");
        assert_eq!(sent_to("/", &cookies, &["node=0"], at(0)), "node=0; login=3; any=4");
        // Of several with one name, the latest one is sent. Each is replaced or deleted with its path.
        take(&cookies, &["login=5; Path=/app/"]);
        assert_eq!(sent_to("/app/", &cookies, &[], at(0)), "node=2; any=4; login=5");
        take(&cookies, &["login=; Path=/app/; Max-Age=0", "node=6; Path=/app"]);
        assert_eq!(sent_to("/app/", &cookies, &[], at(0)), "login=3; any=4; node=6");
    }

    #[test]
    fn cookies_without_end_fill_no_more_than_a_head() {
        let cookies = Cookies::default();
        for number in 0..1_000 {
            take(&cookies, &[&format!("c{number}={}", "x".repeat(100))]);
        }
        let sent = self::sent(&cookies, &[], at(0));
        assert!(sent.len() < MAX_BYTES + 500 && sent.contains("c999="), "{} bytes", sent.len());
        for too_long in ["big=", "big=; Path=/"] {
            take(&cookies, &[&format!("{too_long}{}", "x".repeat(MAX_COOKIE))]);
            assert_eq!(self::sent(&cookies, &[], at(0)), sent, "one that is too long takes nobody's place");
        }
    }
}
