//! What everybody in a world shares: the true time, and the timeline that a failing story is printed with.

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write as _};
use std::collections::VecDeque;
use std::rc::Rc;

use super::letter::Letter;

/// How much of a long story is kept: the last lines, since those lead to the failure.
const KEPT: usize = 400;

/// The stage of one story. Clones are the same stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    now: Cell<u64>,
    lines: RefCell<VecDeque<Line>>,
    dropped: Cell<u64>,
    title: RefCell<String>,
}

#[derive(Debug)]
struct Line {
    at: u64,
    who: &'static str,
    what: Note,
}

/// What a line of the timeline says. Formatted only when a story fails.
#[derive(Debug)]
pub(crate) enum Note {
    Hears(Letter),
    Writes(Letter),
    /// Written, and lost on the way.
    Loses(Letter),
    /// The deadline came.
    Expires,
    /// In words.
    Says(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hears(letter) => write!(f, "hears {letter}"),
            Self::Writes(letter) => write!(f, "writes {letter}"),
            Self::Loses(letter) => write!(f, "writes {letter}, which is lost"),
            Self::Expires => f.write_str("wakes up at its deadline"),
            Self::Says(words) => f.write_str(words),
        }
    }
}

impl Scene {
    /// Microseconds since the story began.
    pub(crate) fn now(&self) -> u64 {
        self.0.now.get()
    }

    pub(crate) fn advance(&self, now: u64) {
        assert!(now >= self.now(), "the world's own time goes backwards");
        self.0.now.set(now);
    }

    pub(crate) fn set_title(&self, title: String) {
        *self.0.title.borrow_mut() = title;
    }

    pub(crate) fn note(&self, who: &'static str, what: Note) {
        let mut lines = self.0.lines.borrow_mut();
        if lines.len() == KEPT {
            lines.pop_front();
            self.0.dropped.set(self.0.dropped.get() + 1);
        }
        lines.push_back(Line { at: self.now(), who, what });
    }

    pub(crate) fn say(&self, who: &'static str, words: impl Into<String>) {
        self.note(who, Note::Says(words.into()));
    }

    /// The story went wrong: tells it.
    #[track_caller]
    pub(crate) fn fail(&self, who: &str, why: fmt::Arguments<'_>) -> ! {
        let mut story = String::new();
        let title = self.0.title.borrow();
        let dropped = self.0.dropped.get();
        if dropped > 0 {
            let _ = writeln!(story, "  ({dropped} earlier lines are not kept)");
        }
        for Line { at, who, what } in &*self.0.lines.borrow() {
            let _ = writeln!(story, "  {:>14} {who:<6} {what}", Millis(*at));
        }
        panic!("{who} at {}: {why}\nthe story so far: {title}\n{story}", Millis(self.now()));
    }
}

/// Microseconds, shown as milliseconds.
pub(crate) struct Millis(pub(crate) u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 % 1_000 {
            0 => format!("{} ms", self.0 / 1_000),
            micros => format!("{}.{micros:03} ms", self.0 / 1_000),
        };
        f.pad(&text)
    }
}
