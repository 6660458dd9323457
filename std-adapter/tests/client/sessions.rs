//! The client against our own server, over each transport: messages arrive whole, once and in order, and both sides
//! know how it ended.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::session::CheckSendError;
use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{
    Client, ClientEvent, ClientSocket, Disconnect, Message, SendErrorKind, Server, Socket, Transport,
    TrySendError,
};
use tokio::sync::mpsc;

use crate::support::{Events, Way, echo, serve};

/// A session with our own server, which sends every message back.
async fn echoing(way: Way, eio3: bool) -> (Server, Events, ClientSocket) {
    let (server, address) = serve(Server::builder(echo).eio3(true)).await;
    let events = Events::default();
    let client = events.watch(way.client(address)).eio3(eio3).build().unwrap();
    let socket = client.connect().await.unwrap();
    (server, events, socket)
}

async fn upgraded(events: &Events) {
    let outcome = events
        .wait_for(|event| match event {
            ClientEvent::UpgradeEnded(outcome) => Some(*outcome),
            _ => None,
        })
        .await;
    assert_eq!(outcome, UpgradeOutcome::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn text_and_bytes_come_back_as_they_went_over_every_transport_and_revision() {
    for eio3 in [false, true] {
        for way in Way::ALL {
            let (_server, events, mut socket) = echoing(way, eio3).await;
            let messages = [
                Message::text(""),
                Message::text("plain"),
                Message::text("astral 😀 and \u{2028}, \u{1}, \u{fffd}"),
                Message::binary(Vec::new()),
                Message::binary((0..=255).collect::<Vec<u8>>()),
                Message::text("x".repeat(70_000)),
            ];
            for round in 0..2 {
                for message in &messages {
                    socket.send(message.clone()).await.unwrap();
                }
                for message in &messages {
                    assert_eq!(&socket.recv().await.unwrap(), message, "{way:?}, eio3 {eio3}");
                }
                if way == Way::Upgrade && round == 0 {
                    upgraded(&events).await;
                }
            }
            let expected = if way == Way::Polling { Transport::Polling } else { Transport::WebSocket };
            assert_eq!(socket.transport(), expected);
        }
    }
}

#[tokio::test]
async fn a_message_of_a_megabyte_arrives_whole() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo).max_payload(2_000_000)).await;
        let mut socket = way.client(address).build().unwrap().connect().await.unwrap();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
        socket.send(bytes.clone()).await.unwrap();
        socket.send("é".repeat(500_000)).await.unwrap();
        assert!(socket.recv().await.unwrap() == Message::binary(bytes), "{way:?}");
        assert!(socket.recv().await.unwrap() == Message::text("é".repeat(500_000)), "{way:?}");
    }
}

