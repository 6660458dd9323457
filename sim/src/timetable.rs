//! What happened, as a timetable.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use eio_core::session::{Control, SessionEnd};
use eio_core::upgrade::UpgradeControl;

use crate::ids::SessionId;
use crate::message::Parcel;
use crate::side::Side;
use crate::stream::Carried;
use crate::time::{Micros, Seconds, micros};

/// How many lines a world keeps unless it is told otherwise.
pub(crate) const KEPT: usize = 4_096;

/// One thing that happened to one side of a session. It is shown as a line of a timetable.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub(crate) at: Micros,
    pub(crate) session: SessionId,
    pub(crate) side: Side,
    pub(crate) note: Note,
}

impl Line {
    /// Returns when it happened, since the world began.
    #[must_use]
    pub const fn at(&self) -> Duration {
        Duration::from_micros(self.at)
    }

    /// Returns the session to which it happened.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Returns the side to which it happened.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Returns what happened, in words: `sends a ping`.
    #[must_use]
    pub fn what(&self) -> String {
        self.note.to_string()
    }

    /// Returns what happened, for programs.
    #[must_use]
    pub const fn fact(&self) -> Fact {
        match self.note {
            Note::Opens => Fact::Opens,
            Note::Sends(Word::Control(control), carried) => Fact::Sends(control, carried),
            Note::Repeats(carried) => Fact::Repeats(carried),
            Note::Hears(Word::Control(control)) => Fact::Hears(control),
            Note::Dies => Fact::Dies,
            Note::Ends(end) => Fact::Ends(end),
            _ => Fact::Other,
        }
    }
}

/// What a [`Line`] says, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The session is open.
    Opens,
    /// A ping, a pong or a close packet is sent.
    Sends(Control, Carried),
    /// TCP sends something again.
    Repeats(Carried),
    /// A ping, a pong or a close packet arrived.
    Hears(Control),
    /// It dies without a word.
    Dies,
    /// It ends the session.
    Ends(SessionEnd),
    /// Something else, which [`Line::what`] says in words.
    Other,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14}  {:<4} {:<6} {}", Seconds(self.at), self.session, self.side, self.note)
    }
}

/// What a line says. It becomes text only when somebody reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note {
    Connects,
    Opens,
    Sends(Word, Carried),
    Repeats(Carried),
    Hears(Word),
    Stalls(Micros),
    Sleeps(Micros),
    StopsReading(Micros),
    Dies,
    Killed,
    IsReset,
    GivesUp,
    Ends(SessionEnd),
}

/// What was sent or heard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Connection,
    Request,
    Open,
    Control(Control),
    Message(u32),
    CloseFrame,
    Fin,
    Poll,
    Payload(u32),
    Taken,
    Accepted,
    Probe(UpgradeControl),
    CandidateEnds,
}

impl From<&Parcel> for Word {
    fn from(parcel: &Parcel) -> Self {
        match parcel {
            Parcel::Syn | Parcel::SynAck => Self::Connection,
            Parcel::Request => Self::Request,
            Parcel::Open => Self::Open,
            Parcel::Control(control) => Self::Control(*control),
            Parcel::Message(message) => Self::Message(u32::try_from(message.len()).unwrap_or(u32::MAX)),
            Parcel::CloseFrame => Self::CloseFrame,
            Parcel::Fin => Self::Fin,
            Parcel::Poll => Self::Poll,
            Parcel::Payload(packets) => Self::Payload(u32::try_from(packets.len()).unwrap_or(u32::MAX)),
            Parcel::Taken => Self::Taken,
            Parcel::Accepted => Self::Accepted,
            Parcel::Probe(control) => Self::Probe(*control),
            Parcel::CandidateEnds => Self::CandidateEnds,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("the opening of a connection"),
            Self::Request => f.write_str("a request"),
            Self::Open => f.write_str("the handshake"),
            Self::Control(control) => write!(f, "a {control}"),
            Self::Message(bytes) => write!(f, "a message of {bytes} bytes"),
            Self::CloseFrame => f.write_str("a close frame"),
            Self::Fin => f.write_str("the end of the connection"),
            Self::Poll => f.write_str("a request for packets"),
            Self::Payload(packets) => write!(f, "a body of {packets} packets"),
            Self::Taken => f.write_str("the answer to packets"),
            Self::Accepted => f.write_str("the opening of a WebSocket"),
            Self::Probe(control) => write!(f, "the {control} of an upgrade"),
            Self::CandidateEnds => f.write_str("the end of the WebSocket"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connects => f.write_str("connects"),
            Self::Opens => f.write_str("is open"),
            Self::Sends(word, carried) => write!(f, "sends {word}{}", clause(*carried)),
            Self::Repeats(carried) => write!(f, "repeats what was not acknowledged{}", clause(*carried)),
            Self::Hears(word) => write!(f, "hears {word}"),
            Self::Stalls(time) => write!(f, "stalls for {}", Seconds(*time)),
            Self::Sleeps(time) => write!(f, "sleeps for {}", Seconds(*time)),
            Self::StopsReading(time) => write!(f, "stops reading for {}", Seconds(*time)),
            Self::Dies => f.write_str("dies without a word"),
            Self::Killed => f.write_str("is killed"),
            Self::IsReset => f.write_str("hears that the connection is reset"),
            Self::GivesUp => f.write_str("gives up the connection, which answers nothing"),
            Self::Ends(end) => {
                write!(f, "ends: {}, after {} of silence", end.reason, Seconds(micros(end.silent_for)))
            }
        }
    }
}

/// The end of a sentence about a segment.
const fn clause(carried: Carried) -> &'static str {
    match carried {
        Carried::Arrives => "",
        Carried::Lost => ", which is lost",
        Carried::Waits => ", which waits behind a lost one",
    }
}

/// The last lines of what happened in a world, in order. It is shown with one line for each.
#[derive(Clone, Copy, Debug)]
pub struct Timetable<'a> {
    pub(crate) record: &'a Record,
    pub(crate) only: Option<SessionId>,
}

impl<'a> Timetable<'a> {
    /// Returns this timetable with the lines of one session only.
    #[must_use]
    pub const fn of(mut self, session: SessionId) -> Self {
        self.only = Some(session);
        self
    }

    /// Returns the lines.
    pub fn lines(&self) -> impl Iterator<Item = &'a Line> + use<'a> {
        let only = self.only;
        self.record.lines.iter().filter(move |line| only.is_none_or(|only| only == line.session))
    }
}

impl fmt::Display for Timetable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.record.dropped > 0 {
            writeln!(f, "  ({} earlier lines are not kept)", self.record.dropped)?;
        }
        self.lines().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The lines that are kept.
#[derive(Debug)]
pub(crate) struct Record {
    lines: VecDeque<Line>,
    kept: usize,
    dropped: u64,
}

impl Record {
    pub(crate) const fn new() -> Self {
        Self { lines: VecDeque::new(), kept: KEPT, dropped: 0 }
    }

    pub(crate) fn keep(&mut self, lines: usize) {
        self.kept = lines;
        while self.lines.len() > lines {
            self.lines.pop_front();
            self.dropped += 1;
        }
    }

    pub(crate) fn add(&mut self, line: Line) {
        if self.lines.len() == self.kept {
            self.dropped += 1;
            if self.lines.pop_front().is_none() {
                return;
            }
        }
        self.lines.push_back(line);
    }
}
