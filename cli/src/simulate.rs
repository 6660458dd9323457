//! `eio simulate`: shows how a ping interval and a ping timeout behave.

mod json;
mod link;
mod timeline;

use core::time::Duration;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use eio_core::detect::{self, Detection};
use eio_core::{Heartbeat, Liveness, Revision};

use self::link::Bandwidth;
use self::timeline::{Role, Timeline};
use crate::duration::{self, exact, setting};
use crate::proxies;
use crate::settings::Timing;
use crate::style::{Style, Tone};
use crate::usage::{self, Exit};

/// Show how a ping interval and a ping timeout behave
///
/// Prints how soon each end detects that the other is dead, how large a message can be without delaying heartbeats too
/// long, how much traffic the heartbeats cost, and a timeline. The timeline runs the real session logic on a simulated
/// clock, with a peer that dies without closing the connection.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, after_long_help = format!("{MEMBERS}\n{EXAMPLES}"))]
pub(crate) struct Options {
    #[command(flatten)]
    timing: Timing,

    /// The revision of the protocol: 4, or 3 for Socket.IO 1 and 2
    #[arg(long, value_name = "3|4", default_value = "4", hide_possible_values = true)]
    eio: Revision,

    /// The bandwidth of the link in bits per second, such as 9600, 64k or 1.5M [default: several links]
    #[arg(long, value_name = "BITS")]
    bandwidth: Option<Bandwidth>,

    /// The round trip time: how long a packet and its answer take
    #[arg(long, value_name = "TIME", default_value = "80ms", value_parser = duration::parse)]
    rtt: Duration,

    /// When the peer dies, counted from the opening of the session [default: between its second and third heartbeat]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    death_at: Option<Duration>,

    /// Which peer dies
    #[arg(long, value_name = "WHO", default_value = "client")]
    dead: Dead,

