//! A silent peer is noticed at the bound: not a millisecond before it, and not one after.

use eio_core::Liveness;
use eio_tokio::Server;

use crate::support::{Harness, Polling, Reason, WebSocket, listen, ms, settle};

/// Either transport, from the side of a client that polls and pongs only when told to.
enum Peer {
    WebSocket(Box<WebSocket>),
    Polling(Box<Polling>),
}

impl Peer {
    async fn open(harness: &Harness, transport: &str, revision: u8) -> Self {
        if transport == "websocket" {
            Self::WebSocket(Box::new(harness.websocket(revision).await))
        } else {
            let mut polling = harness.polling(revision).await;
            polling.begin_poll().await;
            Self::Polling(Box::new(polling))
        }
    }

    async fn send(&mut self, packet: &str) {
        match self {
            Self::WebSocket(websocket) => websocket.send(packet).await,
            Self::Polling(polling) => assert_eq!(polling.post(&[packet]).await.0, 200),
        }
        settle().await;
    }
}

struct Case {
    liveness: Liveness,
    revision: u8,
    /// What the client sends, and when.
    sends: &'static [(u64, &'static str)],
    /// When the session ends, and for how long the client had been silent then.
    ends: u64,
    silent: u64,
}

const CASES: &[Case] = {
    const fn case(
        liveness: Liveness,
        revision: u8,
        sends: &'static [(u64, &'static str)],
        ends: u64,
        silent: u64,
    ) -> Case {
        Case { liveness, revision, sends, ends, silent }
    }
    use Liveness::{AnyPacket, ExtendOnce, PongOnly};
    &[
        // Silent from the start: one interval and one timeout, whatever the policy.
        case(PongOnly, 4, &[], 500, 500),
        case(ExtendOnce, 4, &[], 500, 500),
        case(AnyPacket, 4, &[], 500, 500),
        case(PongOnly, 3, &[], 500, 500),
        case(ExtendOnce, 3, &[], 500, 500),
        case(AnyPacket, 3, &[], 500, 500),
        // Silent after the first heartbeat.
        case(ExtendOnce, 4, &[(350, "3")], 850, 500),
        case(ExtendOnce, 3, &[(300, "2")], 800, 500),
        // A message in the last moment, and another one that comes too late to help.
        case(PongOnly, 4, &[(499, "4x")], 500, 1),
        case(ExtendOnce, 4, &[(499, "4x")], 699, 200),
        case(ExtendOnce, 4, &[(499, "4x"), (698, "4y")], 699, 1),
        case(AnyPacket, 4, &[(499, "4x"), (998, "4y")], 1498, 500),
        case(PongOnly, 3, &[(499, "4x")], 500, 1),
        case(ExtendOnce, 3, &[(499, "4x")], 500, 1),
        case(AnyPacket, 3, &[(499, "4x")], 999, 500),
        // Pongs that no ping awaits are no promise for later.
        case(ExtendOnce, 4, &[(100, "3"), (200, "3"), (299, "3")], 500, 201),
    ]
};

async fn run(case: &Case, transport: &str) {
    let mut harness = Harness::new(Server::builder(listen).liveness(case.liveness));
    let mut peer = Peer::open(&harness, transport, case.revision).await;
    for (at, packet) in case.sends {
        harness.at(*at).await;
        harness.assert_alive();
        peer.send(packet).await;
    }
    harness.at(case.ends - 1).await;
    harness.assert_alive();
    let disconnect = harness.assert_ends(case.ends, Reason::PingTimeout).await;
    assert_eq!(disconnect.silent_for, ms(case.silent));
    assert_eq!(disconnect.transport.as_str(), transport);
}

