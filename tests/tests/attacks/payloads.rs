//! Attacks by the bodies of requests.

use core::time::Duration;
use std::io;

use eio_core::payload::DEFAULT_MAX_PACKETS;
use eio_tests::interop::{Case, soon};

use crate::attack::{Target, case};
use crate::connection::Connection;

const TEXT: &str = "text/plain;charset=UTF-8";
const BINARY: &str = "application/octet-stream";

/// After how long a request is given up. One that the server takes is answered sooner.
const GIVEN_UP: Duration = Duration::from_millis(500);

pub(super) fn cases(cases: &mut Vec<Case>) {
    cases.push(case(
        "CVE-2020-36048: payloads of very many tiny packets",
        DEFAULT_MAX_PACKETS / 4,
        tiny_packets,
    ));
    cases.push(case("CVE-2020-36049: payloads of more packets than allowed", 2, too_many_packets));
    cases.push(case("CVE-2026-59725: binary payloads to an EIO4 session", 50, octet_stream));
    cases.push(case("engineioxide 29dc67c1, b61d5220: EIO3 payloads of wrong lengths", 3, wrong_lengths));
    cases.push(case("given-up requests: data for a session whose application does not read", 2, given_up));
}

/// Requests with as much data as one may have, each of which is given up if it is not answered. The application sends
/// everything back, and nobody polls, so that it soon reads no more. A request that is given up before the server has taken
/// its data ends the session.
async fn given_up(target: Target, size: usize) -> io::Result<()> {
    /// More than what fills the outbox and the inbox.
    const REQUESTS: usize = 60;
    /// What both hold at most, a message over the limit in each, and what is on its way.
    const HELD: u64 = 8 * 1024 * 1024;
    let body = ["4".as_bytes(), &vec![b'x'; 990_000]].concat();
    let before = target.server.state().await.heap;
    for _ in 0..size {
        let query = {
            let mut connection = Connection::open(target.address).await?;
            format!("EIO=4&transport=polling&sid={}", connection.open_polling(4).await?)
        };
        let (mut most, mut given_up) = (0, 0);
        for _ in 0..REQUESTS {
            let mut connection = Connection::open(target.address).await?;
            match tokio::time::timeout(GIVEN_UP, connection.post(&query, TEXT, &body)).await {
                Ok(answer) => {
                    if answer?.status != 200 {
                        break;
                    }
                }
                Err(_) => given_up += 1,
            }
            most = most.max(target.server.state().await.heap.saturating_sub(before));
            assert!(most < HELD, "{most} bytes for one session");
        }
        assert!(given_up > 0, "every request was answered");
        assert!(most >= body.len() as u64, "{most} bytes at most: the server took no data");
        let freed = async {
            while target.server.state().await.heap >= before + body.len() as u64 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("the session's end", freed).await;
    }
    Ok(())
}

/// As many packets as a payload may hold, at most. Nobody polls, so that all that comes back has to wait.
async fn tiny_packets(target: Target, size: usize) -> io::Result<()> {
    let v4 = vec!["6"; size].join("\x1e");
    let v3 = "1:6".repeat(size);
    let v3_binary = [0, 1, 0xff, b'6'].repeat(size);
    for (revision, content_type, body) in
        [(4, TEXT, v4.as_bytes()), (3, TEXT, v3.as_bytes()), (3, BINARY, &v3_binary[..])]
    {
        for _ in 0..5 {
            let mut connection = Connection::open(target.address).await?;
            let sid = connection.open_polling(revision).await?;
            let query = format!("EIO={revision}&transport=polling&sid={sid}");
            let answer = connection.post(&query, content_type, body).await?;
            assert_eq!(answer.status, 200, "{size} packets of revision {revision}");
            let answer = connection.post(&query, TEXT, if revision == 4 { b"1" } else { b"1:1" }).await?;
            assert_eq!(answer.status, 200);
        }
    }
    Ok(())
}

/// A body as large as allowed, with hundreds of thousands of them.
async fn too_many_packets(target: Target, size: usize) -> io::Result<()> {
    let v4 = "4\x1e".repeat(490_000) + "4";
    let v3 = "1:4".repeat(330_000);
    let v3_binary = [0, 1, 0xff, b'4'].repeat(240_000);
    let bodies: [(u8, &str, &[u8]); 3] =
        [(4, TEXT, v4.as_bytes()), (3, TEXT, v3.as_bytes()), (3, BINARY, &v3_binary)];
    for _ in 0..size {
        for (revision, content_type, body) in bodies {
            let mut connection = Connection::open(target.address).await?;
            let sid = connection.open_polling(revision).await?;
            let query = format!("EIO={revision}&transport=polling&sid={sid}");
            let answer = connection.post(&query, content_type, body).await?;
            assert_eq!(answer.status, 400, "{} bytes of revision {revision}", body.len());
            assert_eq!(target.server.end_of(&sid).await, "parse error");
        }
        // A length of zero is no packet, and no mistake, in the reference's reading.
        let mut connection = Connection::open(target.address).await?;
        let query = format!("EIO=3&transport=polling&sid={}", connection.open_polling(3).await?);
        let answer = connection.post(&query, TEXT, "0:".repeat(490_000).as_bytes()).await?;
        assert_eq!(answer.status, 200);
        assert_eq!(connection.post(&query, TEXT, b"1:1").await?.status, 200);
    }
    Ok(())
}

async fn octet_stream(target: Target, size: usize) -> io::Result<()> {
    for _ in 0..size {
        let mut connection = Connection::open(target.address).await?;
        let sid = connection.open_polling(4).await?;
        let answer =
            connection.post(&format!("EIO=4&transport=polling&sid={sid}"), BINARY, &[4, 1, 2, 3]).await?;
        assert_eq!(answer.status, 400);
        assert_eq!(target.server.end_of(&sid).await, "transport error");
    }
    Ok(())
}

#[expect(clippy::too_many_lines, reason = "one attack after another")]
async fn wrong_lengths(target: Target, size: usize) -> io::Result<()> {
    let many_digits = format!("{}:4a", "9".repeat(400));
    let no_colon = "1".repeat(500_000);
    let many_digits_binary = [&[0][..], &[9; 400], &[0xff, b'4']].concat();
    let endless_binary = [&[0][..], &vec![1; 500_000][..]].concat();
    let text = [
        "",
        ":",
        "4",
        ":4",
        "-1:4",
        "2:4",
        "1:4x",
        "18446744073709551616:4a",
        "4294967297:4",
        "NaN:4",
        "Infinity:4",
        "1e9:4",
        "0x1:4:",
        "2:4a0",
        "1:😀",
        "2:4😀",
        "999999:4a",
        "1:4:::::",
        "\u{0}:4",
        &many_digits,
        &no_colon,
    ];
    let binary: [&[u8]; 12] = [
        &[0],
        &[1],
        &[2, 1, 0xff, b'4'],
        &[0xff],
        &[0, 0xff],
        &[0, 0x31, 0xff, b'4'],
        &[1, 200, 0xff, 4],
        &[0, 1, b'4'],
        &[0, 2, 0xff, b'4', 0xff],
        &[0, 3, 0xff, b'4', 0xed, 0xa0, 0x80],
        &many_digits_binary,
        &endless_binary,
    ];
    let bodies =
        text.iter().map(|body| (TEXT, body.as_bytes())).chain(binary.iter().map(|body| (BINARY, *body)));
    for _ in 0..size {
        for (content_type, body) in bodies.clone() {
            let mut connection = Connection::open(target.address).await?;
            let sid = connection.open_polling(3).await?;
            let answer =
                connection.post(&format!("EIO=3&transport=polling&sid={sid}"), content_type, body).await?;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            if answer.status == 200 {
                // Read as the reference reads it; then the session lives, and says goodbye.
                let answer =
                    connection.post(&format!("EIO=3&transport=polling&sid={sid}"), TEXT, b"1:1").await?;
                assert_eq!(answer.status, 200, "{content_type} {shown:?}");
            } else {
                assert_eq!(answer.status, 400, "{content_type} {shown:?}");
                assert_eq!(target.server.end_of(&sid).await, "parse error", "{content_type} {shown:?}");
            }
        }
    }
    Ok(())
}
