//! `eio simulate`: shows how a ping interval and a ping timeout behave, and which ones fit a network.

mod answer;
mod cost;
mod fleet;
mod json;
mod link;
mod members;
mod network;
mod options;
mod outcome;
mod plot;
mod progress;
mod report;
mod role;
mod scenario;
mod story;
mod sweep;
mod timeline;
mod units;

use std::io::{self, Write as _};
use std::process::ExitCode;

use eio_core::Heartbeat;

use self::answer::Tried;
pub(crate) use self::options::Options;
use self::options::Request;
use self::plot::Picture;
use self::progress::Progress;
use self::story::Story;
use self::sweep::{Axes, Effort, Pair, Sweep};
use self::timeline::Timeline;
use crate::output::OutputError;
use crate::style::Style;
use crate::usage::{self, Exit, Failure};

fn wrong(failure: impl Into<Failure>) -> Exit {
    Exit::bad_usage("eio simulate", failure)
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Exit> {
    let request = options.request().map_err(wrong)?;
    let picture = options.plot.as_deref().map(Picture::check).transpose().map_err(wrong)?;
    if let Some((intervals, timeouts)) = &request.sweep {
        let axes = Axes::new(intervals, timeouts, &request.scenario, request.within);
        axes.check().map_err(wrong)?;
        let sweep = all(&request, &axes);
        if let Some(picture) = picture {
            picture.write(&sweep_picture(&request, &sweep)).map_err(wrong)?;
        }
        print_sweep(options, &request, &sweep)?;
    } else {
        let story = Story::new(&request, request.heartbeat).map_err(wrong)?;
        let outcome = request.has_network.then(|| one(&request)).flatten();
        if let Some(picture) = picture {
            let drawn = plot::setting(&request, outcome.as_ref().map(|tried| &tried.cell.summary), &story);
            picture.write(&drawn).map_err(wrong)?;
        }
        print_setting(options, &request, outcome.as_ref(), &Timeline::new(&story))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Simulates the sessions of the network with one setting.
fn one(request: &Request) -> Option<Tried> {
    let progress = Progress::on_stderr();
    let tried = fleet::simulate(request, &[request.heartbeat], 1, &progress).pop();
    progress.clear();
    tried
}

/// In about how many sessions a setting is checked before it is called safe.
const CHECKED: u32 = 500;

/// Simulates them with many settings.
fn all(request: &Request, axes: &Axes) -> Sweep {
    let progress = Progress::on_stderr();
    let more = (CHECKED / request.scenario.sessions()).clamp(1, 10);
    let mut simulate = |pairs: &[Pair], effort| {
        // What is not a heartbeat was refused before.
        let heartbeats: Vec<_> =
            pairs.iter().filter_map(|(interval, timeout)| Heartbeat::new(*interval, *timeout).ok()).collect();
        let times = if effort == Effort::Check { more } else { 1 };
        let tried = fleet::simulate(request, &heartbeats, times, &progress);
        tried.into_iter().map(|tried| tried.cell).collect()
    };
    let delay = request.scenario.longest_delay(request.within.unwrap_or_default());
    let sweep = Sweep::new(axes, request.within, delay, &mut simulate);
    progress.clear();
    sweep
}

/// Draws a sweep, and a session with the setting that answers the question.
fn sweep_picture(request: &Request, sweep: &Sweep) -> String {
    let best = sweep.answer().best(sweep.within);
    let story = best
        .and_then(|cell| Heartbeat::new(cell.interval, cell.timeout).ok())
        .and_then(|heartbeat| Story::new(request, heartbeat).ok());
    plot::sweep(request, sweep, story.as_ref())
}

fn print_sweep(options: &Options, request: &Request, sweep: &Sweep) -> Result<(), OutputError> {
    let out = &mut io::stdout().lock();
    usage::written(if options.json {
        writeln!(out, "{}", json::sweep(request, sweep))
    } else if options.csv {
        members::csv(sweep.settings(), out)
    } else {
        report::sweep::print(request, sweep, Style::of_stdout(), out)
    })
}

fn print_setting(
    options: &Options,
    request: &Request,
    outcome: Option<&Tried>,
    timeline: &Timeline<'_>,
) -> Result<(), OutputError> {
    let out = &mut io::stdout().lock();
    usage::written(if options.json {
        writeln!(out, "{}", json::setting(request, outcome, timeline))
    } else if options.csv {
        members::csv(outcome.map(|tried| &tried.cell), out)
    } else {
        report::print(request, outcome, timeline, Style::of_stdout(), out)
    })
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::options::{FILE, MEMBERS};
    use super::scenario::{Scenario, ScenarioFile, Whole};
    use super::*;
    use crate::args;

    fn request(line: &str) -> Request {
        args::options::<Options>(line).request().unwrap()
    }

    fn reported(request: &Request) -> serde_json::Value {
        let story = Story::new(request, request.heartbeat).unwrap();
        let outcome = request.has_network.then(|| one(request)).flatten();
        json::setting(request, outcome.as_ref(), &Timeline::new(&story))
    }

    #[test]
    fn json_has_the_numbers_of_the_text_and_every_member_that_the_help_lists() {
        let report = reported(&request("--death-at 61s --json"));
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
        assert!(report["scenario"].is_null() && report["outcome"].is_null());
    }

    #[test]
    fn an_interval_that_a_sweep_recommends_was_tried() {
        let request = request("--tunnel 30s/5m --within 2h --sweep --sessions 10 --timeouts 10s,60s");
        let (intervals, timeouts) = request.sweep.as_ref().unwrap();
        let axes = Axes::new(intervals, timeouts, &request.scenario, request.within);
        let sweep = all(&request, &axes);
        let best = sweep.answer().cheapest.unwrap();
        assert_eq!(best.timeout, Duration::from_mins(1), "after 10 s, a ping in the tunnel ends a session");
        assert!(best.interval > Duration::from_hours(1), "{:?}", best.interval);
        // Nothing can be late in a minute.
        let short =
            Request { scenario: Scenario { lasts: Duration::from_mins(1), ..request.scenario }, ..request };
        assert_eq!(all(&short, &axes).answer().shortest, None);
    }

    #[test]
    fn a_death_goes_unnoticed_while_the_end_that_survives_stalls() {
        let noticed_within = |line: &str| one(&request(line)).unwrap().cell.noticed_within.as_millis();
        let stall = "--server-stall 8s/2h --within 46s --for 1h --sessions 5";
        assert_eq!(noticed_within(stall), 53_080, "the judgement can be late by the stall");
        assert_eq!(noticed_within(&format!("{stall} --dead server")), 45_080);
        let often = "--server-stall 2s/10s --client-stall 9s/1h --for 1m --sessions 5";
        assert_eq!(
            noticed_within(often),
            51_080,
            "reading the last pong, the ping and the judgement can be late"
        );
        assert_eq!(noticed_within("--server-stall 2s/30s --for 1m --sessions 5"), 49_080, "two of three");
    }

    #[test]
    fn every_member_is_in_the_help() {
        let report = reported(&request("--tunnel 30s/5m --sessions 2 --for 10m"));
        let swept = request("--tunnel 30s/5m --sessions 2 --for 10m --intervals 5s --timeouts 2s,60s");
        let axes = Axes::new(&[Duration::from_secs(5)], &[Duration::from_mins(1)], &swept.scenario, None);
        let swept = json::sweep(&swept, &all(&swept, &axes));
        let fleet = &report["scenario"]["fleets"][0];
        for part in [
            &report,
            &report["timeline"],
            &report["scenario"],
            fleet,
            &fleet["tunnels"][0],
            &report["outcome"],
            &report["outcome"]["fleets"][0],
            &swept,
            &swept["answer"],
            &swept["settings"][0],
        ] {
            for name in part.as_object().unwrap().keys() {
                assert!(MEMBERS.contains(name), "{name}");
            }
        }
    }

    #[test]
    fn the_file_of_the_help_is_a_scenario() {
        let text = FILE.lines().filter(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n");
        let file: ScenarioFile = toml::from_str(&text).unwrap();
        let seed = file.seed.map(|Whole(seed)| seed);
        assert_eq!((file.fleet.len(), file.fleet[0].tunnels.len(), seed), (1, 2, Some(1)));
    }
}
