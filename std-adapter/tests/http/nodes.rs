//! Nodes of one server: whose session is it, and what has become of it?

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_tokio::{BuildError, DisconnectReason, Observer, RefusedRequest, Server, UnknownSession};

use crate::support::{POLLING, Stage, WEBSOCKET, stage};

/// Notes why sessions are unknown, and how that is told.
#[derive(Clone, Default)]
struct Unknown(Arc<Mutex<Vec<(UnknownSession, String)>>>);

impl Observer for Unknown {
    fn refused(&self, request: &RefusedRequest<'_>) {
        let why = request.unknown.expect("a session is unknown");
        assert_eq!(request.code, 1);
        self.0.lock().unwrap().push((why, request.context.to_owned()));
    }
}

impl Unknown {
    /// Asks for this session on both transports. Returns why it is unknown.
    async fn ask(&self, stage: &Stage, sid: &str) -> (UnknownSession, String) {
        let polled = stage.get(&format!("{POLLING}&sid={sid}"), &[]).await;
        let upgraded = stage.upgrade(&format!("{WEBSOCKET}&sid={sid}"), &[]).await;
        // Clients are told the same in each case.
        assert_eq!((polled.status, polled.text()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
        assert_eq!((upgraded.status, upgraded.text()), (400, "Session ID unknown"));
        let told = core::mem::take(&mut *self.0.lock().unwrap());
        let [polled, upgraded] = <[_; 2]>::try_from(told).unwrap();
        assert_eq!(polled, upgraded);
        polled
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_opens_sessions_with_its_name_and_tells_those_of_others_from_its_own() {
    let unknown = Unknown::default();
    let observer = unknown.clone();
    let stage = stage(|builder| builder.node("a7").observer(observer));
    let sid = stage.open().await;
    assert!(sid.starts_with("a7") && sid.len() == 20);
    assert_eq!(stage.server.sessions()[0].id().node(), Some("a7"));
    assert_eq!(stage.get(&format!("{POLLING}&sid={sid}"), &[]).await.status, 200);

    let others = format!("b2{}", &sid[2..]);
    let told = format!(
        r#"sid "{}…": of another node: expected one that begins with "a7", the name of this node"#,
        &others[..6]
    );
    assert_eq!(unknown.ask(&stage, &others).await, (UnknownSession::OfAnotherNode, told));

    let never = format!("a7{}", "x".repeat(18));
    let told = r#"sid "a7xxxx…": unknown: ended, or opened before this node started"#.to_owned();
    assert_eq!(unknown.ask(&stage, &never).await, (UnknownSession::NoTrace, told));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_ended_is_remembered_with_its_end_until_too_many_have_followed() {
    let unknown = Unknown::default();
    let observer = unknown.clone();
    let stage = stage(|builder| builder.remember_ended(2).observer(observer));
    let mut sids = Vec::new();
    for _ in 0..3 {
        let sid = stage.open().await;
        stage.server.get(&sid).unwrap().close();
        // A closing session waits for its client, who does not come.
        while !stage.server.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sids.push(sid);
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (why, told) = unknown.ask(&stage, &sids[2]).await;
    let UnknownSession::Ended { reason, ago } = why else { panic!("{why:?}") };
    assert_eq!(reason, DisconnectReason::LocalClose);
    assert!(ago >= Duration::from_millis(1_500) && ago < Duration::from_secs(2), "{ago:?}");
    assert_eq!(told, format!(r#"sid "{}…": ended {} ms ago: {reason}"#, &sids[2][..4], ago.as_millis()));
    assert!(matches!(unknown.ask(&stage, &sids[1]).await.0, UnknownSession::Ended { .. }));
    assert_eq!(unknown.ask(&stage, &sids[0]).await.0, UnknownSession::NoTrace);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_remembers_nothing_says_so_of_each() {
    let unknown = Unknown::default();
    let observer = unknown.clone();
    let stage = stage(|builder| builder.remember_ended(0).observer(observer));
    assert_eq!(unknown.ask(&stage, &"x".repeat(20)).await.0, UnknownSession::NoTrace);
    assert_eq!(unknown.ask(&stage, "short").await.0, UnknownSession::NoTrace);
}

#[test]
fn names_that_no_sid_can_begin_with_are_refused() {
    for name in ["", "node1", "a b", "é", "a/7"] {
        let error = Server::builder(|_| async {}).node(name).build().unwrap_err();
        assert_eq!(error, BuildError::Node(name.to_owned()));
        let expected =
            format!("the node's name {name:?}: expected 1 to 4 of the characters A-Z, a-z, 0-9, - and _");
        assert_eq!(error.to_string(), expected);
    }
    for name in ["a", "a7", "-_9", "Node"] {
        assert_eq!(Server::builder(|_| async {}).node(name).build().unwrap().node(), Some(name));
    }
    assert_eq!(Server::builder(|_| async {}).build().unwrap().node(), None);
}
