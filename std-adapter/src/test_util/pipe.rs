//! One direction of a connection: what was sent, and when it arrives.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};
use tokio::time::Instant;

/// What one end sends to the other.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Bytes),
    /// The sender sends nothing more.
    End,
    /// The sender has given the connection up. Nothing repeats it if it gets lost.
    Reset,
    /// The answer of a closed end to bytes. It comes again if it gets lost, because the bytes do.
    Rejection,
}

/// Something on its way, or something that has arrived and is unread.
#[derive(Debug)]
struct Segment {
    content: Content,
    /// `None` while the cable is cut.
    arrives: Option<Instant>,
}

impl Segment {
    fn has_arrived(&self, now: Instant) -> bool {
        self.arrives.is_some_and(|arrives| arrives <= now)
    }

    fn is_reset(&self) -> bool {
        matches!(self.content, Content::Reset | Content::Rejection)
    }
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// So many bytes, which have been read.
    Bytes(usize),
    End,
    Reset,
    /// Nothing yet. The next segment arrives at this time, if one is on its way.
    Nothing(Option<Instant>),
}

/// One direction of a connection. Segments arrive in the order in which they were sent.
#[derive(Debug)]
pub(super) struct Pipe {
    segments: VecDeque<Segment>,
    /// How many bytes are in the segments.
    held: usize,
    /// How many bytes there may be.
    room: usize,
}

impl Pipe {
    pub(super) fn new(room: usize) -> Self {
        Self { segments: VecDeque::new(), held: 0, room }
    }

    /// Returns how many bytes can be sent.
    pub(super) fn free(&self) -> usize {
        self.room.saturating_sub(self.held)
    }

    /// Sends something. Nothing follows a reset.
    pub(super) fn push(&mut self, content: Content, arrives: Option<Instant>) {
        let last = self.segments.back();
        if last.is_some_and(Segment::is_reset) {
            return;
        }
        let arrives = match last {
            Some(last) => arrives.zip(last.arrives).map(|(arrives, last)| arrives.max(last)),
            None => arrives,
        };
        if let Content::Bytes(bytes) = &content {
            self.held += bytes.len();
        }
        self.segments.push_back(Segment { content, arrives });
    }

    /// Reads what has arrived. An end and a reset remain: every later read finds them again.
    pub(super) fn read(&mut self, now: Instant, room: &mut [u8]) -> Found {
        let mut taken = 0;
        while let Some(segment) = self.segments.front_mut() {
            match &mut segment.content {
                _ if taken == room.len() || segment.arrives.is_none_or(|arrives| now < arrives) => break,
                Content::Bytes(bytes) => {
                    let len = bytes.len().min(room.len() - taken);
                    bytes.copy_to_slice(&mut room[taken..taken + len]);
                    taken += len;
                    if !bytes.is_empty() {
                        break;
                    }
                    self.segments.pop_front();
                }
                Content::End | Content::Reset | Content::Rejection => break,
            }
        }
        self.held -= taken;
        match self.segments.front() {
            _ if taken > 0 || room.is_empty() => Found::Bytes(taken),
            Some(first) if !first.has_arrived(now) => Found::Nothing(first.arrives),
            Some(Segment { content: Content::End, .. }) => match self.reset_arrives() {
                Some(arrives) if arrives <= now => Found::Reset,
                _ => Found::End,
            },
            Some(_) => Found::Reset,
            None => Found::Nothing(None),
        }
    }

    /// Returns when a reset arrives or has arrived, if one is on its way.
    pub(super) fn reset_arrives(&self) -> Option<Instant> {
        self.segments.back().filter(|last| last.is_reset()).and_then(|last| last.arrives)
    }

    /// Returns whether bytes have arrived that have not been read.
    pub(super) fn has_unread(&self, now: Instant) -> bool {
        self.segments.front().is_some_and(|first| first.has_arrived(now) && is_bytes(first))
    }

    /// Returns whether bytes are on their way.
    pub(super) fn has_arriving(&self, now: Instant) -> bool {
        let last = self.segments.iter().rfind(|segment| is_bytes(segment));
        last.is_some_and(|last| !last.has_arrived(now))
    }

    /// Returns when the last segment arrives, if it does.
    pub(super) fn last_arrives(&self) -> Option<Instant> {
        self.segments.back().and_then(|last| last.arrives)
    }

    /// Stops what is on its way. A reset gets lost.
    pub(super) fn cut(&mut self, now: Instant) {
        self.segments
            .retain(|segment| segment.has_arrived(now) || !matches!(segment.content, Content::Reset));
        for segment in self.segments.iter_mut().filter(|segment| !segment.has_arrived(now)) {
            segment.arrives = None;
        }
    }

    /// Sends what was stopped again. It arrives at `arrives`, and a closed end's answer to it at `answered`.
    pub(super) fn mend(&mut self, arrives: Option<Instant>, answered: Option<Instant>) {
        for segment in self.segments.iter_mut().filter(|segment| segment.arrives.is_none()) {
            let is_answer = matches!(segment.content, Content::Rejection);
            segment.arrives = if is_answer { answered } else { arrives };
        }
    }

    /// Loses what has not arrived.
    pub(super) fn lose(&mut self, now: Instant) {
        self.segments.retain(|segment| segment.has_arrived(now));
        self.held = self.segments.iter().map(len).sum();
    }
}

fn is_bytes(segment: &Segment) -> bool {
    matches!(segment.content, Content::Bytes(_))
}

fn len(segment: &Segment) -> usize {
    match &segment.content {
        Content::Bytes(bytes) => bytes.len(),
        Content::End | Content::Reset | Content::Rejection => 0,
    }
}
