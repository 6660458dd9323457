//! What a page gets that was frozen: time to receive what has arrived meanwhile.

use core::time::Duration;

use eio_core::{ClientSession, Instant};

/// How long a browser may need to pass on what has arrived while its page was frozen.
const GRACE: Duration = Duration::from_millis(250);

/// Puts off the judgement on the server's silence.
///
/// After a page was frozen, its timer may come before the messages that have arrived meanwhile, and the server's ping may
/// be the last of them. They count. So the judgement waits for 250 ms from the first call after the deadline, whatever
/// comes before.
#[derive(Debug, Default)]
pub struct Grace {
    /// When the judgement is due, if the deadline has passed.
    until: Option<Instant>,
}

impl Grace {
    /// Returns how long to wait before [`ClientSession::handle_timeout`] may be called, or `None` if it may be called now.
    pub fn time_left(&mut self, session: &ClientSession, now: Instant) -> Option<Duration> {
        if !session.is_expired(now) {
            self.until = None;
            return None;
        }
        let until = *self.until.get_or_insert(now.saturating_add(GRACE));
        (now < until).then(|| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use eio_core::DisconnectReason;
    use eio_core::packet::{WebSocketMessage, v4};

    use super::*;

    const OPEN: &str = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

    /// A page that does with each call what the module does.
    struct Page {
        session: ClientSession,
        grace: Grace,
    }

    impl Page {
        fn open() -> Self {
            let session = ClientSession::eio4(Duration::from_secs(20), at(0));
            let mut page = Self { session, grace: Grace::default() };
            assert_eq!(page.receive(0, OPEN), None);
            assert!(page.session.is_open());
            page
        }

        fn receive(&mut self, now: u64, text: &str) -> Option<u128> {
            let _ = self.session.handle_packet(at(now), v4::decode(WebSocketMessage::Text(text)));
            self.wake(now)
        }

        /// Returns for how many milliseconds the judgement is put off.
        fn wake(&mut self, now: u64) -> Option<u128> {
            let left = self.grace.time_left(&self.session, at(now));
            if left.is_none() {
                self.session.handle_timeout(at(now));
            }
            left.map(|left| left.as_millis())
        }

        fn end(&self) -> Option<DisconnectReason> {
            self.session.end().map(|end| end.reason)
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis.saturating_mul(1_000))
    }

    #[test]
    fn a_ping_counts_that_comes_behind_the_timer_and_behind_messages() {
        let mut page = Page::open();
        assert_eq!(page.wake(44_999), None);
        assert_eq!(page.wake(60_000), Some(250));
        assert_eq!(page.receive(60_100, "4a"), Some(150));
        assert_eq!(page.receive(60_249, "4b"), Some(1));
        assert_eq!(page.receive(60_249, "2"), None);
        assert_eq!(page.end(), None);
        // The next freeze has its own time.
        assert_eq!(page.wake(105_248), None);
        assert_eq!(page.receive(200_000, "4c"), Some(250));
        assert_eq!(page.receive(200_249, "2"), None);
        assert_eq!(page.end(), None);
    }

    #[test]
    fn messages_do_not_put_the_end_off_any_further() {
        let mut page = Page::open();
        assert_eq!(page.wake(45_000), Some(250));
        assert_eq!(page.receive(45_249, "4a"), Some(1));
        assert_eq!(page.receive(45_250, "4b"), None);
        assert_eq!(page.end(), Some(DisconnectReason::PingTimeout));
    }
}
