//! Connections of the in-memory network behave like those of TCP, at times that are exact.

use core::time::Duration;
use std::io::ErrorKind;

use eio_tokio::test_util::{Link, Network, NetworkListener, NetworkStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Longer than any test waits for what should come.
const LONG: Duration = Duration::from_hours(1);

/// Both ends of a new connection over a link with this delay.
async fn connected(delay: Duration) -> (Network, NetworkListener, Link, NetworkStream, NetworkStream) {
    let network = Network::new();
    let mut listener = network.listen();
    let link = network.link();
    link.set_delay(delay);
    let client = link.connect().await.unwrap();
    let (server, _) = listener.accept().await;
    (network, listener, link, client, server)
}

/// Reads what comes next, or the name of an error, and says when.
async fn read(stream: &mut NetworkStream) -> (String, Instant) {
    let mut room = [0; 64];
    let text = match timeout(LONG, stream.read(&mut room)).await.expect("something arrives") {
        Ok(len) => String::from_utf8_lossy(&room[..len]).into_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    (text, Instant::now())
}

async fn assert_nothing_arrives(stream: &mut NetworkStream) {
    assert!(timeout(LONG, stream.read(&mut [0; 64])).await.is_err());
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// What [`read`] returns after a reset.
const RESET: &str = "ConnectionReset";

#[tokio::test(start_paused = true)]
async fn bytes_arrive_after_the_delay_and_in_their_order() {
    let start = Instant::now();
    let (_network, _listener, link, mut client, mut server) = connected(ms(50)).await;
    assert_eq!(start.elapsed(), ms(100), "a round trip opens a connection");
    client.write_all(b"first").await.unwrap();
    let sent = Instant::now();
    sleep(ms(10)).await;
    link.set_delay(ms(1));
    client.write_all(b" second").await.unwrap();
    assert_eq!(read(&mut server).await, (text("first second"), sent + ms(50)));
    server.write_all(b"answer").await.unwrap();
    assert_eq!(read(&mut client).await, (text("answer"), sent + ms(51)));
    assert_nothing_arrives(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_the_cable_is_cut_arrives_after_the_mending() {
    let (_network, _listener, link, mut client, mut server) = connected(ms(50)).await;
    client.write_all(b"arrived").await.unwrap();
    sleep(ms(50)).await;
    client.write_all(b"under way").await.unwrap();
    sleep(ms(49)).await;
    link.cut();
    link.cut();
    client.write_all(b", later").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut server).await.0, "arrived");
    assert_nothing_arrives(&mut server).await;
    assert_nothing_arrives(&mut client).await;
    link.mend();
    link.mend();
    let mended = Instant::now();
    assert_eq!(read(&mut server).await, (text("under way, later"), mended + ms(50)));
    assert_eq!(read(&mut server).await, (text(""), mended + ms(50)));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_for_an_arrival_waits_on_when_the_cable_is_cut() {
    let (_network, _listener, link, mut client, mut server) = connected(ms(50)).await;
    client.write_all(b"late").await.unwrap();
    let reading = tokio::spawn(async move { read(&mut server).await });
    sleep(ms(20)).await;
    link.cut();
    sleep(ms(1_000)).await;
    assert!(!reading.is_finished());
    link.mend();
    let mended = Instant::now();
    assert_eq!(reading.await.unwrap(), (text("late"), mended + ms(50)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_opens_a_round_trip_after_the_mending() {
    let network = Network::new();
    let mut listener = network.listen();
    let link = network.link();
    link.set_delay(ms(50));
    let opening = tokio::spawn({
        let link = link.clone();
        async move { (link.connect().await, Instant::now()) }
    });
    sleep(ms(99)).await;
    link.cut();
    assert!(timeout(LONG, listener.accept()).await.is_err());
    assert!(!opening.is_finished());
    link.mend();
    let mended = Instant::now();
    let (opened, at) = opening.await.unwrap();
    opened.unwrap();
    assert_eq!(at, mended + ms(100));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_ends_the_connection_behind_its_bytes() {
    let (_network, _listener, _link, mut client, mut server) = connected(ms(50)).await;
    client.write_all(b"bye").await.unwrap();
    drop(client);
    let dropped = Instant::now();
    assert_eq!(read(&mut server).await, (text("bye"), dropped + ms(50)));
    assert_eq!(read(&mut server).await.0, "");
    // The answer to these bytes, a reset, takes a round trip.
    server.write_all(b"still there?").await.unwrap();
    let wrote = Instant::now();
    assert_eq!(read(&mut server).await.0, "");
    sleep(ms(99)).await;
    server.write_all(b"still there?").await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(wrote.elapsed(), ms(100));
    assert_eq!(read(&mut server).await.0, RESET);
    let error = server.write_all(b"still there?").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_before_it_has_read_everything_resets_the_connection() {
    for (waits, resets_after) in [(50, 50), (20, 30 + 50)] {
        let (_network, _listener, _link, mut client, server) = connected(ms(50)).await;
        client.write_all(b"unread").await.unwrap();
        sleep(ms(waits)).await;
        drop(server);
        let dropped = Instant::now();
        let mut answer = read(&mut client).await;
        if answer.0 == text("") {
            // The bytes had not arrived when the server closed.
            assert_eq!(answer.1, dropped + ms(50));
            sleep(ms(30)).await;
            answer = read(&mut client).await;
        }
        assert_eq!(answer, (text(RESET), dropped + ms(resets_after)), "{waits}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_shut_down_reads_on_and_writes_nothing_more() {
    let (_network, _listener, _link, mut client, mut server) = connected(ms(0)).await;
    client.shutdown().await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut server).await.0, "");
    server.write_all(b"and yet").await.unwrap();
    drop(server);
    assert_eq!(read(&mut client).await.0, "and yet");
    assert_eq!(read(&mut client).await.0, "");
    assert_eq!(client.write_all(b"no").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn a_reset_reaches_both_ends_at_once_and_loses_what_is_under_way() {
    for is_cut in [false, true] {
        let (_network, mut listener, link, mut client, mut server) = connected(ms(50)).await;
        client.write_all(b"arrived").await.unwrap();
        sleep(ms(50)).await;
        client.write_all(b"lost").await.unwrap();
        if is_cut {
            link.cut();
        }
        let reading = tokio::spawn(async move { read(&mut client).await });
        sleep(ms(10)).await;
        link.reset();
        let reset = Instant::now();
        assert_eq!(reading.await.unwrap(), (text(RESET), reset));
        assert_eq!(read(&mut server).await, (text("arrived"), reset));
        assert_eq!(read(&mut server).await.0, RESET);
        assert_eq!(server.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        link.mend();
        let mut client = link.connect().await.unwrap();
        let (mut server, _) = listener.accept().await;
        client.write_all(b"anew").await.unwrap();
        assert_eq!(read(&mut server).await.0, "anew");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_gave_up_during_a_cut_is_noticed_by_who_sends_after_it() {
    let (_network, _listener, link, mut client, mut server) = connected(ms(50)).await;
    client.write_all(b"unread").await.unwrap();
    sleep(ms(50)).await;
    server.write_all(b"under way").await.unwrap();
    link.cut();
    // It has not read everything, so it resets the connection. The reset gets lost, and nobody repeats its bytes.
    drop(server);
    sleep(ms(1_000)).await;
    link.mend();
    assert_nothing_arrives(&mut client).await;
    client.write_all(b"hello?").await.unwrap();
    let wrote = Instant::now();
    assert_eq!(read(&mut client).await, (text(RESET), wrote + ms(100)));
}

#[tokio::test(start_paused = true)]
async fn bytes_for_an_end_that_closed_during_a_cut_are_answered_by_a_reset_after_it() {
    let (_network, _listener, link, mut client, server) = connected(ms(50)).await;
    link.cut();
    drop(server);
    client.write_all(b"hello?").await.unwrap();
    assert_nothing_arrives(&mut client).await;
    link.mend();
    let mended = Instant::now();
    assert_eq!(read(&mut client).await, (text(""), mended + ms(50)));
    sleep(ms(50)).await;
    assert_eq!(read(&mut client).await.0, RESET);
}

#[tokio::test(start_paused = true)]
async fn a_writer_without_room_waits_for_its_reader_and_learns_of_the_end() {
    let network = Network::new();
    let mut listener = network.listen();
    let link = network.link();
    link.set_buffer(10);
    let mut client = link.connect().await.unwrap();
    let (mut server, _) = listener.accept().await;
    let writing = tokio::spawn(async move {
        let result = client.write_all(b"more than ten bytes").await;
        (result.map_err(|error| error.kind()), client)
    });
    sleep(ms(1)).await;
    assert!(!writing.is_finished());
    assert_eq!(read(&mut server).await.0, "more than ");
    let (result, mut client) = writing.await.unwrap();
    assert_eq!((result, read(&mut server).await.0), (Ok(()), text("ten bytes")));

    for resets in [false, true] {
        let mut sender = link.connect().await.unwrap();
        let (server, _) = listener.accept().await;
        let writing = tokio::spawn(async move { sender.write_all(b"more than ten bytes").await });
        sleep(ms(1)).await;
        if resets {
            link.reset();
        } else {
            drop(server);
        }
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(read(&mut client).await.0, RESET);
}

#[tokio::test(start_paused = true)]
async fn both_halves_of_a_stream_wait_in_tasks_of_their_own() {
    let (_network, _listener, link, client, mut server) = connected(ms(50)).await;
    let (mut reader, mut writer) = tokio::io::split(client);
    let reading = tokio::spawn(async move { reader.read(&mut [0; 64]).await.map_err(|error| error.kind()) });
    let writing = tokio::spawn(async move { writer.write_all(&vec![7; 100_000]).await });
    sleep(ms(60)).await;
    assert!(!reading.is_finished() && !writing.is_finished());
    server.read_exact(&mut vec![0; 60_000]).await.unwrap();
    writing.await.unwrap().unwrap();
    link.reset();
    assert_eq!(reading.await.unwrap(), Err(ErrorKind::ConnectionReset));
}

#[tokio::test(start_paused = true)]
async fn connections_are_refused_while_nobody_listens_or_the_link_says_so() {
    let network = Network::new();
    let link = network.link();
    let refused = async || {
        let error = link.connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        error.to_string()
    };
    assert_eq!(refused().await, "nobody listens on the network");
    let mut listener = network.listen();
    let mut client = link.connect().await.unwrap();
    link.refuse(true);
    assert_eq!(refused().await, "the link refuses connections");
    network.link().connect().await.unwrap();
    let (mut server, _) = listener.accept().await;
    server.write_all(b"open connections stay").await.unwrap();
    assert_eq!(read(&mut client).await.0, "open connections stay");
    link.refuse(false);
    let mut waiting = link.connect().await.unwrap();
    drop(listener);
    assert_eq!(read(&mut waiting).await.0, "", "nobody accepts it any more");
    server.write_all(b", also then").await.unwrap();
    assert_eq!(read(&mut client).await.0, ", also then");
    assert_eq!(refused().await, "nobody listens on the network");
}

#[tokio::test(start_paused = true)]
async fn a_new_listener_takes_the_place_of_an_earlier_one() {
    let network = Network::new();
    let mut earlier = network.listen();
    let link = network.link();
    let _first = link.connect().await.unwrap();
    let mut later = network.listen();
    let _second = link.connect().await.unwrap();
    let (first, second) = (earlier.accept().await.1, later.accept().await.1);
    assert!(first.port() < second.port());
    assert!(timeout(LONG, earlier.accept()).await.is_err());
    drop(earlier);
    link.connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_link_has_an_address_and_each_connection_a_port() {
    let network = Network::new();
    let mut listener = network.listen();
    let links = [network.link(), network.link(), network.link_from([192, 0, 2, 7])];
    assert_eq!(
        links.each_ref().map(|link| link.address().to_string()),
        ["10.0.0.2", "10.0.0.3", "192.0.2.7"]
    );
    let mut peers = std::collections::HashSet::new();
    for link in links.iter().chain(&links) {
        let _client = link.connect().await.unwrap();
        let (_, peer) = listener.accept().await;
        assert_eq!(peer.ip(), link.address());
        assert!(peers.insert(peer));
    }
}
