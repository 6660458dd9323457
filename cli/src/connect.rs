//! `eio connect`: opens a session with a server, shows its heartbeats, and explains its end.

mod connection;
mod diagnosis;
mod end;
mod event;
mod exit_code;
mod explain;
mod history;
mod input;
mod look;
mod naps;
mod options;
mod socketio;

use core::convert::Infallible;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eio_core::DisconnectReason;
use eio_tokio::{Client, ClientEvent, ClientSocket, Disconnect, Message};
use tokio::runtime::Builder;

use self::end::End;
use self::event::Event;
use self::history::History;
use self::input::Input;
use self::look::Look;
use self::naps::TICK;
pub(crate) use self::options::Options;
use self::socketio::Namespace;
use crate::clock::Clock;
use crate::interrupt::Interrupts;
use crate::log::Log;
use crate::output::OnError;
use crate::sids::Sids;
use crate::usage::{self, Exit, Failure};

/// How long the session may take to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait before saying what a session that does not open is waiting for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs one session until it ends.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Exit> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unusable(format!("cannot start the runtime: {error}")))?;
    let code = runtime.block_on(connect(options))?;
    runtime.shutdown_background();
    Ok(code)
}

fn unusable(sentence: String) -> Exit {
    Exit::bad_usage("eio connect", Failure::unusable(sentence))
}

async fn connect(options: &Options) -> Result<ExitCode, Exit> {
    let clock = Clock::start();
    let log = Log::start(clock, options.json, OnError::End);
    let history = History::new(clock, options.eio, options.opens_on_websocket(), options.membership());
    let history = Arc::new(Mutex::new(history));
    let client = options
        .client(listener(log.clone(), Arc::clone(&history), Sids::new(&options.sids)))
        .map_err(|failure| Exit::bad_usage("eio connect", failure))?;
    let mut interrupts =
        Interrupts::new().map_err(|error| unusable(format!("cannot receive signals: {error}")))?;

    if options.connection.insecure {
        usage::complain(format_args!(
            "--insecure: the server's certificate is not checked, so others can read and change the traffic"
        ));
    }
    log.put(Event::connecting(options, &client));
    tokio::spawn(compare_clocks(Arc::clone(&history)));
    let end = tokio::select! {
        end = session(options, &client, &log, &history) => end,
        never = report_waiting(&log, &history, clock) => match never {},
        () = interrupted_before_opening(&mut interrupts, &history) => Err(End::InterruptedEarly),
        closed = log.closed() => return Ok(closed.map(|()| ExitCode::SUCCESS)?),
    };
    let end = match end {
        Ok(mut running) => {
            let end = running.run(&log, &mut interrupts, options.open_for).await;
            running.finish(&end, &log).await;
            end
        }
        Err(end) => end,
    };
    let look = match &end {
        End::Disconnected(end) => look(options, end, &history, &log, &mut interrupts).await,
        _ => None,
    };
    let summary = lock(&history).explain(&end, look);
    let code = summary.code;
    log.put(Event::End(summary.clone()));
    if !options.json {
        log.put(Event::Diagnosis(summary));
    }
    log.finish().await?;
    Ok(code.into())
}

fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a second connection after the end of the session, if that can tell more about it. An interrupt ends the look.
async fn look(
    options: &Options,
    end: &Disconnect,
    history: &Mutex<History>,
    log: &Log<Event>,
    interrupts: &mut Interrupts,
) -> Option<Look> {
    let history = {
        let mut history = lock(history);
        history.compare_clocks();
        history.clone()
    };
    if !Look::helps(end, &history) {
        return None;
    }
    log.put(Event::Looking);
    tokio::select! {
        look = Look::take(options, end, &history) => look,
        () = interrupts.next() => None,
        _ = log.closed() => None,
    }
}

/// Compares the clocks again and again, to notice when this process does not run.
async fn compare_clocks(history: Arc<Mutex<History>>) {
    loop {
        lock(&history).compare_clocks();
        tokio::time::sleep(TICK).await;
    }
}

/// Returns the callback that puts events of the client into the log, and into the history that explains the end.
fn listener(
    log: Log<Event>,
    history: Arc<Mutex<History>>,
    sids: Sids,
) -> impl Fn(ClientEvent) + Send + Sync + 'static {
    move |event| {
        let mut history = lock(&history);
        let line = Event::of_client(&event, &history, &sids);
        // What waited while eio did not run can arrive before the next tick.
        history.compare_clocks();
        history.record(&event);
        drop(history);
        if let Some(line) = line {
            log.put(line);
        }
    }
}

