//! `eio connect`: a session with any server, and every heartbeat of it in sight.

mod event;
mod exit_code;
mod input;
mod insecure;
mod options;
mod socketio;
mod story;
mod way;

use core::convert::Infallible;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use eio_tokio::{Client, ClientEvent, ClientSender, ClientSocket, Message};
use tokio::runtime::Builder;

use self::event::Event;
pub(crate) use self::options::Options;
use self::socketio::Namespace;
use self::story::{End, Story};
use crate::clock::Clock;
use crate::interrupt::{INTERRUPTED, Interrupts};
use crate::log::Log;
use crate::output::OnError;
use crate::usage::{self, Answer};

/// How long a closing session may take to tell its server.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// After how long is said what a session that does not open waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs one session to its end.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Answer> {
    let wrong = |sentence| Answer::wrong("eio connect", sentence);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| wrong(format!("the runtime does not start: {error}")))?;
    let code = runtime.block_on(connect(options))?;
    runtime.shutdown_background();
    Ok(code)
}

async fn connect(options: &Options) -> Result<ExitCode, Answer> {
    let wrong = |sentence| Answer::wrong("eio connect", sentence);
    let clock = Clock::start();
    let log = Log::start(clock, options.json, OnError::End);
    let story = Arc::new(Mutex::new(Story::new(clock, options.eio, options.opens_websocket())));
    let client = options.client(listener(log.clone(), Arc::clone(&story))).map_err(wrong)?;
    let mut interrupts =
        Interrupts::new().map_err(|error| wrong(format!("signals cannot be heard: {error}")))?;

    if options.way.insecure {
        usage::complain(format_args!(
            "--insecure: the server's certificate is not checked, and anybody on the way can read and change what is sent"
        ));
    }
    log.put(Event::connecting(options, &client));
    let end = tokio::select! {
        end = session(options, &client, &log) => end,
        never = say_what_is_awaited(&log, &story, clock) => match never {},
        () = interrupted_before_opening(&mut interrupts, &story) => return Ok(ExitCode::from(INTERRUPTED)),
        closed = log.closed() => return Ok(closed.map(|()| ExitCode::SUCCESS)?),
    };
    let end = match end {
        Ok(mut running) => running.until_the_end(&log, &mut interrupts, options.open_for).await,
        Err(end) => end,
    };
    let told = story.lock().unwrap_or_else(PoisonError::into_inner).tell(&end);
    let code = told.code;
    log.put(Event::End(told));
    log.finish().await?;
    Ok(code.into())
}

/// Puts what the client tells into the log, and into the story that is told at the end.
fn listener(log: Log<Event>, story: Arc<Mutex<Story>>) -> impl Fn(ClientEvent) + Send + Sync + 'static {
    move |event| {
        let mut story = story.lock().unwrap_or_else(PoisonError::into_inner);
        story.hear(&event);
        let event = Event::of_client(&event, &story);
        drop(story);
        if let Some(event) = event {
            log.put(event);
        }
    }
}

/// Waits for an interrupt that comes before a session opens. One that comes right behind the opening is put back: the
/// session is about to be handed over, and is then closed in order.
async fn interrupted_before_opening(interrupts: &mut Interrupts, story: &Mutex<Story>) {
    interrupts.next().await;
    if story.lock().unwrap_or_else(PoisonError::into_inner).has_opened() {
        interrupts.put_back();
        core::future::pending::<()>().await;
    }
}

/// Says once, where no session comes about for a while, what it waits for.
async fn say_what_is_awaited(log: &Log<Event>, story: &Mutex<Story>, clock: Clock) -> Infallible {
    tokio::time::sleep(PATIENCE).await;
    let is_connected = story.lock().unwrap_or_else(PoisonError::into_inner).is_connected();
    log.put(Event::Waiting { since: clock.elapsed(), is_connected });
    core::future::pending().await
}

/// Opens the session and joins the namespace, if there is one to join.
async fn session(options: &Options, client: &Client, log: &Log<Event>) -> Result<Running, End> {
    let socket = client.connect().await.map_err(End::NotConnected)?;
    let namespace = options.namespace();
    if let Some(namespace) = &namespace
        && let Some(join) = namespace.join(options.eio)
    {
        // An outbox that is empty takes it; an end in between is seen right away.
        if let Err(error) = socket.try_send(join) {
            log.put(Event::NotSent { why: error.to_string() });
        }
    }
    if !options.no_input {
        let lines = input::lines();
        tokio::spawn(send(lines, socket.sender(), namespace.clone(), log.clone()));
    }
    Ok(Running { socket, namespace })
}

/// Sends what is typed, as fast as the connection takes it.
async fn send(mut lines: input::Lines, sender: ClientSender, namespace: Option<Namespace>, log: Log<Event>) {
    while let Some(line) = lines.recv().await {
        let message = match &namespace {
            None => Ok(line),
            Some(namespace) => namespace.event(&line),
        };
        match message {
            Ok(message) => {
                if let Err(error) = sender.send(message).await {
                    log.put(Event::NotSent { why: error.kind.to_string() });
                }
            }
            Err(why) => log.put(Event::NotSent { why }),
        }
    }
}

/// An open session.
struct Running {
    socket: ClientSocket,
    namespace: Option<Namespace>,
}

impl Running {
    async fn until_the_end(
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
        let left = loop {
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
        if let Some(leave) = self.namespace.as_ref().filter(|_| left.is_none()).map(Namespace::leave) {
            let _ = self.socket.try_send(leave);
        }
        self.socket.close();
        let disconnect = tokio::select! {
            disconnect = self.socket.closed() => disconnect,
            () = tokio::time::sleep(CLOSE_LIMIT) => return left.unwrap_or(End::Interrupted),
            () = interrupts.next() => return End::Interrupted,
        };
        left.unwrap_or(End::Disconnected(disconnect))
    }

    /// Shows a message. Some of a Socket.IO server's end the session.
    fn show(&self, message: &Message, log: &Log<Event>) -> Option<End> {
        let Some(namespace) = &self.namespace else {
            log.put(Event::message(message));
            return None;
        };
        let (event, end) = namespace.read(message);
        log.put(event);
        end
    }
}
