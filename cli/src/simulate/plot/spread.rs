//! How long the deaths of many sessions went unnoticed, as bars.

use core::time::Duration;

use super::svg::{Anchor, Area, Svg};
use crate::duration::round;
use crate::simulate::outcome::{BINS, Summary};
use crate::simulate::report::grouped;

const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const HEIGHT: f64 = 120.0;

/// Draws the bars below `top`. Returns where they end.
pub(super) fn draw(svg: &mut Svg, summary: &Summary, within: Option<Duration>, width: f64, top: f64) -> f64 {
    let [false_ends, sessions, deaths] =
        [summary.false_ends, summary.sessions, summary.deaths].map(|count| grouped(count.into()));
    let false_ends = format!("{false_ends} of {sessions} sessions had a false disconnect");
    svg.text(if summary.false_ends > 0 { "bad" } else { "good" }, (LEFT, top), Anchor::Start, false_ends);
    let Some(longest) = summary.longest else { return top };
    svg.text("answer", (LEFT, top + 26.0), Anchor::Start, format!("How long {deaths} deaths went unnoticed"));
    let (first, bottom) = (top + 56.0, top + 56.0 + HEIGHT);
    let end = longest.max(within.unwrap_or_default()).as_secs_f64().max(0.001);
    let x = |time: Duration| LEFT + time.as_secs_f64() / end * (width - LEFT - RIGHT);
    let most = summary.bins.iter().copied().max().unwrap_or(0).max(1);
    let step = longest / u32::try_from(BINS).unwrap_or(1);
    let mut from = Duration::ZERO;
    for count in summary.bins {
        let to = from + step;
        let height = HEIGHT * f64::from(count) / f64::from(most);
        // If the time that was asked for is far away, the bars are narrower than the gaps between them.
        let width = (x(to) - x(from) - 1.0).max(0.5);
        let area = Area { x: x(from), y: bottom - height, width, height };
        let title = format!("{count} from {:.1} s to {:.1} s", from.as_secs_f64(), to.as_secs_f64());
        svg.titled_area("bar3", area, &title);
        from = to;
    }
    svg.line("axis", (LEFT, bottom), (width - RIGHT, bottom));
    svg.text("small number", (LEFT - 8.0, first + 8.0), Anchor::End, most);
    // Words that could meet are on lines of their own.
    let marks = [
        (Some(Duration::ZERO), "0 s", Anchor::Start, 18.0),
        (summary.median, "half within", Anchor::End, 34.0),
        (Some(longest), "all within", Anchor::End, 18.0),
    ];
    for (time, words, anchor, below) in marks {
        let Some(time) = time else { continue };
        svg.line("axis", (x(time), bottom), (x(time), bottom + below - 12.0));
        let words =
            if time.is_zero() { words.to_owned() } else { format!("{words} {:.1} s", time.as_secs_f64()) };
        svg.text("small number", (x(time), bottom + below), anchor, words);
    }
    if let Some(within) = within {
        svg.line("death", (x(within), first), (x(within), bottom));
        let words = format!("asked for: within {}", round(within));
        svg.text("small bad", (x(within), first - 6.0), Anchor::End, words);
    }
    bottom + 40.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_far_below_the_time_that_was_asked_for_are_still_drawn() {
        let summary =
            Summary { longest: Some(Duration::from_secs(45)), bins: [1; BINS], ..Summary::default() };
        let mut svg = Svg::default();
        draw(&mut svg, &summary, Some(Duration::from_hours(1)), 980.0, 0.0);
        let text = svg.finish("bars", 980.0, 300.0);
        assert_eq!(text.matches("class=\"bar3\"").count(), BINS, "{text}");
        assert!(!text.contains("width=\"-") && !text.contains("width=\"0.0"), "{text}");
    }
}
