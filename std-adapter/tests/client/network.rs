//! Sessions over the in-memory network: what happens to it shows on both sides, at the millisecond at which it should.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::test_util::{Link, Network};
use eio_tokio::{
    Backoff, ClientBuilder, ClientEvent, ClientSocket, ConnectError, Disconnect, Heartbeat, Message, Server,
    Socket, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{Events, Way};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A server on a network. It sends every message back.
pub(crate) struct Stage {
    pub(crate) network: Network,
    pub(crate) server: Server,
    serving: JoinHandle<()>,
    ends: mpsc::UnboundedReceiver<(Instant, Disconnect)>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::on(Network::new())
    }

    /// With the default heartbeat: 25 s and 20 s.
    fn on(network: Network) -> Self {
        let (sender, ends) = mpsc::unbounded_channel();
        let echo = move |mut socket: Socket| {
            let sender = sender.clone();
            async move {
                let end = loop {
                    match socket.recv().await {
                        Ok(message) => _ = socket.send(message).await,
                        Err(end) => break end,
                    }
                };
                let _ = sender.send((Instant::now(), end));
            }
        };
        let server = Server::builder(echo).heartbeat(Heartbeat::DEFAULT).build().unwrap();
        let (handle, listener) = (server.clone(), network.listen());
        let serving = tokio::spawn(async move { handle.serve(listener).await.unwrap() });
        Self { network, server, serving, ends }
    }

    /// A link with this delay.
    pub(crate) fn link(&self, delay: Duration) -> Link {
        let link = self.network.link();
        link.set_delay(delay);
        link
    }

    /// The end of the server's session, and when it came.
    pub(crate) async fn end(&mut self) -> (Instant, DisconnectReason) {
        let (at, end) = self.ends.recv().await.unwrap();
        (at, end.reason)
    }
}

pub(crate) fn builder(way: Way, link: &Link) -> ClientBuilder {
    way.client("10.0.0.1:80".parse().unwrap()).link(link)
}

/// Opens a session.
async fn open(way: Way, link: &Link) -> ClientSocket {
    builder(way, link).build().unwrap().connect().await.unwrap()
}

