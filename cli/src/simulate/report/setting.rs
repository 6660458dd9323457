//! One interval and one timeout, as text.

use core::time::Duration;
use std::io::{self, Write};

use eio_core::detect::{self, Detection};
use eio_core::{Heartbeat, Liveness, Revision};

use super::{grouped, heading, scenario};
use crate::duration::{exact, round, setting, spoken};
use crate::proxies;
use crate::simulate::answer::Tried;
use crate::simulate::link::Bandwidth;
use crate::simulate::options::Request;
use crate::simulate::outcome::Summary;
use crate::simulate::role::Role;
use crate::simulate::story::Story;
use crate::simulate::timeline::Timeline;
use crate::style::{Style, Tone, cut};

/// Writes what the rules say about the setting, what it did in the network, and the timeline.
pub(crate) fn print(
    request: &Request,
    outcome: Option<&Tried>,
    timeline: &Timeline<'_>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let heartbeat = request.heartbeat;
    let timeout = setting(heartbeat.ping_timeout());
    writeln!(
        out,
        "Ping interval {}, ping timeout {timeout}; revision {}, liveness {}.",
        setting(heartbeat.ping_interval()),
        request.revision,
        request.liveness
    )?;
    if let Some(warning) = proxies::interval_warning(heartbeat) {
        writeln!(out, "{}", style.paint(Tone::Notable, format!("Warning: {warning}.")))?;
    }
    if let Some(tried) = outcome {
        heading("What the setting does in this network", style, out)?;
        network(request, tried, style, out)?;
    }

    heading("How soon a dead peer is detected", style, out)?;
    detection(request, out)?;

    heading(
        &format!("The largest message that a link transfers within the ping timeout of {timeout}"),
        style,
        out,
    )?;
    messages(request, out)?;

    heading("What the heartbeats cost", style, out)?;
    cost(request, out)?;

    heading(&what_happens(timeline.story()), style, out)?;
    timeline.print(style, out)
}

/// Returns the heading of the timeline.
fn what_happens(story: &Story) -> String {
    let trip = setting(story.rtt);
    match story.end() {
        Some((at, _, _)) if at < story.death_at => {
            format!("Timeline: both ends live, the round trip takes {trip}")
        }
        _ => format!(
            "Timeline: the {} dies after {}, the round trip takes {trip}",
            story.dead.name(),
            exact(story.death_at)
        ),
    }
}

/// Writes what became of the sessions.
fn network(request: &Request, tried: &Tried, style: Style, out: &mut dyn Write) -> io::Result<()> {
    scenario(request, out)?;
    let Tried { cell, fleets } = tried;
    let summary = &cell.summary;
    let hours = summary.cost.hours();
    let of_all = |summary: &Summary| {
        let tone = if summary.false_ends == 0 { Tone::Good } else { Tone::Bad };
        let ends = format!("{} of {}", grouped(summary.false_ends.into()), grouped(summary.sessions.into()));
        style.paint(tone, ends)
    };
    writeln!(
        out,
        "  {:<22}{} {}, open for {hours:.0} {} in all",
        "false disconnects",
        of_all(summary),
        if summary.sessions == 1 { "session" } else { "sessions" },
        if (0.5..1.5).contains(&hours) { "hour" } else { "hours" },
    )?;
    for (fleet, summary) in request.scenario.fleets.iter().zip(fleets).filter(|_| fleets.len() > 1) {
        writeln!(out, "    {:<20}{}", cut(&fleet.name), of_all(summary))?;
    }
    if let (Some(median), Some(most), Some(longest)) = (summary.median, summary.most, summary.longest) {
        writeln!(
            out,
            "  {:<22}half within {}, 99 of 100 within {}, all within {} ({} {})",
            "deaths noticed",
            spoken(median),
            spoken(most),
            spoken(longest),
            grouped(summary.deaths.into()),
            if summary.deaths == 1 { "death" } else { "deaths" },
        )?;
    }
    if let Some(within) = request.within {
        let kept = cell.noticed_within <= within;
        let (tone, verdict) = if kept { (Tone::Good, "always") } else { (Tone::Bad, "not always") };
        writeln!(
            out,
            "  {:<22}{}: a death can go unnoticed for {}",
            format!("within {}", round(within)),
            style.paint(tone, verdict),
            spoken(cell.noticed_within)
        )?;
    }
    let slowest = if cell.is_untried() {
        "none: no ping arrived in the simulated time (--for)".to_owned()
    } else {
        spoken(summary.slowest)
    };
    writeln!(out, "  {:<22}{slowest}", "slowest heartbeat")?;
    writeln!(
        out,
        "  {:<22}wakes up {:.0} times an hour, and is awake for {:.1} minutes of it (--radio-tail {})",
        "radio of a client",
        summary.cost.wake_ups_per_hour(),
        summary.cost.awake_minutes_per_hour(),
        round(request.radio_tail)
    )
}

/// Returns how soon the server and the client detect a dead peer.
pub(crate) fn detections(
    heartbeat: Heartbeat,
    liveness: Liveness,
    revision: Revision,
) -> [(Role, Detection); 2] {
    let (server, client) = match revision {
        Revision::V4 => (detect::eio4_server(heartbeat, liveness), detect::eio4_client(heartbeat)),
        Revision::V3 => (detect::eio3_server(heartbeat, liveness), detect::eio3_client(heartbeat)),
    };
    [(Role::Server, server), (Role::Client, client)]
}

