//! What a sweep found, as text: a table of the settings, their cost, and the answer.

use core::time::Duration;
use std::io::{self, Write};

use eio_core::Heartbeat;

use super::{grouped, heading, scenario};
use crate::duration::{round, spoken};
use crate::proxies;
use crate::simulate::answer::Cell;
use crate::simulate::options::Request;
use crate::simulate::sweep::Sweep;
use crate::simulate::units::Unit;
use crate::style::{Style, Tone};

/// Writes the sweep.
pub(crate) fn print(request: &Request, sweep: &Sweep, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", question(request))?;
    scenario(request, out)?;
    let unit = sweep.unit();
    heading(
        &format!("Within how many {} a death is noticed, by ping interval and ping timeout", unit.name()),
        style,
        out,
    )?;
    table(sweep, unit, style, out)?;
    heading("What the heartbeats cost each session", style, out)?;
    costs(request, sweep, unit, out)?;
    heading("Answer", style, out)?;
    for sentence in answer(sweep) {
        writeln!(out, "  {sentence}")?;
    }
    Ok(())
}

/// Returns what was asked.
pub(crate) fn question(request: &Request) -> String {
    let time = request.within.map_or("soonest".to_owned(), |within| format!("within {}", round(within)));
    format!("Which ping interval and timeout: no false disconnect, a death noticed {time}?")
}

fn table(sweep: &Sweep, unit: Unit, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let width =
        sweep.timeouts.iter().map(|timeout| unit.number(*timeout).len()).max().unwrap_or(0).max(3) + 2;
    write!(out, "  {:>8} ", "timeout")?;
    for timeout in &sweep.timeouts {
        write!(out, "{:>width$}", unit.number(*timeout))?;
    }
    writeln!(out, "   shortest safe timeout -> noticed within")?;
    writeln!(out, "  {}", style.paint(Tone::Dim, "interval"))?;
    let best = sweep.answer().best(sweep.within);
    for row in &sweep.rows {
        write!(out, "  {:>8} ", unit.text(row.interval))?;
        for cell in &row.cells {
            let (tone, text) = shown(cell, sweep.within, unit);
            let text = if best == Some(cell) { format!("[{text}]") } else { text };
            write!(out, "{}", style.paint(tone, format!("{text:>width$}")))?;
        }
        match &row.shortest {
            Some(cell) => {
                let (tone, text) = shown(cell, sweep.within, unit);
                let text = format!("{} -> {text}", unit.text(cell.timeout));
                let text = if best == Some(cell) { format!("[{text}]") } else { text };
                writeln!(out, "   {}", style.paint(tone, text))?;
            }
            None => writeln!(out, "   none of these")?,
        }
    }
    let mut note = format!(
        "Times are rounded up to whole {}. x: false disconnects, which end sessions of two living ends. [ ]: the answer.",
        unit.name()
    );
    if sweep.cells().any(|cell| cell.is_lucky) {
        note += " ?: none, by luck: a longer timeout had some.";
    }
    if sweep.cells().any(Cell::is_untried) {
        note += " -: not tried: no ping arrived in the simulated time (--for).";
    }
    writeln!(out, "  {}", style.paint(Tone::Dim, note))
}

fn shown(cell: &Cell, within: Option<Duration>, unit: Unit) -> (Tone, String) {
    if cell.is_lucky {
        return (Tone::Bad, "?".to_owned());
    }
    if cell.is_untried() {
        return (Tone::Dim, "-".to_owned());
    }
    match (cell.is_safe(), cell.keeps(within)) {
        (false, _) => (Tone::Bad, "x".to_owned()),
        (true, true) => (Tone::Good, unit.number(cell.noticed_within)),
        (true, false) => (Tone::Dim, unit.number(cell.noticed_within)),
    }
}

/// How long the longest bar is.
const BAR: f64 = 24.0;

