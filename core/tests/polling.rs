//! The answers to polls beside a slow, obvious model: every prefix of the queue is written, and the longest one that fits
//! is the answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::time::Duration;

use eio_core::packet::{Data, Packet, WebSocketMessage};
use eio_core::payload::{DEFAULT_MAX_PACKETS, Format, v3::Framing};
use eio_core::polling::{ClientPolling, Hold, Limits, Refusal, Request, ServerPolling};
use eio_core::session::{CLOSE_TIMEOUT, Control};
use eio_core::upgrade::UpgradeFailure;
use eio_core::{
    ClientSession, DisconnectReason, Heartbeat, Instant, Liveness, Revision, ServerSession, SessionEvent,
};
use proptest::prelude::*;

const NOW: Instant = Instant::from_micros(0);

fn session(revision: Revision) -> ServerSession {
    match revision {
        Revision::V4 => ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), NOW),
        Revision::V3 => ServerSession::eio3(Heartbeat::DEFAULT, Liveness::default(), NOW),
    }
}

fn written(format: Format, packets: &[Packet<'_>]) -> Vec<u8> {
    let mut out = vec![0; 10_000];
    format.layout(packets.iter().copied()).encode(packets.iter().copied(), &mut out).unwrap().to_vec()
}

fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    match packet.data {
        Data::Text(text) => text.as_bytes().to_vec(),
        Data::Binary(bytes) => bytes.to_vec(),
        Data::Base64(text) => text.decode(&mut vec![0; text.decoded_len()]).unwrap().to_vec(),
    }
}

proptest! {
    #[test]
    fn an_answer_carries_the_longest_prefix_that_fits(
        queue in proptest::collection::vec((any::<bool>(), "[a-z€😀]{0,12}"), 0..8),
        (max_packets, max_len) in (1_usize..6, 1_usize..90),
        (v3, text_only, closing) in any::<(bool, bool, bool)>(),
    ) {
        let revision = if v3 { Revision::V3 } else { Revision::V4 };
        let format = Format::new(revision, text_only);
        let queue: Vec<_> = queue
            .iter()
            .map(|(text, string)| Packet::message(match text {
                true => WebSocketMessage::Text(string),
                false => WebSocketMessage::Binary(string.as_bytes()),
            }))
            .collect();
        let limits = Limits::DEFAULT.with_max_packets(max_packets).with_max_len(max_len);
        let fits = |packets: &[Packet<'_>]| {
            packets.len() <= 1 || (packets.len() <= max_packets && written(format, packets).len() <= max_len)
        };
        let taken = (0..=queue.len()).take_while(|len| fits(&queue[..*len])).last().unwrap();
        let mut expected = queue[..taken].to_vec();
        let mut closed = expected.clone();
        closed.push(Packet::CLOSE);
        let closes = closing && taken == queue.len() && fits(&closed);
        if closes {
            expected = closed;
        }

        let (mut session, mut polling) = (session(revision), ServerPolling::new(revision, text_only));
        prop_assert_eq!(polling.handle_poll(NOW, &mut session, false), Ok(()));
        if closing {
            session.close(NOW, CLOSE_TIMEOUT);
        }
        let batch = polling.poll_answer(NOW, &mut session, queue.iter().copied(), &limits);
        prop_assert_eq!(batch.is_some(), !expected.is_empty());
        let Some(batch) = batch else { return Ok(()) };
        prop_assert_eq!((batch.messages(), batch.closes(), batch.count()), (taken, closes, expected.len()));
        prop_assert_eq!(session.has_ended(), closes);
        prop_assert_eq!(polling.close_pending(), closing && !closes);
        let mut out = vec![0; batch.len()];
        let payload = batch.encode(queue.iter().copied(), &mut out).unwrap();
        prop_assert_eq!(payload, &written(format, &expected)[..]);
        let framing: Framing = batch.framing();
        let decoded = format.decode(framing, payload, DEFAULT_MAX_PACKETS).map(Result::unwrap);
        prop_assert!(decoded.map(|packet| (packet.packet_type, bytes(&packet))).eq(
            expected.iter().map(|packet| (packet.packet_type, bytes(packet)))
        ));
    }

    #[test]
    fn one_request_of_a_kind_is_in_flight_and_the_second_ends_the_session(
        calls in proptest::collection::vec(0_u8..6, 0..40),
    ) {
        let (mut session, mut polling) = (session(Revision::V4), ServerPolling::new(Revision::V4, false));
        // Whether a poll and a post are in flight, and whether the session has ended.
        let (mut poll, mut post, mut ended) = (false, false, false);
        for call in calls {
            match call {
                0 | 1 => {
                    let busy = if call == 0 { poll } else { post };
                    let expected = match (ended, busy) {
                        (true, _) => Err(Refusal::SessionEnded),
                        (false, true) => Err(Refusal::Overlapping),
                        (false, false) => Ok(()),
                    };
                    let result = if call == 0 {
                        polling.handle_poll(NOW, &mut session, false)
                    } else {
                        polling.handle_post(NOW, &mut session, Framing::Text)
                    };
                    prop_assert_eq!(result, expected);
                    ended |= busy;
                    *(if call == 0 { &mut poll } else { &mut post }) |= expected.is_ok();
                }
                2 => {
                    let answer = polling.poll_answer(NOW, &mut session, [], &Limits::DEFAULT);
                    // Only the end has something to say.
                    prop_assert_eq!(answer.is_some(), poll && ended);
                    if answer.is_some() {
                        polling.handle_poll_answered();
                        poll = false;
                    }
                }
                3 => {
                    polling.handle_poll_aborted(NOW, &mut session);
                    ended |= poll;
                    poll = false;
                }
                4 => {
                    polling.handle_post_received();
                    let answer = polling.post_answer(&session, true);
                    prop_assert_eq!(answer, post.then_some(Ok(())));
                    post = false;
                }
                _ => {
                    let answer = polling.post_answer(&session, true);
                    prop_assert_eq!(answer, (post && ended).then_some(Err(Refusal::SessionEnded)));
                    post &= !ended;
                }
            }
            prop_assert_eq!((session.has_ended(), polling.is_idle()), (ended, !poll && !post));
        }
    }
}

