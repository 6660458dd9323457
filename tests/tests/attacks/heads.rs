//! Attacks by the heads of requests.

use core::fmt::Write as _;
use std::io;

use eio_tests::interop::Case;
use eio_tests::raw::{text, upgrade_request};
use tokio::task::JoinSet;

use crate::attack::{Target, case};
use crate::connection::Connection;

pub(super) fn cases(cases: &mut Vec<Case>) {
    cases.push(case("CVE-2022-41940: an upgrade that nobody handles, then a reset", 60, upgrade_then_reset));
    cases.push(case("CVE-2023-31125: transports that do not exist", 10, invalid_transports));
    cases.push(case("CVE-2023-43669: a head without end, byte by byte", 4_000, endless_head));
    cases.push(case("CVE-2024-37890: a request with very many headers", 20, very_many_headers));
    cases.push(case("upgrades that fail at once, again and again", 100, failing_upgrades));
    cases.push(case("CVE-2026-48802: connecting without the right to", 200, unauthorized));
}

async fn upgrade_then_reset(target: Target, size: usize) -> io::Result<()> {
    for number in 0..size {
        let mut session = Connection::open(target.address).await?;
        let sid = session.open_polling(4).await?;
        let requests = [
            upgrade_request("EIO=4&transport=websocket"),
            upgrade_request(&format!("EIO=4&transport=websocket&sid={sid}")),
            upgrade_request("EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA"),
            upgrade_request("EIO=4&transport=polling"),
            upgrade_request("EIO=9&transport=websocket"),
            upgrade_request("EIO=4&transport=websocket").replace("/engine.io/", "/nobody/"),
            upgrade_request("EIO=4&transport=websocket").replace("Upgrade: websocket", "Upgrade: h2c"),
            upgrade_request("EIO=4&transport=websocket").replace("Version: 13", "Version: 7"),
            upgrade_request("EIO=4&transport=websocket").replace("dGhlIHN", "!"),
        ];
        for request in requests {
            let mut connection = Connection::open(target.address).await?;
            connection.send(request.as_bytes()).await?;
            if number % 2 == 0 {
                // Half of them have seen the answer.
                let _ = connection.response().await?;
            }
            connection.reset();
        }
        session.reset();
    }
    Ok(())
}

/// Of one session, whose client keeps every connection that the server closes.
async fn failing_upgrades(target: Target, size: usize) -> io::Result<()> {
    let mut session = Connection::open(target.address).await?;
    let mut sid = session.open_polling(4).await?;
    let mut kept = Vec::new();
    for _ in 0..size {
        let mut candidate = Connection::open(target.address).await?;
        let query = format!("EIO=4&transport=websocket&sid={sid}");
        candidate.send(upgrade_request(&query).as_bytes()).await?;
        let answer = candidate.response().await?;
        if answer.status == 400 {
            // The session has ended for its silence, or is not done with the last one.
            sid = session.open_polling(4).await?;
            continue;
        }
        assert_eq!(answer.status, 101, "{answer:?}");
        candidate.send(&text("4no probe")).await?;
        kept.push(candidate);
    }
    Ok(())
}

async fn invalid_transports(target: Target, size: usize) -> io::Result<()> {
    let long = "x".repeat(7000);
    let names = [
        "",
        "constructor",
        "__proto__",
        "toString",
        "hasOwnProperty",
        "webtransport",
        "flashsocket",
        "POLLING",
        "polling%00",
        "polling,websocket",
        "%ff%fe",
        "%",
        "%2",
        "../../etc/passwd",
        "null",
        "0",
        "[]",
        &long,
    ];
    for _ in 0..size {
        let mut connection = Connection::open(target.address).await?;
        for name in names {
            let answer = connection.get(&format!("EIO=4&transport={name}")).await?;
            assert_eq!(answer.status, 400, "transport {name}");
            assert_eq!(answer.body, r#"{"code":0,"message":"Transport unknown"}"#, "transport {name}");
            let mut upgrade = Connection::open(target.address).await?;
            upgrade.send(upgrade_request(&format!("EIO=4&transport={name}")).as_bytes()).await?;
            let answer = upgrade.response().await?;
            assert_eq!((answer.status, &*answer.body), (400, "Transport unknown"), "transport {name}");
        }
        let answer = connection.get("EIO=4").await?;
        assert_eq!(answer.status, 400, "no transport at all");
    }
    Ok(())
}

/// Of `size` bytes, each in a packet of its own: in the target, in a header's name, in its value. Four times the size is
/// just below the largest head. The connection is closed when the head takes too long.
async fn endless_head(target: Target, size: usize) -> io::Result<()> {
    let starts =
        ["GET /engine.io/?", "GET /engine.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nX", "GET / HTTP/1.1\r\nX: "];
    let mut attackers = JoinSet::new();
    for start in starts {
        let address = target.address;
        attackers.spawn(async move {
            let mut connection = Connection::open(address).await?;
            connection.send(start.as_bytes()).await?;
            for _ in 0..size {
                if connection.send(b"a").await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let answer = String::from_utf8_lossy(&connection.rest().await).into_owned();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
            io::Result::Ok(())
        });
    }
    while let Some(attacker) = attackers.join_next().await {
        attacker.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn very_many_headers(target: Target, size: usize) -> io::Result<()> {
    for _ in 0..size {
        for count in [500, 5_000] {
            let mut head = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n".to_owned();
            for number in 0..count {
                let _ = write!(head, "X-Header-{number}: {number}\r\n");
            }
            head.push_str("\r\n");
            let mut connection = Connection::open(target.address).await?;
            // It may be cut off before it has said everything.
            let _ = connection.send(head.as_bytes()).await;
            match connection.response().await {
                Ok(answer) => assert_eq!(answer.status, 431, "{count} headers"),
                Err(error) => assert_ne!(error.kind(), io::ErrorKind::TimedOut, "{count} headers"),
            }
        }
    }
    Ok(())
}

async fn unauthorized(target: Target, size: usize) -> io::Result<()> {
    let before = target.server.state().await.sessions;
    for _ in 0..size {
        let mut connection = Connection::open(target.address).await?;
        let answer = connection.get("EIO=4&transport=polling&token=wrong").await?;
        assert_eq!((answer.status, &*answer.body), (403, r#"{"code":4,"message":"wrong token"}"#));
        let mut connection = Connection::open(target.address).await?;
        connection.send(upgrade_request("EIO=4&transport=websocket&token=wrong").as_bytes()).await?;
        let answer = connection.response().await?;
        assert_eq!((answer.status, &*answer.body), (400, "wrong token"));
    }
    assert_eq!(target.server.state().await.sessions, before, "none of them got a session");
    Ok(())
}
