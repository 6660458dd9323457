//! The ratios as a picture: an SVG of bars on a logarithmic axis, readable on light and on dark pages.
//!
//! Right of the line is better than what the row compares with, left of it is worse. Costs are turned round for that.

use core::fmt::Write as _;

use crate::bench::line::{Line, Measured, lines};
use crate::bench::number::digits;
use crate::bench::results::Results;
use crate::bench::row::{Base, Better, Goal};
use crate::bench::server::Server;
use crate::bench::statistics::Summary;

const WIDTH: f64 = 1_200.0;
/// Where the axis begins and ends.
const AXIS: (f64, f64) = (590.0, 1_140.0);
/// The powers of two that the axis shows. What lies beyond ends at its edge.
const POWERS: (i32, i32) = (-5, 3);
const HEAD: f64 = 86.0;
const BAR: f64 = 11.0;
const GAP: f64 = 12.0;

const STYLE: &str = "
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .title { font-size: 18px; font-weight: 600 } .small { font-size: 11px }
  .grid { stroke: #d1d9e0; stroke-width: 1 } .one { stroke: #59636e; stroke-width: 2 }
  .spread { stroke: #1f2328; stroke-width: 1.5 } .goal { stroke: #d1242f; stroke-width: 3 }
  .ours { fill: #0969da } .bare { fill: #818b98 } .engineioxide { fill: #bc4c00 }
  .bun { fill: #8250df } .node { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
    .spread { stroke: #f0f6fc } .goal { stroke: #ff7b72 } .ours { fill: #4493f8 } .bare { fill: #9198a1 }
    .engineioxide { fill: #f0883e } .bun { fill: #ab7df8 } .node { fill: #3fb950 }
  }
";

/// The picture of everything that has a ratio.
pub(crate) fn render(results: &Results) -> String {
    let mut body = String::new();
    let mut top = HEAD;
    for line in &lines(results) {
        top = group(&mut body, line, top);
    }
    let height = top + 30.0;
    let title = escaped(&format!("eio beside other servers: {}", results.machine.sentence()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"20\" y=\"30\">{title}</text>\n{}{}{body}</svg>\n",
        legend(),
        axis(top),
    )
}

/// The bars of one line, below `top`. Returns where the next group begins.
fn group(body: &mut String, line: &Line, top: f64) -> f64 {
    let Some(base) = base(line) else { return top };
    let shown: Vec<(Server, Summary)> = Server::ALL
        .into_iter()
        .filter_map(|server| Some((server, bar(line, line.measured(server)?, base)?)))
        .collect();
    if shown.is_empty() {
        return top;
    }
    let bottom = top + f64::from(u32::try_from(shown.len()).unwrap_or(0)) * BAR;
    let middle = f64::midpoint(top, bottom);
    let _ = writeln!(
        body,
        "<text x=\"20\" y=\"{:.1}\" class=\"small\">{} <tspan opacity=\"0.7\">(to {})</tspan></text>",
        middle + 4.0,
        escaped(&line.title()),
        line.row.title_of(base)
    );
    for (place, (server, ratio)) in (0u32..).zip(&shown) {
        one_bar(body, line, *server, ratio, top + f64::from(place) * BAR);
    }
    if let Goal::Times(times, Base::Server(of)) = line.metric.goal
        && of == base
    {
        let x = x_of(better_is_more(line, times));
        let _ = writeln!(
            body,
            "<line class=\"goal\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            top - 2.0,
            top + BAR
        );
    }
    bottom + GAP
}

/// What a line's bars are relative to: the bare loop, or engineioxide where there is none.
fn base(line: &Line) -> Option<Server> {
    [Server::Bare, Server::Engineioxide].into_iter().find(|server| line.measured(*server).is_some())
}

/// A server's ratio to the base, turned so that more is better.
fn bar(line: &Line, measured: &Measured, base: Server) -> Option<Summary> {
    let ratio = if base == Server::Bare { measured.to_bare? } else { measured.to_engineioxide? };
    Summary::of([ratio.lower, ratio.median, ratio.upper].map(|value| better_is_more(line, value)))
}

fn better_is_more(line: &Line, ratio: f64) -> f64 {
    if line.metric.better == Better::More { ratio } else { 1.0 / ratio }
}

fn one_bar(body: &mut String, line: &Line, server: Server, ratio: &Summary, top: f64) {
    let (start, end) = (x_of(1.0), x_of(ratio.median));
    let (left, width) = (start.min(end), (end - start).abs());
    let middle = top + BAR / 2.0;
    let _ = writeln!(
        body,
        "<rect class=\"{}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\">\
         <title>{}: {}</title></rect>",
        server.name(),
        BAR - 2.0,
        line.row.title_of(server),
        digits(ratio.median)
    );
    let _ = writeln!(
        body,
        "<line class=\"spread\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
        x_of(ratio.least),
        x_of(ratio.most),
    );
    // Beyond the end of the bar and of the line for the spread.
    let (anchor, x) = if end < start {
        ("end", end.min(x_of(ratio.least)) - 5.0)
    } else {
        ("start", end.max(x_of(ratio.most)) + 5.0)
    };
    let _ = writeln!(
        body,
        "<text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        middle + 4.0,
        digits(ratio.median)
    );
}

/// The lines of the axis, down to `bottom`, and their numbers.
fn axis(bottom: f64) -> String {
    let mut text = String::new();
    for power in POWERS.0..=POWERS.1 {
        let x = x_of(f64::from(power).exp2());
        let class = if power == 0 { "one" } else { "grid" };
        let word = if power < 0 { format!("1/{}", 1 << -power) } else { (1 << power).to_string() };
        let _ = writeln!(
            text,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{word}</text>",
            HEAD - 8.0,
            HEAD - 14.0
        );
    }
    text
}

fn legend() -> String {
    let mut text =
        String::from("<text class=\"small\" x=\"20\" y=\"52\">right of the line is better</text>\n");
    for (place, server) in (0u32..).zip(Server::ALL.into_iter().filter(|server| *server != Server::Bare)) {
        let x = 220.0 + f64::from(place) * 180.0;
        let _ = writeln!(
            text,
            "<rect class=\"{}\" x=\"{x}\" y=\"43\" width=\"12\" height=\"10\"/>\
             <text class=\"small\" x=\"{}\" y=\"52\">{}</text>",
            server.name(),
            x + 18.0,
            server.column()
        );
    }
    let x = 220.0 + 4.0 * 180.0;
    let _ = writeln!(
        text,
        "<line class=\"goal\" x1=\"{x}\" x2=\"{x}\" y1=\"42\" y2=\"54\"/>\
         <text class=\"small\" x=\"{}\" y=\"52\">goal</text>",
        x + 10.0
    );
    text
}

/// Where a ratio lies on the axis.
fn x_of(ratio: f64) -> f64 {
    let (first, last) = (f64::from(POWERS.0), f64::from(POWERS.1));
    let power = ratio.log2().clamp(first, last);
    AXIS.0 + (power - first) / (last - first) * (AXIS.1 - AXIS.0)
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace(|character: char| character.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    fn sample() -> Results {
        results(&[
            ("echo-20x16", Server::Ours, "per_second", &[50.0, 51.0, 49.0]),
            ("echo-20x16", Server::Bare, "per_second", &[100.0; 3]),
            ("echo-20x16", Server::Node, "per_second", &[0.001; 3]),
            ("churn", Server::Ours, "server_cpu_us", &[200.0; 3]),
            ("churn", Server::Bare, "server_cpu_us", &[100.0; 3]),
            ("polling-roundtrips", Server::Ours, "per_second", &[4.0; 3]),
            ("polling-roundtrips", Server::Engineioxide, "per_second", &[2.0; 3]),
            ("start", Server::Ours, "ms", &[4.0; 3]),
        ])
    }

    #[test]
    fn a_cost_that_is_twice_as_high_is_as_long_as_a_rate_that_is_half_as_high() {
        let text = render(&sample());
        assert_eq!(text.matches("<title>ours: 0.50</title>").count(), 2, "{text}");
    }

    #[test]
    fn without_a_bare_loop_bars_are_relative_to_engineioxide() {
        let text = render(&sample());
        assert!(text.contains("(to engineioxide)") && text.contains("<title>ours: 2.00</title>"), "{text}");
        assert!(!text.contains("start of the program"), "a line without a ratio has no bars");
    }

    #[test]
    fn nothing_lies_outside_of_the_picture() {
        assert!((x_of(1e-9) - AXIS.0).abs() < 1e-9 && (x_of(1e9) - AXIS.1).abs() < 1e-9);
        assert!(AXIS.1 + 40.0 < WIDTH, "a number beside the longest bar fits");
    }

    #[test]
    fn every_element_is_closed_and_text_is_escaped() {
        let text = render(&sample());
        assert!(text.contains("Any &lt;CPU&gt; &amp; \"more\""), "{text}");
        for element in ["svg", "style", "title", "text", "tspan"] {
            let opened =
                text.matches(&format!("<{element}>")).count() + text.matches(&format!("<{element} ")).count();
            assert_eq!(opened, text.matches(&format!("</{element}>")).count(), "{element}");
        }
    }

    #[test]
    fn both_backgrounds_have_colours_of_their_own() {
        let text = render(&sample());
        assert!(text.contains("prefers-color-scheme: dark") && text.contains("class=\"page\""));
        for server in Server::ALL {
            assert_eq!(STYLE.matches(&format!(".{} {{", server.name())).count(), 2, "{}", server.name());
        }
    }
}
