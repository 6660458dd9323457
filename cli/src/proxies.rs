//! Hints about proxies and load balancers that cut sessions.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tokio::{ConnectError, RefusalKind, Refused};

use crate::duration::setting;

/// The shortest idle limit that is common: nginx's `proxy_read_timeout`, and AWS ALB's idle timeout.
const COMMON_LIMIT: Duration = Duration::from_mins(1);

/// A connection that carried packets more recently than this was not idle.
const SILENCE: Duration = Duration::from_secs(1);

/// Returns whether common proxies cut connections that are idle for the ping interval.
pub(crate) fn is_long(heartbeat: Heartbeat) -> bool {
    heartbeat.ping_interval() >= COMMON_LIMIT
}

/// Returns a warning if common proxies cut connections that are idle for the ping interval.
pub(crate) fn interval_warning(heartbeat: Heartbeat) -> Option<String> {
    is_long(heartbeat).then(|| {
        let interval = heartbeat.ping_interval();
        format!(
            "the ping interval of {} is not below the idle limits of common proxies, which then cut idle connections: {} \
             in nginx and AWS ALB, 100 s in Cloudflare",
            setting(interval),
            setting(COMMON_LIMIT)
        )
    })
}

/// Returns whether an idle limit may have cut a connection: it ended while it was idle, before the next ping was due, and had
/// survived no silence of that length. After that time, the server itself was late.
pub(crate) fn was_idle(silent_for: Duration, survived: Duration, heartbeat: Heartbeat) -> bool {
    silent_for >= SILENCE && silent_for > survived && silent_for < heartbeat.ping_interval()
}

/// Returns whether a WebSocket failed as it does behind a proxy that removes the headers of the request for it. The server
/// then answers as it does to an ordinary request.
pub(crate) fn is_stripped_upgrade(error: &ConnectError) -> bool {
    match error {
        ConnectError::NotWebSocket(_) => true,
        // engine.io answers 400 with code 3. A web server answers with a page, or with 426.
        ConnectError::Refused(refused) => {
            matches!((refused.status.as_u16(), refused.code), (200..=299 | 426, _) | (400, Some(3)))
                || (refused.status == 400
                    && refused.code.is_none()
                    && refused.kind() == RefusalKind::BadRequest)
        }
        _ => false,
    }
}

/// Returns the proxy whose page this answer has.
pub(crate) fn author(refused: &Refused) -> Option<&'static str> {
    let page = &refused.message;
    // HAProxy's pages have neither a title nor its name.
    if page.starts_with("<html><body><h1>") {
        Some("HAProxy")
    } else if page.contains("<center>nginx") {
        Some("nginx")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(interval_s: u32) -> Heartbeat {
        Heartbeat::from_millis(interval_s * 1_000, 20_000).unwrap()
    }

    #[test]
    fn only_the_longest_silence_before_a_ping_was_due_is_blamed_on_an_idle_limit() {
        for (silent_ms, survived_ms, was) in [
            (0, 0, false),
            (999, 0, false),
            (1_000, 0, true),
            (24_999, 0, true),
            (25_000, 0, false),
            (45_000, 0, false),
            (12_000, 11_999, true),
            (12_000, 12_000, false),
            (12_000, 25_000, false),
        ] {
            let [silent, survived] = [silent_ms, survived_ms].map(Duration::from_millis);
            assert_eq!(was_idle(silent, survived, heartbeat(25)), was, "{silent_ms} ms, {survived_ms} ms");
        }
    }

    #[test]
    fn a_ping_interval_of_a_minute_is_warned_about() {
        assert_eq!(interval_warning(heartbeat(59)), None);
        let warning = interval_warning(heartbeat(60)).unwrap();
        assert!(warning.starts_with("the ping interval of 60 s is not below"), "{warning}");
    }
}
