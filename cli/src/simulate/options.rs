//! The options of `eio simulate`, and what they ask for.

mod help;

use core::num::NonZeroU32;
use core::time::Duration;
use std::path::PathBuf;

use clap::Args;
use eio_core::{Heartbeat, Liveness, Revision};

use self::help::EXAMPLES;
pub(super) use self::help::{FILE, MEMBERS};
use super::link::Bandwidth;
use super::network::Setting;
use super::role::Role;
use super::scenario::{Fleet, Percent, Recurring, RoundTrip, Scenario, ScenarioFile, Time, Whole};
use super::sweep::Axes;
use crate::duration;
use crate::settings::Timing;
use crate::usage::Failure;

/// Show how a ping interval and a ping timeout behave, and which ones fit a network
///
/// Without a network, prints how soon each end detects that the other is dead, how large a message can be without
/// delaying heartbeats too long, how much traffic the heartbeats cost, and a timeline.
///
/// With a network (--tunnel, --loss, --server-stall, --scenario and others), also simulates many sessions on it, and
/// counts those that end although both ends live. With --sweep, tries many intervals and timeouts instead, and says
/// which ones do what was asked for.
///
/// All of it runs the real session logic on a simulated clock. What the network loses, TCP sends again after about
/// 200 ms, then after twice as long each time: after an outage, a heartbeat can be late by about twice the outage. The same
/// options and the same seed print the same bytes.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, after_long_help = format!("{MEMBERS}\n{FILE}\n{EXAMPLES}"))]
pub(crate) struct Options {
    #[command(flatten)]
    pub(super) timing: Timing,

    /// The revision of the protocol: 4, or 3 for Socket.IO 1 and 2 [default: 4]
    #[arg(long, value_name = "3|4", hide_possible_values = true)]
    eio: Option<Revision>,

    /// The bandwidth of the link in bits per second, such as 9600, 64k or 1.5M [default: several links]
    #[arg(long, value_name = "BITS")]
    bandwidth: Option<Bandwidth>,

    /// The round trip time: how long a packet and its answer take. With two times, such as 40ms..160ms, each session of a
    /// network has its own in between [default: 80ms; in a network 40ms..160ms]
    #[arg(long, value_name = "TIME", conflicts_with = "scenario")]
    rtt: Option<RoundTrip>,

    /// When the peer of the timeline dies, counted from the opening of the session [default: after its second heartbeat,
    /// and after the first tunnel]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    death_at: Option<Duration>,

    /// Which peer dies [default: client]
    #[arg(long, value_name = "WHO", conflicts_with = "scenario")]
    dead: Option<Role>,

    #[command(flatten)]
    network: Network,

    #[command(flatten)]
    question: Question,

    /// Draw the result into this file: an SVG, for a browser
    #[arg(long, value_name = "FILE.svg", value_parser = svg_file, help_heading = OUTPUT)]
    pub(super) plot: Option<PathBuf>,

    /// Print the result as a JSON object
    #[arg(long, help_heading = OUTPUT)]
    pub(super) json: bool,

    /// Print a line of comma-separated values for each setting
    #[arg(long, conflicts_with = "json", help_heading = OUTPUT)]
    pub(super) csv: bool,
}

const NETWORK: &str = "The network";
const QUESTION: &str = "The question";
const OUTPUT: &str = "The output";

/// What the sessions live through.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = NETWORK)]
struct Network {
    /// The link is cut for LENGTH in each PERIOD, such as 30s/5m. Each session meets the first one at a random moment.
    /// May be given more than once
    #[arg(long, value_name = "LENGTH/PERIOD", conflicts_with = "scenario")]
    tunnel: Vec<Recurring>,

    /// The share of packets that the link loses, such as 2%
    #[arg(long, value_name = "PERCENT", conflicts_with = "scenario")]
    loss: Option<Percent>,

    /// How much longer than usual a packet can take
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with = "scenario")]
    jitter: Option<Duration>,

    /// The server's program does nothing for LENGTH in each PERIOD. May be given more than once
    #[arg(long, value_name = "LENGTH/PERIOD", conflicts_with = "scenario")]
    server_stall: Vec<Recurring>,

    /// The client's program does nothing for LENGTH in each PERIOD. May be given more than once
    #[arg(long, value_name = "LENGTH/PERIOD", conflicts_with = "scenario")]
    client_stall: Vec<Recurring>,

    /// How many sessions are simulated [default: 100]
    #[arg(long, value_name = "NUMBER", value_parser = sessions, conflicts_with = "scenario")]
    sessions: Option<NonZeroU32>,

    /// How long they are simulated [default: 1h, or six periods of the rarest tunnel or stall, or six of the longest ping
    /// intervals, if that is longer]
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    lasts: Option<Duration>,

    /// Where everything random begins [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = seed)]
    seed: Option<u64>,

    /// Read the sessions and their network from a file in TOML, YAML or JSON; --help says what it contains
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,

    /// How long a client's radio stays awake after a packet
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    radio_tail: Duration,
}

