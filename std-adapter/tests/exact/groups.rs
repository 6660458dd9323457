//! Groups: who hears what is sent to them, who is in them, and that nothing of a session stays behind.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_tokio::{
    Audience, Broadcast, CutOff, Disconnect, Message, Observer, Sender, Server, ServerBuilder, SessionId,
    Socket,
};

use crate::support::{Harness, Journal, Received, WebSocket, ms, settle};

/// An application that joins and leaves as its client says.
async fn obey(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        let text = message.as_text().unwrap_or_default();
        let done = match text.split_once(' ') {
            Some(("join", group)) => socket.join(group),
            Some(("leave", group)) => socket.leave(group),
            _ => panic!("{text:?}"),
        };
        let _ = socket.send(format!("{done}")).await;
    }
}

async fn says(websocket: &mut WebSocket, wish: &str) -> String {
    websocket.send(&format!("4{wish}")).await;
    websocket.text().await
}

/// A session that is a member of these groups, and its handle.
async fn member(harness: &Harness, groups: &[&str]) -> (WebSocket, Sender) {
    let before: Vec<SessionId> = harness.server.sessions().iter().map(Sender::id).collect();
    let mut websocket = harness.websocket(4).await;
    for group in groups {
        assert_eq!(says(&mut websocket, &format!("join {group}")).await, "4true");
    }
    let mut new = harness.server.sessions();
    new.retain(|session| !before.contains(&session.id()));
    (websocket, new.pop().unwrap())
}

