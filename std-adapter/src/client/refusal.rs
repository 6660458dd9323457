//! Refusals by a server, and their meaning.

use core::time::Duration;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode, header};

use crate::client::coding::foreign_coding;
use crate::client::secrets::Secrets;
use crate::wire::redact::redact_url;

/// A server's refusal.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The status of the server's answer.
    pub status: StatusCode,
    /// The error code, from 0 (`Transport unknown`) to 5 (`Unsupported protocol version`), if the server gave one.
    pub code: Option<u8>,
    /// The server's message: the one that comes with the code, or the first 256 characters of the body. If it repeats the
    /// session's id or values of the query, each of them is replaced by `…`.
    pub message: String,
    /// The target of a redirect: the header `Location`, unchanged except for the session's id. It may repeat values of
    /// the query, but `Debug` and error messages leave them out.
    pub location: Option<String>,
    /// The time that the server asks to wait before the next try: the header `Retry-After`, in seconds or as a date
    /// that is later than the answer's own `Date`. [`Reconnecting`](crate::Reconnecting) waits that long.
    pub retry_after: Option<Duration>,
    /// The location without secrets.
    shown_location: Option<String>,
    /// The meaning of the message, for servers that send no code.
    meaning: Option<RefusalKind>,
}

impl Refused {
    /// The longest part of a body that is read, in bytes.
    pub(crate) const MAX_BODY: usize = 4096;

    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> Self {
        let (code, message) = match foreign_coding(headers, || secrets.clone()) {
            Some(coding) => {
                (None, format!("a body with the content coding {coding}, which the client does not accept"))
            }
            None => read(body),
        };
        let location = headers.get(header::LOCATION).filter(|_| status.is_redirection());
        let location = location.map(|location| String::from_utf8_lossy(location.as_bytes()));
        Self {
            status,
            code,
            meaning: meaning(&message),
            message: secrets.hide_in_part(&message).chars().take(256).collect(),
            shown_location: location.as_ref().map(|location| redact_url(&secrets.hide(location))),
            location: location.map(|location| secrets.hide_sid(&location)),
            retry_after: retry_after(headers),
        }
    }

    /// Returns the meaning of the refusal, from its status, its code, and the message of servers that give no code.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        let by_status = match self.status.as_u16() {
            300..=399 => RefusalKind::Redirect,
            400 => RefusalKind::BadRequest,
            401 | 407 => RefusalKind::Unauthorized,
            403 => RefusalKind::Forbidden,
            404 | 410 => RefusalKind::NotFound,
            405 => RefusalKind::BadMethod,
            408 | 504 => RefusalKind::GatewayTimeout,
            413 => RefusalKind::PayloadTooLarge,
            414 | 431 => RefusalKind::HeadTooLarge,
            426 => RefusalKind::UpgradeRequired,
            429 => RefusalKind::TooManyRequests,
            502 => RefusalKind::BadGateway,
            503 => RefusalKind::Unavailable,
            500.. => RefusalKind::ServerError,
            _ => RefusalKind::Other,
        };
        if !matches!(by_status, RefusalKind::BadRequest | RefusalKind::Forbidden) {
            return by_status;
        }
        match self.code {
            Some(0) => RefusalKind::UnknownTransport,
            Some(1) => RefusalKind::UnknownSession,
            Some(2) => RefusalKind::BadMethod,
            Some(3) => RefusalKind::BadRequest,
            Some(4) => RefusalKind::Forbidden,
            Some(5) => RefusalKind::UnsupportedRevision,
            _ => self.meaning.unwrap_or(by_status),
        }
    }
}

/// Leaves out the values of the query that the location repeats.
impl core::fmt::Debug for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Refused")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("message", &self.message)
            .field("location", &self.shown_location)
            .field("retry_after", &self.retry_after)
            .finish_non_exhaustive()
    }
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        // Escaped, so that a server's text cannot control the user's terminal.
        if let Some(location) = &self.shown_location {
            write!(f, ", to {location:?}")?;
        }
        match self.retry_after {
            Some(wait) if wait > LONGEST_SHOWN => f.write_str(", retry after more than a day")?,
            Some(wait) => write!(f, ", retry after {} s", wait.as_secs())?,
            None => {}
        }
        match page_title(&self.message) {
            _ if self.message.is_empty() => Ok(()),
            // Many proxies repeat the status there.
            Some(title) if title.is_empty() || title.starts_with(self.status.as_str()) => {
                f.write_str(", with a web page")
            }
            Some(title) => write!(f, ", with a web page: {title:?}"),
            None => write!(f, ", {:?}", self.message),
        }
    }
}

