//! `eio serve --socketio`: namespaces, rooms, echoes and acknowledgements, in the log and in the data of the page.

use serde_json::{Value, json};

use crate::connection::Directory;
use crate::peer::{WebSocket, feed};
use crate::program::Eio;
use crate::serve::serve;

/// Opens a session, and joins a namespace by this packet. Returns the identifier of the socket, too.
fn join(address: &str, packet: &str) -> (WebSocket, String) {
    let mut client = WebSocket::open_at(address, "/socket.io/", 4);
    client.send(packet);
    let answer = client.next().expect("an answer");
    let answer =
        answer.strip_prefix(packet.trim_end_matches(',')).expect("it has joined").trim_start_matches(',');
    let answer: Value = serde_json::from_str(answer).expect("an object");
    let id = answer["sid"].as_str().expect("an identifier").to_owned();
    (client, id)
}

/// Reads the data of the page until the namespaces are as `is_awaited` says.
fn namespaces(address: &str, is_awaited: impl Fn(&Value) -> bool) -> Value {
    let (stream, _) = feed(address);
    let lines = std::io::BufRead::lines(stream).map(|line| line.expect("the server writes"));
    let data = lines.filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let mut namespaces = data.map(|mut data| data["namespaces"].take()).filter(Value::is_object);
    namespaces.find(is_awaited).expect("the namespaces")
}