    /// Print the result as a JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  eio simulate --ping-interval 10s --ping-timeout 5s
  eio simulate --death-at 61s --rtt 600ms --dead server
  eio simulate --bandwidth 64k --ping-timeout 5s     is a photo too large for this link?
  eio simulate --json | jq .detection.server";

const MEMBERS: &str = "\
With --json, the result is one object with these members. Times are in milliseconds.
  ping_interval_ms, ping_timeout_ms, rtt_ms, eio (revision: 3 or 4), liveness
  warning      if common proxies cut connections within the ping interval, or null
  detection    for server and for client: after_death_min_ms, after_death_max_ms,
               after_packet_ms, after_heartbeat_ms (null: no limit)
  messages     a list: bits_per_second, largest_bytes
  cost         heartbeats_per_hour, websocket_bytes_per_hour, wire_bytes_per_hour (with
               the headers of TCP and IP)
  timeline     dead (server or client), death_at_ms, first (a list of steps), left_out (how
               many steps are not listed), last (a list of steps)
A step of the timeline has at_ms, who (server or client) and step: open, send and receive
(with packet, and rtt_ms if it was measured), die, or end (with reason, silent_ms and
after_death_ms).
";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dead {
    Client,
    Server,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Exit> {
    let wrong = |sentence| Exit::bad_usage("eio simulate", sentence);
    let heartbeat = options.timing.heartbeat(Heartbeat::DEFAULT).map_err(wrong)?;
    let timeline = options.timeline(heartbeat).map_err(wrong)?;
    let out = &mut io::stdout().lock();
    usage::written(if options.json {
        writeln!(out, "{}", options.report(heartbeat, &timeline))
    } else {
        print(options, heartbeat, &timeline, Style::of_stdout(), out)
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn liveness(&self) -> Liveness {
        self.timing.liveness(Liveness::default())
    }

    fn timeline(&self, heartbeat: Heartbeat) -> Result<Timeline, String> {
        let death_at = self.death_at.unwrap_or(heartbeat.ping_interval() * 5 / 2 + self.rtt * 2);
        let dead = if self.dead == Dead::Client { Role::Client } else { Role::Server };
        Timeline::new(heartbeat, self.liveness(), self.eio, self.rtt, dead, death_at)
    }

    /// Returns how soon the server and the client detect a dead peer.
    fn detections(&self, heartbeat: Heartbeat) -> [(Role, Detection); 2] {
        let liveness = self.liveness();
        let (server, client) = match self.eio {
            Revision::V4 => (detect::eio4_server(heartbeat, liveness), detect::eio4_client(heartbeat)),
            Revision::V3 => (detect::eio3_server(heartbeat, liveness), detect::eio3_client(heartbeat)),
        };
        [(Role::Server, server), (Role::Client, client)]
    }

    /// Returns the largest message that each link transfers within the ping timeout, in bytes.
    fn largest_messages(&self, heartbeat: Heartbeat) -> Vec<(Bandwidth, u64)> {
        let links = self.bandwidth.map_or(Bandwidth::TYPICAL.to_vec(), |link| vec![link]);
        let largest =
            |link: Bandwidth| detect::largest_message(link.bytes_per_second(), heartbeat.ping_timeout());
        links.into_iter().map(|link| (link, largest(link))).collect()
    }

    fn heartbeats_per_hour(&self, heartbeat: Heartbeat) -> f64 {
        let period = heartbeat.ping_interval() + self.rtt;
        Duration::from_hours(1).as_secs_f64() / period.as_secs_f64()
    }
}

fn print(
    options: &Options,
    heartbeat: Heartbeat,
    timeline: &Timeline,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let timeout = setting(heartbeat.ping_timeout());
    writeln!(
        out,
        "Ping interval {}, ping timeout {timeout}; revision {}, liveness {}.",
        setting(heartbeat.ping_interval()),
        options.eio,
        options.liveness()
    )?;
    if let Some(warning) = proxies::interval_warning(heartbeat) {
        writeln!(out, "{}", style.paint(Tone::Notable, format!("Warning: {warning}.")))?;
    }

    heading("How soon a dead peer is detected", style, out)?;
    print_detection(options, heartbeat, out)?;

    heading(
        &format!("The largest message that a link transfers within the ping timeout of {timeout}"),
        style,
        out,
    )?;
    print_messages(options, heartbeat, out)?;

    heading("What the heartbeats cost", style, out)?;
    print_cost(options, heartbeat, out)?;

    heading(
        &format!(
            "Timeline: the {} dies after {}, the round trip takes {}",
            timeline.dead().name(),
            exact(timeline.death_at()),
            setting(options.rtt)
        ),
        style,
        out,
    )?;
    timeline.print(style, out)
}

fn print_detection(options: &Options, heartbeat: Heartbeat, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "  {:<14}{:<24}{:<24}after its last heartbeat",
        "", "after its death", "after its last packet"
    )?;
    for (role, detection) in options.detections(heartbeat) {
        let death =
            format!("{} to {}", setting(detection.after_death_min), setting(detection.after_death_max));
        let packet = format!("{} at most", setting(detection.after_packet));
        let beat = detection
            .after_heartbeat
            .map_or("no limit".to_owned(), |bound| format!("{} at most", setting(bound)));
        writeln!(out, "  by the {:<7}{death:<24}{packet:<24}{beat}", role.name())?;
    }
    if options.liveness() == Liveness::AnyPacket {
        writeln!(
            out,
            "  Messages alone keep a session open: a server does not detect that a client's heartbeat is stuck."
        )?;
    }
    Ok(())
}

fn print_messages(options: &Options, heartbeat: Heartbeat, out: &mut dyn Write) -> io::Result<()> {
    for (link, largest) in options.largest_messages(heartbeat) {
        writeln!(out, "  {:<14}{:>16} bytes", link.to_string(), grouped(largest))?;
    }
    writeln!(
        out,
        "  While a message is being sent, heartbeats wait behind it. A larger message can therefore end"
    )?;
    writeln!(out, "  the session of a living peer. Send large data in pieces.")
}

fn print_cost(options: &Options, heartbeat: Heartbeat, out: &mut dyn Write) -> io::Result<()> {
    let per_hour = options.heartbeats_per_hour(heartbeat);
    writeln!(
        out,
        "  {per_hour:.0} heartbeats per hour and session; {:.1} kB per hour on WebSocket, {:.1} kB with the headers of TCP \
         and IP",
        per_hour * WEBSOCKET_BYTES / 1_000.0,
        per_hour * WIRE_BYTES / 1_000.0
    )
}

/// The bytes of a ping and a pong, one of them masked: 2 + 1 and 2 + 4 + 1.
const WEBSOCKET_BYTES: f64 = 10.0;

/// The same in three segments, of which the last acknowledges the pong. Each has the headers of IPv4 and of TCP with
/// timestamps.
const WIRE_BYTES: f64 = WEBSOCKET_BYTES + 3.0 * (20.0 + 32.0);

fn heading(text: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", style.paint(Tone::Strong, text))
}

/// Writes `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn printed(line: &str) -> String {
        let options: Options = args::options(line);
        let heartbeat = options.timing.heartbeat(Heartbeat::DEFAULT).unwrap();
        let timeline = options.timeline(heartbeat).unwrap();
        let mut out = Vec::new();
        print(&options, heartbeat, &timeline, Style::PLAIN, &mut out).unwrap();
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

    #[test]
    fn json_has_the_numbers_of_the_text_and_every_member_that_the_help_lists() {
        let options: Options = args::options("--death-at 61s --json");
        let heartbeat = options.timing.heartbeat(Heartbeat::DEFAULT).unwrap();
        let report = options.report(heartbeat, &options.timeline(heartbeat).unwrap());
        assert_eq!(
            report["detection"]["server"],
            serde_json::json!({
                "after_death_min_ms": 20_000,
                "after_death_max_ms": 45_000,
                "after_packet_ms": 45_000,
                "after_heartbeat_ms": 65_000,
            })
        );
        assert_eq!(
            report["messages"][1],
            serde_json::json!({ "bits_per_second": 64_000, "largest_bytes": 160_000 })
        );
        assert_eq!(report["cost"]["heartbeats_per_hour"], 143.5);
        let end = report["timeline"]["last"].as_array().and_then(|steps| steps.last()).unwrap();
        assert_eq!(
            end,
            &serde_json::json!({
                "at_ms": 95_160.0,
                "who": "server",
                "step": "end",
                "reason": "ping timeout",
                "silent_ms": 45_000.0,
                "after_death_ms": 34_160.0,
            })
        );
        let members = report.as_object().unwrap();
        for name in members.keys().chain(report["timeline"].as_object().unwrap().keys()) {
            assert!(MEMBERS.contains(name), "{name}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