fn patient(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Harness {
    Harness::patient(configure(Server::builder(obey)))
}

/// The ids of a group's members, in order.
fn members(server: &Server, group: &str) -> Vec<String> {
    let mut members: Vec<_> = server.members(group).iter().map(|session| session.id().to_string()).collect();
    members.sort();
    members
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_to_its_audience_once_each_and_to_nobody_else() {
    let harness = patient(|builder| builder);
    let (mut news, news_id) = member(&harness, &["news"]).await;
    let (mut both, both_id) = member(&harness, &["news", "sport"]).await;
    let (mut sport, sport_id) = member(&harness, &["sport", "muted"]).await;
    let (mut none, _) = member(&harness, &[]).await;
    let ids = [news_id.id(), both_id.id(), sport_id.id()];
    let all = [&mut news, &mut both, &mut sport, &mut none];
    let sent = |audience: &Audience, text: &str| harness.server.send_to(audience, text).sent;

    assert_eq!(sent(&Audience::group("news"), "a"), 2);
    assert_eq!(sent(&Audience::group("news").and_group("sport"), "b"), 3);
    assert_eq!(sent(&Audience::group("sport").and_group("news").except(ids[0]), "c"), 2);
    assert_eq!(sent(&Audience::group("news").and_group("sport").except_group("muted"), "d"), 2);
    assert_eq!(sent(&Audience::all().except(ids[1]).except_group("muted"), "e"), 2);
    assert_eq!(sent(&Audience::all().and_group("news"), "f"), 4);
    assert_eq!(sent(&Audience::group("nobody"), "lost"), 0);
    assert_eq!(sent(&Audience::group("news").except_group("news"), "lost"), 0);
    let some = [news_id.clone(), sport_id.clone()];
    assert_eq!(harness.server.broadcast_to(&some, "g").sent, 2);
    assert_eq!(harness.server.broadcast("z").sent, 4);

    for (websocket, heard) in all.into_iter().zip(["abdefgz", "abcdfz", "bcfgz", "efz"]) {
        let mut texts = String::new();
        while !texts.ends_with('z') {
            texts.push_str(&websocket.text().await[1..]);
        }
        assert_eq!(texts, heard);
    }
}

#[tokio::test(start_paused = true)]
async fn joining_and_leaving_say_whether_they_changed_anything() {
    let harness = patient(|builder| builder);
    let (mut websocket, session) = member(&harness, &[]).await;
    for (wish, done) in [
        ("leave news", "4false"),
        ("join news", "4true"),
        ("join news", "4false"),
        ("join art", "4true"),
        ("leave news", "4true"),
        ("leave news", "4false"),
        ("join news", "4true"),
    ] {
        assert_eq!(says(&mut websocket, wish).await, done, "{wish}");
    }
    assert_eq!(session.groups(), ["art", "news"]);
    assert!(session.leave("art") && session.join("zoo"));
    assert_eq!(session.groups(), ["news", "zoo"]);
    assert_eq!(members(&harness.server, "news"), [session.id().to_string()]);
    assert_eq!(members(&harness.server, "art"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn any_text_is_the_name_of_a_group() {
    let harness = patient(|builder| builder);
    let (_websocket, session) = member(&harness, &[]).await;
    let long = "x".repeat(1_000_000);
    let names = ["", " ", "\0", "News", "news", "\u{1e}", "caf\u{e9}", "cafe\u{301}", "\u{1f4e3}", &long];
    for name in names {
        assert!(session.join(name), "{name:?}");
    }
    for name in names {
        assert_eq!(harness.server.members(name).len(), 1, "{name:?}");
        assert_eq!(harness.server.send_to(&Audience::group(name), "x").sent, 1, "{name:?}");
        assert!(session.leave(name), "{name:?}");
    }
    assert_eq!(session.groups(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_leaves_its_groups_and_its_clean_up_can_tell_the_others() {
    let journal = Journal::default();
    let notes = journal.clone();
    let harness = patient(|builder| {
        builder.on_disconnect(move |session, _| {
            let notes = notes.clone();
            async move {
                tokio::time::sleep(ms(50)).await;
                for group in session.groups() {
                    let told = session.server().send_to(&Audience::group(&group), "somebody has left");
                    notes.note(format!("{group}: {} {}", told.sent, told.closed));
                }
                // Too late.
                notes.note(format!("joins: {}", session.join("news")));
            }
        })
    });
    let (mut staying, staying_id) = member(&harness, &["news"]).await;
    let (mut leaving, session) = member(&harness, &["news", "alone"]).await;
    assert_eq!(members(&harness.server, "news").len(), 2);
    leaving.send("1").await;
    settle().await;
    session.closed().await;
    assert_eq!(members(&harness.server, "news"), [staying_id.id().to_string()]);
    assert_eq!(members(&harness.server, "alone"), [""; 0]);
    assert_eq!(session.groups(), ["alone", "news"], "until it is cleaned up");
    assert_eq!(staying.text().await, "4somebody has left");
    settle().await;
    assert_eq!(journal.read(), ["alone: 0 0", "news: 1 0", "joins: false"]);
    assert_eq!(session.groups(), [""; 0]);
    assert!(!session.join("news") && !session.leave("news"));
    assert_eq!(members(&harness.server, "news"), [staying_id.id().to_string()]);
}

#[tokio::test(start_paused = true)]
async fn a_member_with_a_full_outbox_costs_the_others_nothing() {
    let mut harness = patient(|builder| builder.outbox(2, 1_000_000));
    let (mut quick, _) = member(&harness, &["news"]).await;
    // A pipe that holds less than a message.
    let mut slow = harness.websocket_with_room(512).await;
    assert_eq!(says(&mut slow, "join news").await, "4true");
    let text = "x".repeat(600);
    let mut told = Vec::new();
    for number in 0..6 {
        told.push(harness.server.send_to(&Audience::group("news"), format!("{number}{text}")));
        assert_eq!(quick.text().await, format!("4{number}{text}"));
    }
    let full: Vec<usize> = told.iter().map(|told| told.full).collect();
    assert_eq!(full, [0, 0, 1, 1, 1, 1], "{told:?}");
    assert!(told.iter().all(|told| told.sent + told.full == 2));
    harness.assert_alive();
    for number in 0..2 {
        assert_eq!(slow.text().await, format!("4{number}{text}"));
    }
    assert_eq!(harness.server.send_to(&Audience::group("news"), "again").sent, 2);
    assert_eq!(slow.text().await, "4again");
}

/// Tells a group of everything that it hears of.
#[derive(Default)]
struct Announcer(Mutex<Option<Server>>);

impl Announcer {
    fn announce(&self, what: &str) {
        let server = self.0.lock().unwrap().clone();
        if let Some(server) = server {
            server.send_to(&Audience::group("news"), what);
        }
    }
}

impl Observer for &'static Announcer {
    fn opened(&self, session: &Sender) {
        session.join("news");
        self.0.lock().unwrap().get_or_insert_with(|| session.server());
        self.announce("opened");
    }

    fn message(&self, _: SessionId, _: &Message) {
        self.announce("message");
    }

    fn closed(&self, _: SessionId, _: &Disconnect) {
        self.announce("closed");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_put_a_session_into_a_group_and_tell_the_group() {
    let announcer: &'static Announcer = Box::leak(Box::default());
    let harness = Harness::with_observer(Server::builder(obey), announcer);
    let mut first = harness.websocket(4).await;
    assert_eq!(first.text().await, "4opened");
    let mut second = harness.websocket(4).await;
    assert_eq!((first.text().await, second.text().await), ("4opened".into(), "4opened".into()));
    second.send("4join x").await;
    assert_eq!((first.text().await, second.text().await), ("4message".into(), "4message".into()));
    second.send("1").await;
    assert_eq!(first.text().await, "4closed");
    announcer.0.lock().unwrap().take();
}

#[tokio::test]
async fn other_threads_may_join_leave_and_send_while_sessions_end_and_nothing_of_these_is_left() {
    const SESSIONS: usize = 20;
    let harness = patient(|builder| builder.outbox(1_000_000, usize::MAX));
    let mut websockets = Vec::new();
    for _ in 0..SESSIONS {
        websockets.push(harness.websocket(4).await);
    }
    let sessions = harness.server.sessions();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|number| {
            let (server, sessions, stop) = (harness.server.clone(), sessions.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let (own, mut rounds) = (format!("own {number}"), 0);
                while !stop.load(Ordering::Relaxed) || rounds < 3 {
                    for session in &sessions {
                        session.join("all");
                        session.join(&own);
                    }
                    let audience = Audience::group("all").and_group(&own);
                    let Broadcast { sent, full, uncarried, closed, .. } = server.send_to(&audience, "x");
                    assert!(sent + full + uncarried + closed <= SESSIONS);
                    sessions[rounds % SESSIONS].leave("all");
                    rounds += 1;
                }
            })
        })
        .collect();
    for websocket in &mut websockets {
        websocket.send("1").await;
        settle().await;
    }
    for session in &sessions {
        session.closed().await;
    }
    stop.store(true, Ordering::Relaxed);
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    // Their closing handshakes would be waited for, in real time.
    drop(websockets);
    assert!(harness.server.shutdown(Duration::from_secs(10)).await.is_empty());
    for group in ["all", "own 0", "own 1"] {
        assert_eq!(harness.server.members(group).len(), 0, "{group}");
    }
    assert!(sessions.iter().all(|session| session.groups().is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_session_has_its_server_after_the_application_has_dropped_every_handle_and_keeps_it_no_longer() {
    let held = Arc::new(());
    let kept = Arc::downgrade(&held);
    let builder = Server::builder(move |mut socket: Socket| {
        let _held = Arc::clone(&held);
        async move {
            while socket.recv().await.is_ok() {
                let server = socket.server();
                server.send_to(&Audience::all(), format!("{} here", server.len()));
            }
        }
    });
    let harness = Harness::unobserved(builder);
    let mut websocket = harness.websocket(4).await;
    let other = harness.websocket(4).await;
    // The connections have become WebSockets, and hold no service any more.
    drop(harness);
    settle().await;
    websocket.send("4who").await;
    assert_eq!(websocket.text().await, "42 here");
    assert!(kept.upgrade().is_some());
    drop(other);
    websocket.send("1").await;
    assert_eq!(websocket.next().await, Received::Close(None));
    drop(websocket);
    tokio::time::sleep(ms(100)).await;
    assert!(kept.upgrade().is_none(), "the sessions and the server keep each other");
}

/// An application that shuts its server down at a word.
async fn shuts_down(mut socket: Socket, in_a_task: bool, journal: Journal) {
    while socket.recv().await.is_ok() {
        let server = socket.server();
        let journal = journal.clone();
        let shutdown = async move {
            let CutOff { sessions, applications, connections, .. } = server.shutdown(ms(400)).await;
            journal.note(format!("{sessions} {applications} {connections}"));
        };
        if in_a_task {
            tokio::spawn(shutdown);
        } else {
            shutdown.await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_may_shut_its_own_server_down() {
    for (in_a_task, took, notes) in [(true, 0, &["0 0 0"][..]), (false, 300, &[])] {
        let journal = Journal::default();
        let builder = Server::builder({
            let journal = journal.clone();
            move |socket| shuts_down(socket, in_a_task, journal.clone())
        });
        let harness = Harness::unobserved(builder);
        let (mut websocket, mut other) = (harness.websocket(4).await, harness.websocket(4).await);
        websocket.send("4shutdown").await;
        assert!(matches!(websocket.next().await, Received::Close(_)));
        assert!(matches!(other.next().await, Received::Close(_)));
        drop((websocket, other));
        // An application that waits for its own end is dropped after three quarters of the limit.
        harness.at(took).await;
        settle().await;
        assert!(harness.server.shutdown(ms(0)).await.is_empty(), "in a task: {in_a_task}");
        assert_eq!(journal.read(), notes);
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_groups_hears_which_come_into_being_and_vanish() {
    let harness = patient(|builder| builder);
    let (mut one, _) = member(&harness, &["a"]).await;
    let mut changes = harness.server.group_changes();
    let next = async |changes: &mut eio_tokio::GroupChanges| {
        let mut next: Vec<_> = changes.next().await.into_iter().map(|one| (one.name, one.exists)).collect();
        next.sort();
        next
    };
    assert_eq!(next(&mut changes).await, [("a".into(), true)]);
    let waiting = tokio::spawn(async move { (next(&mut changes).await, next(&mut changes).await) });
    settle().await;
    assert_eq!(says(&mut one, "join b").await, "4true");
    settle().await;
    drop(one);
    let ended = [("a".into(), false), ("b".into(), false)];
    assert_eq!(waiting.await.unwrap(), (vec![("b".into(), true)], ended.to_vec()));
}