/// What is asked.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = QUESTION)]
struct Question {
    /// Try many ping intervals and ping timeouts, and say which ones are best
    #[arg(long)]
    sweep: bool,

    /// A dead peer has to be noticed within this time
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    within: Option<Duration>,

    /// The ping intervals of a sweep, such as 5s,10s,25s [default: chosen for the network]
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = duration::parse, conflicts_with = "ping_interval")]
    intervals: Vec<Duration>,

    /// The ping timeouts of a sweep [default: chosen for the network]
    #[arg(long, value_name = "TIMES", value_delimiter = ',', value_parser = duration::parse, conflicts_with = "ping_timeout")]
    timeouts: Vec<Duration>,
}

fn sessions(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "expected a number of sessions from 1 to 1000000")
}

fn seed(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "expected a whole number from 0 to 18446744073709551615")
}

/// Reads the name of a picture.
fn svg_file(name: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(name);
    let is_svg = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    is_svg.then_some(path).ok_or("expected a name that ends in .svg")
}

/// What is to be simulated.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) heartbeat: Heartbeat,
    pub(super) liveness: Liveness,
    pub(super) revision: Revision,
    pub(super) bandwidth: Option<Bandwidth>,
    pub(super) scenario: Scenario,
    /// Whether many sessions are simulated, and not only the timeline's.
    pub(super) has_network: bool,
    pub(super) death_at: Option<Duration>,
    pub(super) within: Option<Duration>,
    pub(super) radio_tail: Duration,
    /// The intervals and timeouts of a sweep, if there is one.
    pub(super) sweep: Option<(Vec<Duration>, Vec<Duration>)>,
}

impl Request {
    /// Returns the settings of sessions. A sweep replaces the periods.
    pub(super) fn setting(&self) -> Setting {
        Setting { heartbeat: self.heartbeat, liveness: self.liveness, revision: self.revision }
    }

    /// Returns the fleet whose session the timeline shows.
    pub(super) fn shown_fleet(&self) -> Fleet {
        self.scenario.fleets.first().cloned().unwrap_or_default()
    }

    /// Returns the round trip time of the timeline.
    pub(super) fn rtt(&self) -> Duration {
        self.shown_fleet().rtt.at(0.5)
    }
}

impl Options {
    /// Returns what is asked for, or a sentence that says what is wrong.
    pub(super) fn request(&self) -> Result<Request, Failure> {
        let Network { scenario, lasts, seed, .. } = &self.network;
        let (fleets, file) = match scenario {
            Some(path) => Scenario::read(path)?,
            None => (vec![self.fleet()], ScenarioFile::default()),
        };
        let from_file = |sentence: String| match scenario {
            Some(path) => format!("{}: {sentence}", path.display()),
            None => sentence,
        };
        let time = |given: Option<Duration>, file: Option<Time>| given.or(file.map(|Time(time)| time));
        let otherwise = file_heartbeat(&file).map_err(from_file)?;
        let times = |given: &[Duration], file: &[Time]| -> Vec<Duration> {
            if given.is_empty() { file.iter().map(|Time(time)| *time).collect() } else { given.to_vec() }
        };
        let intervals = times(&self.question.intervals, &file.intervals);
        let timeouts = times(&self.question.timeouts, &file.timeouts);
        let within = time(self.question.within, file.within);
        if within.is_some_and(|within| within < Duration::from_millis(20)) {
            let sentence = "the time within which a death is noticed is below 20 ms";
            return Err(from_file(sentence.to_owned()).into());
        }
        let heartbeat = self.timing.heartbeat(otherwise)?;
        let lasts = time(*lasts, file.lasts);
        let seed = seed.or(file.seed.map(|Whole(seed)| seed));
        let mut scenario = Scenario::new(lasts, seed, fleets).map_err(from_file)?;
        if lasts.is_none() {
            scenario.cover(if self.is_sweep() {
                Axes::new(&intervals, &timeouts, &scenario, within).longest_interval(within)
            } else {
                heartbeat.ping_interval()
            });
        }
        Ok(Request {
            heartbeat,
            liveness: self.timing.liveness(file.liveness.unwrap_or_default()),
            revision: self.eio.or(file.eio).unwrap_or(Revision::V4),
            bandwidth: self.bandwidth,
            scenario,
            has_network: self.has_network(),
            death_at: self.death_at,
            within,
            radio_tail: self.network.radio_tail,
            sweep: self.is_sweep().then_some((intervals, timeouts)),
        })
    }

