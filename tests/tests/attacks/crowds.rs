//! Attacks by very many connections.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use eio_tests::interop::Case;
use eio_tests::raw::{frame, upgrade_request};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::attack::{Target, case};
use crate::connection::Connection;
use crate::server::{MAX_SESSIONS, PING_INTERVAL, PING_TIMEOUT, REQUEST_TIMEOUT};

/// How many attackers a small crowd has, each with one connection or two. A large crowd has four times as many.
const CROWD: usize = 500;

/// A byte this often.
const DRIP: Duration = Duration::from_millis(300);

/// How long a WebSocket that is being closed may take.
const LINGER: Duration = Duration::from_secs(5);

/// How much later than its limit the server may close, on a machine that is busy with thousands of connections.
const LATE: Duration = Duration::from_millis(2500);

pub(super) fn cases(cases: &mut Vec<Case>) {
    cases.push(case("slow loris: one byte of a head at a time", CROWD, slow_heads));
    cases.push(case("slow loris: connections that never speak", CROWD, never_speaks));
    cases.push(case("slow loris: one byte of a body at a time", CROWD, slow_bodies));
    cases.push(case("slow loris: one byte of a frame at a time", CROWD, slow_frames));
    cases.push(case("slow loris: upgrades that stand still", CROWD, slow_upgrades));
    cases.push(case("a session's sid: WebSockets that it has no use for", CROWD, surplus_websockets));
    cases.push(case(
        "CVE-2026-48802: more sessions than allowed",
        MAX_SESSIONS as usize / 3,
        too_many_sessions,
    ));
}