/// A server may hold the answer to a post until its application has sent something, for which it needs a poll.
#[test]
fn a_client_whose_upgrade_pauses_polls_as_long_as_its_post_is_in_flight() {
    let (mut session, mut polling) =
        (ClientSession::eio4(CLOSE_TIMEOUT, NOW), ClientPolling::new(Revision::V4));
    let open = br#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#;
    for packet in polling.format().decode(Framing::Text, open, 16) {
        session.handle_packet(NOW, packet);
    }
    let queue = [Packet::message(WebSocketMessage::Text("x"))];
    let goes_on = Hold::default();
    let pauses = Hold { upgrade_pauses: true, ..goes_on };
    let limits = Limits::DEFAULT;
    assert_eq!(polling.poll_request(NOW, &mut session, queue, &limits, goes_on), Some(Request::Poll));
    let post = polling.poll_request(NOW, &mut session, queue, &limits, goes_on);
    assert!(matches!(post, Some(Request::Post(_))), "{post:?}");
    polling.handle_poll_answered();
    assert_eq!(polling.poll_request(NOW, &mut session, queue, &limits, pauses), Some(Request::Poll));
    assert_eq!(polling.poll_request(NOW, &mut session, queue, &limits, pauses), None);
    polling.handle_poll_answered();
    polling.handle_post_answered(NOW, &mut session);
    assert_eq!(polling.poll_request(NOW, &mut session, queue, &limits, pauses), None);
    assert!(polling.is_idle());
}

fn after(millis: u64) -> Instant {
    Instant::from_micros(millis.saturating_mul(1_000))
}

/// A session whose ping was due after 25 s, when no poll waited.
fn with_a_ping_that_waits() -> (ServerSession, ServerPolling) {
    let mut session = session(Revision::V4);
    session.handle_timeout(after(25_000));
    assert_eq!(session.poll_timeout(), Some(after(45_000)));
    (session, ServerPolling::new(Revision::V4, false))
}

#[test]
fn a_ping_that_waited_for_a_poll_may_be_answered_for_the_whole_timeout_from_then() {
    // Also when the caller was away at the deadline: the poll was there.
    for now in [25_001, 44_999, 45_000, 100_000] {
        let (mut session, mut polling) = with_a_ping_that_waits();
        assert_eq!(polling.handle_poll(after(now), &mut session, false), Ok(()));
        assert_eq!(session.poll_timeout(), Some(after(now + 20_000)));
        session.handle_timeout(after(now));
        let batch = polling.poll_answer(after(now), &mut session, [], &Limits::DEFAULT).unwrap();
        assert!(batch.has_ping() && session.is_open());
        polling.handle_poll_answered();
        // The next poll fetches nothing that had to wait.
        assert_eq!(polling.handle_poll(after(now + 19_999), &mut session, false), Ok(()));
        assert_eq!(session.poll_timeout(), Some(after(now + 20_000)));
    }
}

#[test]
fn a_ping_that_waited_for_an_upgrade_may_be_answered_for_the_whole_timeout_from_then() {
    let (mut session, mut polling) = with_a_ping_that_waits();
    polling.handle_upgrade_failed();
    assert_eq!(session.poll_timeout(), Some(after(45_000)));
    polling.handle_upgraded(after(50_000), &mut session);
    assert_eq!(session.poll_timeout(), Some(after(70_000)));
}