/// Returns the largest message that each link transfers within the ping timeout, in bytes.
pub(crate) fn largest_messages(request: &Request) -> Vec<(Bandwidth, u64)> {
    let links = request.bandwidth.map_or(Bandwidth::TYPICAL.to_vec(), |link| vec![link]);
    let timeout = request.heartbeat.ping_timeout();
    let largest = |link: Bandwidth| detect::largest_message(link.bytes_per_second(), timeout);
    links.into_iter().map(|link| (link, largest(link))).collect()
}

pub(crate) fn heartbeats_per_hour(request: &Request) -> f64 {
    let (interval, rtt) = (request.heartbeat.ping_interval(), request.rtt());
    let period = match request.revision {
        // Rule 11: a pong that is late by more than T/2 does not put off the next ping, which only waits for it.
        Revision::V4 => (interval + rtt.min(request.heartbeat.ping_timeout() / 2)).max(rtt),
        Revision::V3 => interval + rtt,
    };
    Duration::from_hours(1).as_secs_f64() / period.as_secs_f64()
}

fn detection(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "  {:<14}{:<24}{:<24}after its last heartbeat",
        "", "after its death", "after its last packet"
    )?;
    for (role, detection) in detections(request.heartbeat, request.liveness, request.revision) {
        let death =
            format!("{} to {}", setting(detection.after_death_min), setting(detection.after_death_max));
        let packet = format!("{} at most", setting(detection.after_packet));
        let beat = detection
            .after_heartbeat
            .map_or("no limit".to_owned(), |bound| format!("{} at most", setting(bound)));
        writeln!(out, "  by the {:<7}{death:<24}{packet:<24}{beat}", role.name())?;
    }
    if request.liveness == Liveness::AnyPacket {
        writeln!(
            out,
            "  Messages alone keep a session open: a server does not detect that a client's heartbeat is stuck."
        )?;
    }
    Ok(())
}

fn messages(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    for (link, largest) in largest_messages(request) {
        writeln!(out, "  {:<14}{:>16} bytes", link.to_string(), grouped(largest))?;
    }
    writeln!(
        out,
        "  While a message is being sent, heartbeats wait behind it. A larger message can therefore end"
    )?;
    writeln!(out, "  the session of a living peer. Send large data in pieces.")
}

fn cost(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    let per_hour = heartbeats_per_hour(request);
    writeln!(
        out,
        "  {per_hour:.0} heartbeats per hour and session; {:.1} kB per hour on WebSocket, {:.1} kB with the headers of TCP \
         and IP",
        per_hour * WEBSOCKET_BYTES / 1_000.0,
        per_hour * WIRE_BYTES / 1_000.0
    )
}

/// The bytes of a ping and a pong, one of them masked: 2 + 1 and 2 + 4 + 1.
pub(crate) const WEBSOCKET_BYTES: f64 = 10.0;

/// The same in three segments, of which the last acknowledges the pong. Each has the headers of IPv4 and of TCP with
/// timestamps.
pub(crate) const WIRE_BYTES: f64 = WEBSOCKET_BYTES + 3.0 * HEADERS;

/// The headers of a segment: IPv4, and TCP with timestamps.
pub(crate) const HEADERS: f64 = 20.0 + 32.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::simulate::options::Options;

    fn request(line: &str) -> Request {
        args::options::<Options>(line).request().unwrap()
    }

    fn printed(line: &str) -> String {
        let request = request(line);
        let story = Story::new(&request, request.heartbeat).unwrap();
        let mut out = Vec::new();
        print(&request, None, &Timeline::new(&story), Style::PLAIN, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_defaults_are_explained() {
        let text = printed("--death-at 61s");
        for line in [
            "  by the server 20 s to 45 s            45 s at most            65 s at most",
            "  by the client 20 s to 45 s            45 s at most            45 s at most",
            "  144 heartbeats per hour and session; 1.4 kB per hour on WebSocket, 23.8 kB with",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.contains("ends the session: ping timeout"), "{text}");
    }

    #[test]
    fn after_a_slow_pong_the_next_ping_of_a_server_is_not_put_off() {
        let per_hour = |line: &str| heartbeats_per_hour(&request(line)).round();
        for (line, server, client) in [
            ("--ping-interval 100ms --ping-timeout 1s --rtt 900ms", 4_000.0, 3_600.0),
            ("--ping-interval 1s --ping-timeout 4s --rtt 2500ms", 1_200.0, 1_029.0),
            ("--ping-interval 1s --ping-timeout 4s --rtt 1s", 1_800.0, 1_800.0),
        ] {
            let eio3 = format!("{line} --eio 3");
            assert_eq!((per_hour(line), per_hour(&eio3)), (server, client), "{line}");
        }
    }

    #[test]
    fn an_interval_above_the_idle_limits_of_proxies_is_warned_about() {
        assert!(!printed("").contains("proxies"));
        assert!(
            printed("--ping-interval 5m")
                .contains("\nWarning: the ping interval of 300 s is not below the idle limits")
        );
    }

    #[test]
    fn with_any_packet_a_stuck_heartbeat_is_never_detected() {
        assert!(printed("--liveness any-packet").contains("no limit"));
    }

    #[test]
    fn a_given_bandwidth_replaces_the_typical_links() {
        let text = printed("--bandwidth 64k --ping-timeout 5s");
        assert!(text.contains("  64 kbit/s               40,000 bytes"), "{text}");
        assert_eq!(text.matches("bit/s").count(), 1);
    }
}
