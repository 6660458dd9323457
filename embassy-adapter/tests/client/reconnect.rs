//! Attempts, delays, and what the watch shows of them.

use core::cell::RefCell;
use core::convert::Infallible;
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::rc::Rc;

use eio_core::DisconnectReason;
use eio_core::backoff::Backoff;
use eio_core::packet::WebSocketMessage;
use eio_embassy::{ClientSettings, Endpoint, Loss, Reconnect, State};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;

use crate::fakes::{self, OPEN, Sent, Server, Task, buffers, rng, text};

type States = Watch<NoopRawMutex, State, 2>;

#[test]
fn delays_grow_as_the_backoff_says_and_the_watch_shows_when() {
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10)).expect("valid");
    // The longest delays that can be drawn, and the shortest ones.
    for (random, delays) in [(u32::MAX, [2_000, 4_000, 8_000, 10_000, 10_000]), (0, [1_000; 5])] {
        let _clock = fakes::clock();
        let watch = States::new();
        let mut states = watch.receiver().expect("a receiver");
        let mut draw = || random;
        let mut reconnect = Reconnect::new(backoff.clone(), &mut draw, watch.dyn_sender());
        let attempts = Rc::new(RefCell::new(Vec::new()));
        let task = Task::new();
        let mut run = pin!(reconnect.run(async |attempt| {
            attempts.borrow_mut().push(fakes::now() / 1_000);
            attempt.report().connecting();
            ControlFlow::<Infallible, _>::Continue(Loss::Unreachable)
        }));
        let mut at = 0;
        for delay in delays {
            assert!(task.poll(run.as_mut()).is_pending());
            assert_eq!(attempts.borrow().last(), Some(&at));
            at += delay;
            let until = embassy_time::Instant::from_millis(at);
            assert_eq!(states.try_get(), Some(State::Waiting { until, after: Loss::Unreachable }));
            fakes::advance(delay * 1_000 - 1);
            assert!(task.poll(run.as_mut()).is_pending());
            fakes::advance(1);
        }
        assert_eq!(attempts.borrow().len(), 5);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn a_session_that_lasted_starts_over_and_nothing_is_sent_twice() {
    let _clock = fakes::clock();
    let watch = States::new();
    let mut states = watch.receiver().expect("a receiver");
    let mut longest = || u32::MAX;
    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10))
        .and_then(|backoff| backoff.with_stable_after(Duration::from_millis(400)))
        .expect("valid");
    let mut reconnect = Reconnect::new(backoff, &mut longest, watch.dyn_sender());
    let servers = Rc::new(RefCell::new(Vec::<Server>::new()));
    let numbers = Rc::new(RefCell::new(0..));
    let task = Task::new();
    let mut run = pin!(reconnect.run(async |attempt| {
        let (_, report) = attempt.split();
        report.connecting();
        let (server, reader, writer) = Server::new();
        servers.borrow_mut().push(server);
        let (endpoint, settings) = (Endpoint::engineio("host"), ClientSettings::DEFAULT);
        let connect = fakes::connect(reader, writer, &endpoint, buffers(512, 512), rng(), &settings);
        let mut client = match connect.await {
            Ok(client) => client,
            Err(error) => return ControlFlow::Continue(error.into()),
        };
        report.opened(&client);
        let number = numbers.borrow_mut().next().unwrap_or(0);
        if number == 3 {
            return ControlFlow::Break("enough");
        }
        let _ = client.send(WebSocketMessage::Text(&number.to_string())).await;
        let end = loop {
            if let Err(end) = client.recv().await {
                break end;
            }
        };
        report.lost(end.into());
        ControlFlow::Continue(end.into())
    }));
    let mut result = None;
    for round in 0..4 {
        assert!(task.poll(run.as_mut()).is_pending());
        assert_eq!(states.try_get(), Some(State::Connecting));
        {
            let mut servers = servers.borrow_mut();
            let server = servers.last_mut().expect("a connection");
            let (_, switch) = server.request();
            server.raw(switch.as_bytes());
            server.text(OPEN);
        }
        if let Poll::Ready(value) = task.poll(run.as_mut()) {
            result = Some((round, value));
            break;
        }
        let since = embassy_time::Instant::now();
        assert!(matches!(states.try_get(), Some(State::Open { since: at, .. }) if at == since));
        assert_eq!(servers.borrow_mut().last_mut().map(Server::take), Some(vec![text(&format!("4{round}"))]));
        fakes::advance(500_000);
        assert!(task.poll(run.as_mut()).is_pending());
        let Some(State::Waiting { until, after: Loss::Session(end) }) = states.try_get() else {
            panic!("{:?}", states.try_get());
        };
        assert_eq!(end.reason, DisconnectReason::PingTimeout);
        assert_eq!((until - embassy_time::Instant::now()).as_millis(), 200, "a first delay again");
        fakes::advance(200_000);
    }
    assert_eq!(result, Some((3, "enough")));
    let mut servers = servers.borrow_mut();
    assert!(servers.iter_mut().all(|server| server.take() == Vec::<Sent>::new()));
}

/// A board that sleeps drops the future, and calls `run` again when it wakes.
#[test]
fn the_time_between_two_runs_is_no_time_of_a_session() {
    for (session, delay) in [(20_000, 8_000), (30_000, 2_000)] {
        let _clock = fakes::clock();
        let watch = States::new();
        let mut states = watch.receiver().expect("a receiver");
        let mut longest = || u32::MAX;
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10)).expect("valid");
        let mut reconnect = Reconnect::new(backoff, &mut longest, watch.dyn_sender());
        let task = Task::new();
        {
            let attempts = RefCell::new(0..2);
            let mut run = pin!(reconnect.run(async |attempt| {
                if attempts.borrow_mut().next().is_some() {
                    return ControlFlow::<Infallible, _>::Continue(Loss::Unreachable);
                }
                let (client, _server) = fakes::open();
                attempt.report().opened(&client);
                core::future::pending().await
            }));
            // The longest delays after the first two attempts.
            for delay in [2_000, 4_000] {
                assert!(task.poll(run.as_mut()).is_pending());
                fakes::advance(delay * 1_000);
            }
            assert!(task.poll(run.as_mut()).is_pending());
            assert!(matches!(states.try_get(), Some(State::Open { .. })));
            fakes::advance(session * 1_000);
        }
        fakes::advance(120_000_000);
        let mut run =
            pin!(reconnect.run(async |_| ControlFlow::<Infallible, _>::Continue(Loss::Unreachable)));
        assert!(task.poll(run.as_mut()).is_pending());
        let Some(State::Waiting { until, .. }) = states.try_get() else { panic!("{:?}", states.try_get()) };
        assert_eq!((until - embassy_time::Instant::now()).as_millis(), delay, "{session} ms");
    }
}