#[test]
fn a_clients_ping_that_waited_for_the_answer_to_a_post_has_the_whole_timeout_from_then() {
    let (mut session, mut polling) =
        (ClientSession::eio3(CLOSE_TIMEOUT, NOW), ClientPolling::new(Revision::V3));
    let open =
        br#"86:0{"sid":"x7","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#;
    for packet in polling.format().decode(Framing::Text, open, 16) {
        session.handle_packet(NOW, packet);
    }
    let queue = [Packet::message(WebSocketMessage::Text("x"))];
    let request =
        |polling: &mut ClientPolling, session: &mut ClientSession, queue: &[Packet<'static>], now| {
            polling.poll_request(now, session, queue.iter().copied(), &Limits::DEFAULT, Hold::default())
        };
    assert_eq!(request(&mut polling, &mut session, &queue, NOW), Some(Request::Poll));
    assert!(matches!(request(&mut polling, &mut session, &queue, after(24_900)), Some(Request::Post(_))));
    session.handle_timeout(after(25_000));
    assert_eq!(request(&mut polling, &mut session, &[], after(25_000)), None);
    assert_eq!(session.poll_timeout(), Some(after(45_000)));
    polling.handle_post_answered(after(60_000), &mut session);
    assert_eq!(session.poll_timeout(), Some(after(80_000)));
    let post = request(&mut polling, &mut session, &[], after(60_000));
    assert!(matches!(post, Some(Request::Post(batch)) if batch.has_ping()), "{post:?}");
    // Nothing waits for the answer to this one.
    polling.handle_post_answered(after(61_000), &mut session);
    assert_eq!(session.poll_timeout(), Some(after(80_000)));
}

/// A client of revision 3 that pings after 2 s and waits for 1 s. Its first poll is in flight, and an upgrade may pause it.
fn brisk_client() -> (ClientSession, ClientPolling) {
    let (mut session, mut polling) =
        (ClientSession::eio3(CLOSE_TIMEOUT, NOW), ClientPolling::new(Revision::V3));
    let open =
        br#"95:0{"sid":"x7","upgrades":["websocket"],"pingInterval":2000,"pingTimeout":1000,"maxPayload":1000}"#;
    for packet in polling.format().decode(Framing::Text, open, 16) {
        session.handle_packet(NOW, packet);
    }
    assert_eq!(requested(&mut polling, &mut session, 0, false), Some(Request::Poll));
    (session, polling)
}

fn requested(
    polling: &mut ClientPolling,
    session: &mut ClientSession,
    millis: u64,
    upgrade_pauses: bool,
) -> Option<Request> {
    let hold = Hold { upgrade_pauses, ..Hold::default() };
    polling.poll_request(after(millis), session, [], &Limits::DEFAULT, hold)
}

#[test]
fn a_clients_ping_that_waited_for_an_upgrade_that_the_server_breaks_off_has_its_whole_timeout() {
    // A server that lets the upgrade time out has had the poll to show that it lives.
    for (failure, deadline) in [
        (UpgradeFailure::TransportClosed, 3_900),
        (UpgradeFailure::UnexpectedPacket, 3_900),
        (UpgradeFailure::Timeout, 3_000),
    ] {
        let (mut session, mut polling) = brisk_client();
        session.handle_timeout(after(2_000));
        assert_eq!(requested(&mut polling, &mut session, 2_000, true), None);
        assert_eq!(session.poll_timeout(), Some(after(3_000)));
        polling.handle_upgrade_failed(after(2_900), &mut session, failure);
        let post = requested(&mut polling, &mut session, 2_900, false);
        assert!(matches!(post, Some(Request::Post(batch)) if batch.has_ping()), "{post:?}");
        assert_eq!(session.poll_timeout(), Some(after(deadline)), "{failure:?}");
    }
}

/// The failure is reported before silence is judged, even after the deadline.
#[test]
fn an_upgrade_that_the_server_breaks_off_late_saves_the_session() {
    let (mut session, mut polling) = brisk_client();
    session.handle_timeout(after(2_000));
    assert_eq!(requested(&mut polling, &mut session, 2_000, true), None);
    polling.handle_upgrade_failed(after(3_500), &mut session, UpgradeFailure::TransportClosed);
    session.handle_timeout(after(3_500));
    assert_eq!(session.poll_timeout(), Some(after(4_500)));
}