    /// Whether an option asks for many sessions.
    fn has_network(&self) -> bool {
        let network = &self.network;
        let spells = [&network.tunnel, &network.server_stall, &network.client_stall];
        spells.iter().any(|spells| !spells.is_empty())
            || network.scenario.is_some()
            || network.loss.is_some()
            || network.jitter.is_some()
            || network.sessions.is_some()
            || network.lasts.is_some()
            || self.is_sweep()
            || self.question.within.is_some()
            || self.csv
    }

    fn is_sweep(&self) -> bool {
        let question = &self.question;
        question.sweep || !question.intervals.is_empty() || !question.timeouts.is_empty()
    }

    fn fleet(&self) -> Fleet {
        let network = &self.network;
        let default = Fleet {
            rtt: if self.has_network() { RoundTrip::SEVERAL } else { RoundTrip::USUAL },
            ..Fleet::default()
        };
        Fleet {
            sessions: network.sessions.map_or(default.sessions, NonZeroU32::get),
            rtt: self.rtt.unwrap_or(default.rtt),
            jitter: network.jitter.unwrap_or_default(),
            loss: network.loss.unwrap_or_default(),
            tunnels: network.tunnel.clone(),
            server_stalls: network.server_stall.clone(),
            client_stalls: network.client_stall.clone(),
            dead: self.dead.unwrap_or_default(),
            ..default
        }
    }
}

/// Returns the periods of the file. What it leaves out are the defaults.
fn file_heartbeat(file: &ScenarioFile) -> Result<Heartbeat, String> {
    let default = Heartbeat::DEFAULT;
    let time = |given: Option<Time>, otherwise| given.map_or(otherwise, |Time(time)| time);
    Heartbeat::new(
        time(file.ping_interval, default.ping_interval()),
        time(file.ping_timeout, default.ping_timeout()),
    )
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::simulate::scenario::LONGEST;

    fn request(line: &str) -> Result<Request, String> {
        args::options::<Options>(line).request().map_err(|failure| failure.sentence)
    }

    #[test]
    fn without_a_network_only_one_session_is_simulated() {
        let plain = request("--ping-interval 10s --rtt 600ms --dead server").unwrap();
        assert!(!plain.has_network && plain.sweep.is_none());
        assert_eq!((plain.rtt(), plain.shown_fleet().dead), (Duration::from_millis(600), Role::Server));
        for line in
            ["--tunnel 30s/5m", "--loss 1%", "--within 60s", "--sweep", "--sessions 5", "--timeouts 5s"]
        {
            let network = request(line).unwrap();
            assert!(network.has_network, "{line}");
            assert_eq!(network.shown_fleet().rtt, RoundTrip::SEVERAL, "{line}");
        }
    }

    #[test]
    fn the_simulated_time_covers_some_periods_and_some_of_the_longest_intervals() {
        let lasts = |line| request(line).unwrap().scenario.lasts;
        assert_eq!(lasts("--tunnel 30s/5m"), Duration::from_hours(1));
        assert_eq!(lasts("--tunnel 30s/5m --server-stall 1m/2h"), Duration::from_hours(12));
        assert_eq!(lasts("--tunnel 30s/5m --for 10m"), Duration::from_mins(10));
        assert_eq!(lasts("--tunnel 10m/1488h"), LONGEST, "six periods are longer");
        assert_eq!(lasts("--ping-interval 2h"), Duration::from_hours(12));
        assert_eq!(lasts("--tunnel 30s/5m --within 2h --sweep"), Duration::from_hours(12));
        assert_eq!(lasts("--sweep --intervals 20m,1h,5s --within 2h"), Duration::from_hours(6));
    }

    #[test]
    fn a_question_that_makes_no_sense_is_refused() {
        for (line, sentence) in [
            ("--within 1ms", "the time within which a death is noticed is below 20 ms"),
            ("--for 1ms", "the simulated time of 1 ms is not from 1 s to 366 days"),
            ("--sessions 2000000", "there are 2000000 sessions: expected from 1 to 1000000"),
            (
                "--jitter 2h",
                "a round trip of 160 ms with a jitter of 2 h is too long: expected at most an hour",
            ),
            (
                "--scenario missing.txt",
                "missing.txt: the format is unknown: expected a name that ends in .toml, .yaml, .yml or .json",
            ),
        ] {
            assert_eq!(request(line).unwrap_err(), sentence, "{line}");
        }
    }
}
