//! The picture of a dead peer, `core/docs/dead-peer.svg`, shows what the machines do with the default settings.
//!
//! The test draws the picture anew from a session and from `eio_core::detect`, and compares it with the committed file. A
//! drawing that differs is in `target/tmp`, from where it can be copied.

use core::fmt::Write as _;
use core::time::Duration;
use std::fs;
use std::path::Path;

use eio_core::detect::{self, Detection};
use eio_core::packet::{WebSocketMessage, v4};
use eio_core::{DisconnectReason, Heartbeat, Instant, Liveness, ServerSession};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const PICTURE: &str = "core/docs/dead-peer.svg";
const DRAWN: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/dead-peer.svg");

#[test]
fn the_picture_of_a_dead_peer_is_what_a_session_with_the_default_settings_does() {
    let drawn = draw(&Story::of(Heartbeat::DEFAULT));
    fs::write(DRAWN, &drawn).unwrap();
    let committed = fs::read_to_string(Path::new(ROOT).join(PICTURE)).unwrap_or_default();
    assert!(committed == drawn, "the picture differs: look at {DRAWN}, and copy it to {PICTURE}");
}

#[test]
fn other_settings_make_another_picture() {
    let heartbeat = Heartbeat::from_millis(10_000, 5_000).unwrap();
    let story = Story::of(heartbeat);
    assert_eq!((story.pings, story.noticed), ([10, 20], 25));
    let drawn = draw(&story);
    assert!(drawn.contains("noticed 5 to 15 s after its death"), "{drawn}");
}

/// Markdown takes the picture for HTML until the first empty line, and an `img` shows only a whole document.
#[test]
fn the_picture_can_stand_in_markdown_and_alone() {
    let drawn = draw(&Story::of(Heartbeat::DEFAULT));
    assert!(drawn.lines().all(|line| !line.trim().is_empty()));
    let first = drawn.lines().next().unwrap();
    assert!(
        first.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && first.ends_with('>'),
        "{first}"
    );
    assert!(drawn.ends_with("</svg>\n"));
    for name in [" id=\"", "class=\""].map(|attribute| drawn.split(attribute).skip(1)).into_iter().flatten() {
        assert!(name.starts_with("eio-"), "a name without our prefix could meet one of the page: {name}");
    }
}

/// Every page with the picture says in words what it shows.
#[test]
fn the_pages_with_the_picture_have_its_numbers_in_words() {
    let Detection { after_death_min, after_death_max, .. } =
        detect::eio4_server(Heartbeat::DEFAULT, Liveness::default());
    let range = format!("{} to {} s", after_death_min.as_secs(), after_death_max.as_secs());
    for page in ["README.md", "core/src/lib.rs", "docs/firmware.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap().replace("//!", "");
        let words: Vec<_> = text.split_whitespace().collect();
        let text = words.join(" ");
        let at = text.find("docs/dead-peer.svg").unwrap_or_else(|| panic!("{page} shows no picture"));
        let before = &text[..at];
        let section = before.rfind("# ").map_or(before, |heading| &before[heading..]);
        assert!(section.contains(&range), "{page} does not say {range:?} before the picture");
    }
}

/// What happens, in whole seconds from the opening of the session.
struct Story {
    /// The first is answered; the second is not.
    pings: [u64; 2],
    noticed: u64,
    interval: u64,
    timeout: u64,
    /// How soon after its death the server notices a client, at least and at most.
    after_death: [u64; 2],
}

