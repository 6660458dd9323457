//! What happened, in sentences: how the session ended, and what its heartbeats looked like before.

use core::time::Duration;

use eio_core::ws::CloseCode;
use eio_core::{DisconnectReason, Revision};
use eio_tokio::CloseFrame;

use super::{Ended, with_author};
use crate::connect::history::History;
use crate::duration::{setting, spoken};

impl History {
    /// Returns the sentences about the end of an open session.
    pub(super) fn facts(&self, end: &Ended<'_>) -> String {
        let first = match end.reason {
            DisconnectReason::PingTimeout => self.timeout(end),
            reason => self.cause(reason, end.close_frame),
        };
        format!("{first} {}", self.record_of_heartbeats(end.since_heartbeat))
    }

    /// Says what ended the session, unless it was a ping timeout.
    fn cause(&self, reason: DisconnectReason, close_frame: Option<&CloseFrame>) -> String {
        let word = reason.as_str();
        match reason {
            DisconnectReason::LocalClose => format!("{word}: eio closed the session."),
            DisconnectReason::ApplicationPanicked => format!("{word}: eio panicked."),
            DisconnectReason::PeerClose => format!("{word}: the server closed the session."),
            DisconnectReason::TransportClosed => match close_frame {
                Some(frame) => format!("{word}: the server closed the session {}.", with_frame(frame)),
                None => format!("{word}: the connection ended without a close packet or a close frame."),
            },
            DisconnectReason::TransportReset => format!("{word}: the connection was reset."),
            DisconnectReason::TransportError => match &self.request_error {
                Some(error) => format!("{word}: {}", with_author(error)),
                None => format!("{word}: the connection failed."),
            },
            // Its text begins with the word.
            other => format!("{other}."),
        }
    }

    fn timeout(&self, end: &Ended<'_>) -> String {
        let heartbeat = self.heartbeat.unwrap_or_default();
        let (interval, timeout) = (setting(heartbeat.ping_interval()), setting(heartbeat.ping_timeout()));
        let silence = spoken(end.silent_for);
        let others = if end.did_others_arrive() {
            format!("Other packets arrived until {silence} before the end.")
        } else {
            format!("Nothing else arrived for {silence} either.")
        };
        match self.revision {
            Revision::V4 => format!(
                "ping timeout: no ping arrived for {}. The server promised one every {interval}, and eio waited {timeout} \
                 longer. {others}",
                spoken(end.since_heartbeat),
            ),
            Revision::V3 => {
                format!("ping timeout: the server did not answer a ping within {timeout}. {others}")
            }
        }
    }

    /// Says what the heartbeats before the end looked like.
    fn record_of_heartbeats(&self, since_heartbeat: Duration) -> String {
        let earlier = spoken(since_heartbeat);
        let is_on_time = self.max_lateness < Duration::from_millis(1);
        let late =
            if is_on_time { "on time".to_owned() } else { format!("{} late", spoken(self.max_lateness)) };
        match (self.heartbeats, self.revision) {
            (0, Revision::V4) => "No ping had arrived before.".to_owned(),
            (0, Revision::V3) => "No pong had arrived before.".to_owned(),
            (1, Revision::V4) => format!("One ping had arrived, {earlier} earlier and {late}."),
            (1, Revision::V3) => format!("One pong had arrived, {earlier} earlier."),
            (count, Revision::V4) => {
                let late = if is_on_time {
                    "all of them on time".to_owned()
                } else {
                    format!("none more than {late}")
                };
                format!("{count} pings had arrived, the last one {earlier} earlier, {late}.")
            }
            (count, Revision::V3) => format!("{count} pongs had arrived, the last one {earlier} earlier."),
        }
    }
}

fn with_frame(frame: &CloseFrame) -> String {
    if frame.code() == CloseCode::NO_STATUS {
        "with a close frame without a code".to_owned()
    } else {
        format!("with close frame {frame}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::ending::tests::{ended, history};
    use super::*;

    fn facts(history: &History, since_s: u64, reason: DisconnectReason, silent_s: u64) -> String {
        history.facts(&Ended { since_heartbeat: Duration::from_secs(since_s), ..ended(reason, silent_s) })
    }

    #[tokio::test]
    async fn a_ping_timeout_says_what_was_promised_and_what_else_arrived() {
        assert_eq!(
            facts(&history(Revision::V4, 3), 45, DisconnectReason::PingTimeout, 45),
            "ping timeout: no ping arrived for 45.0 s. The server promised one every 25 s, and eio waited 20 s longer. \
             Nothing else arrived for 45.0 s either. 3 pings had arrived, the last one 45.0 s earlier, none more than \
             3.0 ms late."
        );
        let stuck = facts(&history(Revision::V4, 0), 45, DisconnectReason::PingTimeout, 2);
        assert!(stuck.contains("Other packets arrived until 2.0 s before the end. No ping"), "{stuck}");
        let third = facts(&history(Revision::V3, 2), 20, DisconnectReason::PingTimeout, 20);
        assert!(third.starts_with("ping timeout: the server did not answer a ping within 20 s. "), "{third}");
    }

    #[tokio::test]
    async fn a_close_frame_is_shown_with_its_code_and_its_reason() {
        let closed = |frame: Option<&CloseFrame>| {
            let end = Ended { close_frame: frame, ..ended(DisconnectReason::TransportClosed, 20) };
            history(Revision::V4, 0).facts(&end)
        };
        let frame = CloseFrame::new(CloseCode::new(4001), "bye").unwrap();
        let with = closed(Some(&frame));
        assert!(
            with.starts_with(
                "transport close: the server closed the session with close frame 4001 \"bye\". "
            ),
            "{with}"
        );
        assert!(closed(None).contains("without a close packet or a close frame"));
    }

    #[tokio::test]
    async fn a_broken_protocol_is_named_once() {
        let broken = facts(&history(Revision::V4, 0), 1, DisconnectReason::UnexpectedPacket, 0);
        assert_eq!(broken.matches("unexpected packet").count(), 1, "{broken}");
    }
}
