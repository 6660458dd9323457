//! Binary events that are sent in one call.

use core::pin::pin;

use eio_core::socketio::{Packet, PacketErrorKind};
use eio_embassy::socketio::{Socket, SocketError};
use eio_embassy::{ClientSettings, Protocol, SendError};

use crate::fakes::{
    self, OPEN, Reader, Sent, Server, Task, TestClient, Writer, done, impatient, open, open_with, text, waits,
};
use crate::socketio::join;

fn joined<'c>(client: &'c mut TestClient, server: &mut Server) -> Socket<'c, 'static, Reader, Writer> {
    let socket = join(client, server, "/", "", "40").expect("joined");
    server.take();
    socket
}

fn binary(bytes: &[u8]) -> Sent {
    Sent::Binary(bytes.to_vec())
}

/// The packet kind that makes an error.
fn kind(result: Result<(), SocketError>) -> PacketErrorKind {
    match result {
        Err(SocketError::Packet(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn attachments_become_the_last_arguments_and_follow_the_event() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    assert_eq!(done(socket.emit_binary("photo", "\"front\",7", &[b"one", b"two"])), Ok(()));
    assert_eq!(
        server.take(),
        [
            text(r#"452-["photo","front",7,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
            binary(b"one"),
            binary(b"two"),
        ]
    );
    assert_eq!(done(socket.emit_binary("photo", "", &[b""])), Ok(()));
    assert_eq!(server.take(), [text(r#"451-["photo",{"_placeholder":true,"num":0}]"#), binary(b"")]);
    assert_eq!(done(socket.emit_binary_with_ack("photo", "", &[b"x"])), Ok(1));
    assert_eq!(done(socket.emit_with_ack("plain", "")), Ok(2));
    assert_eq!(
        server.take(),
        [text(r#"451-1["photo",{"_placeholder":true,"num":0}]"#), binary(b"x"), text(r#"422["plain"]"#)]
    );
    assert_eq!(done(socket.emit_binary("plain", "1", &[])), Ok(()), "without attachments, an ordinary event");
    assert_eq!(server.take(), [text(r#"42["plain",1]"#)]);
}

#[test]
fn answers_carry_attachments_too() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    assert_eq!(done(socket.ack_binary(7, "", &[b"one", b"two"])), Ok(()));
    assert_eq!(done(socket.ack_binary(8, "null", &[b"x"])), Ok(()));
    assert_eq!(
        server.take(),
        [
            text(r#"462-7[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
            binary(b"one"),
            binary(b"two"),
            text(r#"461-8[null,{"_placeholder":true,"num":0}]"#),
            binary(b"x"),
        ]
    );
}

#[test]
fn placeholders_of_the_application_stand_where_it_put_them() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket =
        join(&mut client, &mut server, "/cameras", "", r#"40/cameras,{"sid":"x"}"#).expect("joined");
    server.take();
    let args = r#"{"image":{"_placeholder":true,"num":0},"at":7}"#;
    let packet = Packet::event("photo", args).and_then(|packet| packet.with_attachments(1)).expect("valid");
    assert_eq!(done(socket.send_binary(packet, &[b"jpeg"])), Ok(()));
    assert_eq!(
        server.take(),
        [text(r#"451-/cameras,["photo",{"image":{"_placeholder":true,"num":0},"at":7}]"#), binary(b"jpeg")]
    );
    for attachments in [&[][..], &[&b"a"[..], b"b"]] {
        let wrong = done(socket.send_binary(packet, attachments));
        assert_eq!(wrong, Err(SocketError::WrongAttachments { announced: 1 }));
    }
    assert_eq!(server.take(), []);
}

#[test]
fn ten_attachments_fit_into_a_packet_and_eleven_do_not() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    assert_eq!(done(socket.emit_binary("x", "", &[&b"a"[..]; 10])), Ok(()));
    let sent = server.take();
    assert_eq!(sent.len(), 11);
    let Sent::Text(header) = &sent[0] else { panic!("{sent:?}") };
    assert!(header.starts_with(r#"4510-["x",{"#) && header.ends_with(r#""num":9}]"#), "{header}");
    assert_eq!(Packet::decode(&header[1..]).map(|packet| packet.attachments()), Ok(10));
    assert_eq!(
        kind(done(socket.emit_binary("x", "", &[&b"a"[..]; 11]))),
        PacketErrorKind::TooManyAttachments
    );
    assert_eq!(
        kind(done(socket.emit_binary("x", "", &[&b"a"[..]; 300]))),
        PacketErrorKind::TooManyAttachments
    );
}

#[test]
fn what_cannot_be_sent_whole_is_not_begun() {
    let _clock = fakes::clock();
    let open_with_limit = OPEN.replace("100000", "1000");
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 264, &open_with_limit);
    let mut socket = joined(&mut client, &mut server);
    let (fits, long) = ([7; 1000], [7; 1001]);
    let too_large = Err(SocketError::Send(SendError::TooLarge { max: 1000 }));
    assert_eq!(done(socket.emit_binary("x", "", &[&fits, &long])), too_large);
    assert_eq!(kind(done(socket.emit_binary("connect", "", &[b"x"]))), PacketErrorKind::ReservedName);
    assert_eq!(kind(done(socket.emit_binary("x", "no json", &[b"x"]))), PacketErrorKind::InvalidJson);
    let elsewhere = r#"{"_placeholder":true,"num":1}"#;
    assert_eq!(kind(done(socket.emit_binary("x", elsewhere, &[b"x"]))), PacketErrorKind::InvalidPlaceholder);
    assert_eq!(kind(done(socket.ack_binary(1 << 53, "", &[b"x"]))), PacketErrorKind::IdTooLarge);
    let joining = Packet::connect("").expect("valid");
    assert_eq!(kind(done(socket.send_binary(joining, &[b"x"]))), PacketErrorKind::InvalidAttachments);
    let args = format!("\"{}\"", "x".repeat(100));
    let Err(SocketError::Send(SendError::BufferTooSmall { needed })) =
        done(socket.emit_binary("x", &args, &[b"x"]))
    else {
        panic!("it fits");
    };
    assert_eq!(server.take(), [], "nothing was begun");
    for (room, fits) in [(needed - 1, false), (needed, true)] {
        let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, room, OPEN);
        let mut socket = joined(&mut client, &mut server);
        assert_eq!(done(socket.emit_binary("x", &args, &[b"x"])).is_ok(), fits, "{room}");
        assert_eq!(server.take().len(), if fits { 2 } else { 0 });
    }
}

#[test]
fn heartbeats_go_between_the_attachments_and_nothing_else_does() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 300, OPEN);
    let mut socket = joined(&mut client, &mut server);
    server.set_window(8);
    let (one, two) = ([1; 280], [2; 20]);
    let attachments: [&[u8]; 2] = [&one, &two];
    let task = Task::new();
    {
        let mut emit = pin!(socket.emit_binary_with_ack("photo", "", &attachments));
        assert!(task.poll(emit.as_mut()).is_pending());
        server.text("2");
        assert!(task.poll(emit.as_mut()).is_pending());
    }
    let unfinished = SocketError::Send(SendError::Unfinished);
    assert_eq!(done(socket.emit("x", "")), Err(unfinished));
    assert_eq!(done(socket.emit_with_ack("x", "")), Err(unfinished));
    assert_eq!(done(socket.ack(1, "")), Err(unfinished));
    assert_eq!(done(socket.emit_binary("x", "", &[b"x"])), Err(unfinished), "another event");
    assert_eq!(done(socket.emit_binary("x", "", &[])), Err(unfinished));
    server.set_window(4096);
    waits(socket.recv());
    assert_eq!(done(socket.emit_binary_with_ack("photo", "", &attachments)), Ok(1), "it goes on");
    assert_eq!(done(socket.emit("x", "")), Ok(()));
    assert_eq!(
        server.take(),
        [
            text(r#"452-1["photo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
            text("3"),
            binary(&one),
            binary(&two),
            text(r#"42["x"]"#),
        ]
    );
}

#[test]
fn a_binary_event_may_be_dropped_at_any_poll_and_goes_on_with_the_same_call() {
    let _clock = fakes::clock();
    for patience in 1..5 {
        for window in [7, 64, 1_000] {
            let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 300, OPEN);
            let mut socket = joined(&mut client, &mut server);
            server.set_stutters();
            server.set_window(window);
            // Shorter and longer than the send buffer.
            let attachments: [&[u8]; 4] = [&[1; 10], &[2; 700], &[], &[4; 264]];
            let (mut sent, mut asked) = (Vec::new(), Vec::new());
            for _ in 0..3 {
                loop {
                    let emit = socket.emit_binary_with_ack("photo", "1", &attachments);
                    if let Some(id) = impatient(emit, patience) {
                        asked.push(id.expect("sent"));
                        break;
                    }
                    sent.extend(server.take());
                }
            }
            for _ in 0..600 {
                assert!(impatient(socket.recv(), patience).is_none());
                sent.extend(server.take());
            }
            assert_eq!(asked, [1, 2, 3]);
            let placeholders: Vec<_> =
                (0..4).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
            let expected: Vec<_> = (1..=3)
                .flat_map(|id| {
                    let header = text(&format!(r#"454-{id}["photo",1,{}]"#, placeholders.join(",")));
                    core::iter::once(header).chain(attachments.map(binary))
                })
                .collect();
            assert_eq!(sent, expected, "{patience} polls, window {window}");
        }
    }
}

#[test]
fn revision_3_marks_each_attachment() {
    let _clock = fakes::clock();
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    assert_eq!(done(socket.emit_binary("x", "", &[b"one"])), Ok(()));
    assert_eq!(server.take(), [text(r#"451-["x",{"_placeholder":true,"num":0}]"#), binary(b"\x04one")]);
}

#[test]
fn nothing_is_sent_after_the_server_has_disconnected_the_client() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    server.text("41");
    assert_eq!(done(socket.recv()).err(), Some(SocketError::Disconnected));
    assert_eq!(done(socket.emit_binary("x", "", &[b"x"])), Err(SocketError::Disconnected));
    assert_eq!(server.take(), []);
}
