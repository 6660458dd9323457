//! A story as text and as JSON: its beginning and its end, a step in each line.

use core::fmt;
use core::time::Duration;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::story::{Carried, Step, Story};
use crate::duration::{exact, precise_millis, spoken};
use crate::style::{Style, Tone};

/// How many steps of the beginning, and of the end, are shown.
const FIRST: usize = 6;
const LAST: usize = 8;

/// The same on a network that loses packets, where more happens.
const FIRST_IN_TROUBLE: usize = 10;
const LAST_IN_TROUBLE: usize = 30;

/// The steps from the opening of a session to its end.
pub(crate) struct Timeline<'s> {
    story: &'s Story,
    first: &'s [(Duration, Step)],
    left_out: usize,
    last: &'s [(Duration, Step)],
}

impl<'s> Timeline<'s> {
    pub(crate) fn new(story: &'s Story) -> Self {
        let (first, last) =
            if story.has_trouble() { (FIRST_IN_TROUBLE, LAST_IN_TROUBLE) } else { (FIRST, LAST) };
        let (first, rest) = story.steps.split_at(first.min(story.steps.len()));
        let left_out = rest.len().saturating_sub(last);
        Self { story, first, left_out, last: rest.get(left_out..).unwrap_or_default() }
    }

    pub(crate) fn story(&self) -> &Story {
        self.story
    }

    /// Returns the timeline as JSON.
    pub(crate) fn json(&self) -> Value {
        let death_at = self.story.death_at;
        let steps = |steps: &[(Duration, Step)]| -> Vec<Value> {
            steps.iter().map(|(at, step)| step.json(*at, death_at)).collect()
        };
        json!({
            "dead": self.story.dead.name(),
            "death_at_ms": precise_millis(death_at),
            "first": steps(self.first),
            "left_out": self.left_out,
            "last": steps(self.last),
        })
    }

    /// Writes the timeline.
    pub(crate) fn print(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        for (at, step) in self.first {
            self.line(*at, step, style, out)?;
        }
        if self.left_out > 0 {
            writeln!(out, "{}", style.paint(Tone::Dim, format!("  ... {} more ...", self.left_out)))?;
        }
        for (at, step) in self.last {
            self.line(*at, step, style, out)?;
        }
        Ok(())
    }

    fn line(&self, at: Duration, step: &Step, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let tone = match step {
            Step::Dies(_) | Step::Ends(..) => Tone::Bad,
            Step::Opens(_) => Tone::Good,
            Step::Tunnel { .. } => Tone::Notable,
            Step::Sends(..) | Step::Repeats(..) | Step::Receives(..) => Tone::Dim,
        };
        write!(out, "  {:>12}  {}", exact(at), style.paint(tone, step))?;
        match step {
            Step::Ends(..) if at >= self.story.death_at => {
                write!(out, ", {} after the death", exact(at.saturating_sub(self.story.death_at)))?;
            }
            Step::Ends(..) => write!(out, ", although both ends live")?,
            _ => {}
        }
        writeln!(out)
    }
}

impl Step {
    fn json(&self, at: Duration, death_at: Duration) -> Value {
        let (who, step, details) = match self {
            Self::Opens(role) => (Some(role), "open", json!({})),
            Self::Sends(role, packet, carried) => (
                Some(role),
                "send",
                match name(*carried) {
                    None => json!({ "packet": packet.to_string() }),
                    Some(carried) => json!({ "packet": packet.to_string(), "carried": carried }),
                },
            ),
            Self::Repeats(role, carried) => (Some(role), "repeat", json!({ "carried": name(*carried) })),
            Self::Receives(role, packet, rtt) => (
                Some(role),
                "receive",
                json!({ "packet": packet.to_string(), "rtt_ms": rtt.map(precise_millis) }),
            ),
            Self::Dies(role) => (Some(role), "die", json!({})),
            Self::Ends(role, end) => (
                Some(role),
                "end",
                json!({
                    "reason": end.reason.as_str(),
                    "silent_ms": precise_millis(end.silent_for),
                    "after_death_ms": at.checked_sub(death_at).map(precise_millis),
                }),
            ),
            Self::Tunnel { begins } => (None, if *begins { "tunnel" } else { "tunnel_end" }, json!({})),
        };
        let mut json =
            json!({ "at_ms": precise_millis(at), "who": who.map(|role| role.name()), "step": step });
        if let (Value::Object(json), Value::Object(details)) = (&mut json, details) {
            json.extend(details);
        }
        json
    }
}

/// Returns the name of what became of something that did not arrive at once.
const fn name(carried: Carried) -> Option<&'static str> {
    match carried {
        Carried::Arrives => None,
        Carried::Lost => Some("lost"),
        Carried::Waits => Some("waits"),
    }
}