impl Story {
    /// Runs a session whose client answers the first ping, and then dies.
    fn of(heartbeat: Heartbeat) -> Self {
        let mut now = Instant::from_micros(0);
        let mut session = ServerSession::eio4(heartbeat, Liveness::default(), now);
        let mut pings = Vec::new();
        let end = loop {
            session.handle_timeout(now);
            if let Some(end) = session.end() {
                break end;
            }
            while session.poll_transmit().is_some() {
                pings.push(seconds(Duration::from_micros(now.as_micros())));
                if pings.len() == 1 {
                    session.handle_packet(now, v4::decode(WebSocketMessage::Text("3")));
                }
            }
            now = session.poll_timeout().expect("a session that has not ended has a deadline");
        };
        assert_eq!(end.reason, DisconnectReason::PingTimeout);
        let noticed = seconds(Duration::from_micros(now.as_micros()));
        let detection = detect::eio4_server(heartbeat, Liveness::default());
        let after_death = [detection.after_death_min, detection.after_death_max].map(seconds);
        let client = detect::eio4_client(heartbeat);
        assert_eq!([client.after_death_min, client.after_death_max].map(seconds), after_death);
        let pings = <[u64; 2]>::try_from(pings).expect("two pings");
        // The client dies right before the second ping, or right after it has answered the first one.
        assert_eq!([noticed - pings[1], noticed - pings[0]], after_death);
        let [interval, timeout] = [heartbeat.ping_interval(), heartbeat.ping_timeout()].map(seconds);
        Self { pings, noticed, interval, timeout, after_death }
    }

    /// Returns the place of a time on the picture's axis.
    fn x(&self, seconds: u64) -> u64 {
        LEFT + seconds * (RIGHT - LEFT) / self.noticed
    }
}

fn seconds(duration: Duration) -> u64 {
    assert_eq!(duration.subsec_nanos(), 0, "the picture has whole seconds");
    duration.as_secs()
}

/// Where the opening of the session and its end are.
const LEFT: u64 = 96;
const RIGHT: u64 = 656;

/// Where the lines of the server and of the device are, and those that measure.
const SERVER: u64 = 112;
const DEVICE: u64 = 184;
const LONGEST: u64 = 252;
const SHORTEST: u64 = 300;
const AXIS: u64 = 332;

/// The colours: a name, what it is on a light page, and on a dark one. The picture has a ground of its own, so that it
/// can be read also where the page and the system disagree about the theme.
const COLORS: [(&str, &str, &str); 7] = [
    ("ground", "#ffffff", "#161b22"),
    ("edge", "#d0d7de", "#3d444d"),
    ("ink", "#1f2328", "#e6edf3"),
    ("soft", "#59636e", "#9aa7b3"),
    ("alive", "#0f766e", "#2dd4bf"),
    ("open", "#b45309", "#fbbf5a"),
    ("dead", "#b42318", "#ff8f82"),
];

fn draw(story: &Story) -> String {
    let mut picture = Picture::new(story);
    picture.lanes(story);
    picture.packets(story);
    picture.measures(story);
    picture.axis(story);
    picture.text(
        16,
        384,
        "soft",
        "A device is dead when nothing arrives from it any more: an empty battery, a pulled cable.",
    );
    let [min, max] = story.after_death;
    let other_way = format!(
        "The other way round it is the same: a device notices a dead server {min} to {max} s after its death."
    );
    picture.text(16, 404, "soft", &other_way);
    picture.finish()
}

struct Picture(String);

impl Picture {
    fn new(story: &Story) -> Self {
        let Story { interval, timeout, after_death: [min, max], .. } = story;
        let title = format!("A dead device is noticed {min} to {max} s after its death");
        let settings = format!("The default settings: pingInterval {interval} s, pingTimeout {timeout} s");
        let [pinged, unanswered] = story.pings;
        let description = format!(
            "The server pings after {pinged} s, and the device answers with a pong. Then the device dies. The server \
             waits for the pingInterval of {interval} s and pings again, at {unanswered} s. No pong comes within the \
             pingTimeout of {timeout} s. At {} s the server ends the session: ping timeout. If the device died right \
             after its pong, that is {max} s after its death; if it died right before the next ping, {min} s.",
            story.noticed,
        );
        let mut picture = Self(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 420\" width=\"800\" role=\"img\" \
             aria-labelledby=\"eio-dead-peer-title eio-dead-peer-text\" \
             style=\"max-width: 100%; height: auto\">\n"
                .to_owned(),
        );
        picture.line(format_args!("<title id=\"eio-dead-peer-title\">{title}</title>"));
        picture.line(format_args!("<desc id=\"eio-dead-peer-text\">{description}</desc>"));
        picture.style();
        picture.line(format_args!(
            "<g class=\"eio-dead-peer\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', \
             sans-serif\" font-size=\"14\" stroke-width=\"2\">"
        ));
        picture.line(format_args!(
            "<rect x=\"1\" y=\"1\" width=\"798\" height=\"418\" rx=\"10\" {} stroke-width=\"1\"/>",
            paint(&[("fill", "ground"), ("stroke", "edge")]),
        ));
        picture.styled(16, 34, "ink", "font-size=\"17\" font-weight=\"650\"", &title);
        picture.text(16, 56, "soft", &settings);
        picture
    }

