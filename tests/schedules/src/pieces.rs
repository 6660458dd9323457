//! Small pieces of `eio-tokio`, whose files are compiled here as they are, and scenarios of them. They are few steps: all
//! orders can be tried.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use std::sync::Arc;

use shuttle::thread;

use self::gate::Gate;
use self::waiting::until;
use crate::wire::sync::{Mutex, Notify};

#[path = "../../../std-adapter/src/carrier/gate.rs"]
#[expect(dead_code, reason = "a file of another crate")]
mod gate;
#[path = "../../../std-adapter/src/session/waiting.rs"]
#[expect(dead_code, reason = "a file of another crate")]
mod waiting;

/// Waits for room, as the loop that accepts connections does.
async fn enter(gate: &Arc<Gate>) {
    while gate.full().is_some() {
        gate.freed().await;
    }
    drop(Gate::enter(gate, None).expect("no address has a limit"));
}

/// Two connections end while a third one waits for room.
pub async fn room() {
    let gate = Gate::new(Some(2), None);
    let permits = [(), ()].map(|()| Gate::enter(&gate, None).expect("no address has a limit"));
    let threads = permits.map(|permit| thread::spawn(move || drop(permit)));
    enter(&gate).await;
    for thread in threads {
        thread.join().expect("a permit can be dropped");
    }
    assert_eq!(gate.full(), None);
}

/// One who waits for room gives up, and the next one waits.
pub async fn given_up() {
    let gate = Gate::new(Some(1), None);
    let permit = Gate::enter(&gate, None).expect("no address has a limit");
    let ending = thread::spawn(move || drop(permit));
    {
        let mut gives_up = pin!(gate.freed());
        poll_fn(|cx| Poll::Ready(gives_up.as_mut().poll(cx).is_ready())).await;
    }
    enter(&gate).await;
    ending.join().expect("a permit can be dropped");
}

/// One waits for the second of two changes.
pub async fn change() {
    let shared = Arc::new((Mutex::new(0), Notify::new()));
    let changing = Arc::clone(&shared);
    let changing = thread::spawn(move || {
        for _ in 0..2 {
            *changing.0.lock().expect("not poisoned") += 1;
            changing.1.notify_waiters();
        }
    });
    let (state, changed) = &*shared;
    until(changed, || (*state.lock().expect("not poisoned") == 2).then_some(())).await;
    changing.join().expect("it waits for nothing");
}