/// The meaning of a refusal. Each can come when a session opens, and within a session if a proxy or a restarted server
/// answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// 3xx: the server answers elsewhere; see [`Refused::location`].
    Redirect,
    /// Code 0: the server does not offer this transport.
    UnknownTransport,
    /// Code 1: the server does not know the session. It was restarted, the session has ended there, or a load balancer
    /// sent the request to a different server than the earlier ones.
    UnknownSession,
    /// Code 2, and 405: the server does not accept this method here.
    BadMethod,
    /// Code 3, and 400 without a code: the server expects a different request at this point of the session.
    BadRequest,
    /// 401 and 407: the server, or a proxy in front of it, requires credentials.
    Unauthorized,
    /// 403, and code 4: the server forbids the request.
    Forbidden,
    /// 404 and 410: there is nothing at this path.
    NotFound,
    /// Code 5: the server does not speak this revision of the protocol.
    UnsupportedRevision,
    /// 413: the request is larger than the server, or a proxy in front of it, accepts.
    PayloadTooLarge,
    /// 414 and 431: the request's headers or its query are longer than the server accepts.
    HeadTooLarge,
    /// 426: the server requires another protocol, or another version of WebSocket.
    UpgradeRequired,
    /// 429: too many requests or sessions.
    TooManyRequests,
    /// 502: a proxy got no valid answer from the server behind it.
    BadGateway,
    /// 503: the server is overloaded or closing, or a proxy has no server to pass the request to.
    Unavailable,
    /// 504 and 408: a proxy did not wait long enough for the server's answer, or a server did not wait long enough for
    /// the request.
    GatewayTimeout,
    /// Any other status from 500 on: the server failed.
    ServerError,
    /// Any other status.
    Other,
}

/// Returns the code and the message in a body.
fn read(body: &[u8]) -> (Option<u8>, String) {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let json = json.as_ref();
    let code = json.and_then(|json| {
        let code = json.get("code")?;
        // engineioxide writes it as a string.
        code.as_u64().or_else(|| code.as_str()?.parse().ok())?.try_into().ok()
    });
    let text = String::from_utf8_lossy(body);
    // python-engineio sends the message alone.
    let message = json.and_then(|json| json.get("message").unwrap_or(json).as_str()).unwrap_or(&text);
    (code, message.trim().to_owned())
}

/// Returns the title of a web page, empty if it has none in its beginning, or `None` if the message is not a web page.
fn page_title(message: &str) -> Option<&str> {
    let page = message.to_ascii_lowercase();
    if !page.starts_with("<!doctype html") && !page.starts_with("<html") {
        return None;
    }
    let title = page.find("<title>").and_then(|start| {
        let start = start + "<title>".len();
        let length = page.get(start..)?.find('<')?;
        // The lowercase letters of ASCII leave every position as it was.
        message.get(start..start + length)
    });
    Some(title.unwrap_or_default().trim())
}

/// Returns the meaning of a message without a code. The reference server sends no code if a WebSocket was requested, and
/// python-engineio never sends one.
fn meaning(message: &str) -> Option<RefusalKind> {
    Some(match message {
        "Transport unknown" | "Invalid transport" => RefusalKind::UnknownTransport,
        "Session ID unknown" => RefusalKind::UnknownSession,
        "Bad handshake method" => RefusalKind::BadMethod,
        "Forbidden" => RefusalKind::Forbidden,
        "Unsupported protocol version" => RefusalKind::UnsupportedRevision,
        words if words.starts_with("Invalid session") => RefusalKind::UnknownSession,
        words if words.starts_with("The client is using an unsupported version") => {
            RefusalKind::UnsupportedRevision
        }
        _ => return None,
    })
}

/// The longest `Retry-After` that is shown as a number.
const LONGEST_SHOWN: Duration = Duration::from_hours(24);

