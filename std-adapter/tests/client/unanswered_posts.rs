//! Requests with data that the server does not answer, or answers late.

use core::time::Duration;
use eio_core::DisconnectReason;
use eio_tokio::{Client, ClientBuilder, ClientEvent, ClientSocket, ConnectError, Transport};
use tokio::time::Instant;

use crate::support::{Events, Notes, noting, open_packet};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A session whose server does not answer a request with a message.
struct Posting {
    socket: ClientSocket,
    events: Events,
    /// When the message was sent. The client gives its request a second.
    sent: Instant,
    /// The bodies of the requests with data.
    posts: Notes<String>,
}

/// Opens a session, and sends a message. The server answers this request after a time, if at all, and polls with pings.
async fn posting(answered: Option<Duration>) -> Posting {
    posting_to(answered, true, |client| client).await
}

/// The same, with a client that is made so. `answers_others` says whether the server answers other requests with data.
async fn posting_to(
    answered: Option<Duration>,
    answers_others: bool,
    configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Posting {
    let (address, posts) = noting(move |mut raw, posts: Notes<String>| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                return;
            }
            let body = request.rsplit_once("\r\n\r\n").unwrap().1;
            if request.starts_with("POST") {
                posts.lock().unwrap().push(body.to_owned());
            }
            if !request.contains("sid=") {
                raw.answer("200 OK", &open_packet(300, 200, "")).await;
            } else if request.starts_with("GET") {
                tokio::time::sleep(ms(250)).await;
                raw.answer("200 OK", "2").await;
            } else if body != "4hello" {
                if answers_others {
                    raw.answer("200 OK", "ok").await;
                }
            } else if let Some(after) = answered {
                tokio::time::sleep(after).await;
                raw.answer("200 OK", "ok").await;
            }
        }
    })
    .await;
    let events = Events::default();
    let client = configure(events.watch(Client::builder(format!("http://{address}")))).build().unwrap();
    let socket = client.connect().await.unwrap();
    socket.send("hello").await.unwrap();
    Posting { socket, events, sent: Instant::now(), posts }
}

/// Stops all tasks from 1 ms before the request's limit until this time after it was sent.
async fn stall_until(sent: Instant, end: Duration) {
    tokio::time::sleep_until(sent + ms(999)).await;
    tokio::time::advance(sent + end - Instant::now()).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_request_of_a_session_does_not_take_over_the_second_of_one_that_was_late() {
    let Posting { socket, sent, .. } = posting_to(None, false, |client| client.close_timeout(ms(200))).await;
    stall_until(sent, ms(1_100)).await;
    tokio::time::sleep_until(sent + ms(1_500)).await;
    socket.close();
    // A task that is never idle keeps the clock from moving on. Its second would be over at 2,700 ms.
    tokio::time::timeout_at(sent + ms(10_000), socket.closed()).await.unwrap();
}

/// Checks when the session ends, and that its server is told at once.
async fn assert_ends_at(posting: Posting, at: u128) {
    let Posting { mut socket, events, sent, posts } = posting;
    let end = socket.recv().await.unwrap_err();
    assert_eq!(end.reason, DisconnectReason::TransportError);
    assert!((at..=at + 3).contains(&sent.elapsed().as_millis()), "{:?}", sent.elapsed());
    let timed_out = |event: &ClientEvent| {
        matches!(event, ClientEvent::RequestFailed { error: ConnectError::RequestTimeout })
    };
    assert!(events.all().iter().any(timed_out));
    let is_told = || posts.lock().unwrap().last().is_some_and(|last| last == "1");
    while !is_told() {
        assert!(sent.elapsed().as_millis() < at + 10, "{:?}", posts.lock().unwrap());
        tokio::time::sleep(ms(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_that_is_never_answered_ends_the_session() {
    assert_ends_at(posting(None).await, 1_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_of_up_to_ten_milliseconds_changes_nothing() {
    let posting = posting(None).await;
    stall_until(posting.sent, ms(1_010)).await;
    assert_ends_at(posting, 1_010).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_longer_stall_the_answer_has_another_second() {
    let posting = posting(None).await;
    stall_until(posting.sent, ms(1_011)).await;
    assert_ends_at(posting, 2_011).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_that_second_saves_the_session() {
    let Posting { mut socket, sent, .. } = posting(Some(ms(1_500))).await;
    stall_until(sent, ms(1_100)).await;
    let ended = tokio::time::timeout_at(sent + ms(5_000), socket.recv()).await;
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_closes_in_an_upgrade_stays_on_polling_and_sends_all_its_messages() {
    let (address, posts) = noting(move |mut raw, posts: Notes<String>| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                return;
            }
            if request.contains("transport=websocket") {
                raw.switch_protocols(&request).await;
                assert_eq!(raw.frame().await, None);
                return;
            }
            if !request.contains("sid=") {
                let open = open_packet(300, 200, r#""websocket""#).replace("1000000", "40");
                raw.answer("200 OK", &open).await;
            } else if request.starts_with("GET") {
                tokio::time::sleep(ms(20)).await;
                raw.answer("200 OK", "6").await;
            } else {
                posts.lock().unwrap().push(request.rsplit_once("\r\n\r\n").unwrap().1.to_owned());
                tokio::time::sleep(ms(100)).await;
                raw.answer("200 OK", "ok").await;
            }
        }
    })
    .await;
    let socket = Client::builder(format!("http://{address}")).build().unwrap().connect().await.unwrap();
    for count in 1..=3 {
        socket.send(format!("{count}, with 30 bytes altogether.")).await.unwrap();
    }
    socket.close();
    assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);
    assert_eq!(socket.transport(), Transport::Polling);
    let with = |count, behind| format!("4{count}, with 30 bytes altogether.{behind}");
    assert_eq!(*posts.lock().unwrap(), [with(1, ""), with(2, ""), with(3, "\u{1e}1")]);
}
