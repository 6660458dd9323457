//! Requests with data that the server does not answer, or answers late.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_core::DisconnectReason;
use eio_tokio::{Client, ClientEvent, ClientSocket, ConnectError, Transport};
use tokio::time::Instant;

use crate::support::{Events, open_packet, scripted};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A session that has sent a message, whose server answers this request after a time, if at all, and answers polls with
/// pings. Returns when it was sent. The client gives it a second.
async fn posting(answered: Option<Duration>) -> (ClientSocket, Events, Instant) {
    let address = scripted(move |mut raw| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                return;
            }
            if !request.contains("sid=") {
                raw.answer("200 OK", &open_packet(300, 200, "")).await;
            } else if request.starts_with("GET") {
                tokio::time::sleep(ms(250)).await;
                raw.answer("200 OK", "2").await;
            } else if !request.ends_with("4hello") {
                raw.answer("200 OK", "ok").await;
            } else if let Some(after) = answered {
                tokio::time::sleep(after).await;
                raw.answer("200 OK", "ok").await;
            }
        }
    })
    .await;
    let events = Events::default();
    let client = events.watch(Client::builder(format!("http://{address}"))).build().unwrap();
    let socket = client.connect().await.unwrap();
    socket.send("hello").await.unwrap();
    (socket, events, Instant::now())
}

/// Stops all tasks from 1 ms before the request's limit until this time after it was sent.
async fn stall_until(sent: Instant, end: Duration) {
    tokio::time::sleep_until(sent + ms(999)).await;
    tokio::time::advance(sent + end - Instant::now()).await;
}

async fn assert_ends_at(mut socket: ClientSocket, events: &Events, sent: Instant, at: u128) {
    let end = socket.recv().await.unwrap_err();
    assert_eq!(end.reason, DisconnectReason::TransportError);
    assert!((at..=at + 3).contains(&sent.elapsed().as_millis()), "{:?}", sent.elapsed());
    let timed_out = |event: &ClientEvent| {
        matches!(event, ClientEvent::RequestFailed { error: ConnectError::RequestTimeout })
    };
    assert!(events.all().iter().any(timed_out));
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_that_is_never_answered_ends_the_session() {
    let (socket, events, sent) = posting(None).await;
    assert_ends_at(socket, &events, sent, 1_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_of_up_to_ten_milliseconds_changes_nothing() {
    let (socket, events, sent) = posting(None).await;
    stall_until(sent, ms(1_010)).await;
    assert_ends_at(socket, &events, sent, 1_010).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_longer_stall_the_answer_has_another_second() {
    let (socket, events, sent) = posting(None).await;
    stall_until(sent, ms(1_011)).await;
    assert_ends_at(socket, &events, sent, 2_011).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_that_second_saves_the_session() {
    let (mut socket, _, sent) = posting(Some(ms(1_500))).await;
    stall_until(sent, ms(1_100)).await;
    let ended = tokio::time::timeout_at(sent + ms(5_000), socket.recv()).await;
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_closes_in_an_upgrade_stays_on_polling_and_sends_all_its_messages() {
    let posts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&posts);
    let address = scripted(move |mut raw| {
        let noted = Arc::clone(&noted);
        async move {
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
                    noted.lock().unwrap().push(request.rsplit_once("\r\n\r\n").unwrap().1.to_owned());
                    tokio::time::sleep(ms(100)).await;
                    raw.answer("200 OK", "ok").await;
                }
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
