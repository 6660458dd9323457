//! Every future of the server, dropped at every point where it waits: nothing is lost, nothing comes twice, and no
//! session is left behind.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use eio_tokio::{Message, Server};

use crate::support::{Harness, Reason, handing_out, listen, ms, settle};

/// Where a future is dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// After so many polls.
    pub(crate) polls: usize,
    /// Only when it was woken once more, so that whoever woke it counts on it.
    pub(crate) woken: bool,
}

/// More polls than any of these futures takes.
const ALL_CUTS: usize = 12;

pub(crate) fn cuts() -> impl Iterator<Item = Cut> {
    (0..ALL_CUTS).flat_map(|polls| [false, true].map(|woken| Cut { polls, woken }))
}

impl Cut {
    /// What `future` yields, if it does before it is dropped.
    pub(crate) async fn apply<F: Future>(self, future: F) -> Option<F::Output> {
        let mut left = self.polls;
        let mut future = pin!(future);
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if left == 0 && !self.woken => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

#[tokio::test(start_paused = true)]
async fn recv_loses_nothing_and_yields_nothing_twice() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(3, 1_000_000));
        let mut websocket = harness.websocket(4).await;
        let mut socket = sockets.recv().await.unwrap();
        let sending = tokio::spawn(async move {
            for number in 0..50 {
                websocket.send(&format!("4{number}")).await;
                if number % 7 == 0 {
                    tokio::time::sleep(ms(1)).await;
                }
            }
            websocket
        });
        let mut received = Vec::new();
        while received.len() < 50 {
            match cut.apply(socket.recv()).await {
                Some(message) => received.push(message.unwrap()),
                None => tokio::task::yield_now().await,
            }
            tokio::time::sleep(ms(1)).await;
            harness.assert_alive();
        }
        let expected: Vec<_> = (0..50).map(|number| Message::text(number.to_string())).collect();
        assert_eq!(received, expected, "{cut:?}");
        drop(sending.await.unwrap());
        let end = loop {
            match cut.apply(socket.recv()).await {
                Some(end) => break end.unwrap_err(),
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(end.reason, Reason::TransportClosed, "{cut:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn send_sends_once_or_not_at_all() {
    for transport in ["websocket", "polling"] {
        for cut in cuts().filter(|cut| cut.polls > 0) {
            let (harness, mut sockets) = handing_out(|builder| builder.outbox(2, 1_000_000));
            let (mut websocket, mut polling) = (None, None);
            match transport {
                // Less than one of the messages.
                "websocket" => {
                    let client = harness.websocket_with_room(1_000).await;
                    websocket = Some(client);
                }
                _ => polling = Some(harness.polling(4).await),
            }
            let socket = sockets.recv().await.unwrap();
            let sending = tokio::spawn(async move {
                for number in 0..30 {
                    let message = format!("{number}{}", " ".repeat(1_500));
                    while cut.apply(socket.send(message.clone())).await.is_none() {
                        tokio::time::sleep(ms(1)).await;
                    }
                }
                socket
            });
            let mut received = Vec::new();
            while received.len() < 30 {
                tokio::time::sleep(ms(2)).await;
                match (&mut websocket, &mut polling) {
                    (Some(websocket), _) => received.push(websocket.text().await),
                    (_, Some(polling)) => received.extend(polling.poll().await),
                    _ => unreachable!(),
                }
            }
            let numbers: Vec<_> = received.iter().map(|packet| packet.trim()).collect();
            let expected: Vec<_> = (0..30).map(|number| format!("4{number}")).collect();
            assert_eq!(numbers, expected, "{transport} {cut:?}");
            drop(sending.await.unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_takes_nobody_elses_turn() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
        let mut polling = harness.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        socket.try_send("first").unwrap();
        let dropped = tokio::spawn({
            let sender = socket.sender();
            async move { cut.apply(sender.send("dropped")).await }
        });
        settle().await;
        let waiting = tokio::spawn({
            let sender = socket.sender();
            async move { sender.send("waiting").await }
        });
        settle().await;
        assert_eq!(polling.poll().await, ["4first"]);
        settle().await;
        let mut rest = Vec::new();
        while !waiting.is_finished() || !dropped.is_finished() {
            rest.extend(polling.poll().await);
            settle().await;
        }
        if rest.len() < 1 + usize::from(dropped.await.unwrap().is_some()) {
            rest.extend(polling.poll().await);
        }
        assert!(rest.contains(&"4waiting".to_owned()), "{cut:?}: {rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_may_be_asked_again_and_again() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (harness, mut sockets) = handing_out(|builder| builder);
        let websocket = harness.websocket(4).await;
        let socket = sockets.recv().await.unwrap();
        let asking = tokio::spawn(async move {
            loop {
                if let Some(end) = cut.apply(socket.closed()).await {
                    return end;
                }
                tokio::time::sleep(ms(1)).await;
            }
        });
        harness.at(20).await;
        drop(websocket);
        assert_eq!(asking.await.unwrap().reason, Reason::TransportClosed, "{cut:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_goes_on_closing_and_can_be_waited_for_again() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let mut harness = Harness::new(Server::builder(listen));
        let mut polling = harness.polling(4).await;
        harness.websocket(4).await.leave_with_server();
        settle().await;
        let first = tokio::spawn({
            let server = harness.server.clone();
            async move { cut.apply(server.shutdown(ms(400))).await }
        });
        settle().await;
        assert_eq!(harness.end().await.disconnect.reason, Reason::LocalClose);
        let mut late = harness.connect();
        assert_ne!(late.request("GET", "EIO=4&transport=polling", b"").await.0, 200);
        assert_eq!(polling.poll().await, ["6", "1"]);
        assert!(harness.server.shutdown(ms(400)).await.is_empty(), "{cut:?}");
        first.await.unwrap();
        assert!(harness.server.is_empty());
    }
}
