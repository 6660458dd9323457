//! A board: one client on this machine.

use core::ops::ControlFlow;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use edge_nal_std::Stack;
use eio_core::backoff::Backoff;
use eio_embassy::edge_nal::{TcpConnect, TcpSplit};
use eio_embassy::socketio::Socket;
use eio_embassy::{
    Buffers, Client, ClientSettings, Connector as _, EdgeConnector, Endpoint, Loss, Reconnect, State,
};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;
use embassy_time::with_deadline;
use serde_json::json;

use crate::ppp::{block_on, host_random};
use crate::server::{Library, Server};

/// Much longer than anything takes here.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

static STACK: Stack = Stack::new();

type TcpSocket = <Stack as TcpConnect>::Socket<'static>;
pub(crate) type Reader<'s> = <TcpSocket as TcpSplit>::Read<'s>;
pub(crate) type Writer<'s> = <TcpSocket as TcpSplit>::Write<'s>;
/// The client of a session.
pub(crate) type BoardClient<'b, 's> = Client<'b, Reader<'s>, Writer<'s>>;

/// The endpoint of an Engine.IO server.
pub(crate) const ENGINEIO: Endpoint<'static> = Endpoint::engineio("127.0.0.1");

/// Tells a story in a session with each library's server of Socket.IO, which pings often.
pub(crate) fn with_each(mut story: impl AsyncFnMut(&mut BoardClient<'_, '_>, &mut Server)) {
    for library in Library::ALL {
        println!("{library:?}");
        let mut server = library.start(&json!({ "pingInterval": 300, "pingTimeout": 20_000 }));
        let (endpoint, settings) = (Endpoint::socketio("127.0.0.1"), ClientSettings::DEFAULT);
        in_session(&mut server, &endpoint, &settings, async |client, server| story(client, server).await);
    }
}

/// Does the same in the main namespace.
pub(crate) fn in_root_of_each(
    mut story: impl AsyncFnMut(Socket<'_, '_, Reader<'_>, Writer<'_>>, &mut Server),
) {
    with_each(async |client, server| {
        let socket = Socket::join(client, "/", "", PATIENCE).await.expect("it is let in");
        server.hears("join").await;
        story(socket, server).await;
    });
}

/// Opens a session with a server, in which this story is told.
pub(crate) fn in_session<T>(
    server: &mut Server,
    endpoint: &Endpoint<'_>,
    settings: &ClientSettings,
    story: impl for<'b, 's> AsyncFnMut(&mut BoardClient<'b, 's>, &mut Server) -> T,
) -> T {
    connect(server, endpoint, settings, story).unwrap_or_else(|loss| panic!("no session: {loss}"))
}

/// Returns why no session opens.
pub(crate) fn refused(server: &mut Server, endpoint: &Endpoint<'_>, settings: &ClientSettings) -> Loss {
    match connect(server, endpoint, settings, async |_, _| ()) {
        Ok(()) => panic!("a session has opened"),
        Err(loss) => loss,
    }
}

/// The clock of the boards is one for the whole program, so one test runs at a time.
fn clock() -> MutexGuard<'static, ()> {
    static CLOCK: Mutex<()> = Mutex::new(());
    CLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes one attempt, and tells a story in the session if it opens.
fn connect<T>(
    server: &mut Server,
    endpoint: &Endpoint<'_>,
    settings: &ClientSettings,
    mut story: impl for<'b, 's> AsyncFnMut(&mut BoardClient<'b, 's>, &mut Server) -> T,
) -> Result<T, Loss> {
    let _clock = clock();
    let runtime = server.runtime();
    let _entered = runtime.enter();
    let watch: Watch<NoopRawMutex, State, 1> = Watch::new();
    let mut states = watch.receiver().expect("a receiver");
    let mut random = host_random;
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut random, watch.dyn_sender());
    let (mut rx, mut tx) = ([0; 512], [0; 512]);
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let mut connector = EdgeConnector::new(&STACK, &STACK, "127.0.0.1", server.port());
    let session = connector.run(&mut reconnect, endpoint, buffers, settings, async |client| {
        ControlFlow::Break(story(client, server).await)
    });
    let lost = states.changed_and(|state| matches!(state, State::Waiting { .. }));
    let deadline = embassy_time::Instant::now() + embassy_time::Duration::from_secs(PATIENCE.as_secs());
    match block_on(with_deadline(deadline, select(session, lost))) {
        Ok(Either::First(told)) => Ok(told),
        Ok(Either::Second(State::Waiting { after, .. })) => Err(after),
        other => panic!("no end after {PATIENCE:?}: {}", if other.is_err() { "it waits" } else { "no loss" }),
    }
}
