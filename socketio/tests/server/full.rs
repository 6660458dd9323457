//! Clients that do not read.

use std::time::Duration;

use eio_socketio::{Data, Disconnect, EmitError, Namespace, Reason, Reply, Server, Socket, WhenFull};
use tokio::time::Instant;

use crate::support::{Raw, build, settle};

/// A server that sends text until there is no room, and tells how that ended.
fn server(when_full: WhenFull, ends: tokio::sync::mpsc::UnboundedSender<Disconnect>) -> Server {
    let fill = |socket: Socket| async move {
        let text = "x".repeat(10_000);
        loop {
            match socket.emit("text", &text) {
                Ok(()) => tokio::task::yield_now().await,
                error => return error,
            }
        }
    };
    let namespace =
        Namespace::new().on("fill", fill).on("echo", |Data(text): Data<String>| async move { Reply(text) });
    let namespace = namespace.on_disconnect(move |end: Disconnect| {
        ends.send(end).unwrap();
        core::future::ready(())
    });
    build(
        Server::builder()
            .namespace("/", namespace)
            .when_full(when_full)
            .engine(|engine| engine.outbox(32, 1 << 20)),
    )
}

/// Joins a client that does not read. Returns it with its socket.
async fn join_unread(server: &Server) -> (Raw, Socket) {
    let mut client = Raw::open_with(server, |client| client.inbox(1, 1000)).await;
    client.send("0").await;
    assert!(client.next().await.starts_with("0{\"sid\":"));
    let socket = server.of("/").sockets().pop().unwrap();
    (client, socket)
}

/// Joins a client that does not read, and fills its outbox. Returns it with its socket.
async fn join_and_be_filled(server: &Server) -> (Raw, Socket) {
    let (client, socket) = join_unread(server).await;
    client.send("2[\"fill\"]").await;
    settle().await;
    (client, socket)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_stays_and_gets_its_answer_after_everything_else() {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let server = server(WhenFull::Refuse, ended);
    let (mut client, socket) = join_and_be_filled(&server).await;
    client.send("21[\"echo\",\"still here\"]").await;
    settle().await;
    assert_eq!(socket.emit("more", ()), Err(EmitError::Full));
    assert!(socket.is_connected());
    let broadcast = server.emit("more", ()).unwrap();
    assert_eq!((broadcast.sent, broadcast.full), (0, 1));
    loop {
        let packet = client.next().await;
        if !packet.starts_with("2[\"text\",") {
            assert_eq!(packet, "31[\"still here\"]");
            break;
        }
    }
    assert_eq!(socket.emit("more", ()), Ok(()));
    client.expect("2[\"more\"]").await;
    assert!(ends.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_volatile_question_waits_for_no_client_and_closes_none() {
    for when_full in [WhenFull::Refuse, WhenFull::Close] {
        let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let server = server(when_full, ended);
        let (_client, socket) = join_unread(&server).await;
        for _ in 0..8 {
            socket.emit("text", "x".repeat(10_000)).unwrap();
        }
        settle().await;
        let question = server.of("/").volatile().timeout(Duration::from_secs(1));
        let answers = question.emit_with_ack::<()>("ready?", ()).unwrap().all().await;
        let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(answers, [Err(EmitError::Full.into())], "{when_full:?}");
        assert!(socket.is_connected() && ends.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_closed_if_the_server_says_so() {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let server = server(WhenFull::Close, ended);
    let client = Raw::join(&server).await;
    client.send("2[\"fill\"]").await;
    let end = ends.recv().await.unwrap();
    assert!(matches!(end.reason, Reason::SlowClient), "{end}");
    assert_eq!(end.reason.as_str(), "forced close");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_ends_at_once_when_the_server_closes_it_and_gets_what_was_sent_before() {
    for reads_after in [Some(Duration::from_millis(500)), Some(Duration::from_secs(4)), None] {
        let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let server = server(WhenFull::Refuse, ended);
        let (mut client, socket) = join_and_be_filled(&server).await;
        assert_eq!(socket.emit("more", ()), Err(EmitError::Full));
        let start = Instant::now();
        socket.close();
        socket.close();
        let end = ends.recv().await.unwrap();
        assert_eq!((end.reason.as_str(), start.elapsed()), ("server namespace disconnect", Duration::ZERO));
        if let Some(wait) = reads_after {
            tokio::time::sleep(wait).await;
            let mut texts = 0;
            let mut last = String::new();
            while let Ok(message) = client.engine.recv().await {
                last = message.as_text().unwrap_or_default().to_owned();
                texts += usize::from(last.starts_with("2[\"text\","));
            }
            assert!(texts >= 32, "{texts}");
            assert_eq!(last == "1", wait < Duration::from_secs(1), "told of the disconnect: {wait:?}");
        }
        socket.engine().closed().await;
        assert!(start.elapsed() <= Duration::from_secs(31), "{:?}", start.elapsed());
        assert!(ends.try_recv().is_err(), "told once");
    }
}

#[tokio::test(start_paused = true)]
async fn send_waits_until_the_client_has_read() {
    let send = |socket: Socket| async move {
        for number in 0..500 {
            socket.send("number", number).await?;
        }
        Ok::<_, EmitError>(())
    };
    let server = build(
        Server::builder()
            .namespace("/", Namespace::new().on("send", send))
            .engine(|engine| engine.outbox(8, 1 << 20)),
    );
    let mut client = Raw::join(&server).await;
    client.send("2[\"send\"]").await;
    settle().await;
    for number in 0..500 {
        client.expect(&format!("2[\"number\",{number}]")).await;
    }
}
