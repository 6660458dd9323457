//! `run` is dropped after any number of polls, and called again.

use core::future::{Future, pending};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::collections::HashSet;

use eio_embassy::{ClientSettings, Connector, Endpoint, TcpClient};
use embassy_time::Timer;

use super::lab::{FAR, Journal, Lab, PORT, talk};
use crate::fakes::{self, OPEN, Sent, Task, buffers};

/// A server that answers every client, and ends each session another way: by the number that the application sends, it
/// resets the connection, lets the application return, or tells it to stop.
#[derive(Default)]
struct Script {
    answered: HashSet<usize>,
    numbers: Vec<u32>,
}

impl Script {
    fn go_on(&mut self, lab: &mut Lab) {
        for connection in 0..lab.connections() {
            if !lab.has_sent(connection) {
                continue;
            }
            if self.answered.insert(connection) {
                lab.serve(connection, |server| {
                    let (_, switch) = server.request();
                    server.raw(switch.as_bytes());
                    server.text(OPEN);
                });
                continue;
            }
            for sent in lab.take(connection) {
                let Sent::Text(text) = sent else { continue };
                let number: u32 = text[1..].parse().expect("a number");
                self.numbers.push(number);
                lab.serve(connection, |server| match number % 3 {
                    0 => server.reset(),
                    1 => server.text("4return"),
                    _ => server.text("4stop"),
                });
            }
        }
    }
}

/// Lets everything go on for so long, and polls a future meanwhile, at most so often.
fn drive<F: Future>(
    lab: &mut Lab,
    script: &mut Script,
    mut future: Pin<&mut F>,
    polls: usize,
    millis: usize,
) -> Option<F::Output> {
    let task = Task::new();
    let (mut result, mut polled) = (None, 0);
    for _ in 0..millis {
        lab.settle_with(|| {
            let poll = result.is_none() && polled < polls && (polled == 0 || task.is_woken());
            if poll {
                polled += 1;
                if let Poll::Ready(value) = task.poll_once(future.as_mut()) {
                    result = Some(value);
                }
            }
            poll
        });
        if result.is_some() || polled == polls {
            break;
        }
        script.go_on(lab);
        fakes::advance(1_000);
    }
    result
}

/// Drops `run` after so many polls, and calls it again after a pause. Returns whether there was something to drop.
fn story(name: &'static str, polls: usize, delay: u64, pause: usize) -> bool {
    let mut lab = Lab::new();
    lab.cable.set_link(false);
    lab.cable.set_delay(delay);
    lab.pass(1);
    lab.listen();
    lab.serve_names(|_| Some([10, 0, 0, 2]));
    let cable = lab.cable.clone();
    lab.spawn(async move {
        Timer::after_millis(5).await;
        cable.set_link(true);
    });
    let mut script = Script::default();
    let journal = Journal::default();
    let mut connector = lab.connector(name, PORT);
    let mut reconnect = lab.reconnect();
    let (endpoint, settings) = (Endpoint::engineio(name), ClientSettings::DEFAULT);
    let mut application = async |client: &mut TcpClient<'_, '_>| talk(client, &journal).await;
    let mut results = Vec::new();
    for polls in [polls, usize::MAX] {
        {
            let run =
                connector.run(&mut reconnect, &endpoint, buffers(512, 400), &settings, &mut application);
            results.push(drive(&mut lab, &mut script, pin!(run), polls, 60_000));
        }
        drive(&mut lab, &mut script, pin!(pending::<()>()), usize::MAX, pause);
        if pause > 0 {
            assert_eq!(left_open(&lab), [], "after {polls} polls");
        }
    }
    assert_eq!(results.pop(), Some(Some("stopped")), "after {polls} polls");
    drive(&mut lab, &mut script, pin!(pending::<()>()), usize::MAX, 100);
    assert_eq!(left_open(&lab), [], "after {polls} polls");
    let numbers: HashSet<_> = script.numbers.iter().collect();
    assert_eq!(numbers.len(), script.numbers.len(), "after {polls} polls: {:?}", script.numbers);
    assert!(script.numbers.iter().all(|number| *number < journal.sent.get()));
    results == [None]
}

/// The connections that their server still holds for open.
fn left_open(lab: &Lab) -> Vec<usize> {
    (0..lab.connections()).filter(|connection| lab.end(*connection).is_none()).collect()
}

#[test]
fn it_works_again_and_sends_nothing_twice_and_leaves_no_connection_open() {
    let _clock = fakes::clock();
    for name in [FAR, "server.example"] {
        for (delay, pause) in [(0, 0), (0, 100), (2, 0), (2, 100)] {
            let polls = (0..1_000).find(|polls| !story(name, *polls, delay, pause)).expect("an end");
            assert!(polls > 15, "{polls}");
        }
    }
}
