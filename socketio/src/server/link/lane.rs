//! Packets that wait for room in the outbox.

use std::collections::VecDeque;

use crate::parser::Encoded;
use crate::server::recovery::Recovery;

/// Packets for which the outbox had no room, in the order in which they go out.
///
/// Most are owed: they must not be lost, and the client has caused them, so it has to wait. A client that catches up with what it
/// has missed is owed that. The events that follow it in the meantime are not owed, and bounded.
#[derive(Default)]
pub(super) struct Lane {
    packets: VecDeque<Waiting>,
    /// What the connection's task does, if anything.
    step: Option<Doing>,
    is_catching_up: bool,
    /// How many packets are owed, with the one that the task sends.
    owed: usize,
    /// The number and the bytes of the packets that are not owed, without the one that the task sends.
    followers: (usize, usize),
}

struct Waiting {
    encoded: Encoded,
    is_owed: bool,
}

enum Doing {
    Sends { is_owed: bool },
    Flushes,
}

/// What the connection's task is to do.
pub(super) enum Step {
    /// To send a packet as soon as there is room.
    Send(Encoded),
    /// To wait until everything that was sent is on its way.
    Flush,
}

impl Lane {
    /// Returns whether packets have to ask before they go into the outbox.
    pub(super) fn is_busy(&self) -> bool {
        self.is_catching_up || !self.is_free()
    }

    /// Returns whether nothing waits that others must not overtake.
    pub(super) fn is_free(&self) -> bool {
        self.packets.is_empty() && !matches!(self.step, Some(Doing::Sends { .. }))
    }

    /// Returns whether a packet waits that the client has caused.
    pub(super) fn owes(&self) -> bool {
        self.owed > 0
    }

    /// Adds a packet that must not be lost.
    pub(super) fn push(&mut self, encoded: Encoded) {
        self.owed += 1;
        self.packets.push_back(Waiting { encoded, is_owed: true });
    }

    /// Adds an event, if the client catches up and not too many wait. Returns whether it was added.
    pub(super) fn follow(&mut self, encoded: Encoded, limits: Option<&Recovery>) -> bool {
        let (packets, bytes) = (self.followers.0 + 1, self.followers.1 + encoded.byte_len());
        let has_room = limits.is_some_and(|limits| limits.allows(packets, bytes));
        if !self.is_catching_up || !has_room {
            return false;
        }
        self.followers = (packets, bytes);
        self.packets.push_back(Waiting { encoded, is_owed: false });
        true
    }

    /// Notes that the client catches up with what was sent or added just before. That is over when everything is on its way
    /// and nothing waits.
    pub(super) fn catch_up(&mut self) {
        self.is_catching_up = true;
    }

    /// Begins the next step. [`note_done`](Self::note_done) follows.
    pub(super) fn next_step(&mut self) -> Option<Step> {
        let (doing, step) = match self.packets.pop_front() {
            Some(Waiting { encoded, is_owed }) => {
                if !is_owed {
                    self.followers.0 -= 1;
                    self.followers.1 -= encoded.byte_len();
                }
                (Doing::Sends { is_owed }, Step::Send(encoded))
            }
            None if self.is_catching_up => (Doing::Flushes, Step::Flush),
            None => return None,
        };
        self.step = Some(doing);
        Some(step)
    }

    /// Notes that the step is done.
    pub(super) fn note_done(&mut self) {
        match self.step.take() {
            Some(Doing::Sends { is_owed: true }) => self.owed -= 1,
            Some(Doing::Flushes) if self.packets.is_empty() => self.is_catching_up = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> Encoded {
        Encoded::new(text.into(), [])
    }

    /// Returns what the task is to send, or `None` if it is to flush.
    fn sent(step: Option<Step>) -> Option<Encoded> {
        match step.expect("something is to do") {
            Step::Send(encoded) => Some(encoded),
            Step::Flush => None,
        }
    }

    #[test]
    fn what_is_owed_goes_out_in_order_and_nothing_overtakes_it() {
        let mut lane = Lane::default();
        assert!(!lane.is_busy() && lane.next_step().is_none());
        lane.push(packet("one"));
        lane.push(packet("two"));
        assert!(lane.is_busy() && lane.owes() && !lane.follow(packet("event"), Some(&Recovery::new())));
        for text in ["one", "two"] {
            assert_eq!(sent(lane.next_step()), Some(packet(text)));
            assert!(!lane.is_free() && lane.owes());
            lane.note_done();
        }
        assert!(!lane.is_busy() && lane.is_free() && !lane.owes() && lane.next_step().is_none());
    }

    #[test]
    fn events_follow_what_a_client_has_missed_until_all_of_it_is_on_its_way() {
        let limits = Recovery::new().max_packets(2).max_bytes(10);
        let mut lane = Lane::default();
        lane.push(packet("missed"));
        lane.catch_up();
        assert!(lane.follow(packet("follow"), Some(&limits)));
        assert!(!lane.follow(packet("large"), Some(&limits)), "11 bytes");
        assert!(lane.follow(packet("more"), Some(&limits)));
        assert!(!lane.follow(packet(""), Some(&limits)), "three packets");
        assert_eq!(sent(lane.next_step()), Some(packet("missed")));
        lane.note_done();
        // The client may ask for more, and what it gets keeps its place.
        assert!(!lane.owes() && !lane.is_free());
        assert_eq!(sent(lane.next_step()), Some(packet("follow")));
        lane.push(packet("answer"));
        lane.note_done();
        assert!(lane.owes() && lane.follow(packet("large"), Some(&limits)));
        for text in ["more", "answer", "large"] {
            assert_eq!(sent(lane.next_step()), Some(packet(text)));
            lane.note_done();
        }
        // The outbox is full of what was missed.
        assert_eq!(sent(lane.next_step()), None);
        assert!(lane.is_free() && lane.is_busy() && lane.follow(packet("late"), Some(&limits)));
        lane.note_done();
        assert_eq!(sent(lane.next_step()), Some(packet("late")));
        lane.note_done();
        assert_eq!(sent(lane.next_step()), None);
        lane.note_done();
        assert!(!lane.is_busy() && !lane.follow(packet("too late"), Some(&limits)));
    }
}
