//! A browser whose page has sessions with an axum application. When the browser is killed or vanishes, what the application
//! does at the end of a session happens once for each, in time and with a true reason.

use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::{get, post};
use eio_core::{DisconnectReason, Heartbeat};
use eio_tests::interop::{Browser, Case, LATE, Log, interop_folder, soon};
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Disconnect, Observer, Server, SessionId, Socket, Transport};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Opens a session on polling, and one that moves to a WebSocket.
const PAGE: &str = include_str!("../../interop/browser.html");

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("Chromium is killed: its sessions with an axum application end at once, each once", killed),
        Case::new(
            "Chromium falls silent: its sessions with an axum application end on time, each once",
            silent,
        ),
    ]
}

/// The kernel closes the connections of a process that is killed.
async fn killed(log: Log) {
    let mut application = Application::start(&log, Heartbeat::DEFAULT).await;
    let browser = Browser::start(&application.url, &log);
    let ids = application.opened().await;
    // By then the next poll waits.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    browser.signal("KILL");
    let [polling, websocket] = application.ends(&ids).await;
    let took = before.elapsed();
    assert!(took < LATE, "noticed after {took:?}: silence alone would have been noticed after 45 s");
    assert_eq!((polling.transport, polling.reason.as_str()), (Transport::Polling, "transport error"));
    assert_eq!((websocket.transport, websocket.reason.as_str()), (Transport::WebSocket, "transport close"));
    application.ends_no_more().await;
}

/// The kernel keeps the connections of a process that is stopped, and acknowledges what comes.
async fn silent(log: Log) {
    let heartbeat = Heartbeat::new(Duration::from_secs(1), Duration::from_secs(9)).expect("valid periods");
    let due = heartbeat.ping_interval() + heartbeat.ping_timeout();
    let mut application = Application::start(&log, heartbeat).await;
    let browser = Browser::start(&application.url, &log);
    let ids = application.opened().await;
    application.beats(ids.clone()).await;
    let before = Instant::now();
    browser.signal("STOP");
    let ends = application.ends(&ids).await;
    let took = before.elapsed();
    assert!(took < due + LATE, "noticed after {took:?}");
    assert_eq!([ends[0].transport, ends[1].transport], [Transport::Polling, Transport::WebSocket]);
    for end in ends {
        assert_eq!(end.reason, DisconnectReason::PingTimeout, "{end}");
        assert!((due..due + LATE).contains(&end.silent_for), "{end}");
    }
    // It comes back, and the page learns that its sessions have ended.
    browser.signal("CONT");
    for _ in &ids {
        soon("the page to close its sessions", application.left.recv()).await.expect("the router lives");
    }
    application.ends_no_more().await;
}

/// Notes what the application's code is called for.
#[derive(Clone)]
struct App {
    opened: UnboundedSender<SessionId>,
    beats: UnboundedSender<SessionId>,
    ended: UnboundedSender<Ended>,
    left: UnboundedSender<String>,
}

/// A session's end, as the application's code has learned of it.
struct Ended {
    told: Told,
    id: SessionId,
    end: Disconnect,
}

/// Where an application may put its code for the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Told {
    /// Behind the loop that receives messages.
    Handler,
    OnDisconnect,
}

impl App {
    // A case that is over has dropped the receivers, here and below.
    fn ended(&self, told: Told, id: SessionId, end: Disconnect) {
        let _ = self.ended.send(Ended { told, id, end });
    }
}

impl Observer for App {
    fn heartbeat(&self, id: SessionId, _: Option<Duration>) {
        let _ = self.beats.send(id);
    }
}

/// The page says one thing, over the transport that its session stays on.
async fn talk(mut socket: Socket, State(app): State<App>) {
    let end = loop {
        match socket.recv().await {
            Ok(_) => _ = app.opened.send(socket.id()),
            Err(end) => break end,
        }
    };
    app.ended(Told::Handler, socket.id(), end);
}

/// The page says why one of its sessions is closed.
async fn left(State(app): State<App>, reason: String) {
    let _ = app.left.send(reason);
}

/// The application, served by axum.
struct Application {
    url: String,
    server: Server,
    opened: UnboundedReceiver<SessionId>,
    beats: UnboundedReceiver<SessionId>,
    ended: UnboundedReceiver<Ended>,
    left: UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

impl Application {
    async fn start(log: &Log, heartbeat: Heartbeat) -> Self {
        let (opened_to, opened) = mpsc::unbounded_channel();
        let (beats_to, beats) = mpsc::unbounded_channel();
        let (ended_to, ended) = mpsc::unbounded_channel();
        let (left_to, left_of) = mpsc::unbounded_channel();
        let app = App { opened: opened_to, beats: beats_to, ended: ended_to, left: left_to };
        let (at_end, log) = (app.clone(), log.clone());
        let server = eio_tokio::axum::builder(app.clone(), talk)
            .heartbeat(heartbeat)
            .observer(app.clone())
            .on_disconnect(move |session, end| {
                log.line("server", &format!("{} ended: {end}", session.id().short()));
                at_end.ended(Told::OnDisconnect, session.id(), end);
                core::future::ready(())
            })
            .build()
            .expect("the settings are valid");
        let library = interop_folder().join("node_modules/engine.io-client-6/dist/engine.io.min.js");
        let library = std::fs::read_to_string(library).expect("npm has installed the client");
        let router = Router::new()
            .route("/", get(Html(PAGE)))
            .route("/engine.io.js", get(([(CONTENT_TYPE, "text/javascript")], library)))
            .route("/left", post(left))
            .engine_io(&server)
            .with_state(app);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}/", listener.local_addr().expect("a bound socket has an address"));
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            // It ends with the case.
            let _ = axum::serve(listener, router).await;
        });
        Self { url, server, opened, beats, ended, left: left_of, serving }
    }

    /// Waits until both sessions of the page are on the transports that they stay on.
    async fn opened(&mut self) -> HashSet<SessionId> {
        let mut ids = HashSet::new();
        while ids.len() < 2 {
            ids.insert(soon("the page's sessions", self.opened.recv()).await.expect("the server lives"));
        }
        ids
    }

    /// Waits for a heartbeat of each session.
    async fn beats(&mut self, mut ids: HashSet<SessionId>) {
        while !ids.is_empty() {
            ids.remove(&soon("a heartbeat", self.beats.recv()).await.expect("the server lives"));
        }
    }

    /// Waits until all of the application's code has run for the ends of these two sessions, and returns the ends.
    async fn ends(&mut self, ids: &HashSet<SessionId>) -> [Disconnect; 2] {
        let mut told = HashSet::new();
        let mut ends = HashMap::new();
        for _ in 0..4 {
            let ended = soon("the application to learn of the end", self.ended.recv()).await;
            let Ended { told: by, id, end } = ended.expect("the server lives");
            assert!(ids.contains(&id), "{end}: a session that the page does not use");
            assert!(told.insert((by, id)), "{by:?} has run again: {end}");
            assert_eq!(*ends.entry(id).or_insert(end.clone()), end, "two reasons");
        }
        let mut ends: Vec<_> = ends.into_values().collect();
        ends.sort_by_key(|end| end.transport == Transport::WebSocket);
        ends.try_into().expect("two sessions")
    }

    /// Checks that the application's code does not run again: not until the server's last task has ended.
    async fn ends_no_more(mut self) {
        assert!(self.server.shutdown(LATE).await.is_empty(), "a session is left");
        if let Ok(Ended { told, end, .. }) = self.ended.try_recv() {
            panic!("{told:?} has run again: {end}");
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
