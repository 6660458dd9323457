//! An SVG as text: shapes and words, readable on light and on dark pages.

use core::fmt::{self, Write as _};

/// The colours. A class has one on light pages and one on dark pages.
const STYLE: &str = "
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .title { font-size: 19px; font-weight: 600 } .answer { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px } .dim { fill: #59636e } .number { font-variant-numeric: tabular-nums }
  .h0 { fill: #e6f0fb } .h1 { fill: #c3dbf5 } .h2 { fill: #97c0ec } .h3 { fill: #4a8fd6 } .h4 { fill: #2467ad } .h5 { fill: #154375 }
  .on-dark { fill: #ffffff } .unsafe { fill: #eff1f3 } .cross { fill: #b3261e; font-weight: 600 }
  .kept { fill: none; stroke: #1a7f37; stroke-width: 2 } .best { fill: none; stroke: #1a7f37; stroke-width: 4 }
  .bar { fill: #8250df } .bar2 { fill: #bc4c00 } .bar3 { fill: #2467ad } .axis { stroke: #818b98; stroke-width: 1 }
  .lane { stroke: #1f2328; stroke-width: 2 } .ping { stroke: #0969da; stroke-width: 1.6; fill: none }
  .pong { stroke: #1a7f37; stroke-width: 1.6; fill: none } .lost { stroke-dasharray: 4 3 }
  .tunnel { fill: #d9dee3 } .stall { fill: #f6d9b8 } .death { stroke: #b3261e; stroke-width: 3 } .bad { fill: #b3261e; font-weight: 600 }
  .good { fill: #1a7f37; font-weight: 600 } .silence { fill: #f9d7d4 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .dim { fill: #9198a1 }
    .h0 { fill: #10263f } .h1 { fill: #153a61 } .h2 { fill: #1c5088 } .h3 { fill: #4a8fd6 } .h4 { fill: #86b9ec } .h5 { fill: #c3dbf5 }
    .on-dark { fill: #0d1117 } .unsafe { fill: #1c2128 } .cross { fill: #ff7b72 } .kept, .best { stroke: #3fb950 }
    .bar { fill: #ab7df8 } .bar2 { fill: #f0883e } .bar3 { fill: #4a8fd6 } .axis { stroke: #656c76 } .lane { stroke: #f0f6fc }
    .ping { stroke: #4493f8 } .pong { stroke: #3fb950 } .tunnel { fill: #2d333b } .stall { fill: #553a1a }
    .death { stroke: #ff7b72 } .bad { fill: #ff7b72 } .good { fill: #3fb950 } .silence { fill: #4a1f1d }
  }
";

/// The height of a line of words.
pub(super) const LINE: f64 = 20.0;

/// Where a text is, relative to its position.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The shapes of a picture.
#[derive(Debug, Default)]
pub(super) struct Svg {
    body: String,
}

impl Svg {
    pub(super) fn area(&mut self, class: &str, area: Area) {
        self.titled_area(class, area, "");
    }

    /// Adds a rectangle that shows `title` when the pointer is on it.
    pub(super) fn titled_area(&mut self, class: &str, area: Area, title: &str) {
        let Area { x, y, width, height } = area;
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\""
        );
        let _ = if title.is_empty() {
            writeln!(self.body, "/>")
        } else {
            writeln!(self.body, "><title>{}</title></rect>", escaped(title))
        };
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: impl fmt::Display) {
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{}\">{}</text>",
            anchor.name(),
            escaped(&text.to_string())
        );
    }

    /// Adds a text on as many lines as it takes. Returns where the next line is.
    pub(super) fn paragraph(&mut self, class: &str, (x, top): (f64, f64), width: f64, text: &str) -> f64 {
        // How wide a letter of a usual font is on average. A browser decides in the end.
        let letter = if class == "answer" { 8.6 } else { 7.4 };
        let (mut y, mut line, mut len) = (top, String::new(), 0.0);
        for word in text.split(' ') {
            let more = letter * word.chars().fold(1.0, |letters, _| letters + 1.0);
            if !line.is_empty() && len + more > width {
                self.text(class, (x, y), Anchor::Start, &line);
                y += LINE;
                line.clear();
                len = 0.0;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            len += more;
        }
        self.text(class, (x, y), Anchor::Start, &line);
        y + LINE
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// Returns the whole file.
    pub(super) fn finish(self, title: &str, width: f64, height: f64) -> String {
        let title = escaped(title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n{}</svg>\n",
            self.body
        )
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    text.replace(|character: char| character.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_every_element_is_closed() {
        let mut svg = Svg::default();
        let area = Area { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
        svg.titled_area("h0", area, "<b>\u{1b}&");
        svg.text("dim", (1.0, 2.0), Anchor::End, "a < \"b\"");
        let file = svg.finish("x & y", 10.0, 20.0);
        assert!(file.contains("<title>&lt;b&gt; &amp;</title></rect>"), "{file}");
        assert!(file.contains("a &lt; &quot;b&quot;") && file.contains("<title>x &amp; y</title>"), "{file}");
        assert_eq!(file.matches("<title>").count(), file.matches("</title>").count());
    }

    #[test]
    fn words_that_are_too_many_for_a_line_go_on_below_and_none_is_lost() {
        let sentence = "a tunnel of 30 s every 5 min, ".repeat(9);
        let mut svg = Svg::default();
        let next = svg.paragraph("dim", (24.0, 100.0), 600.0, sentence.trim_end());
        let lines: Vec<&str> = svg.body.lines().collect();
        assert!((3..=5).contains(&lines.len()), "{lines:?}");
        assert!((next - 100.0 - 20.0 * f64::from(u8::try_from(lines.len()).unwrap())).abs() < 0.1);
        let words: Vec<_> = lines.iter().map(|line| line.split(['>', '<']).nth(2).unwrap()).collect();
        assert!(words.iter().all(|words| words.len() <= 81), "{words:?}");
        assert_eq!(words.join(" "), sentence.trim_end());
    }

    #[test]
    fn dark_pages_have_colours_of_their_own() {
        let (light, dark) = STYLE.split_once("@media").unwrap();
        for class in [
            "page", "dim", "h0", "h5", "unsafe", "cross", "bar", "ping", "pong", "tunnel", "stall", "death",
            "silence",
        ] {
            for style in [light, dark] {
                assert!(style.contains(&format!(".{class} {{")), "{class}");
            }
        }
    }
}
