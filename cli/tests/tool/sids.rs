//! How the logs of `eio serve` and `eio connect` name a session.

use serde_json::Value;

use crate::peer::{WebSocket, get};
use crate::program::Eio;
use crate::serve::serve;

/// Returns the events `open` of a server and of its client, with these options of the one and of the other.
fn opened(server_options: &[&str], client_options: &[&str]) -> (Value, Value) {
    let mut server = Eio::start(&[&["serve", "--json", "--port", "0"], server_options].concat());
    let url = server.event("listening")["url"].as_str().unwrap().to_owned();
    let mut client = Eio::start(&[&["connect", "--json", "--no-input", &url], client_options].concat());
    let (ours, theirs) = (server.event("open"), client.event("open"));
    client.interrupt();
    let close = server.event("close");
    assert_eq!((&close["sid"], &close["sid_hash"]), (&ours["sid"], &ours["sid_hash"]));
    (ours, theirs)
}

#[test]
fn the_logs_of_a_server_and_a_client_name_a_session_by_the_same_hash() {
    let (ours, theirs) = opened(&[], &[]);
    assert_eq!((&ours["sid"], &ours["sid_hash"]), (&theirs["sid"], &theirs["sid_hash"]));
    assert_eq!(ours["sid_hash"].as_str().map(str::len), Some(16));
    assert!(ours["sid"].as_str().unwrap().ends_with('…'));

    let (ours, theirs) = opened(&["--sid-key", "a"], &["--sid-key", "a"]);
    assert_eq!(ours["sid_hash"], theirs["sid_hash"]);
    let (ours, theirs) = opened(&["--sid-key", "a"], &["--sid-key", "b"]);
    assert_ne!(ours["sid_hash"], theirs["sid_hash"]);

    let (ours, theirs) = opened(&["--show-sids"], &["--show-sids"]);
    assert_eq!(ours["sid"], theirs["sid"]);
    assert_eq!(ours["sid"].as_str().map(str::len), Some(20));
}

#[test]
fn a_server_that_refuses_the_session_of_another_one_prints_the_same_hash() {
    let ((mut first, address), (mut second, elsewhere)) = (serve(&[]), serve(&[]));
    let client = WebSocket::open(&address, 4);
    let open = first.event("open");
    let target = |sid: &str| format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    assert!(get(&elsewhere, &target(&client.sid)).contains("Session ID unknown"));
    let refused = second.event("refused");
    assert_eq!(refused["sid_hash"], open["sid_hash"]);
    assert!(!refused.to_string().contains(&client.sid), "{refused}");
    get(&elsewhere, &target("short"));
    assert!(second.event("refused")["sid_hash"].is_null());
}

#[test]
fn a_node_shows_its_name_and_tells_the_sessions_of_others_and_those_that_have_ended() {
    let (mut server, address) = serve(&["--node", "a7"]);
    let client = WebSocket::open(&address, 4);
    assert!(client.sid.starts_with("a7"));
    assert_eq!(server.event("open")["sid"], format!("{}…", &client.sid[..6]));
    let target = |sid: &str| format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    get(&address, &target(&format!("b2{}", &client.sid[2..])));
    let context = server.event("refused")["context"].as_str().unwrap().to_owned();
    assert!(
        context.ends_with(r#"of another node: expected one that begins with "a7", the name of this node"#)
    );
    let sid = client.sid.clone();
    drop(client);
    server.event("close");
    get(&address, &target(&sid));
    let context = server.event("refused")["context"].as_str().unwrap().to_owned();
    assert!(context.starts_with(&format!(r#"sid "{}…": ended "#, &sid[..6])), "{context}");

    let mut wrong = Eio::start(&["serve", "--port", "0", "--node", "node1"]);
    assert_eq!(wrong.exit_code(), 2);
    let told = wrong.errors();
    let sentence = r#"eio: --node: the node's name "node1": expected 1 to 4 of the characters"#;
    assert!(told.starts_with(sentence), "{told}");
}
