//! The page in headless Chromium, driven by `tests/page/look.mjs`. What it shows must agree with the events of the server.

use std::path::Path;
use std::process::Command;

use crate::program::Eio;

#[test]
#[ignore = "needs node, npm packages and chromium, which `cargo xtask test page` installs"]
fn a_person_opens_sessions_and_sees_a_ping_timeout_and_namespaces() {
    let mut server = Eio::start(&[
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--ping-interval",
        "1500ms",
        "--eio3",
        "--ping-timeout",
        "4s",
    ]);
    let url = server.event("listening")["url"].as_str().unwrap().to_owned();
    let mut others =
        [&["--transport", "polling"][..], &["--eio", "3", "--transport", "websocket"]].map(|options| {
            let mut client = Eio::start(&[&["connect", "--json", &url], options].concat());
            client.event("open");
            client
        });
    // The sids of a node begin with its name.
    let mut namespaces =
        Eio::start(&["serve", "--json", "--socketio", "--echo", "--port", "0", "--node", "a7"]);
    let namespaces_url = namespaces.event("listening")["url"].as_str().unwrap().to_owned();
    let mut chat = Eio::start(&["connect", "--json", "--socketio=/chat", &namespaces_url]);
    chat.event("joined");
    for event in [r#"["join","lobby"]"#, r#"["color","red"]"#] {
        chat.say(event);
    }
    chat.event("event");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/page/look.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(&url)
        .arg(&folder)
        .arg(others.len().to_string())
        .arg(&namespaces_url)
        .output()
        .expect("node starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    println!("screenshots are in {}", folder.display());

    let mut closed = Vec::new();
    for _ in 0..12 {
        let close = server.event("close");
        closed.push((close["session"].clone(), close["reason"].clone(), close["silent_ms"].clone()));
    }
    let (_, reason, silent) =
        closed.iter().find(|(session, ..)| *session == 11).expect("its ninth session ended");
    assert_eq!(*reason, "ping timeout");
    let silent = silent.as_u64().unwrap();
    assert!(silent >= 4_000, "silent for {silent} ms");
    let in_order = closed.iter().filter(|(_, reason, _)| *reason == "transport close").count();
    assert_eq!(in_order, 11);
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    for client in &mut others {
        assert_eq!(client.exit_code(), 6);
    }
}
