//! `eio serve`: a server for tests of clients, which shows every session.

mod access;
mod cluster;
mod dashboard;
mod event;
mod feed;
mod file;
mod listen;
mod observer;
mod options;
mod pages;
mod settings;
mod socketio;
mod tls;
#[cfg(unix)]
mod unix;
mod values;

use core::pin::pin;
use core::time::Duration;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use eio_tokio::{Server, ServerBuilder, Socket};
use tokio::runtime::{Builder, Runtime};

use self::access::Access;
use self::cluster::{Node, Plan};
use self::dashboard::Dashboard;
use self::event::Event;
use self::observer::SessionObserver;
pub(crate) use self::options::Options;
use self::pages::{Pages, Sessions};
use self::settings::Settings;
use self::values::Workers;
use crate::clock::Clock;
use crate::interrupt::{INTERRUPTED, Interrupts};
use crate::log::Log;
use crate::output::{OnError, OutputError};
use crate::usage::{self, Exit, Failure};

/// How long sessions may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How long the last answers may take to be written: other tasks write them.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// Runs the server until it is interrupted.
pub(crate) fn run(options: Options) -> Result<ExitCode, Exit> {
    let wrong = |failure: Failure| Exit::bad_usage("eio serve", failure);
    let settings = Settings::new(options).map_err(wrong)?;
    let runtime = runtime(settings.workers())
        .map_err(|error| wrong(Failure::unusable(format!("cannot start the runtime: {error}"))))?;
    let code = runtime.block_on(serve(&settings)).map_err(wrong)?;
    // Connections that are still open end with the runtime.
    runtime.shutdown_background();
    Ok(code)
}

fn runtime(workers: Option<Workers>) -> io::Result<Runtime> {
    match workers.map(Workers::get) {
        Some(1) => Builder::new_current_thread().enable_all().build(),
        Some(workers) => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
        None => Builder::new_multi_thread().enable_all().build(),
    }
}

async fn serve(settings: &Settings) -> Result<ExitCode, Failure> {
    let clock = Clock::start();
    let log = Log::start(clock, settings.prints_json(), OnError::Retry(Box::new(report_output)));
    let dashboard = Arc::new(Dashboard::new(settings.sids()));
    let (listener, address, _cleanup) = listen::listen(settings).await.map_err(Failure::unusable)?;
    let access = Access::new(settings, &address);
    let plan = settings.cluster(&address)?;
    let (server, node) = build(settings, plan, clock, &dashboard, &log, &access)?;
    let mut interrupts =
        Interrupts::new().map_err(|error| Failure::unusable(format!("cannot receive signals: {error}")))?;
    let sessions = Sessions::new(&server, node.as_ref());
    let pages = Pages::new(sessions, Arc::clone(&dashboard), clock, settings, access, log.clone());
    let closing = pages.clone();

    log.put(Event::Listening {
        address,
        tls: listener.has_tls(),
        path: server.service().path().to_owned(),
        heartbeat: settings.heartbeat,
        liveness: settings.liveness(),
    });
    if let Some(node) = &node {
        tokio::spawn(cluster::watch(node.cluster.clone(), dashboard, log.clone()));
    }
    let mut serving = pin!(listener.serve(&server, pages));
    let mut stopped = false;
    tokio::select! {
        ended = &mut serving => {
            ended.map_err(|error| Failure::unusable(error.to_string()))?;
            stopped = true;
        }
        () = interrupts.next() => {}
        // Nobody reads standard output any more. Errors do not end this log.
        _ = log.closed() => {}
    }
    closing.begin_close();
    log.put(Event::Closing { sessions: server.len() });
    let shutdown = async {
        match &node {
            Some(node) => {
                tokio::join!(node.drain(CLOSE_LIMIT), server.shutdown(CLOSE_LIMIT));
                node.leave().await;
            }
            None => _ = server.shutdown(CLOSE_LIMIT).await,
        }
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let mut shutdown = pin!(shutdown);
    let code = loop {
        tokio::select! {
            () = &mut shutdown => break ExitCode::SUCCESS,
            // The listener stays open: polling clients may fetch their last messages on new connections.
            _ = &mut serving, if !stopped => stopped = true,
            () = interrupts.next() => break ExitCode::from(INTERRUPTED),
        }
    };
    // An error was already reported.
    let _ = log.finish().await;
    Ok(code)
}

/// Builds the server, and lets it join the other nodes.
fn build(
    settings: &Settings,
    plan: Option<Plan>,
    clock: Clock,
    dashboard: &Arc<Dashboard>,
    log: &Log<Event>,
    access: &Access,
) -> Result<(Server, Option<Node>), String> {
    let observer = SessionObserver::new(clock, Arc::clone(dashboard), log.clone());
    let (for_engine, origins) = (settings.clone(), access.origins());
    let configure = move |builder: ServerBuilder| {
        let builder = for_engine.configure(builder).observer(observer);
        match origins {
            Some(origins) => builder.allowed_origins(origins),
            None => builder,
        }
    };
    if settings.speaks_socketio() {
        let app = socketio::App::new(Arc::clone(dashboard), clock, log.clone(), settings.echoes());
        let server = socketio::server(app, configure).map_err(|error| error.to_string())?;
        let node = plan.map(|plan| plan.join(server.engine())).transpose()?;
        if let Some(node) = &node {
            server.join_cluster(&node.cluster).map_err(|error| error.to_string())?;
        }
        Ok((server.engine().clone(), node))
    } else {
        let builder = Server::builder(application(settings.echoes()));
        let server = configure(builder).build().map_err(|error| error.to_string())?;
        let node = plan.map(|plan| plan.join(&server)).transpose()?;
        Ok((server, node))
    }
}

/// Reports that standard output fails, or works again. Sessions go on without it.
fn report_output(result: Result<(), &OutputError>) {
    match result {
        Ok(()) => usage::complain(format_args!("writing to standard output works again")),
        Err(error) => {
            usage::complain(format_args!("{error}; sessions go on, but events are dropped if this lasts"));
        }
    }
}

/// Returns the application of each session: it receives every message, and sends it back with `--echo`.
fn application(echo: bool) -> impl Fn(Socket) -> Running + Send + Sync + 'static {
    move |mut socket| {
        // The request is not needed, and takes memory.
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
