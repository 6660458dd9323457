//! A sweep as a heat map: intervals down, timeouts across, and how long a death goes unnoticed as the colour.

use core::time::Duration;

use super::svg::{Anchor, Area, Svg};
use crate::duration::{round, spoken};
use crate::simulate::answer::Cell;
use crate::simulate::outcome::Summary;
use crate::simulate::sweep::{Row, Sweep};
use crate::simulate::units::Unit;

const LEFT: f64 = 110.0;
const CELL: (f64, f64) = (47.0, 30.0);
/// The column of the shortest safe timeouts.
const SAFE: f64 = 150.0;
const BARS: f64 = 120.0;
const GAP: f64 = 24.0;
const SHADES: u32 = 6;

/// Draws the heat map below `top`. Returns where it ends.
pub(super) fn draw(svg: &mut Svg, sweep: &Sweep, top: f64) -> f64 {
    let best = sweep.answer().best(sweep.within);
    let unit = sweep.unit();
    let right = LEFT + CELL.0 * count(sweep.timeouts.len());
    let safe = right + GAP;
    let bars = [safe + SAFE + GAP, safe + SAFE + BARS + GAP * 2.0];
    head(svg, sweep, unit, safe, bars, top);
    let first = top + 46.0;
    let longest = sweep.cells().filter(|cell| cell.is_safe()).map(|cell| cell.noticed_within).max();
    let costs = [
        |row: &Row| row.cost().wire_bytes_per_hour() / 1_000.0,
        |row: &Row| row.cost().awake_minutes_per_hour(),
    ];
    let most = costs.map(|cost| sweep.rows.iter().map(cost).fold(f64::MIN_POSITIVE, f64::max));
    for (index, row) in sweep.rows.iter().enumerate() {
        let y = first + CELL.1 * count(index);
        svg.text("number", (LEFT - 10.0, y + 20.0), Anchor::End, unit.text(row.interval));
        for (column, cell) in row.cells.iter().enumerate() {
            let area =
                Area { x: LEFT + CELL.0 * count(column), y, width: CELL.0 - 2.0, height: CELL.1 - 2.0 };
            one_cell(svg, cell, area, longest, sweep.within, unit.number(cell.noticed_within));
            if best == Some(cell) {
                svg.area("best", area);
            }
        }
        let area = Area { x: safe, y, width: SAFE - 2.0, height: CELL.1 - 2.0 };
        if let Some(cell) = &row.shortest {
            let text = format!("{} → {}", round(cell.timeout), unit.text(cell.noticed_within));
            one_cell(svg, cell, area, longest, sweep.within, text);
            if best == Some(cell) && !row.cells.contains(cell) {
                svg.area("best", area);
            }
        } else {
            svg.text("small dim", (safe + SAFE / 2.0, y + 19.0), Anchor::Middle, "none of these");
        }
        for (place, (cost, most)) in costs.iter().zip(most).enumerate() {
            let value = cost(row);
            let (class, x) = if place == 0 { ("bar", bars[0]) } else { ("bar2", bars[1]) };
            let width = (BARS - 52.0) * value / most;
            svg.area(class, Area { x, y: y + 7.0, width: width.max(1.0), height: CELL.1 - 16.0 });
            let digits = usize::from(value < 100.0);
            svg.text("small number", (x + width + 5.0, y + 19.0), Anchor::Start, format!("{value:.digits$}"));
        }
    }
    legend(svg, sweep, first + CELL.1 * count(sweep.rows.len()) + 24.0)
}

/// How wide the heat map is.
pub(super) fn width(sweep: &Sweep) -> f64 {
    LEFT + CELL.0 * count(sweep.timeouts.len()) + SAFE + BARS * 2.0 + GAP * 4.0
}

