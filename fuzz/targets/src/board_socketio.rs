//! Socket.IO on a microcontroller, and a server that says what it likes.

mod expected;
mod sockets;
mod story;
mod wire;

use core::ops::ControlFlow;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::backoff::Backoff;
use eio_embassy::embassy_sync::blocking_mutex::raw::NoopRawMutex;
use eio_embassy::embassy_sync::watch::Watch;
use eio_embassy::socketio::{Namespaces, NoRecovery, Recovery, Socket};
use eio_embassy::{Attempt, Buffers, Client, ClientSettings, Endpoint, Loss, Protocol, Reconnect, State};

use crate::fakes::{self, OPEN, Server, Task};
use crate::recordings;
use crate::script::{Script, step};
use expected::Use;
use sockets::{ALONE, Many};
use story::Story;

/// Delays between sessions.
const DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How many sessions one input has at most.
const SESSIONS: usize = 6;

/// The first byte chooses how the board is used. The rest are steps of both sides, session after session: the server sends
/// and breaks, the board calls and drops what takes too long, and time passes. The board receives what its documentation
/// promises for what the server has sent, in order, and nothing more. The server receives what was sent, once, in packets
/// that can be read. A session ends only for a reason, and the next one begins in time.
pub(crate) fn run(data: &[u8]) {
    let _clock = fakes::clock();
    let mut script = Script::new(data);
    let Some(settings) = script.byte() else { return };
    let watch: Watch<NoopRawMutex, State, 1> = Watch::new();
    let mut states = watch.receiver().expect("a receiver");
    let mut random = 7_u32;
    let mut rng = || {
        random = random.wrapping_mul(0x915f_77f5).wrapping_add(1);
        random
    };
    let backoff = Backoff::new(DELAYS.0, DELAYS.1).expect("valid");
    let mut reconnect = Reconnect::new(backoff, &mut rng, watch.dyn_sender());
    let mut recoveries = core::array::from_fn(|_| Recovery::new());
    let mut sessions = 0;
    let mut run = pin!(reconnect.run(async |attempt| {
        sessions += 1;
        let loss = session(attempt, settings, &mut script, &mut recoveries);
        if script.is_empty() || sessions == SESSIONS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(loss)
        }
    }));
    let task = Task::new();
    while task.poll(run.as_mut()).is_pending() {
        let Some(State::Waiting { until, .. }) = states.try_get() else { panic!("it waits for nothing") };
        let wait = until.as_micros().saturating_sub(fakes::now());
        assert!(
            wait <= u64::try_from(DELAYS.1.as_micros()).expect("short"),
            "{wait} µs until the next attempt"
        );
        fakes::advance(wait);
        assert!(task.is_woken(), "the next attempt begins in time");
    }
}

/// One session, from its opening to its end. Returns how it ended.
fn session(
    attempt: &mut Attempt<'_, '_>,
    settings: u8,
    script: &mut Script<'_>,
    recoveries: &mut [Recovery; 4],
) -> Loss {
    let is = |bit: u8| settings & 1 << bit != 0;
    let usage = Use { is_old: is(0), is_alone: is(1), recovers: is(2), stutters: is(3) };
    let client_settings = ClientSettings {
        protocol: [Protocol::V4, Protocol::V3][usize::from(usage.is_old)],
        ..ClientSettings::DEFAULT
    };
    let (mut server, reader, writer) = Server::new();
    let (mut rx, mut tx) = ([0; 400], [0; 280]);
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let (rng, report) = attempt.split();
    report.connecting();
    let mut client = Client::new(reader, writer, buffers, rng, &client_settings).expect("room");
    let endpoint = Endpoint::engineio("host");
    assert!(Task::new().poll(pin!(client.connect(&endpoint))).is_pending());
    let (_, switch) = server.request();
    server.raw(switch.as_bytes());
    server.text(OPEN);
    assert_eq!(Task::new().poll(pin!(client.connect(&endpoint))), Poll::Ready(Ok(())));
    report.opened(&client);
    if usage.stutters {
        server.set_stutters();
    }
    let mut story = Story::new(usage, server);
    match usage {
        Use { is_alone: true, recovers: false, .. } => {
            let join = Socket::join(&mut client, ALONE, "", Duration::from_millis(400));
            if let Some(mut socket) = story.join(join, script) {
                story.play(&mut socket, script);
            }
        }
        Use { is_alone: true, .. } => {
            let timeout = Duration::from_millis(400);
            let join = Socket::join_with_recovery(&mut client, ALONE, "", &mut recoveries[0], timeout);
            if let Some(mut socket) = story.join(join, script) {
                story.play(&mut socket, script);
            }
        }
        Use { recovers: false, .. } => {
            let namespaces = Namespaces::new(&mut client);
            story.play(&mut Many { namespaces, kept: vec![NoRecovery::default(); 8] }, script);
        }
        Use { .. } => {
            let namespaces = Namespaces::new(&mut client);
            story.play(&mut Many { namespaces, kept: recoveries.iter_mut().collect() }, script);
        }
    }
    let end = fakes::within(5_100_000, 20_000, client.close());
    assert_eq!(client.end(), Some(end));
    story.check_wire();
    report.lost(end.into());
    end.into()
}

/// Sessions in which the server says what servers of Socket.IO have said in the recordings, and some stories of each use.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let said = recordings::frames().into_iter().filter(|frame| !frame.by_client);
    let said: Vec<_> =
        said.filter_map(|frame| frame.data.to_wire().strip_prefix(b"4").map(<[u8]>::to_vec)).collect();
    let seed = |(number, said): (usize, &[Vec<u8>])| {
        let settings = u8::try_from(number % 16).expect("small");
        let mut seed = vec![settings];
        // A board alone is joined from the start, and its steps name no namespace.
        let named = if settings & 2 == 0 { &b"j\x00j\x01c\x00c\x01r"[..] } else { b"cr" };
        seed.extend(named);
        for text in said {
            seed.extend(step(b'f', &text[..text.len().min(200)]));
            seed.push(b'r');
        }
        seed
    };
    let mut seeds: Vec<_> = said.chunks(4).take(32).enumerate().map(seed).collect();
    for settings in 0..16 {
        let name = |letters: &'static [u8], name: u8| {
            letters
                .iter()
                .flat_map(move |&letter| [letter].into_iter().chain((settings & 2 == 0).then_some(name)))
        };
        let mut seed = vec![settings];
        seed.extend(name(b"jc", 1));
        seed.extend(name(b"jc", 2));
        seed.push(b'r');
        // Events, a question and its answer, an event in part, a disconnect, and a new session.
        for how in [0, 4, 2, 7] {
            seed.extend(name(b"s", 1));
            seed.push(how);
        }
        seed.extend(b"rk");
        seed.extend(name(b"q", 1));
        seed.extend(name(b"y", 1));
        seed.extend(b"\x01an\x08");
        seed.extend(name(b"p", 1));
        seed.extend(b"vn\xff");
        seed.extend(name(b"pd", 1));
        seed.extend(b"rit\x13rx");
        seed.extend(name(b"jc", 1));
        seed.extend(b"rt\x14r");
        seeds.push(seed);
    }
    seeds
}
