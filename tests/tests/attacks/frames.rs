//! Attacks by WebSocket frames.

use std::io;

use eio_tests::interop::Case;
use eio_tests::raw::{frame, text};

use crate::attack::{Target, case};
use crate::connection::Connection;
use crate::server::MAX_PAYLOAD;

pub(super) fn cases(cases: &mut Vec<Case>) {
    cases.push(case("CVE-2022-21676: frames with reserved bits, and other broken frames", 5, broken_frames));
    cases.push(case("CVE-2026-45736: tiny fragments without end", 100_000, tiny_fragments));
    cases.push(case("CVE-2026-45736: empty fragments without end", 100_000, empty_fragments));
    cases.push(case("large messages that are announced and do not come", 50, announced_messages));
    cases.push(case("CVE-2026-48779: what others said is not disclosed", 20, memory_disclosure));
    cases.push(case("CVE-2026-48802: a flood of pongs", 50_000, flood_of_pongs));
    cases.push(case("a flood of pings from a client that does not read", 20_000, flood_of_pings));
}

async fn broken_frames(target: Target, size: usize) -> io::Result<()> {
    let mut frames: Vec<(String, Vec<u8>, u16)> = Vec::new();
    for opcode in [0_u8, 1, 2, 8, 9, 10] {
        for reserved in 1..8 {
            let first = 0x80 | reserved << 4 | opcode;
            frames.push((format!("first byte {first:#x}"), frame(first, b"4a"), 1002));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        frames.push((format!("opcode {opcode}"), frame(0x80 | opcode, b"4a"), 1002));
    }
    frames.push(("no mask".to_owned(), b"\x81\x024a".to_vec(), 1002));
    frames.push(("a ping in fragments".to_owned(), frame(0x09, b"a"), 1002));
    frames.push(("a long ping".to_owned(), frame(0x89, &[0; 126]), 1002));
    frames.push(("a continuation of nothing".to_owned(), frame(0x80, b"a"), 1002));
    frames.push((
        "a message within a message".to_owned(),
        [frame(0x01, b"4"), frame(0x81, b"4")].concat(),
        1002,
    ));
    frames.push(("a longer length than needed".to_owned(), b"\x81\xfe\x00\x01....4".to_vec(), 1002));
    frames.push((
        "a length of 2^63".to_owned(),
        b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00....".to_vec(),
        1002,
    ));
    frames.push((
        "a length of 2^62".to_owned(),
        b"\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00....".to_vec(),
        1009,
    ));
    frames.push(("text that is not UTF-8".to_owned(), frame(0x81, b"4\xff"), 1007));
    frames.push(("a close frame of one byte".to_owned(), frame(0x88, b"a"), 1002));
    frames.push((
        "a close code that must not be sent".to_owned(),
        frame(0x88, &1006_u16.to_be_bytes()),
        1002,
    ));
    for _ in 0..size {
        for (what, bytes, code) in &frames {
            let (mut connection, sid) = Connection::open_websocket(target.address).await?;
            connection.send(bytes).await?;
            let close = connection.frame().await?;
            assert_eq!((close.first, &close.payload[..]), (0x88, &code.to_be_bytes()[..]), "{what}");
            assert_eq!(target.server.end_of(&sid).await, "transport error", "{what}");
        }
    }
    Ok(())
}

/// Of one byte each: the message grows until it is too large.
async fn tiny_fragments(target: Target, size: usize) -> io::Result<()> {
    let (mut connection, sid) = Connection::open_websocket(target.address).await?;
    connection.send(&frame(0x02, b"a")).await?;
    send_many(&mut connection, &frame(0x00, b"a"), size).await?;
    connection.reset();
    target.server.end_of(&sid).await;

    // At most this far.
    let (mut connection, sid) = Connection::open_websocket(target.address).await?;
    let piece = MAX_PAYLOAD as usize / 100;
    connection.send(&frame(0x02, &vec![0; piece])).await?;
    for _ in 1..100 {
        connection.send(&frame(0x00, &vec![0; piece])).await?;
    }
    connection.send(&frame(0x00, b"a")).await?;
    let close = connection.frame().await?;
    assert_eq!((close.first, &close.payload[..]), (0x88, &1009_u16.to_be_bytes()[..]));
    assert_eq!(target.server.end_of(&sid).await, "transport error");
    Ok(())
}

/// The message never grows, and would never end. The server has enough of them soon.
async fn empty_fragments(target: Target, size: usize) -> io::Result<()> {
    let (mut connection, sid) = Connection::open_websocket(target.address).await?;
    connection.send(&frame(0x01, b"")).await?;
    // It may be cut off before it has said everything.
    let _ = send_many(&mut connection, &frame(0x00, b""), size).await;
    assert_eq!(target.server.end_of(&sid).await, "transport error");

    // Each with a ping behind it, and one byte of text now and then.
    let (mut connection, sid) = Connection::open_websocket(target.address).await?;
    connection.send(&frame(0x01, b"4")).await?;
    let round = [frame(0x00, b""), frame(0x89, b""), frame(0x00, b"a")].concat();
    send_many(&mut connection, &round, size).await?;
    connection.reset();
    target.server.end_of(&sid).await;
    Ok(())
}

/// Each session has shown that it sends large messages. Then it announces the longest, of which only one byte comes.
async fn announced_messages(target: Target, size: usize) -> io::Result<()> {
    const HELD: u64 = 16 * 1024;
    let before = target.server.state().await.heap;
    let message = format!("4{}", "x".repeat(50_000));
    let longest = frame(0x82, &vec![0; MAX_PAYLOAD as usize]);
    let mut connections = Vec::new();
    for _ in 0..size {
        let (mut connection, sid) = Connection::open_websocket(target.address).await?;
        connection.send(&text(&message)).await?;
        while connection.frame().await?.payload.len() != message.len() {}
        connection.send(&longest[..15]).await?;
        connections.push((connection, sid));
    }
    let held = target.server.state().await.heap.saturating_sub(before) / size as u64;
    assert!(held < HELD, "{held} bytes for each message that did not come: expected less than {HELD}");
    for (connection, sid) in connections {
        connection.reset();
        target.server.end_of(&sid).await;
    }
    Ok(())
}

/// Another session has said a secret. Whatever comes back to the attacker holds what the attacker said, no more.
async fn memory_disclosure(target: Target, size: usize) -> io::Result<()> {
    const SECRET: &str = "the-other-session's-secret";
    let speech = "4".to_owned() + &SECRET.repeat(1000);
    for _ in 0..size {
        let (mut victim, ..) = Connection::open_websocket(target.address).await?;
        victim.send(&text(&speech)).await?;
        while victim.frame().await?.payload.len() != speech.len() {}
        let (mut thief, sid) = Connection::open_websocket(target.address).await?;
        for length in [0, 1, 2, 124, 125] {
            let payload = vec![b'p'; length];
            thief.send(&frame(0x89, &payload)).await?;
            let pong = thief.frame().await?;
            assert_eq!((pong.first, &pong.payload), (0x8a, &payload), "a pong is what the ping was");
        }
        thief.send(&text("4")).await?;
        assert_eq!(thief.frame().await?.payload, b"4", "an empty message is empty");
        // Headers that promise more than comes, a message in pieces with a ping between them, a close without a code.
        thief.send(&frame(0x02, b"")).await?;
        thief.send(&frame(0x89, b"")).await?;
        assert_eq!(thief.frame().await?.payload, b"");
        thief.send(&frame(0x80, b"xyz")).await?;
        assert_eq!(thief.frame().await?.payload, b"xyz", "pieces of a message");
        let close = frame(0x88, b"");
        thief.send(&[&close[..], b"\x82\xfe\x20\x00"].concat()).await?;
        let rest = thief.rest().await;
        assert!(rest.len() <= 4, "nothing but a close frame: {rest:?}");
        assert!(target.server.end_of(&sid).await.starts_with("transport"));
        victim.reset();
    }
    Ok(())
}

async fn flood_of_pongs(target: Target, size: usize) -> io::Result<()> {
    let (mut connection, sid) = Connection::open_websocket(target.address).await?;
    send_many(&mut connection, &text("3"), size).await?;
    send_many(&mut connection, &frame(0x8a, b""), size).await?;
    send_many(&mut connection, &text("3probe"), size).await?;
    connection.send(&text("4still here")).await?;
    loop {
        let answer = connection.frame().await?;
        if answer.payload == b"4still here" {
            break;
        }
        assert_eq!(answer.payload, b"2", "pings go on, and nothing else comes");
    }
    connection.reset();
    assert!(target.server.end_of(&sid).await.starts_with("transport"));

    // The same on polling, as large payloads.
    let mut connection = Connection::open(target.address).await?;
    let sid = connection.open_polling(4).await?;
    let query = format!("EIO=4&transport=polling&sid={sid}");
    let body = "3\x1e".repeat(999) + "3";
    for _ in 0..size.div_ceil(1000) {
        let answer = connection.post(&query, "text/plain", body.as_bytes()).await?;
        assert_eq!(answer.status, 200);
    }
    let answer = connection.post(&query, "text/plain", b"1").await?;
    assert_eq!(answer.status, 200);
    Ok(())
}

/// The server owes answers, and the connection takes none of them: only the latest is kept.
async fn flood_of_pings(target: Target, size: usize) -> io::Result<()> {
    let (mut connection, sid) = Connection::open_websocket(target.address).await?;
    send_many(&mut connection, &frame(0x89, &[b'p'; 125]), size).await?;
    assert_eq!(target.server.end_of(&sid).await, "ping timeout");
    Ok(())
}

/// Many at once, so that the attacker's own cost is small. Stops where the server stops reading.
async fn send_many(connection: &mut Connection, frame: &[u8], count: usize) -> io::Result<()> {
    const AT_ONCE: usize = 1000;
    let chunk = frame.repeat(AT_ONCE);
    for _ in 0..count.div_ceil(AT_ONCE) {
        connection.send(&chunk).await?;
    }
    Ok(())
}