/// Returns the same in words, for the end of a sentence.
const fn words(carried: Carried) -> &'static str {
    match carried {
        Carried::Arrives => "",
        Carried::Lost => ", which is lost",
        Carried::Waits => ", which waits behind a lost one",
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opens(role) => write!(f, "{}  session is open", role.name()),
            Self::Sends(role, packet, carried) => {
                write!(f, "{}  sends {packet}{}", role.name(), words(*carried))
            }
            Self::Repeats(role, carried) => {
                write!(f, "{}  TCP repeats what was not acknowledged{}", role.name(), words(*carried))
            }
            Self::Receives(role, packet, None) => write!(f, "{}  receives {packet}", role.name()),
            Self::Receives(role, packet, Some(rtt)) => {
                write!(f, "{}  receives {packet}, round trip {}", role.name(), spoken(*rtt))
            }
            Self::Dies(role) => write!(f, "{}  dies without closing the connection", role.name()),
            Self::Ends(role, end) => write!(
                f,
                "{}  ends the session: {}, silent for {}",
                role.name(),
                end.reason.as_str(),
                exact(end.silent_for)
            ),
            Self::Tunnel { begins: true } => f.write_str("link    is cut: a tunnel"),
            Self::Tunnel { begins: false } => f.write_str("link    carries again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::simulate::options::Options;
    use crate::simulate::story::Flight;

    fn story(line: &str) -> Story {
        let options: Options = args::options(line);
        let request = options.request().unwrap();
        Story::new(&request, request.heartbeat).unwrap()
    }

    /// Returns how many milliseconds after its opening the session ended, at the end that lived.
    fn noticed(line: &str) -> u128 {
        let story = story(line);
        let (at, role, _) = story.end().unwrap();
        assert_eq!(role, story.dead.peer(), "{line}");
        at.as_millis()
    }

    #[test]
    fn a_death_ends_the_session_when_the_rules_say() {
        // Pings at 25 s and 50.08 s were answered, the one at 75.16 s is not.
        assert_eq!(noticed("--death-at 61s"), 95_160);
        // The ping at 50.08 s arrived at 50.12 s, and is the last.
        assert_eq!(noticed("--death-at 61s --dead server"), 95_120);
        for revision in ["3", "4"] {
            for dead in ["server", "client"] {
                let after = noticed(&format!("--death-at 61s --eio {revision} --dead {dead}")) - 61_000;
                assert!((19_900..=45_100).contains(&after), "{revision} {dead}: {after} ms");
            }
        }
    }

    #[test]
    fn a_peer_can_die_before_the_first_packet() {
        assert_eq!(noticed("--death-at 0s"), 45_000);
        assert_eq!(noticed("--death-at 0s --dead server"), 45_000);
    }

    #[test]
    fn a_tunnel_makes_a_heartbeat_late_by_more_than_its_length() {
        let story = story("--tunnel 30s/5m --rtt 80ms --ping-interval 7s --ping-timeout 1m");
        assert_eq!(story.tunnels.first().map(|(begin, end)| end.abs_diff(*begin).as_secs()), Some(30));
        let slowest = story.steps.iter().filter_map(|(_, step)| match step {
            Step::Receives(_, _, Some(rtt)) => Some(*rtt),
            _ => None,
        });
        let slowest = slowest.max().unwrap();
        assert!((31..60).contains(&slowest.as_secs()), "{slowest:?}");
        let (at, _, _) = story.end().unwrap();
        assert!(at > story.death_at, "{:?}", story.steps);
    }

    #[test]
    fn a_death_that_nothing_asks_for_is_not_too_late() {
        let story = story("--ping-interval 100ms --ping-timeout 1s --tunnel 2h/5h");
        assert_eq!(story.death_at, Duration::from_secs(10_000));
    }

    #[test]
    fn a_long_timeline_is_cut_in_the_middle_and_one_that_is_too_long_is_refused() {
        let beats = "--ping-interval 10ms --ping-timeout 10ms --rtt 0.1ms --death-at";
        let long = story(&format!("{beats} 100s"));
        let timeline = Timeline::new(&long);
        assert!(timeline.left_out > 10_000 && timeline.last.len() == LAST);
        let flights = long.flights();
        let took = |flight: &Flight| flight.arrived.map(|arrived| arrived.abs_diff(flight.sent).as_micros());
        assert!(flights.iter().filter(|flight| took(flight) == Some(50)).count() > 10_000);
        assert!(flights.iter().all(|flight| matches!(took(flight), Some(50) | None)));
        let options: Options = args::options(&format!("{beats} 1h"));
        let request = options.request().unwrap();
        assert!(Story::new(&request, request.heartbeat).is_err());
    }
}
