//! The server under attack: this test program, run once more.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tests::interop::{Child, Log, soon};
use eio_tokio::{Disconnect, Observer, Server, SessionId, Socket};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::process;

/// Makes this program the server.
pub(crate) const ARGUMENT: &str = "serve";

/// A ping this often.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Answered within.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// For the head of a request, and again for its body.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_millis(1500);

/// Between two requests; two seconds more pass until a connection is closed.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many sessions may be open.
pub(crate) const MAX_SESSIONS: u32 = 3000;

/// The largest request body and message.
pub(crate) const MAX_PAYLOAD: u32 = 1_000_000;

/// Serves until standard input ends.
pub(crate) fn serve() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let server = Server::builder(echo)
            .heartbeat(Heartbeat::new(PING_INTERVAL, PING_TIMEOUT).expect("valid periods"))
            .request_timeout(REQUEST_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .upgrade_timeout(Duration::from_secs(1))
            .close_timeout(Duration::from_secs(1))
            .max_sessions(MAX_SESSIONS as usize)
            .max_payload(MAX_PAYLOAD)
            // What it remembers of ended sessions is not left behind by attacks.
            .remember_ended(100)
            .eio3(true)
            .allow_request(|parts| {
                let stranger = parts.uri.query().is_some_and(|query| query.contains("token=wrong"));
                async move { if stranger { Err("wrong token".into()) } else { Ok(()) } }
            })
            .observer(TellsEnds)
            .build()
            .expect("the settings are valid");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        println!("{}", json!({ "event": "listening", "address": address.to_string() }));
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        let mut commands = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(_)) = commands.next_line().await {
            let heap = crate::ALLOCATOR.current_usage();
            println!("{}", json!({ "event": "state", "sessions": server.len(), "heap": heap }));
        }
    });
    ExitCode::SUCCESS
}

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Tells the tests how each session ended.
struct TellsEnds;

impl Observer for TellsEnds {
    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        println!(
            "{}",
            json!({ "event": "closed", "sid": id.as_str(), "reason": disconnect.reason.as_str() })
        );
    }
}

/// What the server says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// How many sessions are open.
    pub(crate) sessions: u64,
    /// How many bytes are allocated.
    pub(crate) heap: u64,
}

/// The server under attack, as the attacker's process sees it.
pub(crate) struct Attacked {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
    states: tokio::sync::Mutex<UnboundedReceiver<State>>,
    ends: Arc<Mutex<HashMap<String, String>>>,
}

impl Attacked {
    pub(crate) async fn start(log: &Log) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.arg(ARGUMENT);
        let (child, mut events) = Child::start(command, "server", log);
        let first = soon("the server to listen", events.recv()).await.expect("the server lives");
        let address = first.get("address").and_then(Value::as_str).expect("it tells its address");
        let address = address.parse().expect("an address");
        let (tell, states) = tokio::sync::mpsc::unbounded_channel();
        let ends = Arc::new(Mutex::new(HashMap::new()));
        let told = Arc::clone(&ends);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let number = |name| event.get(name).and_then(Value::as_u64);
                if let Some((sessions, heap)) = number("sessions").zip(number("heap")) {
                    // Nobody asks any more when the test has ended.
                    let _ = tell.send(State { sessions, heap });
                } else {
                    let text = |name| text(&event, name);
                    told.lock().unwrap_or_else(PoisonError::into_inner).insert(text("sid"), text("reason"));
                }
            }
        });
        Self { address, child, states: tokio::sync::Mutex::new(states), ends }
    }

    /// What it holds.
    pub(crate) async fn state(&self) -> State {
        let mut states = self.states.lock().await;
        // A server that is gone does not answer.
        let _ = self.child.commands().send(json!("state"));
        soon("the server to tell its state", states.recv()).await.expect("the server lives")
    }

    /// Why a session ended, in the reference's words.
    pub(crate) async fn end_of(&self, sid: &str) -> String {
        soon("a session to end", async {
            loop {
                let end = self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(sid);
                if let Some(end) = end {
                    return end;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// What it has cost so far.
    pub(crate) fn usage(&self) -> process::Usage {
        process::usage(self.child.id().expect("the server lives"))
    }
}

fn text(event: &Map<String, Value>, name: &str) -> String {
    event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