/// Returns how long `Retry-After` asks the client to wait (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too large counts as the largest possible one.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    // Compared with the server's own clock, so that an error of the local clock does not matter.
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(date(headers)?).unwrap_or_default())
}

/// Returns the time of the answer by the server's own clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Refused {
        Refused::new(
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
            &Secrets::default(),
        )
    }

    fn with_headers(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Refused {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        let secrets = Secrets::of_query("sid=abcdefgh&token=t0k3n");
        Refused::new(StatusCode::from_u16(status).unwrap(), &headers.collect(), body.as_bytes(), &secrets)
    }

    #[test]
    fn a_refusal_tells_the_protocols_code_and_message() {
        let refused = refused(400, r#"{"code":1,"message":"Session ID unknown"}"#);
        assert_eq!((refused.code, refused.message.as_str()), (Some(1), "Session ID unknown"));
        assert_eq!(refused.to_string(), "status 400 Bad Request, code 1, \"Session ID unknown\"");
    }

    #[test]
    fn any_other_body_is_told_in_part_and_escaped() {
        let long = refused(502, &format!("<html>\u{1b}[31m{}", "x".repeat(10_000)));
        assert_eq!(long.code, None);
        assert_eq!(long.message.chars().count(), 256);
        assert!(!long.to_string().contains('\u{1b}'));
        assert_eq!(refused(404, "").to_string(), "status 404 Not Found");
        assert_eq!(refused(404, "[1,2]").message, "[1,2]");
        assert_eq!(refused(404, r#"{"code":700}"#).code, None);
    }

    #[test]
    fn a_web_page_is_shown_by_its_title_unless_that_repeats_the_status() {
        let nginx = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body><h1>504 Gateway Time-out</h1>";
        let login = "<!DOCTYPE html><HTML><Title> Log in,\u{1b} please </Title>";
        for (status, body, shown) in [
            (504, nginx, "status 504 Gateway Timeout, with a web page"),
            (403, login, "status 403 Forbidden, with a web page: \"Log in,\\u{1b} please\""),
            (403, "<html><title>cut off", "status 403 Forbidden, with a web page"),
        ] {
            let refused = refused(status, body);
            assert_eq!(refused.to_string(), shown);
            assert_eq!(refused.message, body, "applications get the text");
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_is_told_by_its_coding() {
        let refused = with_headers(502, &[("content-encoding", "gzip")], "\u{1f}\u{8b}");
        assert_eq!(
            refused.message,
            "a body with the content coding \"gzip\", which the client does not accept"
        );
    }

    #[test]
    fn every_status_and_code_has_a_meaning() {
        let with_code =
            |status, code: u8| refused(status, &format!(r#"{{"code":{code},"message":"m"}}"#)).kind();
        let codes = [
            (0, RefusalKind::UnknownTransport),
            (1, RefusalKind::UnknownSession),
            (2, RefusalKind::BadMethod),
            (3, RefusalKind::BadRequest),
            (4, RefusalKind::Forbidden),
            (5, RefusalKind::UnsupportedRevision),
            (6, RefusalKind::BadRequest),
        ];
        for (code, kind) in codes {
            assert_eq!(with_code(400, code), kind, "code {code}");
        }
        assert_eq!(with_code(403, 4), RefusalKind::Forbidden);
        assert_eq!(with_code(403, 7), RefusalKind::Forbidden);
        assert_eq!(
            with_code(503, 1),
            RefusalKind::Unavailable,
            "a code means something with 400 and 403 only"
        );
        let statuses = [
            (301, RefusalKind::Redirect),
            (308, RefusalKind::Redirect),
            (400, RefusalKind::BadRequest),
            (401, RefusalKind::Unauthorized),
            (403, RefusalKind::Forbidden),
            (404, RefusalKind::NotFound),
            (405, RefusalKind::BadMethod),
            (407, RefusalKind::Unauthorized),
            (408, RefusalKind::GatewayTimeout),
            (410, RefusalKind::NotFound),
            (413, RefusalKind::PayloadTooLarge),
            (414, RefusalKind::HeadTooLarge),
            (418, RefusalKind::Other),
            (426, RefusalKind::UpgradeRequired),
            (429, RefusalKind::TooManyRequests),
            (431, RefusalKind::HeadTooLarge),
            (500, RefusalKind::ServerError),
            (502, RefusalKind::BadGateway),
            (503, RefusalKind::Unavailable),
            (504, RefusalKind::GatewayTimeout),
            (599, RefusalKind::ServerError),
            (200, RefusalKind::Other),
        ];
        for (status, kind) in statuses {
            assert_eq!(refused(status, "<html>").kind(), kind, "{status}");
        }
    }

    #[test]
    fn servers_that_give_no_code_are_understood_by_their_words() {
        let bodies = [
            (r#""Invalid session abc""#, RefusalKind::UnknownSession),
            (r#""Invalid transport""#, RefusalKind::UnknownTransport),
            (
                r#""The client is using an unsupported version of the Socket.IO or Engine.IO protocols""#,
                RefusalKind::UnsupportedRevision,
            ),
            (r#"{"code":"1","message":"Session ID unknown"}"#, RefusalKind::UnknownSession),
            ("Session ID unknown", RefusalKind::UnknownSession),
            ("Forbidden", RefusalKind::Forbidden),
            ("anything else", RefusalKind::BadRequest),
        ];
        for (body, kind) in bodies {
            assert_eq!(refused(400, body).kind(), kind, "{body}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_servers_own_clock() {
        let date = ("date", "Sat, 28 Nov 2026 17:00:00 GMT");
        let wait = |headers: &[_]| with_headers(503, headers, "").retry_after.map(|wait| wait.as_secs());
        assert_eq!(wait(&[("retry-after", "120")]), Some(120));
        assert_eq!(wait(&[date, ("retry-after", "Sat, 28 Nov 2026 17:00:30 GMT")]), Some(30));
        assert_eq!(wait(&[date, ("retry-after", "Sat, 28 Nov 2026 16:00:00 GMT")]), Some(0));
        assert_eq!(wait(&[("retry-after", "Sat, 28 Nov 2026 17:00:30 GMT")]), None, "since when?");
        for unreadable in ["soon", "-1", "1.5", ""] {
            assert_eq!(wait(&[date, ("retry-after", unreadable)]), None, "{unreadable}");
        }
    }

    #[test]
    fn the_location_of_a_redirect_is_shown_and_no_other() {
        let elsewhere = [("location", "https://h/\"x")];
        let redirect = with_headers(302, &elsewhere, "");
        assert_eq!(redirect.location.as_deref(), Some("https://h/\"x"));
        assert_eq!(redirect.to_string(), "status 302 Found, to \"https://h/\\\"x\"");
        assert_eq!(with_headers(201, &elsewhere, "").location, None);
    }

    #[test]
    fn secrets_that_the_server_repeats_are_hidden() {
        let location = [("location", "/login;t0k3n;abcdefgh/?sid=abcdefgh&token=t0k3n")];
        let redirect = with_headers(307, &location, "\"Invalid session abcdefgh t0k3n\"");
        assert_eq!(redirect.message, "Invalid session … …");
        assert_eq!(redirect.location.as_deref(), Some("/login;t0k3n;…/?sid=…&token=t0k3n"), "to be followed");
        let shown = format!("{redirect} {redirect:?}");
        assert!(!shown.contains("t0k3n") && shown.contains("/login;…;…/?sid=…&token=…"), "{shown}");
        // A secret at the limit is not cut before it is hidden.
        let long = with_headers(404, &[], &("x".repeat(253) + "t0k3n"));
        assert_eq!(long.message, "x".repeat(253) + "…");
        let cut = with_headers(404, &[], &("x".repeat(10) + "abcdefg"));
        assert_eq!(cut.message, "xxxxxxxxxx…");
        // What the words mean does not depend on what is hidden of them.
        assert_eq!(
            with_headers(400, &[], "\"Invalid session abcdefgh\"").kind(),
            RefusalKind::UnknownSession
        );
    }

    #[test]
    fn a_retry_after_beyond_a_day_is_told_as_that() {
        for (value, shown) in [
            ("86400", "after 86400 s"),
            ("86401", "after more than a day"),
            ("18446744073709551615", "after more than a day"),
            ("99999999999999999999999", "after more than a day"),
        ] {
            let refused = with_headers(503, &[("retry-after", value)], "").to_string();
            assert!(refused.ends_with(shown), "{value}: {refused}");
        }
    }
}