fn head(svg: &mut Svg, sweep: &Sweep, unit: Unit, safe: f64, bars: [f64; 2], top: f64) {
    let y = top + 36.0;
    svg.text("small dim", (LEFT - 10.0, y), Anchor::End, "ping interval");
    svg.text("small dim", (LEFT, top + 16.0), Anchor::Start, format!("ping timeout, in {}", unit.name()));
    for (column, timeout) in sweep.timeouts.iter().enumerate() {
        let x = LEFT + CELL.0 * (count(column) + 0.5) - 1.0;
        svg.text("number", (x, y), Anchor::Middle, unit.number(*timeout));
    }
    svg.text("small dim", (safe, top + 16.0), Anchor::Start, "shortest safe timeout →");
    svg.text("small dim", (safe, y), Anchor::Start, "death noticed within");
    for (x, lines) in
        bars.into_iter().zip([["traffic per session,", "kB an hour"], ["radio awake,", "minutes an hour"]])
    {
        svg.text("small dim", (x, top + 16.0), Anchor::Start, lines[0]);
        svg.text("small dim", (x, y), Anchor::Start, lines[1]);
    }
}

fn one_cell(
    svg: &mut Svg,
    cell: &Cell,
    area: Area,
    longest: Option<Duration>,
    within: Option<Duration>,
    text: String,
) {
    let middle = (area.x + area.width / 2.0, area.y + 19.0);
    let setting = format!("interval {}, timeout {}", round(cell.interval), round(cell.timeout));
    if !cell.is_safe() {
        let Summary { false_ends, sessions, .. } = cell.summary;
        let (mark, reason) = if cell.is_lucky {
            ("?", "no false disconnect, by luck: a longer timeout had some".to_owned())
        } else if cell.is_untried() {
            ("-", "not tried: no ping arrived in the simulated time".to_owned())
        } else {
            ("×", format!("{false_ends} of {sessions} sessions had a false disconnect"))
        };
        svg.titled_area("unsafe", area, &format!("{setting}: {reason}"));
        svg.text("cross", middle, Anchor::Middle, mark);
        return;
    }
    let shade = shade(cell.noticed_within, longest.unwrap_or_default());
    let title =
        format!("{setting}: no false disconnect, a death is noticed within {}", spoken(cell.noticed_within));
    svg.titled_area(&format!("h{shade}"), area, &title);
    svg.text(if shade < 3 { "number" } else { "number on-dark" }, middle, Anchor::Middle, text);
    if within.is_some() && cell.keeps(within) {
        svg.area("kept", area);
    }
}

/// Returns the shade of a time, the darkest one for the longest.
fn shade(time: Duration, longest: Duration) -> u32 {
    let share = time.as_secs_f64() / longest.as_secs_f64().max(f64::MIN_POSITIVE);
    (0..SHADES - 1).find(|shade| share <= f64::from(shade + 1) / f64::from(SHADES)).unwrap_or(SHADES - 1)
}

fn legend(svg: &mut Svg, sweep: &Sweep, top: f64) -> f64 {
    let swatch = |x: f64| Area { x, y: top - 11.0, width: 22.0, height: 14.0 };
    let mut x = LEFT;
    svg.area("unsafe", swatch(x));
    svg.text("small cross", (x + 11.0, top), Anchor::Middle, "×");
    svg.text("small", (x + 30.0, top), Anchor::Start, "ended sessions of two living ends");
    x += 230.0;
    for shade in 0..SHADES {
        svg.area(
            &format!("h{shade}"),
            Area { x: x + f64::from(shade) * 14.0, y: top - 11.0, width: 14.0, height: 14.0 },
        );
    }
    svg.text(
        "small",
        (x + 94.0, top),
        Anchor::Start,
        "how long a death goes unnoticed at most, from sooner to later",
    );
    if let Some(within) = sweep.within {
        x += 450.0;
        svg.area("kept", swatch(x));
        svg.text("small", (x + 30.0, top), Anchor::Start, format!("within {}", round(within)));
    }
    top + 14.0
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
