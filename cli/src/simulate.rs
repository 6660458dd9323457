//! `eio simulate`: what a pair of periods means, before anybody depends on it.

mod link;
mod play;

use core::time::Duration;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use eio_core::detect::{self, Detection};
use eio_core::{Heartbeat, Liveness, Revision};

use self::link::Bandwidth;
use self::play::{Play, Role};
use crate::duration::{self, exact, setting};
use crate::proxies;
use crate::settings::{Timing, liveness_name};
use crate::style::{Style, Tone};
use crate::usage::{self, Answer};

/// Say what heartbeat periods mean, before anybody depends on them
///
/// Prints how long a dead peer can go unnoticed by either end, how large a message may be before it costs a live peer
/// its session, what the heartbeats cost, and a timeline: the real session logic on a simulated clock, with a peer
/// that dies without a word.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    timing: Timing,

    /// The revision of the protocol: 4, or 3 for Socket.IO 1 and 2
    #[arg(long, value_name = "3|4", default_value = "4", hide_possible_values = true)]
    eio: Revision,

    /// How fast the link is, in bits per second, with k, M or G behind the number; several links if not given
    #[arg(long, value_name = "BITS")]
    bandwidth: Option<Bandwidth>,

    /// How long a packet takes there and back
    #[arg(long, value_name = "TIME", default_value = "80ms", value_parser = duration::parse)]
    rtt: Duration,

    /// When the peer dies, after the session opened [default: between its second heartbeat and its third]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    death_at: Option<Duration>,

    /// Who dies
    #[arg(long, value_name = "WHO", default_value = "client")]
    dead: Dead,
}

const EXAMPLES: &str = "\
Examples:
  eio simulate --ping-interval 10s --ping-timeout 5s
  eio simulate --death-at 61s --rtt 600ms --dead server
  eio simulate --bandwidth 64k --ping-timeout 5s       is a photo too large for this link?";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dead {
    Client,
    Server,
}

/// Prints the answer.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Answer> {
    let wrong = |sentence| Answer::wrong("eio simulate", sentence);
    let heartbeat = options.timing.heartbeat().map_err(wrong)?;
    let play = options.play(heartbeat).map_err(wrong)?;
    usage::written(print(options, heartbeat, &play, Style::of_stdout(), &mut io::stdout().lock()))?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn play(&self, heartbeat: Heartbeat) -> Result<Play, String> {
        let death_at = self.death_at.unwrap_or(heartbeat.ping_interval() * 5 / 2 + self.rtt * 2);
        let dead = if self.dead == Dead::Client { Role::Client } else { Role::Server };
        Play::new(heartbeat, self.timing.liveness(), self.eio, self.rtt, dead, death_at)
    }

    /// What the server and the client promise.
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
    play: &Play,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (interval, timeout) = (heartbeat.ping_interval(), heartbeat.ping_timeout());
    let liveness = options.timing.liveness();
    writeln!(
        out,
        "A ping every {}, answered within {}; revision {}, liveness {}.",
        setting(interval),
        setting(timeout),
        options.eio,
        liveness_name(liveness)
    )?;

    if let Some(warning) = proxies::warning(heartbeat) {
        writeln!(out, "{}", style.paint(Tone::Notable, format!("Mind that {warning}.")))?;
    }

    heading("A peer that dies without a word is noticed", style, out)?;
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
            .map_or("without a bound".to_owned(), |bound| format!("{} at most", setting(bound)));
        writeln!(out, "  by the {:<7}{death:<24}{packet:<24}{beat}", role.name())?;
    }
    if liveness == Liveness::AnyPacket {
        writeln!(
            out,
            "  Messages alone keep a session open: a peer whose heartbeat is stuck is not noticed."
        )?;
    }

    heading(
        &format!("One message that a link carries within the ping timeout of {}", setting(timeout)),
        style,
        out,
    )?;
    let links = options.bandwidth.map_or(Bandwidth::TYPICAL.to_vec(), |link| vec![link]);
    for link in links {
        let largest = detect::largest_message(link.bytes_per_second(), timeout);
        writeln!(out, "  {:<14}{:>16} bytes", link.to_string(), grouped(largest))?;
    }
    writeln!(
        out,
        "  A heartbeat waits behind a message that is being written: a larger one can cost a live peer"
    )?;
    writeln!(out, "  its session. Send larger data in pieces.")?;

    heading("What the heartbeats cost", style, out)?;
    let per_hour = Duration::from_hours(1).as_secs_f64() / (interval + options.rtt).as_secs_f64();
    writeln!(
        out,
        "  {per_hour:.0} per hour and session; {:.1} kB per hour on WebSocket, {:.1} kB with TCP and IP",
        per_hour * WEBSOCKET_BYTES / 1_000.0,
        per_hour * WIRE_BYTES / 1_000.0
    )?;

    heading(
        &format!(
            "The {} dies after {}; a packet takes {} there and back",
            play.dead().name(),
            exact(play.death_at()),
            setting(options.rtt)
        ),
        style,
        out,
    )?;
    play.print(style, out)
}

/// A ping and a pong, one of them masked: 2 + 1 and 2 + 4 + 1 bytes.
const WEBSOCKET_BYTES: f64 = 10.0;

/// The same in three segments (the last acknowledges the pong), each with the headers of IPv4 and of TCP with
/// timestamps.
const WIRE_BYTES: f64 = WEBSOCKET_BYTES + 3.0 * (20.0 + 32.0);

fn heading(text: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", style.paint(Tone::Strong, text))
}

/// `1234567` as `1,234,567`.
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
        let play = options.play(heartbeat).unwrap();
        let mut out = Vec::new();
        print(&options, heartbeat, &play, Style::PLAIN, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_defaults_are_explained() {
        let text = printed("--death-at 61s");
        for line in [
            "  by the server 20 s to 45 s            45 s at most            65 s at most",
            "  by the client 20 s to 45 s            45 s at most            45 s at most",
            "  142 or so",
        ] {
            if !line.ends_with("or so") {
                assert!(text.contains(line), "{line}\n{text}");
            }
        }
        assert!(text.contains("ends the session: ping timeout"), "{text}");
    }

    #[test]
    fn an_interval_that_proxies_do_not_bear_is_warned_of() {
        assert!(!printed("").contains("proxies"));
        assert!(
            printed("--ping-interval 5m")
                .contains("\nMind that a ping interval of 300 s is longer than proxies")
        );
    }

    #[test]
    fn any_packet_has_no_bound() {
        assert!(printed("--liveness any-packet").contains("without a bound"));
    }

    #[test]
    fn a_link_of_ones_own_is_measured_alone() {
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
