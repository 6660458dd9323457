//! How sockets end: once, in time, and with the true reason.

use std::time::Duration;

use eio_socketio::engine::{DisconnectReason, Message};
use eio_socketio::{
    Decoder, DefaultParser, Disconnect, EncodeError, Encoded, Namespace, Packet, ParseError, Parser, Reason,
    Server, Socket, Unexpected,
};

use crate::support::{Diary, Raw, build, serve, settle};

/// Lets each socket join a room, so that its rooms are known when it leaves.
async fn to_the_lobby(socket: Socket) {
    socket.join("lobby").unwrap();
}

fn lines(reason: &str) -> [String; 2] {
    [format!("{reason} in [\"lobby\"]"), format!("{reason} in []")]
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_its_socket_and_keeps_its_session() {
    let diary = Diary::default();
    let server = serve(diary.of_ends().on_connect(to_the_lobby));
    let client = Raw::join(&server).await;
    client.send("1").await;
    settle().await;
    assert_eq!(diary.lines(), lines("client namespace disconnect"));
    assert_eq!((server.engine().len(), server.of("/").sockets().len()), (1, 0));
    drop(client);
    settle().await;
    assert_eq!(diary.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_the_server_disconnects_leaves_its_namespace_and_keeps_its_session() {
    let diary = Diary::default();
    let server = serve(diary.of_ends().on_connect(to_the_lobby));
    let mut client = Raw::join(&server).await;
    settle().await;
    let socket = server.of("/").sockets().pop().unwrap();
    socket.disconnect();
    socket.disconnect();
    assert!(!socket.is_connected() && server.to("lobby").sockets().is_empty());
    client.expect("1").await;
    settle().await;
    assert_eq!(diary.lines(), lines("server namespace disconnect"));
    assert_eq!(server.engine().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_crosses_the_servers_disconnect_on_the_way_closes_nothing() {
    let server =
        build(Server::builder().namespace("/", Namespace::new()).namespace("/other", Namespace::new()));
    let mut client = Raw::join(&server).await;
    client.send("0/other,").await;
    assert!(client.next().await.starts_with("0/other,{"));
    for socket in server.of("/").sockets() {
        socket.disconnect();
    }
    for packet in ["2[\"late\"]", "31[]", "1"] {
        client.send(packet).await;
    }
    client.expect("1").await;
    settle().await;
    assert_eq!(server.of("/other").sockets().len(), 1);
    client.send("0").await;
    assert!(client.next().await.starts_with("0{\"sid\":"));
}

/// The client has sent the second event before it can know that the first one ends its socket.
#[tokio::test(start_paused = true)]
async fn an_event_right_behind_the_one_whose_handler_disconnects_the_client_closes_nothing() {
    let leave = async |socket: Socket| socket.disconnect();
    let server = serve(Namespace::new().on("leave", leave));
    let mut client = Raw::join(&server).await;
    client.send("2[\"leave\"]").await;
    client.send("21[\"late\"]").await;
    client.send("0").await;
    client.expect("1").await;
    assert!(client.next().await.starts_with("0{\"sid\":"));
    client.send("21[\"early\"]").await;
    settle().await;
    assert_eq!((server.engine().len(), server.of("/").sockets().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn closing_a_socket_ends_all_sockets_of_its_connection() {
    let diary = Diary::default();
    let server =
        build(Server::builder().namespace("/", diary.of_ends()).namespace("/other", diary.of_ends()));
    let mut client = Raw::join(&server).await;
    client.send("0/other,").await;
    assert!(client.next().await.starts_with("0/other,{"));
    server.of("/").close();
    client.expect("1").await;
    client.expect("1/other,").await;
    client.closed().await;
    settle().await;
    let lines = diary.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().all(|line| line == "server namespace disconnect in []"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_connection_closes_ends_at_once() {
    let diary = Diary::default();
    let server = serve(diary.of_ends().on_connect(to_the_lobby));
    let client = Raw::join(&server).await;
    settle().await;
    client.engine.close();
    client.engine.closed().await;
    settle().await;
    assert_eq!(diary.lines(), lines("transport close"));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_all_sockets_and_waits_for_their_handlers() {
    let diary = Diary::default();
    let slow = diary.clone();
    let server = serve(Namespace::new().on_disconnect(move |end: Disconnect| {
        let diary = slow.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            diary.note(end.reason.as_str());
        }
    }));
    let _clients = [Raw::join(&server).await, Raw::join(&server).await];
    let cut = server.shutdown(Duration::from_secs(10)).await;
    assert!(cut.is_empty(), "{cut:?}");
    assert_eq!(diary.lines(), ["server shutting down", "server shutting down"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_also_if_a_shutdown_cuts_off_a_handler_that_never_ends() {
    let diary = Diary::default();
    let server = serve(diary.of_ends().on("wait", core::future::pending::<()>));
    let client = Raw::join(&server).await;
    client.send("2[\"wait\"]").await;
    settle().await;
    let cut = server.shutdown(Duration::from_secs(4)).await;
    assert_eq!(cut.applications, 1);
    settle().await;
    assert_eq!(diary.lines(), ["server shutting down in []", "server shutting down in []"]);
}

#[tokio::test(start_paused = true)]
async fn packets_that_nobody_may_send_close_the_connection_and_say_why() {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let server = serve(Namespace::new().on_disconnect(move |end: Disconnect| {
        ended.send(end).unwrap();
        core::future::ready(())
    }));
    for packet in ["abc", "2{}", "2", "0", "4{\"message\":\"no\"}", "2/nowhere,[\"x\"]", "51-[\"x\"]"] {
        let mut client = Raw::join(&server).await;
        client.send(packet).await;
        client.send("2[\"ignored\"]").await;
        client.closed().await;
        let end = ends.recv().await.unwrap();
        assert_eq!(end.reason.as_str(), "forced close", "{packet}");
        let session = end.session.unwrap();
        assert_eq!(session.reason, DisconnectReason::LocalClose, "{packet}");
        let is_as_expected = match packet {
            "0" => matches!(end.reason, Reason::UnexpectedPacket(Unexpected::JoinedTwice)),
            "2/nowhere,[\"x\"]" => matches!(end.reason, Reason::UnexpectedPacket(Unexpected::NotJoined)),
            _ if packet.starts_with('4') => {
                matches!(end.reason, Reason::UnexpectedPacket(Unexpected::ConnectError))
            }
            _ => matches!(end.reason, Reason::InvalidPacket(_)),
        };
        assert!(is_as_expected, "{packet}: {:?}", end.reason);
    }
    assert!(ends.try_recv().is_err());
}

/// A parser that panics at the text `panic`.
struct Panicking;

impl Parser for Panicking {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        DefaultParser.encode(packet)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(PanickingDecoder(DefaultParser.decoder()))
    }
}

struct PanickingDecoder(Box<dyn Decoder>);

impl Decoder for PanickingDecoder {
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, ParseError> {
        assert_ne!(message.as_text(), Some("panic"));
        self.0.decode(message)
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_also_if_the_parser_panics() {
    let diary = Diary::default();
    let server = build(Server::builder().namespace("/", diary.of_ends()).parser(Panicking));
    let mut client = Raw::join(&server).await;
    client.send("panic").await;
    client.closed().await;
    settle().await;
    assert_eq!(diary.lines(), ["forced close in []", "forced close in []"]);
    assert!(server.of("/").sockets().is_empty());
}
