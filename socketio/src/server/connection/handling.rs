//! How handlers are called, and what follows when they have ended.

use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::task::{Context, Poll};

use futures_util::FutureExt as _;

use crate::errors::EmitError;
use crate::server::ack::answer;
use crate::server::connection::Connection;
use crate::server::context::{Context as HandlerContext, ExtractError, Input};
use crate::server::disconnect::{Disconnect, Reason};
use crate::server::guard::{guarded, message};
use crate::server::handler::{Erased, HandlerError, Replied};
use crate::server::refusal::Refusal;
use crate::server::running::{Done, Outcome, Task, Work};
use crate::server::socket::{Socket, Stage};
use crate::sync::Runtime;
use crate::targets::{self, shown};

impl Connection {
    /// Calls a handler, and goes on with what follows if it does not have to wait.
    pub(super) fn call(
        &mut self,
        socket: &Socket,
        handler: &Erased<Replied>,
        input: &Input,
        task: Task,
        cx: &mut Context<'_>,
    ) {
        let called = call(handler, socket, Some(&self.engine), input).map(Work::Replies);
        self.start(socket, called, task, cx);
    }

    pub(super) fn start(
        &mut self,
        socket: &Socket,
        called: Result<Work, HandlerError>,
        task: Task,
        cx: &mut Context<'_>,
    ) {
        match called {
            Ok(work) => {
                if let Some(done) = self.running.start(socket.clone(), task, work, cx) {
                    self.finish(done, cx);
                }
            }
            Err(error) => self.finish_failed(socket, &task, error, cx),
        }
    }

    /// Asks the middleware with this number, or lets the socket join if there is none.
    pub(super) fn ask_middleware(&mut self, socket: &Socket, number: usize, cx: &mut Context<'_>) {
        let space = socket.space().clone();
        let Some(middleware) = space.definition.middlewares.get(number) else {
            self.let_in(socket, cx);
            return;
        };
        let called = call(middleware, socket, Some(&self.engine), &Input::Connect).map(Work::Decides);
        self.start(socket, called, Task::Middleware { next: number + 1 }, cx);
    }

    /// Goes on after a socket has joined.
    pub(super) fn note_joined(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        self.close_at = None;
        tracing::debug!(
            target: targets::SOCKET,
            socket = %socket.id(),
            namespace = %socket.namespace(),
            recovered = socket.is_recovered(),
            "a socket has joined"
        );
        if socket.space().definition.on_connect.is_some() {
            self.joined.push(socket.clone());
            cx.waker().wake_by_ref();
        }
    }

    /// Tells the application about the sockets that have just joined. The answers to their clients have left by now: a client
    /// that gets more together with the answer may miss it.
    pub(super) fn tell_joined(&mut self, cx: &mut Context<'_>) {
        for socket in core::mem::take(&mut self.joined) {
            let space = socket.space().clone();
            if let Some(handler) = &space.definition.on_connect {
                self.call(&socket, handler, &Input::Connect, Task::Connect, cx);
            }
        }
    }

    /// Goes on after a handler has ended.
    pub(super) fn finish(&mut self, done: Done, cx: &mut Context<'_>) {
        let Done { socket, task, outcome } = done;
        let reply = match outcome {
            Outcome::Panicked(message) => Err(HandlerError::Panicked(message)),
            Outcome::Replied(Err(error)) => Err(HandlerError::Returned(error)),
            Outcome::Replied(Ok(reply)) => Ok(reply),
            Outcome::Verdict(Ok(())) => Ok(None),
            Outcome::Verdict(Err(refusal)) => return self.turn_away(&socket, &refusal),
        };
        match (reply, task) {
            (Err(error), task) => self.finish_failed(&socket, &task, error, cx),
            (Ok(_), Task::Middleware { next }) => self.ask_middleware(&socket, next, cx),
            (Ok(_), Task::Admit) => self.admit_late(&socket, cx),
            (Ok(Some(args)), task @ Task::Event { id: Some(id), .. }) if socket.is_connected() => {
                match answer(&socket, id, args) {
                    // The session has ended, and so the socket is about to end.
                    Ok(()) | Err(EmitError::Disconnected) => {}
                    Err(error) => {
                        self.finish_failed(&socket, &task, HandlerError::Returned(error.into()), cx);
                    }
                }
            }
            (Ok(_), Task::Disconnecting) => self.tell_disconnect(&socket, cx),
            _ => {}
        }
    }

    /// Goes on after a handler has failed.
    fn finish_failed(&mut self, socket: &Socket, task: &Task, error: HandlerError, cx: &mut Context<'_>) {
        let refusal = match &error {
            HandlerError::Extract(error @ (ExtractError::Auth(_) | ExtractError::Data(_))) => {
                error.to_string()
            }
            _ => "Internal server error".to_owned(),
        };
        report(socket, task, error);
        match task {
            Task::Middleware { .. } => self.turn_away(socket, &Refusal::new(refusal)),
            Task::Disconnecting => self.tell_disconnect(socket, cx),
            _ => {}
        }
    }

    /// Refuses a client that wants to join.
    fn turn_away(&mut self, socket: &Socket, refusal: &Refusal) {
        // The client may have gone meanwhile.
        if socket.end_with(Reason::ServerNamespaceDisconnect, None).is_some() {
            self.link.refuse(socket.namespace(), refusal);
        }
        self.forget(socket);
    }