async fn assert_echoes(socket: &mut ClientSocket, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        socket.send(text.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Message::text(text));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_cable_ends_a_session_on_time_on_both_sides() {
    for way in Way::ALL {
        for delay in [0, 30] {
            let mut stage = Stage::new();
            let link = stage.link(ms(delay));
            let start = Instant::now();
            let socket = open(way, &link).await;
            sleep_until(start + ms(60_000)).await;
            link.cut();
            let end = socket.closed().await;
            // Opening takes a round trip, and the request one way. A ping comes 25 s after the handshake and after each
            // pong, which comes a round trip later, or two: a POST opens a connection. The second ping was the last one that
            // arrived.
            let trips = if way == Way::Polling { 4 } else { 2 };
            let second_ping = start + ms(3 * delay + 50_000 + trips * delay);
            assert_eq!(end.reason, DisconnectReason::PingTimeout, "{way:?}");
            assert_eq!(Instant::now(), second_ping + ms(delay + 45_000), "{way:?}, {delay} ms");
            let (at, reason) = stage.end().await;
            assert_eq!(reason, DisconnectReason::PingTimeout, "{way:?}");
            assert_eq!(at, second_ping + ms(2 * delay + 45_000), "{way:?}, {delay} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cable_that_is_mended_a_millisecond_before_the_timeout_costs_nothing() {
    for way in Way::ALL {
        let mut stage = Stage::new();
        let link = stage.link(ms(0));
        let start = Instant::now();
        let mut socket = open(way, &link).await;
        assert_echoes(&mut socket, ["before".to_owned()]).await;
        sleep_until(start + ms(5_000)).await;
        link.cut();
        socket.send("meanwhile").await.unwrap();
        stage.server.sessions()[0].send("news").await.unwrap();
        sleep_until(start + ms(44_999)).await;
        link.mend();
        let received = [socket.recv().await.unwrap(), socket.recv().await.unwrap()];
        assert_eq!(start.elapsed(), ms(44_999));
        assert_eq!(received, ["news", "meanwhile"].map(Message::text), "{way:?}");
        assert_echoes(&mut socket, ["after".to_owned()]).await;
        // And so it goes on. After a pong that late, the next ping comes an interval and half a timeout after its ping. On
        // polling the ping has left only now, because no poll waited.
        let next_ping = if way == Way::Polling { 44_999 + 25_000 } else { 60_000 };
        link.cut();
        let (at, reason) = stage.end().await;
        assert_eq!((at - start, reason), (ms(next_ping + 20_000), DisconnectReason::PingTimeout), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cable_that_is_mended_a_millisecond_after_the_timeout_finds_the_end() {
    for way in Way::ALL {
        let mut stage = Stage::new();
        let link = stage.link(ms(0));
        let start = Instant::now();
        let socket = open(way, &link).await;
        sleep_until(start + ms(5_000)).await;
        link.cut();
        sleep_until(start + ms(45_001)).await;
        link.mend();
        let (at, reason) = stage.end().await;
        assert_eq!((at - start, reason), (ms(45_000), DisconnectReason::PingTimeout), "{way:?}");
        assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_waits_until_the_server_has_everything_and_the_end_is_known_before() {
    for (way, trips) in [(Way::WebSocket, 2), (Way::Polling, 4)] {
        let mut stage = Stage::new();
        let link = stage.link(ms(0));
        let mut socket = open(way, &link).await;
        link.set_delay(ms(300));
        let start = Instant::now();
        socket.send("last").await.unwrap();
        socket.close();
        let sender = socket.sender();
        let known = async {
            let Err(end) = socket.recv().await else { panic!("nothing came before the close") };
            (end.reason, start.elapsed())
        };
        let closed = async { (sender.closed().await.reason, start.elapsed()) };
        let mut sink = sender.sink();
        let by_sink = async { (futures_util::SinkExt::close(&mut sink).await, start.elapsed()) };
        let (known, closed, by_sink) = tokio::join!(known, closed, by_sink);
        // On polling, the end is the answer to the post, which may need a connection.
        let first = if way == Way::WebSocket { ms(0) } else { ms(300 * trips) };
        assert_eq!(known, (DisconnectReason::LocalClose, first), "{way:?}");
        assert_eq!(closed, (DisconnectReason::LocalClose, ms(300 * trips)), "{way:?}");
        assert_eq!(by_sink, (Ok(()), ms(300 * trips)), "{way:?}");
        assert_eq!(socket.closed().await.unsent, 0);
        let (at, _) = stage.end().await;
        assert!(at < start + closed.1, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_waits_for_a_server_that_does_not_answer_until_the_close_timeout_and_nothing_else_does() {
    let stage = Stage::new();
    let link = stage.link(ms(0));
    let client = builder(Way::WebSocket, &link).close_timeout(ms(7_000)).build().unwrap();
    let mut sessions = client.reconnecting(Backoff::new(ms(100), ms(100)).unwrap());
    let mut socket = sessions.next().await.unwrap();
    link.cut();
    let start = Instant::now();
    socket.close();
    assert_eq!(socket.recv().await.unwrap_err().reason, DisconnectReason::LocalClose);
    assert_eq!(start.elapsed(), ms(0));
    assert!(tokio::time::timeout(ms(1_000), sessions.next()).await.is_err());
    assert_eq!(sessions.attempts(), 2, "the next session does not wait for the last connection");
    assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);
    assert_eq!(start.elapsed(), ms(7_000));
}

#[tokio::test(start_paused = true)]
async fn closed_does_not_wait_for_the_connection_of_a_session_that_the_server_has_closed() {
    let stage = Stage::new();
    let link = stage.link(ms(0));
    let socket = open(Way::WebSocket, &link).await;
    link.set_delay(ms(300));
    let start = Instant::now();
    stage.server.sessions()[0].close();
    assert_eq!(socket.closed().await.reason, DisconnectReason::TransportClosed);
    assert_eq!(start.elapsed(), ms(300));
}

/// Opens a session that moves to WebSocket, cuts the cable meanwhile, and returns how the upgrade or the session ended.
async fn cut_during_upgrade(begins: Duration, lasts: Duration) -> Result<UpgradeOutcome, Disconnect> {
    let mut stage = Stage::new();
    let link = stage.link(ms(40));
    let events = Events::default();
    let client = events.watch(builder(Way::Upgrade, &link)).build().unwrap();
    tokio::spawn(async move {
        sleep(begins).await;
        link.cut();
        sleep(lasts).await;
        link.mend();
    });
    let mut socket = client.connect().await.unwrap();
    for number in 0..10 {
        socket.send(number.to_string()).await.unwrap();
        sleep(ms(100)).await;
    }
    for number in 0..10 {
        match socket.recv().await {
            Ok(message) => assert_eq!(message, Message::text(number.to_string()), "{begins:?}, {lasts:?}"),
            Err(end) => {
                // The server's session goes on without polls, and ends on time.
                assert_eq!(stage.end().await.1, DisconnectReason::PingTimeout);
                return Err(end);
            }
        }
    }
    let ended = |event: &ClientEvent| match event {
        ClientEvent::UpgradeEnded(outcome) => Some(*outcome),
        _ => None,
    };
    let outcome = events.wait_for(ended).await;
    sleep(ms(60_000)).await;
    assert_echoes(&mut socket, ["on and on".to_owned()]).await;
    assert_eq!((socket.end(), stage.server.len()), (None, 1));
    let expected =
        if outcome == UpgradeOutcome::Upgraded { Transport::WebSocket } else { Transport::Polling };
    assert_eq!(socket.transport(), expected);
    Ok(outcome)
}

#[tokio::test(start_paused = true)]
async fn a_short_cut_at_any_moment_of_an_upgrade_loses_no_session_and_no_message() {
    for begins in (0..800).step_by(20) {
        let outcome = cut_during_upgrade(ms(begins), ms(3_000)).await;
        assert_eq!(outcome, Ok(UpgradeOutcome::Upgraded), "cut after {begins} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_outlasts_an_upgrade_leaves_the_session_on_polling_unless_the_client_had_moved_already() {
    let (mut stayed, mut lost) = (0, 0);
    for begins in (0..800).step_by(20) {
        match cut_during_upgrade(ms(begins), ms(15_000)).await {
            Ok(outcome) => stayed += u32::from(outcome != UpgradeOutcome::Upgraded),
            Err(end) => {
                assert_eq!(
                    (end.reason, end.transport),
                    (DisconnectReason::TransportClosed, Transport::WebSocket)
                );
                lost += 1;
            }
        }
    }
    // The client's last packet of an upgrade takes 40 ms, and the cable is cut every 20 ms.
    assert!(stayed > 0 && (1..=3).contains(&lost), "{stayed} on polling, {lost} lost");
}

#[tokio::test(start_paused = true)]
async fn a_client_comes_back_at_its_next_attempt_after_the_server_restarts() {
    for way in Way::ALL {
        let stage = Stage::new();
        let link = stage.link(ms(0));
        let events = Events::default();
        let client = events.watch(builder(way, &link)).build().unwrap();
        let mut sessions = client.reconnecting(Backoff::new(ms(400), ms(400)).unwrap());
        let mut socket = sessions.next().await.unwrap();
        assert_echoes(&mut socket, ["first".to_owned()]).await;
        // As when its process dies.
        let network = stage.network.clone();
        stage.serving.abort();
        link.reset();
        let died = Instant::now();
        let end = socket.closed().await;
        assert_eq!(died.elapsed(), ms(0), "{way:?}");
        if way == Way::WebSocket {
            assert_eq!(end.reason, DisconnectReason::TransportReset);
        }
        let restarting = tokio::spawn(async move {
            sleep_until(died + ms(1_000)).await;
            Stage::on(network)
        });
        let mut socket = sessions.next().await.unwrap();
        assert_eq!(died.elapsed(), ms(1_200), "{way:?}");
        assert_echoes(&mut socket, ["second".to_owned()]).await;
        let refused = |event: &ClientEvent| {
            matches!(event, ClientEvent::ConnectFailed { error: ConnectError::Io(error) }
                if error.kind() == std::io::ErrorKind::ConnectionRefused)
        };
        assert_eq!(events.all().iter().filter(|event| refused(event)).count(), 2, "{way:?}");
        drop(restarting.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_ends_websockets_on_both_sides_with_that_reason() {
    let mut stage = Stage::new();
    let link = stage.link(ms(10));
    let socket = open(Way::WebSocket, &link).await;
    let unharmed = open(Way::WebSocket, &stage.network.link()).await;
    sleep(ms(1_000)).await;
    link.reset();
    let reset = Instant::now();
    assert_eq!(stage.end().await, (reset, DisconnectReason::TransportReset));
    assert_eq!(socket.closed().await.reason, DisconnectReason::TransportReset);
    assert_eq!(Instant::now(), reset);
    assert_eq!((unharmed.end(), stage.server.len()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_resets_the_connection_of_a_client_that_fell_silent() {
    let mut stage = Stage::new();
    let link = stage.link(ms(10));
    // A client that says nothing more.
    let mut connection = link.connect().await.unwrap();
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut connection, request.as_bytes()).await.unwrap();
    let sent = Instant::now();
    let mut received = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut received).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(sent.elapsed(), ms(10 + 45_000 + 10));
    assert_eq!(stage.end().await, (sent + ms(10 + 45_000), DisconnectReason::PingTimeout));
}

#[tokio::test(start_paused = true)]
async fn the_delay_shows_in_the_round_trips_of_both_sides() {
    for way in Way::ALL {
        let stage = Stage::new();
        let link = stage.link(ms(40));
        let start = Instant::now();
        let mut socket = open(way, &link).await;
        assert_eq!(start.elapsed(), ms(160), "{way:?}: the connection, and the handshake");
        // The first pong on polling has to open a connection, too.
        sleep(ms(55_000)).await;
        assert_eq!(stage.server.sessions()[0].rtt(), Some(ms(80)), "{way:?}");
        let sent = Instant::now();
        assert_echoes(&mut socket, ["there and back".to_owned()]).await;
        assert_eq!(sent.elapsed(), ms(80), "{way:?}");
        assert_eq!(stage.server.sessions()[0].peer_addr().unwrap().ip(), link.address());
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_comes_late_asks_the_connection_itself_and_waits_for_nothing() {
    let mut stage = Stage::new();
    let link = stage.link(ms(0));
    let start = Instant::now();
    let socket = open(Way::WebSocket, &link).await;
    sleep_until(start + ms(30_000)).await;
    link.cut();
    // The ping of 50 s waits for an answer, and the client waits for the ping.
    sleep_until(start + ms(60_000)).await;
    // As after a suspend: the clock moves on, and no task runs meanwhile. Both deadlines were at 70 s.
    tokio::time::advance(ms(11_000)).await;
    assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
    assert_eq!(start.elapsed(), ms(71_000));
    assert_eq!(stage.end().await, (start + ms(71_000), DisconnectReason::PingTimeout));
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_that_nobody_was_woken_for_counts() {
    let stage = Stage::new();
    let link = stage.link(ms(0));
    let start = Instant::now();
    let socket = open(Way::WebSocket, &link).await;
    sleep_until(start + ms(24_000)).await;
    // The ping leaves at 25 s and arrives at 34 s, and so its pong arrives at 43 s, in time.
    link.set_delay(ms(9_000));
    sleep_until(start + ms(42_000)).await;
    // The clock passes the arrival and both deadlines at once.
    tokio::time::advance(ms(30_000)).await;
    sleep(ms(1_000)).await;
    assert_eq!((socket.end(), stage.server.len()), (None, 1));
}