fn costs(request: &Request, sweep: &Sweep, unit: Unit, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {:>8}{:>16}{:>16}   radio awake", "interval", "heartbeats/h", "wire bytes/h")?;
    for row in &sweep.rows {
        let cost = row.cost();
        let minutes = cost.awake_minutes_per_hour();
        writeln!(
            out,
            "  {:>8}{:>16.0}{:>16}   {:>4.1} min/h {}",
            unit.text(row.interval),
            cost.heartbeats_per_hour(),
            grouped(whole(cost.wire_bytes_per_hour())),
            minutes,
            bar(minutes / 60.0 * BAR)
        )?;
    }
    writeln!(
        out,
        "  The radio of a client is taken to stay awake for {} after a packet (--radio-tail).",
        round(request.radio_tail)
    )
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes of an hour")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Returns a bar with eighths of a character.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some characters")]
fn bar(length: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (length.max(0.0) * 8.0).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS.get(eighths % 8).copied().unwrap_or_default()
}

/// Returns the answer, a sentence in each line.
pub(crate) fn answer(sweep: &Sweep) -> Vec<String> {
    let answer = sweep.answer();
    let mut lines = Vec::new();
    match (sweep.within, answer.cheapest) {
        (Some(_), Some(cell)) => {
            lines.push(format!("{}.", recommended(cell)));
            lines.push("It has the longest interval of those that do both, so it costs least.".to_owned());
        }
        (Some(within), None) => {
            lines.push(format!(
                "No setting notices a death within {} without a false disconnect.",
                round(within)
            ));
        }
        (None, _) => {}
    }
    match answer.shortest {
        Some(cell) if answer.cheapest != Some(cell) => lines.push(format!(
            "The shortest detection without a false disconnect: {}.",
            lower_first(&recommended(cell))
        )),
        Some(_) => {}
        None => lines.push("No setting that was tried is safe.".to_owned()),
    }
    if let Some(cell) = answer.best(sweep.within) {
        lines.push(format!(
            "In {} sessions, open for {:.0} hours in all, no heartbeat took longer than {}.",
            cell.summary.sessions,
            cell.summary.cost.hours(),
            spoken(cell.summary.slowest)
        ));
    }
    lines.extend(warning(sweep).map(|warning| format!("Warning: {warning}.")));
    lines
}

/// Returns a warning if common proxies cut connections within the ping interval of the answer.
pub(crate) fn warning(sweep: &Sweep) -> Option<String> {
    let best = sweep.answer().best(sweep.within)?;
    proxies::interval_warning(Heartbeat::new(best.interval, best.timeout).ok()?)
}

fn recommended(cell: &Cell) -> String {
    format!(
        "Ping interval {}, ping timeout {}: no false disconnect, a death is noticed within {}",
        round(cell.interval),
        round(cell.timeout),
        spoken(cell.noticed_within)
    )
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::answer::tests::cell;
    use crate::simulate::sweep::Row;

    fn sweep(cells: Vec<Cell>, shortest: Option<&Cell>) -> Sweep {
        let (interval, timeouts) = (cells[0].interval, cells.iter().map(|cell| cell.timeout).collect());
        let row = Row { interval, cells, shortest: shortest.copied() };
        Sweep { within: None, timeouts, rows: vec![row], beyond: None }
    }

    #[test]
    fn a_lucky_setting_is_not_safe_and_is_not_said_to_end_sessions() {
        let lucky = Cell { is_lucky: true, ..cell(5, 20, 0) };
        assert_eq!(answer(&sweep(vec![lucky, cell(5, 54, 1)], None)), ["No setting that was tried is safe."]);
    }

    #[test]
    fn an_answer_above_the_idle_limits_of_proxies_is_warned_about() {
        for (interval, warns) in [(59, false), (60, true)] {
            let safe = cell(interval, 20, 0);
            let lines = answer(&sweep(vec![safe], Some(&safe)));
            let warning = format!("Warning: the ping interval of {interval} s is not below the idle limits");
            assert_eq!(lines.last().unwrap().starts_with(&warning), warns, "{lines:?}");
        }
    }
}
