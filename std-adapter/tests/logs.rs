//! A session's identifier lets anybody speak for its client, so no log shows it whole. This test is alone in its
//! program, because its log would also hold the lines of other tests.

use core::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[path = "http/support.rs"]
#[expect(dead_code, reason = "tests of HTTP need more of it")]
mod support;
#[path = "exact/support/watch.rs"]
#[expect(dead_code, reason = "no task of a session panics here")]
mod watch;

use support::{POLLING, UPGRADE, WEBSOCKET, read, send, stage};

/// Keeps every field of every event and span, at every level.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0.lock().unwrap(), "{field}={value:?} ");
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn no_log_shows_a_whole_sid_whatever_happens_to_its_session() {
    let everything = Everything::default();
    tracing::subscriber::set_global_default(everything.clone()).unwrap();
    let stage = stage(|builder| builder.eio3(true));
    let sid = stage.open().await;
    let path = format!("{POLLING}&sid={sid}");
    let socket = stage.server.get(&sid).unwrap();
    assert_eq!(stage.ask("POST", &path, &[], "4hello").await.status, 200);
    // Refusals, beside the session and in it.
    assert_eq!(stage.get(&format!("/engine.io/?EIO=3&transport=polling&sid={sid}"), &[]).await.status, 400);
    assert_eq!(stage.ask("POST", &path, &["content-length: 99999999"], "").await.status, 413);
    assert_eq!(stage.get(&format!("/?EIO=4&transport=polling&sid={sid}"), &[]).await.status, 404);
    // It moves, pings, and ends by a broken frame.
    let mut candidate = stage.connect();
    send(&mut candidate, "GET", &format!("{WEBSOCKET}&sid={sid}"), &UPGRADE, "").await;
    assert_eq!(read(&mut candidate).await.unwrap().status, 101);
    // A text of one character, masked with zeros.
    candidate.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'5']).await.unwrap();
    tokio::time::sleep(core::time::Duration::from_secs(26)).await;
    assert_eq!(stage.upgrade(&format!("{WEBSOCKET}&sid={sid}"), &[]).await.status, 101);
    candidate.write_all(&[0xff; 8]).await.unwrap();
    tokio::time::sleep(core::time::Duration::from_secs(6)).await;
    // And what its application may print.
    let _ = write!(everything.0.lock().unwrap(), "{socket:?} {:?} {:?}", socket.id(), stage.server);

    let logged = everything.0.lock().unwrap();
    for heard in [
        "session opened",
        "message",
        "upgrade ended",
        "ping",
        "transport error",
        "session ended",
        "request refused",
        "removed its beginning path=\"/\" expected=\"/engine.io/\"",
    ] {
        assert!(logged.contains(heard), "no {heard:?} in {logged}");
    }
    assert!(logged.contains(&format!("sid={}…", &sid[..4])), "{logged}");
    assert!(!logged.contains(&sid), "{logged}");
}
