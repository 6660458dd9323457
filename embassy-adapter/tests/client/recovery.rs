//! Connection state recovery: what a board keeps, sends, and learns.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_embassy::socketio::{Alone, Incoming, Recovery, Socket, SocketError};
use eio_embassy::{ClientSettings, LongMessages, SendError};

use crate::fakes::{
    self, OPEN, Reader, Sent, Server, Task, TestClient, Writer, done, open, open_with, text, waits,
};

type Recovered<'c> = Socket<'c, 'static, Reader, Writer, Alone<&'c mut Recovery>>;

/// Joins `/` of a server that answers like this. Returns the request, too.
fn join<'c>(
    client: &'c mut TestClient,
    server: &mut Server,
    auth: &str,
    recovery: &'c mut Recovery,
    answers: &[&str],
) -> (Vec<Sent>, Result<Recovered<'c>, SocketError>) {
    let task = Task::new();
    let timeout = Duration::from_millis(400);
    let mut join = Box::pin(Socket::join_with_recovery(client, "/", auth, recovery, timeout));
    if let core::task::Poll::Ready(result) = task.poll(join.as_mut()) {
        return (Vec::new(), result);
    }
    let request = server.take();
    for answer in answers {
        server.text(answer);
    }
    match task.poll(join.as_mut()) {
        core::task::Poll::Ready(result) => (request, result),
        core::task::Poll::Pending => panic!("it waits"),
    }
}

/// One session: what it asks for, and what the application receives, event by event, until nothing more is there.
fn session(recovery: &mut Recovery, auth: &str, messages: &[&str]) -> (Vec<Sent>, Vec<String>) {
    let (mut client, mut server) = open();
    let (request, socket) = join(&mut client, &mut server, auth, recovery, messages);
    let mut socket = socket.expect("joined");
    let received = drain(&mut socket);
    (request, received)
}

fn drain(socket: &mut Recovered<'_>) -> Vec<String> {
    let mut received = Vec::new();
    let task = Task::new();
    while let core::task::Poll::Ready(incoming) = task.poll(core::pin::pin!(socket.recv())) {
        received.push(match incoming {
            Ok(Incoming::Connected { recovered }) => format!("connected {recovered}"),
            Ok(Incoming::Event { event, .. }) => format!("event {}", event.name().unwrap_or("?")),
            Ok(other) => format!("{other:?}"),
            // A piece of an event that is passed over.
            Err(SocketError::TooLong) => continue,
            Err(error) => {
                received.push(error.to_string());
                return received;
            }
        });
    }
    received
}