    /// Tells the application about the sockets that have ended.
    pub(super) fn tell_ends(&mut self, cx: &mut Context<'_>) {
        let ended: Vec<_> = self.sockets.iter().filter(|socket| socket.has_ended()).cloned().collect();
        for socket in ended {
            self.forget(&socket);
            let Some(end) = socket.take_end() else { continue };
            log_end(&socket, &end);
            if matches!(end.reason, Reason::ServerNamespaceDisconnect) {
                if self.left.len() >= self.link.server.max_namespaces {
                    self.left.remove(0);
                }
                self.left.push(socket.namespace().clone());
            }
            let space = socket.space().clone();
            match &space.definition.on_disconnecting {
                Some(handler) => {
                    self.call(&socket, handler, &Input::Disconnect(end), Task::Disconnecting, cx);
                }
                None => self.tell_disconnect(&socket, cx),
            }
        }
    }

    fn tell_disconnect(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        socket.forget_rooms();
        let (space, end) = (socket.space().clone(), socket.end());
        if let (Some(handler), Some(end)) = (&space.definition.on_disconnect, end) {
            self.call(socket, handler, &Input::Disconnect(end), Task::Disconnect, cx);
        }
        socket.note_told();
    }

    /// Forgets a socket. A client that is in no namespace has to join one again in time.
    fn forget(&mut self, socket: &Socket) {
        self.sockets.retain(|other| other != socket);
        let is_somewhere = self.sockets.iter().any(|socket| socket.stage() == Some(Stage::Joined));
        if !is_somewhere && !self.has_ended && self.close_at.is_none() {
            self.await_join();
        }
    }
}

/// Calls a handler.
fn call<T>(
    handler: &Erased<T>,
    socket: &Socket,
    engine: Option<&eio_tokio::Socket>,
    input: &Input,
) -> Result<crate::server::handler::HandlerFuture<T>, HandlerError> {
    guarded(|| handler(&mut HandlerContext::new(socket, engine, input)))
        .map_err(HandlerError::Panicked)?
        .map_err(HandlerError::Extract)
}

/// Tells the log and the application of an error. To show it and to drop it is code of the application, too.
fn report(socket: &Socket, task: &Task, error: HandlerError) {
    let event = match task {
        Task::Middleware { .. } | Task::Admit | Task::Connect => "connect",
        Task::Event { name, .. } => name,
        Task::Disconnecting | Task::Disconnect => "disconnect",
    };
    let text = guarded(|| error.to_string()).unwrap_or_else(|panic| format!("(its text: {panic})"));
    tracing::warn!(
        target: targets::SOCKET,
        socket = %socket.id(),
        namespace = %socket.namespace(),
        event = ?shown(event),
        error = text,
        "a handler failed"
    );
    let told = guarded(|| {
        if let Some(on_error) = &socket.space().definition.on_error {
            on_error(socket, event, &error);
        }
        drop(error);
    });
    if let Err(panic) = told {
        tracing::error!(target: targets::SOCKET, %panic, "on_error panicked");
    }
}

fn log_end(socket: &Socket, end: &Disconnect) {
    tracing::info!(
        target: targets::SOCKET,
        socket = %socket.id(),
        namespace = %socket.namespace(),
        reason = end.reason.as_str(),
        detail = %end,
        "a socket has left"
    );
}

/// Runs the handlers of an end in a task of their own, because that of the connection is gone.
pub(super) fn tell_end_elsewhere(socket: Socket) {
    let Some(end) = socket.take_end() else { return };
    log_end(&socket, &end);
    let Ok(runtime) = Runtime::try_current() else { return };
    runtime.spawn(async move {
        let input = Input::Disconnect(end);
        run_elsewhere(
            &socket,
            socket.space().definition.on_disconnecting.as_ref(),
            &input,
            &Task::Disconnecting,
        )
        .await;
        run_last_elsewhere(&socket, &input).await;
    });
}

/// Runs the last handler of an end as [`tell_end_elsewhere`] does, after the first one was cut off.
pub(super) fn tell_disconnect_elsewhere(socket: Socket) {
    let (Some(end), Ok(runtime)) = (socket.end(), Runtime::try_current()) else { return };
    runtime.spawn(async move { run_last_elsewhere(&socket, &Input::Disconnect(end)).await });
}

async fn run_last_elsewhere(socket: &Socket, input: &Input) {
    socket.forget_rooms();
    let handler = socket.space().definition.on_disconnect.as_ref();
    let mut running = pin!(run_elsewhere(socket, handler, input, &Task::Disconnect));
    let has_ended = poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx).is_ready())).await;
    socket.note_told();
    if !has_ended {
        running.await;
    }
}

async fn run_elsewhere(socket: &Socket, handler: Option<&Erased<Replied>>, input: &Input, task: &Task) {
    let Some(handler) = handler else { return };
    let outcome = match call(handler, socket, None, input) {
        Ok(running) => match AssertUnwindSafe(running).catch_unwind().await {
            Ok(replied) => replied.map(drop).map_err(HandlerError::Returned),
            Err(panic) => Err(HandlerError::Panicked(message(panic))),
        },
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        report(socket, task, error);
    }
}
