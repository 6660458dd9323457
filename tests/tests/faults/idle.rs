//! Ten thousand sessions that only answer heartbeats: none is lost, and what each of them costs.

use std::time::Duration;

use eio_tests::interop::Case;

use crate::process::Process;

const SESSIONS: u64 = 10_000;
const I: Duration = Duration::from_secs(3);
const T: Duration = Duration::from_secs(3);

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("ten thousand idle sessions live through several heartbeats", |_| idle())]
}

async fn idle() {
    let mut server = Process::start(&format!("server {} {}", I.as_millis(), T.as_millis()), &[]);
    let address = server.says().await;
    // What the first sessions of a process cost is not what each costs.
    let mut first = Process::start(&format!("websockets {address} 100"), &[]);
    first.must_say("open").await;
    let before = server.resident();

    let mut clients = Process::start(&format!("websockets {address} {SESSIONS}"), &[]);
    clients.must_say("open").await;
    tokio::time::sleep(I * 3 + I / 2).await;
    let after = server.resident();
    server.tell("how many?");
    server.must_say(&(SESSIONS + 100).to_string()).await;
    clients.assert_quiet();
    let bytes = (after - before) * 1024 / SESSIONS;
    println!("{SESSIONS} idle WebSockets: {bytes} bytes of resident memory each");
}
