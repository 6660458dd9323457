//! The gateway's story: users log in, and one of them vanishes, in every way in which browsers do. Everybody else hears of
//! it once, in time, and for the true reason. When the gateway itself stalls, nobody leaves.
//!
//! The gateway is `socketio/examples/gateway.rs`, in a process of its own, with an interval of 5 seconds and a timeout of 3.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::BTreeMap;
use std::process::Stdio;

use eio_tests::built::example;
use eio_tests::interop::{Browser, Case, Log, Mode, Network, interop_folder, soon};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::peer::{Library, Peer};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);

/// How late a machine that runs five browsers hears of something.
const LATE: Duration = Duration::from_secs(1);

/// When everybody hears of who is gone, for the kernel, or the browser, says so.
const AT_ONCE: RangeInclusive<Duration> = Duration::ZERO..=LATE;

/// When everybody hears of who is silent: the last ping was at most an interval before, or a timeout after.
const IN_TIME: RangeInclusive<Duration> =
    TIMEOUT.saturating_sub(LATE)..=INTERVAL.saturating_add(TIMEOUT).saturating_add(LATE);

/// How far apart the pings of clients may be that survive a stall of twice the timeout, less some time for a slow machine.
const TOGETHER: Duration = Duration::from_millis(1_200);

/// How long nothing more is heard.
const QUIET: Duration = Duration::from_secs(3);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("the gateway: a browser is killed, and everybody hears of it at once", killed),
        Case::new("the gateway: a tab is closed, and everybody hears of it at once", closed),
        Case::new("the gateway: a tab freezes, and everybody hears of it after 8 seconds at most", frozen),
        Case::new(
            "the gateway: a cable is pulled, and everybody hears of it after 8 seconds at most",
            unplugged,
        ),
        Case::new("the gateway: it stalls for twice its timeout, and nobody leaves", stalled),
    ]
}

async fn killed(log: Log) {
    let mut story = Story::start(&log).await;
    let browser = story.log_in("Ada", &log);
    story.settle().await;
    let since = Instant::now();
    signal("KILL", browser.id());
    story.hears_of_it(since, AT_ONCE, ["transport error", "transport close"]).await;
    story.hears_no_more().await;
}

async fn closed(log: Log) {
    let mut story = Story::start(&log).await;
    let browser = story.log_in("Ben", &log);
    story.settle().await;
    let since = Instant::now();
    browser.close_tab("name=Ben").await;
    story.hears_of_it(since, AT_ONCE, ["transport error", "transport close"]).await;
    story.hears_no_more().await;
}

async fn frozen(log: Log) {
    let mut story = Story::start(&log).await;
    let browser = story.log_in("Cleo", &log);
    story.settle().await;
    let since = Instant::now();
    let pages = browser.renderers();
    assert!(!pages.is_empty(), "the page runs in a process");
    for page in pages {
        signal("STOP", page);
    }
    story.hears_of_it(since, IN_TIME, ["ping timeout"; 2]).await;
    story.hears_no_more().await;
}

async fn unplugged(log: Log) {
    let mut story = Story::start(&log).await;
    let network = Network::new();
    let _browser = story.log_in_from("Dana", &network.host, &network.inside(), &log);
    story.settle().await;
    let since = Instant::now();
    network.pull_cable();
    story.hears_of_it(since, IN_TIME, ["ping timeout"; 2]).await;
    story.hears_no_more().await;
}

async fn stalled(log: Log) {
    let mut story = Story::start_alone(&log).await;
    // They hear that the page is there, and their processes have started then.
    story.let_others_in(&log).await;
    let _browser = story.log_in("Emil", &log);
    story.settle().await;
    story.log_in_with_the_page(&log).await;
    let gateway = story.gateway.id().expect("it runs");
    signal("STOP", gateway);
    sleep(TIMEOUT * 2).await;
    signal("CONT", gateway);
    // Two pings later nobody has left, and everybody is heard.
    sleep(INTERVAL * 2).await;
    for at in 0..story.others.len() {
        let heard = story.others[at].1.call("say", &json!(["still here"])).await;
        assert_eq!(heard, json!([story.others.len() + 1]), "the others, and the two users of the page");
    }
    story.hears_no_more().await;
}

/// A gateway, and the clients that hear what happens to others.
struct Story {
    port: u16,
    gateway: Child,
    others: Vec<(&'static str, Client)>,
    /// Whose page it is.
    name: &'static str,
    /// When the others have heard that the page has joined.
    page_joined: Option<Instant>,
}

impl Story {
    async fn start(log: &Log) -> Self {
        let mut story = Self::start_alone(log).await;
        story.let_others_in(log).await;
        story
    }