#[tokio::test(start_paused = true)]
async fn silence_on_websocket_is_noticed_at_the_bound_of_each_policy_and_revision() {
    for case in CASES {
        run(case, "websocket").await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_on_polling_is_noticed_at_the_bound_of_each_policy_and_revision() {
    for case in CASES {
        run(case, "polling").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_never_polls_is_noticed_at_the_bound_too() {
    let mut harness = Harness::new(Server::builder(listen));
    let _polling = harness.polling(4).await;
    harness.assert_ends(500, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_sends_pongs_for_pings_that_it_does_not_fetch_is_noticed_too() {
    for liveness in [Liveness::PongOnly, Liveness::ExtendOnce] {
        let mut harness = Harness::new(Server::builder(listen).liveness(liveness));
        let mut polling = harness.polling(4).await;
        for at in (10..500).step_by(10) {
            harness.at(at).await;
            assert_eq!(polling.post(&["3"]).await.0, 200);
        }
        let disconnect = harness.assert_ends(500, Reason::PingTimeout).await;
        assert_eq!(disconnect.silent_for, ms(10));
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_ping_is_the_first_pong_after_it_was_fetched() {
    let mut harness = Harness::new(Server::builder(listen).liveness(Liveness::PongOnly));
    let mut polling = harness.polling(4).await;
    harness.at(310).await;
    assert_eq!(polling.post(&["3"]).await.0, 200);
    harness.at(490).await;
    assert_eq!(polling.poll().await, ["2"]);
    harness.at(689).await;
    assert_eq!(polling.post(&["3"]).await.0, 200);
    harness.at(700).await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_pending_poll_gets_the_ping_and_the_next_one_the_close_packet() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    assert_eq!(polling.poll().await, ["2"]);
    assert_eq!(harness.elapsed(), ms(300));
    assert_eq!(polling.poll().await, ["1"]);
    harness.assert_ends(500, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn pings_of_rfc_6455_are_answered_and_do_not_count_as_a_sign_of_life() {
    use crate::support::Received;
    use eio_core::ws::OpCode;

    let mut harness = Harness::new(Server::builder(listen).liveness(Liveness::AnyPacket));
    let mut websocket = harness.websocket(4).await;
    harness.at(400).await;
    websocket.connection.write(&WebSocket::frame(OpCode::Ping, b"hello")).await;
    assert_eq!(websocket.text().await, "2");
    assert_eq!(websocket.next().await, Received::Pong(b"hello".to_vec()));
    harness.assert_ends(500, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn a_half_received_message_is_life_under_any_packet_only() {
    use eio_core::ws::OpCode;

    for (liveness, ends) in [(Liveness::ExtendOnce, 500), (Liveness::AnyPacket, 900)] {
        let mut harness = Harness::new(Server::builder(listen).liveness(liveness));
        let mut websocket = harness.websocket(4).await;
        harness.at(400).await;
        let frame = WebSocket::frame(OpCode::Text, &[b'4'; 10_000]);
        websocket.connection.write(&frame[..5_000]).await;
        harness.assert_ends(ends, Reason::PingTimeout).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_in_the_last_moment_lives_on() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    for _ in 0..1_000 {
        assert_eq!(websocket.text().await, "2");
        tokio::time::sleep(ms(199)).await;
        websocket.send("3").await;
    }
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_counts_even_behind_more_than_the_server_reads_at_once() {
    use eio_core::ws::OpCode;

    let mut harness = Harness::new(Server::builder(listen));
    let connection = harness.connect_with_room(1024 * 1024);
    let mut websocket = connection.upgrade(4, None).await;
    assert!(websocket.text().await.starts_with("0{"));
    assert_eq!(websocket.text().await, "2");
    harness.at(499).await;
    let mut frames = WebSocket::frame(OpCode::Ping, b"hello").repeat(40_000);
    frames.extend(WebSocket::frame(OpCode::Text, b"3"));
    websocket.connection.write(&frames).await;
    // The server's turn comes at its deadline.
    tokio::time::advance(ms(1)).await;
    harness.at(510).await;
    harness.assert_alive();
}
