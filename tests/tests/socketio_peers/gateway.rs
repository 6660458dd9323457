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
use eio_tests::signal::send_signal;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::peer::{Library, Peer};

const POLLING: &str = "polling";
const WEBSOCKET: &str = "websocket";

/// Where the gateway is.
const HERE: &str = "127.0.0.1";

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);

/// How late a machine that runs six browsers hears of something.
const LATE: Duration = Duration::from_secs(2);

/// When everybody hears of who is gone, for the kernel, or the browser, says so: long before anybody notices the silence.
const AT_ONCE: RangeInclusive<Duration> = Duration::ZERO..=LATE;

/// When everybody hears of who is silent: the last ping was at most an interval before, or a timeout after.
const IN_TIME: RangeInclusive<Duration> =
    TIMEOUT.saturating_sub(LATE)..=INTERVAL.saturating_add(TIMEOUT).saturating_add(LATE);

/// How far apart the pings of clients may be that survive a stall of twice the timeout, less some time for a slow machine.
const TOGETHER: Duration = Duration::from_millis(1_200);

/// Held while a browser starts, which takes all of the processor: two at a time would keep clients from answering pings.
static STARTING: Mutex<()> = Mutex::const_new(());

/// How long it takes those who have heard something on polling to poll again.
const BETWEEN: Duration = Duration::from_millis(500);

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

/// One after the other: what others hear answers the poll that has to be pending.
async fn killed(log: Log) {
    let mut story = Story::start(&log).await;
    let ada = story.log_in("Ada", &[WEBSOCKET], &log).await;
    let alan = story.log_in("Alan", &[POLLING], &log).await;
    story.settle().await;
    story.hears_of(kill(&ada), AT_ONCE, &[("Ada on websocket", "transport close")]).await;
    sleep(BETWEEN).await;
    story.hears_of(kill(&alan), AT_ONCE, &[("Alan on polling", "transport error")]).await;
    story.hears_no_more().await;
}

async fn closed(log: Log) {
    let mut story = Story::start(&log).await;
    let browser = story.log_in("Ben", &[WEBSOCKET], &log).await;
    browser.open_tab(&story.page("Bea", &[POLLING], HERE)).await;
    browser.open_tab("about:blank").await;
    story.settle().await;
    let since = Instant::now();
    browser.close_tab("name=Ben").await;
    story.hears_of(since, AT_ONCE, &[("Ben on websocket", "transport close")]).await;
    sleep(BETWEEN).await;
    let since = Instant::now();
    browser.close_tab("name=Bea").await;
    story.hears_of(since, AT_ONCE, &[("Bea on polling", "transport error")]).await;
    story.hears_no_more().await;
}

async fn frozen(log: Log) {
    let mut story = Story::start(&log).await;
    let browser = story.log_in("Cleo", &[POLLING, WEBSOCKET], &log).await;
    story.settle().await;
    let since = Instant::now();
    let pages = browser.renderers();
    assert!(!pages.is_empty(), "the page runs in a process");
    for page in pages {
        send_signal("STOP", page);
    }
    let reasons = [("Cleo on polling", "ping timeout"), ("Cleo on websocket", "ping timeout")];
    story.hears_of(since, IN_TIME, &reasons).await;
    story.hears_no_more().await;
}

async fn unplugged(log: Log) {
    let mut story = Story::start(&log).await;
    let network = Network::new();
    let page = story.page("Dana", &[POLLING, WEBSOCKET], &network.host);
    let _browser = story.start_browser(&network.inside(), &page, &log).await;
    story.settle().await;
    let since = Instant::now();
    network.pull_cable();
    let reasons = [("Dana on polling", "ping timeout"), ("Dana on websocket", "ping timeout")];
    story.hears_of(since, IN_TIME, &reasons).await;
    story.hears_no_more().await;
}

