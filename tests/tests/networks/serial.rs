//! A serial line that speaks PPP: embassy-net over embassy-net-ppp on the board's end, slirp on the other.

use core::cell::RefCell;
use std::process::Command;

use eio_core::DisconnectReason;
use eio_embassy::{Loss, State};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;

use crate::ppp::{Slirp, block_on, board, host_random};
use crate::server::Echo;
use crate::{States, clock, greet, live, lost, open};

/// slirp connects to this machine for it.
const HOST: &str = "10.0.2.2";

/// A board at a line, while this story runs. The story gets the program at the line's other end.
fn run(story: impl AsyncFnOnce(&mut States<'_>, &RefCell<Option<Slirp>>)) {
    let _clock = clock();
    let server = Echo::start(0);
    let watch: Watch<NoopRawMutex, State, 1> = Watch::new();
    let mut states = watch.receiver().expect("a receiver");
    let slirp = RefCell::new(None);
    let dial = async || {
        // The old one ends before the new one starts.
        slirp.take();
        let (started, line) = Slirp::start();
        slirp.replace(Some(started));
        line
    };
    let mut random = host_random;
    let server = (HOST, server.address.port());
    let board = board(dial, server, &mut random, watch.dyn_sender(), async |client| greet(client).await);
    match block_on(select(board, story(&mut states, &slirp))) {
        Either::First(()) => panic!("the board has stopped"),
        Either::Second(()) => {}
    }
}

/// Why the session has ended.
async fn reason(states: &mut States<'_>) -> DisconnectReason {
    match lost(states).await {
        Loss::Session(end) => end.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_over_a_serial_line_lives_and_a_dropped_line_ends_it_at_once_and_brings_another() {
    run(async |states, slirp| {
        let opened = open(states).await;
        live(states, opened).await;
        slirp.take();
        assert_eq!(reason(states).await, DisconnectReason::TransportReset);
        let opened = open(states).await;
        live(states, opened).await;
    });
}

#[test]
fn a_modem_that_falls_silent_is_noticed_by_the_heartbeat_and_the_session_comes_back() {
    run(async |states, slirp| {
        open(states).await;
        let modem = slirp.borrow().as_ref().expect("it runs").id().to_string();
        let signal =
            |name: &str| Command::new("kill").args([name, modem.as_str()]).status().expect("kill").success();
        assert!(signal("-STOP"));
        assert_eq!(reason(states).await, DisconnectReason::PingTimeout);
        assert!(signal("-CONT"));
        open(states).await;
    });
}
