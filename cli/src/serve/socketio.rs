//! `eio serve --socketio`: namespaces of every name, rooms, and events that come back.

mod event;

use core::time::Duration;
use std::sync::Arc;

use eio_socketio::{
    Ack, BoxError, BuildError, Data, Disconnect, EventName, HandlerError, Namespace, RawArgs, Refusal, Reply,
    Server, Socket, State, Value,
};
use eio_tokio::ServerBuilder;

pub(crate) use self::event::SocketEvent;
use self::event::What;
use super::dashboard::Dashboard;
use super::event::{Event, Name};
use crate::clock::Clock;
use crate::log::Log;
use crate::style::cut;

/// The size of the longest name of a namespace or a room, in bytes.
const MAX_NAME: usize = 64;

/// The state of the server.
#[derive(Clone)]
pub(super) struct App {
    dashboard: Arc<Dashboard>,
    clock: Clock,
    log: Log<Event>,
    echoes: bool,
}

/// What is kept with a socket that has joined.
#[derive(Clone, Copy)]
struct Joined {
    name: Option<Name>,
    at: Duration,
}

/// Builds a server in which clients join whatever namespace they like.
pub(super) fn server(
    app: App,
    engine: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
) -> Result<Server, BuildError> {
    let (main, others) = (namespace(&app), namespace(&app));
    Server::with_state(app).namespace("/", main).namespace_matching(|_| true, others).engine(engine).build()
}

fn namespace(app: &App) -> Namespace<App> {
    let for_errors = app.clone();
    Namespace::new()
        .middleware(admit)
        .on_connect(joined)
        .on("join", join)
        .on("leave", leave)
        .on("to", to)
        .on_any(event)
        .on_disconnect(left)
        .on_error(move |socket, event, error| for_errors.failed(socket, event, error))
}

/// Refuses names that are too long to be shown.
async fn admit(socket: Socket, State(app): State<App>) -> Result<(), Refusal> {
    check_name("namespace", socket.namespace()).map_err(|why| {
        app.put(&socket, What::Refused { why: why.clone() });
        Refusal::new(why)
    })
}

async fn joined(socket: Socket, State(app): State<App>) {
    let name = app.dashboard.name(socket.engine().id());
    socket.insert(Joined { name, at: app.clock.elapsed() });
    app.dashboard.join(&socket);
    app.put(&socket, What::Joined);
}

/// Joins a room. Returns the rooms that the socket is in.
async fn join(
    socket: Socket,
    Data(room): Data<String>,
    State(app): State<App>,
) -> Result<Reply<Vec<String>>, BoxError> {
    check_name("room", &room)?;
    socket.join(&room)?;
    app.count(&socket, 0);
    Ok(Reply(socket.rooms()))
}

/// Leaves a room. Returns the rooms that the socket is in.
async fn leave(socket: Socket, Data(room): Data<String>, State(app): State<App>) -> Reply<Vec<String>> {
    socket.leave(&room);
    app.count(&socket, 0);
    Reply(socket.rooms())
}

/// Sends an event to the others in a room. Returns how many get it.
async fn to(socket: Socket, args: RawArgs, State(app): State<App>) -> Result<Reply<usize>, BoxError> {
    let args = args.values()?;
    let [Value::String(room), Value::String(name), args @ ..] = args.as_slice() else {
        return Err("expected the name of a room, the name of an event, and its arguments".into());
    };
    let sent = socket.to(room).emit(name.clone(), RawArgs::from_values(args.iter().cloned()))?.sent;
    app.count(&socket, sent);
    Ok(Reply(sent))
}

/// Sends an event back, and acknowledges it with its arguments, if the server echoes.
async fn event(
    socket: Socket,
    EventName(name): EventName,
    args: RawArgs,
    ack: Ack,
    State(app): State<App>,
) -> Result<(), BoxError> {
    if app.echoes {
        ack.send(args.clone())?;
        socket.send(name, args).await?;
    }
    app.count(&socket, usize::from(app.echoes));
    Ok(())
}

async fn left(socket: Socket, end: Disconnect, State(app): State<App>) {
    app.left(&socket, &end);
}

fn check_name(of: &str, name: &str) -> Result<(), String> {
    if name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(format!("the name of the {of} has {} bytes: expected at most {MAX_NAME}", name.len()))
}

impl App {
    pub(super) fn new(dashboard: Arc<Dashboard>, clock: Clock, log: Log<Event>, echoes: bool) -> Self {
        Self { dashboard, clock, log, echoes }
    }

    /// Counts an event of a client, and how many events went out for it.
    fn count(&self, socket: &Socket, sent: usize) {
        self.dashboard.events(socket.namespace(), 1, sent as u64);
    }

    fn put(&self, socket: &Socket, what: What) {
        let name = match socket.get::<Joined>() {
            Some(joined) => joined.name,
            None => self.dashboard.name(socket.engine().id()),
        };
        let id = socket.id().as_str();
        let event =
            SocketEvent { namespace: cut(socket.namespace()), socket: self.dashboard.shown(id), what };
        self.log.put(Event::Socket { name, event });
    }

    /// Notes an event whose handler has failed, and so has not counted it.
    fn failed(&self, socket: &Socket, event: &str, error: &HandlerError) {
        self.count(socket, 0);
        self.put(socket, What::Failed { of: cut(event), error: cut(&error.to_string()) });
    }

    fn left(&self, socket: &Socket, end: &Disconnect) {
        // A socket whose session ends at once has not always been told that it has joined.
        let Some(joined) = socket.get::<Joined>() else { return };
        self.dashboard.leave(socket.namespace(), end.reason.as_str());
        let lived = self.clock.elapsed().saturating_sub(joined.at);
        self.put(socket, What::Left { reason: end.reason.clone(), lived });
    }
}
