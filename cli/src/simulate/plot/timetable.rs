//! A session as a timetable: the server's line above, the client's below, and packets as slanted lines between them.

use core::time::Duration;

use eio_core::packet::PacketType;

use super::svg::{Anchor, Area, Svg};
use crate::duration::exact;
use crate::simulate::role::Role;
use crate::simulate::story::{Flight, Story};

const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
/// How far the lanes are below the top, and how far apart.
const FIRST_LANE: f64 = 56.0;
const LANES: f64 = 110.0;
/// How far a pong is drawn to the right.
const ASIDE: f64 = 3.0;
/// About how many marks the axis of time has.
const MARKS: f64 = 12.0;

/// Where times are.
#[derive(Clone, Copy)]
struct Scale {
    begin: Duration,
    seconds: f64,
    width: f64,
    top: f64,
}

impl Scale {
    fn x(&self, time: Duration) -> f64 {
        let after = time.as_secs_f64() - self.begin.as_secs_f64();
        LEFT + (after / self.seconds).clamp(0.0, 1.0) * self.width
    }

    fn y(&self, role: Role) -> f64 {
        self.top + FIRST_LANE + if role == Role::Server { 0.0 } else { LANES }
    }
}

/// Draws the timetable below `top`. Returns where it ends.
pub(super) fn draw(svg: &mut Svg, story: &Story, width: f64, top: f64) -> f64 {
    let (begin, end) = window(story);
    let seconds = end.saturating_sub(begin).as_secs_f64().max(0.001);
    let scale = Scale { begin, seconds, width: width - LEFT - RIGHT, top };
    let (upper, bottom) = (scale.y(Role::Server), scale.y(Role::Client));
    let is_shown = |from: Duration, to: Duration| to > begin && from < end;
    for (from, to) in story.tunnels.iter().filter(|(from, to)| is_shown(*from, *to)) {
        band(svg, "tunnel", &scale, (*from, *to), (upper, bottom));
        svg.text("small dim", (scale.x(*from) + 4.0, bottom + 16.0), Anchor::Start, "tunnel");
    }
    for (role, from, to) in story.stalls.iter().filter(|(_, from, to)| is_shown(*from, *to)) {
        let y = scale.y(*role);
        band(svg, "stall", &scale, (*from, *to), (y - 9.0, y + 9.0));
    }
    if let Some((at, _, _)) = story.end()
        && at > story.death_at
    {
        band(svg, "silence", &scale, (story.death_at, at), (upper, bottom));
    }
    axis(svg, &scale, (begin, end), bottom + 34.0);
    for role in [Role::Server, Role::Client] {
        let y = scale.y(role);
        let stop = if role == story.dead { scale.x(story.death_at) } else { LEFT + scale.width };
        svg.text("", (LEFT - 12.0, y + 4.0), Anchor::End, role.name());
        svg.line("lane", (LEFT, y), (stop, y));
    }
    for flight in story.flights().iter().filter(|flight| flight.sent >= begin && flight.sent <= end) {
        one_flight(svg, &scale, flight);
    }
    marks(svg, &scale, story);
    legend(svg, story, bottom + 78.0)
}

/// Returns the part of the story that is drawn: from before its last tunnel to after its end.
fn window(story: &Story) -> (Duration, Duration) {
    let interval = story.heartbeat.ping_interval();
    let last = story.end().map_or(story.death_at, |(at, _, _)| at);
    let usual = last.min(story.death_at).saturating_sub(interval * 3);
    let stalls = story.stalls.iter().map(|(_, begin, _)| *begin);
    let trouble = story.tunnels.iter().map(|(begin, _)| *begin).chain(stalls).filter(|begin| *begin < last);
    let before = trouble.max().map(|begin| begin.saturating_sub(interval * 5 / 4));
    let begin = before.map_or(usual, |before| before.min(usual));
    (begin, last + last.saturating_sub(begin) / 20)
}

fn band(svg: &mut Svg, class: &str, scale: &Scale, times: (Duration, Duration), (top, bottom): (f64, f64)) {
    let (x, right) = (scale.x(times.0), scale.x(times.1));
    svg.area(class, Area { x, y: top, width: (right - x).max(1.0), height: bottom - top });
}