/// Waits for an interrupt before the session opens. An interrupt just after the opening is put back, so that the session
/// is closed in order.
async fn interrupted_before_opening(interrupts: &mut Interrupts, history: &Mutex<History>) {
    interrupts.next().await;
    if lock(history).has_opened() {
        interrupts.put_back();
        core::future::pending::<()>().await;
    }
}

/// Reports once, if the session does not open for a while, what it is waiting for.
async fn report_waiting(log: &Log<Event>, history: &Mutex<History>, clock: Clock) -> Infallible {
    tokio::time::sleep(PATIENCE).await;
    let (is_connected, other_kind) = {
        let history = lock(history);
        (history.is_connected(), history.other_kind())
    };
    log.put(Event::Waiting { since: clock.elapsed(), is_connected, other_kind });
    core::future::pending().await
}

/// Opens the session and joins the namespace, if there is one.
async fn session(
    options: &Options,
    client: &Client,
    log: &Log<Event>,
    history: &Arc<Mutex<History>>,
) -> Result<Running, End> {
    let socket = client.connect().await.map_err(End::NotConnected)?;
    let namespace = options.namespace();
    if let Some(namespace) = &namespace
        && let Some(join) = namespace.join()
    {
        // The outbox is empty, so this fails only if the session has ended, which `recv` reports.
        if let Err(error) = socket.try_send(join) {
            log.put(Event::NotSent { why: error.to_string() });
        }
    }
    let input = if options.no_input {
        Input::none()
    } else {
        Input::start(socket.sender(), namespace.clone(), log.clone())
    };
    Ok(Running { socket, namespace, history: Arc::clone(history), has_joined: false, input })
}

/// An open session.
struct Running {
    socket: ClientSocket,
    namespace: Option<Namespace>,
    history: Arc<Mutex<History>>,
    has_joined: bool,
    input: Input,
}

impl Running {
    /// Runs the session until it ends, is interrupted, or its time is up.
    async fn run(
        &mut self,
        log: &Log<Event>,
        interrupts: &mut Interrupts,
        open_for: Option<Duration>,
    ) -> End {
        let time_is_up = async {
            match open_for {
                Some(time) => tokio::time::sleep(time).await,
                None => core::future::pending().await,
            }
        };
        tokio::pin!(time_is_up);
        let ended = loop {
            tokio::select! {
                received = self.socket.recv() => match received {
                    Ok(message) => if let Some(end) = self.show(&message, log) { break Some(end) },
                    Err(disconnect) => return End::Disconnected(disconnect),
                },
                () = &mut time_is_up => break None,
                () = interrupts.next() => break None,
                _ = log.closed() => break None,
            }
        };
        if let Some(namespace) = &self.namespace
            && self.has_joined
            && ended.is_none()
        {
            let _ = self.socket.try_send(namespace.leave());
        }
        self.socket.close();
        let disconnect = tokio::select! {
            disconnect = self.socket.closed() => disconnect,
            // The session may have ended, with a server that does not close the connection.
            () = tokio::time::sleep(CLOSE_LIMIT) => match self.socket.end() {
                Some(disconnect) => disconnect,
                None => return ended.unwrap_or(End::Unconfirmed),
            },
            () = interrupts.next() => return End::Interrupted,
        };
        ended.unwrap_or(End::Disconnected(disconnect))
    }

    /// Reports what was to be sent and was not.
    async fn finish(self, end: &End, log: &Log<Event>) {
        if let End::Disconnected(end) = end
            // The packet that leaves a namespace need not arrive.
            && end.reason != DisconnectReason::LocalClose
            && end.unsent > 0
        {
            let messages = if end.unsent == 1 { "message" } else { "messages" };
            log.put(Event::NotSent { why: format!("{} {messages}: the session had ended", end.unsent) });
        }
        self.input.finish(log).await;
    }

    /// Prints a message. Returns the end if a message of Socket.IO ends the session.
    fn show(&mut self, message: &Message, log: &Log<Event>) -> Option<End> {
        let Some(namespace) = &self.namespace else {
            log.put(Event::message(message));
            return None;
        };
        let (event, end) = namespace.read(message);
        if matches!(event, Event::Joined { .. }) {
            lock(&self.history).join();
            self.has_joined = true;
            self.input.release();
        }
        log.put(event);
        end
    }
}