/// Runs one attacker per connection, and wants each to have been closed within `limit`.
async fn all_closed<R>(size: usize, limit: Duration, attacker: impl Fn(usize) -> R) -> io::Result<()>
where
    R: Future<Output = io::Result<Duration>> + Send + 'static,
{
    let mut attackers = JoinSet::new();
    for number in 0..size {
        attackers.spawn(attacker(number));
        if number % 50 == 49 {
            // No faster than they can be accepted.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    let mut slowest = Duration::ZERO;
    while let Some(took) = attackers.join_next().await {
        slowest = slowest.max(took.map_err(io::Error::other)??);
    }
    assert!(slowest < limit, "a connection was closed after {slowest:?}, not within {limit:?}");
    Ok(())
}

async fn slow_heads(target: Target, size: usize) -> io::Result<()> {
    all_closed(size, REQUEST_TIMEOUT + LATE, |number| async move {
        let connection = Connection::open(target.address).await?;
        let head = if number % 2 == 0 {
            "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyy"
        } else {
            // Might be HTTP/2 until its last byte.
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"
        };
        Ok(connection.drip(head.into(), DRIP).await)
    })
    .await
}

async fn never_speaks(target: Target, size: usize) -> io::Result<()> {
    all_closed(size, 2 * REQUEST_TIMEOUT + LATE, |number| async move {
        let mut connection = Connection::open(target.address).await?;
        if number % 4 == 1 {
            // The beginning of HTTP/2, and nothing more.
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        }
        if number % 4 == 2 {
            // One request, and then nothing more.
            connection.get("EIO=4&transport=none").await?;
        }
        Ok(connection.drip(Vec::new(), DRIP).await)
    })
    .await
}

async fn slow_bodies(target: Target, size: usize) -> io::Result<()> {
    // The session's own time, or the body's; and then the connection's, for the next head.
    let limit = 2 * REQUEST_TIMEOUT + PING_INTERVAL + PING_TIMEOUT + LATE;
    all_closed(size, limit, |_| async move {
        let mut connection = Connection::open(target.address).await?;
        let sid = connection.open_polling(4).await?;
        let head = format!(
            "POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n\
             Content-Length: 1000\r\n\r\n"
        );
        connection.send(head.as_bytes()).await?;
        Ok(connection.drip(vec![b'4'; 1000], DRIP).await)
    })
    .await
}

async fn slow_frames(target: Target, size: usize) -> io::Result<()> {
    all_closed(size, PING_INTERVAL + PING_TIMEOUT + LATE, |number| async move {
        let (connection, _) = Connection::open_websocket(target.address).await?;
        // Half of them in the header, half in a payload.
        let frame = if number % 2 == 0 { frame(0x82, &vec![0; 70_000]) } else { frame(0x81, &[b'4'; 100]) };
        Ok(connection.drip(frame, DRIP).await)
    })
    .await
}

/// Their sessions are silent, so that they end as well.
async fn slow_upgrades(target: Target, size: usize) -> io::Result<()> {
    let upgrading = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&upgrading);
    all_closed(size, PING_INTERVAL + PING_TIMEOUT + LATE, move |number| {
        let (address, counted) = (target.address, Arc::clone(&counted));
        async move {
            let mut session = Connection::open(address).await?;
            let sid = session.open_polling(4).await?;
            let mut candidate = Connection::open(address).await?;
            candidate
                .send(upgrade_request(&format!("EIO=4&transport=websocket&sid={sid}")).as_bytes())
                .await?;
            let answer = candidate.response().await?;
            if answer.status == 400 {
                // On a slow machine the session may have ended by now.
                return Ok(Duration::ZERO);
            }
            assert_eq!(answer.status, 101);
            counted.fetch_add(1, Ordering::Relaxed);
            let bytes = match number % 3 {
                // Nothing, an endless frame, and a probe that nothing follows.
                0 => Vec::new(),
                1 => frame(0x81, &[b'2'; 1000]),
                _ => frame(0x81, b"2probe"),
            };
            Ok(candidate.drip(bytes, DRIP / 10).await)
        }
    })
    .await?;
    assert!(upgrading.load(Ordering::Relaxed) > 0, "not one upgrade began");
    Ok(())
}

/// One of them at a time is opened and closed, the others are refused; meanwhile the session answers its pings.
async fn surplus_websockets(target: Target, size: usize) -> io::Result<()> {
    let (mut session, sid) = Connection::open_websocket(target.address).await?;
    let alive = tokio::spawn(async move {
        while let Ok(received) = session.frame().await {
            if received.payload == b"2" && session.send(&frame(0x81, b"3")).await.is_err() {
                break;
            }
        }
    });
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    let attacked = all_closed(size, LINGER + LATE, move |_| {
        let (address, counted) = (target.address, Arc::clone(&counted));
        let request = format!("EIO=4&transport=websocket&sid={sid}");
        async move {
            let mut surplus = Connection::open(address).await?;
            let asked = surplus.send(upgrade_request(&request).as_bytes()).await;
            match asked.and(surplus.response().await) {
                Ok(answer) => {
                    assert!(matches!(answer.status, 101 | 400), "{answer:?}");
                    counted.fetch_add(usize::from(answer.status == 101), Ordering::Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                // On a slow machine it asks when the server has stopped waiting.
                Err(_) => return Ok(Duration::ZERO),
            }
            Ok(surplus.drip(Vec::new(), DRIP).await)
        }
    })
    .await;
    assert!(!alive.is_finished(), "the session has ended");
    alive.abort();
    attacked?;
    assert!(opened.load(Ordering::Relaxed) > 0, "not one WebSocket was opened");
    Ok(())
}

/// The limit holds for newcomers; who is there stays.
async fn too_many_sessions(target: Target, size: usize) -> io::Result<()> {
    let start = Instant::now();
    let mut attackers = JoinSet::new();
    for _ in 0..8 {
        let address = target.address;
        attackers.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut refused = 0;
            for _ in 0..size / 8 {
                let answer = connection.get("EIO=4&transport=polling").await?;
                assert!(matches!(answer.status, 200 | 400 | 503), "{answer:?}");
                refused += usize::from(answer.status != 200);
            }
            io::Result::Ok(refused)
        });
    }
    let mut refused = 0;
    while let Some(count) = attackers.join_next().await {
        refused += count.map_err(io::Error::other)??;
    }
    assert!(target.server.state().await.sessions <= u64::from(MAX_SESSIONS));
    if size < MAX_SESSIONS as usize {
        assert_eq!(refused, 0, "there was room for {size}");
    } else if start.elapsed() < PING_INTERVAL + PING_TIMEOUT {
        // On a slow machine the first may be gone before the last come.
        assert!(refused > 0, "there was no room for {size}");
    }
    Ok(())
}
