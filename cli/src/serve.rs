//! `eio serve`: a server to test clients against, every session of which can be watched.

mod board;
mod event;
mod feed;
mod guard;
mod listen;
mod options;
mod pages;
#[cfg(unix)]
mod unix;
mod watch;

use core::num::NonZeroUsize;
use core::pin::pin;
use core::time::Duration;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use eio_tokio::{Server, Socket};
use tokio::runtime::{Builder, Runtime};

use self::board::Board;
use self::event::Event;
use self::guard::Guard;
pub(crate) use self::options::Options;
use self::pages::Pages;
use self::watch::Watch;
use crate::clock::Clock;
use crate::interrupt::{INTERRUPTED, Interrupts};
use crate::log::Log;
use crate::output::{OnError, OutputError};
use crate::usage::{self, Answer};

/// How long closing sessions may take to tell their clients.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// What the last answers take to leave: they are handed to the kernel by tasks of their own.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// Serves until it is interrupted.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Answer> {
    let wrong = |sentence| Answer::wrong("eio serve", sentence);
    let runtime =
        runtime(options.workers).map_err(|error| wrong(format!("the runtime does not start: {error}")))?;
    let code = runtime.block_on(serve(options)).map_err(wrong)?;
    // Connections that are still open end with their runtime.
    runtime.shutdown_background();
    Ok(code)
}

fn runtime(workers: Option<NonZeroUsize>) -> io::Result<Runtime> {
    match workers.map(NonZeroUsize::get) {
        Some(1) => Builder::new_current_thread().enable_all().build(),
        Some(workers) => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
        None => Builder::new_multi_thread().enable_all().build(),
    }
}

async fn serve(options: &Options) -> Result<ExitCode, String> {
    let clock = Clock::start();
    let heartbeat = options.timing.heartbeat()?;
    let log = Log::start(clock, options.json, OnError::Retry(Box::new(tell_of_output)));
    let board = Arc::new(Board::default());
    let watch = Watch::new(clock, Arc::clone(&board), log.clone());
    let (listener, place, _left) = listen::listen(options).await?;
    let guard = Guard::new(options, &place);
    let mut builder =
        options.configure(Server::builder(application(options.echo)), heartbeat).observer(watch);
    if let Some(origins) = guard.origins() {
        builder = builder.allowed_origins(origins);
    }
    let server = builder.build().map_err(|error| error.to_string())?;
    let mut interrupts = Interrupts::new().map_err(|error| format!("signals cannot be heard: {error}"))?;
    let pages =
        Pages::new(&server, board, clock, &options.path, &options.about(heartbeat), guard, log.clone());

    log.put(Event::Listening {
        place,
        path: options.path.clone(),
        heartbeat,
        liveness: options.timing.liveness(),
    });
    let mut serving = pin!(listener.serve(&server, pages));
    let mut stopped = false;
    tokio::select! {
        ended = &mut serving => {
            ended.map_err(|error| error.to_string())?;
            stopped = true;
        }
        () = interrupts.next() => {}
        // Nobody reads any more. An error does not come this way.
        _ = log.closed() => {}
    }
    log.put(Event::Closing { sessions: server.len() });
    let shutdown = async {
        let _ = server.shutdown(CLOSE_LIMIT).await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let mut shutdown = pin!(shutdown);
    let code = loop {
        tokio::select! {
            () = &mut shutdown => break ExitCode::SUCCESS,
            // The listener stays open meanwhile: polling clients may ask for what is left to them on new connections.
            _ = &mut serving, if !stopped => stopped = true,
            () = interrupts.next() => break ExitCode::from(INTERRUPTED),
        }
    };
    // Whatever could not be written has been told.
    let _ = log.finish().await;
    Ok(code)
}

/// Sessions matter more than the log of them: they go on without it, and whoever runs the server is told.
fn tell_of_output(result: Result<(), &OutputError>) {
    match result {
        Ok(()) => usage::complain(format_args!("standard output is written again")),
        Err(error) => {
            usage::complain(format_args!(
                "{error}; sessions go on, and events are lost unless it works again soon"
            ));
        }
    }
}

/// What a session's application does: takes every message, and sends it back if asked to.
fn application(echo: bool) -> impl Fn(Socket) -> Running + Send + Sync + 'static {
    move |mut socket| {
        // An idle session need not remember how it was asked for.
        drop(socket.take_request());
        Box::pin(async move {
            while let Ok(message) = socket.recv().await {
                if echo && socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    }
}

type Running = core::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
