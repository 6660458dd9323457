//! `eio simulate`: shows how a ping interval and a ping timeout behave.

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
#[command(after_help = EXAMPLES)]
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
}

const EXAMPLES: &str = "\
Examples:
  eio simulate --ping-interval 10s --ping-timeout 5s
  eio simulate --death-at 61s --rtt 600ms --dead server
  eio simulate --bandwidth 64k --ping-timeout 5s     is a photo too large for this link?";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dead {
    Client,
    Server,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Exit> {
    let wrong = |sentence| Exit::bad_usage("eio simulate", sentence);
    let heartbeat = options.timing.heartbeat().map_err(wrong)?;
    let timeline = options.timeline(heartbeat).map_err(wrong)?;
    usage::written(print(options, heartbeat, &timeline, Style::of_stdout(), &mut io::stdout().lock()))?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn timeline(&self, heartbeat: Heartbeat) -> Result<Timeline, String> {
        let death_at = self.death_at.unwrap_or(heartbeat.ping_interval() * 5 / 2 + self.rtt * 2);
        let dead = if self.dead == Dead::Client { Role::Client } else { Role::Server };
        Timeline::new(heartbeat, self.timing.liveness(), self.eio, self.rtt, dead, death_at)
    }

    /// Returns how soon the server and the client detect a dead peer.
    fn detections(&self, heartbeat: Heartbeat) -> [(Role, Detection); 2] {
        let liveness = self.timing.liveness();
        let (server, client) = match self.eio {
            Revision::V4 => (detect::eio4_server(heartbeat, liveness), detect::eio4_client(heartbeat)),
            Revision::V3 => (detect::eio3_server(heartbeat, liveness), detect::eio3_client(heartbeat)),
        };
        [(Role::Server, server), (Role::Client, client)]
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
        options.timing.liveness()
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
    if options.timing.liveness() == Liveness::AnyPacket {
        writeln!(
            out,
            "  Messages alone keep a session open: a server does not detect that a client's heartbeat is stuck."
        )?;
    }
    Ok(())
}

fn print_messages(options: &Options, heartbeat: Heartbeat, out: &mut dyn Write) -> io::Result<()> {
    let links = options.bandwidth.map_or(Bandwidth::TYPICAL.to_vec(), |link| vec![link]);
    for link in links {
        let largest = detect::largest_message(link.bytes_per_second(), heartbeat.ping_timeout());
        writeln!(out, "  {:<14}{:>16} bytes", link.to_string(), grouped(largest))?;
    }
    writeln!(
        out,
        "  While a message is being sent, heartbeats wait behind it. A larger message can therefore end"
    )?;
    writeln!(out, "  the session of a living peer. Send large data in pieces.")
}

fn print_cost(options: &Options, heartbeat: Heartbeat, out: &mut dyn Write) -> io::Result<()> {
    let period = heartbeat.ping_interval() + options.rtt;
    let per_hour = Duration::from_hours(1).as_secs_f64() / period.as_secs_f64();
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
        let heartbeat = options.timing.heartbeat().unwrap();
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
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