fn one_flight(svg: &mut Svg, scale: &Scale, flight: &Flight) {
    let (from, to) = (scale.y(flight.from), scale.y(flight.from.peer()));
    let class = if flight.packet == PacketType::Ping { "ping" } else { "pong" };
    // A ping that is answered at once and its pong would hide each other.
    let aside = if class == "pong" { ASIDE } else { 0.0 };
    let begin = (scale.x(flight.sent) + aside, from);
    match flight.arrived {
        Some(arrived) => svg.line(class, begin, (scale.x(arrived) + aside, to)),
        // It never arrives: half of the way, and nearly upright.
        None => svg.line(&format!("{class} lost"), begin, (begin.0 + 4.0, f64::midpoint(from, to))),
    }
}

/// What happened to whom.
fn marks(svg: &mut Svg, scale: &Scale, story: &Story) {
    let end = story.end();
    if end.is_none_or(|(at, _, _)| at >= story.death_at) {
        let (x, y) = (scale.x(story.death_at), scale.y(story.dead));
        svg.line("death", (x - 6.0, y - 6.0), (x + 6.0, y + 6.0));
        svg.line("death", (x - 6.0, y + 6.0), (x + 6.0, y - 6.0));
        let below = if story.dead == Role::Client { 22.0 } else { -14.0 };
        let words = format!("dies at {}", exact(story.death_at));
        svg.text("bad", (x, y + below), Anchor::Middle, words);
    }
    if let Some((at, who, end)) = end {
        let (x, y) = (scale.x(at), scale.y(who));
        svg.line("death", (x, y - 9.0), (x, y + 9.0));
        let words = match at.checked_sub(story.death_at) {
            Some(after) => format!("{}, {} after the death", end.reason.as_str(), exact(after)),
            None => format!("{} at {}, although both ends live", end.reason.as_str(), exact(at)),
        };
        let above = if who == Role::Server { -16.0 } else { 22.0 };
        svg.text("bad", (x + 6.0, y + above), Anchor::End, words);
    }
}

fn axis(svg: &mut Svg, scale: &Scale, (begin, end): (Duration, Duration), y: f64) {
    svg.line("axis", (LEFT, y), (LEFT + scale.width, y));
    let step = step(scale.seconds / MARKS);
    let mut mark = (begin.as_secs_f64() / step).ceil() * step;
    while mark <= end.as_secs_f64() {
        let x = scale.x(Duration::from_secs_f64(mark));
        svg.line("axis", (x, y), (x, y + 5.0));
        // Sums of steps such as 0.1 are not exact.
        let seconds = (mark * 1e3).round() / 1e3;
        svg.text("small number", (x, y + 18.0), Anchor::Middle, format!("{seconds} s"));
        mark += step;
    }
}

/// Returns a round step that is not below `seconds`.
fn step(seconds: f64) -> f64 {
    let power = 10_f64.powf(seconds.max(1e-3).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= seconds)
        .unwrap_or(power)
}

fn legend(svg: &mut Svg, story: &Story, top: f64) -> f64 {
    let mut x = LEFT;
    for (class, word) in [("ping", "ping"), ("pong", "pong"), ("ping lost", "never arrives")] {
        svg.line(class, (x, top - 4.0), (x + 24.0, top - 4.0));
        svg.text("small", (x + 30.0, top), Anchor::Start, word);
        x += 120.0;
    }
    let stall = (!story.stalls.is_empty()).then_some(("stall", "stalls"));
    for (class, word) in [("silence", "dead, and not noticed")].into_iter().chain(stall) {
        svg.area(class, Area { x, y: top - 11.0, width: 22.0, height: 14.0 });
        svg.text("small", (x + 28.0, top), Anchor::Start, word);
        x += 180.0;
    }
    top + 14.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_the_axis_are_round() {
        for (seconds, round) in [(0.9, 1.0), (1.1, 2.0), (4.0, 5.0), (7.0, 10.0), (0.03, 0.05), (0.0, 0.001)]
        {
            assert!((step(seconds) - round).abs() < 1e-9, "{seconds}");
        }
    }
}