#[test]
fn the_next_session_asks_with_the_private_id_and_the_last_position_and_hears_that_it_was_recovered() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    let first = session(
        &mut recovery,
        r#"{"token":"t"}"#,
        &[r#"40{"sid":"s1","pid":"p1"}"#, r#"42["one","x","Q8cPi-T"]"#, r#"42["two","Q8cPi-V"]"#],
    );
    assert_eq!(first.0, [text(r#"40{"token":"t"}"#)], "the first session knows nothing");
    assert_eq!(first.1, ["connected false", "event one", "event two"]);
    assert_eq!((recovery.pid(), recovery.offset()), ("p1", "Q8cPi-V"));

    // A server in Node sends what was missed before its answer.
    let node = session(
        &mut recovery,
        r#"{"token":"t"}"#,
        &[r#"42["missed","Q8cPi-W"]"#, r#"42["too","Q8cPi-X"]"#, r#"40{"sid":"s1","pid":"p1"}"#],
    );
    assert_eq!(node.0, [text(r#"40{"pid":"p1","offset":"Q8cPi-V","token":"t"}"#)]);
    assert_eq!(node.1, ["event missed", "event too", "connected true"]);

    // Ours sends it after.
    let ours = session(&mut recovery, "", &[r#"40{"pid":"p1","sid":"s1"}"#, r#"42["missed","Q8cPi-Y"]"#]);
    assert_eq!(ours.0, [text(r#"40{"pid":"p1","offset":"Q8cPi-X"}"#)]);
    assert_eq!(ours.1, ["connected true", "event missed"]);

    // One that remembers nothing gives another private id, to which no position belongs.
    let anew = session(&mut recovery, " { } ", &[r#"40{"sid":"s2","pid":"p2"}"#]);
    assert_eq!(anew.0, [text(r#"40{"pid":"p1","offset":"Q8cPi-Y"}"#)]);
    assert_eq!(anew.1, ["connected false"]);
    assert_eq!((recovery.pid(), recovery.offset()), ("p2", ""));

    // And one without recovery gives none.
    let without = session(&mut recovery, "", &[r#"40{"sid":"s3"}"#, r#"42["one","Q8cPi-Z"]"#]);
    assert_eq!(without.0, [text(r#"40{"pid":"p2"}"#)]);
    assert_eq!(without.1, ["connected false", "event one"]);
    assert_eq!((recovery.pid(), recovery.offset()), ("", ""), "a text of the application is no position");
    assert_eq!(session(&mut recovery, "", &["40"]).0, [text("40")]);
}

#[test]
fn the_members_of_the_application_come_after_those_of_the_recovery_and_so_have_precedence() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#]);
    let (request, _) = session(&mut recovery, "{ \"pid\":\"mine\" }", &[r#"40{"pid":"p1"}"#]);
    assert_eq!(request, [text(r#"40{"pid":"p1","pid":"mine" }"#)]);
}

#[test]
fn only_a_string_at_the_end_of_an_event_that_asks_for_nothing_is_a_position() {
    let _clock = fakes::clock();
    for (message, offset) in [
        (r#"42["a","1526919030474-55"]"#, "1526919030474-55"),
        (r#"42["a","x" , "Q8cPi-V.0" ]"#, "Q8cPi-V.0"),
        (r#"427["a","Q8cPi-W"]"#, "first"),
        (r#"42["a",7]"#, "first"),
        (r#"42["a"]"#, "first"),
        (r#"42["a",{"b":"c"}]"#, "first"),
        (r#"42["a",["c"]]"#, "first"),
        (r#"42["a","two words"]"#, "first"),
        (r#"42["a","back\\slash"]"#, "first"),
        (r#"42["a","\u0041"]"#, "first"),
        (r#"42["a",""]"#, "first"),
        (r#"42["a","grün"]"#, "first"),
        (r#"431["Q8cPi-W"]"#, "first"),
        (r#"42/other,["a","Q8cPi-W"]"#, "first"),
    ] {
        let mut recovery = Recovery::new();
        session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, r#"42["a","first"]"#, message]);
        assert_eq!(recovery.offset(), offset, "{message}");
    }
}

#[test]
fn an_event_counts_as_missed_until_its_last_attachment_is_there() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, r#"42["a","first"]"#]);
    for (attachments, offset) in [(1, "first"), (2, "second")] {
        let (mut client, mut server) = open();
        let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &[r#"40{"pid":"p1"}"#]);
        server.text(r#"452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"second"]"#);
        for _ in 0..attachments {
            server.binary(b"bytes");
        }
        drain(&mut socket.expect("joined"));
        assert_eq!(recovery.offset(), offset, "{attachments} of 2 attachments");
    }
    let (request, _) = session(&mut recovery, "", &["40"]);
    assert_eq!(request, [text(r#"40{"pid":"p1","offset":"second"}"#)]);
}

#[test]
fn a_position_of_an_event_that_was_cut_does_not_become_that_of_the_next_session() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, r#"451-["x",{"_placeholder":true,"num":0},"cut"]"#]);
    let (mut client, mut server) = open();
    let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &[r#"40{"pid":"p1"}"#]);
    server.text(r#"451-["y",{"_placeholder":true,"num":0}]"#);
    server.binary(b"bytes");
    drain(&mut socket.expect("joined"));
    assert_eq!(recovery.offset(), "");
}

#[test]
fn what_arrived_first_waits_while_the_application_emits() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#]);
    let (mut client, mut server) = open();
    let answers = [r#"42["missed","Q8cPi-W"]"#, r#"40{"pid":"p1"}"#];
    let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &answers);
    let mut socket = socket.expect("joined");
    for _ in 0..3 {
        assert_eq!(done(socket.emit("hello", "")), Ok(()));
    }
    assert_eq!(server.take(), vec![text(r#"42["hello"]"#); 3]);
    assert_eq!(drain(&mut socket), ["event missed", "connected true"]);
    waits(socket.recv());
}

/// The application emits first, finds that the session has ended, and returns.
#[test]
fn what_the_application_has_not_got_counts_as_missed() {
    let _clock = fakes::clock();
    for first in [
        r#"42["missed","second"]"#,
        r#"451-["missed",{"_placeholder":true,"num":0},"second"]"#,
        r#"40{"sid":"s2","pid":"p2"}"#,
        r#"40{"sid":"s3"}"#,
    ] {
        let mut recovery = Recovery::new();
        session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, r#"42["a","first"]"#]);
        {
            let (mut client, mut server) = open();
            let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &[first]);
            let mut socket = socket.expect("joined");
            server.reset();
            assert_eq!(done(socket.emit("hello", "")), Ok(()));
            assert_eq!(done(socket.emit("state", "1")), Err(SocketError::Send(SendError::Closed)));
        }
        let (request, _) = session(&mut recovery, "", &["40"]);
        assert_eq!(request, [text(r#"40{"pid":"p1","offset":"first"}"#)], "{first}");
    }
}

#[test]
fn an_attachment_that_was_missed_arrives_with_its_event_before_the_answer() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#]);
    let (mut client, mut server) = open();
    let missed = [r#"451-["x",{"_placeholder":true,"num":0},"second"]"#];
    let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &missed);
    let mut socket = socket.expect("joined");
    server.binary(b"bytes");
    server.text(r#"40{"pid":"p1"}"#);
    assert!(matches!(done(socket.recv()), Ok(Incoming::Event { attachments: 1, .. })));
    assert_eq!(done(socket.recv()), Ok(Incoming::Attachment { num: 0, data: b"bytes", last: true }));
    assert_eq!(done(socket.recv()), Ok(Incoming::Connected { recovered: true }));
    assert_eq!(recovery.offset(), "second");
}

#[test]
fn a_server_may_refuse_after_it_sent_what_was_missed() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#]);
    let refused = session(&mut recovery, "", &[r#"42["missed","W"]"#, r#"44{"message":"no"}"#]);
    assert_eq!(refused.1, ["event missed", "the server refused the namespace"]);

    let (mut client, mut server) = open();
    let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &[r#"44{"message":"no"}"#]);
    assert_eq!(socket.err(), Some(SocketError::Refused));
}

#[test]
fn ids_that_do_not_fit_are_not_used_and_make_no_event_arrive_twice() {
    let _clock = fakes::clock();
    let longest = Recovery::CAPACITY - 2;
    let mut recovery = Recovery::new();
    let event = |offset: &str| format!(r#"42["a","{offset}"]"#);
    for letter in ["x", "y"] {
        let fits = letter.repeat(longest);
        session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, &event(&fits)]);
        assert_eq!((recovery.offset(), recovery.was_too_long()), (&*fits, false));
    }

    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, r#"451-["a",{"_placeholder":true,"num":0},"z"]"#]);
    assert!(recovery.was_too_long(), "the one before keeps its place until the attachment is there");
    assert_eq!((recovery.pid(), recovery.offset()), ("", ""), "an older position would bring events twice");
    assert_eq!(session(&mut recovery, "", &["40"]).0, [text("40")]);

    for (pid, offset) in [("p1".to_owned(), longest + 1), ("x".repeat(Recovery::CAPACITY + 1), 1)] {
        let mut recovery = Recovery::new();
        session(&mut recovery, "", &[&format!(r#"40{{"pid":"{pid}"}}"#), &event(&"x".repeat(offset))]);
        assert_eq!((recovery.pid(), recovery.offset(), recovery.was_too_long()), ("", "", true));
    }
}

/// A recovery that knows a socket and a position.
fn at_the_first_event() -> Recovery {
    let mut recovery = Recovery::new();
    session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, r#"42["a","first"]"#]);
    recovery
}

/// An event that is longer than every receive buffer here.
fn long_event() -> String {
    format!(r#"42["long","{}","second"]"#, "x".repeat(1_200))
}

/// A server that recovers the socket would send the event first in each session.
#[test]
fn after_an_event_that_the_board_cannot_take_the_next_session_is_a_new_one() {
    let _clock = fakes::clock();
    for (event, error) in [
        (long_event(), "payload too large"),
        (r#"4511-["eleven attachments"]"#.to_owned(), "parse error"),
        (r#"42["cut","#.to_owned(), "parse error"),
    ] {
        // It comes in an open session, and it comes first.
        let mut recovery = at_the_first_event();
        let (_, received) = session(&mut recovery, "", &[r#"40{"pid":"p1"}"#, &event]);
        assert!(received[1].contains(error), "{received:?}");
        let (request, received) = session(&mut recovery, "", &[r#"40{"pid":"p2"}"#, r#"42["b","third"]"#]);
        assert_eq!(request, [text("40")], "{error}");
        assert_eq!(received, ["connected false", "event b"]);
        assert_eq!(session(&mut recovery, "", &["40"]).0, [text(r#"40{"pid":"p2","offset":"third"}"#)]);

        let mut recovery = at_the_first_event();
        let (mut client, mut server) = open();
        let (request, socket) = join(&mut client, &mut server, "", &mut recovery, &[&event]);
        assert_eq!(request, [text(r#"40{"pid":"p1","offset":"first"}"#)]);
        assert!(socket.expect_err("no session").to_string().contains(error), "{error}");
        assert_eq!(session(&mut recovery, "", &["40"]).0, [text("40")], "{error}");
    }
}

#[test]
fn an_event_in_pieces_can_be_passed_over_before_the_answer_and_after_it() {
    let _clock = fakes::clock();
    let settings =
        ClientSettings { long_messages: LongMessages::in_pieces(u32::MAX), ..ClientSettings::DEFAULT };
    let answer = r#"40{"pid":"p1"}"#.to_owned();
    for messages in [[long_event(), answer.clone()], [answer, long_event()]] {
        for later in [None, Some(r#"42["b","third"]"#)] {
            let mut recovery = at_the_first_event();
            let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
            let messages: Vec<_> = messages.iter().map(|message| &**message).chain(later).collect();
            let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &messages);
            let received = drain(&mut socket.expect("joined"));
            let (request, missed) = match later {
                Some(_) => (r#"40{"pid":"p1","offset":"third"}"#, vec!["connected true", "event b"]),
                None => ("40", vec!["connected true"]),
            };
            assert_eq!(received, missed);
            assert_eq!(session(&mut recovery, "", &["40"]).0, [text(request)]);
        }
    }
}

#[test]
fn answers_of_a_strange_server_are_no_private_id() {
    let _clock = fakes::clock();
    for answer in
        [r#"40{"pid":7}"#, r#"40{"pid":null}"#, r#"40{"pid":""}"#, r#"40{"pid":["p"]}"#, "40{}", "40"]
    {
        let mut recovery = Recovery::new();
        assert_eq!(session(&mut recovery, "", &[answer]).1, ["connected false"], "{answer}");
        assert_eq!(session(&mut recovery, "", &["40"]).0, [text("40")], "{answer}");
    }
}

#[test]
fn a_request_that_does_not_fit_says_how_much_is_needed() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    let auth = format!(r#"{{"token":"{}"}}"#, "x".repeat(100));
    session(&mut recovery, &auth, &[r#"40{"pid":"p1"}"#, r#"42["a","first"]"#]);
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 264, OPEN);
    let (_, refused) = join(&mut client, &mut server, &auth, &mut recovery, &[]);
    let Err(SocketError::Send(SendError::BufferTooSmall { needed })) = refused else { panic!("it fits") };
    for (room, fits) in [(needed - 1, false), (needed, true)] {
        let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, room, OPEN);
        let (_, joined) = join(&mut client, &mut server, &auth, &mut recovery, &[r#"40{"pid":"p1"}"#]);
        assert_eq!(joined.is_ok(), fits, "{room}");
    }
}

#[test]
fn the_end_of_a_session_leaves_what_is_known() {
    let _clock = fakes::clock();
    let mut recovery = Recovery::new();
    let (mut client, mut server) = open();
    let (_, socket) = join(&mut client, &mut server, "", &mut recovery, &[r#"40{"pid":"p1"}"#]);
    let mut socket = socket.expect("joined");
    server.text(r#"42["a","first"]"#);
    server.reset();
    assert_eq!(done(socket.recv()), Ok(Incoming::Connected { recovered: false }));
    assert!(matches!(done(socket.recv()), Ok(Incoming::Event { .. })));
    let Err(SocketError::Session(end)) = done(socket.recv()) else { panic!("alive") };
    assert_eq!(end.reason, DisconnectReason::TransportReset);
    assert_eq!((recovery.pid(), recovery.offset()), ("p1", "first"));
}