async fn stalled(log: Log) {
    let mut story = Story::start_alone(&log).await;
    // They hear that the page is there, and their processes have started then.
    story.let_others_in(&log).await;
    let page = story.page("Emil", &[POLLING, WEBSOCKET], HERE);
    let _browser = story.start_browser(&[], &format!("{page}&pings"), &log).await;
    story.settle().await;
    story.log_in_with_the_page(&log).await;
    let gateway = story.gateway.id().expect("it runs");
    send_signal("STOP", gateway);
    sleep(TIMEOUT * 2).await;
    send_signal("CONT", gateway);
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
    others: Vec<(String, Client)>,
    /// Others who have logged out.
    gone: Vec<serde_json::Value>,
    /// The users of pages.
    users: Vec<String>,
    starting: Option<MutexGuard<'static, ()>>,
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
        Self { port, gateway, others: Vec::new(), gone: Vec::new(), users: Vec::new(), starting: None }
    }

    /// Other people log out, and in again when the page is pinged. Clients count from the last ping, and a stall is survived if
    /// it begins when all of them have just been pinged.
    async fn log_in_with_the_page(&mut self, log: &Log) {
        const TRIES: usize = 8;
        let said = ("said".to_owned(), json!([format!("{} is pinged", self.users[0])]));
        for _ in 0..TRIES {
            let (_, first) = self.others.first_mut().expect("somebody hears it");
            while first.has_told("event") {
                first.event().await;
            }
            while first.event().await != said {}
            let since = Instant::now();
            for (_, other) in &self.others {
                other.command("leave", json!({}));
            }
            for (name, mut other) in self.others.drain(..) {
                other.disconnected().await;
                self.gone.push(name.into());
            }
            self.let_others_in(log).await;
            if since.elapsed() < TOGETHER {
                return;
            }
        }
        panic!("three clients do not log in within {TOGETHER:?}");
    }

    /// Other people log in: on a WebSocket, on polling, and with another library.
    async fn let_others_in(&mut self, log: &Log) {
        // Those who log in again have other names.
        let [olga, otto, owen] = ["Olga", "Otto", "Owen"].map(|name| format!("{name} {}", self.gone.len()));
        let (first, second, third) = tokio::join!(
            Box::pin(self.let_in(&olga, Library::JavaScript4, Mode::WebSocket, log)),
            Box::pin(self.let_in(&otto, Library::JavaScript4, Mode::Polling, log)),
            Box::pin(self.let_in(&owen, Library::Python, Mode::Upgrade, log)),
        );
        self.others = vec![(olga, first), (otto, second), (owen, third)];
    }

    async fn let_in(&self, name: &str, library: Library, mode: Mode, log: &Log) -> Client {
        let auth = json!({ "auth": { "name": name } });
        let url = format!("http://{HERE}:{}", self.port);
        let mut client = Client::open_at(Peer { library, mode }, &url, auth, log).await;
        client.joined().await;
        client.settled().await;
        client
    }

    /// A browser starts, and logs in with a user for each of these transports.
    async fn log_in(&mut self, name: &str, on: &[&str], log: &Log) -> Browser {
        let page = self.page(name, on, HERE);
        self.start_browser(&[], &page, log).await
    }

    /// A browser starts, run by another command if there is one. [`settle`](Self::settle) follows.
    async fn start_browser(&mut self, inside: &[&str], page: &str, log: &Log) -> Browser {
        if self.starting.is_none() {
            self.starting = Some(STARTING.lock().await);
        }
        Browser::start_inside(inside, page, log)
    }

    /// The URL of a page that logs in with a user for each of these transports, if the gateway is at this host.
    fn page(&mut self, name: &str, on: &[&str], host: &str) -> String {
        self.users.extend(on.iter().map(|transport| format!("{name} on {transport}")));
        let page = interop_folder().join("gateway.html");
        let (page, on) = (page.display(), on.join(","));
        format!("file://{page}?server=http://{host}:{}&name={name}&on={on}", self.port)
    }

    /// Waits until everybody has heard that the users of pages are where they stay.
    async fn settle(&mut self) {
        let here: Vec<_> = self.users.iter().map(|user| json!([format!("{user} is here")])).collect();
        for (_, other) in &mut self.others {
            let mut count = 0;
            while count < here.len() {
                let (name, args) = other.event().await;
                assert_ne!(name, "left", "{args}");
                count += usize::from(name == "said" && here.contains(&args));
            }
        }
        self.starting = None;
        sleep(BETWEEN).await;
    }

    /// Everybody hears that these users have left, in time and for these reasons.
    async fn hears_of(&mut self, since: Instant, when: RangeInclusive<Duration>, ends: &[(&str, &str)]) {
        let expected: BTreeMap<_, _> =
            ends.iter().map(|(user, reason)| ((*user).to_owned(), json!(reason))).collect();
        for (who, other) in &mut self.others {
            let mut heard = BTreeMap::new();
            while heard.len() < expected.len() {
                let (name, args) = other.event().await;
                if name == "left" {
                    let took = since.elapsed();
                    assert!(when.contains(&took), "{who} hears {args} after {took:?}");
                    assert_eq!(
                        heard.insert(args[0].as_str().unwrap_or_default().to_owned(), args[1].clone()),
                        None,
                        "{who} hears it twice"
                    );
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
                assert!(name != "left" || self.gone.contains(&args[0]), "{who} hears {args}");
            }
            assert!(!other.has_told("disconnect"), "{who} is disconnected");
        }
    }
}

/// Returns when.
fn kill(browser: &Browser) -> Instant {
    let now = Instant::now();
    send_signal("KILL", browser.id());
    now
}