    /// Adds the colours of dark pages. A theme that rustdoc has set goes before the system's.
    fn style(&mut self) {
        self.line(format_args!("<style>"));
        for (index, ground) in [
            "@media (prefers-color-scheme: dark) { :root:not([data-theme=\"light\"]) .eio-dead-peer {",
            ":root:is([data-theme=\"dark\"], [data-theme=\"ayu\"]) .eio-dead-peer {",
        ]
        .into_iter()
        .enumerate()
        {
            let values: Vec<_> = COLORS.iter().map(|(name, _, dark)| format!("--{name}: {dark}")).collect();
            let end = if index == 0 { "} }" } else { "}" };
            self.line(format_args!("{ground} {} {end}", values.join("; ")));
        }
        for property in ["fill", "stroke"] {
            for (name, light, _) in COLORS {
                self.line(format_args!(
                    ".eio-dead-peer .eio-{property}-{name} {{ {property}: var(--{name}, {light}) }}"
                ));
            }
        }
        self.line(format_args!("</style>"));
    }

    /// The lines of the server and of the device.
    fn lanes(&mut self, story: &Story) {
        let [answered, unanswered] = story.pings.map(|at| story.x(at));
        let noticed = story.x(story.noticed);
        for at in [answered, unanswered, noticed] {
            self.stroke(
                "edge",
                &format!("M{at} {SERVER}V{AXIS}"),
                "stroke-width=\"1\" stroke-dasharray=\"2 4\"",
            );
        }
        self.styled(16, SERVER + 5, "ink", "font-weight=\"650\"", "server");
        self.styled(16, DEVICE + 5, "ink", "font-weight=\"650\"", "device");
        self.text(LEFT, SERVER - 14, "soft", "the session opens");
        self.middle(
            u64::midpoint(answered, noticed),
            SERVER - 14,
            "open",
            "the session is open, but the device may be dead",
        );
        self.stroke(
            "alive",
            &format!("M{LEFT} {SERVER}H{answered}M{LEFT} {DEVICE}H{answered}"),
            "stroke-width=\"4\"",
        );
        self.stroke("open", &format!("M{answered} {SERVER}H{noticed}"), "stroke-width=\"4\"");
        self.stroke(
            "dead",
            &format!("M{answered} {DEVICE}H{unanswered}"),
            "stroke-width=\"4\" stroke-dasharray=\"5 4\"",
        );
        self.middle(u64::midpoint(answered, unanswered), DEVICE + 22, "dead", "dies at some time in here");
        self.line(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"14\" {}/>",
            noticed - 7,
            SERVER - 7,
            paint(&[("fill", "dead")]),
        ));
        self.styled(noticed + 14, SERVER - 2, "dead", "font-weight=\"650\"", "noticed:");
        self.styled(noticed + 14, SERVER + 16, "dead", "font-weight=\"650\"", "ping timeout");
    }

    /// The pings, and the only pong.
    fn packets(&mut self, story: &Story) {
        let [answered, unanswered] = story.pings.map(|at| story.x(at));
        let (down, up) = (answered - 8, answered + 8);
        let (top, bottom, label) = (SERVER + 4, DEVICE - 6, u64::midpoint(SERVER, DEVICE) + 5);
        self.stroke(
            "alive",
            &format!("M{down} {top}V{bottom}m-5 -8l5 8l5 -8M{up} {bottom}V{top}m-5 8l5 -8l5 8"),
            "",
        );
        self.end(down - 10, label, "ink", "ping");
        self.text(up + 10, label, "ink", "pong");
        self.stroke("open", &format!("M{unanswered} {top}V{bottom}"), "stroke-dasharray=\"4 3\"");
        self.stroke("open", &format!("M{} {}l5 8l5 -8", unanswered - 5, bottom - 8), "");
        self.end(unanswered - 10, label, "ink", "ping");
        self.text(unanswered + 10, label, "ink", "no pong");
    }

    /// The longest and the shortest time between death and its notice.
    fn measures(&mut self, story: &Story) {
        let [answered, unanswered] = story.pings.map(|at| story.x(at));
        let noticed = story.x(story.noticed);
        let Story { interval, timeout, after_death: [min, max], .. } = story;
        self.middle(
            u64::midpoint(answered, unanswered),
            LONGEST - 10,
            "soft",
            &format!("pingInterval {interval} s"),
        );
        for (y, from, label, length) in [
            (LONGEST, answered, "dies right after its pong", max),
            (SHORTEST, unanswered, "dies right before the next ping", min),
        ] {
            self.middle(
                u64::midpoint(unanswered, noticed),
                y - 10,
                "soft",
                &format!("pingTimeout {timeout} s"),
            );
            self.stroke(
                "open",
                &format!("M{from} {y}H{noticed}M{unanswered} {}v10M{noticed} {}v10", y - 5, y - 5),
                "",
            );
            self.stroke("dead", &format!("M{} {}l10 10m0 -10l-10 10", from - 5, y - 5), "stroke-width=\"3\"");
            self.end(from - 14, y + 5, "ink", label);
            self.styled(noticed + 14, y + 5, "ink", "font-weight=\"650\"", &format!("{length} s unnoticed"));
        }
    }

    fn axis(&mut self, story: &Story) {
        let right = story.x(story.noticed);
        self.stroke("soft", &format!("M{LEFT} {AXIS}H{right}"), "stroke-width=\"1\"");
        for at in [0, story.pings[0], story.pings[1], story.noticed] {
            let x = story.x(at);
            self.stroke("soft", &format!("M{x} {AXIS}v5"), "stroke-width=\"1\"");
            self.middle(x, AXIS + 20, "soft", &format!("{at} s"));
        }
    }

    fn text(&mut self, x: u64, y: u64, color: &str, text: &str) {
        self.styled(x, y, color, "", text);
    }

    fn middle(&mut self, x: u64, y: u64, color: &str, text: &str) {
        self.styled(x, y, color, "text-anchor=\"middle\"", text);
    }

    fn end(&mut self, x: u64, y: u64, color: &str, text: &str) {
        self.styled(x, y, color, "text-anchor=\"end\"", text);
    }

    fn styled(&mut self, x: u64, y: u64, color: &str, attributes: &str, text: &str) {
        let paint = paint(&[("fill", color)]);
        self.line(format_args!("<text x=\"{x}\" y=\"{y}\" {paint} {attributes}>{text}</text>"));
    }

    fn stroke(&mut self, color: &str, path: &str, attributes: &str) {
        let paint = paint(&[("stroke", color)]);
        self.line(format_args!("<path d=\"{path}\" fill=\"none\" {paint} {attributes}/>"));
    }

    fn line(&mut self, line: core::fmt::Arguments<'_>) {
        let line = line.to_string().replace(" >", ">").replace(" />", "/>");
        writeln!(self.0, "{line}").unwrap();
    }

    fn finish(mut self) -> String {
        self.0.push_str("</g>\n</svg>\n");
        self.0
    }
}

/// Returns the attributes for these properties and their colours: the light ones also for programs that know no style.
fn paint(colors: &[(&str, &str)]) -> String {
    let classes: Vec<_> = colors.iter().map(|(property, color)| format!("eio-{property}-{color}")).collect();
    let mut attributes = format!("class=\"{}\"", classes.join(" "));
    for (property, color) in colors {
        let (_, light, _) = COLORS.iter().find(|(name, ..)| name == color).expect("a color of the picture");
        write!(attributes, " {property}=\"{light}\"").unwrap();
    }
    attributes
}