#[test]
fn events_come_back_with_their_data_and_are_acknowledged_only_with_echo() {
    let (_server, address) = serve(&["--socketio", "--echo"]);
    let (mut client, _) = join(&address, "40/chat,");
    client.send(r#"42/chat,7["color",{"red":1},"x"]"#);
    assert_eq!(client.next().as_deref(), Some(r#"43/chat,7[{"red":1},"x"]"#));
    assert_eq!(client.next().as_deref(), Some(r#"42/chat,["color",{"red":1},"x"]"#));
    client.send(r#"451-/chat,["file",{"_placeholder":true,"num":0}]"#);
    client.send_binary(b"\x01\x02\xff");
    assert_eq!(client.next().as_deref(), Some(r#"451-/chat,["file",{"_placeholder":true,"num":0}]"#));
    assert_eq!(client.next_binary(), b"\x01\x02\xff");

    let (_server, address) = serve(&["--socketio"]);
    let (mut client, id) = join(&address, "40");
    client.send(r#"427["color"]"#);
    // What follows is answered first, so nothing answers the event.
    client.send(r#"428["join","lobby"]"#);
    assert_eq!(client.next().as_deref(), Some(r#"438[["lobby"]]"#), "{id}");
}

#[test]
fn a_client_joins_rooms_sends_to_them_and_leaves_them() {
    let (mut server, address) = serve(&["--socketio"]);
    let ((mut ann, _), (mut ben, _)) = (join(&address, "40"), join(&address, "40"));
    ben.send(r#"421["join","lobby"]"#);
    assert_eq!(ben.next().as_deref(), Some(r#"431[["lobby"]]"#));
    ann.send(r#"422["to","lobby","news",[1,2],"x"]"#);
    assert_eq!(ann.next().as_deref(), Some("432[1]"));
    assert_eq!(ben.next().as_deref(), Some(r#"42["news",[1,2],"x"]"#));
    let shown = namespaces(&address, |shown| shown["rows"][0]["received"] == 2);
    assert_eq!(
        shown,
        json!({ "more": 0, "rows": [{
            "name": "/", "sockets": 2, "rooms": 1, "largest": [["lobby", 1]], "received": 2, "sent": 1, "reasons": {},
        }]})
    );
    ben.send(r#"423["leave","lobby"]"#);
    assert_eq!(ben.next().as_deref(), Some("433[[]]"));
    ann.send(r#"424["to","lobby","news"]"#);
    assert_eq!(ann.next().as_deref(), Some("434[0]"));

    // Events that these handlers do not expect are reported, and end nothing.
    for (packet, name, error) in [
        (r#"42["join",5]"#.to_owned(), "join", "expected a string"),
        (
            format!(r#"42["join","{}"]"#, "r".repeat(65)),
            "join",
            "the name of the room has 65 bytes: expected at most 64",
        ),
        (r#"42["to","lobby"]"#.to_owned(), "to", "expected the name of a room, the name of an event"),
    ] {
        ann.send(&packet);
        let failed = server.event("failed");
        assert_eq!((&failed["name"], &failed["namespace"]), (&name.into(), &"/".into()), "{failed}");
        assert!(failed["error"].as_str().unwrap().contains(error), "{failed}");
    }
    namespaces(&address, |shown| shown["rows"][0]["received"] == 7 && shown["rows"][0]["rooms"] == 0);
}

#[test]
fn a_socket_is_printed_when_it_joins_and_once_when_it_ends_with_the_reason_of_the_reference() {
    let quick = ["--socketio", "--ping-interval", "200ms", "--ping-timeout", "2s"];
    let (mut server, address) = serve(&quick);
    let (mut client, id) = join(&address, "40/chat,");
    let joined = server.event("joined");
    assert_eq!(joined["namespace"], "/chat");
    assert_eq!((&joined["socket"], &joined["session"]), (&format!("{}…", &id[..4]).into(), &1.into()));
    client.send("41/chat,");
    let left = server.event("left");
    assert_eq!((&left["namespace"], &left["socket"]), (&"/chat".into(), &joined["socket"]), "{left}");
    assert_eq!(left["reason"], "client namespace disconnect");
    client.send("40");
    assert_eq!(server.event("joined")["namespace"], "/");
    // From here on, the client is silent.
    let left = server.event("left");
    assert_eq!((&left["reason"], &left["session"]), (&"ping timeout".into(), &1.into()), "{left}");
    assert_eq!(left["detail"], "ping timeout: the peer was silent");
    assert!(left["lived_ms"].as_u64().unwrap() >= 2_000, "{left}");
    let shown = namespaces(&address, |_| true);
    let reasons: Vec<_> =
        (0..2).map(|row| (&shown["rows"][row]["name"], &shown["rows"][row]["reasons"])).collect();
    assert_eq!(reasons[0], (&json!("/"), &json!({ "ping timeout": 1 })));
    assert_eq!(reasons[1], (&json!("/chat"), &json!({ "client namespace disconnect": 1 })));

    let (_client, _) = join(&address, "40");
    server.event("joined");
    server.interrupt();
    let left = server.event("left");
    assert_eq!(left["reason"], "server shutting down", "{left}");
    assert_eq!(server.exit_code(), 0);
    assert!(server.rest().iter().all(|line| !line.contains(r#""event":"left""#)));
}

#[test]
fn a_namespace_with_a_long_name_is_refused_and_printed() {
    let (mut server, address) = serve(&["--socketio"]);
    let name = format!("/{}", "n".repeat(64));
    let mut client = WebSocket::open_at(&address, "/socket.io/", 4);
    client.send(&format!("40{name},"));
    let why = "the name of the namespace has 65 bytes: expected at most 64";
    assert_eq!(client.next(), Some(format!(r#"44{name},{{"message":"{why}"}}"#)));
    let refused = server.event("refused");
    assert_eq!((&refused["message"], &refused["session"]), (&why.into(), &1.into()), "{refused}");
    join(&address, &format!("40{},", &name[..64]));
    assert_eq!(server.event("joined")["namespace"], &name[..64]);
}

#[test]
fn the_page_shows_a_hundred_namespaces_and_counts_the_others() {
    let (_server, address) = serve(&["--socketio"]);
    let mut clients: Vec<_> = (0..5).map(|_| WebSocket::open_at(&address, "/socket.io/", 4)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        for other in 0..21 {
            client.send(&format!("40/{number}-{other},"));
            client.next().expect("an answer");
        }
    }
    let shown = namespaces(&address, |shown| shown["more"] == 5);
    assert_eq!(shown["rows"].as_array().map(Vec::len), Some(100));
    assert!(shown["rows"].as_array().unwrap().iter().all(|row| row["sockets"] == 1));
    // A namespace that is left gives its place to the next one.
    clients[0].send("41/0-0,");
    namespaces(&address, |shown| shown["more"] == 5 && shown["rows"][0]["sockets"] == 0);
    clients[0].send("40/z,");
    let shown = namespaces(&address, |shown| shown["rows"][99]["name"] == "/z");
    assert_eq!((&shown["rows"][0]["name"], &shown["more"]), (&"/0-1".into(), &5.into()));
}

#[test]
fn what_connect_sends_comes_back_and_it_is_told_when_it_takes_the_server_for_another_kind() {
    let (mut server, address) = serve(&["--socketio", "--echo"]);
    let url = format!("http://{address}");
    let mut client = Eio::start(&["connect", "--json", "--socketio=/chat", &url]);
    client.event("joined");
    client.say(r#"["color",{"red":1}]"#);
    let echo = client.event("event");
    assert_eq!(
        (&echo["name"], &echo["arguments"]["data"]),
        (&"color".into(), &json!(r#"{"red":1}"#)),
        "{echo}"
    );
    client.interrupt();
    assert_eq!(server.event("left")["reason"], "client namespace disconnect");
    assert_eq!(client.exit_code(), 0);

    let mut client = Eio::start(&["connect", "--json", "--no-input", &url]);
    let close = client.event("close");
    assert_eq!(close["exit_code"], 20, "{close}");
    let explanation = close["explanation"].as_str().unwrap();
    assert_eq!(close["diagnosis"], "wrong-path");
    assert!(explanation.contains("use --socketio for a Socket.IO server"), "{explanation}");
}

#[test]
fn clients_of_socketio_2_are_in_the_namespace_of_all_and_their_sid_stays_secret() {
    let (mut server, address) = serve(&["--socketio", "--echo", "--eio3"]);
    let mut client = WebSocket::open_at(&address, "/socket.io/", 3);
    assert_eq!(client.next().as_deref(), Some("40"));
    assert_eq!(server.event("joined")["socket"], format!("{}…", &client.sid[..4]));
    client.send(r#"420["color",1]"#);
    assert_eq!(client.next().as_deref(), Some("430[1]"));
    assert_eq!(client.next().as_deref(), Some(r#"42["color",1]"#));
}

#[test]
fn a_file_turns_socketio_on_and_changes_the_default_path_but_not_one_of_its_own() {
    let directory = Directory::new("socketio");
    let started = |file: &str, options: &[&str]| {
        let mut server = Eio::start(&[&["serve", "--json", "--config", file], options].concat());
        let listening = server.event("listening");
        (server, listening["address"].as_str().unwrap().to_owned(), listening["path"].clone())
    };
    let file = directory.write("a.toml", "listen = '127.0.0.1:0'\nsocketio = true\necho = true\n");
    let (_server, address, path) = started(&file, &[]);
    assert_eq!(path, "/socket.io/");
    let (mut client, _) = join(&address, "40");
    client.send(r#"420["color"]"#);
    assert_eq!(client.next().as_deref(), Some("430[]"));
    // This path is the default of servers without Socket.IO.
    let file = directory.write("b.toml", "listen = '127.0.0.1:0'\npath = '/engine.io/'\n");
    assert_eq!(started(&file, &["--socketio"]).2, "/engine.io/");
    assert_eq!(started(&file, &["--socketio", "--path", "/own"]).2, "/own/");
}