#[tokio::test]
async fn a_thousand_messages_each_way_survive_an_upgrade_in_order() {
    for eio3 in [false, true] {
        let (ended, mut end) = mpsc::unbounded_channel();
        let application = move |mut socket: Socket| {
            let ended = ended.clone();
            async move {
                let sender = socket.sender();
                tokio::spawn(async move {
                    for i in 0..1_000 {
                        sender.send(format!("s{i}")).await.unwrap();
                        if i % 10 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                });
                let mut got = Vec::new();
                while let Ok(message) = socket.recv().await {
                    got.push(message.as_text().unwrap().to_owned());
                }
                let _ = ended.send((got, socket.closed().await));
            }
        };
        let (_server, address) = serve(Server::builder(application).eio3(true)).await;
        let events = Events::default();
        let client = events.watch(Way::Upgrade.client(address)).eio3(eio3).build().unwrap();
        let mut socket = client.connect().await.unwrap();
        let sender = socket.sender();
        let sending = tokio::spawn(async move {
            for i in 0..1_000 {
                sender.send(format!("c{i}")).await.unwrap();
                if i % 10 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        for i in 0..1_000 {
            assert_eq!(socket.recv().await.unwrap(), Message::text(format!("s{i}")));
        }
        sending.await.unwrap();
        upgraded(&events).await;
        socket.close();
        assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);
        let (got, end) = end.recv().await.unwrap();
        assert_eq!(got, (0..1_000).map(|i| format!("c{i}")).collect::<Vec<_>>());
        assert_eq!(end.reason.as_str(), "transport close");
        assert_eq!(end.transport, Transport::WebSocket);
        let sent_while_upgrading = events
            .all()
            .iter()
            .any(|event| matches!(event, ClientEvent::Message(message) if message.as_text() == Some("s999")));
        assert!(sent_while_upgrading);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_delivers_what_was_sent_before() {
    for way in Way::ALL {
        let (ended, mut end) = mpsc::unbounded_channel();
        let (_server, address) = serve(Server::builder(move |mut socket: Socket| {
            let ended = ended.clone();
            async move {
                let mut count = 0;
                while socket.recv().await.is_ok() {
                    count += 1;
                }
                let _ = ended.send((count, socket.closed().await));
            }
        }))
        .await;
        let socket = way.client(address).build().unwrap().connect().await.unwrap();
        for i in 0..200 {
            socket.try_send(format!("{i}")).unwrap();
        }
        socket.close();
        let refused = socket.try_send("late").unwrap_err();
        let TrySendError::Refused(refused) = refused else { panic!("{refused}") };
        assert_eq!(refused.kind, SendErrorKind::Session(CheckSendError::Closed));
        assert_eq!(refused.message, Message::text("late"));
        let end_here = socket.closed().await;
        assert_eq!((end_here.reason, end_here.unsent), (DisconnectReason::LocalClose, 0), "{way:?}");
        let (count, end): (i32, Disconnect) = end.recv().await.unwrap();
        assert_eq!(count, 200, "{way:?}");
        assert_eq!(end.reason.as_str(), "transport close", "{way:?}: {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_socket_closes_the_session() {
    for way in Way::ALL {
        let (ended, mut end) = mpsc::unbounded_channel();
        let (_server, address) = serve(Server::builder(move |socket: Socket| {
            let ended = ended.clone();
            async move {
                let _ = ended.send(socket.closed().await);
            }
        }))
        .await;
        drop(way.client(address).build().unwrap().connect().await.unwrap());
        assert_eq!(end.recv().await.unwrap().reason.as_str(), "transport close", "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_server_closes_the_client_gets_everything_and_then_transport_close() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(|socket: Socket| async move {
            for i in 0..100 {
                socket.send(format!("{i}")).await.unwrap();
            }
            socket.close();
            socket.closed().await;
        }))
        .await;
        let mut socket = way.client(address).build().unwrap().connect().await.unwrap();
        for i in 0..100 {
            assert_eq!(socket.recv().await.unwrap(), Message::text(format!("{i}")), "{way:?}");
        }
        let end = socket.recv().await.unwrap_err();
        assert_eq!(end.reason.as_str(), "transport close", "{way:?}");
        assert_eq!(socket.recv().await.unwrap_err(), end, "as often as asked");
        assert_eq!(socket.end(), Some(end));
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_session_for_a_day_and_tell_how_punctual_they_are() {
    for eio3 in [false, true] {
        for way in Way::ALL {
            let (_server, events, mut socket) = echoing(way, eio3).await;
            tokio::time::sleep(Duration::from_hours(24)).await;
            socket.send("still there").await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Message::text("still there"));
            let mut heartbeats = 0;
            for event in events.all() {
                match event {
                    ClientEvent::PingReceived { after, late, left } => {
                        assert!(late <= Duration::from_millis(5), "{way:?}: {late:?}");
                        assert_eq!(after.saturating_sub(Duration::from_secs(25)), late);
                        assert!(left >= Duration::from_millis(19_995) && left <= Duration::from_secs(20));
                        heartbeats += 1;
                    }
                    ClientEvent::PongReceived { rtt } => {
                        assert!(rtt.unwrap() <= Duration::from_millis(5));
                        heartbeats += 1;
                    }
                    _ => {}
                }
            }
            assert!((3_450..=3_456).contains(&heartbeats), "{way:?}, eio3 {eio3}: {heartbeats}");
            assert_eq!(socket.rtt().is_some(), eio3);
            assert!(socket.last_seen() <= Duration::from_millis(5));
            assert!(socket.time_to_deadline() <= Duration::from_secs(45));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn headers_query_and_path_go_along_with_every_request() {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let builder = Server::builder(echo).path("/socket.io/").allow_request(move |parts| {
        let _ = seen.send((parts.uri.to_string(), parts.headers.clone()));
        async { Ok(()) }
    });
    let (_server, address) = serve(builder).await;
    for scheme in ["http", "ws"] {
        let client = Client::builder(format!("{scheme}://{address}/?room=a%20b&EIO=3"))
            .path("/socket.io")
            .query("token", "s&cret")
            .header("Authorization", "Bearer 1")
            .header("User-Agent", "mine")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .build()
            .unwrap();
        let _socket = client.connect().await.unwrap();
        let (uri, headers) = heads.recv().await.unwrap();
        assert!(uri.starts_with("/socket.io/?EIO=4&transport="), "{uri}");
        assert!(uri.ends_with("&room=a%20b&token=s%26cret"), "{uri}");
        assert_eq!(headers["authorization"], "Bearer 1");
        assert_eq!(headers["user-agent"], "mine");
        assert_eq!(headers.get_all("x-twice").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["host"], address.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn neither_logs_nor_debug_output_hold_a_whole_sid() {
    let (_server, address) = serve(Server::builder(echo)).await;
    let events = Events::default();
    let client =
        events.watch(Way::WebSocket.client(address)).header("Authorization", "secret").build().unwrap();
    let socket = client.connect().await.unwrap();
    let sid = socket.handshake().sid().to_owned();
    assert_eq!(sid.len(), 20);
    for text in [
        format!("{socket:?} {:?} {:?} {client:?}", socket.sender(), socket.handshake()),
        format!("{:?}", events.all()),
    ] {
        assert!(!text.contains(&sid[..5]), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

/// U+001E separates packets on polling in revision 4, where nothing escapes it.
#[tokio::test]
async fn b29_text_that_would_forge_packets_is_sent_only_where_it_can_be() {
    const FORGED: &str = "hi\u{1e}4forged\u{1e}1";
    for (way, eio3) in Way::ALL.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let (_server, events, mut socket) = echoing(way, eio3).await;
        let sent = socket.send(FORGED).await;
        if way == Way::WebSocket || eio3 {
            sent.unwrap();
            assert_eq!(socket.recv().await.unwrap(), FORGED.into(), "{way:?}, eio3 {eio3}");
            continue;
        }
        // An upgrade that is under way may still fail.
        let error = sent.unwrap_err();
        assert_eq!((error.message, error.kind), (FORGED.into(), SendErrorKind::Separator { at: 2 }));
        assert!(matches!(socket.try_send(FORGED), Err(TrySendError::Refused(_))));
        if way == Way::Upgrade {
            upgraded(&events).await;
            socket.send(FORGED).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), FORGED.into());
        }
        socket.send("next").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), "next".into());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_told_before_the_session_that_opens_on_it() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo)).await;
        let events = Events::default();
        let _socket = events.watch(way.client(address)).build().unwrap().connect().await.unwrap();
        let events = events.all();
        let place = |of: fn(&ClientEvent) -> bool| events.iter().position(of).unwrap();
        let connecting = place(|event| matches!(event, ClientEvent::Connecting));
        let connected = place(|event| matches!(event, ClientEvent::Connected));
        let opened = place(|event| matches!(event, ClientEvent::Opened { .. }));
        assert!(connecting < connected && connected < opened, "{way:?}: {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_who_hears_of_a_connection_ends_nothing() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo)).await;
        let client = way.client(address).on_event(|event| {
            assert!(!matches!(event, ClientEvent::Connected), "whoever hears of it panics");
        });
        let mut socket = client.build().unwrap().connect().await.unwrap();
        socket.send("hello").await.unwrap();
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("hello"), "{way:?}");
    }
}
