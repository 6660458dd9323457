//! What proxies and load balancers do to sessions, recognized by its traces.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tokio::ConnectError;

use crate::duration::{setting, spoken};

/// The shortest idle limit that is usual: nginx's `proxy_read_timeout`, and AWS ALB's idle timeout.
const USUAL_LIMIT: Duration = Duration::from_mins(1);

/// Less is not silence: packets came just before.
const SILENCE: Duration = Duration::from_secs(1);

/// What is to be said of a ping interval that usual proxies do not bear.
pub(crate) fn warning(heartbeat: Heartbeat) -> Option<String> {
    let interval = heartbeat.ping_interval();
    (interval >= USUAL_LIMIT).then(|| {
        format!(
            "a ping interval of {} is longer than proxies usually let a connection be silent: {} (nginx, AWS ALB), 100 s \
             (Cloudflare)",
            setting(interval),
            setting(USUAL_LIMIT)
        )
    })
}

/// What to add where a connection was closed in a silence that is shorter than the ping interval. Empty otherwise:
/// whoever waits for longer than that waits for the server.
pub(crate) fn closed_in_silence(silent_for: Duration, heartbeat: Heartbeat) -> String {
    let interval = heartbeat.ping_interval();
    if silent_for < SILENCE || silent_for >= interval {
        return String::new();
    }
    let (silence, interval) = (spoken(silent_for), setting(interval));
    format!(
        ", after {silence} of silence and before the next ping, which comes every {interval}: where a proxy closes idle \
         connections, set its limit above {interval} (nginx: proxy_read_timeout), or the server's ping interval below \
         {silence}"
    )
}

/// What to add where no WebSocket came about because something in between does not pass the headers on that ask for it.
/// The server's answer is then that to a plain request.
pub(crate) fn stripped_upgrade(error: &ConnectError) -> Option<&'static str> {
    let stripped = match error {
        ConnectError::NotWebSocket(_) => true,
        // Servers of the reference's line answer 400 with code 3; a server of pages, what it has there.
        ConnectError::Refused(refused) => {
            matches!((refused.status.as_u16(), refused.code), (200..=299 | 426, _) | (400, None | Some(3)))
        }
        _ => false,
    };
    stripped.then_some(
        "a proxy in between may strip the headers Upgrade and Connection (nginx: proxy_http_version 1.1, and \
         proxy_set_header for both); long-polling works without them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(interval_s: u32) -> Heartbeat {
        Heartbeat::from_millis(interval_s * 1_000, 20_000).unwrap()
    }

    #[test]
    fn any_limit_below_the_ping_interval_is_told_with_both_numbers() {
        for (silent_ms, interval_s, silence, interval) in [
            (20_004, 25, "20.0 s", "25 s"),
            (59_970, 300, "60.0 s", "300 s"),
            (1_000, 2, "1.0 s", "2 s"),
            (100_200, 3_600, "100.2 s", "3600 s"),
        ] {
            let hint = closed_in_silence(Duration::from_millis(silent_ms), heartbeat(interval_s));
            assert!(hint.contains(&format!("after {silence} of silence")), "{hint}");
            assert!(
                hint.contains(&format!("set its limit above {interval} (nginx: proxy_read_timeout)")),
                "{hint}"
            );
            assert!(hint.ends_with(&format!("the server's ping interval below {silence}")), "{hint}");
        }
    }

    #[test]
    fn a_close_without_silence_or_after_a_ping_was_due_blames_no_idle_limit() {
        for silent_ms in [0, 999, 25_000, 45_000] {
            assert_eq!(
                closed_in_silence(Duration::from_millis(silent_ms), heartbeat(25)),
                "",
                "{silent_ms} ms"
            );
        }
    }

    #[test]
    fn a_minute_between_pings_is_more_than_proxies_bear() {
        assert_eq!(warning(heartbeat(59)), None);
        let warning = warning(heartbeat(60)).unwrap();
        assert!(warning.starts_with("a ping interval of 60 s is longer than proxies"), "{warning}");
    }
}