#[test]
fn the_answer_to_a_post_lets_no_ping_go_while_an_upgrade_pauses_and_the_end_of_the_upgrade_does() {
    let ends: [fn(&mut ClientPolling, Instant, &mut ClientSession); 2] = [
        |polling, now, session| polling.handle_upgrade_failed(now, session, UpgradeFailure::TransportClosed),
        ClientPolling::handle_upgraded,
    ];
    for end in ends {
        let (mut session, mut polling) = brisk_client();
        let queue = [Packet::message(WebSocketMessage::Text("x"))];
        let post = polling.poll_request(after(1_900), &mut session, queue, &Limits::DEFAULT, Hold::default());
        assert!(matches!(post, Some(Request::Post(_))), "{post:?}");
        session.handle_timeout(after(2_000));
        assert_eq!(requested(&mut polling, &mut session, 2_000, true), None);
        polling.handle_post_answered(after(2_500), &mut session);
        assert_eq!(requested(&mut polling, &mut session, 2_500, true), None);
        assert_eq!(session.poll_timeout(), Some(after(3_000)));
        end(&mut polling, after(2_700), &mut session);
        assert_eq!(session.poll_timeout(), Some(after(3_700)));
    }
}

#[test]
fn an_upgrade_that_fails_lets_no_ping_go_that_waits_for_the_answer_to_a_post() {
    let (mut session, mut polling) = brisk_client();
    let queue = [Packet::message(WebSocketMessage::Text("x"))];
    let post = polling.poll_request(after(1_900), &mut session, queue, &Limits::DEFAULT, Hold::default());
    assert!(matches!(post, Some(Request::Post(_))), "{post:?}");
    session.handle_timeout(after(2_000));
    polling.handle_upgrade_failed(after(2_500), &mut session, UpgradeFailure::TransportClosed);
    assert_eq!(session.poll_timeout(), Some(after(3_000)));
    polling.handle_post_answered(after(2_600), &mut session);
    assert_eq!(session.poll_timeout(), Some(after(3_600)));
}

#[test]
fn a_pong_before_the_ping_has_left_answers_nothing() {
    for (liveness, expires) in
        [(Liveness::PongOnly, 45_000), (Liveness::ExtendOnce, 45_000), (Liveness::AnyPacket, 71_000)]
    {
        let mut session = ServerSession::eio4(Heartbeat::DEFAULT, liveness, NOW);
        let mut polling = ServerPolling::new(Revision::V4, false);
        session.handle_timeout(after(25_000)); // no poll waits
        assert_eq!(session.handle_packet(after(26_000), Ok(Packet::PONG)), None); // in a post
        assert_eq!((session.rtt(), session.last_seen()), (None, after(26_000)));
        assert_eq!(session.poll_timeout(), Some(after(expires)));

        // Nor does one between the poll and its answer.
        assert_eq!(polling.handle_poll(after(44_000), &mut session, false), Ok(()));
        assert_eq!(session.handle_packet(after(44_000), Ok(Packet::PONG)), None);
        let batch = polling.poll_answer(after(44_000), &mut session, [], &Limits::DEFAULT).unwrap();
        assert!(batch.has_ping());
        let expires = if liveness == Liveness::AnyPacket { 89_000 } else { 64_000 };
        assert_eq!(session.poll_timeout(), Some(after(expires)));
        let event = session.handle_packet(after(44_080), Ok(Packet::PONG));
        let rtt = Some(Duration::from_millis(80));
        assert_eq!(event, Some(SessionEvent::Heartbeat { rtt }));
        assert_eq!((session.rtt(), session.poll_timeout()), (rtt, Some(after(69_080))));
    }
}

/// Such a client would answer every ping, and none has reached it.
#[test]
fn a_client_that_sends_pongs_and_never_polls_is_given_up() {
    for liveness in [Liveness::PongOnly, Liveness::ExtendOnce] {
        let mut session = ServerSession::eio4(Heartbeat::DEFAULT, liveness, NOW);
        for second in 1..=44 {
            assert_eq!(session.handle_packet(after(second * 1_000), Ok(Packet::PONG)), None);
            session.handle_timeout(after(second * 1_000));
        }
        session.handle_timeout(after(44_999));
        assert!(session.is_open());
        session.handle_packet(after(45_000), Ok(Packet::PONG));
        session.handle_timeout(after(45_000));
        assert_eq!(session.end().map(|end| end.reason), Some(DisconnectReason::PingTimeout));
    }
}

#[test]
fn a_servers_pong_before_a_clients_ping_has_left_is_a_packet_like_any_other() {
    let (mut session, _) = brisk_client();
    session.handle_timeout(after(2_000));
    assert_eq!(session.handle_packet(after(2_500), Ok(Packet::PONG)), None);
    assert_eq!((session.rtt(), session.poll_timeout()), (None, Some(after(5_500))));
    assert_eq!(session.poll_transmit(), Some(Control::Ping));
    let event = session.handle_packet(after(2_700), Ok(Packet::PONG));
    assert_eq!(event, Some(SessionEvent::Heartbeat { rtt: Some(Duration::from_millis(700)) }));
    assert_eq!(session.poll_timeout(), Some(after(4_700)));
}
