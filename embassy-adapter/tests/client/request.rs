//! Acknowledgements with a timeout.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_embassy::socketio::{Incoming, Socket, SocketError};
use embassy_time::with_deadline;

use crate::fakes::{self, Reader, Server, Task, TestClient, Writer, done, open, text, waits};
use crate::socketio::join;

const TIMEOUT: Duration = Duration::from_millis(150);

fn joined<'c>(client: &'c mut TestClient, server: &mut Server) -> Socket<'c, 'static, Reader, Writer> {
    let socket = join(client, server, "/", "", "40").expect("joined");
    server.take();
    socket
}

#[test]
fn an_answer_comes_back_from_the_call_and_what_came_before_it_is_passed_on() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    let (task, mut others) = (Task::new(), Vec::new());
    let answer = {
        let mut request =
            pin!(socket.request("save", "1", TIMEOUT, |incoming| others.push(match incoming {
                Incoming::Event { event, ack, .. } => format!("{} {ack:?}", event.name().unwrap_or("?")),
                other => format!("{other:?}"),
            })));
        assert!(task.poll(request.as_mut()).is_pending());
        assert_eq!(server.take(), [text(r#"421["save",1]"#)]);
        server.text(r#"427["led","on"]"#);
        server.text("2");
        server.text(r#"451-["x",{"_placeholder":true,"num":0}]"#);
        server.binary(b"bytes");
        server.text(r#"439["of another"]"#);
        server.text(r#"431["ok",2]"#);
        server.text(r#"42["after"]"#);
        match task.poll(request.as_mut()) {
            Poll::Ready(Ok(answer)) => (answer.args.as_str().to_owned(), answer.attachments),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(answer, (r#""ok",2"#.to_owned(), 0));
    assert_eq!(others[..2], ["led Some(7)", "x None"]);
    assert!(others[2].contains("Attachment") && others[3].contains("id: 9"), "{others:?}");
    assert_eq!(server.take(), [text("3")], "the session lives meanwhile");
    assert!(matches!(done(socket.recv()), Ok(Incoming::Event { event, .. }) if event.is("after")));
}

#[test]
fn an_answer_with_attachments_is_followed_by_them() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    server.text(r#"461-1[{"_placeholder":true,"num":0}]"#);
    server.binary(b"bytes");
    let answer =
        done(socket.request("get", "", TIMEOUT, |_| panic!("nothing else came"))).expect("an answer");
    assert_eq!(answer.attachments, 1);
    assert_eq!(done(socket.recv()), Ok(Incoming::Attachment { num: 0, data: b"bytes", last: true }));
}

#[test]
fn an_answer_that_does_not_come_is_given_up_in_time_and_a_late_one_is_nobodys() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    let task = Task::new();
    {
        let mut request = pin!(socket.request("save", "", TIMEOUT, |_| {}));
        assert!(task.poll(request.as_mut()).is_pending());
        fakes::advance(149_999);
        assert!(task.poll(request.as_mut()).is_pending(), "too early");
        fakes::advance(1);
        assert_eq!(task.poll(request.as_mut()), Poll::Ready(Err(SocketError::AckTimeout)));
    }
    server.text("431[]");
    let mut late = Vec::new();
    {
        let mut request = pin!(socket.request("save", "", TIMEOUT, |incoming| {
            if let Incoming::Ack { id, .. } = incoming {
                late.push(id);
            }
        }));
        assert!(task.poll(request.as_mut()).is_pending(), "the late answer is not that of this event");
        server.text("432[]");
        assert!(matches!(task.poll(request.as_mut()), Poll::Ready(Ok(_))));
    }
    assert_eq!(late, [1]);
    assert_eq!(server.take(), [text(r#"421["save"]"#), text(r#"422["save"]"#)]);
}

#[test]
fn an_answer_that_has_arrived_counts_also_after_its_time() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    let pending = done(socket.emit_with_timeout("save", "", TIMEOUT)).expect("sent");
    server.text("431[]");
    // The task was busy for longer than that.
    fakes::advance(200_000);
    assert!(done(socket.answer(pending, |_| {})).is_ok());
}

#[test]
fn waiting_may_be_dropped_at_any_poll_and_goes_on() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_stutters();
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    let pending = done(socket.emit_with_timeout("save", "", TIMEOUT)).expect("sent");
    assert_eq!(pending.id(), 1);
    for number in 0..10 {
        server.text(&format!(r#"42["event",{number}]"#));
    }
    server.text(r#"431["ok"]"#);
    let mut others = Vec::new();
    let answer = loop {
        let task = Task::new();
        let mut answer = pin!(socket.answer(pending, |incoming| match incoming {
            Incoming::Event { event, .. } => others.push(event.args().as_str().to_owned()),
            other => panic!("{other:?}"),
        }));
        if let Poll::Ready(answer) = task.poll_once(answer.as_mut()) {
            break answer.expect("an answer").args.as_str().to_owned();
        }
    };
    assert_eq!(answer, "\"ok\"");
    assert_eq!(others, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn an_event_that_cannot_be_sent_in_time_is_not_sent_later() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    server.set_window(1);
    assert_eq!(done(socket.emit("fills the send buffer", "")), Ok(()));
    let task = Task::new();
    {
        let mut request = pin!(socket.request("save", "", TIMEOUT, |_| {}));
        assert!(task.poll(request.as_mut()).is_pending());
        fakes::advance(150_000);
        assert_eq!(task.poll(request.as_mut()), Poll::Ready(Err(SocketError::AckTimeout)));
    }
    server.set_window(4096);
    waits(socket.recv());
    assert_eq!(server.take(), [text(r#"42["fills the send buffer"]"#)]);
    assert_eq!(done(socket.emit_with_ack("next", "")), Ok(1));
}

#[test]
fn every_end_ends_the_wait() {
    let _clock = fakes::clock();
    let after = |message: &str| {
        let (mut client, mut server) = open();
        let mut socket = joined(&mut client, &mut server);
        let pending = done(socket.emit_with_timeout("save", "", TIMEOUT)).expect("sent");
        server.text(message);
        done(socket.answer(pending, |_| {})).expect_err("an end")
    };
    assert_eq!(after("41"), SocketError::Disconnected);
    assert!(matches!(after("1"), SocketError::Session(_)));
    assert!(matches!(after("4nonsense"), SocketError::Packet(_)));
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    let refused = done(socket.request("disconnect", "", TIMEOUT, |_| {}));
    assert!(matches!(refused, Err(SocketError::Packet(_))));
}

#[test]
fn a_loop_of_the_application_waits_for_several_answers_at_a_time() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = joined(&mut client, &mut server);
    let first = done(socket.emit_with_timeout("a", "", TIMEOUT)).expect("sent");
    fakes::advance(50_000);
    let second = done(socket.emit_with_timeout("b", "", TIMEOUT)).expect("sent");
    assert_eq!((first.deadline().as_micros(), second.deadline().as_micros()), (150_000, 200_000));
    server.text("432[]");
    let earliest = first.deadline().min(second.deadline());
    let incoming = done(with_deadline(earliest, socket.recv())).expect("in time");
    assert!(matches!(incoming, Ok(Incoming::Ack { id, .. }) if id == second.id()));
    let task = Task::new();
    let mut late = pin!(with_deadline(first.deadline(), socket.recv()));
    assert!(task.poll(late.as_mut()).is_pending());
    fakes::advance(100_000);
    assert!(matches!(task.poll(late.as_mut()), Poll::Ready(Err(_))));
}
