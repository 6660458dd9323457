//! Hints about proxies and load balancers that cut sessions.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tokio::ConnectError;

use crate::duration::{setting, spoken};

/// The shortest idle limit that is common: nginx's `proxy_read_timeout`, and AWS ALB's idle timeout.
const COMMON_LIMIT: Duration = Duration::from_mins(1);

/// A connection that carried packets more recently than this was not idle.
const SILENCE: Duration = Duration::from_secs(1);

/// Returns a warning if common proxies cut connections that are idle for the ping interval.
pub(crate) fn interval_warning(heartbeat: Heartbeat) -> Option<String> {
    let interval = heartbeat.ping_interval();
    (interval >= COMMON_LIMIT).then(|| {
        format!(
            "the ping interval of {} is not below the idle limits of common proxies, which then cut idle connections: {} \
             in nginx and AWS ALB, 100 s in Cloudflare",
            setting(interval),
            setting(COMMON_LIMIT)
        )
    })
}

/// Returns a hint if a connection ended while it was idle and before the next ping was due. After that, the server
/// itself was late.
pub(crate) fn idle_limit_hint(silent_for: Duration, heartbeat: Heartbeat) -> Option<String> {
    let interval = heartbeat.ping_interval();
    if silent_for < SILENCE || silent_for >= interval {
        return None;
    }
    let (silence, interval) = (spoken(silent_for), setting(interval));
    Some(format!(
        "The connection was idle for {silence}, and pings come every {interval}: a proxy with an idle limit may have cut \
         it. Set that limit above {interval} (nginx: proxy_read_timeout), or the server's ping interval below {silence}."
    ))
}

/// Returns a hint if a WebSocket failed as it does behind a proxy that removes the headers of the request for it. The
/// server then answers as it does to an ordinary request.
pub(crate) fn stripped_upgrade_hint(error: &ConnectError) -> Option<&'static str> {
    let stripped = match error {
        ConnectError::NotWebSocket(_) => true,
        // engine.io answers 400 with code 3. A web server answers with a page, or with 426.
        ConnectError::Refused(refused) => {
            matches!((refused.status.as_u16(), refused.code), (200..=299 | 426, _) | (400, None | Some(3)))
        }
        _ => false,
    };
    stripped.then_some(
        "A proxy between here and the server may remove the headers Upgrade and Connection. In nginx, set \
         proxy_http_version 1.1 and pass both headers on with proxy_set_header. Long-polling works without them.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(interval_s: u32) -> Heartbeat {
        Heartbeat::from_millis(interval_s * 1_000, 20_000).unwrap()
    }

    #[test]
    fn an_idle_limit_below_the_ping_interval_is_named_with_both_numbers() {
        for (silent_ms, interval_s, silence, interval) in [
            (20_004, 25, "20.0 s", "25 s"),
            (59_970, 300, "60.0 s", "300 s"),
            (1_000, 2, "1.0 s", "2 s"),
            (100_200, 3_600, "100.2 s", "3600 s"),
        ] {
            let hint = idle_limit_hint(Duration::from_millis(silent_ms), heartbeat(interval_s)).unwrap();
            assert!(hint.contains(&format!("was idle for {silence}")), "{hint}");
            assert!(hint.contains(&format!("limit above {interval} (nginx: proxy_read_timeout)")), "{hint}");
            assert!(hint.ends_with(&format!("the server's ping interval below {silence}.")), "{hint}");
        }
    }

    #[test]
    fn an_end_without_silence_or_after_a_ping_was_due_is_not_blamed_on_an_idle_limit() {
        for silent_ms in [0, 999, 25_000, 45_000] {
            assert_eq!(
                idle_limit_hint(Duration::from_millis(silent_ms), heartbeat(25)),
                None,
                "{silent_ms} ms"
            );
        }
    }

    #[test]
    fn a_ping_interval_of_a_minute_is_warned_about() {
        assert_eq!(interval_warning(heartbeat(59)), None);
        let warning = interval_warning(heartbeat(60)).unwrap();
        assert!(warning.starts_with("the ping interval of 60 s is not below"), "{warning}");
    }
}
