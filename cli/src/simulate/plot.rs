//! Pictures of results: an SVG for a browser.

mod heat;
mod spread;
mod svg;
mod timetable;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use self::svg::{Anchor, LINE, Svg};
use super::options::Request;
use super::outcome::Summary;
use super::report::{self, sentences};
use super::story::Story;
use super::sweep::Sweep;
use crate::duration::round;
use crate::usage::Failure;

/// The file of a picture. It is tried before a simulation, so that a long one does not end with a file that cannot be
/// written.
pub(super) struct Picture {
    path: PathBuf,
    /// It was there before. A pipe stays open until the picture is written.
    old: Option<File>,
}

impl Picture {
    /// Checks that the file can be written. A simulation that is interrupted leaves no new file, and an old one as it was.
    pub(super) fn check(path: &Path) -> Result<Self, Failure> {
        let old = match File::create_new(path) {
            Ok(_) => fs::remove_file(path).map(|()| None),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).open(path).map(Some)
            }
            Err(error) => Err(error),
        };
        let old = old.map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), old })
    }

    pub(super) fn write(self, svg: &str) -> Result<(), Failure> {
        let written = match self.old {
            Some(mut file) => {
                // A device or a pipe has no length.
                let _ = file.set_len(0);
                file.write_all(svg.as_bytes())
            }
            None => fs::write(&self.path, svg),
        };
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::unusable(format!("--plot: cannot write {}: {error}", path.display()))
}

/// The left edge of words.
const MARGIN: f64 = 24.0;
/// No picture is narrower.
const WIDTH: f64 = 980.0;

/// Draws a sweep, and a session with the setting that answers the question.
pub(super) fn sweep(request: &Request, sweep: &Sweep, story: Option<&Story>) -> String {
    let mut svg = Svg::default();
    let width = heat::width(sweep).max(WIDTH);
    let question = report::sweep::question(request);
    let mut top = head(&mut svg, &question, request, width);
    for (index, sentence) in report::sweep::answer(sweep).into_iter().enumerate() {
        let class = if index == 0 { "answer" } else { "" };
        top = svg.paragraph(class, (MARGIN, top), width - 2.0 * MARGIN, &sentence);
    }
    top = heat::draw(&mut svg, sweep, top + 6.0) + 34.0;
    if let (Some(story), Some(best)) = (story, sweep.answer().best(sweep.within)) {
        let words = format!(
            "One session with a ping interval of {} and a ping timeout of {}",
            round(best.interval),
            round(best.timeout)
        );
        svg.text("answer", (MARGIN, top), Anchor::Start, words);
        top = timetable::draw(&mut svg, story, width, top);
    }
    svg.finish(&question, width, top + 14.0)
}

/// Draws a session with one setting, and how long the deaths of many went unnoticed.
pub(super) fn setting(request: &Request, summary: Option<&Summary>, story: &Story) -> String {
    let mut svg = Svg::default();
    let heartbeat = request.heartbeat;
    let title = format!(
        "Ping interval {}, ping timeout {}",
        round(heartbeat.ping_interval()),
        round(heartbeat.ping_timeout())
    );
    let mut top = head(&mut svg, &title, request, WIDTH);
    top = timetable::draw(&mut svg, story, WIDTH, top);
    if let Some(summary) = summary {
        top = spread::draw(&mut svg, summary, request.within, WIDTH, top + 34.0);
    }
    svg.finish(&title, WIDTH, top + 14.0)
}

/// Writes the title and what the sessions live through. Returns where the next line is.
fn head(svg: &mut Svg, title: &str, request: &Request, width: f64) -> f64 {
    svg.text("title", (MARGIN, 36.0), Anchor::Start, title);
    let mut top = 36.0 + LINE * 1.3;
    for sentence in sentences(request) {
        top = svg.paragraph("dim", (MARGIN, top), width - 2.0 * MARGIN, &sentence);
    }
    top + 6.0
}
