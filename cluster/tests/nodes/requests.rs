//! Questions and answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_cluster::bus::{Memory, NotPublished};
use eio_cluster::{Channel, Cluster, Incoming, NoAnswer, Reply, Response, Responses, To};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{BOUND, nodes, settle, sleep, start};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Takes the questions that come to a node.
fn answering(node: &Cluster, answer: impl Fn(Reply, &str) + Send + Sync + 'static) -> Channel {
    let handler = move |message: Incoming<'_>| {
        if let Some(reply) = message.reply {
            answer(reply, &String::from_utf8_lossy(&message.payload));
        }
    };
    node.channel("test", handler).unwrap()
}

async fn all(mut responses: Responses) -> Vec<(String, Result<String, NoAnswer>)> {
    let mut all = Vec::new();
    while let Some(Response { node, part, .. }) = responses.next().await {
        all.push((node.to_string(), part.map(|part| String::from_utf8(part.to_vec()).unwrap())));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn ok(node: &str, part: &str) -> (String, Result<String, NoAnswer>) {
    (node.to_owned(), Ok(part.to_owned()))
}

fn failed(node: &str, why: NoAnswer) -> (String, Result<String, NoAnswer>) {
    (node.to_owned(), Err(why))
}

#[tokio::test(start_paused = true)]
async fn every_other_node_answers_with_any_number_of_parts() {
    let bus = Memory::new();
    let [a, b, c, d] = nodes(&bus, ["a", "b", "c", "d"]).await;
    let ours = answering(&a, |_, _| panic!("a node does not ask itself"));
    let _b = answering(&b, |mut reply, question| {
        for part in ["1", question, "3"] {
            reply.part(part.as_bytes()).unwrap();
        }
    });
    let _c = answering(&c, |_nothing_to_say, _| {});
    let _d = answering(&d, |reply, _| reply.finish(b"done").unwrap());
    let started = Instant::now();
    let answers = all(ours.request(b"2", TIMEOUT)).await;
    assert_eq!(answers, [ok("b", "1"), ok("b", "2"), ok("b", "3"), ok("d", "done")]);
    assert!(started.elapsed() < Duration::from_millis(10), "it is over when all have answered");
    assert_eq!(ours.ask("d", b"", TIMEOUT).first().await.as_deref(), Ok(&b"done"[..]));
    assert_eq!(ours.ask("c", b"", TIMEOUT).first().await, Err(NoAnswer::Incomplete));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_late_dies_panics_or_does_not_know_is_named_with_the_reason() {
    let bus = Memory::new();
    let [a, b, c, panicking, left] = nodes(&bus, ["a", "b", "c", "d", "e"]).await;
    let ours = answering(&a, |_, _| {});
    let kept: Arc<Mutex<Vec<Reply>>> = Arc::default();
    let keep = |kept: &Arc<Mutex<Vec<Reply>>>| {
        let kept = Arc::clone(kept);
        move |mut reply: Reply, _: &str| {
            reply.part(b"soon").unwrap();
            kept.lock().unwrap().push(reply);
        }
    };
    let (_b, _c) = (answering(&b, keep(&kept)), answering(&c, keep(&kept)));
    let _panicking = answering(&panicking, |_reply, _| panic!("as the test wants it"));
    drop(left);
    settle().await;
    let mut question = ours.request(b"", BOUND * 2);
    sleep(Duration::from_secs(1)).await;
    bus.cut("c");
    let mut answers = Vec::new();
    while let Some(Response { node, part, .. }) = question.next().await {
        answers.push((node.to_string(), part.map(|_| ())));
    }
    // In the order of the events: c is noticed at its bound, b at the end of the question.
    assert_eq!(
        answers[answers.len() - 2..],
        [("c".to_owned(), Err(NoAnswer::Gone)), ("b".to_owned(), Err(NoAnswer::Late))]
    );
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(answers.contains(&("d".to_owned(), Err(NoAnswer::Panicked))), "{answers:?}");
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(panicking.status().panics, 1);
    // What comes now comes too late, and harms nothing.
    kept.lock().unwrap().clear();
    settle().await;
    drop(question);
}

#[tokio::test(start_paused = true)]
async fn answers_larger_than_the_queue_come_whole_and_leave_room_for_other_messages() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ours = answering(&a, |_, _| {});
    let theirs = answering(&b, |mut reply, _| {
        tokio::spawn(async move {
            for number in 0..150 {
                reply.send(&vec![number; 100_000]).await.unwrap();
            }
        });
    });
    let questions = [(); 3].map(|()| ours.request(b"", TIMEOUT));
    let taking = questions.map(|mut question| {
        tokio::spawn(async move {
            for number in 0..150 {
                assert_eq!(question.next().await.unwrap().part.unwrap(), vec![number; 100_000]);
            }
            assert_eq!(question.next().await, None);
        })
    });
    while !taking.iter().all(JoinHandle::is_finished) {
        assert!(b.status().bus.queued < 3_000_000);
        theirs.publish(To::All, &vec![0; 1_000_000 - 1_000]).unwrap();
        settle().await;
    }
    for taking in taking {
        taking.await.unwrap();
    }
    assert_eq!(b.status().bus.lost, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_for_room_ends_with_the_connection() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ours = answering(&a, |_, _| {});
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let cut = bus.clone();
    let theirs = answering(&b, move |mut reply, _| {
        // The queue is full while this runs, in the task of the bus.
        while reply.part(&vec![0; 100_000]).is_ok() {}
        let tell = tell.lock().unwrap().take().unwrap();
        cut.cut("b");
        tokio::spawn(async move { tell.send(reply.send(b"more").await) });
    });
    let question = ours.request(b"", TIMEOUT);
    assert_eq!(told.await.unwrap(), Err(NotPublished::Down));
    drop((question, theirs));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_know_the_service_says_so() {
    let bus = Memory::new();
    let [a, _b] = nodes(&bus, ["a", "b"]).await;
    let ours = answering(&a, |_, _| {});
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, [failed("b", NoAnswer::NoService)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_there_is_not_waited_for() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let (ours, _theirs) = (answering(&a, |_, _| {}), answering(&b, |reply, _| reply.finish(b"b").unwrap()));
    let started = Instant::now();
    for name in ["c", "a", "not a name"] {
        assert_eq!(all(ours.ask(name, b"", TIMEOUT)).await, [failed(name, NoAnswer::Gone)]);
    }
    b.leave().await;
    settle().await;
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, []);
    assert!(started.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_asked_and_dies_or_leaves_before_it_answers_is_gone() {
    let bus = Memory::new();
    let [a, b, c] = nodes(&bus, ["a", "b", "c"]).await;
    let ours = answering(&a, |_, _| {});
    let kept: Arc<Mutex<Vec<Reply>>> = Arc::default();
    let channels = [&b, &c].map(|node| {
        let kept = Arc::clone(&kept);
        answering(node, move |reply, _| kept.lock().unwrap().push(reply))
    });
    let question = tokio::spawn(all(ours.request(b"", Duration::from_hours(1))));
    settle().await;
    b.leave().await;
    bus.cut("c");
    sleep(BOUND + Duration::from_millis(10)).await;
    assert!(question.is_finished());
    assert_eq!(question.await.unwrap(), [failed("b", NoAnswer::Gone), failed("c", NoAnswer::Gone)]);
    drop(channels);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_loses_the_bus_or_leaves_ends_its_questions_at_once() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let kept: Arc<Mutex<Vec<Reply>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let (ours, _theirs) =
        (answering(&a, |_, _| {}), answering(&b, move |reply, _| keep.lock().unwrap().push(reply)));
    let started = Instant::now();
    let question = tokio::spawn(all(ours.request(b"", Duration::from_hours(1))));
    settle().await;
    bus.cut("a");
    assert_eq!(question.await.unwrap(), [failed("b", NoAnswer::Disconnected)]);
    let refused = NoAnswer::NotPublished(NotPublished::Down);
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, [failed("a", refused), failed("b", refused)]);
    bus.mend("a");
    a.connected().await;
    let question = tokio::spawn(all(ours.request(b"", Duration::from_hours(1))));
    settle().await;
    a.leave().await;
    let left = ["a", "b"].map(|name| failed(name, NoAnswer::Disconnected));
    assert_eq!(question.await.unwrap(), left, "it has not known for long that b is all");
    assert!(started.elapsed() < Duration::from_secs(1));
    kept.lock().unwrap().clear();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joins_after_the_question_may_answer_it() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let kept: Arc<Mutex<Vec<Reply>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let ours = answering(&a, |_, _| {});
    let _b = answering(&b, move |reply, _| keep.lock().unwrap().push(reply));
    // The new node hears the question, and the one who asks has not heard of the new node.
    bus.slow("a", Duration::from_secs(1));
    let c = start(&bus, "c");
    let _c = answering(&c, |reply, _| reply.finish(b"c").unwrap());
    sleep(Duration::from_millis(500)).await;
    assert_eq!(a.nodes().len(), 2);
    let question = tokio::spawn(all(ours.request(b"", TIMEOUT)));
    sleep(Duration::from_secs(2)).await;
    kept.lock().unwrap().clear();
    assert_eq!(question.await.unwrap(), [ok("c", "c")]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_know_the_others_yet_waits_for_them_or_says_that_some_may_be_missing() {
    let bus = Memory::new();
    bus.cut("a");
    let a = start(&bus, "a");
    let ours = answering(&a, |_, _| {});
    settle().await;
    let refused = NoAnswer::NotPublished(NotPublished::Down);
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, [failed("a", refused)]);
    let [b, c] = nodes(&bus, ["b", "c"]).await;
    let _others = [(&b, "b"), (&c, "c")]
        .map(|(node, name)| answering(node, move |reply, _| reply.finish(name.as_bytes()).unwrap()));
    // It hears the others a second later than they speak, so it knows none of them when it asks.
    bus.slow("a", Duration::from_secs(1));
    bus.mend("a");
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(a.nodes().len(), 1);
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, [ok("b", "b"), ok("c", "c")]);
    bus.cut("a");
    settle().await;
    bus.slow("a", Duration::ZERO);
    bus.mend("a");
    settle().await;
    let question = tokio::spawn(all(ours.request(b"", TIMEOUT)));
    settle().await;
    bus.cut("a");
    let lost = question.await.unwrap();
    assert_eq!(lost[0], failed("a", NoAnswer::Disconnected), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_there_before_is_waited_for_also_if_it_was_not_known_when_it_was_asked() {
    let bus = Memory::new();
    let b = start(&bus, "b");
    let _theirs = answering(&b, |reply, _| {
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            reply.finish(b"b").unwrap();
        });
    });
    b.connected().await;
    sleep(BOUND).await;
    bus.slow("b", Duration::from_millis(50));
    let a = start(&bus, "a");
    let ours = answering(&a, |_, _| {});
    a.connected().await;
    assert_eq!(a.nodes().len(), 1);
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, [ok("b", "b")]);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_before_the_bus_has_confirmed_anything_ends_with_its_connection() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let (ours, _theirs) = (answering(&a, |_, _| {}), answering(&b, |reply, _| reply.finish(b"b").unwrap()));
    bus.cut("a");
    settle().await;
    bus.slow("a", Duration::from_secs(1));
    bus.mend("a");
    settle().await;
    let started = Instant::now();
    let question = tokio::spawn(all(ours.request(b"", Duration::from_hours(1))));
    settle().await;
    bus.cut("a");
    let lost = ["a", "b"].map(|name| failed(name, NoAnswer::Disconnected));
    assert_eq!(question.await.unwrap(), lost);
    assert!(started.elapsed() < Duration::from_millis(10), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_cannot_be_read_is_not_answered_by_nothing() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ours = answering(&a, |_, _| {});
    let _theirs = answering(&b, |reply, question| if question == "?" { drop(reply) } else { reply.refuse() });
    assert_eq!(all(ours.request(b"?", TIMEOUT)).await, []);
    assert_eq!(all(ours.request(b"\xff", TIMEOUT)).await, [failed("b", NoAnswer::NoService)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_alone_has_no_answers_and_nobody_is_missing() {
    let bus = Memory::new();
    let a = start(&bus, "a");
    let ours = answering(&a, |_, _| {});
    settle().await;
    let started = Instant::now();
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, []);
    assert!(started.elapsed() < Duration::from_millis(300), "{:?}", started.elapsed());
    a.leave().await;
    let refused = NoAnswer::NotPublished(NotPublished::Down);
    assert_eq!(all(ours.request(b"", TIMEOUT)).await, [failed("a", refused)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_dropped_or_too_large_for_the_one_who_asks_is_cut_off() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ours = answering(&a, |_, _| {});
    let _theirs = answering(&b, |mut reply, _| {
        let large = vec![b'x'; 900_000];
        tokio::spawn(async move {
            for _ in 0..30 {
                let _ = reply.part(&large);
                tokio::task::yield_now().await;
            }
        });
    });
    let question = ours.request(b"", TIMEOUT);
    drop(ours.request(b"", TIMEOUT));
    sleep(Duration::from_secs(1)).await;
    let answers = all(question).await;
    assert_eq!(answers.last().unwrap().1, Err(NoAnswer::TooMuch));
    assert!(answers.len() < 20, "{}", answers.len());
}