    async fn start_alone(log: &Log) -> Self {
        let mut command = Command::new(example("gateway"));
        command.arg("0.0.0.0:0").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut gateway = command.spawn().expect("it was built");
        let mut lines = BufReader::new(gateway.stdout.take().expect("a pipe was asked for")).lines();
        let first =
            soon("the gateway to listen", lines.next_line()).await.expect("it says so").unwrap_or_default();
        let port =
            first.rsplit(':').next().and_then(|port| port.parse().ok()).expect("its port is in the line");
        let log = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.line("gateway", &line);
            }
        });
        Self { port, gateway, others: Vec::new(), name: "", page_joined: None }
    }

    /// Other people log in when the page is pinged. Clients count from the last ping, and a stall is survived if it begins
    /// when all of them have just been pinged.
    async fn log_in_with_the_page(&mut self, log: &Log) {
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            for (_, mut early) in self.others.drain(..) {
                early.command("leave", json!({}));
                early.disconnected().await;
            }
            let joined = self.page_joined.expect("everybody has heard of it");
            let intervals = joined.elapsed().as_secs() / INTERVAL.as_secs() + 1;
            let pinged = joined + Duration::from_secs(intervals * INTERVAL.as_secs());
            tokio::time::sleep_until(pinged).await;
            self.let_others_in(log).await;
            if pinged.elapsed() < TOGETHER {
                return;
            }
        }
        panic!("three clients do not log in within {TOGETHER:?}");
    }

    /// Other people log in: on a WebSocket, on polling, and with another library.
    async fn let_others_in(&mut self, log: &Log) {
        let (olga, otto, owen) = tokio::join!(
            Box::pin(self.let_in("Olga", Library::JavaScript4, Mode::WebSocket, log)),
            Box::pin(self.let_in("Otto", Library::JavaScript4, Mode::Polling, log)),
            Box::pin(self.let_in("Owen", Library::Python, Mode::Upgrade, log)),
        );
        self.others = vec![("Olga", olga), ("Otto", otto), ("Owen", owen)];
    }

    async fn let_in(&self, name: &str, library: Library, mode: Mode, log: &Log) -> Client {
        let auth = json!({ "auth": { "name": name } });
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut client = Client::open_at(Peer { library, mode }, &url, auth, log).await;
        client.joined().await;
        client.settled().await;
        client
    }

    /// A browser starts, and logs in with two users, one on polling and one on a WebSocket.
    fn log_in(&mut self, name: &'static str, log: &Log) -> Browser {
        self.log_in_from(name, "127.0.0.1", &[], log)
    }

    fn log_in_from(&mut self, name: &'static str, host: &str, inside: &[&str], log: &Log) -> Browser {
        self.name = name;
        let page = interop_folder().join("gateway.html");
        let url = format!("file://{}?server=http://{host}:{}&name={name}", page.display(), self.port);
        Browser::start_inside(inside, &url, log)
    }

    /// The users of the page, by their transport.
    fn users(&self) -> [String; 2] {
        ["polling", "websocket"].map(|transport| format!("{} on {transport}", self.name))
    }

    /// Waits until everybody has heard that the users of the page are where they stay.
    async fn settle(&mut self) {
        let users = self.users().map(|user| json!([format!("{user} is here")]));
        for (_, other) in &mut self.others {
            let mut here = 0;
            while here < users.len() {
                let (name, args) = other.event().await;
                assert_ne!(name, "left", "{args}");
                if name == "joined" && args[0].as_str().is_some_and(|user| user.starts_with(self.name)) {
                    self.page_joined.get_or_insert_with(Instant::now);
                }
                here += usize::from(name == "said" && users.contains(&args));
            }
        }
        // A poll is pending then.
        sleep(Duration::from_millis(500)).await;
    }

    /// Everybody hears that the users of the page have left, in time and for these reasons.
    async fn hears_of_it(&mut self, since: Instant, when: RangeInclusive<Duration>, reasons: [&str; 2]) {
        let expected: BTreeMap<_, _> = self.users().into_iter().zip(reasons.map(str::to_owned)).collect();
        for (who, other) in &mut self.others {
            let mut heard = BTreeMap::new();
            while heard.len() < expected.len() {
                let (name, args) = other.event().await;
                if name == "left" {
                    let took = since.elapsed();
                    assert!(when.contains(&took), "{who} hears {args} after {took:?}");
                    let text = |at: usize| args[at].as_str().unwrap_or_default().to_owned();
                    assert_eq!(heard.insert(text(0), text(1)), None, "{who} hears it twice");
                }
            }
            assert_eq!(heard, expected, "what {who} hears");
        }
    }

    /// Nobody hears of another end, and nobody's own session ends.
    async fn hears_no_more(&mut self) {
        sleep(QUIET).await;
        for (who, other) in &mut self.others {
            while other.has_told("event") {
                let (name, args) = other.event().await;
                assert_ne!(name, "left", "{who} hears {args}");
            }
            assert!(!other.has_told("disconnect"), "{who} is disconnected");
        }
    }
}

fn signal(signal: &str, process: u32) {
    let signalled =
        std::process::Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(signalled.expect("there is `kill`").success(), "kill -{signal} {process}");
}
